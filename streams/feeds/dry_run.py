"""What intake would say of reports, found out without sending them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from schemas.facts import Origin
from streams.feeds.recorded import Named
from streams.intake.examine import Examiner


class Fault(NamedTuple):
    """A report intake would reject. ``hint`` names the place in it, what was expected there and what to do."""

    file: str
    line: int
    feed: str | None
    report_id: str | None
    code: str
    hint: str


def faults(reports: Iterable[Named], examiner: Examiner) -> Iterator[Fault | None]:
    """Yield for every report why intake would reject it, or None when it would not."""
    for file, report in reports:
        origin = Origin(file, 0, report.line)
        rejected = examiner.examine(report.value, (), origin, time.time_ns() // 1_000).rejected
        if rejected is None:
            yield None
        else:
            yield Fault(file, report.line, rejected.feed, rejected.report_id, str(rejected.code), rejected.hint)
