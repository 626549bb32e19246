"""One convoy: the steps of all its claims, folded once into its state as known by any horizon."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from schemas.rows import ConvoyRow, ConvoyStepRow
from schemas.truceday import Micros
from streams.ledger.core.convoy_steps import CLOSED, CONTRADICTIONS, DELIVERIES, SETBACKS, is_legal
from streams.ledger.core.interval_index import FOREVER


class ConvoyName(NamedTuple):
    """What identifies a claim: one feed's own name for a convoy. A convoy is called after one of its claims."""

    feed: str
    convoy_id: str

    def __str__(self) -> str:
        return f"{self.feed}/{self.convoy_id}"

    @classmethod
    def parse(cls, text: str) -> ConvoyName:
        """Read what ``str`` wrote; a feed's name holds no slash."""
        feed, _, convoy_id = text.partition("/")
        return cls(feed, convoy_id)


class Convoy(NamedTuple):
    """One convoy as known by some horizon."""

    name: ConvoyName
    label: str
    region: str
    place: str | None
    state: str
    since: Micros
    first_known: Micros
    delivered_at: Micros | None

    @property
    def closed(self) -> bool:
        """Whether it was denied, turned back or attacked before it was delivered, and not sent again since."""
        return self.delivered_at is None and self.state in CLOSED

    def made_good_by(self, other: Convoy) -> bool:
        """Whether the delivery of ``other``, bound for the same region, stands in for this one that is closed."""
        if not self.closed or other.delivered_at is None:
            return False
        return self.place in (None, other.place) and other.delivered_at >= self.since


class _Claimed:
    """Deliveries claimed, as positions in the order of steps, which they come in."""

    __slots__ = ("first_to", "positions")

    def __init__(self) -> None:
        self.positions: list[int] = []
        self.first_to: dict[str, int] = {}

    def add(self, position: int, region: str) -> None:
        self.positions.append(position)
        self.first_to.setdefault(region, position)

    def copy(self) -> _Claimed:
        """Return another one with the same deliveries."""
        copied = _Claimed()
        copied.positions, copied.first_to = list(self.positions), dict(self.first_to)
        return copied


_NO_DELIVERIES = _Claimed()


class _Deliveries:
    """The delivery claims of one feed that nobody contradicted: all that were told, and the legal ones."""

    __slots__ = ("legal", "told")

    def __init__(self) -> None:
        self.told = _Claimed()
        self.legal = _Claimed()


class Timeline:
    """The steps of one convoy in the order they happened, and what they amount to up to each of them.

    Steps are ordered by start first, so what began before a horizon is always a first part of them: the convoy at
    any horizon is found by bisection, and no step is folded twice.

    Args:
        steps: all steps of all its claims; at least one.
    """

    def __init__(self, steps: Iterable[ConvoyStepRow]) -> None:
        self.steps = sorted(steps, key=in_order)
        self.name = _called_after(self.steps)
        self.claims = frozenset(ConvoyName(step.feed, step.convoy_id) for step in self.steps)
        self.regions = frozenset(step.region for step in self.steps)
        #: When each attack on it began, and the region that was named as its destination then; legal or not.
        self.attacks = [(step.occurred_from, step.region) for step in self.steps if step.step == "attacked"]
        self._starts = [step.occurred_from for step in self.steps]
        self._before: list[str | None] = []
        self._legal: list[bool] = []
        self._deliveries: dict[str, _Deliveries] = {}
        #: What all feeds told together. To ask each feed at each step would take as long as the two numbers multiplied.
        self._told = _Claimed()
        self._contradicted: dict[int, int] = {}
        self._known: list[Convoy] = []
        self._fold()

    def at(self, horizon: Micros) -> Convoy | None:
        """Return the convoy by the steps that began before ``horizon``; None when none had."""
        known = bisect_left(self._starts, horizon)
        return self._known[known - 1] if known else None

    def stretches(self) -> Iterator[tuple[Micros, Micros, Convoy]]:
        """Yield all that the convoy was ever known to be, with the horizons: from the first to before the second."""
        for known, start, end in zip(self._known, self._starts, [*self._starts[1:], FOREVER], strict=True):
            if start < end:
                yield start + 1, min(end + 1, FOREVER), known

    @property
    def now(self) -> Convoy:
        """The convoy by every step known."""
        return self._known[-1]

    def _fold(self) -> None:
        state: str | None = None
        moved = 0
        label = str(self.name)
        contradictions: list[int] = []
        for position, step in enumerate(self.steps):
            legal = is_legal(step.step, state)
            self._before.append(state)
            self._legal.append(legal)
            setback = step.step in SETBACKS
            if legal or setback:
                state = step.step
            if step.step in DELIVERIES:
                self._claim(position, step, contradictions, legal=legal)
            elif legal or setback:
                moved = position
            if step.step in CONTRADICTIONS:
                contradictions.append(position)
                self._contradict(position, step.feed)
            counting = self._counting()
            latest = self.steps[max(moved, counting.positions[-1]) if counting.positions else moved]
            # What was unloaded elsewhere has not come to where the rest was sent on to.
            there = counting.first_to.get(latest.region)
            self._known.append(
                Convoy(
                    name=self.name,
                    label=label,
                    region=latest.region,
                    place=latest.place,
                    state=latest.step,
                    since=latest.occurred_from,
                    first_known=self._starts[0],
                    delivered_at=None if there is None else self._starts[there],
                )
            )

    def _claim(self, position: int, step: ConvoyStepRow, contradictions: list[int], *, legal: bool) -> None:
        # Steps come by their start: what had ended by now contradicts no later delivery either.
        contradictions[:] = [one for one in contradictions if self.steps[one].occurred_to > step.occurred_from]
        for earlier in contradictions:
            other = self.steps[earlier]
            if other.feed != step.feed and other.reported_at > step.reported_at:
                self._contradicted[position] = earlier
                return
        told = self._deliveries.setdefault(step.feed, _Deliveries())
        told.told.add(position, step.region)
        self._told.add(position, step.region)
        if legal:
            told.legal.add(position, step.region)

    def _contradict(self, position: int, feed: str) -> None:
        others = [other for other in self._deliveries if other != feed]
        for other in others:
            self._contradicted |= dict.fromkeys(self._deliveries.pop(other).told.positions, position)
        if others:
            own = self._deliveries.get(feed)
            self._told = own.told.copy() if own else _Claimed()

    def _counting(self) -> _Claimed:
        """Return the deliveries that count: the legal ones, or all where two feeds bear each other out."""
        if len(self._deliveries) > 1:
            return self._told
        return next((claim.legal for claim in self._deliveries.values()), _NO_DELIVERIES)

    # -- rows

    def step_rows(self) -> list[ConvoyStepRow]:
        """Return every step with what it counts for."""
        borne_out = len(self._deliveries) > 1
        name = str(self.name)
        rows = []
        for position, (step, legal) in enumerate(zip(self.steps, self._legal, strict=True)):
            delivery = step.step in DELIVERIES
            counts = legal or step.step in SETBACKS or (delivery and borne_out)
            flaws = [] if legal else [f"{step.step} does not follow {self._before[position]}"]
            if delivery and not legal and not borne_out:
                flaws.append("no other feed claims a delivery")
            if position in self._contradicted:
                counts = False
                other = self.steps[self._contradicted[position]]
                flaws.append(f"{other.feed}/{other.report_id} says {other.step}")
            rows.append(step._replace(convoy=name, legal=legal, counts=counts, flaw="; ".join(flaws) or None))
        return rows

    def row(self) -> ConvoyRow:
        """Return the convoy as a row."""
        now = self.now
        trucks, hit = self._figure("trucks"), self._figure("trucks_hit")
        requested, approved = self._figure("people_requested"), self._figure("people_approved")
        removed = dict.fromkeys(item for step in self.steps for item in json.loads(step.items_removed))
        return ConvoyRow(
            *now.name,
            len(self.claims),
            now.region,
            now.place,
            now.state,
            now.since,
            now.first_known,
            now.delivered_at,
            self.attacks[0][0] if self.attacks else None,
            *trucks,
            *hit,
            *requested,
            *approved,
            *self._figure("people_reached"),
            json.dumps(list(removed), ensure_ascii=False),
            len(self.steps),
            self._legal.count(False) + sum(self._legal[position] for position in self._contradicted),
        )

    def _figure(self, name: str) -> tuple[int | None, int | None, int | None]:
        """Return a figure as last stated, and the least and the greatest ever stated."""
        stated = [figure for step in self.steps if (figure := getattr(step, name)) is not None]
        return (stated[-1], min(stated), max(stated)) if stated else (None, None, None)


def in_order(step: ConvoyStepRow) -> tuple[Micros, Micros, str, str]:
    """Order steps as they happened: by stated time, then report time, then feed and report id."""
    return step.occurred_from, step.reported_at, step.feed, step.report_id


def _called_after(steps: Iterable[ConvoyStepRow]) -> ConvoyName:
    """Return the claim that was told first: a name that a later feed does not change."""
    _, feed, convoy_id = min((step.reported_at, step.feed, step.convoy_id) for step in steps)
    return ConvoyName(feed, convoy_id)
