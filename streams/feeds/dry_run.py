"""What intake, and of two bodies under one name the ledger, would say of reports: found out without sending them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import NamedTuple

from schemas.facts import Origin, RejectFact, ReportFact
from schemas.rejects import RejectCode
from schemas.reports import REPORT_TYPES
from schemas.truceday import Micros
from streams.feeds.recorded import CellFault, Named, Recorded
from streams.feeds.summary import Summary
from streams.intake.examine import Examiner
from streams.ledger.core.identity import body_digest

#: Where a hint begins with the path of a field, what such a path begins with, and codes whose hints name none.
_PATH = re.compile(r"([a-z_]+)((?:\.[a-z_]+)|(?:\[[0-9]+\]))*(?=:| )").match
_FIELDS = frozenset(field.alias or name for model in REPORT_TYPES for name, field in model.model_fields.items())
_OF_PLACES = (RejectCode.UNKNOWN_PLACE, RejectCode.AMBIGUOUS_PLACE, RejectCode.PLACE_EMPTY)


class Fault(NamedTuple):
    """A report that would be rejected. ``hint`` names the place in it, what was expected there and what to do.

    ``cells`` are those of the table that are to blame, where a mapping tells them.
    """

    file: str
    line: int
    feed: str | None
    report_id: str | None
    code: str
    hint: str
    cells: tuple[CellFault, ...] = ()


def accepted_by(examiner: Examiner, read_at: Micros) -> Callable[[bytes], Hashable | None]:
    """Return a function that tells feed, report id and revision of a record that intake accepts, None of any other."""

    def accepted(value: bytes) -> Hashable | None:
        fact = examiner.examine(value, (), Origin("", 0, 0), read_at).facts[0][1]
        return (fact.feed, fact.report_id, fact.revision) if isinstance(fact, ReportFact) else None

    return accepted


def faults(reports: Iterable[Named], examiner: Examiner, summary: Summary | None = None) -> Iterator[Fault | None]:
    """Yield for every report why it would be rejected, or None when it would not; ``summary`` counts them.

    Two bodies under one identity and revision are found among these reports alone, not against those sent before.
    """
    told: dict[tuple[str, str, int], tuple[int, str, int]] = {}
    summary = summary or Summary()
    for file, report in reports:
        origin = Origin(file, 0, report.line)
        examined = examiner.examine(report.value, (), origin, time.time_ns() // 1_000)
        if (rejected := examined.rejected) is not None:
            summary.codes[rejected.code] += 1
            yield _fault(file, report, rejected)
            continue
        fact = examined.facts[0][1]
        if not isinstance(fact, ReportFact):
            summary.outcomes["outside"] += 1
            yield None
            continue
        this = body_digest(report.value), file, report.line
        digest, first, line = told.setdefault((fact.feed, fact.report_id, fact.revision), this)
        if digest == this[0]:
            summary.add(fact, digest)
            yield None
        else:
            summary.codes[RejectCode.CONFLICTING_BODY] += 1
            newer = "" if first == file else "; --release does it for a newer table of a data set"
            hint = (
                f"{first}, line {line} tells revision {fact.revision} with another body; publish the change as a "
                f"higher revision{newer}"
            )
            yield Fault(file, report.line, fact.feed, fact.report_id, str(RejectCode.CONFLICTING_BODY), hint)


def _fault(file: str, report: Recorded, rejected: RejectFact) -> Fault:
    cells = report.faults or tuple(_to_blame(report, rejected))
    hint = report.torn or rejected.hint
    return Fault(file, report.line, rejected.feed, rejected.report_id, str(rejected.code), hint, cells)


def field_in(code: str, hint: str) -> str:
    """Return the path of the field that a fault is about, empty where its hint names none."""
    if code == RejectCode.UNKNOWN_FIELD:
        # The sender's own word, which may look like anything.
        return hint.partition(": unknown field")[0]
    found = _PATH(hint)
    if found is not None and found[1] in _FIELDS:
        return found[0]
    return "place" if code in _OF_PLACES else ""


def remedy_of(code: str) -> str:
    """Return what to do about a fault of this code when nothing more is known."""
    return next(each.hint for each in RejectCode if each == code)


def _to_blame(report: Recorded, rejected: RejectFact) -> Iterator[CellFault]:
    """Yield the cells that fill the field a hint speaks of."""
    path = "place" if rejected.code in _OF_PLACES else re.sub(r"\[[0-9]+\]", "", field_in(rejected.code, rejected.hint))
    remedy = remedy_of(rejected.code)
    reason = rejected.hint.removesuffix(f"; {remedy}")
    if rejected.code == RejectCode.MISSING_FIELD:
        remedy = "fill in the cell, or map another column"
    for column, cell in _filling(report.cells, path):
        yield CellFault(path, column, cell, reason, remedy)


def _filling(cells: Mapping[str, Mapping[str, str]], path: str) -> Iterator[tuple[str, str]]:
    for known, named in cells.items():
        if path and (f"{known}.".startswith(f"{path}.") or path.startswith(f"{known}.")):
            yield from named.items()
