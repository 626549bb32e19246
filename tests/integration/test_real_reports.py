"""Replays of real reports: every row accounted for, exact, and the same whatever the order or repetition."""

from __future__ import annotations

import csv
import gzip
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.support.records import TABLES, present_tables, tables, tables_of_a_run
from tests.support.shared_data import shared_data
from tests.support.shell import ROOT, trucewatch

pytestmark = pytest.mark.broker

COPY = Path("syria-2016") / "compliance.duckdb"

#: Incidents per region and truce-day from the CSV alone. A truce-day runs from 19:00 local to the next 19:00, which
#: is 23 or 25 hours where clocks change; an event belongs to the day holding most of its calendar days, or the first.
RECOUNT = """
WITH named AS (
    SELECT value, adm1_pcode FROM read_csv($variants) WHERE dataset = 'ucdp_ged_syria' AND "column" = 'adm_1'),
days AS (
    SELECT day::DATE AS truce_day, timezone('Asia/Damascus', day + INTERVAL 19 HOUR) AS starts,
           timezone('Asia/Damascus', day + INTERVAL 43 HOUR) AS ends
    FROM generate_series(TIMESTAMP '2015-12-01', TIMESTAMP '2020-02-01', INTERVAL 1 DAY) AS series(day)),
events AS (
    SELECT id, adm1_pcode AS region, timezone('Asia/Damascus', date_start::TIMESTAMP) AS starts,
           timezone('Asia/Damascus', date_end + INTERVAL 1 DAY) AS ends
    FROM read_csv($source) JOIN named ON adm_1 = value),
parts AS (
    SELECT id, region, truce_day, epoch_us(least(d.ends, e.ends)) - epoch_us(greatest(d.starts, e.starts)) AS part
    FROM events e JOIN days d ON d.starts < e.ends AND d.ends > e.starts),
placed AS (FROM parts QUALIFY row_number() OVER (PARTITION BY id ORDER BY part DESC, truce_day) = 1),
counted AS (SELECT region, truce_day, count(*) AS incidents FROM placed GROUP BY ALL),
ours AS (
    SELECT region, truce_day, count(*) AS incidents FROM reports
    WHERE type = 'incident' AND present AND NOT retracted AND raw ->> '$.raw.adm_1' <> '' GROUP BY ALL)
(FROM counted EXCEPT FROM ours) UNION ALL (FROM ours EXCEPT FROM counted)
"""


def replay(data: Path, *files: Path, **options: str) -> dict[str, Any]:
    """Replay files into a folder; return the command's JSON."""
    flags = [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", value)]
    done = trucewatch("replay", *files, "--data", data, *flags, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def ged() -> Path:
    """The events of August to October 2016."""
    return shared_data("ucdp_ged_syria/ged_syria_2016-08_2016-10.csv")


@pytest.fixture(scope="module")
def replayed(ged: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one replay of those events."""
    data = tmp_path_factory.mktemp("replayed")
    replay(data, ged, format="ged")
    return data


Rows = list[list[str]]


def rewritten(ged: Path, to: Path, rows: Callable[[Rows], Rows]) -> Path:
    """Write rows of the events' file in another order or number."""
    with ged.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        header, body = next(reader), list(reader)
    with to.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows(body)])
    return to


@pytest.mark.parametrize("full", [False, True], ids=["three months", "four years"])
def test_every_row_is_accounted_for_and_counted_as_plain_sql_counts_it(
    full: bool, ged: Path, replayed: Path, tmp_path: Path
) -> None:
    """Against the CSV alone: no reader, gazetteer, calendar or ledger of ours."""
    source, data = ged, replayed
    if full:
        source, data = shared_data("ucdp_ged_syria/ged_syria_2016_2019.csv.gz"), tmp_path
        replay(data, source, format="ged")
    variants = shared_data("admin1_name_variants/admin1_name_variants.csv")
    opened = gzip.open if source.suffix == ".gz" else open
    with opened(source, "rt", encoding="utf-8", newline="") as file:
        rows = sum(1 for _ in csv.DictReader(file))
    with duckdb.connect(str(data / COPY), read_only=True) as connection:
        accounted = "SELECT (SELECT count(*) FROM reports) + (SELECT count(*) FROM rejects)"
        assert connection.execute(accounted).fetchall() == [(rows,)]
        difference = connection.execute(RECOUNT, {"variants": str(variants), "source": str(source)}).fetchall()
        assert difference == []
        tallied = "SELECT sum(incidents + incidents_out_of_scope) = (SELECT count(*) FROM incidents) FROM day_tallies"
        assert connection.execute(tallied).fetchall() == [(True,)]


def test_verify_agrees_with_what_was_judged(replayed: Path) -> None:
    done = trucewatch("verify", replayed / COPY)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("verdict_log", "incidents = incidents + 1 WHERE region = 'SY02' AND truce_day = '2016-09-14'"),
        ("day_tallies", "deaths_high = deaths_high + 1 WHERE region = 'SY02' AND truce_day = '2016-09-14'"),
        ("reports", "deaths_best = 99 WHERE report_id = (SELECT min(report_id) FROM reports)"),
        ("region_windows", "incidents_168h = incidents_168h + 1 WHERE region = 'SY02'"),
        ("verdict_log", "violence_limit = 2 WHERE region = 'SY02' AND truce_day = '2016-09-15'"),
        ("feeds", "accepted = accepted - 1"),
        ("gate_history", "shortest_streak = 3"),
    ],
)
def test_verify_names_the_row_in_which_one_number_was_altered(
    table: str, change: str, replayed: Path, tmp_path: Path
) -> None:
    altered = tmp_path / "altered.duckdb"
    shutil.copy(replayed / COPY, altered)
    with duckdb.connect(str(altered)) as connection:
        connection.execute(f"UPDATE {table} SET {change}")
    done = trucewatch("verify", altered)
    assert done.returncode == 1
    assert table in done.stdout + done.stderr


def test_a_shuffled_file_gives_every_table_again(ged: Path, replayed: Path, tmp_path: Path) -> None:
    """A replay follows the archive's own times: the order of a file shows nowhere, versions included."""
    shuffled = rewritten(ged, tmp_path / "shuffled.csv", lambda rows: random.Random(7).sample(rows, len(rows)))
    replay(tmp_path / "data", shuffled, format="ged")
    assert tables_of_a_run(tmp_path / "data" / COPY) == tables_of_a_run(replayed / COPY)


def test_arriving_in_any_order_and_twice_gives_the_same_present_tables(
    ged: Path, replayed: Path, tmp_path: Path
) -> None:
    twice = rewritten(ged, tmp_path / "twice.csv", lambda rows: random.Random(8).sample([*rows, *rows], 2 * len(rows)))
    replay(tmp_path / "data", twice, format="ged", order="listed")
    there = tmp_path / "data" / COPY
    assert present_tables(there) == present_tables(replayed / COPY)
    with duckdb.connect(str(there), read_only=True) as connection:
        counts = "SELECT sum(duplicate), sum(accepted) FROM feeds WHERE accepted > 0"
        duplicates, accepted = connection.execute(counts).fetchall()[0]
        assert duplicates == accepted > 1_000


def test_other_batch_sizes_give_every_table_again_versions_included(ged: Path, replayed: Path, tmp_path: Path) -> None:
    for records in ("40", "900"):
        data = tmp_path / records
        done = trucewatch("replay", ged, "--format", "ged", "--data", data, TRUCEWATCH_FLUSH_RECORDS=records)
        assert done.returncode == 0, done.stderr
        assert tables_of_a_run(data / COPY) == tables_of_a_run(replayed / COPY)


def test_duckdb_1_5_reads_the_published_file(replayed: Path) -> None:
    """With the command line of DuckDB 1.5 from PyPI, as analysts have it."""
    shell = Path(sys.executable).with_name("duckdb")
    asked = (
        "SELECT version(), (SELECT count(*) FROM day_verdicts WHERE truce_day BETWEEN '2016-09-12' AND '2016-09-19')"
    )
    done = subprocess.run(
        [shell, "-readonly", "-noheader", "-list", replayed / COPY, asked],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    version, verdicts = done.stdout.strip().split("|")
    assert version.startswith("v1.5.")
    assert int(verdicts) == 14 * 7


def test_every_table_named_is_there(replayed: Path) -> None:
    assert set(tables(replayed / COPY)) == set(TABLES)
