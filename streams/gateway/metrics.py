"""Prometheus metrics of the gateway."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from importlib.metadata import version

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from streams.engine.reachability import BrokerReachability


class GatewayMetrics(Collector):
    """Collector of answers and records. Labels are of closed sets: no sender can make more of them."""

    def __init__(self, reachability: BrokerReachability) -> None:
        self._reachability = reachability
        self._answers: Counter[str] = Counter()
        self._records: Counter[str] = Counter()
        self._cut_off = 0

    def answered(self, status: int) -> None:
        """Count an answer."""
        self._answers[str(status)] += 1

    def cut_off(self) -> None:
        """Count a request whose connection ended before its answer."""
        self._cut_off += 1

    def records(self, outcome: str, count: int = 1) -> None:
        """Count records that were published, or refused with a code."""
        self._records[outcome] += count

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics of a scrape."""
        build = GaugeMetricFamily("trucewatch_build_info", "What runs here.", labels=("version", "role", "agreement"))
        build.add_metric((version("trucewatch"), "gateway", ""), 1)
        yield build
        answers = CounterMetricFamily("trucewatch_gateway_answers_total", "Answers by status.", labels=("status",))
        for status, count in sorted(self._answers.copy().items()):
            answers.add_metric((status,), count)
        yield answers
        records = CounterMetricFamily(
            "trucewatch_gateway_records_total", "Records published, or refused by code.", labels=("outcome",)
        )
        for outcome, count in sorted(self._records.copy().items()):
            records.add_metric((outcome,), count)
        yield records
        yield CounterMetricFamily(
            "trucewatch_gateway_cut_off_total", "Requests whose connection ended first.", value=self._cut_off
        )
        yield GaugeMetricFamily(
            "trucewatch_broker_away_seconds",
            "For how long no broker has answered.",
            value=self._reachability.away_seconds,
        )
