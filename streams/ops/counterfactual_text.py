"""Sentences about the counterfactuals of a verdict."""

from __future__ import annotations

from schemas.agreement import Agreement
from schemas.truceday import Micros, from_micros
from streams.ledger.core.findings import Finding
from streams.ops.case import Case
from streams.ops.counterfactuals import Counterfactual
from streams.ops.wording import counted, local_time, span_text


def counterfactual_text(change: Counterfactual, case: Case, verdict: str) -> str:
    """Return the sentence of a change and its effect; ``verdict`` is the day's present one."""
    besides = f"besides that, {', '.join(change.besides)} being retracted, " if change.besides else ""
    text = _violence_text if change.leg == "violence" else _access_text
    return f"{besides}{text(change, case)}: {_outcome(change, verdict)}"


def _outcome(change: Counterfactual, verdict: str) -> str:
    if change.finding is None:
        return f"{change.leg} would be MET or UNKNOWN, by which feeds still have incidents of the day"
    leg = f"{change.leg} would be {change.finding}"
    if change.verdict == verdict:
        return f"{leg}, the verdict would stay {verdict}"
    return f"{leg}, the verdict {change.verdict}"


def _violence_text(change: Counterfactual, case: Case) -> str:
    agreement, names = case.agreement, ", ".join(change.names)
    match change.change:
        case "watch":
            runs = f" (the day runs until {_at(case.end, agreement)})" if case.runs else ""
            return f"{_watchers(change)} covering {span_text(change.span)} of {_stretches(change, agreement)}{runs}"
        case "watch_less":
            if not change.span:
                return "any watched time less"
            return f"more than {span_text(change.span)} less of watched time"
        case "retract":
            of = counted(len(case.incidents), "incident")
            return f"{change.number} of the {of} in scope retracted or found out of scope"
        case "retract_severe":
            rest = f", and {counted(change.number, 'other incident')} as well, for the count" if change.number else ""
            return f"{names} retracted or found out of scope{rest}"
        case "more_incidents":
            by = f" told by {' or '.join(agreement.violence.feeds)}" if agreement.violence.feeds else ""
            more = f"{counted(change.number, 'more incident')} in scope{by}"
            return f"{more} (it bears {change.number - 1})"
        case "of_other_days" | "of_this_day":
            return _time_text(change, case)
        case "settle":
            of = f"{change.number} of the {counted(len(change.names), 'refused report')} pending ({names})"
            return f"{of} dismissed, or accepted as no incident in scope of the day"
        case "severe_incident":
            return f"one incident in scope of a severe kind ({names})"
        case _:
            return _bulletin_text(change, agreement)


def _time_text(change: Counterfactual, case: Case) -> str:
    possible = f"the {counted(len(case.possible) - len(change.names), 'possible incident')}"
    if change.change == "of_this_day":
        some = f"one of {', '.join(change.names)}" if change.names else f"{change.number} of {possible}"
        return f"{some} corrected to an interval of {case.agreement.violence.surely_within_hours} h at most on this day"
    severe = [", ".join(change.names)] if change.names else []
    others = [f"{change.number} of {possible}"] if change.number else []
    return f"{' and '.join(severe + others)} corrected to intervals on other days, or retracted"


def _bulletin_text(change: Counterfactual, agreement: Agreement) -> str:
    monitor = agreement.violence.bulletins_of
    match change.change:
        case "uncontest":
            each = " each" if len(change.names) > 1 else ""
            return f"{', '.join(change.names)}{each} corrected to count {change.number} at most in scope, or retracted"
        case "contest":
            return f"a bulletin of the day, by any feed, that counts {change.number} or more in scope for the region"
        case "bulletin_within":
            return f"a bulletin of {monitor} for the whole day that counts {change.number} at most"
        case _:
            return f"a bulletin of {monitor} for the day that counts {change.number} or more"


def _access_text(change: Counterfactual, case: Case) -> str:
    agreement, names = case.agreement, ", ".join(change.names)
    before = _at(change.before, agreement)
    match change.change:
        case "retract_attack":
            return f"{names} retracted, or corrected to another step or day"
        case "deliver":
            each = " each" if len(change.names) > 1 else ""
            road = "dispatched and then " if len(change.steps) > 1 else ""
            deliveries = [f"{names}{each} reported {road}offloaded or distributed"] if names else []
            if change.closed:
                where = " and ".join(f"one to {place or 'the region'}" for place in change.places)
                deliveries.append(
                    f"another convoy, {where}, reported offloaded or distributed for {', '.join(change.closed)}"
                )
            return f"{', and '.join(deliveries)} after {_at(change.after, agreement)} and before {before}"
        case "deliver_any":
            after = _at(change.after, agreement)
            return f"a convoy to the region reported offloaded or distributed after {after} and before {before}"
        case "know_convoy":
            after = f"after {_at(change.after, agreement)} and " if change.after is not None else ""
            return (
                f"a convoy to the region known by steps, no attack and no delivery, that began {after}before {before}"
            )
        case "overdue":
            return f"{names} neither delivered nor made good before {before}"
        case "gap":
            return f"no delivery before {before}"
        case _:
            return f"a convoy to the region attacked from {_at(change.after, agreement)} on and before {before}"


def _watchers(change: Counterfactual) -> str:
    if change.number > 1:
        return f"coverage notices by {change.number} more feeds, each"
    watched = any(each.feeds for each in change.stretches)
    return "one more notice, by a feed that was not watching then," if watched else "one more notice by any feed"


def _stretches(change: Counterfactual, agreement: Agreement) -> str:
    return "; ".join(
        f"{_at(each.start, agreement)} to {_at(each.end, agreement)}"
        + (f" (beside {', '.join(each.feeds)})" if each.feeds else "")
        for each in change.stretches
    )


def _at(instant: Micros | None, agreement: Agreement) -> str:
    return "" if instant is None else local_time(from_micros(instant), agreement.clock.time_zone)


def both_legs(case: Case) -> str | None:
    """Say that MET takes a change of several legs, where it does."""
    legs = {"violence": case.violence(), "access": case.access().finding, **case.others}
    wanting = [name for name, finding in legs.items() if finding not in (Finding.MET, Finding.NOT_OWED)]
    if len(wanting) < 2:
        return None
    return f"For MET, {' and '.join(wanting)} would {'both' if len(wanting) == 2 else 'all'} have to change."
