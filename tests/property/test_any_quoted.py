"""The figures to be quoted are those of a plain recount of the tables, on random histories."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pytest

from schemas.agreement import Agreement
from schemas.truceday import from_micros
from sinks import reading
from tests.support.effort import cases
from tests.support.judged import History
from tests.support.random_history import random_history
from tests.support.worlds import at

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


class Judged(NamedTuple):
    """A random history, judged, and its published file."""

    truce: Agreement
    connection: duckdb.DuckDBPyConnection
    now: datetime

    def rows(self, sql: str, *given: Any) -> list[Any]:
        """Return what a query finds, each row by its columns' names."""
        found = self.connection.execute(sql, list(given))
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    @property
    def is_over(self) -> bool:
        """Whether the ledger's time has passed the agreement's last day."""
        return self.truce.last_day is not None and self.day_at(self.now) > self.truce.last_day

    def start_of(self, day: date) -> datetime:
        """Return the first instant of a truce-day."""
        return from_micros(self.truce.calendar.start_of(day))

    def day_at(self, instant: datetime) -> date:
        """Return the truce-day that holds an instant."""
        return self.truce.calendar.day_at(round(instant.timestamp() * 1_000_000))


def _told(seed: int) -> History:
    history = random_history(seed, 150, 12, linking=seed % 2 == 1)
    return history.tick(at(13, seed % 24))


@pytest.fixture(scope="module", params=cases(range(12), fast=2))
def judged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judged]:
    """A file of a random history."""
    history = _told(request.param)
    connection = reading.open_published(history.judged(tmp_path_factory.mktemp("quoted")))
    ((now,),) = connection.execute("SELECT now FROM ledger_state").fetchall()
    yield Judged(history.agreement, connection, now)
    connection.close()


def added(figures: list[int | None]) -> int | None:
    """Return the sum of what is known; None where nothing is."""
    known = [figure for figure in figures if figure is not None]
    return sum(known) if known else None


def daily(judged: Judged) -> Iterator[dict[str, Any]]:
    """Recount the windows of every region and day since the baseline's first."""
    truce = judged.truce
    begins = truce.violence.baseline.first_day
    counts = {(row["region"], row["truce_day"]): row for row in judged.rows("FROM day_tallies")}
    verdicts = {(row["region"], row["truce_day"]): row for row in judged.rows("FROM day_verdicts")}
    incidents = judged.rows("FROM incidents WHERE in_scope AND counted")
    reached = judged.rows("FROM convoys WHERE delivered_at <= ?", judged.now)
    for region in truce.regions:
        for day in truce.calendar.days_between(begins, max(day for _, day in verdicts)):
            first = max(day - 6 * DAY, truce.first_day if day >= truce.first_day else begins)
            span = truce.calendar.days_between(first, day)
            held = [verdicts.get((region, each)) or counts.get((region, each)) or {} for each in span]
            last = min(judged.start_of(day + DAY) - timedelta(microseconds=1), judged.now)
            last = last.replace(minute=0, second=0, microsecond=0)
            recent = [
                each
                for each in incidents
                if each["region"] == region and last - 167 * HOUR <= each["occurred_from"] < last + HOUR
            ]
            found = [each.get("verdict") for each in held]
            shares = [each["covered_share"] for each in held if "covered_share" in each]
            within = (judged.start_of(first), judged.start_of(day + DAY))
            yield {
                "region": region,
                "truce_day": day,
                "first_day": first,
                "days_met": found.count("MET"),
                "days_broken": found.count("BROKEN"),
                "days_unknown": found.count("UNKNOWN"),
                "covered_share": pytest.approx(sum(shares) / len(shares)) if shares else None,
                "incidents": sum(each.get("incidents", 0) for each in held),
                "incidents_without_toll": sum(each.get("incidents_without_toll", 0) for each in held),
                "deaths_low": added([each.get("deaths_low") for each in held]),
                "deaths_best": added([each.get("deaths_best") for each in held]),
                "deaths_high": added([each.get("deaths_high") for each in held]),
                "people_reached": added(
                    [
                        each["people_reached"]
                        for each in reached
                        if each["region"] == region and within[0] <= each["delivered_at"] < within[1]
                    ]
                ),
                "incidents_168h": len(recent),
                "deaths_best_168h": added(
                    [each["deaths_best"] or 0 for each in recent if each["deaths_high"] is not None]
                ),
            }


def test_rolling_windows_are_those_of_a_plain_recount(judged: Judged) -> None:
    found = judged.rows(
        "SELECT * EXCLUDE (agreement, region_name) FROM region_windows_daily ORDER BY region, truce_day"
    )
    assert found == list(daily(judged))


def test_the_last_rolling_window_is_the_present_one(judged: Judged) -> None:
    same = "region, first_day, last_day, days_met, days_broken, days_unknown, incidents, deaths_best"
    if not judged.is_over:
        # Once the truce is over the present 168 hours go on, those of its last day do not.
        same += ", incidents_168h, deaths_best_168h"
    last = judged.rows(
        f"SELECT {same.replace('last_day', 'truce_day AS last_day')} FROM region_windows_daily "
        "WHERE truce_day = (SELECT max(truce_day) FROM truce_days) ORDER BY region"
    )
    assert last == judged.rows(f"SELECT {same} FROM region_windows ORDER BY region")


@pytest.mark.parametrize("days", [0.5, 3, 9, 30])
def test_rolling_windows_of_the_past_are_those_of_the_verdicts_held_then(judged: Judged, days: float) -> None:
    instant = from_micros(at(days))
    held = judged.rows("SELECT * FROM verdicts_as_of(?) ORDER BY region, truce_day", instant)
    found = judged.rows("SELECT * FROM region_windows_as_of(?) ORDER BY region, truce_day", instant)
    assert [(row["region"], row["truce_day"]) for row in found] == [(row["region"], row["truce_day"]) for row in held]
    for row in found:
        span = [
            each
            for each in held
            if each["region"] == row["region"] and row["truce_day"] - 6 * DAY <= each["truce_day"] <= row["truce_day"]
        ]
        verdicts = [each["verdict"] for each in span]
        assert row["first_day"] == span[0]["truce_day"]
        assert [row["days_met"], row["days_broken"], row["days_unknown"]] == [
            verdicts.count(verdict) for verdict in ("MET", "BROKEN", "UNKNOWN")
        ]
        assert row["covered_share"] == pytest.approx(sum(each["covered_share"] for each in span) / len(span))
        assert row["incidents"] == sum(each["incidents"] for each in span)
        assert row["incidents_without_toll"] == sum(each["incidents_without_toll"] for each in span)
        for toll in ("deaths_low", "deaths_best", "deaths_high"):
            assert row[toll] == added([each[toll] for each in span])


def test_convoys_due_are_those_of_a_plain_recount(judged: Judged) -> None:
    truce = judged.truce
    allowed, starts = truce.access.overdue_after_hours * HOUR, from_micros(truce.effective)
    ends = None if truce.last_day is None else from_micros(truce.calendar.end_of(truce.last_day))
    until = judged.now if ends is None else min(judged.now, ends)
    convoys = [row for row in judged.rows("FROM convoys") if row["region"] in truce.access.regions]
    recounted = {}
    for convoy in convoys:
        name = f"{convoy['feed']}/{convoy['convoy_id']}"
        closed = convoy["delivered_at"] is None and convoy["state"] in ("denied", "turned_back", "attacked")
        instead = [
            other["delivered_at"]
            for other in convoys
            if closed
            and other["region"] == convoy["region"]
            and convoy["place"] in (None, other["place"])
            and other["delivered_at"] is not None
            and other["delivered_at"] >= convoy["since"]
        ]
        settled = convoy["delivered_at"] or min(instead, default=None)
        if (settled is None or settled >= starts) and (ends is None or convoy["first_known"] < ends):
            due = max(convoy["first_known"], starts) + allowed
            late = (settled or until) - due
            recounted[name] = {
                "due_at": due,
                "is_owed": settled is None,
                "overdue": late >= timedelta(0),
                "hours_overdue": pytest.approx(max(late / HOUR, 0)),
                "made_good_at": min(instead, default=None),
                "people_reached": convoy["people_reached"],
            }
    found = {row["convoy"]: row for row in judged.rows("FROM convoys_due")}
    kept = ("due_at", "is_owed", "overdue", "hours_overdue", "made_good_at", "people_reached")
    assert {name: {column: row[column] for column in kept} for name, row in found.items()} == recounted


def test_a_convoy_is_overdue_now_where_the_access_leg_says_so(judged: Judged) -> None:
    """The leg names the overdue ones of a region's running day, unless an attack broke it already."""
    if judged.is_over:
        pytest.skip("no day runs any more")
    last = judged.rows("FROM day_verdicts QUALIFY row_number() OVER (PARTITION BY region ORDER BY truce_day DESC) = 1")
    owed = judged.rows("FROM convoys_due WHERE is_owed AND overdue")
    for row in last:
        named = judged.rows("SELECT ?::JSON ->> '$.access[*]' AS convoys", row["evidence"])[0]["convoys"]
        told = judged.rows("SELECT ?::JSON ->> '$[1].rule' AS rule", row["reasons"])[0]["rule"]
        if told == "overdue":
            assert sorted(each["convoy"] for each in owed if each["region"] == row["region"]) == named


def test_streaks_are_those_of_a_plain_recount(judged: Judged) -> None:
    recounted = []
    for region in judged.truce.regions:
        days = judged.rows("FROM day_verdicts WHERE region = ? AND state <> 'OPEN' ORDER BY truce_day", region)
        run: list[Any] = []
        for row in [*days, None]:
            if row is not None and row["verdict"] == "MET":
                run.append(row["truce_day"])
            elif run:
                ended = (row["truce_day"], row["verdict"], row["rule"]) if row else (None, None, None)
                recounted.append((region, run[0], run[-1], len(run), *ended))
                run = []
    columns = "region, first_day, last_day, days, ended_day, ended_by, ended_rule"
    found = judged.rows(f"SELECT {columns} FROM streak_history ORDER BY region, first_day")
    assert [tuple(row.values()) for row in found] == recounted


def test_a_line_of_the_gate_names_the_verdicts_of_its_tick_that_changed(judged: Judged) -> None:
    history = judged.rows("FROM gate_history ORDER BY tick_offset")
    versions = judged.rows("FROM day_verdict_versions ORDER BY region, truce_day, version")
    moved: dict[int, list[Any]] = {}
    for before, after in pairwise(versions):
        same = all(before[key] == after[key] for key in ("region", "truce_day"))
        if same and before["verdict"] != after["verdict"] and after["region"] in judged.truce.gate_regions:
            moved.setdefault(after["tick_offset"], []).append(
                {name: after[name] for name in ("region", "truce_day")}
                | {"verdict_before": before["verdict"], "verdict": after["verdict"]}
            )
    found = judged.rows("FROM gate_causes ORDER BY tick_offset")
    assert [row["days"] for row in found] == [moved.get(line["tick_offset"], []) for line in history]
    befores = [None, *(line["regions_holding"] for line in history)][: len(history)]
    assert [row["regions_holding_before"] for row in found] == befores


def _told_of(judged: Judged) -> list[Any]:
    told = judged.rows("FROM reports WHERE type = 'incident' AND present AND NOT retracted AND in_scope")
    return [row for row in told if row["region"] in judged.truce.regions]


def _within(one: Any, other: Any) -> bool:
    return bool(other["occurred_from"] <= one["occurred_from"] and one["occurred_to"] <= other["occurred_to"])


def _agree(one: Any, other: Any, *columns: str) -> bool:
    return all(one[column] == other[column] for column in columns)


def _hours_of_nothing(judged: Judged) -> list[dict[str, Any]]:
    """Return the notices of nothing, those of a feed and region that touch or overlap as one."""
    found: list[dict[str, Any]] = []
    for notice in judged.rows("FROM coverage WHERE nil ORDER BY region, feed, occurred_from"):
        last = found[-1] if found else None
        if last and _agree(last, notice, "region", "feed") and notice["occurred_from"] <= last["occurred_to"]:
            last["occurred_to"] = max(last["occurred_to"], notice["occurred_to"])
        else:
            found.append(dict(notice))
    return found


def nothing_to_report(judged: Judged) -> Iterator[tuple[Any, ...]]:
    """Recount the hours of nothing within which another feed tells of something."""
    days = {row["truce_day"] for row in judged.rows("FROM truce_days")}
    counted = [row for row in judged.rows("FROM bulletins WHERE in_scope") if row["incidents"]]
    told = [("nil_and_incidents", row) for row in _told_of(judged)] + [("nil_and_bulletin", row) for row in counted]
    for nothing in _hours_of_nothing(judged):
        for kind, row in told:
            elsewhere = row["region"] != nothing["region"] or row["feed"] == nothing["feed"]
            if row["truce_day"] not in days or elsewhere or row["occurred_from"] == nothing["occurred_to"]:
                continue
            if _within(row, nothing):
                yield row["region"], row["truce_day"], kind, nothing["feed"], row["feed"]


def counts_too_low(judged: Judged) -> Iterator[tuple[Any, ...]]:
    """Recount the bulletins that count less than another feed tells of."""
    lines = judged.rows("FROM bulletins WHERE region IS NOT NULL AND truce_day IS NOT NULL AND NOT at_least")
    told = _told_of(judged)
    incident_of = {row["fact_offset"]: (row["feed"], row["report_id"]) for row in told}
    for row in judged.rows("FROM linked_reports"):
        incident_of[row["fact_offset"]] = (row["incident_feed"], row["incident_report_id"])
    for feed, report_id, region in {(line["feed"], line["report_id"], line["region"]) for line in lines}:
        own = [line for line in lines if (line["feed"], line["report_id"], line["region"]) == (feed, report_id, region)]
        for other in {row["feed"] for row in told} - {feed}:
            known = [row for row in told if row["feed"] == other and _agree(row, own[0], "region", "truce_day")]
            within = {incident_of[row["fact_offset"]] for row in known if _within(row, own[0])}
            if len(within) > sum(line["incidents"] for line in own):
                yield region, own[0]["truce_day"], "count_below_incidents", feed, other


def counts_that_differ(judged: Judged) -> Iterator[tuple[Any, ...]]:
    """Recount the pairs of bulletins of one period whose counts differ."""
    tallied = judged.rows("FROM bulletin_days WHERE told_last AND region IS NOT NULL")
    for one in tallied:
        for other in tallied:
            alike = _agree(one, other, "region", "truce_day", "accused", "occurred_from", "occurred_to")
            if alike and one["feed"] < other["feed"]:
                less, more = sorted((one, other), key=lambda row: row["bulletin_incidents"])
                if less["bulletin_incidents"] < more["bulletin_incidents"] and not less["at_least"]:
                    yield one["region"], one["truce_day"], "counts", one["feed"], other["feed"]


def tolls_apart(judged: Judged) -> Iterator[tuple[Any, ...]]:
    """Recount the pairs of reports of one incident whose tolls do not meet."""
    by_fact = {row["fact_offset"]: row for row in _told_of(judged)}
    linked = judged.rows("FROM linked_reports WHERE standing = 'active'")
    linked = [row for row in linked if row["fact_offset"] in by_fact]
    for one in linked:
        for other in linked:
            if not _agree(one, other, "incident_feed", "incident_report_id") or one["feed"] == other["feed"]:
                continue
            low, high = by_fact[one["fact_offset"]], by_fact[other["fact_offset"]]
            most = low["deaths_best"] if low["deaths_high"] is None else low["deaths_high"]
            least = high["deaths_best"] if high["deaths_low"] is None else high["deaths_low"]
            if most is not None and least is not None and most < least:
                yield low["region"], low["truce_day"], "tolls", one["feed"], other["feed"]


def deliveries_refuted(judged: Judged) -> Iterator[tuple[Any, ...]]:
    """Recount the deliveries another feed speaks against."""
    judged_days = {row["truce_day"] for row in judged.rows("FROM truce_days")}
    for step in judged.rows("FROM convoy_events WHERE step IN ('offloaded', 'distributed') AND NOT counts"):
        day = judged.day_at(step["occurred_from"])
        for objection in (step["flaw"] or "").split("; "):
            if " says " in objection and day in judged_days:
                yield step["region"], day, "delivery", step["feed"], objection.partition("/")[0]


def test_contradictions_are_those_of_a_plain_recount(judged: Judged) -> None:
    found = judged.rows("SELECT DISTINCT region, truce_day, kind, one_feed, other_feed FROM contradictions")
    pairs = (nothing_to_report, counts_too_low, counts_that_differ, tolls_apart, deliveries_refuted)
    assert {tuple(row.values()) for row in found} == {pair for each in pairs for pair in each(judged)}


@pytest.mark.slow
def test_drawn_histories_have_what_is_compared(tmp_path: Path) -> None:
    seen: set[str] = set()
    for seed in range(12):
        connection = reading.open_published(_told(seed).judged(tmp_path / str(seed)))
        seen |= {kind for (kind,) in connection.execute("SELECT DISTINCT kind FROM contradictions").fetchall()}
        for name, sql in {
            "made good": "FROM convoys_due WHERE made_good_at IS NOT NULL",
            "overdue": "FROM convoys_due WHERE overdue",
            "ended": "FROM streak_history WHERE ended_day IS NOT NULL",
            "named": "FROM gate_causes WHERE len(days) > 0",
            "no toll": "FROM region_windows_daily WHERE incidents > 0 AND deaths_best IS NULL",
        }.items():
            if connection.execute(f"SELECT count(*) {sql}").fetchall() != [(0,)]:
                seen.add(name)
        connection.close()
    assert seen >= {"nil_and_incidents", "count_below_incidents", "overdue", "ended", "named", "no toll"}
