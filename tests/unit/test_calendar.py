"""One calendar: time zones of the pinned package, named in the file, and a file of another calendar refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import duckdb
import pytest
import tzdata

from schemas.errors import UsageError
from schemas.instants import END, FIRST
from schemas.time_zones import RELEASE, names, time_zone
from schemas.truceday import TruceCalendar
from sinks.calendar import Calendar, calendar_of
from sinks.recorded_facts import RecordedFacts
from sinks.verify.days import Days
from streams.verify import verify
from tests.support.judged import History
from tests.support.scenarios import shelling
from tests.support.stores import open_store
from tests.support.worlds import TRUCE, agreement, at

#: Damascus as of 2016: clocks changed on the last Friday of March and in the night to the last Friday of October.
SUMMER = date(2016, 3, 24)


def test_zones_are_those_of_the_package_and_not_of_the_host(tmp_path: Path) -> None:
    """The host says that Damascus is UTC; the truce-day must not hear of it."""
    zone = tmp_path / "Asia" / "Damascus"
    zone.parent.mkdir()
    zone.write_bytes((Path(tzdata.__file__).parent / "zoneinfo" / "UTC").read_bytes())
    code = (
        "from datetime import date, time\n"
        "from schemas.truceday import TruceCalendar\n"
        "from sinks.verify.days import Days\n"
        "day = date(2016, 9, 12)\n"
        "print(TruceCalendar('Asia/Damascus', time(19)).start_of(day), Days('Asia/Damascus', time(19)).start(day))"
    )
    environment = os.environ | {"PYTHONTZPATH": str(tmp_path)}
    told = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    assert set(told.stdout.split()) == {str(TruceCalendar("Asia/Damascus", time(19)).start_of(date(2016, 9, 12)))}


def test_a_change_of_law_at_a_months_notice_is_known() -> None:
    """Syria kept its summer time for good in October 2022; a database of that spring has a day of 25 hours."""
    calendar = TruceCalendar("Asia/Damascus", time(19))
    assert calendar.end_of(date(2022, 10, 27)) - calendar.start_of(date(2022, 10, 27)) == 24 * 3600 * 1_000_000


@pytest.mark.parametrize("name", ["Asia", "asia/damascus", "../etc/passwd", "Mars/Olympus", "", "zone.tab"])
def test_what_is_no_zone_of_the_database_is_none(name: str) -> None:
    assert name not in names()
    with pytest.raises(KeyError):
        time_zone(name)


def test_every_zone_can_be_read() -> None:
    for name in names():
        assert datetime(2016, 9, 12, tzinfo=time_zone(name)).utcoffset() is not None


@pytest.mark.parametrize("zone", ["Asia/Damascus", "Pacific/Apia", "UTC", "Africa/Monrovia", "Asia/Kathmandu"])
def test_a_calendar_tells_every_truce_day(zone: str) -> None:
    calendar = TruceCalendar(zone, time(19))
    held = Calendar(**json.loads(Calendar.cut_by(calendar.start_of).to_json()))
    start = held.first
    for day in calendar.days_between(FIRST.date(), date(2030, 1, 1)):
        assert calendar.start_of(day) == start * 1_000_000
        start += held.lengths.get(day.isoformat(), 86_400)
    assert Calendar.cut_by(Days(zone, time(19)).start) == held
    assert max(held.lengths, default="") < END.date().isoformat()


def test_the_first_day_cut_otherwise_is_named() -> None:
    here = calendar_of(TRUCE)
    there = Calendar(here.first, {**here.lengths, "2022-10-27": 90_000, "2023-03-23": 82_800})
    assert here.difference(here) is None
    assert here.difference(there) == "2022-10-27 has 25 hours there and 24 here"
    assert here.difference(Calendar(here.first + 60, here.lengths)) == "no day starts at the same instant"


def judged(folder: Path) -> Path:
    """Return a published file of one incident."""
    return History(TRUCE).tell(shelling("i1", at(0, 5))).tick(at(1, 1)).judged(folder)


def alter(file: Path, **columns: Any) -> None:
    """Write columns of ``about``."""
    with closing(duckdb.connect(str(file))) as connection:
        for column, value in columns.items():
            connection.execute(f"UPDATE about SET {column} = ?", [value])


def otherwise() -> str:
    """Return a calendar that knows no summer time from 2016 on."""
    here = calendar_of(TRUCE)
    return Calendar(here.first, {day: length for day, length in here.lengths.items() if day < "2016"}).to_json()


def test_a_file_names_its_time_zones(tmp_path: Path) -> None:
    with closing(duckdb.connect(str(judged(tmp_path)), read_only=True)) as connection:
        ((release, calendar),) = connection.execute("SELECT tzdata, calendar FROM about").fetchall()
    assert release == RELEASE == tzdata.IANA_VERSION
    assert Calendar(**json.loads(calendar)) == calendar_of(TRUCE)
    assert json.loads(calendar)["lengths"][SUMMER.isoformat()] == 23 * 3600


def test_a_ledger_refuses_a_file_whose_days_other_time_zones_cut(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    alter(tmp_path / "live.duckdb", tzdata="2016a", calendar=otherwise())
    with pytest.raises(
        UsageError, match=r"the time zones of 2016a; those of .* otherwise: 2016-03-24 has 24 hours there"
    ) as refused:
        open_store(tmp_path)
    assert "a data directory of its own" in str(refused.value.hint)


def test_another_release_that_cuts_the_same_days_is_taken_over(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    alter(tmp_path / "live.duckdb", tzdata="2016a")
    open_store(tmp_path).close()
    with closing(duckdb.connect(str(tmp_path / "live.duckdb"))) as connection:
        assert connection.execute("SELECT tzdata FROM about").fetchall() == [(RELEASE,)]


def test_verify_and_whatif_say_that_the_time_zones_differ(tmp_path: Path) -> None:
    file = judged(tmp_path)
    alter(file, tzdata="2016a", calendar=otherwise())
    for read in (verify, RecordedFacts):
        with pytest.raises(UsageError, match=r"judged with the time zones of 2016a"):
            read(file)
    alter(file, tzdata=RELEASE)
    assert [(each.table, each.column) for each in verify(file)] == [("about", "calendar")]


def test_agreements_of_one_zone_share_a_calendar() -> None:
    assert calendar_of(agreement(id="another")) is calendar_of(TRUCE)
