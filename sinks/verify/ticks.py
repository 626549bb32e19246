"""Ticks that a file tells of, in the order in which time moved on."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from schemas.truceday import Micros
from sinks.verify.difference import Difference, Row
from sinks.verify.published import Published

_TICKS = """
select tick_offset, epoch_us(recorded_at) from day_verdict_versions
union select tick_offset, epoch_us(recorded_at) from day_figures
union select tick_offset, epoch_us(recorded_at) from gate_history
"""
#: Places that are said to be a tick's and are a record's.
_NO_TICKS = f"""
select tick_offset from (select tick_offset from ({_TICKS}) union select last_tick from ledger_state)
where tick_offset in (select fact_offset from reports union all select fact_offset from rejects
    union all select fact_offset from dismissals) order by all
"""  # noqa: S608


class Ticks:
    """The ticks the file tells of: where a version, figures or a line of the gate's was written, and the last one."""

    def __init__(self, file: Published) -> None:
        self.now = file.judged_at
        found = file.select(_TICKS)
        if self.now is not None:
            found.append((file.last_tick, self.now))
        self.told = sorted(set(found))
        self._offsets = [offset for offset, _ in self.told]
        self._times = [time for _, time in self.told]

    def after(self, fact_offset: int) -> tuple[int, Micros] | None:
        """Return the first known tick that had to judge the fact at ``fact_offset``."""
        index = bisect_right(self._offsets, fact_offset)
        return self.told[index] if index < len(self.told) else None

    def first_at(self, instant: Micros) -> int | None:
        """Return the offset of the first known tick at or after ``instant``."""
        index = bisect_left(self._times, instant)
        return self._offsets[index] if index < len(self._times) else None

    def check(self, file: Published) -> Iterator[Difference]:
        """Time only moves on: one time a tick, none earlier than that of the tick before."""
        for (offset,) in file.select(_NO_TICKS):
            yield Row("day_verdict_versions", f"tick {offset}").differs("tick_offset", offset, "a report is there")
        before: tuple[int, Micros] = (-1, -(2**63))
        for offset, time in self.told:
            row = Row("day_verdict_versions", f"tick {offset}")
            once = before[0] < offset <= file.last_tick
            yield from row.claim("tick_offset", offset, once, f"at most {file.last_tick}, with one time")
            yield from row.claim("recorded_at", time, time >= before[1], f"{before[1]} or later")
            before = (offset, time)
