"""Pull-back: where units stood, held against an agreement's lines. Shown beside the verdicts, never part of them."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from schemas.agreement import Agreement
from schemas.facts import GivenLength, PositionFact
from schemas.lengths import in_metres
from schemas.pullback import REACH_METRES, PullbackLine, PullbackRule, Pulled, Side
from schemas.rows import PositionFindingRow, PositionRow
from streams.ledger.core.geodesy import Nearest, Vector, nearest, to_earth

_SIDES: tuple[Side, Side] = ("left", "right")


class _Found(NamedTuple):
    """A finding, the rule it rests on, and the least distance it was held against, in metres."""

    finding: Pulled
    rule: PullbackRule
    limit: int | None = None


class Pullback:
    """The lines of one agreement, ready to measure from."""

    def __init__(self, agreement: Agreement) -> None:
        self._day_of = agreement.calendar.day_of
        self._lines: list[tuple[PullbackLine, list[Vector]]] = [
            (line, [to_earth(*point) for point in line.points]) for line in agreement.pullback
        ]

    def position_row(self, fact: PositionFact) -> PositionRow:
        """Return a position as it was given, its lengths in metres as well."""
        uncertainty, stated = fact.uncertainty, fact.stated_distance
        return PositionRow(
            feed=fact.feed,
            report_id=fact.report_id,
            unit=fact.unit,
            party=fact.party,
            weapon_class=fact.weapon_class,
            truce_day=self._day_of(fact.from_, fact.to)[0],
            occurred_from=fact.from_,
            occurred_to=fact.to,
            reported_at=fact.reported_at,
            latitude=fact.latitude,
            longitude=fact.longitude,
            place_name=fact.place_name,
            uncertainty=uncertainty.value if uncertainty else None,
            uncertainty_unit=uncertainty.unit if uncertainty else None,
            uncertainty_metres=_as_float(_metres(uncertainty)),
            stated_distance=stated.value if stated else None,
            stated_distance_unit=stated.unit if stated else None,
            stated_distance_metres=_as_float(_metres(stated)),
        )

    def finding_rows(self, fact: PositionFact) -> list[PositionFindingRow]:
        """Return what is found of a position, one row for each line."""
        return [self._finding_row(fact, line, points) for line, points in self._lines]

    def _finding_row(self, fact: PositionFact, line: PullbackLine, points: list[Vector]) -> PositionFindingRow:
        measured = nearest(fact.latitude, fact.longitude, points)
        if measured is not None and measured.distance > REACH_METRES * 10:
            measured = None
        uncertainty = _metres(fact.uncertainty)
        total = None if uncertainty is None else uncertainty + line.uncertainty_metres
        side = _clear_side(measured, total)
        if not line.in_force(self._day_of(fact.from_, fact.to)[0]):
            found = _Found(Pulled.NOT_IN_FORCE, PullbackRule.NOT_IN_FORCE)
        elif measured is None:
            found = _Found(Pulled.OUT_OF_REACH, PullbackRule.OUT_OF_REACH)
        else:
            sides = _SIDES if side is None else (side,)
            limits = [line.limit(each, fact.party, fact.weapon_class) for each in sides]
            found = _together([_against(limit, Fraction(measured.distance, 10), total) for limit in limits])
        return PositionFindingRow(
            feed=fact.feed,
            report_id=fact.report_id,
            line=line.id,
            finding=found.finding,
            rule=found.rule,
            side=None if side is None else line.left if side == "left" else line.right,
            distance_metres=None if measured is None else measured.distance / 10,
            uncertainty_metres=_as_float(total),
            limit_metres=found.limit,
        )


def _clear_side(measured: Nearest | None, total: Fraction | None) -> Side | None:
    """Return the side a position is surely on; None when its uncertainty spans the line, or is not known."""
    if measured is None or total is None or Fraction(measured.to_prolonged, 10) <= total:
        return None
    return "left" if measured.left else "right"


def _against(limit: int | None, distance: Fraction, total: Fraction | None) -> _Found:
    """Hold a distance against the band of one side."""
    if limit is None:
        return _Found(Pulled.NOT_BOUND, PullbackRule.NO_BAND)
    if total is None:
        return _Found(Pulled.INDETERMINATE, PullbackRule.NO_UNCERTAINTY, limit)
    if distance + total < limit:
        return _Found(Pulled.VIOLATION, PullbackRule.BAND, limit)
    if distance - total >= limit:
        return _Found(Pulled.COMPLIANT, PullbackRule.BAND, limit)
    return _Found(Pulled.INDETERMINATE, PullbackRule.LIMIT_IN_DOUBT, limit)


def _together(found: list[_Found]) -> _Found:
    """Join the findings of the sides a position may be on: what all of them say, or else INDETERMINATE."""
    first = found[0]
    if all(each == first for each in found):
        return first
    if all(each.finding is first.finding for each in found):
        return first._replace(limit=None)
    unstated = any(each.rule is PullbackRule.NO_UNCERTAINTY for each in found)
    return _Found(Pulled.INDETERMINATE, PullbackRule.NO_UNCERTAINTY if unstated else PullbackRule.SIDE_UNCLEAR)


def _metres(given: GivenLength | None) -> Fraction | None:
    return None if given is None else in_metres(given.value, given.unit)


def _as_float(metres: Fraction | None) -> float | None:
    return None if metres is None else float(metres)
