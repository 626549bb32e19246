"""Prometheus metrics of every worker, on its lag and its progress."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from streams.engine.heartbeat import Heartbeat
from streams.engine.lane import Lane
from streams.engine.reachability import BrokerReachability


class WorkerMetrics(Collector):
    """Collector that reads heartbeat, lane and reachability at each scrape."""

    def __init__(
        self, heartbeat: Heartbeat, lane: Lane, reachability: BrokerReachability, role: str, agreement: str
    ) -> None:
        self._heartbeat = heartbeat
        self._lane = lane
        self._reachability = reachability
        self._role = role
        self._agreement = agreement

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics of a scrape."""
        heartbeat = self._heartbeat
        build = GaugeMetricFamily("trucewatch_build_info", "What runs here.", labels=("version", "role", "agreement"))
        build.add_metric((version("trucewatch"), self._role, self._agreement), 1)
        yield build
        where = ("topic", "partition")
        records = GaugeMetricFamily(
            "trucewatch_consumer_lag_records", "Records that wait to be committed by this worker.", labels=where
        )
        for partition, waiting in sorted(heartbeat.uncommitted.items()):
            records.add_metric((partition.topic, str(partition.partition)), waiting)
        yield records
        seconds = GaugeMetricFamily(
            "trucewatch_consumer_lag_seconds",
            "How long ago the oldest record that waits was written; of one not read yet, since when it is known.",
            labels=where,
        )
        for partition, age in sorted(heartbeat.lag_seconds().items()):
            seconds.add_metric((partition.topic, str(partition.partition)), age)
        yield seconds
        lost = CounterMetricFamily(
            "trucewatch_records_lost_total",
            "Records that were deleted from the topic before they were read.",
            labels=("topic",),
        )
        for topic, count in sorted(self._lane.lost.items()):
            lost.add_metric((topic,), count)
        yield lost
        yield GaugeMetricFamily(
            "trucewatch_held_records_most",
            "The most records that ever were in memory at once, read and not committed.",
            value=self._lane.most_records,
        )
        yield GaugeMetricFamily(
            "trucewatch_held_bytes_most", "The bytes of such records, at most.", value=self._lane.most_bytes
        )
        yield GaugeMetricFamily(
            "trucewatch_broker_away_seconds",
            "For how long no broker has answered.",
            value=self._reachability.away_seconds,
        )
        yield CounterMetricFamily("trucewatch_commits_total", "Commits of this process.", value=heartbeat.commits)
        yield GaugeMetricFamily(
            "trucewatch_still_seconds",
            "For how long records wait and none was committed.",
            value=heartbeat.still_seconds,
        )
        yield GaugeMetricFamily(
            "trucewatch_loop_silent_seconds", "How long ago the event loop ticked.", value=heartbeat.silent_seconds()
        )
        yield GaugeMetricFamily(
            "trucewatch_stall_limit_seconds",
            "How long the worker may stand still before it ends itself.",
            value=heartbeat.limit_seconds,
        )


def registry_of(*collectors: Collector) -> CollectorRegistry:
    """Return a registry of these metrics and of the process's own."""
    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    for collector in collectors:
        registry.register(collector)
    return registry
