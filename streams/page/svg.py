"""Small multiples as SVG, one per region, on one scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sinks.rolling import RollingDay

#: Size of a picture in its own units.
WIDTH, HEIGHT = 180, 40


class Picture(NamedTuple):
    """Series of one region, ready to be drawn.

    Attributes:
        line: path of the incidents of seven truce-days.
        broken: path of a stroke for each day of whose window a day is BROKEN.
        text: the series in words, its text equivalent.
    """

    line: str
    broken: str
    text: str
    last: int


def pictures(rolling: Sequence[RollingDay]) -> Mapping[str, Picture]:
    """Return each region's picture; all share the scale, so that regions can be compared."""
    series: dict[str, list[RollingDay]] = {}
    for each in rolling:
        series.setdefault(each.region, []).append(each)
    top = max((each.incidents for each in rolling), default=0) or 1
    return {region: _picture(days, top) for region, days in series.items()}


def _picture(days: Sequence[RollingDay], top: int) -> Picture:
    step = WIDTH / len(days)
    # Steps and no slopes: a window has one figure for its whole last day.
    heights = [_short(HEIGHT - 3 - (HEIGHT - 6) * day.incidents / top) for day in days]
    line = f"M0 {heights[0]}H{_short(step)}" + "".join(f"V{height}h{_short(step)}" for height in heights[1:])
    broken = "".join(
        f"M{_short(step * place)} {HEIGHT}h{_short(step)}" for place, day in enumerate(days) if day.days_broken
    )
    counts = [day.incidents for day in days]
    text = (
        f"{min(counts)} to {max(counts)} incidents in seven truce-days, from {days[0].truce_day} to "
        f"{days[-1].truce_day}; {counts[-1]} in the last, with {days[-1].days_met} days MET, "
        f"{days[-1].days_broken} BROKEN, {days[-1].days_unknown} UNKNOWN"
    )
    return Picture(line, broken, text, counts[-1])


def _short(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
