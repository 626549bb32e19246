"""Rejudgement of recorded facts by another agreement, at one tick.

The facts pass intake's examination and the ledger's agent once more.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from schemas.agreement import Agreement
from schemas.errors import GazetteerError, UsageError
from schemas.facts import Fact, Located, Origin, OutsideFact, RejectFact, Tells, TickFact
from schemas.gazetteer import load_gazetteer
from schemas.rejects import RejectCode
from schemas.reports import PlacePrecision
from sinks.publishing import Cadence
from sinks.recorded_facts import Moment, Record, RecordedFacts
from sinks.store import Store, StoreLimits
from streams.engine.lane import Batch
from streams.engine.lane import Record as KafkaRecord
from streams.intake.examine import Examined, Examiner
from streams.intake.facts import Locator
from streams.ledger.handler import FlushRules, LedgerHandler
from streams.ledger.open_ledger import fact_record
from streams.ops.published import copy_path
from streams.ops.status import Status, read_status
from streams.ops.wording import counted
from streams.whatif.places import RecordedPlaces

#: Called with how many facts have been judged, and out of how many.
Progress = Callable[[int, int], None]

_TOPIC = "whatif"
#: After any time a report may name.
_FAR = 2**55
#: Records alone decide when rows are written: nobody waits for them.
_BY_RECORDS = FlushRules(records=20_000, seconds=86_400)
_PLACE_CODES = frozenset((RejectCode.UNKNOWN_PLACE, RejectCode.AMBIGUOUS_PLACE))


@dataclass(frozen=True)
class Rejudgement:
    """Status under an agreement, judged once, with the outcome of every record.

    Attributes:
        records: accepted records of the file.
        outside: those of them that are no concern of the agreement's regions.
        refused: by code, those that intake does not accept under it.
        admitted: records the file has as rejected and that this agreement's intake accepts.
    """

    status: Status
    records: int
    outside: int
    refused: dict[str, int]
    admitted: int


def judge(
    recorded: RecordedFacts,
    agreement: Agreement,
    *,
    moment: Moment,
    progress: Progress,
    boundaries: Path | None = None,
    memory: str = StoreLimits.memory,
) -> Rejudgement:
    """Judge what was known at ``moment`` by ``agreement``, in a temporary folder that is gone when this returns.

    Places are where the file says they are, unless the agreement names another gazetteer than the recorded one: then
    that one, with ``boundaries`` if given, locates everything anew.

    Raises:
        UsageError: the agreement has regions whose reports the file may not have kept.
        GazetteerError: the other gazetteer or the boundaries cannot be read.
        StoreFull, StoreUnavailable: the temporary folder took no more, or the file cannot be read.
    """
    added = sorted({*agreement.regions} - {*recorded.agreement.regions})
    if added and recorded.outside:
        raise UsageError(
            f"{recorded.path} was judged without {', '.join(added)}, and keeps nothing of the "
            f"{counted(recorded.outside, 'report')} of none of its regions",
            "judge the topics by the other agreement itself: trucewatch up --agreement FILE",
        )
    intake = _Intake(recorded, agreement, boundaries)
    with TemporaryDirectory(prefix="trucewatch-whatif-") as folder:

        def open_store(log_begins: int) -> Store:
            return Store.open(
                Path(folder) / agreement.id,
                agreement,
                _spellings(recorded, agreement),
                facts_topic=_TOPIC,
                log_identity="",
                new_log_allowed=False,
                log_begins=log_begins,
                limits=StoreLimits(memory=memory),
            )

        agent = LedgerHandler(agreement, open_store, _at_the_end(), _BY_RECORDS, None)
        asyncio.run(_run(agent, intake, moment, progress))
        status = read_status(copy_path(Path(folder), agreement.id))
    return Rejudgement(status, intake.records, intake.outside, dict(intake.refused), intake.admitted)


async def _run(agent: LedgerHandler, intake: _Intake, moment: Moment, progress: Progress) -> None:
    await agent.resume(_TOPIC, 0)
    try:
        for reached, facts in intake.facts(moment.before):
            progress(reached, moment.before)
            await agent.handle(_batch(facts, reached))
            # Nothing else here waits for anything: without this a Ctrl-C would be heard at the end only.
            await asyncio.sleep(0)
        tick = fact_record(_TOPIC, moment.before, TickFact(stamp=moment.now), b"")
        await agent.handle(_batch([tick], moment.before + 1))
        await agent.stopped()
    finally:
        await agent.revoked(())


class _Intake:
    """Examines recorded records again, and counts what becomes of them."""

    def __init__(self, recorded: RecordedFacts, agreement: Agreement, boundaries: Path | None) -> None:
        self._recorded = recorded
        # Reports may name the agreement they are about: by the recorded one's id they mean this one as well.
        self._name = recorded.agreement.id
        served = [agreement.model_copy(update={"id": self._name})]
        self._places = RecordedPlaces(recorded.agreement.gazetteer, recorded.agreement.regions)
        self._relocates = agreement.gazetteer != recorded.agreement.gazetteer
        locator: Locator = load_gazetteer(agreement.gazetteer, boundaries) if self._relocates else self._places
        self._clock = Examiner(served, locator, "clock")
        self._archive = Examiner(served, locator, "archive")
        self._regions = frozenset(agreement.regions)
        self._codes = {RejectCode.CONFLICTING_BODY}
        if self._relocates:
            self._codes |= _PLACE_CODES
        if self._relocates or not set(agreement.regions) <= set(recorded.agreement.regions):
            self._codes.add(RejectCode.OUTSIDE_AGREEMENTS)
        self.records = 0
        self.outside = 0
        self.admitted = 0
        self.refused: Counter[str] = Counter()

    def facts(self, before: int) -> Iterator[tuple[int, list[KafkaRecord]]]:
        """Yield chunks of facts as the facts topic would hold them, with the place each chunk reaches to."""
        for reached, records in self._recorded.records(before, frozenset(self._codes)):
            facts = []
            for record in records:
                fact = self._fact(record)
                if fact is not None:
                    facts.append(fact_record(_TOPIC, record.fact_offset, fact, record.body))
            yield reached, facts

    def _fact(self, record: Record) -> Fact | None:
        """Return the fact of a record, or None when it is none of this agreement's."""
        if record.code is not None and record.code not in self._codes:
            return self._refused(record)
        examined = self._examined(record)
        self.records += record.code is None
        ((_, fact),) = examined.facts
        if isinstance(fact, OutsideFact):
            self.outside += record.code is None
            return None
        if examined.rejected is None:
            # Of two bodies under one revision the ledger takes the first: that is not for intake to say.
            self.admitted += record.code not in (None, RejectCode.CONFLICTING_BODY)
            return fact
        if record.code is None:
            if examined.rejected.code == RejectCode.OUTSIDE_AGREEMENTS:
                self.outside += 1
            else:
                self.refused[examined.rejected.code] += 1
            return None
        return self._refused(record)

    def _refused(self, record: Record) -> Fact:
        """Return the reject of a record that stays one, with what the file says that its bytes still tell.

        Places are not looked for anew: what no gazetteer knew then tells nothing now.
        """
        regions = tuple(region for region in record.regions or () if region in self._regions)
        told = Tells()
        if regions and record.occurred_from is not None and record.occurred_to is not None:
            told = Tells(regions, record.occurred_from, record.occurred_to, bool(record.may_be_incident))
        return RejectFact(
            origin=Origin(_TOPIC, 0, record.fact_offset),
            stamp=record.received_at,
            code=record.code or "",
            hint="",
            feed=record.feed,
            report_id=record.report_id,
            tells=told,
        )

    def _examined(self, record: Record) -> Examined:
        self._expect(record)
        # Its own place among the facts makes every record another one: what came twice is not in the file twice.
        origin = Origin(_TOPIC, 0, record.fact_offset)
        if record.received_at is not None:
            return self._clock.examine(record.body, (), origin, record.received_at)
        # It passed the test for times in the future when it was read, whenever that was.
        return self._archive.examine(record.body, (), origin, _FAR)

    def _expect(self, record: Record) -> None:
        if self._relocates:
            return
        key = (record.feed or "", record.report_id or "")
        if record.code is not None:
            self._places.expect_nothing()
        elif record.type == "coverage":
            self._places.expect_notice(record.body, self._recorded.watched.get(key, []) if record.stands else None)
        elif record.type == "bulletin":
            lines = self._recorded.bulletin_lines.get(key, []) if record.stands else []
            self._places.expect(Located(region) for region in lines)
        else:
            self._places.expect(() if record.region is None else (_located(record, record.region),))


def _at_the_end() -> Cadence:
    """Return a cadence that leaves publishing to the agent's end."""
    cadence = Cadence(timedelta(days=365))
    cadence.published(time.monotonic(), 0.0)
    return cadence


def _located(record: Record, region: str) -> Located:
    return Located(
        region,
        record.located_by or "",
        record.place_name,
        record.latitude,
        record.longitude,
        record.place_conflict,
        record.place_key,
        # A convoy's precision is the gazetteer's where its place is a region, which the report need not have said.
        record.type == "convoy" and record.place_precision == PlacePrecision.GOVERNORATE,
        # An incident's is the gazetteer's where its point is the middle of a town.
        record.type == "incident" and record.place_precision == PlacePrecision.NEAR,
    )


def _batch(records: list[KafkaRecord], next_offset: int) -> Batch:
    return Batch(_TOPIC, 0, records, next_offset)


def _spellings(recorded: RecordedFacts, agreement: Agreement) -> Mapping[str, Sequence[str]]:
    """Return names of regions: the file's, or where the agreement names another gazetteer that one's."""
    if agreement.gazetteer != recorded.agreement.gazetteer:
        return {**recorded.region_spellings, **load_gazetteer(agreement.gazetteer).spellings()}
    if set(agreement.regions) <= set(recorded.region_spellings):
        return recorded.region_spellings
    try:
        return {**load_gazetteer(agreement.gazetteer).spellings(), **recorded.region_spellings}
    except GazetteerError:
        return recorded.region_spellings
