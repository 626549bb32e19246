"""Prometheus metrics of the notifier."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from importlib.metadata import version

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from streams.notify.delivery import Delivery


class NotifyMetrics(Collector):
    """Collector of requests, and of how long events wait, by receiver."""

    def __init__(self, agreement: str, deliveries: Sequence[Delivery]) -> None:
        self._agreement = agreement
        self._deliveries = deliveries

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics of a scrape."""
        build = GaugeMetricFamily("trucewatch_build_info", "What runs here.", labels=("version", "role", "agreement"))
        build.add_metric((version("trucewatch"), "notify", self._agreement), 1)
        yield build
        requests = CounterMetricFamily(
            "trucewatch_notify_requests_total", "Requests to receivers.", labels=("receiver", "outcome")
        )
        waits = GaugeMetricFamily(
            "trucewatch_notify_waiting_seconds",
            "For how long the oldest event that a receiver has not taken waits; 0 without one.",
            labels=("receiver",),
        )
        for each in self._deliveries:
            for outcome, count in sorted(each.attempts.items()):
                requests.add_metric((each.receiver.name, outcome), count)
            since = each.head_since
            waits.add_metric((each.receiver.name,), 0 if since is None else max(0.0, time.time() - since))
        yield requests
        yield waits
