"""Verdicts: two legs combined, explained, and versioned."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date
from fractions import Fraction
from typing import NamedTuple

from schemas.agreement import Agreement
from schemas.rows import DayVerdict, Evidence
from schemas.truceday import Micros, from_micros
from streams.ledger.core.access import AccessFinding
from streams.ledger.core.bulletins import Contesting, Longer, Told
from streams.ledger.core.findings import Finding, State, combine
from streams.ledger.core.refusals import Refused


class Judgement(NamedTuple):
    """What one region and truce-day is found to be, before it is compared with what was found earlier.

    ``told`` is the bulletin held against the limit, where the agreement measures by bulletins and there is one.
    ``contested`` are the bulletins that make the violence leg UNKNOWN. It is ``uncertain`` where incidents of uncertain
    time do so.
    """

    region: str
    truce_day: date
    violence: Finding
    access: AccessFinding
    incidents: int
    severe: int
    out_of_scope: int
    limit: Fraction
    baseline: Fraction
    covered_share: float
    covered: bool
    #: Of an UNKNOWN day: the feeds that stopped watching it and until when they did; None when none watched any of it.
    watched_until: tuple[tuple[str, Micros], ...] | None
    #: Of a day that no feed watched: those that had watched before, and until when.
    watched_before: tuple[tuple[str, Micros], ...]
    deaths_low: int | None
    deaths_best: int | None
    deaths_high: int | None
    without_toll: int
    evidence: tuple[Evidence, ...]
    told: Told | None
    contested: Contesting
    #: Feeds whose notices watch nothing: they saw something and do not tell what.
    unexplained: tuple[str, ...]
    #: Incidents that surely happened that day, and those that may have; of the latter, those of a severe kind.
    sure: int
    possible: int
    severe_possible: int
    uncertain: bool
    refused_pending: int
    #: The rejects that, with the incidents, make the leg UNKNOWN; None where they do not.
    refused: Refused | None
    #: Where no bulletin counts the day: those of the monitor that cover more than a day.
    longer: Longer
    #: Whether any bulletin of the day speaks of the region, whatever it counts.
    has_bulletin: bool

    @property
    def verdict(self) -> Finding:
        """The verdict of the day."""
        return combine(self.violence, self.access.finding)

    @property
    def told_of(self) -> bool:
        """Whether any report, notice, bulletin or pending reject stands behind it."""
        found = self.violence is not Finding.UNKNOWN or self.access.finding not in (Finding.UNKNOWN, Finding.NOT_OWED)
        counted = self.incidents or self.out_of_scope or self.possible or self.refused_pending
        return found or bool(counted) or self.has_bulletin or self.watched_until is not None

    def rule(self, agreement: Agreement) -> str:
        """Return the rule that decided the verdict: that of the violence leg where both legs did."""
        return self._violence_rule(agreement) if self.violence is self.verdict else self.access.rule

    @property
    def contested_by(self) -> str | None:
        """The feeds that contest the day, as text; None when none does."""
        return ", ".join(self.contested.feeds) or None

    def evidence_text(self) -> str:
        """The incidents and convoys that decided the day, as JSON text."""
        named = self.refused.names if self.refused else [f"{item.feed}/{item.report_id}" for item in self.evidence]
        return json.dumps(
            {
                "violence": list(named),
                "access": list(self.access.convoys),
            },
            ensure_ascii=False,
        )

    def reasons_text(self, agreement: Agreement) -> str:
        """Why the legs were found so, as a JSON list of sentences with the rule that decided.

        That of a day nobody told of says so: once the day is final, the next judgement has to know.
        """
        nothing = {} if self.told_of else {"told_of": False}
        return json.dumps(
            [
                {
                    "leg": "violence",
                    "finding": self.violence,
                    "rule": self._violence_rule(agreement),
                    "text": self._violence_text(agreement),
                    **nothing,
                },
                {
                    "leg": "access",
                    "finding": self.access.finding,
                    "rule": self.access.rule,
                    "text": self._access_text(agreement),
                },
            ],
            ensure_ascii=False,
        )

    def _violence_rule(self, agreement: Agreement) -> str:
        if self.severe:
            return "severe_incident"
        if agreement.violence.bulletins_of is not None and self.told is None:
            return "no_bulletin"
        if self.contested.bulletins:
            return "contested"
        if self.uncertain:
            return "uncertain_time"
        if self.refused:
            return "refused_pending"
        if self.violence is Finding.BROKEN:
            return "count_above_limit"
        return "within_limit" if self.violence is Finding.MET else "not_covered"

    def _violence_text(self, agreement: Agreement) -> str:
        rules = agreement.violence
        counted = _count(self.sure, "incident") + " in scope"
        if self.possible:
            counted += f" and {self.possible} possible, of more than {rules.surely_within_hours} h"
        share = f"{100 * self.covered_share:.0f} % of the day watched, {agreement.coverage.min_share_percent} % needed"
        held_against_it = [self.told.incidents] if self.told else [self.sure, self.sure + self.possible]
        if self.refused:
            held_against_it.append(self.sure + self.refused.incidents)
        held_against_it += [told.incidents for told in self.contested.first]
        limit = f"limit {limit_text(self.limit, held_against_it)}"
        if self.limit > rules.floor:
            limit += f" ({100 - rules.reduction_percent} % of a baseline of {_number(self.baseline)} a day)"
        else:
            limit += " (the floor)"
        if self.severe:
            return f"{_count(self.severe, 'severe incident')}, one is enough; {counted}, {limit}"
        if rules.bulletins_of is not None:
            none = f"no bulletin of {rules.bulletins_of} counts this day{self._longer_text()}"
            counted = self.told.text if self.told else none
        if self.contested.bulletins:
            counted = f"{self._contested_text()}, against {counted}"
        elif self.uncertain and self.severe_possible:
            counted = f"{_count(self.severe_possible, 'severe incident')} possible, one is enough; {counted}"
        if self.refused:
            counted += f" and {_refused_text(self.refused)}"
        unexplained = "".join(f"; {feed} saw something and did not say what of this day" for feed in self.unexplained)
        return f"{counted}, {limit}; {share}{self._watched_text()}{unexplained}"

    def _longer_text(self) -> str:
        names, bulletins = self.longer
        if not bulletins:
            return ""
        others = f" and {bulletins - len(names)} more" if bulletins > len(names) else ""
        return f", as {', '.join(names)}{others} {'covers' if bulletins == 1 else 'cover'} more than a day"

    def _contested_text(self) -> str:
        shown = "; ".join(told.text for told in self.contested.first)
        more = self.contested.bulletins - len(self.contested.first)
        return f"{shown}; and {_count(more, 'more bulletin')}" if more else shown

    def _watched_text(self) -> str:
        if self.violence is not Finding.UNKNOWN:
            return ""
        if self.watched_until is None:
            before = ", ".join(f"{feed} until {_minute(until)}" for feed, until in self.watched_before)
            return "; no feed watched it" + (f", before it {before}" if before else "")
        told = ", ".join(f"{feed} watched until {_minute(until)}" for feed, until in self.watched_until)
        return f"; {told}" if told else ""

    def _access_text(self, agreement: Agreement) -> str:
        rules = agreement.access
        named = ", ".join(self.access.convoys)
        match self.access.rule:
            case "attacked":
                return f"convoy attacked: {named}"
            case "overdue":
                return f"not delivered {rules.overdue_after_hours} h or more after its first known step: {self._late()}"
            case "gap":
                since = f"the last delivery ({named})" if named else "the truce took effect"
                return f"{rules.max_gap_days} days or more since {since}"
            case "no_convoy_known":
                return "no convoy to this region is known"
            case "not_owed":
                return "the agreement owes this region no access"
            case _:
                return "no convoy attacked or overdue, no gap too long"

    def _late(self) -> str:
        """Name the overdue convoys, with what closed those that are no longer on their way."""
        closed = {
            label: f"{label} ({state.replace('_', ' ')} {from_micros(since):%Y-%m-%d %H:%M} UTC, not made good since)"
            for label, state, since in self.access.closed
        }
        return ", ".join(closed.get(label, label) for label in self.access.convoys)


def state_at(now: Micros, ends: Micros, final_at: Micros, *, amended: bool) -> State:
    """Return how settled a verdict is at ``now``, given the day's end and when its lateness has passed."""
    if now < ends:
        return State.OPEN
    if now < final_at:
        return State.PROVISIONAL
    return State.AMENDED if amended else State.FINAL


def is_new_version(judged: DayVerdict, present: DayVerdict, *, final: bool) -> bool:
    """Whether ``judged`` is a new version of ``present``, not a mere update of counts.

    Until a day is FINAL only a change of finding, limit or deciding report counts; afterwards every change but that of
    its state.
    """
    if (judged.violence, judged.access, judged.violence_limit, judged.evidence) != (
        present.violence,
        present.access,
        present.violence_limit,
        present.evidence,
    ):
        return True
    return final and figures_of(judged) != figures_of(present)


def rests_on_anything(row: DayVerdict) -> bool:
    """Whether a report, notice, bulletin or pending reject stands behind a row; one of none may be filled in."""
    return "told_of" not in json.loads(row.reasons)[0]


def figures_of(row: DayVerdict) -> tuple[object, ...]:
    """Return what may change of a row without a new version, while its day is not FINAL, but for its state."""
    return (
        row.incidents,
        row.incidents_out_of_scope,
        row.bulletin_incidents,
        row.covered_share,
        row.deaths_low,
        row.deaths_best,
        row.deaths_high,
        row.reasons,
        row.rule,
        row.contested_by,
        row.incidents_sure,
        row.incidents_possible,
        row.refused_pending,
        row.incidents_without_toll,
    )


def _refused_text(refused: Refused) -> str:
    more = refused.incidents - len(refused.names)
    others = f" and {more} more" if more else ""
    return f"{_count(refused.incidents, 'refused report')} pending ({', '.join(refused.names)}{others})"


def limit_text(limit: Fraction, counts: Iterable[int]) -> str:
    """Return a limit with two decimals, or as many more as tell it from every count that it is not equal to.

    A day that is BROKEN by 3 incidents against 2.996 would else read as 3 of 3 allowed.
    """
    apart = {Fraction(count) for count in counts} - {limit}
    decimals = 2
    while round(limit, decimals) in apart:
        decimals += 1
    return _number(limit, decimals)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _minute(instant: Micros) -> str:
    return f"{from_micros(instant):%Y-%m-%d %H:%M} UTC"


def _number(value: Fraction, decimals: int = 2) -> str:
    return f"{float(value):.{decimals}f}".rstrip("0").rstrip(".")
