"""Examination of one record, which becomes facts or a reject.

There is no state but caches. Examining a record twice gives the same answer, apart from the stamp a
clock gives.

Most records are sound incident reports at a known place. For these a batch is decoded at once, and
each becomes a row of a chunk, with no object for report, place or fact. Any other is examined alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
import pydantic

from schemas.agreement import Agreement
from schemas.chunks import Row
from schemas.errors import ReportRejected
from schemas.facts import (
    PLACED_FACTS,
    BulletinFact,
    CoverageFact,
    DismissalFact,
    Fact,
    Origin,
    OutsideFact,
    Redrive,
    RejectFact,
    ReportFact,
    TickFact,
)
from schemas.gazetteer import load_gazetteer
from schemas.json_rule import breach
from schemas.rejects import DISMISSAL_OF, MOST_HINT, RejectCode, dismissal_in, explain, redrive_in
from schemas.reports import (
    ANY_REPORT,
    FEED_NAME,
    CoverageNotice,
    Declaration,
    IncidentReport,
    Interval,
    Report,
    Retraction,
)
from schemas.topics import MAX_REPORT_BYTES
from schemas.truceday import MICROS_PER_HOUR, MICROS_PER_SECOND, Micros, to_micros
from streams.intake.facts import FactMaker, Locator, SourceOffset, Times, row_of
from streams.intake.fast_decoder import FastDecoder, decoder_for
from streams.intake.glean import Gleaner, object_in

TICK_HEADER = "tick"
#: How far a feed's clock may run ahead of ours before its times count as future.
CLOCK_TOLERANCE = 5 * 60 * MICROS_PER_SECOND
#: Longer intervals say nothing about a day, and would enter every day they touch.
LONGEST_STRETCH = 400 * 24 * MICROS_PER_HOUR

#: Stands for a stand-in that was not asked for.
NOT_ASKED: Any = object()

#: Sixteen digits end in the year 2286; beyond lie instants no calendar has.
_TICK = re.compile(rb"[0-9]{1,16}").fullmatch
_FEED_NAME = re.compile(FEED_NAME).fullmatch

Stamps = Literal["clock", "archive"]


class Examined(NamedTuple):
    """Outcome of a record.

    Attributes:
        facts: the fact to write, for each agreement served.
        rejected: the reason, when an agreement rejected the record.
    """

    facts: list[tuple[str, Fact]]
    rejected: RejectFact | None = None


class Examiner:
    """Examiner of source records, which makes facts of them.

    Args:
        agreements: every agreement this intake serves. Each gets every record. A report that
            concerns none of its regions, or names another agreement, is outside of it. One that
            names it and concerns none of its regions is rejected.
        gazetteer: resolves places.
        stamps: ``clock`` stamps the time of reading. ``archive`` stamps the report's own
            ``reported_at``, and lets recorded ticks pass.
    """

    def __init__(self, agreements: Sequence[Agreement], gazetteer: Locator, stamps: Stamps) -> None:
        self._served = tuple(agreement.id for agreement in agreements)
        self._regions = {agreement.id: frozenset(agreement.regions) for agreement in agreements}
        #: A place in one of these concerns every agreement.
        self._shared = frozenset.intersection(*self._regions.values())
        self._gazetteer = gazetteer
        self._make = FactMaker(gazetteer)
        self._gleaner = Gleaner(agreements, gazetteer)
        self._stamps = stamps
        self._read_incidents: FastDecoder = decoder_for(IncidentReport)

    @property
    def served(self) -> Sequence[str]:
        """Agreements that each record is examined for."""
        return self._served

    def decoded(self, bodies: Sequence[bytes | None], read_at: Micros) -> list[Any]:
        """Return the stand-in of each incident report of sound times; None for anything else."""
        # An empty body is no JSON, which the decoder says of it.
        read = self._read_incidents([body if body and len(body) <= MAX_REPORT_BYTES else b"" for body in bodies])
        return [report if report is not None and _in_time(report, read_at) else None for report in read]

    def row(self, report: Any, source: SourceOffset, read_at: Micros) -> Row | None:
        """Return the row that a decoded report is for every agreement; None where ``examine`` has to say."""
        if report.agreement is not None:
            return None
        try:
            place = self._gazetteer.locate(report.place)
        except ReportRejected:
            return None
        # A correction goes to all agreements wherever it lies.
        if place.region not in self._shared and report.revision == 1:
            return None
        times = report.reported_at, report.occurred.from_, report.occurred.to
        return row_of(report, times, place, source, read_at if self._stamps == "clock" else report.reported_at)

    def examine(
        self,
        body: bytes | None,
        headers: Sequence[tuple[str, bytes]],
        origin: Origin,
        read_at: Micros,
        incident: Any = NOT_ASKED,
    ) -> Examined:
        """Examine one record read at ``read_at``; no content of a record raises.

        ``incident`` is what ``decoded`` returned for it, ``NOT_ASKED`` if that was not asked.
        """
        if not headers:
            return self._examine(body, origin, read_at, incident)
        tick = next((value for name, value in headers if name == TICK_HEADER), None)
        if tick is not None:
            return self._tick(tick, body or b"", origin, read_at)
        dismissed = next((value for name, value in headers if name == DISMISSAL_OF), None)
        if dismissed is not None:
            return self._dismissal(dismissed, body or b"", origin, read_at)
        examined, redrive = self._examine(body, origin, read_at), redrive_in(headers)
        return examined if redrive is None else _as_redrive(examined, redrive)

    def unreadable(
        self, body: bytes | None, offsets: tuple[int, int], fault: str, origin: Origin, read_at: Micros
    ) -> Examined:
        """Return the rejection of records that Kafka's client could not read, from the first to the last."""
        first, last = offsets
        where = f"offset {last}" if first == last else f"offsets {first} to {last}"
        reason = ReportRejected(RejectCode.UNREADABLE, f"{where}: {fault}; {RejectCode.UNREADABLE.hint}")
        return self._reject(reason, body or b"", origin, read_at, self._served)

    def _examine(self, body: bytes | None, origin: Origin, read_at: Micros, incident: Any = NOT_ASKED) -> Examined:
        to, outside = self._served, list[tuple[str, Fact]]()
        try:
            if incident is NOT_ASKED:
                (incident,) = self.decoded([body], read_at)
            if incident is None:
                report = self._validate(body)
                times = _times(report, read_at)
            else:
                report = incident
                times = Times(report.reported_at, report.occurred.from_, report.occurred.to)
            stamp = read_at if self._stamps == "clock" else times.reported_at
            if report.agreement is not None:
                to = tuple(name for name in self._served if name == report.agreement)
                elsewhere = OutsideFact(origin=origin, stamp=stamp, feed=report.feed)
                outside = [(name, elsewhere) for name in self._served if name != report.agreement]
                if not to:
                    # Not examined any further: another country's places would be unknown here.
                    return Examined(outside)
            return Examined(self._route(report, incident, to, times, origin, stamp) + outside)
        except ReportRejected as reason:
            return self._reject(reason, body or b"", origin, read_at, to, outside)

    def _tick(self, value: bytes, body: bytes, origin: Origin, read_at: Micros) -> Examined:
        if self._stamps != "archive":
            reason = ReportRejected(RejectCode.TICK_NOT_ALLOWED, "only a replay carries ticks; remove the tick header")
            return self._reject(reason, body, origin, read_at, self._served)
        if _TICK(value) is None:
            reason = ReportRejected(
                RejectCode.TICK_NOT_ALLOWED, "a tick header holds microseconds since 1970 as digits, at most 16 of them"
            )
            return self._reject(reason, body, origin, read_at, self._served)
        # Written again after a crash, a tick would judge later reports at its old time.
        tick = TickFact(origin=origin, stamp=int(value))
        return Examined([(agreement, tick) for agreement in self._served])

    def _dismissal(self, of: bytes, body: bytes, origin: Origin, read_at: Micros) -> Examined:
        try:
            dismissed, said = dismissal_in(of, body)
        except ReportRejected as reason:
            return self._reject(reason, body, origin, read_at, self._served)
        stamp = read_at if self._stamps == "clock" else None
        fact = DismissalFact(origin=origin, stamp=stamp, of=dismissed, reason=said.reason, by=said.by)
        return Examined([(agreement, fact) for agreement in self._served])

    def _validate(self, body: bytes | None) -> Report:
        if not body:
            raise ReportRejected(
                RejectCode.EMPTY_VALUE,
                "the record has no value; to withdraw a report publish it with status 'retracted'",
            )
        if len(body) > MAX_REPORT_BYTES:
            raise too_large(len(body))
        try:
            report = ANY_REPORT.validate_json(body)
        except pydantic.ValidationError as error:
            raise explain(error) from None
        # The parser takes what other readers refuse, or read otherwise: no analyst's query could rely on it.
        if (fault := breach(body)) is not None:
            raise ReportRejected(RejectCode.NOT_JSON, fault)
        return report

    def _route(
        self,
        report: Report,
        incident: Any,
        to: Sequence[str],
        times: Times,
        origin: Origin,
        stamp: Micros,
    ) -> list[tuple[str, Fact]]:
        """Return the fact of a report for each agreement of ``to``."""
        try:
            fact = self._fact(report, incident, times, origin, stamp)
        except ReportRejected as reason:
            if reason.code != RejectCode.OUTSIDE_AGREEMENTS or report.agreement is not None:
                raise
            fact = None
        facts: list[tuple[str, Fact]] = []
        for name in to:
            concerns = None if fact is None else self._within(name, fact)
            if concerns is None and report.agreement is not None:
                raise ReportRejected(
                    RejectCode.OUTSIDE_AGREEMENTS, f"the report names {name!r} and concerns no region of it"
                )
            facts.append((name, concerns or OutsideFact(origin=origin, stamp=stamp, feed=report.feed)))
        return facts

    def _fact(self, report: Report, incident: Any, times: Times, origin: Origin, stamp: Micros) -> ReportFact:
        # A stand-in of the fast decoder is no instance of the model.
        if incident is not None:
            return self._make.incident(incident, times, origin, stamp)
        return self._make.fact(report, times, origin, stamp)

    def _within(self, agreement: str, fact: ReportFact) -> ReportFact | None:
        """Return the fact as it concerns an agreement; None for one of none of its regions."""
        regions = self._regions[agreement]
        if isinstance(fact, PLACED_FACTS):
            concerns = fact.place.region in regions
        elif isinstance(fact, CoverageFact):
            fact = msgspec.structs.replace(fact, regions=tuple(each for each in fact.regions if each in regions))
            concerns = bool(fact.regions)
        elif isinstance(fact, BulletinFact) and fact.total is None:
            # A line without a region is of the whole country, as a total is.
            concerns = any(line.region is None or line.region in regions for line in fact.tallies)
        else:
            # A line may lie in no region of its agreement: a position is for every agreement. So is a
            # retraction, which tells no region.
            concerns = True
        # A correction may move a report out of an agreement, which must learn that it is gone: it
        # goes to all.
        return fact if concerns or fact.revision > 1 else None

    def _reject(
        self,
        reason: ReportRejected,
        body: bytes,
        origin: Origin,
        read_at: Micros,
        by: Sequence[str],
        outside: Sequence[tuple[str, Fact]] = (),
    ) -> Examined:
        """Return the rejection of a record by the agreements ``by``."""
        feed, report_id = _who(body)
        fact = RejectFact(
            origin=origin,
            # An archive's rejects carry no time: they must not move the ledger's now.
            stamp=read_at if self._stamps == "clock" else None,
            code=reason.code,
            hint=reason.hint if len(reason.hint) <= MOST_HINT else f"{reason.hint[: MOST_HINT - 1]}…",
            feed=feed,
            report_id=report_id,
        )
        told = self._gleaner.glean(body, by)
        facts = [(agreement, msgspec.structs.replace(fact, tells=told[agreement])) for agreement in by]
        return Examined([*outside, *facts], fact)


def examiner_of(agreement: Agreement, boundaries: Path | None) -> Examiner:
    """Return the examiner of what feeds send of one agreement now.

    Raises:
        GazetteerError: its gazetteer or the boundaries cannot be used.
    """
    return Examiner([agreement], load_gazetteer(agreement.gazetteer, boundaries), "clock")


def too_large(size: int) -> ReportRejected:
    """Return the rejection of a record of so many bytes."""
    return ReportRejected(
        RejectCode.TOO_LARGE,
        f"{size:,} bytes; at most {MAX_REPORT_BYTES:,} are accepted: shorten raw or the texts",
    )


def cut(examined: Examined, size: int) -> Examined:
    """Return a rejection with the size of a record that was cut."""
    facts = [
        (to, msgspec.structs.replace(fact, size=size) if isinstance(fact, RejectFact) else fact)
        for to, fact in examined.facts
    ]
    return examined._replace(facts=facts)


def _as_redrive(examined: Examined, redrive: Redrive) -> Examined:
    """Return the same facts, marked as a redrive."""
    return examined._replace(
        facts=[(to, msgspec.structs.replace(fact, redrive=redrive)) for to, fact in examined.facts]
    )


def _in_time(report: Any, read_at: Micros) -> bool:
    """Whether the times of a stand-in are such as ``_times`` takes."""
    reported_at, occurred = report.reported_at, report.occurred
    from_ = occurred.from_
    in_time: bool = (
        reported_at <= read_at + CLOCK_TOLERANCE
        and from_ <= reported_at + CLOCK_TOLERANCE
        and occurred.to - from_ <= LONGEST_STRETCH
    )
    return in_time


def _times(report: Report, read_at: Micros) -> Times:
    """Return the times of a report, or reject times in the future."""
    reported_at = to_micros(report.reported_at)
    if reported_at > read_at + CLOCK_TOLERANCE:
        raise _future("reported_at", report.reported_at, "the time of reading")
    # By exact type: pydantic's own isinstance takes as long as all the rest here.
    if type(report) in (Declaration, Retraction):
        return Times(reported_at, reported_at, reported_at)
    occurred: Interval = report.occurred  # type: ignore[attr-defined] # all other kinds of report have it
    from_, to = to_micros(occurred.from_), to_micros(occurred.to)
    if from_ > reported_at + CLOCK_TOLERANCE:
        raise _future("occurred.from", occurred.from_, "reported_at")
    if to > reported_at + CLOCK_TOLERANCE and type(report) is CoverageNotice:
        raise _future("occurred.to", occurred.to, "reported_at: nobody watched what has not happened")
    if to - from_ > LONGEST_STRETCH:
        days = (to - from_) // (24 * MICROS_PER_HOUR)
        most = LONGEST_STRETCH // (24 * MICROS_PER_HOUR)
        raise ReportRejected(RejectCode.BAD_VALUE, f"occurred spans {days} days; at most {most} are accepted")
    return Times(reported_at, from_, to)


def _who(body: bytes) -> tuple[str | None, str | None]:
    """Return the feed and report id of a rejected record, if readable.

    A feed must have a valid name. Every name has a row for ever, and free text would make rows
    without bound.
    """
    parsed = object_in(body)
    if parsed is None:
        return None, None
    feed, report_id = parsed.get("feed"), parsed.get("report_id")
    return (
        feed if isinstance(feed, str) and _FEED_NAME(feed) else None,
        report_id[:200] if isinstance(report_id, str) else None,
    )


def _future(field: str, at: datetime, against: str) -> ReportRejected:
    return ReportRejected(RejectCode.TIME_IN_FUTURE, f"{field} {at.isoformat()} lies after {against}")
