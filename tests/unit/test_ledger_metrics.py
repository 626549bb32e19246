"""The ledger's metrics: bounded, and taken from rows."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import yaml

from schemas.rows import Amendment, Changes, DayVerdict, FeedRow
from streams.engine.metrics import registry_of
from streams.ledger.metrics import MOST_FEEDS, OTHER_FEEDS, WINDOW_DAYS, LedgerMetrics
from tests.support.rows import reject_row, verdict_row

FINDINGS = ("MET", "BROKEN", "UNKNOWN")


def feed(name: str, accepted: int) -> FeedRow:
    return FeedRow(name, 0, 1_000_000, accepted, 0, 0, 0, 0, 0)


REJECT = reject_row(1)


def verdict(day: date, found: str) -> DayVerdict:
    return verdict_row("SY01", truce_day=day, verdict=found, state="OPEN", violence=found, access=found)


def test_feeds_beyond_the_most_are_one_and_none_of_their_records_is_lost() -> None:
    metrics = LedgerMetrics()
    metrics.resumed([feed("small", 1), feed("large", 500)], [], None)
    registry = registry_of(metrics)
    metrics.committed(Changes(feeds=[feed(f"feed-{number:04}", 1) for number in range(1_000)]), 0.1)
    name = "trucewatch_events_total"
    series = [one.labels for each in registry.collect() for one in each.samples if one.name == name]
    assert len({labels["feed"] for labels in series}) == MOST_FEEDS + 1
    assert registry.get_sample_value(name, {"feed": "large", "outcome": "accepted"}) == 500
    assert registry.get_sample_value(name, {"feed": "small", "outcome": "accepted"}) == 1
    rest = 1_000 - (MOST_FEEDS - 2)
    assert registry.get_sample_value(name, {"feed": OTHER_FEEDS, "outcome": "accepted"}) == rest


def test_only_the_days_of_a_window_are_shown_and_each_is_one_thing() -> None:
    metrics = LedgerMetrics()
    registry = registry_of(metrics)
    first = date(2016, 9, 1)
    days = [first + timedelta(days=number) for number in range(20)]
    metrics.committed(Changes(verdict_log=[verdict(day, "MET") for day in days]), 0.1)
    metrics.committed(Changes(verdict_log=[verdict(days[-2], "BROKEN")]), 0.1)
    name = "trucewatch_window_day_state"
    shown = [one for each in registry.collect() for one in each.samples if one.name == name and one.value]
    assert sorted((one.labels["days_ago"], one.labels["verdict"]) for one in shown) == [
        (str(ago), "BROKEN" if ago == 1 else "MET") for ago in range(WINDOW_DAYS)
    ]


def test_convoys_are_overdue_by_the_newest_day_of_their_region() -> None:
    metrics = LedgerMetrics()
    registry = registry_of(metrics)
    day = date(2016, 9, 12)
    reasons = [{"leg": leg, "rule": rule} for leg, rule in (("violence", "within_limit"), ("access", "overdue"))]
    told = {
        "reasons": json.dumps(reasons),
        "evidence": json.dumps({"violence": [], "access": ["un/aid-1", "un/aid-2"]}),
    }
    metrics.committed(Changes(verdict_log=[verdict(day, "BROKEN")._replace(**told)]), 0.1)
    assert registry.get_sample_value("trucewatch_convoys_overdue", {"region": "SY01"}) == 2
    metrics.committed(Changes(verdict_log=[verdict(day + timedelta(days=1), "MET")]), 0.1)
    assert registry.get_sample_value("trucewatch_convoys_overdue", {"region": "SY01"}) == 0


def test_amended_verdicts_are_counted_from_nought_on_and_an_alert_looks_at_met_and_broken_ones() -> None:
    metrics = LedgerMetrics()
    registry = registry_of(metrics)
    day, name = date(2016, 9, 12), "trucewatch_amended_verdicts_total"
    metrics.committed(Changes(verdict_log=[verdict(day, "MET")]), 0.1)

    def counted() -> list[float | None]:
        return [registry.get_sample_value(name, {"region": "SY01", "before": each}) for each in FINDINGS]

    assert counted() == [0, 0, 0]
    met, unknown, broken = (verdict(day, found) for found in ("MET", "UNKNOWN", "BROKEN"))
    amended = [
        Amendment(met, broken),
        Amendment(unknown, broken),
        Amendment(broken, broken._replace(violence="MET", access="BROKEN")),
    ]
    metrics.committed(Changes(amendments=amended), 0.1)
    assert counted() == [1, 0, 1]
    rules = yaml.safe_load((Path(__file__).parents[2] / "deploy" / "prometheus" / "alerts.yml").read_text("utf-8"))
    found = {rule["alert"]: rule for group in rules["groups"] for rule in group["rules"]}
    assert found["TrucewatchVerdictAmended"]["expr"] == (
        f'sum by (region) (increase({name}{{before=~"MET|BROKEN"}}[1h])) > 0'
    )


def test_rejects_are_counted_by_code_and_commits_by_how_long_they_took() -> None:
    metrics = LedgerMetrics()
    registry = registry_of(metrics)
    metrics.rejected([REJECT] * 3)
    metrics.committed(Changes(), 7.0)
    assert registry.get_sample_value("trucewatch_rejects_total", {"code": "not_json"}) == 3
    commits = "trucewatch_sink_commit_duration_seconds"
    assert registry.get_sample_value(f"{commits}_bucket", {"le": "5.0"}) == 0
    assert registry.get_sample_value(f"{commits}_bucket", {"le": "10.0"}) == 1
    assert registry.get_sample_value(f"{commits}_sum") == 7.0
