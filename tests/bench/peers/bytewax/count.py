"""Bytewax that counts and sums sliding windows, with a recovery store."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import bytewax.operators as op
import bytewax.operators.windowing as win
from bytewax.connectors.kafka import KafkaSinkMessage, KafkaSourceMessage
from bytewax.connectors.kafka import operators as kop
from bytewax.dataflow import Dataflow
from bytewax.operators.windowing import EventClock, SlidingWindower, WindowLogic
from report import Report, report_of

STEP = timedelta(days=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Longer than the reports reach back: none is too late.
LATENESS = timedelta(days=400)


@dataclass(frozen=True)
class Totals:
    """Reports of a window and their deaths."""

    count: int = 0
    sum: int = 0


class Running(WindowLogic[Report, Totals, Totals]):
    """Totals of one window, told at every change: by itself a fold tells them once the window has closed."""

    def __init__(self, resumed: Totals | None) -> None:
        self._totals = resumed or Totals()

    def on_value(self, value: Report) -> Iterable[Totals]:
        """Add a report."""
        self._totals = replace(self._totals, count=self._totals.count + 1, sum=self._totals.sum + value.deaths)
        return (self._totals,)

    def on_merge(self, original: "Running") -> Iterable[Totals]:
        """Sliding windows never merge."""
        raise AssertionError(original)

    def on_close(self) -> Iterable[Totals]:
        """Tell nothing more."""
        return ()

    def snapshot(self) -> Totals:
        """Return what resumes the window."""
        return self._totals


def keyed(message: KafkaSourceMessage) -> tuple[str, Report] | None:
    """Return a report by its region, or None where the record is no JSON."""
    report = report_of(message.value)
    return None if report is None else (report.region, report)


def row(found: tuple[str, tuple[int, Totals]]) -> KafkaSinkMessage:
    """Return the record of a window's row."""
    region, (window, totals) = found
    start = int((EPOCH + window * STEP).timestamp() * 1_000)
    value = b'{"count":%d,"sum":%d}' % (totals.count, totals.sum)
    return KafkaSinkMessage(f"{region}|{start}".encode(), value)


brokers = [os.environ["PEER_BROKER"]]
flow = Dataflow("count")
read = kop.input("read", flow, brokers=brokers, topics=[os.environ["PEER_TOPIC"]])
reports = op.filter_map("report", read.oks, keyed)
clock = EventClock(ts_getter=lambda report: report.occurred, wait_for_system_duration=LATENESS)
windower = SlidingWindower(length=timedelta(days=7), offset=STEP, align_to=EPOCH)
windows = win.window("windows", reports, clock, windower, Running, ordered=False)
kop.output("write", op.map("row", windows.down, row), brokers=brokers, topic=os.environ["PEER_ROWS"])
