"""The probes of real workers: alive, ready, and their metrics."""

from __future__ import annotations

import asyncio
import json
import math
import os
import re
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from schemas.topics import Topics
from streams.cli.processes import running
from streams.engine.admin import ensure_topics
from streams.engine.broker import EmbeddedBroker
from streams.engine.reachability import READY_AWAY_SECONDS
from tests.integration.test_live import AGREEMENT, report, settings_for, wait_for
from tests.support.brokers import write
from tests.support.prometheus import answered, needed, scraping
from tests.support.shell import ROOT
from tests.support.standbys import said, worker

pytestmark = pytest.mark.broker

Sample = tuple[str, frozenset[tuple[str, str]]]


def get(url: str) -> tuple[int, Any]:
    """Return the status and the body, JSON decoded."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - loopback
            status, kind, body = answer.status, answer.headers.get_content_type(), answer.read()
    except urllib.error.HTTPError as error:
        status, kind, body = error.code, error.headers.get_content_type(), error.read()
    return status, json.loads(body) if kind == "application/json" else body.decode()


def samples(url: str) -> dict[Sample, float]:
    """Return every sample of ``/metrics``."""
    families = text_string_to_metric_families(get(f"{url}/metrics")[1])
    return {(one.name, frozenset(one.labels.items())): one.value for each in families for one in each.samples}


@pytest.fixture(scope="module")
def up(embedded_broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Intake and ledger that have taken in four reports of one feed, two of them bad."""
    folder, prefix = tmp_path_factory.mktemp("probes"), "t.probes"
    topics = Topics(prefix)
    settings = settings_for(embedded_broker, prefix, folder).model_copy(
        update={"health_address": "127.0.0.1:0", "log_level": "info"}
    )
    asyncio.run(ensure_topics(embedded_broker, topics.specs((AGREEMENT,))))
    bodies = [report(), report(report_id="FO-2"), report(report_id="FO-3", colour="red"), b"no JSON"]
    asyncio.run(write(embedded_broker, topics.incidents, 0, [(None, body, []) for body in bodies]))
    with running(("intake", "ledger"), settings) as workers:
        wait_for(lambda: all(worker.probes for worker in workers))
        addresses = {worker.role: worker.probes for worker in workers}
        wait_for(lambda: all(get(f"{url}/readyz")[0] == 200 for url in addresses.values()))
        last = ("trucewatch_published_timestamp_seconds", frozenset[tuple[str, str]]())
        wait_for(lambda: last in samples(str(addresses["ledger"])))
        yield {"workers": workers, "data": settings.data, **addresses}


def test_a_worker_at_work_is_alive_and_ready(up: dict[str, Any]) -> None:
    for role in ("intake", "ledger"):
        status, body = get(f"{up[role]}/livez")
        assert (status, body["alive"]) == (200, True)
        assert get(f"{up[role]}/readyz") == (200, {"ready": True, "reasons": []})


def test_the_ledgers_metrics_say_what_it_committed(up: dict[str, Any]) -> None:
    found = samples(up["ledger"])

    def one(name: str, **labels: str) -> float:
        return found[name, frozenset(labels.items())]

    assert one("trucewatch_events_total", feed="field-office", outcome="accepted") == 2
    assert one("trucewatch_events_total", feed="field-office", outcome="rejected") == 1
    assert one("trucewatch_rejects_total", code="unknown_field") == 1
    assert one("trucewatch_rejects_total", code="not_json") == 1
    assert time.time() - one("trucewatch_feed_last_event_timestamp_seconds", feed="field-office") < 120
    assert one("trucewatch_gate_open") == 0
    assert one("trucewatch_convoys_overdue", region="SY02") == 0
    assert one("trucewatch_region_streak_days", region="SY02") == 0
    assert one("trucewatch_window_day_state", region="SY02", days_ago="0", verdict="MET") == 0
    assert one("trucewatch_sink_commit_duration_seconds_count") >= 1
    assert time.time() - one("trucewatch_published_timestamp_seconds") < 120
    where = frozenset({("topic", "t.probes.facts.syria-2016.v1"), ("partition", "0")})
    # Ticks arrive all the time: there is a moment in which none waits.
    for lag in ("trucewatch_consumer_lag_records", "trucewatch_consumer_lag_seconds"):
        wait_for(lambda lag=lag: samples(up["ledger"])[lag, where] == 0)
    assert one("trucewatch_build_info", version="0.1.0", role="ledger", agreement=AGREEMENT) == 1


def test_intakes_metrics_say_what_it_read(up: dict[str, Any]) -> None:
    found = samples(up["intake"])
    read = "trucewatch_intake_records_total"
    topic = ("topic", "t.probes.incidents.v1")
    assert found[read, frozenset({topic, ("outcome", "accepted")})] == 2
    assert found[read, frozenset({topic, ("outcome", "rejected")})] == 2


def test_no_label_holds_an_identity_of_a_report(up: dict[str, Any]) -> None:
    text = get(f"{up['ledger']}/metrics")[1] + get(f"{up['intake']}/metrics")[1]
    assert "FO-1" not in text


def test_every_metric_an_alert_names_exists(up: dict[str, Any]) -> None:
    """An alert on a name nobody serves never fires."""
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yml").read_text("utf-8"))
    served = {name for role in ("intake", "ledger") for name, _ in samples(up[role])}
    named: set[str] = set()
    for group in rules["groups"]:
        assert set(group) == {"name", "rules"}
        for rule in group["rules"]:
            assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
            assert re.fullmatch(r"\d+[smhd]", rule["for"])
            assert set(rule["annotations"]) == {"summary", "description"}
            promql_parser.parse(rule["expr"])
            metrics = set(re.findall(r"\b(?:trucewatch|process)_\w+", rule["expr"]))
            assert metrics, rule["alert"]
            named |= metrics
    assert named <= served


def dashboard() -> list[str]:
    """Return every query of the dashboard, its variables filled in as Grafana does."""
    panels = json.loads((ROOT / "deploy" / "grafana" / "trucewatch.json").read_text("utf-8"))["panels"]
    queries = [target["expr"] for panel in panels for target in panel["targets"]]
    return [query.replace("$job", ".+").replace("$__rate_interval", "1m") for query in queries]


def selectors(expression: Any) -> Iterator[Any]:
    """Yield the selectors of an expression."""
    if isinstance(expression, promql_parser.VectorSelector):
        yield expression
    for name in ("expr", "lhs", "rhs", "vector_selector"):
        if (inner := getattr(expression, name, None)) is not None:
            yield from selectors(inner)
    for each in getattr(getattr(expression, "args", None), "args", None) or getattr(expression, "args", None) or ():
        yield from selectors(each)


def test_every_metric_and_label_of_the_dashboard_exists(up: dict[str, Any]) -> None:
    served: dict[str, set[str]] = {}
    for role in ("intake", "ledger"):
        for name, labels in samples(up[role]):
            served.setdefault(name, {"job", "instance"}).update(dict(labels))
    named = [each for query in dashboard() for each in selectors(promql_parser.parse(query))]
    assert len(named) > 15
    for each in named:
        assert each.name in served
        assert {matcher.name for matcher in each.matchers.matchers} <= served[each.name], each.name


def test_every_query_of_the_dashboard_is_answered_over_real_workers(up: dict[str, Any], tmp_path: Path) -> None:
    needed("prometheus")
    with scraping(tmp_path, [up[role].removeprefix("http://") for role in ("intake", "ledger")]) as base:
        for query in dashboard():
            found = answered(base, query)
            assert all(math.isfinite(float(each["value"][1])) or "rate(" in query for each in found), (query, found)


def test_a_worker_that_is_stopped_is_not_answered_for(up: dict[str, Any]) -> None:
    """SIGSTOP stops the probes too: a prober sees its own time limit pass."""
    (intake,) = [worker for worker in up["workers"] if worker.role == "intake"]
    os.kill(intake.pid, signal.SIGSTOP)
    try:
        with pytest.raises(TimeoutError):
            urllib.request.urlopen(f"{up['intake']}/livez", timeout=1)  # noqa: S310 - loopback
    finally:
        os.kill(intake.pid, signal.SIGCONT)
    wait_for(lambda: get(f"{up['intake']}/livez")[0] == 200)


def reasons(url: str) -> list[str]:
    """Return why a worker is not ready; nothing when it is."""
    return list(get(f"{url}/readyz")[1]["reasons"])


def test_workers_with_nothing_to_do_are_unready_without_a_broker_and_end_when_patience_does(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path / "broker") as broker:
        assert broker.pid is not None
        settings = settings_for(broker.url, "truce", tmp_path).model_copy(
            update={"health_address": "127.0.0.1:0", "log_level": "info", "broker_patience_seconds": 35.0}
        )
        with worker(settings, "intake") as intake, worker(settings) as ledger:
            both = (intake, ledger)
            wait_for(lambda: all(each.probes for each in both))
            urls = [str(each.probes) for each in both]
            wait_for(lambda: not any(reasons(url) for url in urls))
            assert all(samples(url)["trucewatch_broker_away_seconds", frozenset()] == 0 for url in urls)
            os.kill(broker.pid, signal.SIGSTOP)
            gone = time.monotonic()
            away = re.compile(r"no broker has answered for \d+ s")
            for url in urls:
                wait_for(lambda url=url: any(away.fullmatch(each) for each in reasons(url)))
                assert samples(url)["trucewatch_broker_away_seconds", frozenset()] >= READY_AWAY_SECONDS
            assert time.monotonic() - gone < READY_AWAY_SECONDS + 15
            os.kill(broker.pid, signal.SIGCONT)
            wait_for(lambda: not any(reasons(url) for url in urls))
            os.kill(broker.pid, signal.SIGSTOP)
            try:
                gone = time.monotonic()
                for each in both:
                    assert each._process.wait(80) == 3
                    assert said(each, f"no Kafka broker answered at {broker.url} for")
                assert 25 < time.monotonic() - gone < 75
            finally:
                os.kill(broker.pid, signal.SIGCONT)
