"""Ticks that a file tells of, in the order in which time moved on."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from schemas.truceday import Micros
from sinks.verify.published import Published

_TICKS = """
select tick_offset, epoch_us(recorded_at) from day_verdict_versions
union select tick_offset, epoch_us(recorded_at) from day_figures
union select tick_offset, epoch_us(recorded_at) from gate_history
"""


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
