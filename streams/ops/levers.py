"""What would change the verdict of a region and truce-day: computed with the rules that judged it, not guessed.

A lever is the least change of one leg's facts that gives that leg another finding: so many hours watched more, so many
incidents retracted, a delivery before an instant. Each says what the leg would be found to be, and the day with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, floor
from typing import NamedTuple

from schemas.agreement import Agreement
from schemas.reports import ConvoyStep
from schemas.rows import ConvoyStepRow, Identity
from schemas.truceday import MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_SECOND, Micros
from streams.ledger.core.access import Access, AccessFinding
from streams.ledger.core.convoy import Convoy, ConvoyName
from streams.ledger.core.convoys import Convoys
from streams.ledger.core.coverage import watched
from streams.ledger.core.findings import Finding, combine
from streams.ledger.core.violence import judge_violence
from streams.ops.watching import Stretch, stretches

#: A convoy nobody has told of, to ask what one would change.
_ANOTHER = ConvoyName("", "another")


class Counted(NamedTuple):
    """One incident that counts: its name, and whether its kind breaks the day alone."""

    name: str
    severe: bool


@dataclass(frozen=True)
class Case:
    """What one region and truce-day rests on.

    ``horizon`` is the day's end, or ``now``, the last judgement, while it runs. ``incidents`` are those in scope
    that count, ``notices`` the stretches each feed watched, ``all_day`` the feeds whose incidents count as watching the
    whole day, ``steps`` those of every convoy that ever had the region as its destination, each of which says whose it
    is, ``bulletin`` the count held against the limit where the agreement measures by a monitor's bulletins and there is
    one.
    """

    agreement: Agreement
    region: str
    start: Micros
    end: Micros
    horizon: Micros
    now: Micros
    incidents: Sequence[Counted]
    limit: Fraction
    notices: Mapping[str, Sequence[tuple[Micros, Micros]]]
    all_day: frozenset[str]
    steps: Sequence[ConvoyStepRow]
    bulletin: int | None = None

    @property
    def runs(self) -> bool:
        """Whether the day was not over at the last judgement."""
        return self.horizon < self.end

    @property
    def needed(self) -> Micros:
        """How much of the day must be watched, in microseconds."""
        return ceil(Fraction(self.agreement.coverage.min_share_percent * (self.end - self.start), 100))

    def seen(self, min_feeds: int, all_day: frozenset[str] | None = None) -> Micros:
        """Return for how long at least ``min_feeds`` feeds watched; none is always reached."""
        everywhere = self.all_day if all_day is None else all_day
        return watched(self.notices, everywhere, self.start, self.end, min_feeds)

    def violence(self) -> Finding:
        """Find the violence leg."""
        severe = sum(each.severe for each in self.incidents)
        counted = len(self.incidents) if self.agreement.violence.bulletins_of is None else self.bulletin
        return judge_violence(counted, severe, self.limit, covered=self.covered())

    def covered(self, all_day: frozenset[str] | None = None) -> bool:
        """Whether enough of the day was watched."""
        return self.seen(self.agreement.coverage.min_feeds, all_day) >= self.needed

    def convoys(self, *more: ConvoyStepRow) -> list[Convoy]:
        """Return the convoys to the region as known by the horizon, with more steps than are known.

        Which claims are one convoy is taken as it is: no step more makes or parts one here.
        """
        return self._told(more).bound_for(self.region, self.horizon)

    def access(self, *more: ConvoyStepRow) -> AccessFinding:
        """Find the access leg, with more steps than are known."""
        access = Access(self.agreement, self._told(more))
        access.take_in()
        return access.judge(self.region, self.start, self.horizon)

    def _told(self, more: Iterable[ConvoyStepRow]) -> Convoys:
        convoys = Convoys()
        for number, step in enumerate((*self.steps, *more)):
            convoys.add(Identity(step.feed, f"{step.report_id} {number}"), step)
        return convoys


@dataclass(frozen=True)
class Lever:
    """One change and what it would do.

    ``change`` says which it is. ``number`` counts incidents or feeds, ``names`` are incidents, convoys or reports,
    ``span`` is how long and ``stretches`` where, ``after`` and ``before`` bound when a step must have begun,
    ``besides`` names reports that have to be retracted as well, ``steps`` are those each convoy has to take. ``closed``
    names those that were denied, turned back or attacked, ``places`` where another one has to deliver to make them
    good, None standing for anywhere in the region.
    ``finding`` is what the leg would be found to be, ``verdict`` the day; None when that depends on which incidents go.
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


def levers(case: Case) -> list[Lever]:
    """Return what would change either leg of a case, violence first."""
    violence, access = case.violence(), case.access().finding
    return [
        *(_with_verdict(lever, access) for lever in _of_violence(case, violence)),
        *(_with_verdict(lever, violence) for lever in _of_access(case)),
    ]


def _with_verdict(lever: Lever, other_leg: Finding) -> Lever:
    return replace(lever, verdict=combine(lever.finding, other_leg)) if lever.finding else lever


def _of_violence(case: Case, finding: Finding) -> Iterator[Lever]:
    if case.agreement.violence.bulletins_of is not None:
        yield from _of_bulletins(case, finding)
        return
    bearable = floor(case.limit)
    incidents, severe = len(case.incidents), tuple(each.name for each in case.incidents if each.severe)
    if finding is Finding.BROKEN:
        # Retracted severe incidents leave the count as well; what is above the limit then has to go with them.
        others = max(0, incidents - len(severe) - bearable)
        left = _quiet(case, incidents - len(severe) - others)
        yield Lever("violence", "retract_severe" if severe else "retract", left, names=severe, number=others)
        return
    if finding is Finding.UNKNOWN:
        yield _watch_more(case)
    elif case.agreement.coverage.min_share_percent:
        spare = case.seen(case.agreement.coverage.min_feeds) - case.needed
        yield Lever("violence", "watch_less", Finding.UNKNOWN, span=spare)
    yield Lever("violence", "more_incidents", Finding.BROKEN, number=bearable - incidents + 1)
    yield from _of_severe_kinds(case)


def _of_severe_kinds(case: Case) -> Iterator[Lever]:
    if case.agreement.violence.severe_kinds:
        kinds = tuple(map(str, case.agreement.violence.severe_kinds))
        yield Lever("violence", "severe_incident", Finding.BROKEN, names=kinds, number=1)


def _of_bulletins(case: Case, finding: Finding) -> Iterator[Lever]:
    """Yield what would change a leg measured by a monitor's bulletins: its count, the coverage, severe incidents."""
    bearable, covered = floor(case.limit), case.covered()
    # One for the whole day watches all of it.
    would_cover = case.covered(case.all_day | {str(case.agreement.violence.bulletins_of)})
    severe = tuple(each.name for each in case.incidents if each.severe)
    if severe:
        left = judge_violence(case.bulletin, 0, case.limit, covered=covered)
        yield Lever("violence", "retract_severe", left, names=severe)
        return
    if finding is not Finding.BROKEN and not covered and (case.bulletin is not None or not would_cover):
        watched_enough = judge_violence(case.bulletin, 0, case.limit, covered=True)
        yield replace(_watch_more(case), finding=watched_enough)
    if finding is Finding.BROKEN or case.bulletin is None:
        within = judge_violence(bearable, 0, case.limit, covered=would_cover)
        yield Lever("violence", "bulletin_within", within, number=bearable)
    if finding is not Finding.BROKEN:
        yield Lever("violence", "bulletin_above", Finding.BROKEN, number=bearable + 1)
        yield from _of_severe_kinds(case)


def _quiet(case: Case, incidents_left: int) -> Finding | None:
    """Return the finding with a count within the limit; None when it hangs on which feeds' incidents are left."""
    most = case.covered(case.all_day if incidents_left else frozenset())
    if most != case.covered(frozenset()):
        return None
    return Finding.MET if most else Finding.UNKNOWN


def _watch_more(case: Case) -> Lever:
    """Say how many feeds more, each watching the same, for how long, and where that would count."""
    min_feeds = case.agreement.coverage.min_feeds
    more = next(number for number in range(1, min_feeds + 1) if case.seen(min_feeds - number) >= case.needed)
    cut = stretches(case.notices, case.all_day, case.start, case.end)
    return Lever(
        "violence",
        "watch",
        Finding.MET,
        number=more,
        span=case.needed - case.seen(min_feeds),
        stretches=tuple(each for each in cut if min_feeds - more <= len(each.feeds) < min_feeds),
    )


def _of_access(case: Case) -> Iterator[Lever]:
    found = case.access()
    delivered = case.access(_step(case, ConvoyStep.OFFLOADED, _ANOTHER)).finding
    since = case.horizon - case.agreement.access.max_gap_days * MICROS_PER_DAY
    match found.rule:
        case "not_owed":
            return
        case "attacked":
            told = _attacks(case, found.convoys)
            left = replace(case, steps=[step for step in case.steps if f"{step.feed}/{step.report_id}" not in told])
            yield Lever("access", "retract_attack", left.access().finding, names=told)
            if left.access().finding is Finding.BROKEN:
                # An attack hides what else broke the day: without it another rule is the one to change.
                yield from (replace(lever, besides=told) for lever in _of_access(left))
            return
        case "overdue":
            yield _deliver(case, found, since)
            return
        case "gap":
            yield Lever("access", "deliver_any", delivered, after=since, before=case.end)
            return
        case "no_convoy_known":
            known = case.access(_step(case, ConvoyStep.DISPATCHED, _ANOTHER)).finding
            # One that has been under way for too long would be overdue.
            late = case.horizon - case.agreement.access.overdue_after_hours * MICROS_PER_HOUR
            bound = late if late >= case.agreement.effective and known is Finding.MET else None
            yield Lever("access", "know_convoy", known, after=bound, before=case.end)
            if known is not delivered:
                yield Lever("access", "deliver_any", delivered, after=since, before=case.end)
        case _:
            yield from _overdue_soon(case)
    attacked = case.access(_step(case, ConvoyStep.ATTACKED, _ANOTHER)).finding
    yield Lever("access", "attack", attacked, after=case.start, before=case.end)


def _deliver(case: Case, found: AccessFinding, since: Micros) -> Lever:
    """Say which convoys have to be delivered, and where others have to deliver in place of those that are closed."""
    closed = tuple(name for name, _, _ in found.closed)
    waited_for = tuple(name for name in found.convoys if name not in closed)
    place_of = {convoy.label: convoy.place for convoy in case.convoys()}
    places = sorted({place_of[name] for name in closed}, key=lambda place: place or "")
    others = [
        _step(case, ConvoyStep.OFFLOADED, ConvoyName("", f"another {n}"))._replace(place=place)
        for n, place in enumerate(places)
    ]
    names = [ConvoyName.parse(label) for label in waited_for]
    steps: tuple[ConvoyStep, ...] = (ConvoyStep.OFFLOADED,)
    arrived = [_step(case, ConvoyStep.OFFLOADED, name) for name in names]
    if set(case.access(*others, *arrived).convoys) & set(waited_for):
        # A delivery counts only on a road that was told of.
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
    return Lever(
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


def _overdue_soon(case: Case) -> Iterator[Lever]:
    """Yield what the passing of time alone would break within a running day, and when."""
    rules, effective = case.agreement.access, case.agreement.effective
    convoys = case.convoys()
    for convoy in sorted(convoys, key=lambda convoy: convoy.label):
        due = max(convoy.first_known, effective) + rules.overdue_after_hours * MICROS_PER_HOUR
        if due <= case.end and convoy.delivered_at is None and not any(map(convoy.made_good_by, convoys)):
            yield Lever("access", "overdue", Finding.BROKEN, names=(convoy.label,), before=due)
    last = max((convoy.delivered_at for convoy in convoys if convoy.delivered_at is not None), default=effective)
    due = max(last, effective) + rules.max_gap_days * MICROS_PER_DAY
    if due <= case.end:
        yield Lever("access", "gap", Finding.BROKEN, before=due)


def _step(case: Case, step: ConvoyStep, convoy: ConvoyName, before: int = 1) -> ConvoyStepRow:
    """Return a step nobody has told of, told now, so many microseconds before what no longer counts."""
    at = case.horizon - before
    return ConvoyStepRow(
        feed=convoy.feed,
        report_id="",
        convoy_id=convoy.convoy_id,
        convoy=str(convoy),
        region=case.region,
        place=None,
        step=step,
        legal=True,
        counts=True,
        flaw=None,
        occurred_from=at,
        occurred_to=at,
        reported_at=case.now,
        mode="unstated",
        trucks=None,
        trucks_hit=None,
        people_requested=None,
        people_approved=None,
        people_reached=None,
        items_removed="[]",
        blocker=None,
        reason=None,
        access_constraint=None,
        reached_place=None,
        same_convoy_as=None,
        not_same_convoy_as=None,
        town=None,
    )


def seconds(span: Micros) -> int:
    """Return a span in whole seconds, rounded up: half a second less would not be enough."""
    return ceil(Fraction(span, MICROS_PER_SECOND))
