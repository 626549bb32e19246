"""The peers: each by its name, in the order in which they are measured."""

from __future__ import annotations

import sys
from importlib.metadata import version

from sinks.reading import published
from streams.cli.processes import worker_environment
from streams.settings import Settings
from tests.bench.peers.environments import HERE
from tests.bench.peers.job import Job
from tests.bench.peers.others import counting, equal
from tests.bench.peers.peer import Peer, Work
from tests.bench.peers.processes import Command
from tests.bench.peers.recount import DAY_MS, Row, WindowKey, windows_of
from tests.bench.peers.watches import MetricWatch, OffsetWatch, Watch
from tests.bench.stages import AGREEMENT


def _bare() -> Peer:
    return Peer(
        name="bare",
        title="bare aiokafka + orjson",
        work=Work.READS,
        keeps="nothing",
        versions=lambda: {name: version(name) for name in ("aiokafka", "orjson")},
        commands=lambda job: [Command([sys.executable, str(HERE / "bare" / "loop.py")], job.environment())],
        watch=lambda job: OffsetWatch(job.broker, job.name, job.topics.incidents, job.topics.partitions),
        about_a_second=100_000,
        counts_unreadable=True,
    )


def _trucewatch(linking: str) -> Peer:
    return Peer(
        name="trucewatch" if linking == "without" else "trucewatch-linking",
        title=f"trucewatch, {linking} linking",
        work=Work.JUDGES,
        keeps="DuckDB, offsets in the same transaction",
        versions=lambda: {name: version(name) for name in ("faust-streaming", "aiokafka", "duckdb")},
        commands=_workers,
        watch=lambda job: MetricWatch(f"http://127.0.0.1:{job.port}"),
        about_a_second=20_000 if linking == "without" else 10_000,
        found=_present_reports,
        links=linking == "with",
    )


def _workers(job: Job) -> list[Command]:
    settings = Settings(
        agreement=str(job.agreement),
        broker=job.broker,
        data=job.folder / "data",
        topic_prefix=job.name,
        log_level="warning",
    )
    served = settings.model_copy(update={"health_address": f"127.0.0.1:{job.port}"})
    worker = [sys.executable, "-P", "-m", "streams", "worker", "--role"]
    return [
        Command([*worker, "intake"], worker_environment(settings)),
        Command([*worker, "ledger"], worker_environment(served)),
    ]


def _present_reports(job: Job, _: Watch) -> dict[WindowKey, Row]:
    """Return the windows over the reports that the published file holds as present."""
    statement = "SELECT region, epoch_ms(occurred_from), deaths_best FROM reports WHERE present AND NOT retracted"
    with published(job.folder / "data" / AGREEMENT / "compliance.duckdb") as connection:
        rows = connection.execute(statement).fetchall()
    return windows_of((region, at // DAY_MS, deaths) for region, at, deaths in rows)


PEERS = {peer.name: peer for peer in (_bare(), _trucewatch("without"), _trucewatch("with"), *counting(), *equal())}
