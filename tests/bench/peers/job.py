"""What a peer is given to do: a topic of reports, a folder of its own and a topic for its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aiokafka import AIOKafkaConsumer

from schemas.topics import MAX_MESSAGE_BYTES, THIRTY_DAYS_MS, Topics, TopicSpec
from streams.engine.admin import delete_topics, ensure_topics
from streams.engine.cluster import cluster_of
from tests.bench import stages
from tests.bench.peers.recount import Recount, regions

#: Key and value of a record.
Report = tuple[bytes, bytes]


@dataclass(frozen=True)
class Job:
    """One run of one peer.

    Attributes:
        broker: ``kafka://host:port``.
        name: first part of the run's topics and groups.
        folder: where the peer keeps what it keeps on disk.
        agreement: file of the truce that trucewatch judges.
        port: a free one, for a peer that serves its metrics.
    """

    broker: str
    name: str
    folder: Path
    agreement: Path
    port: int

    @property
    def topics(self) -> Topics:
        """Topics of the run; reports are published to its incidents."""
        return Topics(self.name)

    @property
    def rows(self) -> str:
        """Topic of the window rows."""
        return f"{self.name}.rows"

    @property
    def between(self) -> str:
        """Topic between two steps of a peer."""
        return f"{self.name}.between"

    @property
    def database(self) -> Path:
        """DuckDB file of a peer that writes one."""
        return self.folder / "peer.duckdb"

    def environment(self) -> Mapping[str, str]:
        """Return the variables that tell a peer its job."""
        return {
            "PEER_BROKER": self.broker.removeprefix("kafka://"),
            "PEER_NAME": self.name,
            "PEER_TOPIC": self.topics.incidents,
            "PEER_ROWS": self.rows,
            "PEER_BETWEEN": self.between,
            "PEER_FOLDER": str(self.folder),
            "PEER_DATABASE": str(self.database),
            "PEER_REGIONS": str(self.folder / "regions.tsv"),
        }

    async def prepare(self, reports: Sequence[Report]) -> Recount:
        """Make the folder and the topics, publish the reports, and return their recount."""
        self.folder.mkdir(parents=True)
        names = regions()
        (self.folder / "regions.tsv").write_text("".join(f"{name}\t{code}\n" for name, code in names.items()), "utf-8")
        own = (self.rows, self.between)
        await ensure_topics(self.broker, [TopicSpec(each, 4, THIRTY_DAYS_MS, MAX_MESSAGE_BYTES) for each in own])
        recount = Recount(names)
        await stages.load(self.broker, self.topics, reports)
        for _, value in reports:
            recount.add(value)
        return recount

    async def clear(self) -> None:
        """Delete the run's topics, those a peer made for itself included."""
        consumer = AIOKafkaConsumer(**cluster_of(self.broker).client)
        await consumer.start()
        found = await consumer.topics()
        await consumer.stop()
        await delete_topics(self.broker, [topic for topic in found if self.name in topic])
