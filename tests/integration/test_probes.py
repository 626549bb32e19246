"""The probes of real workers: alive, ready, and their metrics."""

from __future__ import annotations

import asyncio
import json
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
from tests.integration.test_live import AGREEMENT, report, settings_for
from tests.support.brokers import write
from tests.support.recorded_archive import PATIENCE, wait_until
from tests.support.standbys import end_of, stands_still, worker

pytestmark = pytest.mark.broker

Sample = tuple[str, frozenset[tuple[str, str]]]
AWAY: Sample = ("trucewatch_broker_away_seconds", frozenset())


def get(url: str) -> tuple[int, Any]:
    """Return the status and the body, JSON decoded."""
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:  # noqa: S310 - loopback
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
    """Intake and ledger that take in four reports of one feed, two of them bad."""
    folder, prefix = tmp_path_factory.mktemp("probes"), "t.probes"
    topics = Topics(prefix)
    settings = settings_for(embedded_broker, prefix, folder).model_copy(
        update={"health_address": "127.0.0.1:0", "log_level": "info"}
    )
    asyncio.run(ensure_topics(embedded_broker, topics.specs((AGREEMENT,))))
    bodies = [report(), report(report_id="FO-2"), report(report_id="FO-3", colour="red"), b"no JSON"]
    asyncio.run(write(embedded_broker, topics.incidents, 0, [(None, body, []) for body in bodies]))
    with running(("intake", "ledger"), settings) as workers:
        wait_until(lambda: all(worker.probes for worker in workers))
        addresses = {worker.role: worker.probes for worker in workers}
        wait_until(lambda: all(get(f"{url}/readyz")[0] == 200 for url in addresses.values()))
        yield {"workers": workers, "data": settings.data, **addresses}


def test_a_worker_at_work_is_alive_and_ready(up: dict[str, Any]) -> None:
    for role in ("intake", "ledger"):
        status, body = get(f"{up[role]}/livez")
        assert (status, body["alive"]) == (200, True)
        assert get(f"{up[role]}/readyz") == (200, {"ready": True, "reasons": []})


def one(name: str, **labels: str) -> Sample:
    """Return the name of a sample."""
    return name, frozenset(labels.items())


def test_the_ledgers_metrics_say_what_it_committed(up: dict[str, Any]) -> None:
    """Each comes with the commit, tick or copy that it is about: all are there once all have been made."""
    where = {"topic": "t.probes.facts.syria-2016.v1", "partition": "0"}
    due = {
        one("trucewatch_events_total", feed="field-office", outcome="accepted"): 2.0,
        one("trucewatch_events_total", feed="field-office", outcome="rejected"): 1.0,
        one("trucewatch_rejects_total", code="unknown_field"): 1.0,
        one("trucewatch_rejects_total", code="not_json"): 1.0,
        one("trucewatch_gate_open"): 0.0,
        one("trucewatch_region_streak_days", region="SY02"): 0.0,
        one("trucewatch_window_day_state", region="SY02", days_ago="0", verdict="MET"): 0.0,
        one("trucewatch_build_info", version="0.1.0", role="ledger", agreement=AGREEMENT): 1.0,
        # Ticks arrive all the time: there is a moment in which none waits.
        one("trucewatch_consumer_lag_records", **where): 0.0,
        one("trucewatch_consumer_lag_seconds", **where): 0.0,
    }
    wait_until(lambda: due.items() <= samples(up["ledger"]).items())
    last_event = one("trucewatch_feed_last_event_timestamp_seconds", feed="field-office")
    published, commits = (
        one("trucewatch_published_timestamp_seconds"),
        one("trucewatch_sink_commit_duration_seconds_count"),
    )
    wait_until(lambda: {last_event, published, commits} <= samples(up["ledger"]).keys())
    found = samples(up["ledger"])
    assert found[commits] >= 1
    assert all(abs(time.time() - found[each]) < 3_600 for each in (last_event, published))


def test_intakes_metrics_say_what_it_read(up: dict[str, Any]) -> None:
    read = {"name": "trucewatch_intake_records_total", "topic": "t.probes.incidents.v1"}
    due = {one(**read, outcome="accepted"): 2.0, one(**read, outcome="rejected"): 2.0}
    wait_until(lambda: due.items() <= samples(up["intake"]).items())


def test_no_label_holds_an_identity_of_a_report(up: dict[str, Any]) -> None:
    text = get(f"{up['ledger']}/metrics")[1] + get(f"{up['intake']}/metrics")[1]
    assert "FO-1" not in text


def test_every_metric_an_alert_names_exists(up: dict[str, Any]) -> None:
    """An alert on a name nobody serves never fires."""
    rules = yaml.safe_load((Path(__file__).parents[2] / "deploy" / "prometheus" / "alerts.yml").read_text("utf-8"))
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
    wait_until(lambda: named <= {name for role in ("intake", "ledger") for name, _ in samples(up[role])})


def test_a_worker_that_is_stopped_is_not_answered_for(up: dict[str, Any]) -> None:
    """SIGSTOP stops the probes too: a prober sees its own time limit pass."""
    (intake,) = [worker for worker in up["workers"] if worker.role == "intake"]
    os.kill(intake.pid, signal.SIGSTOP)
    try:
        # A signal takes its time, in which it would still answer.
        wait_until(lambda: stands_still(intake))
        with pytest.raises(TimeoutError):
            urllib.request.urlopen(f"{up['intake']}/livez", timeout=1)  # noqa: S310 - loopback
    finally:
        os.kill(intake.pid, signal.SIGCONT)
    wait_until(lambda: get(f"{up['intake']}/livez")[0] == 200)


def reasons(url: str) -> list[str]:
    """Return why a worker is not ready; nothing when it is."""
    return list(get(f"{url}/readyz")[1]["reasons"])


def test_a_worker_with_nothing_to_do_is_unready_without_a_broker_until_it_is_back_or_patience_ends(
    tmp_path: Path,
) -> None:
    with EmbeddedBroker(tmp_path / "broker") as broker:
        assert broker.pid is not None
        settings = settings_for(broker.url, "truce", tmp_path).model_copy(
            update={"health_address": "127.0.0.1:0", "log_level": "info"}
        )
        with (
            worker(settings, "intake", broker_patience_seconds=3_600.0) as patient,
            worker(settings, broker_patience_seconds=35.0) as impatient,
        ):
            both = (patient, impatient)
            wait_until(lambda: all(each.probes for each in both))
            urls = [str(each.probes) for each in both]
            wait_until(lambda: not any(reasons(url) for url in urls))
            wait_until(lambda: all(samples(url)[AWAY] == 0 for url in urls))
            os.kill(broker.pid, signal.SIGSTOP)
            gone = time.monotonic()
            try:
                away = re.compile(r"no broker has answered for \d+ s")
                wait_until(lambda: any(away.fullmatch(each) for each in reasons(urls[0])), patient)
                assert samples(urls[0])[AWAY] >= READY_AWAY_SECONDS
                code, said = end_of(impatient)
                assert time.monotonic() - gone > 25, "35 s from the last answer, which may be some seconds old"
            finally:
                os.kill(broker.pid, signal.SIGCONT)
            assert code == 3
            assert any(f"no Kafka broker answered at {broker.url} for" in line for line in said)
            wait_until(lambda: not reasons(urls[0]), patient)
