"""Names and shapes of the Kafka topics, and of the groups that read them.

Lower case and dots only: a dot and an underscore collide in metric names. Every topic is created with an
explicit retention, because Kafka deletes by the record's timestamp; facts are kept for ever.
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_REPORT_BYTES = 1_048_576
#: Larger than any report accepted, so that an oversized one reaches intake and is rejected with a reason.
MAX_MESSAGE_BYTES = 8 * 1_048_576
#: Of a record that unpacks to more than can be written again a reject keeps so much: enough to tell what it was, and
#: more than any report has, so that nobody takes it for one.
CUT_BYTES = MAX_REPORT_BYTES + 1
#: What intake writes carries headers of ours around what a feed sent.
HEADER_BYTES = 65_536
KEEP_FOR_EVER = -1
#: Brokers that keep a new topic, or all where there are fewer.
REPLICAS = 3
#: How the identity of a log begins that lives in an embedded broker, which forgets it when it stops.
EMBEDDED_CLUSTER = "embedded-"
THIRTY_DAYS_MS = 30 * 24 * 3_600 * 1_000


@dataclass(frozen=True)
class TopicSpec:
    """A topic as it must be created."""

    name: str
    partitions: int
    retention_ms: int
    max_bytes: int = MAX_MESSAGE_BYTES
    compacted: bool = False

    @property
    def keeping(self) -> dict[str, str]:
        """Configuration without which the topic would lose what it is for."""
        if self.compacted:
            return {"cleanup.policy": "compact"}
        # A cluster may have limits of size for all topics: what it deleted by them could not be judged again.
        for_ever = {"cleanup.policy": "delete", "retention.ms": str(KEEP_FOR_EVER), "retention.bytes": "-1"}
        return for_ever if self.retention_ms == KEEP_FOR_EVER else {}

    @property
    def config(self) -> dict[str, str]:
        """Kafka topic configuration."""
        return {
            "cleanup.policy": "delete",
            "retention.ms": str(self.retention_ms),
            "max.message.bytes": str(self.max_bytes),
            **self.keeping,
        }

    def config_on(self, replicas: int) -> dict[str, str]:
        """Kafka topic configuration where so many brokers keep the topic.

        Of three, two must have a record before it counts as written. Kafka's own default is one: a fact acknowledged
        while the others are away, its source's offset committed, would be gone with that one's disk.
        """
        return {**self.config, "min.insync.replicas": "2"} if replicas >= REPLICAS else self.config


@dataclass(frozen=True)
class Topics:
    """All topics under one prefix; a replay on a shared broker takes a prefix of its own."""

    prefix: str = "truce"
    partitions: int = 4

    @property
    def incidents(self) -> str:
        """Input topic of incident reports."""
        return f"{self.prefix}.incidents.v1"

    @property
    def convoys(self) -> str:
        """Input topic of convoy reports."""
        return f"{self.prefix}.convoys.v1"

    @property
    def notices(self) -> str:
        """Input topic of coverage notices, bulletins and declarations."""
        return f"{self.prefix}.notices.v1"

    @property
    def positions(self) -> str:
        """Input topic of unit positions."""
        return f"{self.prefix}.positions.v1"

    @property
    def archive(self) -> str:
        """Recorded reports and ticks of a replay, in the archive's own order: one partition."""
        return f"{self.prefix}.archive.v1"

    @property
    def rejects(self) -> str:
        """Output topic of rejected records."""
        return f"{self.prefix}.rejects.v1"

    @property
    def receipts(self) -> str:
        """Output topic of receipts, which tell feeds what became of their reports."""
        return f"{self.prefix}.receipts.v1"

    def facts(self, agreement: str) -> str:
        """The one-partition topic whose order is the ledger's truth."""
        return f"{self.prefix}.facts.{agreement}.v1"

    def verdicts(self, agreement: str) -> str:
        """Output topic of an agreement's present verdicts, compacted."""
        return f"{self.prefix}.verdicts.{agreement}.v1"

    def intake_group(self, agreement: str) -> str:
        """The consumer group of one agreement's intake workers; each group reads every record."""
        return f"{self.prefix}.intake.{agreement}"

    def ledger_group(self, agreement: str) -> str:
        """The consumer group of one agreement's ledger and its standbys."""
        return f"{self.prefix}.ledger.{agreement}"

    @property
    def inputs(self) -> tuple[str, ...]:
        """Topics feeds publish to, any key."""
        return (self.incidents, self.convoys, self.notices, self.positions)

    def of_type(self, report_type: str) -> str:
        """The input topic a report of this type is published to."""
        own = {"incident": self.incidents, "convoy": self.convoys, "position": self.positions}
        return own.get(report_type, self.notices)

    def specs(self, agreements: tuple[str, ...], *, archive: bool = False) -> tuple[TopicSpec, ...]:
        """Every topic a deployment needs, with its partitions and retention."""
        written = MAX_MESSAGE_BYTES + HEADER_BYTES
        archives = [TopicSpec(self.archive, 1, KEEP_FOR_EVER)]
        feeds = [TopicSpec(name, self.partitions, THIRTY_DAYS_MS) for name in self.inputs]
        # Nobody waits to be told of a replay.
        feeds.append(TopicSpec(self.receipts, 1, THIRTY_DAYS_MS))
        feeds += [TopicSpec(self.verdicts(each), 1, KEEP_FOR_EVER, compacted=True) for each in agreements]
        return (
            *(archives if archive else feeds),
            TopicSpec(self.rejects, 1, THIRTY_DAYS_MS, max_bytes=written),
            *(TopicSpec(self.facts(agreement), 1, KEEP_FOR_EVER, max_bytes=written) for agreement in agreements),
        )
