"""The measures of one peer: throughput, recovery after ``kill -9``, and latency at a steady rate."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from streams.engine.producer import BatchProducer
from tests.bench.peers.job import Job, Report
from tests.bench.peers.peer import Peer
from tests.bench.peers.processes import PeerFailed, Processes, cpu_seconds
from tests.bench.peers.recount import Recount
from tests.bench.peers.watches import Watch
from tests.bench.stages import by_percentile

LOOK_SECONDS = 0.1
#: A peer is given up when so long nothing more became queryable: longer than a dead consumer's session.
PATIENCE_SECONDS = 120.0
#: Rows may follow offsets, and a peer that counts a report twice reaches the number early: what follows is awaited.
SETTLE_SECONDS = 5.0
#: Reports published before latency is timed, and how many of them a second.
WARM_UP, WARM_UP_RATE = 1_000, 500
#: Reports that wait when publishing ends have so long, or the peer did not keep up.
BEHIND_SECONDS = 15.0
#: Records are published in bursts of so many seconds.
BURST_SECONDS = 0.005


@dataclass(frozen=True)
class Throughput:
    """One topic read to its end.

    Attributes:
        rate: records a second from the first progress seen, so that a start-up is left out.
        cpu_seconds: processor time per million records over the same span.
        broker_cpu_seconds: the same of the broker.
        peak_mib: most resident memory, the sum over the peer's processes.
        start_seconds: from the command to the first progress.
        differing: windows that differ from the recount; None where the peer keeps none.
    """

    records: int
    rate: float
    cpu_seconds: float
    broker_cpu_seconds: float
    peak_mib: float
    start_seconds: float
    differing: int | None


@dataclass(frozen=True)
class Recovery:
    """One ``kill -9`` half way through a topic.

    Attributes:
        seconds: from starting again to the first progress beyond what was queryable before.
        differing: windows that differ from the recount in the end.
    """

    seconds: float
    differing: int | None


@dataclass(frozen=True)
class Latency:
    """Time from publish to queryable at a steady rate; None where the peer did not keep up.

    Attributes:
        rate: reports a second that were to be published.
        published: reports a second that were.
    """

    rate: int
    published: float
    p50_ms: float | None
    p99_ms: float | None


async def throughput(peer: Peer, job: Job, recount: Recount, broker_pid: int) -> Throughput:
    """Let a peer read a topic that lies ready."""
    target = peer.target(recount)
    # On first use this makes the peer's environment.
    commands = peer.commands(job)
    begun = time.perf_counter()
    with Processes(commands, job.folder / "peer.log") as processes:
        async with peer.watch(job) as watch:
            before = await _past(watch, processes, 0)
            first = time.perf_counter()
            cpu, broker_cpu = processes.cpu_seconds(), cpu_seconds(broker_pid)
            if before > target / 2:
                raise PeerFailed(f"{target:,} records are too few to time it: {before:,.0f} came at once")
            await _past(watch, processes, target - 1)
            seconds = time.perf_counter() - first
            cpu, broker_cpu = processes.cpu_seconds() - cpu, cpu_seconds(broker_pid) - broker_cpu
            peak = processes.peak_bytes()
            await _settled(watch)
            processes.stop()
            differing = peer.differing(job, watch, recount)
    done = target - before
    return Throughput(
        records=recount.records,
        rate=done / seconds,
        cpu_seconds=cpu * 1e6 / done,
        broker_cpu_seconds=broker_cpu * 1e6 / done,
        peak_mib=peak / 2**20,
        start_seconds=first - begun,
        differing=differing,
    )


async def recovery(peer: Peer, job: Job, recount: Recount) -> Recovery:
    """Kill a peer half way through a topic, start it again, and let it read to the end."""
    target = peer.target(recount)
    with Processes(peer.commands(job), job.folder / "peer.log") as processes:
        async with peer.watch(job) as watch:
            before = await _past(watch, processes, target / 2)
            processes.kill()
            # What it had committed and not yet told counts as seen; one that tells it by itself is silent now.
            seen = max(before, await watch.progress())
            if seen >= target:
                raise PeerFailed(f"{target:,} records are too few to kill it half way")
            begun = time.perf_counter()
            processes.start()
            await _past(watch, processes, seen)
            seconds = time.perf_counter() - begun
            await _past(watch, processes, target - 1)
            await _settled(watch)
            processes.stop()
            return Recovery(seconds, peer.differing(job, watch, recount))


async def latency(peer: Peer, job: Job, reports: Sequence[Report], a_second: int) -> Latency:
    """Publish reports at a steady rate, each timed until it is queryable.

    A peer takes records in the order they were published, but for the partitions' order among each other. The n-th
    report is queryable when n are.
    """
    warm, timed = reports[:WARM_UP], reports[WARM_UP:]
    # On first use this makes the peer's environment.
    commands = peer.commands(job)
    producer = BatchProducer(job.broker)
    await producer.start()
    published: deque[float] = deque()
    try:
        with Processes(commands, job.folder / "peer.log") as processes:
            async with peer.watch(job) as watch:
                await _publish(producer, job, warm, WARM_UP_RATE, deque())
                await _past(watch, processes, len(warm) - 1)
                sending = asyncio.create_task(_publish(producer, job, timed, a_second, published))
                try:
                    waits = await _waits(watch, processes, sending, published, range(len(warm), len(reports)))
                finally:
                    sending.cancel()
    finally:
        await producer.stop()
    rate = len(timed) / sending.result()
    if waits is None:
        return Latency(a_second, rate, None, None)
    p50, p99 = by_percentile(waits, lambda n: n * 0.50), by_percentile(waits, lambda n: n * 0.99)
    return Latency(a_second, rate, 1_000 * p50, 1_000 * p99)


async def _waits(
    watch: Watch, processes: Processes, sending: asyncio.Task[float], published: deque[float], numbers: range
) -> list[float] | None:
    """Return how long each of the numbered reports took; None where some wait long after the last was sent."""
    waits: list[float] = []
    last = time.perf_counter()
    while len(waits) < len(numbers):
        processes.check()
        through = round(await watch.progress()) - numbers.start
        now = time.perf_counter()
        while published and len(waits) < through:
            waits.append(now - published.popleft())
        if not sending.done():
            last = now
        elif now - last > BEHIND_SECONDS:
            return None
        await asyncio.sleep(0.001)
    return waits


async def _publish(
    producer: BatchProducer, job: Job, reports: Sequence[Report], a_second: int, published: deque[float]
) -> float:
    """Publish reports at a steady rate, and return the seconds that it took."""
    begun = time.perf_counter()
    burst = max(1, round(a_second * BURST_SECONDS))
    for number, at in enumerate(range(0, len(reports), burst)):
        chunk = reports[at : at + burst]
        await asyncio.sleep(max(0.0, begun + at / a_second - time.perf_counter()))
        published.extend([time.perf_counter()] * len(chunk))
        partition = number % job.topics.partitions
        await producer.send(job.topics.incidents, partition, [(key, value, []) for key, value in chunk])
    return time.perf_counter() - begun


async def _past(watch: Watch, processes: Processes, mark: float) -> float:
    """Wait until progress is beyond a mark; return it.

    Raises:
        PeerFailed: nothing more became queryable for long.
    """
    most, since = 0.0, time.monotonic()
    while (now := await watch.progress()) <= mark:
        processes.check()
        if now > most:
            most, since = now, time.monotonic()
        elif time.monotonic() - since > PATIENCE_SECONDS:
            raise PeerFailed(f"stood still at {now:,.0f} of more than {mark:,.0f} records")
        await asyncio.sleep(LOOK_SECONDS)
    return now


async def _settled(watch: Watch) -> None:
    """Wait until no further progress is seen."""
    before = -1.0
    while (now := await watch.progress()) != before:
        before = now
        await asyncio.sleep(SETTLE_SECONDS)
