"""Codes and hints of rejects, found again from the bytes that were rejected.

Bytes do not tell everything: a tick is one by its header, polygons locate points, and only a clock says what lay in the
future. A code that rests on these is possible, with the hint it would have; every other one is certain.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pydantic import ValidationError

from schemas.agreement import Agreement
from schemas.errors import ReportRejected
from schemas.facts import Located
from schemas.json_rule import breach
from schemas.rejects import MOST_HINT, RejectCode, explain
from schemas.reports import AnyReport, Bulletin, ConvoyReport, CoverageNotice, Declaration, IncidentReport, Place
from schemas.topics import MAX_REPORT_BYTES
from schemas.truceday import MICROS_PER_DAY, MICROS_PER_SECOND, Micros, to_micros
from sinks.verify.difference import Difference, Row
from sinks.verify.placed import has_point, resolved
from sinks.verify.report_rows import read_raw

#: Seconds by which a feed's clock may run ahead, and days that a report may span.
AHEAD, LONGEST_DAYS = 300, 400
#: Codes that earlier versions gave, or that the bytes do not decide.
_OPEN = ("toll_out_of_order", "unreadable")
_TICK_HINTS = (
    "only a replay carries ticks; remove the tick header",
    "a tick header holds microseconds since 1970 as digits, at most 16 of them",
)


_TO_DISMISS = "dismiss it with `trucewatch rejects dismiss`"
_DISMISSAL_HINTS = (
    f"the header dismissal-of names no rejected record; {_TO_DISMISS}",
    (
        "the value of a dismissal is one JSON object with a reason, of at most 1,000 characters, "
        f"and a name under by, of at most 200; {_TO_DISMISS}"
    ),
)


class Reason(NamedTuple):
    """Why a record may have been rejected; the hint begins with ``hint`` where ``exact`` is False."""

    code: str
    hint: str
    certain: bool = True
    exact: bool = True

    def is_told(self, code: str, hint: str) -> bool:
        """Whether a code and hint are these."""
        wanted = self.hint if len(self.hint) <= MOST_HINT else f"{self.hint[: MOST_HINT - 1]}…"
        return code == self.code and (hint == wanted if self.exact else hint.startswith(wanted))


def check_reason(
    agreement: Agreement, row: Row, told: tuple[str, str], original: bytes, size: int, received_at: Micros | None
) -> Iterator[Difference]:
    """Check that a reject's code and hint are those its bytes come to."""
    code, hint = told
    if code in _OPEN:
        return
    if code == RejectCode.TICK_NOT_ALLOWED:
        yield from row.claim("hint", hint, hint in _TICK_HINTS, _TICK_HINTS[0])
        return
    if code == RejectCode.DISMISSAL_UNCLEAR:
        yield from row.claim("hint", hint, hint in _DISMISSAL_HINTS, " or ".join(_DISMISSAL_HINTS))
        return
    possible: list[Reason] = []
    for reason in _reasons(agreement, original, size, received_at):
        possible.append(reason)
        if reason.certain:
            break
    if any(reason.is_told(code, hint) for reason in possible):
        return
    same = [reason.hint for reason in possible if reason.code == code]
    if same:
        yield row.differs("hint", hint, same[0])
    else:
        yield row.differs("code", code, " or ".join(reason.code for reason in possible) or "accepted")


def _reasons(agreement: Agreement, original: bytes, size: int, received_at: Micros | None) -> Iterator[Reason]:
    """Yield in intake's order why a record may have been rejected; what follows a certain reason does not matter."""
    if not original:
        hint = "the record has no value; to withdraw a report publish it with status 'retracted'"
        yield Reason(RejectCode.EMPTY_VALUE, hint)
        return
    if size > MAX_REPORT_BYTES:
        most = f"at most {MAX_REPORT_BYTES:,} are accepted: shorten raw or the texts"
        yield Reason(RejectCode.TOO_LARGE, f"{size:,} bytes; {most}")
        return
    try:
        report = read_raw(original)
    except ValidationError as error:
        rejected = explain(error)
        yield Reason(rejected.code, rejected.hint)
        return
    if (fault := breach(original)) is not None:
        # Earlier versions accepted it, and may have rejected it later on.
        yield Reason(RejectCode.NOT_JSON, fault, certain=False)
    yield from _by_times(report, received_at)
    yield from _by_place(agreement, report)
    said = f"revision {report.revision} of {report.feed}/{report.report_id} was already received with another body; "
    yield Reason(RejectCode.CONFLICTING_BODY, f"{said}publish the change as a higher revision")


def _by_times(report: AnyReport, received_at: Micros | None) -> Iterator[Reason]:
    reported_at, ahead = to_micros(report.reported_at), AHEAD * MICROS_PER_SECOND
    if received_at is None or reported_at > received_at + ahead:
        told = f"reported_at {report.reported_at.isoformat()} lies after the time of reading"
        yield Reason(RejectCode.TIME_IN_FUTURE, told, certain=received_at is not None)
    if isinstance(report, Declaration):
        return
    low, high = to_micros(report.occurred.from_), to_micros(report.occurred.to)
    if low > reported_at + ahead:
        told = f"occurred.from {report.occurred.from_.isoformat()} lies after reported_at"
        yield Reason(RejectCode.TIME_IN_FUTURE, told)
    if high > reported_at + ahead and isinstance(report, CoverageNotice):
        told = f"occurred.to {report.occurred.to.isoformat()} lies after reported_at"
        yield Reason(RejectCode.TIME_IN_FUTURE, f"{told}: nobody watched what has not happened")
    if high - low > LONGEST_DAYS * MICROS_PER_DAY:
        days = (high - low) // MICROS_PER_DAY
        yield Reason(RejectCode.BAD_VALUE, f"occurred spans {days} days; at most {LONGEST_DAYS} are accepted")


def _by_place(agreement: Agreement, report: AnyReport) -> Iterator[Reason]:
    """Yield what may be wrong with where a report lies: with the agreement it names, its places, or their regions."""
    outside = RejectCode.OUTSIDE_AGREEMENTS
    if report.agreement is not None:
        named = repr(report.agreement)
        yield Reason(outside, f"agreement {named} is not served here", certain=False, exact=False)
        yield Reason(outside, f"the report names {named} and concerns no region of it", certain=False)
    regions: list[str] = []
    known = True
    for place in _places(report):
        found = resolved(agreement, place)
        if isinstance(found, ReportRejected) and not has_point(place):
            yield Reason(found.code, found.hint)
        elif isinstance(found, Located) and not has_point(place):
            regions.append(found.region)
        else:
            known = False
            for code in (RejectCode.UNKNOWN_PLACE, RejectCode.AMBIGUOUS_PLACE):
                yield Reason(code, "", certain=False, exact=False)
    if report.revision == 1 and not any(region in agreement.regions for region in regions):
        covers = "no agreement served here covers "
        listed = ", ".join(dict.fromkeys(regions)) if known else ""
        yield Reason(outside, f"{covers}{listed}", certain=False, exact=known)


def _places(report: AnyReport) -> list[Place]:
    match report:
        case IncidentReport() | ConvoyReport():
            return [report.place]
        case CoverageNotice():
            return report.places
        case Bulletin():
            return [tally.place for tally in report.tallies if tally.place is not None]
        case _:
            return []
