"""Sentences a file says to people, worked out again from what a recount finds: docs/judging.md, "Reasons"."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from schemas.agreement import Agreement
from schemas.truceday import Micros, from_micros
from sinks.verify.history import NaiveReport
from sinks.verify.refused import NaiveRefused

Reason = dict[str, Any]
#: Bulletins named of a contested day.
MOST_NAMED = 10


def violence_reason(
    agreement: Agreement,
    *,
    finding: str,
    incidents: int,
    possible: int,
    severe: int,
    doubtful: int | None,
    limit: Fraction,
    share: Fraction,
    told: NaiveReport | None,
    counted: int | None,
    against: Sequence[tuple[NaiveReport, int]],
    refused: NaiveRefused,
    watched: str,
    unexplained: Sequence[str],
    longer: Sequence[str],
    told_of: bool,
) -> Reason:
    """Return what is said of the violence leg; ``told`` is the bulletin of the day, which counts ``counted``.

    ``against`` are the bulletins that contest the day, each with its count. ``unexplained`` are the feeds that saw
    something and do not tell what, ``longer`` the monitor's bulletins that cover more than a day. ``incidents`` are the
    sure ones. Where ``possible`` ones make the day UNKNOWN, ``doubtful`` is the number of the severe ones of them; None
    where they do not. ``refused`` are the pending rejects that make it so, if they do. A day that nothing was
    ``told_of`` is marked.
    """
    monitor = agreement.violence.bulletins_of
    if severe:
        rule = "severe_incident"
    elif monitor is not None and told is None:
        rule = "no_bulletin"
    elif against:
        rule = "contested"
    elif doubtful is not None:
        rule = "uncertain_time"
    elif refused.incidents:
        rule = "refused_pending"
    else:
        rule = {"BROKEN": "count_above_limit", "MET": "within_limit", "UNKNOWN": "not_covered"}[finding]
    known = _known(agreement, incidents, possible)
    held = [incidents, incidents + possible, incidents + refused.incidents] if counted is None else [counted]
    compared = [*held, *(number for _, number in against[:MOST_NAMED])]
    if severe:
        text = f"{_several(severe, 'severe incident')}, one is enough; {known}, {_limit(agreement, limit, compared)}"
    else:
        count = known
        if monitor is not None:
            count = _none_counts(monitor, longer) if told is None else _bulletin(told, counted)
        if against:
            count = f"{_against(against)}, against {count}"
        if doubtful:
            count = f"{_several(doubtful, 'severe incident')} possible, one is enough; {count}"
        text = f"{count}{_refused(refused)}, {_limit(agreement, limit, compared)}; {_share(agreement, share)}"
        text += f"; {watched}" if watched else ""
        text += "".join(f"; {feed} saw something and did not say what of this day" for feed in unexplained)
    reason: Reason = {"leg": "violence", "finding": finding, "rule": rule, "text": text}
    return reason if told_of else {**reason, "told_of": False}


def _against(bulletins: Sequence[tuple[NaiveReport, int]]) -> str:
    named = [_bulletin(each, number) for each, number in bulletins[:MOST_NAMED]]
    if len(bulletins) > MOST_NAMED:
        named.append(f"and {_several(len(bulletins) - MOST_NAMED, 'more bulletin')}")
    return "; ".join(named)


def _refused(refused: NaiveRefused) -> str:
    if not refused.incidents:
        return ""
    others = refused.incidents - len(refused.names)
    which = ", ".join(refused.names) + (f" and {others} more" if others else "")
    return f" and {_several(refused.incidents, 'refused report')} pending ({which})"


def _known(agreement: Agreement, incidents: int, possible: int) -> str:
    told = f"{_several(incidents, 'incident')} in scope"
    return (
        f"{told} and {possible} possible, of more than {agreement.violence.surely_within_hours} h" if possible else told
    )


def _limit(agreement: Agreement, limit: Fraction, compared: Sequence[int]) -> str:
    if limit <= agreement.violence.floor:
        return f"limit {_short(limit)} (the floor)"
    # With two decimals, or the fewest more with which it looks like no count that it is not.
    places = next(n for n in range(2, 40) if all(limit == each or round(limit, n) != each for each in compared))
    percent = 100 - agreement.violence.reduction_percent
    # The limit is that share of the baseline, exactly.
    return f"limit {_short(limit, places)} ({percent} % of a baseline of {_short(limit * 100 / percent)} a day)"


def _share(agreement: Agreement, share: Fraction) -> str:
    return f"{100 * float(share):.0f} % of the day watched, {agreement.coverage.min_share_percent} % needed"


def _none_counts(monitor: str, longer: Sequence[str]) -> str:
    count = f"no bulletin of {monitor} counts this day"
    if longer:
        named = ", ".join(longer[:MOST_NAMED])
        rest = f" and {len(longer) - MOST_NAMED} more" if len(longer) > MOST_NAMED else ""
        count += f", as {named}{rest} cover{'s' if len(longer) == 1 else ''} more than a day"
    return count


def _bulletin(told: NaiveReport, counted: int | None) -> str:
    least = "at least " if told.at_least else ""
    period = f"{minute(told.occurred_from)} to {minute(told.occurred_to)} UTC"
    doubt = "" if told.adds_up else ", though its lines do not add up to its total"
    return f"{told.name} counts {least}{counted} for {period}{doubt}"


def access_reason(
    agreement: Agreement, finding: str, rule: str, convoys: list[tuple[str, str, Micros | None]]
) -> Reason:
    """Return what is said of the access leg; ``convoys`` are name, state and, of those that are closed, since when."""
    access = agreement.access
    named = ", ".join(name for name, _, _ in convoys)
    late = ", ".join(
        name if since is None else f"{name} ({state.replace('_', ' ')} {minute(since)} UTC, not made good since)"
        for name, state, since in convoys
    )
    since = f"the last delivery ({named})" if named else "the truce took effect"
    texts = {
        "attacked": f"convoy attacked: {named}",
        "overdue": f"not delivered {access.overdue_after_hours} h or more after its first known step: {late}",
        "gap": f"{access.max_gap_days} days or more since {since}",
        "no_convoy_known": "no convoy to this region is known",
        "not_owed": "the agreement owes this region no access",
        "in_time": "no convoy attacked or overdue, no gap too long",
    }
    return {"leg": "access", "finding": finding, "rule": rule, "text": texts[rule]}


def gate_reason(required: int, streaks: dict[str, tuple[int, str | None]]) -> str:
    """Return why the gate is open or closed, by the days of each region's streak and what ended the one before."""
    short = [
        f"{region} {days} of {required}{f' ({ended})' if ended else ''}"
        for region, (days, ended) in streaks.items()
        if days < required
    ]
    return "; ".join(short) or f"every region the gate needs has held for {required} days"


def minute(instant: Micros) -> str:
    """Return an instant to the minute."""
    return from_micros(instant).strftime("%Y-%m-%d %H:%M")


def _several(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _short(value: Fraction, places: int = 2) -> str:
    return f"{float(value):.{places}f}".rstrip("0").rstrip(".")
