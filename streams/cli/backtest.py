"""Replay of recorded files through the whole pipeline."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from schemas.agreement import Agreement
from schemas.errors import DependencyUnavailable, ResultIncomplete, TrucewatchError, UsageError
from schemas.gazetteer import load_gazetteer
from schemas.topics import Topics
from schemas.truceday import to_micros
from sinks.clearing import clear, left_behind
from sinks.opening import PUBLISHED
from streams.cli.brokers import knock
from streams.cli.processes import Worker, running
from streams.engine.admin import committed_offsets, delete_topics, end_offsets, ensure_topics
from streams.engine.broker import EmbeddedBroker
from streams.engine.cluster import Broker
from streams.engine.producer import BatchProducer
from streams.feeds.archive import Archive, Order
from streams.feeds.dry_run import accepted_by
from streams.feeds.readback import read_back
from streams.feeds.readers import Release, Stated, format_of, read
from streams.feeds.recorded import STDIN, Recorded, opened
from streams.feeds.release import read_release
from streams.intake.examine import Examiner
from streams.ops.published import copy_path
from streams.ops.status import read_status
from streams.ops.wording import counted
from streams.security import for_own_broker
from streams.settings import Settings

#: Past this without a record moving, something hangs that will not end by itself.
STALL_SECONDS = 300.0
_LOOK_SECONDS = 0.2

Stage = Literal["read", "published", "examined", "judged"]
#: Called with a stage, how far it is, and out of how much where that is known.
Progress = Callable[[Stage, int, int | None], None]


@dataclass(frozen=True)
class Plan:
    """Plan of a replay.

    ``run`` names a replay on a shared broker that may be cut off and gone on with.
    """

    settings: Settings
    agreement: Agreement
    files: Sequence[Path]
    file_format: Stated
    order: Order = "reported"
    replace: bool = False
    run: str | None = None
    release: Release | None = None


@dataclass(frozen=True)
class Finished:
    """A replay that came to its end."""

    copy: Path
    reports: int
    ticks: int
    seconds: float


def run_backtest(plan: Plan, progress: Progress) -> Finished:
    """Replay the plan's files into a fresh result and return where it lies.

    The workers run as processes of their own, on topics of their own; on a shared broker those are deleted at
    the end, unless the run has a name.

    Raises:
        UsageError: a file cannot be read, or the folder holds an earlier result.
        BrokerUnavailable: there is no broker at the address given, or the own one ended by itself.
        StoreUnavailable: the result to be replaced is one that a ledger is at work on.
        WorkerDied: a worker ended by itself; the result is not complete.
        ResultIncomplete: not every report became an outcome.
    """
    began = time.monotonic()
    _check_files(plan)
    given = None if for_own_broker(plan.settings).broker is None else knock(plan.settings)
    left = _check_room(plan)
    own: EmbeddedBroker | None = None
    with ExitStack() as stack:
        now = to_micros(datetime.now(UTC))
        examiner = Examiner(
            [plan.agreement], load_gazetteer(plan.agreement.gazetteer, plan.settings.boundaries), "archive"
        )
        archive = stack.enter_context(
            Archive([plan.agreement.calendar], plan.order, now=now, accepted=accepted_by(examiner, now))
        )
        for reports in _read(plan):
            archive.add(reports)
            progress("read", len(archive), None)
        if not len(archive):
            raise UsageError(f"there is no report in {', '.join(map(str, plan.files))}")
        if left:
            # Not before every file was read: a torn one must not cost the earlier result.
            clear(plan.settings.data / plan.agreement.id)
        broker: Broker | None = given
        if broker is None:
            # Its log stays, as that of `up` does: who is told that the broker ended must find it.
            own = stack.enter_context(EmbeddedBroker(plan.settings.data / "broker"))
            broker = own.url
        topics = Topics(f"{plan.settings.topic_prefix}.replay.{plan.run or uuid.uuid4().hex[:12]}")
        specs = topics.specs((plan.agreement.id,), archive=True)
        asyncio.run(ensure_topics(broker, specs))
        if given is not None and plan.run is None:
            names = [spec.name for spec in specs]
            stack.callback(lambda: asyncio.run(delete_topics(broker, names)))
        settings = plan.settings.model_copy(
            update={"broker": str(broker), "topic_prefix": topics.prefix, "stamps": "archive"}
        )
        # Intake first: the ledger must be there to take what intake still hands over while it stops.
        with running(("intake", "ledger"), settings) as workers:
            watched: list[EmbeddedBroker | Worker] = [own, *workers] if own else [*workers]
            replay = _Run(broker, topics, plan.agreement.id, watched, progress)
            asyncio.run(replay.through(archive))
        copy = copy_path(plan.settings.data, plan.agreement.id)
        asyncio.run(replay.check_outcomes(archive, copy))
    return Finished(
        copy=copy,
        reports=len(archive),
        ticks=len(archive.ticks()),
        seconds=time.monotonic() - began,
    )


class _Run:
    """Progress of an archive through publishing, intake and ledger."""

    def __init__(
        self,
        broker: Broker,
        topics: Topics,
        agreement: str,
        watched: Sequence[EmbeddedBroker | Worker],
        progress: Progress,
    ) -> None:
        self._broker = broker
        self._archive = topics.archive
        self._facts = topics.facts(agreement)
        self._groups = (topics.intake_group(agreement), topics.ledger_group(agreement))
        self._watched = watched
        self._progress = progress

    async def through(self, archive: Archive) -> None:
        """Publish the archive and return once the ledger has committed the last fact of it.

        Raises:
            BrokerUnavailable: the own broker ended by itself, or a given one no longer answers.
            WorkerDied: a worker ended by itself.
            DependencyUnavailable: nothing moved for five minutes.
        """
        # Apart from the following, which may wait long for an answer from a broker that is gone.
        watching, following = asyncio.create_task(self._watch()), asyncio.create_task(self._follow(archive))
        try:
            await asyncio.wait((watching, following), return_when=asyncio.FIRST_COMPLETED)
            # What went wrong in following may only follow from a death not noticed yet.
            self._check()
            await following
        finally:
            watching.cancel()
            following.cancel()
            await asyncio.gather(watching, following, return_exceptions=True)

    async def check_outcomes(self, archive: Archive, copy: Path) -> None:
        """Compare the outcomes in the result with the reports of the archive; both workers have ended.

        Raises:
            ResultIncomplete: there are fewer or more.
        """
        total, reports = _size(archive), len(archive)
        if await self._end(self._archive) != total:
            # Something was written twice: each time counts, as a duplicate.
            there = await read_back(self._broker, self._archive, total)
            if there.distinct != total:
                raise ResultIncomplete(f"{total - there.distinct:,} of {total:,} records did not reach the topic")
            reports = there.reports
        found = sum(read_status(copy, days=1).outcomes.values())
        if found != reports:
            raise ResultIncomplete(
                f"{counted(reports, 'report')} went in and {counted(found, 'outcome')} came out: "
                f"{copy} is not to be used"
            )

    def _check(self) -> None:
        for each in self._watched:
            each.check()

    async def _watch(self) -> None:
        while True:
            self._check()
            await asyncio.sleep(_LOOK_SECONDS)

    async def _follow(self, archive: Archive) -> None:
        total = _size(archive)
        publishing = asyncio.create_task(self._publish(archive, total))
        seen: tuple[int, ...] = ()
        moved = time.monotonic()
        try:
            while True:
                if publishing.done():
                    publishing.result()
                examined = await self._committed(self._groups[0], self._archive)
                facts = await self._end(self._facts)
                judged = await self._committed(self._groups[1], self._facts)
                self._progress("examined", examined, total)
                # Of the chunks there are so far, which hold what was examined so far.
                self._progress("judged", examined * judged // facts if facts else 0, total)
                # In this order: what intake had examined when it was asked has all its facts in the end read after.
                if publishing.done() and examined >= await self._end(self._archive) and judged >= facts:
                    return
                if (examined, facts, judged) != seen:
                    seen, moved = (examined, facts, judged), time.monotonic()
                elif publishing.done() and time.monotonic() - moved > STALL_SECONDS:
                    raise DependencyUnavailable(
                        f"nothing moved for {STALL_SECONDS:.0f} s: {examined:,} of {total:,} records examined, "
                        f"{judged:,} of {facts:,} chunks of facts judged"
                    )
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            publishing.cancel()
            with contextlib.suppress(asyncio.CancelledError, TrucewatchError):
                await publishing

    async def _publish(self, archive: Archive, total: int) -> None:
        # A run gone on with: the archive has one order, so the topic holds a beginning of it, some perhaps twice.
        there = (await read_back(self._broker, self._archive, total)).first_missing
        producer = BatchProducer(self._broker)
        await producer.start()
        try:
            done = 0
            for chunk in archive.chunks():
                fresh = chunk[max(0, there - done) :]
                if fresh:
                    await producer.send(self._archive, 0, fresh)
                done += len(chunk)
                self._progress("published", done, total)
        finally:
            await producer.stop()

    async def _committed(self, group: str, topic: str) -> int:
        return (await committed_offsets(self._broker, group, topic)).get(0, 0)

    async def _end(self, topic: str) -> int:
        return (await end_offsets(self._broker, topic)).get(0, 0)


def _size(archive: Archive) -> int:
    """Return how many records the archive is published as."""
    return len(archive) + len(archive.ticks())


def _read(plan: Plan) -> Iterator[Iterator[Recorded]]:
    """Yield the reports of each file; of releases all together, as each rests on those before it."""
    time_zone = plan.agreement.calendar.time_zone
    if plan.release is None:
        yield from (read(path, plan.file_format, time_zone) for path in plan.files)
    else:
        yield (each.report for each in read_release(plan.files, plan.file_format, time_zone, plan.release))


def _check_files(plan: Plan) -> None:
    """Find out about wrong files before anything is started; a pipe can be opened but once."""
    for path in plan.files:
        format_of(path, plan.file_format)
        if path != STDIN and not path.is_fifo():
            with opened(path):
                pass


def _check_room(plan: Plan) -> bool:
    """Return whether the folder holds an earlier result, to be deleted: the new one will be this replay's alone.

    Raises:
        UsageError: it does, and nothing was said about it.
    """
    folder = plan.settings.data / plan.agreement.id
    folder.mkdir(parents=True, exist_ok=True)
    if not left_behind(folder) or plan.run is not None:
        return False
    if not plan.replace:
        what = "a result" if (folder / PUBLISHED).exists() else "a run that published nothing"
        raise UsageError(
            f"{folder} already holds {what}, and two runs must not mix: "
            "name another folder with --data, or --replace it"
        )
    return True
