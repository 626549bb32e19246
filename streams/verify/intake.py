"""Facts of recorded records, which intake's examiner makes of them again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace
from pydantic import ValidationError

from schemas.chunks import Given, Row
from schemas.facts import DismissalFact, Fact, Origin, OutsideFact, RejectFact, Tells, TickFact
from schemas.rejects import DISMISSAL_OF, RejectCode
from schemas.reports import ANY_REPORT, Bulletin, CoverageNotice, Place, Report
from schemas.topics import MAX_REPORT_BYTES
from schemas.truceday import Micros
from sinks.verify.published import Published
from sinks.verify.recorded import Record, records_of, ticks_of, told_by_line, watched_by
from streams.intake.examine import CLOCK_TOLERANCE, TICK_HEADER, Examined, Examiner, cut, too_large
from streams.intake.glean import Gleaner, places_in
from streams.verify.places import RecordedPlaces

#: After any time that a report may name, and before.
_AFTER_ALL, _BEFORE_ALL = 2**55, -(2**55)
_NO_ORIGIN = Origin("", 0, -1)


class RecordedIntake:
    """Intake of a file's records: each is examined again, as a live one or as an archive's.

    Attributes:
        places: locator of their places.
    """

    def __init__(self, file: Published) -> None:
        self._file = file
        self._agreement = file.agreement
        self.places = RecordedPlaces(file.agreement)
        self._clock = Examiner([file.agreement], self.places, "clock")
        self._archive = Examiner([file.agreement], self.places, "archive")
        self._gleaner = Gleaner([file.agreement], self.places)
        self._watched = watched_by(file)
        self._lines = told_by_line(file)

    def facts(self) -> Iterator[list[tuple[int, Given]]]:
        """Yield every fact with its offset and bytes, ticks among them, some at a time."""
        ticks = iter(ticks_of(self._file))
        tick = next(ticks, None)
        for records in records_of(self._file):
            facts: list[tuple[int, Given]] = []
            # Most records are sound incidents, which become rows as they did when they were new.
            incidents = self._clock.decoded([each.body if each.is_incident else None for each in records], _AFTER_ALL)
            for record, incident in zip(records, incidents, strict=True):
                while tick is not None and tick[0] < record.fact_offset:
                    facts.append(_tick(*tick))
                    tick = next(ticks, None)
                row = None if incident is None else self._row(record, incident)
                facts.append((record.fact_offset, (row or self._fact(record), self._body(record))))
            yield facts
        rest = [] if tick is None else [_tick(*tick)]
        yield [*rest, *(_tick(*each) for each in ticks)]

    def _row(self, record: Record, incident: Any) -> Row | None:
        """Return the row of a decoded incident; None where the record has to be examined alone."""
        if record.received_at is None or incident.reported_at > record.received_at + CLOCK_TOLERANCE:
            return None
        self.places.expect(self.places.of_report(record))
        return self._clock.row(incident, record.source, record.received_at)

    def _body(self, record: Record) -> bytes:
        # Of a report outside the agreement its facts topic has no bytes.
        return b"" if record.outcome == "outside" else record.body

    def _fact(self, record: Record) -> Fact:
        fact = self._made(record)
        if isinstance(fact, DismissalFact):
            return fact
        return replace(fact, origin=record.origin, redrive=record.redrive)

    def _made(self, record: Record) -> Fact:
        if record.reason is not None:
            return DismissalFact(
                origin=record.origin,
                stamp=record.received_at,
                of=record.of,
                reason=record.reason,
                by=record.dismissed_by or "",
            )
        if record.outcome == "outside":
            # Whose it was nobody can tell: a feed of this name is none of the file's.
            return OutsideFact(stamp=record.received_at, feed="?")
        return self._rejected(record) if record.code is not None else self._accepted(record)

    def _accepted(self, record: Record) -> Fact:
        if record.type in ("incident", "convoy"):
            self.places.expect(self.places.of_report(record))
        elif record.type in ("coverage", "bulletin"):
            self._expect_places(record)
        else:
            # A redrive that was a duplicate.
            self.places.expect(self.places.anywhere)
        return _only(self._taken_for_sound(record))

    def _taken_for_sound(self, record: Record) -> Examined:
        return self._clock.examine(record.body, (), _NO_ORIGIN, record.received_at or _AFTER_ALL)

    def _expect_places(self, record: Record) -> None:
        key = (record.feed or "", record.report_id or "")
        if not record.stands:
            self.places.expect(self.places.of_the_past)
        elif record.type == "coverage":
            self.places.expect(self.places.of_notice(self._watched.get(key, []), _places_of(record.body)))
        else:
            self.places.expect(self.places.of_bulletin(self._lines.get(key, []), _places_of(record.body)))

    def _rejected(self, record: Record) -> Fact:
        accepted = record.code == RejectCode.CONFLICTING_BODY
        self.places.expect(self.places.anywhere if accepted else self.places.of_reject(record))
        fact = _only(self._examined(record))
        if not isinstance(fact, RejectFact):
            return fact
        return replace(fact, tells=self._tells(record))

    def _examined(self, record: Record) -> Examined:
        """Examine a reject again; a header that made one of it is not kept, and so is put there again."""
        live = record.received_at is not None
        examiner, read_at = (self._clock, record.received_at or 0) if live else (self._archive, _AFTER_ALL)
        match record.code:
            case RejectCode.CONFLICTING_BODY:
                return self._taken_for_sound(record)
            case RejectCode.UNREADABLE:
                return Examined([("", self._as_told(record))])
            case RejectCode.TICK_NOT_ALLOWED:
                return examiner.examine(record.body, ((TICK_HEADER, b"?"),), _NO_ORIGIN, read_at)
            case RejectCode.DISMISSAL_UNCLEAR:
                headers = [((DISMISSAL_OF, of),) for of in (b"?", b"t/0/0/")]
                found = [examiner.examine(record.body, each, _NO_ORIGIN, read_at) for each in headers]
                return next((each for each in found if each.rejected and each.rejected.hint == record.hint), found[0])
        examined = examiner.examine(record.body, (), _NO_ORIGIN, read_at)
        code = None if examined.rejected is None else examined.rejected.code
        if record.code == RejectCode.TIME_IN_FUTURE != code and not live:
            # Only the clock of its time tells that it lay in the future, which is looked at before its place.
            return examiner.examine(record.body, (), _NO_ORIGIN, _BEFORE_ALL)
        if examined.rejected is not None and record.size is not None and record.size != len(record.body):
            if len(record.body) <= MAX_REPORT_BYTES:
                return examined
            reason = too_large(record.size)
            facts = [(to, replace(fact, hint=reason.hint)) for to, fact in examined.facts]
            return cut(examined._replace(facts=facts), record.size)
        return examined

    def _as_told(self, record: Record) -> RejectFact:
        """Return a reject whose reason its bytes do not tell, for the reason the file gives."""
        made = self._clock.unreadable(record.body, (0, 0), "", _NO_ORIGIN, 0).rejected
        if made is None:
            raise RuntimeError("a record that cannot be read is rejected")
        size = None if record.size == len(record.body) else record.size
        return replace(made, code=record.code or "", hint=record.hint or "", stamp=record.received_at, size=size)

    def _tells(self, record: Record) -> Tells | None:
        if record.regions is None:
            # A version before 3 read it, and did not look.
            return None
        self.places.expect(self.places.of_gleaning(record.regions, places_in(record.body)))
        return self._gleaner.glean(record.body, (self._agreement.id,))[self._agreement.id]


def _only(examined: Examined) -> Fact:
    ((_, fact),) = examined.facts
    return fact


def _tick(offset: int, time: Micros) -> tuple[int, Given]:
    return offset, (TickFact(stamp=time), b"")


def _places_of(body: bytes) -> list[Place]:
    try:
        report: Report = ANY_REPORT.validate_json(body)
    except ValidationError:
        # Whatever was there before: it is rejected now.
        return []
    if isinstance(report, CoverageNotice):
        return report.places
    return [line.place for line in report.tallies if line.place is not None] if isinstance(report, Bulletin) else []
