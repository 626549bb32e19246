"""What the violence leg is found to be on one day, and the sentence that says why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

from schemas.agreement import Agreement
from schemas.rows import Evidence
from schemas.truceday import Micros
from streams.ledger.core.findings import Finding, minute
from streams.ledger.core.legs.bulletins import Contesting, Longer, Told
from streams.ledger.core.refusals import Refused


class ViolenceFinding(NamedTuple):
    """Finding of the violence leg, with everything that its sentence tells.

    ``told`` is the bulletin held against the limit, where the agreement measures by bulletins and there is one.
    ``contested`` are the bulletins that make the leg UNKNOWN. It is ``uncertain`` where incidents of uncertain time
    do so.
    """

    agreement: Agreement
    finding: Finding
    #: Columns of ``day_verdicts``.
    columns: NamedTuple
    #: Whether any report, notice, bulletin or pending reject stands behind it.
    told_of: bool
    severe: int
    limit: Fraction
    baseline: Fraction
    covered_share: float
    #: Of an UNKNOWN day: the feeds that stopped watching it and until when they did; None when none watched any of it.
    watched_until: tuple[tuple[str, Micros], ...] | None
    #: Of a day that no feed watched: those that had watched before, and until when.
    watched_before: tuple[tuple[str, Micros], ...]
    deciding: tuple[Evidence, ...]
    told: Told | None
    contested: Contesting
    #: Feeds whose notices watch nothing: they saw something and do not tell what.
    unexplained: tuple[str, ...]
    #: Incidents that surely happened that day, and those that may have; of the latter, those of a severe kind.
    sure: int
    possible: int
    severe_possible: int
    uncertain: bool
    #: The rejects that, with the incidents, make the leg UNKNOWN; None where they do not.
    refused: Refused | None
    #: Where no bulletin counts the day: those of the monitor that cover more than a day.
    longer: Longer

    @property
    def figures(self) -> Mapping[str, Any]:
        """Columns of ``day_verdicts`` by name."""
        return self.columns._asdict()

    @property
    def evidence(self) -> tuple[str, ...]:
        """Names of the incidents, bulletins or pending rejects that decide."""
        if self.refused:
            return tuple(self.refused.names)
        return tuple(f"{item.feed}/{item.report_id}" for item in self.deciding)

    @property
    def rule(self) -> str:
        """The rule that decided."""
        if self.severe:
            return "severe_incident"
        if self.agreement.violence.bulletins_of is not None and self.told is None:
            return "no_bulletin"
        if self.contested.bulletins:
            return "contested"
        if self.uncertain:
            return "uncertain_time"
        if self.refused:
            return "refused_pending"
        if self.finding is Finding.BROKEN:
            return "count_above_limit"
        return "within_limit" if self.finding is Finding.MET else "not_covered"

    @property
    def text(self) -> str:
        """The sentence that says why."""
        rules, coverage = self.agreement.violence, self.agreement.coverage
        counted = _count(self.sure, "incident") + " in scope"
        if self.possible:
            counted += f" and {self.possible} possible, of more than {rules.surely_within_hours} h"
        share = f"{100 * self.covered_share:.0f} % of the day watched, {coverage.min_share_percent} % needed"
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
        if self.finding is not Finding.UNKNOWN:
            return ""
        if self.watched_until is None:
            before = ", ".join(f"{feed} until {minute(until)}" for feed, until in self.watched_before)
            return "; no feed watched it" + (f", before it {before}" if before else "")
        told = ", ".join(f"{feed} watched until {minute(until)}" for feed, until in self.watched_until)
        return f"; {told}" if told else ""


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


def _number(value: Fraction, decimals: int = 2) -> str:
    return f"{float(value):.{decimals}f}".rstrip("0").rstrip(".")
