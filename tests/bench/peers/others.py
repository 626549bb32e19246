"""Peers of other makers, as their documentation advises."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from itertools import chain

import duckdb
import orjson

from tests.bench.peers.environments import HERE, classpath_of, python_of, version_of
from tests.bench.peers.job import Job
from tests.bench.peers.peer import Peer, Work
from tests.bench.peers.processes import Command
from tests.bench.peers.recount import DAY_MS, Row, WindowKey, windows_of
from tests.bench.peers.watches import FileWatch, OffsetWatch, RowWatch, Watch, decode_row

#: Heap of each peer on a JVM, and what Flink needs of Java 17.
_JAVA = ("java", "-Xmx1g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
_OPENED = ("java.lang", "java.util", "java.time", "java.nio")
_FLINK = tuple(chain.from_iterable(("--add-opens", f"java.base/{each}=ALL-UNNAMED") for each in _OPENED))
#: What the slow ones are given at most: a full run of theirs would last hours.
_SLOW, _SLOWER = 100_000, 20_000


def counting() -> list[Peer]:
    """Return the peers that count and sum windows and publish a row for each change."""
    return [
        _peer(
            "kafka-streams",
            "Kafka Streams",
            "exactly once, RocksDB",
            "kafka-streams",
            _java("kafka_streams"),
            about_a_second=30_000,
        ),
        _peer(
            "flink",
            "Flink",
            "exactly once, heap and checkpoints",
            "flink-streaming-java",
            _java("flink", *_FLINK),
            about_a_second=60_000,
        ),
        _peer(
            "quixstreams",
            "Quix Streams",
            "exactly once, RocksDB",
            "quixstreams",
            _python("quixstreams"),
            about_a_second=2_500,
            at_most=_SLOW,
        ),
        _peer(
            "faust",
            "stock Faust tables",
            "at least once, memory",
            "faust-streaming",
            _python("faust", "worker", "--without-web", "--loglevel=warn"),
            watch=_changelogs,
            about_a_second=300,
            at_most=_SLOWER,
        ),
        _peer(
            "bytewax",
            "Bytewax",
            "at least once, SQLite",
            "bytewax",
            _bytewax,
            about_a_second=2_500,
            at_most=_SLOW,
        ),
    ]


def equal() -> list[Peer]:
    """Return the peers at the equal job: the last revision wins, every revision and the window rows in DuckDB."""
    return [
        Peer(
            name="kafka-streams-equal",
            title="Kafka Streams, DuckDB by JDBC",
            work=Work.EQUAL,
            keeps="exactly once, offsets in DuckDB",
            versions=_versions("kafka_streams", "kafka-streams", "duckdb_jdbc"),
            commands=_java("kafka_streams", main="peers.Equal"),
            watch=lambda job: FileWatch(job.folder / "progress"),
            about_a_second=10_000,
            found=_stored_rows,
        ),
        Peer(
            name="flink-equal",
            title="Flink, DuckDB by JDBC",
            work=Work.EQUAL,
            keeps="written again, as if once",
            versions=_versions("flink", "flink-streaming-java", "duckdb_jdbc"),
            commands=_java("flink", *_FLINK, main="peers.Equal"),
            watch=lambda job: OffsetWatch(job.broker, job.name, job.topics.incidents, job.topics.partitions),
            about_a_second=10_000,
            found=_stored_rows,
            counts_unreadable=True,
        ),
    ]


def _peer(
    name: str,
    title: str,
    keeps: str,
    package: str,
    commands: Callable[[Job], Sequence[Command]],
    *,
    about_a_second: int,
    watch: Callable[[Job], Watch] | None = None,
    at_most: int | None = None,
) -> Peer:
    return Peer(
        name=name,
        title=title,
        work=Work.COUNTS,
        keeps=keeps,
        versions=_versions(name.replace("-", "_"), package),
        commands=commands,
        watch=watch or (lambda job: RowWatch(job.broker, [job.rows], decode_row)),
        about_a_second=about_a_second,
        found=_published_rows,
        at_most=at_most,
    )


def _published_rows(_: Job, watch: Watch) -> dict[WindowKey, Row]:
    if not isinstance(watch, RowWatch):
        raise TypeError(watch)
    return watch.rows()


def _stored_rows(job: Job, _: Watch) -> dict[WindowKey, Row]:
    """Return the window rows of a DuckDB file that are right by the revisions stored beside them."""
    rows = "SELECT region, start_ms, count, sum FROM window_rows WHERE count > 0"
    last = (
        "SELECT arg_max(region, revision), arg_max(occurred_ms, revision), arg_max(deaths, revision) "
        "FROM reports GROUP BY feed, report_id"
    )
    with duckdb.connect(job.database, read_only=True) as connection:
        found = {(region, start): Row(*row) for region, start, *row in connection.execute(rows).fetchall()}
        revisions = connection.execute(last).fetchall()
    stored = windows_of((region, at // DAY_MS, deaths) for region, at, deaths in revisions)
    return {key: row for key, row in found.items() if stored.get(key) == row}


def _versions(name: str, *packages: str) -> Callable[[], dict[str, str]]:
    return lambda: {package: version_of(name, package) for package in packages}


def _java(name: str, *options: str, main: str = "peers.Count") -> Callable[[Job], Sequence[Command]]:
    """Return how a peer in Java is started, compiled on first use."""
    return lambda job: [Command([*_JAVA, *options, "-cp", classpath_of(name), main], job.environment())]


def _python(name: str, *options: str) -> Callable[[Job], Sequence[Command]]:
    """Return how a peer in Python is started, in its own environment."""
    script = str(HERE / name / "count.py")
    return lambda job: [Command([str(python_of(name)), script, *options], _with_decoder(job))]


def _bytewax(job: Job) -> Sequence[Command]:
    python, store = str(python_of("bytewax")), job.folder / "recovery"
    store.mkdir()
    subprocess.run([python, "-m", "bytewax.recovery", store, "1"], check=True)
    # A snapshot each second; none older than the last is kept.
    options = ["-r", str(store), "-s", "1", "-b", "0"]
    script = str(HERE / "bytewax" / "count.py")
    return [Command([python, "-m", "bytewax.run", script, *options], _with_decoder(job))]


def _with_decoder(job: Job) -> dict[str, str]:
    return {**job.environment(), "PYTHONPATH": str(HERE / "python")}


def _changelogs(job: Job) -> Watch:
    """Return a watch of Faust's tables, which keep what can be queried in the topics of their changes."""
    topics = {f"{job.name}-counts-changelog": "count", f"{job.name}-sums-changelog": "sum"}

    def decode(topic: str, key: bytes, value: bytes) -> tuple[WindowKey, dict[str, int]]:
        region, (start, _) = orjson.loads(key)
        return (region, round(start * 1_000)), {topics[topic]: orjson.loads(value)}

    return RowWatch(job.broker, list(topics), decode)
