"""Intake and ledger in a process each, a pipe between them in the broker's stead.

Both spend CPU and memory as they do in life, but for the Kafka client. What draws the reports and what a pipe costs
is left out of the CPU.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import structlog

from schemas.agreement_file import load_agreement
from schemas.chunks import count_of, records_of
from schemas.facts import TickFact
from schemas.topics import Topics
from streams.engine.lane import Batch
from streams.engine.producer import Outgoing
from streams.roles import YOUNG_OBJECTS
from tests.bench.handlers import FETCHED, Kept, intake_of, ledger_of, read
from tests.bench.reports import reports, running_truce, span_of
from tests.bench.stages import resident

#: A live ledger makes a tick each second, and about so many reports arrive in one.
TICK_EVERY = 20_000
#: How long the ledger may take from one look to the next.
_LONGEST_SECONDS = 1_800.0


@dataclass(frozen=True)
class Load:
    """What goes through.

    Attributes:
        days: over how many the reports are spread; None for as many as keep each day's crowd as it is in `make bench`.
        regions: P-codes they lie in; none for Syria's.
        corrections: share of the reports.
    """

    reports: int
    days: int | None = None
    regions: tuple[str, ...] = ()
    corrections: float = 0.04
    linking: bool = False

    @property
    def span(self) -> timedelta:
        """Time the reports are spread over."""
        return span_of(self.reports) if self.days is None else timedelta(days=self.days)

    def drawn(self) -> Iterator[tuple[bytes, bytes]]:
        """Return the reports."""
        return reports(self.reports, span=self.span, regions=self.regions, corrections=self.corrections)


@dataclass
class Cost:
    """CPU and memory of one process.

    Attributes:
        cpu_seconds: CPU of the handler alone.
        peak_bytes: most resident memory.
        resident: resident bytes as so many reports were through.
    """

    cpu_seconds: float = 0.0
    peak_bytes: int = 0
    resident: dict[int, int] = field(default_factory=dict)


Noted = Callable[[str, int, int], None]


def through(load: Load, folder: Path, every: int = 100_000, noted: Noted = lambda *_: None) -> tuple[Cost, Cost]:
    """Return the costs of intake and of ledger, whose file is in the folder afterwards.

    Args:
        every: reports between two looks at the memory.
        noted: told the role, reports through and resident bytes at each look of the ledger.

    Raises:
        ChildProcessError: one of the processes ended by itself.
    """
    folder.mkdir(parents=True, exist_ok=True)
    truce = running_truce(folder, load.span, linking=load.linking, regions=load.regions)
    spawn = get_context("spawn")
    facts_end, facts = spawn.Pipe(duplex=False)
    answers: list[Connection] = []
    processes = []
    for work, end in ((_take_in, facts), (_judge, facts_end)):
        answer, told = spawn.Pipe(duplex=False)
        process = spawn.Process(target=_run, args=(work, load, str(truce), str(folder), every, end, told), daemon=True)
        process.start()
        # Held here as well, the end of one process would not show to the other.
        end.close()
        told.close()
        answers.append(answer)
        processes.append(process)
    costs = [Cost(), Cost()]
    try:
        for cost, answer, role in zip(reversed(costs), reversed(answers), ("ledger", "intake"), strict=True):
            while isinstance(said := _answer(answer), tuple):
                cost.resident[said[0]] = said[1]
                noted(role, *said)
            cost.cpu_seconds, cost.peak_bytes = said.cpu_seconds, said.peak_bytes
    except EOFError:
        raise ChildProcessError("intake or ledger ended by itself; its error stands above") from None
    finally:
        for process in processes:
            process.terminate()
            process.join()
    return costs[0], costs[1]


def _answer(answer: Connection) -> tuple[int, int] | Cost:
    """Return what a process tells next, within a limit."""
    if not answer.poll(_LONGEST_SECONDS):
        raise TimeoutError(f"intake or ledger told nothing for {_LONGEST_SECONDS:.0f} s")
    said: tuple[int, int] | Cost = answer.recv()
    return said


_Work = Callable[[Load, str, Path, int, Connection, Connection], Coroutine[None, None, float]]


def _run(work: _Work, load: Load, truce: str, folder: str, every: int, facts: Connection, told: Connection) -> None:
    """Run one side in this process, and tell what it cost."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 100)
    spent = asyncio.run(work(load, truce, Path(folder), every, facts, told))
    told.send(Cost(spent, resident(os.getpid(), "VmHWM")))
    # DuckDB's binding tells of leaks, thirty lines, wherever an interpreter ends in order.
    os._exit(0)


async def _take_in(load: Load, path: str, _: Path, every: int, facts: Connection, told: Connection) -> float:
    truce, topics, kept = load_agreement(path), Topics(), Kept()
    handler = await intake_of(truce, kept, topics)
    spent, done, fetched = 0.0, 0, list[Outgoing]()

    async def take(last: bool) -> None:
        nonlocal spent, done, fetched
        records = read(topics.incidents, fetched, done)
        before, done, fetched = done, done + len(fetched), []
        began = time.process_time()
        await handler.handle(Batch(topics.incidents, 0, records, done))
        spent += time.process_time() - began
        if last or done // TICK_EVERY > before // TICK_EVERY:
            tick = TickFact(stamp=time.time_ns() // 1_000, term=1, writer="bench")
            kept.records += records_of([(tick, b"")])
        facts.send(kept.records)
        kept.records = []
        if done // every > before // every:
            told.send((done, resident(os.getpid())))

    for key, value in load.drawn():
        fetched.append((key, value, ()))
        if len(fetched) == FETCHED:
            await take(last=False)
    if fetched:
        await take(last=True)
    facts.send(None)
    return spent


async def _judge(_: Load, path: str, folder: Path, every: int, facts: Connection, told: Connection) -> float:
    truce, topics = load_agreement(path), Topics()
    topic = topics.facts(truce.id)
    handler = await ledger_of(truce, folder / truce.id, topics)
    spent, offset, done = 0.0, 0, 0
    while (sent := facts.recv()) is not None:
        records = read(topic, sent, offset)
        offset += len(records)
        before, done = done, done + sum(count_of(record.headers) for record in records)
        began = time.process_time()
        await handler.handle(Batch(topic, 0, records, offset))
        spent += time.process_time() - began
        if done // every > before // every:
            told.send((done, resident(os.getpid())))
    began = time.process_time()
    await handler.stopped()
    return spent + time.process_time() - began


def micros(cost: Cost, load: Load) -> float:
    """Return CPU microseconds of a report."""
    return 1e6 * cost.cpu_seconds / load.reports


def mib(size: int) -> float:
    """Return bytes as MiB."""
    return size / 2**20
