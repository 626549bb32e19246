"""What intake, and of two bodies under one name the ledger, would say of reports: found out without sending them."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import NamedTuple

from schemas.facts import Origin, ReportFact
from schemas.rejects import RejectCode
from schemas.truceday import Micros
from streams.feeds.recorded import Named
from streams.intake.examine import Examiner
from streams.ledger.core.identity import body_digest


class Fault(NamedTuple):
    """A report that would be rejected. ``hint`` names the place in it, what was expected there and what to do."""

    file: str
    line: int
    feed: str | None
    report_id: str | None
    code: str
    hint: str


def accepted_by(examiner: Examiner, read_at: Micros) -> Callable[[bytes], Hashable | None]:
    """Return a function that tells feed, report id and revision of a record that intake accepts, None of any other."""

    def accepted(value: bytes) -> Hashable | None:
        fact = examiner.examine(value, (), Origin("", 0, 0), read_at).facts[0][1]
        return (fact.feed, fact.report_id, fact.revision) if isinstance(fact, ReportFact) else None

    return accepted


def faults(reports: Iterable[Named], examiner: Examiner) -> Iterator[Fault | None]:
    """Yield for every report why it would be rejected, or None when it would not.

    Two bodies under one identity and revision are found among these reports alone, not against those sent before.
    """
    told: dict[tuple[str, str, int], tuple[int, str, int]] = {}
    for file, report in reports:
        origin = Origin(file, 0, report.line)
        examined = examiner.examine(report.value, (), origin, time.time_ns() // 1_000)
        if (rejected := examined.rejected) is not None:
            yield Fault(file, report.line, rejected.feed, rejected.report_id, str(rejected.code), rejected.hint)
            continue
        fact = examined.facts[0][1]
        if not isinstance(fact, ReportFact):
            yield None
            continue
        this = body_digest(report.value), file, report.line
        digest, first, line = told.setdefault((fact.feed, fact.report_id, fact.revision), this)
        if digest == this[0]:
            yield None
        else:
            newer = "" if first == file else "; --release does it for a newer table of a data set"
            hint = (
                f"{first}, line {line} tells revision {fact.revision} with another body; publish the change as a "
                f"higher revision{newer}"
            )
            yield Fault(file, report.line, fact.feed, fact.report_id, str(RejectCode.CONFLICTING_BODY), hint)
