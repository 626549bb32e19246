"""Prometheus metrics of intake, on records read and their outcomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector


class IntakeMetrics(Collector):
    """Collector of committed batches; a batch read again counts again."""

    def __init__(self) -> None:
        self._records: Counter[tuple[str, str]] = Counter()

    def committed(self, topic: str, records: int, rejected: int) -> None:
        """Count one batch of a topic."""
        self._records[topic, "accepted"] += records - rejected
        self._records[topic, "rejected"] += rejected

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics of a scrape."""
        read = CounterMetricFamily(
            "trucewatch_intake_records_total",
            "Records read, by topic and by whether they became facts.",
            labels=("topic", "outcome"),
        )
        for labels, count in sorted(self._records.copy().items()):
            read.add_metric(labels, count)
        yield read
