"""Counterfactuals of a verdict, computed with the rules that judged it.

A counterfactual is the least change of one leg's facts that gives the leg another finding: hours of
coverage more, incidents retracted, a delivery before an instant. Each states the leg's new finding and
the day's verdict with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, floor
from typing import Any

from schemas.reports import ConvoyStep
from schemas.rows import ConvoyStepRow
from schemas.truceday import MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_SECOND, Micros
from streams.ledger.core.convoy import ConvoyName
from streams.ledger.core.findings import Finding, combine
from streams.ledger.core.legs.access import AccessFinding
from streams.ledger.core.legs.limit import judge_violence
from streams.ops.case import Case
from streams.ops.watching import Stretch, stretches

#: Possible incidents named as having to go before more watching tells anything.
MOST_BESIDES = 10
#: A convoy that nobody reported, added to a case to see what it would change.
_ANOTHER = ConvoyName("", "another")


@dataclass(frozen=True)
class Counterfactual:
    """Least change of a leg's facts, and the finding it leads to.

    Attributes:
        change: kind of the change.
        finding: the leg's new finding; None when that depends on which incidents are retracted.
        verdict: the day's new verdict; None likewise.
        number: incidents or feeds.
        names: incidents, convoys or reports.
        span: length of the watched time.
        stretches: parts of the day in which watched time would count.
        after, before: bounds of the instant at which a step must have begun.
        besides: reports or incidents that have to be retracted as well.
        steps: steps that each convoy has to take.
        closed: convoys that were denied, turned back or attacked.
        places: where another convoy has to deliver to make those good; None is anywhere in the region.
    """

    leg: str
    change: str
    finding: Finding | None
    verdict: Finding | None = None
    number: int = 0
    names: tuple[str, ...] = ()
    span: Micros = 0
    stretches: tuple[Stretch, ...] = ()
    after: Micros | None = None
    before: Micros | None = None
    besides: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    places: tuple[str | None, ...] = ()


def counterfactuals(case: Case) -> list[Counterfactual]:
    """Return the counterfactuals of both legs of a case, violence first."""
    violence, access = case.violence(), case.access().finding
    return [
        *(_with_verdict(change, access, case) for change in _of_violence(case, violence)),
        *(_with_verdict(change, violence, case) for change in _of_access(case)),
    ]


def _with_verdict(change: Counterfactual, other_leg: Finding, case: Case) -> Counterfactual:
    if not change.finding:
        return change
    return replace(change, verdict=combine((change.finding, other_leg, *case.others.values())))


def _of_violence(case: Case, finding: Finding) -> Iterator[Counterfactual]:
    if case.agreement.violence.bulletins_of is not None:
        yield from _of_bulletins(case, finding)
        return
    bearable = floor(case.limit)
    incidents, severe = len(case.incidents), tuple(each.name for each in case.incidents if each.severe)
    if finding is Finding.BROKEN:
        # Retracted severe incidents leave the count as well; what is above the limit then has to go with them.
        others = max(0, incidents - len(severe) - bearable)
        rest = incidents - len(severe) - others
        left = Finding.UNKNOWN if case.uncertain(rest) else _quiet(case, rest)
        yield Counterfactual("violence", "retract_severe" if severe else "retract", left, names=severe, number=others)
        return
    uncertain, lifted = case.uncertain(incidents), case.lifted_by_refused(incidents)
    if case.contesting:
        # A bulletin that goes leaves the day as it was watched; to watch more alone settles nothing.
        left = Finding.MET if case.covered() and not uncertain and not lifted else Finding.UNKNOWN
        yield Counterfactual("violence", "uncontest", left, names=case.contesting, number=bearable)
    possible = tuple(each.name for each in case.possible)
    if uncertain:
        others = max(0, incidents + len(possible) - len(case.possibly_severe) - bearable)
        yield from _of_uncertain(case, _quiet(case, incidents), others, bearable - incidents + 1)
    if lifted and not case.contesting and not uncertain:
        quiet = Finding.MET if case.covered() else Finding.UNKNOWN
        over = incidents + len(case.refused) - bearable
        yield Counterfactual("violence", "settle", quiet, names=case.refused, number=over)
    if not case.covered() and not lifted and (not uncertain or len(possible) <= MOST_BESIDES):
        yield replace(_watch_more(case), besides=(*case.contesting, *(possible if uncertain else ())))
    elif finding is Finding.MET and case.agreement.coverage.min_share_percent:
        spare = case.seen(case.agreement.coverage.min_feeds) - case.needed
        yield Counterfactual("violence", "watch_less", Finding.UNKNOWN, span=spare)
    yield Counterfactual("violence", "more_incidents", Finding.BROKEN, number=bearable - incidents + 1)
    if finding is Finding.MET and case.may_be_contested:
        yield Counterfactual("violence", "contest", Finding.UNKNOWN, number=bearable + 1)
    yield from _of_severe_kinds(case)


def _of_uncertain(case: Case, left: Finding | None, others: int, enough: int) -> Iterator[Counterfactual]:
    """Yield what would settle a day of uncertain incidents: they are known to be of other days, or of this one."""
    severe = case.possibly_severe
    yield Counterfactual("violence", "of_other_days", left, names=severe, number=others)
    yield Counterfactual("violence", "of_this_day", Finding.BROKEN, names=severe, number=1 if severe else enough)


def _of_severe_kinds(case: Case) -> Iterator[Counterfactual]:
    if case.agreement.violence.severe_kinds:
        kinds = tuple(map(str, case.agreement.violence.severe_kinds))
        yield Counterfactual("violence", "severe_incident", Finding.BROKEN, names=kinds, number=1)


def _of_bulletins(case: Case, finding: Finding) -> Iterator[Counterfactual]:
    """Yield the counterfactuals of a leg measured by a monitor's bulletins: count, coverage, severe incidents."""
    bearable, covered = floor(case.limit), case.covered()
    # One for the whole day watches all of it.
    would_cover = case.covered(case.all_day | {str(case.agreement.violence.bulletins_of)})
    severe = tuple(each.name for each in case.incidents if each.severe)
    if severe:
        uncertain = case.uncertain(case.bulletin)
        left = judge_violence(case.bulletin, 0, case.limit, covered=covered, uncertain=uncertain)
        yield Counterfactual("violence", "retract_severe", left, names=severe)
        return
    if finding is not Finding.BROKEN and case.uncertain(case.bulletin):
        yield from _of_uncertain(case, judge_violence(case.bulletin, 0, case.limit, covered=covered), 0, 0)
    elif finding is not Finding.BROKEN and not covered and (case.bulletin is not None or not would_cover):
        watched_enough = judge_violence(case.bulletin, 0, case.limit, covered=True)
        yield replace(_watch_more(case), finding=watched_enough)
    if finding is Finding.BROKEN or case.bulletin is None:
        within = judge_violence(bearable, 0, case.limit, covered=would_cover, uncertain=bool(case.possibly_severe))
        yield Counterfactual("violence", "bulletin_within", within, number=bearable)
    if finding is not Finding.BROKEN:
        yield Counterfactual("violence", "bulletin_above", Finding.BROKEN, number=bearable + 1)
        yield from _of_severe_kinds(case)


def _quiet(case: Case, incidents_left: int) -> Finding | None:
    """Return the finding with a count within the limit; None when it hangs on which feeds' incidents are left."""
    if case.contesting or case.lifted_by_refused(incidents_left):
        return Finding.UNKNOWN
    most = case.covered(case.all_day if incidents_left or case.possible else frozenset())
    # A notice that tells of something seen watches only while its feed tells what it was.
    if most != replace(case, notices=case.nil_notices).covered(frozenset()):
        return None
    return Finding.MET if most else Finding.UNKNOWN


def _watch_more(case: Case) -> Counterfactual:
    """Return how many more feeds have to watch the same, for how long, and where that would count."""
    min_feeds = case.agreement.coverage.min_feeds
    more = next(number for number in range(1, min_feeds + 1) if case.seen(min_feeds - number) >= case.needed)
    cut = stretches(case.notices, case.all_day, case.start, case.end)
    return Counterfactual(
        "violence",
        "watch",
        Finding.MET,
        number=more,
        span=case.needed - case.seen(min_feeds),
        stretches=tuple(each for each in cut if min_feeds - more <= len(each.feeds) < min_feeds),
    )


def _of_access(case: Case) -> Iterator[Counterfactual]:
    found = case.access()
    delivered = case.access(_step(case, ConvoyStep.OFFLOADED, _ANOTHER)).finding
    since = case.horizon - case.agreement.access.max_gap_days * MICROS_PER_DAY
    match found.rule:
        case "not_owed":
            return
        case "attacked":
            attacks = _attacks(case, found.evidence)
            left = replace(case, steps=[step for step in case.steps if f"{step.feed}/{step.report_id}" not in attacks])
            yield Counterfactual("access", "retract_attack", left.access().finding, names=attacks)
            if left.access().finding is Finding.BROKEN:
                # An attack hides what else broke the day: without it another rule is the one to change.
                yield from (replace(change, besides=attacks) for change in _of_access(left))
            return
        case "overdue":
            yield _deliver(case, found, since)
            return
        case "gap":
            yield Counterfactual("access", "deliver_any", delivered, after=since, before=case.end)
            return
        case "no_convoy_known":
            known = case.access(_step(case, ConvoyStep.DISPATCHED, _ANOTHER)).finding
            # A convoy that has been under way for too long would be overdue.
            late = case.horizon - case.agreement.access.overdue_after_hours * MICROS_PER_HOUR
            bound = late if late >= case.agreement.effective and known is Finding.MET else None
            yield Counterfactual("access", "know_convoy", known, after=bound, before=case.end)
            if known is not delivered:
                yield Counterfactual("access", "deliver_any", delivered, after=since, before=case.end)
        case _:
            yield from _overdue_soon(case)
    attacked = case.access(_step(case, ConvoyStep.ATTACKED, _ANOTHER)).finding
    yield Counterfactual("access", "attack", attacked, after=case.start, before=case.end)


def _deliver(case: Case, found: AccessFinding, since: Micros) -> Counterfactual:
    """Return which convoys have to be delivered, and where others have to deliver in place of closed ones."""
    closed = tuple(name for name, _, _ in found.closed)
    waited_for = tuple(name for name in found.evidence if name not in closed)
    place_of = {convoy.label: convoy.place for convoy in case.convoys()}
    places = sorted({place_of[name] for name in closed}, key=lambda place: place or "")
    others = [
        _step(case, ConvoyStep.OFFLOADED, ConvoyName("", f"another {n}"))._replace(place=place)
        for n, place in enumerate(places)
    ]
    names = [ConvoyName.parse(label) for label in waited_for]
    steps: tuple[ConvoyStep, ...] = (ConvoyStep.OFFLOADED,)
    arrived = [_step(case, ConvoyStep.OFFLOADED, name) for name in names]
    if set(case.access(*others, *arrived).evidence) & set(waited_for):
        # A delivery counts only on a road that was reported.
        steps = (ConvoyStep.DISPATCHED, ConvoyStep.OFFLOADED)
        arrived = [_step(case, step, name, 2 - n) for name in names for n, step in enumerate(steps)]
    finding = case.access(*others, *arrived).finding
    # A delivery dated before what is known would not follow, and one too old would leave a gap.
    after = max(
        since,
        *(step.occurred_from for step in _known(case) if step.convoy in waited_for),
        *(
            # What is delivered at the very instant of a refusal makes it good.
            at - 1
            for _, _, at in found.closed
        ),
    )
    return Counterfactual(
        "access",
        "deliver",
        finding,
        names=waited_for,
        steps=tuple(map(str, steps)) if waited_for else (),
        after=after,
        before=case.end,
        closed=closed,
        places=tuple(places),
    )


def _known(case: Case) -> list[ConvoyStepRow]:
    return [step for step in case.steps if step.occurred_from < case.horizon]


def _attacks(case: Case, convoys: Sequence[str]) -> tuple[str, ...]:
    """Return the reports of the attacks on these convoys that break the day."""
    bound = {convoy.label for convoy in case.convoys()}
    return tuple(
        sorted(
            f"{step.feed}/{step.report_id}"
            for step in _known(case)
            if step.step == ConvoyStep.ATTACKED
            and step.occurred_from >= case.start
            and step.convoy in convoys
            and (step.region == case.region or step.convoy in bound)
        )
    )


def _overdue_soon(case: Case) -> Iterator[Counterfactual]:
    """Yield the breaks of a running day that the passing of time alone would bring."""
    rules, effective = case.agreement.access, case.agreement.effective
    convoys = case.convoys()
    for convoy in sorted(convoys, key=lambda convoy: convoy.label):
        due = max(convoy.first_known, effective) + rules.overdue_after_hours * MICROS_PER_HOUR
        if due <= case.end and convoy.delivered_at is None and not any(map(convoy.made_good_by, convoys)):
            yield Counterfactual("access", "overdue", Finding.BROKEN, names=(convoy.label,), before=due)
    last = max((convoy.delivered_at for convoy in convoys if convoy.delivered_at is not None), default=effective)
    due = max(last, effective) + rules.max_gap_days * MICROS_PER_DAY
    if due <= case.end:
        yield Counterfactual("access", "gap", Finding.BROKEN, before=due)


def _step(case: Case, step: ConvoyStep, convoy: ConvoyName, before: int = 1) -> ConvoyStepRow:
    """Return a step that nobody reported, ``before`` microseconds ahead of the horizon."""
    at = case.horizon - before
    known: dict[str, Any] = {
        "feed": convoy.feed,
        "report_id": "",
        "convoy_id": convoy.convoy_id,
        "convoy": str(convoy),
        "region": case.region,
        "step": step,
        "legal": True,
        "counts": True,
        "occurred_from": at,
        "occurred_to": at,
        "reported_at": case.now,
        "mode": "unstated",
        "items_removed": "[]",
    }
    return ConvoyStepRow(**{**dict.fromkeys(ConvoyStepRow._fields), **known})


def seconds(span: Micros) -> int:
    """Return a span in whole seconds, rounded up: half a second less would not be enough."""
    return ceil(Fraction(span, MICROS_PER_SECOND))
