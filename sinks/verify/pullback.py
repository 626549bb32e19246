"""Positions and what is found of them, measured again from the raw reports: docs/judging.md, section Pull-back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.pullback import PullbackLine
from schemas.reports import Point, PositionReport
from schemas.rows import PositionFindingRow
from schemas.truceday import to_micros
from sinks.verify.difference import Difference
from sinks.verify.published import Published

METRES = {
    "metres": Decimal(1),
    "kilometres": Decimal(1000),
    "yards": Decimal("0.9144"),
    "feet": Decimal("0.3048"),
    "miles": Decimal("1609.344"),
}
REACH = 50_000
FAR = 70_000
MEAN_RADIUS = 6_371_008.8
AXES = 6_378_137.0, 6_378_137.0 * (1 - 1 / 298.257223563)

Array = npt.NDArray[np.float64]


class Seen(NamedTuple):
    """A line from a position, in metres: to it, to it prolonged, and whether the position lies left of that."""

    distance: Decimal
    prolonged: Decimal
    left: bool


def check_position_findings(file: Published) -> Iterator[Difference]:
    """Check what is found of every position and every line."""
    recounted = {}
    sql = "select raw from reports where present and not retracted and type = 'position' order by fact_offset"
    for (raw,) in file.stream(sql):
        report = PositionReport.model_validate_json(raw)
        day = file.days.holding_most(to_micros(report.occurred.from_), to_micros(report.occurred.to))[0]
        for line in file.agreement.pullback:
            recounted[report.feed, report.report_id, line.id] = judge_position(line, report, day)
    yield from file.compare("position_findings", PositionFindingRow._fields, 3, recounted)


def judge_position(line: PullbackLine, report: PositionReport, day: date) -> tuple[object, ...]:
    """Return finding, rule, side, distance, total uncertainty and limit of one position and line."""
    seen = look(line, report.point)
    total = None
    if report.uncertainty is not None:
        total = metres(report.uncertainty.value, report.uncertainty.unit) + line.uncertainty_metres
    clear = seen is not None and total is not None and seen.prolonged > total
    side = None
    if seen is not None and clear:
        side = line.left if seen.left else line.right
    measured = float(seen.distance) if seen is not None else None
    spread = float(total) if total is not None else None

    def say(finding: str, rule: str, limit: int | None = None) -> tuple[object, ...]:
        return finding, rule, side, measured, spread, limit

    if day < line.first_day or (line.last_day is not None and day > line.last_day):
        return say("NOT_IN_FORCE", "not_in_force")
    if seen is None:
        return say("OUT_OF_REACH", "out_of_reach")
    limits = {limit_on(line, name, report) for name in ([side] if side else [line.left, line.right])}
    findings = {hold(limit, seen.distance, total) for limit in limits}
    limit = limits.pop() if len(limits) == 1 else None
    if len(findings) == 1:
        return say(*findings.pop(), limit)
    return say("INDETERMINATE", "no_uncertainty" if total is None else "side_unclear")


def limit_on(line: PullbackLine, side: str, report: PositionReport) -> int | None:
    """Return the largest least distance that binds a position on a side; None without any."""
    found: list[int] = []
    for bands in line.bands:
        if bands.parties == [] or report.party in bands.parties:
            distances = bands.left if side == line.left else bands.right
            found += [least for word, least in distances.items() if word == report.weapon_class]
    return max(found) if found else None


def hold(limit: int | None, distance: Decimal, total: Decimal | None) -> tuple[str, str]:
    """Return finding and rule of a distance against one side's band."""
    if limit is None:
        return "NOT_BOUND", "no_band"
    if total is None:
        return "INDETERMINATE", "no_uncertainty"
    if distance + total < limit:
        return "VIOLATION", "band"
    return ("COMPLIANT", "band") if distance - total >= limit else ("INDETERMINATE", "limit_in_doubt")


def metres(value: float, unit: str) -> Decimal:
    """Return a length in metres."""
    return Decimal(str(value)) * METRES[unit]


def look(line: PullbackLine, point: Point) -> Seen | None:
    """Measure a line from a point by vectors in space; None when nothing of it lies within the reach."""
    here, up = on_ellipsoid(point.latitude, point.longitude)
    ways = [on_ellipsoid(*each)[0] - here for each in line.points]
    near: list[tuple[float, float, Array, Array]] = []
    flat = [flattened(way, up) for way in ways]
    for number in range(len(flat) - 1):
        if all(float(np.linalg.norm(way)) > FAR for way in ways[number : number + 2]):
            continue
        start, along = flat[number], flat[number + 1] - flat[number]
        at = -float(start @ along) / float(along @ along)
        on_it = start + min(1.0, max(0.0, at)) * along
        lowest = -np.inf if number == 0 else 0.0
        highest = np.inf if number == len(flat) - 2 else 1.0
        on_prolonged = start + min(highest, max(lowest, at)) * along
        length = float(np.linalg.norm(along))
        near.append((float(np.linalg.norm(on_it)), float(np.linalg.norm(on_prolonged)), start, along / length))
    if not near:
        return None
    distance = decimetre(min(each[0] for each in near))
    if distance > REACH:
        return None
    prolonged = min(each[1] for each in near)
    # The two pieces of a bend are equally near to what lies outside it; the one that sees it more to its side is right.
    aside = [float(np.cross(way, -start) @ up) for _, gap, start, way in near if gap < prolonged + 1e-6]
    return Seen(distance, decimetre(prolonged), max(aside, key=abs) > 0)


def on_ellipsoid(latitude: float, longitude: float) -> tuple[Array, Array]:
    """Return a point of WGS 84 in space, and the direction that is up there."""
    lat, lon = np.radians(latitude), np.radians(longitude)
    up = np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    squares = np.array([AXES[0] ** 2, AXES[0] ** 2, AXES[1] ** 2])
    return squares * up / np.sqrt(float(squares @ up**2)), up


def flattened(way: Array, up: Array) -> Array:
    """Return a way laid down to the plane below ``up``, as long as the arc over it."""
    lying = way - float(way @ up) * up
    chord, length = float(np.linalg.norm(way)), float(np.linalg.norm(lying))
    if length == 0:
        return np.zeros(3)
    arc = 2 * MEAN_RADIUS * float(np.arcsin(min(1.0, chord / (2 * MEAN_RADIUS))))
    laid: Array = lying * (arc / length)
    return laid


def decimetre(length: float) -> Decimal:
    """Return a length in metres, rounded to the decimetre."""
    return Decimal(round(length * 10)) / 10
