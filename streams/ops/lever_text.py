"""What would change a verdict, in sentences."""

from __future__ import annotations

from schemas.agreement import Agreement
from schemas.truceday import Micros, from_micros
from streams.ledger.core.findings import Finding
from streams.ops.levers import Case, Lever
from streams.ops.wording import counted, local_time, span_text


def lever_text(lever: Lever, case: Case, verdict: str) -> str:
    """Say a change and what it would do; ``verdict`` is that of the day as it stands."""
    besides = f"besides that, {', '.join(lever.besides)} being retracted, " if lever.besides else ""
    change = _violence_change if lever.leg == "violence" else _access_change
    return f"{besides}{change(lever, case)}: {_outcome(lever, verdict)}"


def _outcome(lever: Lever, verdict: str) -> str:
    if lever.finding is None:
        return f"{lever.leg} would be MET or UNKNOWN, by which feeds still have incidents of the day"
    leg = f"{lever.leg} would be {lever.finding}"
    if lever.verdict == verdict:
        return f"{leg}, the verdict would stay {verdict}"
    return f"{leg}, the verdict {lever.verdict}"


def _violence_change(lever: Lever, case: Case) -> str:
    agreement, names = case.agreement, ", ".join(lever.names)
    match lever.change:
        case "watch":
            runs = f" (the day runs until {_at(case.end, agreement)})" if case.runs else ""
            return f"{_watchers(lever)} covering {span_text(lever.span)} of {_stretches(lever, agreement)}{runs}"
        case "watch_less":
            if not lever.span:
                return "any watched time less"
            return f"more than {span_text(lever.span)} less of watched time"
        case "retract":
            of = counted(len(case.incidents), "incident")
            return f"{lever.number} of the {of} in scope retracted or found out of scope"
        case "retract_severe":
            rest = f", and {counted(lever.number, 'other incident')} as well, for the count" if lever.number else ""
            return f"{names} retracted or found out of scope{rest}"
        case "more_incidents":
            by = f" told by {' or '.join(agreement.violence.feeds)}" if agreement.violence.feeds else ""
            more = f"{counted(lever.number, 'more incident')} in scope{by}"
            return f"{more} (it bears {lever.number - 1})"
        case "bulletin_within":
            return (
                f"a bulletin of {agreement.violence.bulletins_of} for the whole day that counts {lever.number} at most"
            )
        case "bulletin_above":
            return f"a bulletin of {agreement.violence.bulletins_of} for the day that counts {lever.number} or more"
        case _:
            return f"one incident in scope of a severe kind ({names})"


def _access_change(lever: Lever, case: Case) -> str:
    agreement, names = case.agreement, ", ".join(lever.names)
    before = _at(lever.before, agreement)
    match lever.change:
        case "retract_attack":
            return f"{names} retracted, or corrected to another step or day"
        case "deliver":
            each = " each" if len(lever.names) > 1 else ""
            road = "dispatched and then " if len(lever.steps) > 1 else ""
            told = [f"{names}{each} reported {road}offloaded or distributed"] if names else []
            if lever.closed:
                where = " and ".join(f"one to {place or 'the region'}" for place in lever.places)
                told.append(f"another convoy, {where}, reported offloaded or distributed for {', '.join(lever.closed)}")
            return f"{', and '.join(told)} after {_at(lever.after, agreement)} and before {before}"
        case "deliver_any":
            after = _at(lever.after, agreement)
            return f"a convoy to the region reported offloaded or distributed after {after} and before {before}"
        case "know_convoy":
            after = f"after {_at(lever.after, agreement)} and " if lever.after is not None else ""
            return (
                f"a convoy to the region known by steps, no attack and no delivery, that began {after}before {before}"
            )
        case "overdue":
            return f"{names} neither delivered nor made good before {before}"
        case "gap":
            return f"no delivery before {before}"
        case _:
            return f"a convoy to the region attacked from {_at(lever.after, agreement)} on and before {before}"


def _watchers(lever: Lever) -> str:
    if lever.number > 1:
        return f"coverage notices by {lever.number} more feeds, each"
    watched = any(each.feeds for each in lever.stretches)
    return "one more notice, by a feed that was not watching then," if watched else "one more notice by any feed"


def _stretches(lever: Lever, agreement: Agreement) -> str:
    told = [
        f"{_at(each.start, agreement)} to {_at(each.end, agreement)}"
        + (f" (beside {', '.join(each.feeds)})" if each.feeds else "")
        for each in lever.stretches
    ]
    return "; ".join(told)


def _at(instant: Micros | None, agreement: Agreement) -> str:
    return "" if instant is None else local_time(from_micros(instant), agreement.clock.time_zone)


def both_legs(case: Case) -> str | None:
    """Say that MET takes a change of both legs, where it does."""
    if case.violence() is Finding.MET or case.access().finding in (Finding.MET, Finding.NOT_OWED):
        return None
    return "For MET, violence and access would both have to change."
