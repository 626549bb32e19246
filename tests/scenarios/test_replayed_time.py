"""Recorded files replayed: time is read once, by whoever reads it, and what is rejected does not move it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from schemas.gazetteer import load_gazetteer
from schemas.truceday import from_micros, to_micros
from streams.feeds.archive import Archive
from streams.feeds.dry_run import accepted_by
from streams.feeds.jsonl import read_jsonl
from streams.intake.examine import TICK_HEADER, Examiner
from tests.support.effort import cases
from tests.support.judged import History
from tests.support.scenarios import Outcome, outcome, shelling
from tests.support.worlds import TRUCE, at

NOW = to_micros(datetime(2017, 1, 1, tzinfo=UTC))
#: Days apart, the later one first, as no file need be in order.
MOMENTS = {"later": at(1, 2), "sooner": at(0, 3), "last": at(6, 5)}


def written(instant: int, form: str = "%Y-%m-%dT%H:%M:%SZ") -> str:
    return from_micros(instant).strftime(form)


def lines(write: Callable[[int], str] = written) -> list[dict[str, Any]]:
    """Return a report of each moment, its times written in some form."""
    reports = []
    for name, moment in MOMENTS.items():
        told = shelling(name, moment)
        occurred = told["occurred"] | {"from": write(moment), "to": write(moment + 60_000_000)}
        reports.append(told | {"reported_at": write(moment + 3_600_000_000), "occurred": occurred})
    return reports


def replayed(reports: list[dict[str, Any]], folder: Path) -> Outcome:
    """Judge a file of reports at the ticks its archive makes."""
    source = BytesIO(b"".join(json.dumps(each).encode() + b"\n" for each in reports))
    examiner = Examiner([TRUCE], load_gazetteer(TRUCE.gazetteer), "archive")
    history = History(TRUCE)
    with Archive([TRUCE.calendar], now=NOW, accepted=accepted_by(examiner, NOW)) as archive:
        archive.add(read_jsonl(source, "file"))
        for _, value, headers in (record for chunk in archive.chunks() for record in chunk):
            stamp = dict(headers).get(TICK_HEADER)
            history = history.tick(int(stamp)) if stamp else history.tell(value or b"")
    return outcome(history, folder)


VERDICTS = "SELECT region, truce_day, verdict, incidents FROM day_verdicts ORDER BY ALL"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return replayed(lines(), tmp_path_factory.mktemp("plain"))


def test_days_between_reports_are_judged(plain: Outcome) -> None:
    assert plain.one("SELECT epoch_us(now) FROM ledger_state") == at(6, 7)
    assert plain.one("SELECT count(DISTINCT truce_day) FROM day_verdicts") == 7


@pytest.mark.parametrize("form", cases(["%Y-%m-%dT%H:%M:%Sz", "%Y-%m-%dt%H:%M:%S.0+00", "%Y-%m-%d %H:%M+0000"], fast=1))
def test_every_spelling_of_an_instant_is_judged_at_its_time(form: str, plain: Outcome, tmp_path: Path) -> None:
    judged = replayed(lines(lambda instant: written(instant, form)), tmp_path)
    assert judged.ask(VERDICTS) == plain.ask(VERDICTS)
    assert judged.one("SELECT epoch_us(now) FROM ledger_state") == at(6, 7)


def test_a_file_that_mixes_spellings_is_ordered_by_its_times(plain: Outcome, tmp_path: Path) -> None:
    mixed = [*lines()[:1], *lines(lambda instant: written(instant, "%Y-%m-%d %H:%M:%Sz"))[1:]]
    judged = replayed(mixed, tmp_path)
    order = "SELECT report_id, epoch_us(received_at) FROM reports ORDER BY fact_offset"
    assert judged.ask(order) == plain.ask(order)
    assert judged.ask(VERDICTS) == plain.ask(VERDICTS)


@pytest.mark.parametrize(
    "change",
    cases(
        [
            {"reported_at": "20191231T000000Z"},
            {"reported_at": "1577750400"},
            {"reported_at": 1577750400},
            {"reported_at": "2016-12-31T00:00:00Z", "kind": "earthquake"},
            {"reported_at": "2016-12-31T00:00:00Z", "place": {"pcode": "SY"}},
            {"reported_at": "2016-12-31T00:00:00Z", "report_id": "last"},
        ],
        fast=2,
    ),
)
def test_a_record_that_is_rejected_moves_no_time(change: dict[str, Any], plain: Outcome, tmp_path: Path) -> None:
    judged = replayed([*lines(), lines()[0] | {"report_id": "wrong"} | change], tmp_path)
    assert judged.one("SELECT count(*) FROM rejects") == 1
    versions = "SELECT region, truce_day, version, recorded_at FROM day_verdict_versions"
    # It is pending on the days that it tells, and makes a version there: at the last tick, and at no later one.
    by_others = f"{versions} WHERE coalesce(cause ->> '$.reports[0]', '') NOT LIKE 'truce.incidents.v1/%' ORDER BY ALL"
    assert judged.ask(by_others) == plain.ask(by_others) == plain.ask(f"{versions} ORDER BY ALL")
    assert judged.one("SELECT epoch_us(now) FROM ledger_state") == at(6, 7)


def test_a_report_of_no_region_of_the_agreement_is_no_reject(tmp_path: Path) -> None:
    elsewhere = lines()[0] | {"report_id": "elsewhere", "place": {"pcode": "SY14"}}
    judged = replayed([*lines(), elsewhere], tmp_path)
    assert judged.one("SELECT count(*) FROM rejects") == 0
    assert judged.one("SELECT sum(outside) FROM feeds") == 1
    assert judged.one("SELECT epoch_us(now) FROM ledger_state") == at(6, 7)
