"""The bench of other stream processors: what they are given, what they are held against, and what is written."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest

from schemas.agreement_file import load_agreement
from schemas.gazetteer import load_gazetteer
from schemas.reports import Place
from tests.bench.growth import axes
from tests.bench.page import machine
from tests.bench.peers.environments import HERE
from tests.bench.peers.measure import Latency, Recovery, Throughput
from tests.bench.peers.peer import Work
from tests.bench.peers.peers import PEERS
from tests.bench.peers.plan import planned, written
from tests.bench.peers.processes import Command, PeerFailed, Processes
from tests.bench.peers.recount import DAY_MS, Recount, Row, differing, regions
from tests.bench.peers.written import Measured, markdown, whole
from tests.bench.reports import NAMES, reports, running_truce
from tests.support.brokers import need_kafka
from tests.support.effort import EVERY
from tests.support.shell import ROOT


def record(name: str, revision: int, place: dict[str, object], deaths: int, at: str = "2026-11-10T12:00:00Z") -> bytes:
    """Return a record as far as windows need it."""
    return orjson.dumps(
        {
            "feed": "office",
            "report_id": name,
            "revision": revision,
            "place": place,
            "occurred": {"from": at},
            "deaths": {"best": deaths},
        }
    )


@cache
def drawn() -> list[tuple[bytes, bytes]]:
    """Return the same reports for each test."""
    return list(reports(10_000))


@cache
def readable() -> list[dict[str, Any]]:
    """Return those of them that are JSON."""
    return [orjson.loads(value) for key, value in drawn() if key != b"broken"]


def test_reports_are_mostly_new_with_corrections_copies_and_unreadable_ones_among_them() -> None:
    copies = len(readable()) - len({(each["report_id"], each["revision"]) for each in readable()})
    assert 0.007 < 1 - len(readable()) / len(drawn()) < 0.013
    assert 0.015 < copies / len(drawn()) < 0.025
    assert 0.03 < sum(each["revision"] > 1 for each in readable()) / len(drawn()) < 0.05
    assert 800 < sum(len(value) for _, value in drawn()) / len(drawn()) < 1_000


def test_no_two_corrections_of_a_report_contradict_each_other() -> None:
    bodies = {value for key, value in drawn() if key != b"broken"}
    named = Counter((report["report_id"], report["revision"]) for report in map(orjson.loads, bodies))
    assert max(named.values()) == 1
    assert any(revision > 2 for _, revision in named)


def test_every_place_that_reports_name_is_in_a_region() -> None:
    assert regions().keys() == set(NAMES)
    assert all(code.startswith("SY") for code in regions().values())


def test_a_report_counts_in_each_of_the_seven_windows_that_hold_its_day() -> None:
    recount = Recount({"Homs": "SY04"})
    recount.add(record("a", 1, {"names": ["Homs"]}, 3))
    day = 20_767 * DAY_MS
    assert recount.counted() == {("SY04", day - back * DAY_MS): Row(1, 3) for back in range(7)}


def test_counts_take_each_readable_record_and_judgements_the_last_revision() -> None:
    recount = Recount({"Homs": "SY04"})
    for value in (
        record("a", 1, {"pcode": "SY02"}, 3),
        record("a", 3, {"names": ["Homs"]}, 5),
        record("a", 2, {"pcode": "SY02"}, 9),
        record("a", 3, {"names": ["Homs"]}, 5),
        b'{"feed": ',
    ):
        recount.add(value)
    assert (recount.records, recount.readable, recount.reports) == (5, 4, 1)
    assert {key[0]: row for key, row in recount.counted().items()} == {"SY02": Row(2, 12), "SY04": Row(2, 10)}
    assert {key[0]: row for key, row in recount.judged().items()} == {"SY04": Row(1, 5)}


def test_a_window_too_many_one_missing_and_one_otherwise_all_differ() -> None:
    expected = {("SY02", 0): Row(1, 1), ("SY03", 0): Row(1, 1), ("SY04", 0): Row(1, 1)}
    found = {("SY02", 0): Row(1, 1), ("SY03", 0): Row(2, 1), ("SY05", 0): Row(1, 1)}
    assert differing(found, expected) == 3
    assert differing(expected, expected) == 0


def test_every_peer_pins_what_it_is_made_of() -> None:
    assert all(number[0].isdigit() for peer in PEERS.values() for number in peer.versions().values())
    lists = sorted(HERE.glob("*/requirements.txt"))
    assert len(lists) == 3
    for each in lists:
        lines = [line for line in each.read_text("utf-8").splitlines() if not line.startswith("#")]
        assert lines
        assert all("==" in line for line in lines), each


def test_a_process_that_ends_by_itself_is_told_with_its_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "peer.log"
    command = Command([sys.executable, "-c", "raise SystemExit('out of luck')"])
    with Processes([command], log) as processes, pytest.raises(PeerFailed, match="out of luck"):
        _check_for_ever(processes)


def test_a_killed_process_is_gone_and_another_takes_its_place(tmp_path: Path) -> None:
    command = Command([sys.executable, "-c", "import os, time; print(os.environ['PEER'], flush=True); time.sleep(600)"])
    log = tmp_path / "peer.log"
    with Processes([replace(command, environment={"PEER": "here"})], log) as processes:
        for times in (1, 2):
            while log.read_text("utf-8").count("here\n") < times:
                processes.check()
                time.sleep(0.01)
            assert processes.peak_bytes() > 0
            processes.kill()
            assert processes.peak_bytes() == 0
            processes.start()


def test_a_plan_gives_a_slow_peer_fewer_reports_and_the_yardstick_no_recovery() -> None:
    asked = (("throughput", "recovery", "latency"), 600_000, 150_000, (200, 2_000), 8)
    bare, faust = planned(PEERS["bare"], *asked), planned(PEERS["faust"], *asked)
    assert (bare.reports, bare.recovery_reports, bare.rates) == (600_000, 0, ())
    assert (faust.reports, faust.recovery_reports, faust.rates) == (20_000, 20_000, (200, 2_000))
    assert "stock Faust tables: 20,000 reports; a kill in 20,000; latency at 200, 2,000/s" in written([bare, faust])


def test_the_whole_plan_takes_some_half_an_hour() -> None:
    measures, rates = ("throughput", "recovery", "latency"), (200, 2_000, 20_000)
    plans = [planned(peer, measures, 600_000, 150_000, rates, 8) for peer in PEERS.values()]
    assert sum(plan.seconds for plan in plans) < 35 * 60


def test_regions_days_and_corrections_of_reports_are_those_asked_for() -> None:
    codes = ("SY02", "SY20001")
    drawn = list(reports(5_000, span=timedelta(days=3), regions=codes, corrections=0.3))
    told = [orjson.loads(value) for key, value in drawn if key != b"broken"]
    assert {each["place"]["pcode"] for each in told} == set(codes)
    times = [datetime.fromisoformat(each["occurred"]["from"]) for each in told]
    assert timedelta(days=2) < max(times) - min(times) < timedelta(days=4)
    assert 0.15 < sum(each["revision"] > 1 for each in told) / len(told) < 0.35


def test_a_truce_of_five_thousand_regions_is_an_agreement(tmp_path: Path) -> None:
    point = next(each for each in axes(1, ()) if each.name == "5,000")
    truce = load_agreement(str(running_truce(tmp_path, regions=point.load.regions, name="other")))
    assert (truce.id, len(truce.regions)) == ("other", 5_000)
    assert load_gazetteer(truce.gazetteer).locate(Place(pcode=point.load.regions[-1])).region == point.load.regions[-1]


def _measured() -> list[Measured]:
    fast = Throughput(1_000, 100_000.0, 8.0, 5.0, 70.0, 0.5, None)
    slow = Throughput(1_000, 25_000.0, 40.0, 20.0, 900.0, 6.2, 0)
    waits = [
        Latency(200, 199.0, 105.4, 240.0),
        Latency(2_000, 900.0, 300.0, 400.0),
        Latency(20_000, 20_000.0, None, None),
    ]
    return [
        Measured(PEERS["bare"], fast),
        Measured(PEERS["kafka-streams"], slow, Recovery(7.25, 3), waits),
        Measured(PEERS["faust"], failed={"recovery": "stood still at 7\nand more"}),
        Measured(PEERS["bare"], replace(fast, rate=60_000.0)),
    ]


def test_rates_stand_beside_the_mean_of_both_runs_of_the_yardstick() -> None:
    lines = markdown(_measured(), machine()).splitlines()
    assert "| Kafka Streams | counts and sums windows | 1,000 | 25,000 | 0.312 | 40 | 20 | 900 |" in lines
    assert "| Kafka Streams | exactly once, RocksDB | 6.2 | 7.2 | 0 | 3 |" in lines
    assert "| Kafka Streams | 105, 240 | 300, 400 (at 900/s) | did not keep up |" in lines
    assert "Given up: stock Faust tables, recovery: stood still at 7" in lines


def test_a_page_and_a_file_name_machine_versions_and_commit() -> None:
    where = machine()
    page = markdown(_measured(), where)
    assert where["commit"] in page
    assert f"kafka-streams {PEERS['kafka-streams'].versions()['kafka-streams']}" in " ".join(page.split())
    kept = json.loads(whole(_measured(), where))
    assert kept["machine"] == where
    assert kept["measured"][1]["recovery"] == {"seconds": 7.25, "differing": 3}
    assert kept["measured"][1]["latencies"][0]["p99_ms"] == 240.0
    assert kept["measured"][2]["failed"]["recovery"].startswith("stood still")


def test_peers_count_judge_or_do_the_equal_job_and_only_the_yardstick_keeps_nothing() -> None:
    assert [peer.name for peer in PEERS.values() if peer.found is None] == ["bare"]
    assert {peer.work for peer in PEERS.values()} == set(Work)


@pytest.mark.kafka
@pytest.mark.broker
@pytest.mark.skipif(not EVERY, reason="make test-every runs it; it measures for a minute")
def test_the_yardstick_and_trucewatch_run_on_apache_kafka_and_nothing_differs(tmp_path: Path) -> None:
    need_kafka()
    kept = tmp_path / "peers.json"
    few = ["--reports", "60000", "--recovery-reports", "30000", "--measures", "throughput", "recovery"]
    few += ["--peers", "bare", "trucewatch", "--json", str(kept)]
    command = [sys.executable, "-m", "tests.bench.peers", *few]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1_200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    bare, trucewatch, again = json.loads(kept.read_text("utf-8"))["measured"]
    assert bare["throughput"]["records"] == again["throughput"]["records"] == 60_000
    assert trucewatch["throughput"]["differing"] == 0
    assert trucewatch["recovery"]["differing"] == 0


def _check_for_ever(processes: Processes) -> None:
    while True:
        processes.check()
        time.sleep(0.01)
