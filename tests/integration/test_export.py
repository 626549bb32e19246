"""Export of a published file, and what others read from it."""

from __future__ import annotations

import csv
import hashlib
import json
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow.parquet
import pytest
import shapely
from shapely.geometry import Point, shape

from schemas.errors import StoreFull, UsageError
from schemas.truceday import from_micros
from sinks.exporting import export, export_to_lake
from sinks.opening import PUBLISHED
from sinks.reading import published
from sinks.tables import quoted, tables
from tests.support.demo import Demo
from tests.support.disks import need_disks, small_disk
from tests.support.rows import full_changes, incident_row
from tests.support.shell import clean_environment, trucewatch
from tests.support.stores import new_store

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def exported(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "september"
    done = trucewatch("export", folder, "--file", demo.file, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert len(told["exported"]) > 50
    assert sum(each["rows"] for each in told["exported"]) > 1_000
    return folder


def test_every_table_comes_back_from_parquet_without_a_difference(demo: Demo, exported: Path) -> None:
    with published(demo.file) as connection:
        listed = tables(connection)
        arrow = {name: connection.sql(f"FROM main.{quoted(name)}").to_arrow_table() for name in listed}
    assert {each.stem for each in exported.glob("*.parquet")} == listed.keys()
    elsewhere = duckdb.connect()
    elsewhere.execute("SET TimeZone = 'UTC'")
    for name, original in arrow.items():
        elsewhere.register("original", original)
        read = f"read_parquet('{exported / name}.parquet')"
        for one, other in (("original", read), (read, "original")):
            left = elsewhere.sql(f"(FROM {one}) EXCEPT ALL (FROM {other})").fetchall()
            assert left == [], name
        elsewhere.unregister("original")
    elsewhere.close()


def test_csv_has_the_same_rows_and_figures(exported: Path) -> None:
    elsewhere = duckdb.connect()
    for path in sorted(exported.glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == pyarrow.parquet.read_metadata(path.with_suffix(".parquet")).num_rows, path.name
    read = f"read_csv('{exported / 'day_verdicts.csv'}')"
    # A sum of fractions depends on the order they are added in.
    counted = "count(contested_by), count(*), max(recorded_at)::TIMESTAMPTZ"
    summed = f"sum(incidents), round(sum(covered_share), 9), {counted}"
    assert (
        elsewhere.sql(f"SELECT {summed} FROM {read}").fetchall()
        == elsewhere.sql(f"SELECT {summed} FROM '{exported / 'day_verdicts.parquet'}'").fetchall()
    )
    elsewhere.close()


def test_the_package_describes_each_file_and_column_as_it_is(exported: Path) -> None:
    package = json.loads((exported / "datapackage.json").read_text("utf-8"))
    assert (package["name"], package["profile"]) == ("trucewatch-syria-2016", "data-package")
    for resource in (each for each in package["resources"] if each["format"] == "csv"):
        path = exported / resource["path"]
        content = path.read_bytes()
        assert resource["bytes"] == len(content)
        assert resource["hash"] == f"sha256:{hashlib.sha256(content).hexdigest()}"
        fields = resource["schema"]["fields"]
        assert [each["name"] for each in fields] == content.decode().splitlines()[0].replace('"', "").split(",")
        assert all(each["description"] for each in fields), resource["name"]
        schema = pyarrow.parquet.read_schema(exported / resource["parquet"])
        assert [(each.metadata or {}).get(b"comment", b"").decode() for each in schema] == [
            each["description"] for each in fields
        ]
    types = {
        each["name"]: each["type"] for r in package["resources"] if "schema" in r for each in r["schema"]["fields"]
    }
    assert types["truce_day"] == "date"
    assert types["recorded_at"] == "datetime"
    assert types["incidents"] == "integer"
    assert types["in_gate"] == "boolean"
    assert types["spellings"] == "array"


def test_a_folder_with_something_in_it_is_left_as_it_is(demo: Demo, tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("mine")
    with published(demo.file) as connection:
        with pytest.raises(UsageError, match="is there already"):
            export(connection, tmp_path)
        with pytest.raises(UsageError, match="there is no table or view nothing"):
            export(connection, tmp_path / "new", ["nothing"])
        export(connection, tmp_path / "new", ["gate"])
    assert sorted(each.name for each in tmp_path.iterdir()) == ["kept.txt", "new"]
    assert sorted(each.name for each in (tmp_path / "new").iterdir()) == [
        "datapackage.json",
        "gate.csv",
        "gate.parquet",
    ]


def test_a_second_run_replaces_the_first_when_told_to_and_nothing_but_an_export(demo: Demo, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    with published(demo.file) as connection:
        export(connection, folder, ["gate"])
        with pytest.raises(UsageError, match="is there already") as refused:
            export(connection, folder, ["regions"])
        assert "--force" in str(refused.value.hint)
        export(connection, folder, ["regions"], force=True)
        assert {each.name for each in folder.iterdir()} == {"datapackage.json", "regions.csv", "regions.parquet"}
        (tmp_path / "photos").mkdir()
        (tmp_path / "photos" / "mine.jpg").touch()
        with pytest.raises(UsageError, match="is there already"):
            export(connection, tmp_path / "photos", ["regions"], force=True)
    assert {each.name for each in tmp_path.iterdir()} == {"new", "photos"}


def test_a_full_disk_leaves_nothing_and_keeps_what_was_there(demo: Demo, tmp_path: Path) -> None:
    need_disks(tmp_path / "probe")
    with small_disk(tmp_path / "disk", kilobytes=64) as disk, published(demo.file) as connection:
        export(connection, disk / "new", ["gate"])
        before = {each.name: each.read_bytes() for each in (disk / "new").iterdir()}
        with pytest.raises(StoreFull, match="free some space"):
            export(connection, disk / "new", force=True)
        with pytest.raises(StoreFull, match="free some space"):
            export_to_lake(connection, disk / "lake")
        assert {each.name: each.read_bytes() for each in (disk / "new").iterdir()} == before
        assert [each.name for each in disk.iterdir()] in (["new"], ["new", "lake"], ["lake", "new"])
        assert list(disk.glob("lake/*")) == []


def test_ctrl_c_leaves_nothing(demo: Demo, tmp_path: Path) -> None:
    started = subprocess.Popen(
        [sys.executable, "-m", "streams", "export", tmp_path / "new", "--file", demo.file],
        env=clean_environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    while not list(tmp_path.glob(".new.*.exporting/*.parquet")):
        assert started.poll() is None
    started.send_signal(signal.SIGINT)
    _, said = started.communicate(timeout=60)
    assert (started.returncode, said) == (130, "trucewatch: stopped\n")
    assert list(tmp_path.iterdir()) == []


def test_a_partitioned_export_has_a_file_for_each_truce_day(demo: Demo, tmp_path: Path) -> None:
    with published(demo.file) as connection:
        days = dict(connection.execute("SELECT truce_day, count(*) FROM reports GROUP BY ALL").fetchall())
        export(connection, tmp_path / "new", ["reports", "rejects", "feeds"], partitioned=True)
    found = {
        each.parent.name: pyarrow.parquet.read_metadata(each).num_rows for each in tmp_path.glob("new/reports/*/*")
    }
    assert found == {f"truce_day={day or '__HIVE_DEFAULT_PARTITION__'}": rows for day, rows in days.items()}
    assert None in days
    elsewhere = duckdb.connect()
    read = f"read_parquet('{tmp_path}/new/reports/**/*.parquet')"
    told = elsewhere.sql(f"SELECT truce_day, count(*) FROM {read} GROUP BY ALL").fetchall()
    assert dict(told) == days
    # What has no rows has its columns, and what has no truce-day one file.
    assert elsewhere.sql(f"SELECT count(code) FROM '{tmp_path}/new/rejects/**/*.parquet'").fetchall() == [(0,)]
    assert [each.name for each in tmp_path.glob("new/feeds/*")] == ["part-0.parquet"]
    elsewhere.close()


def test_incidents_and_regions_are_maps(tmp_path: Path) -> None:
    store = new_store(tmp_path / "store")
    told = [incident_row("i1"), incident_row("i2", fact_offset=1, latitude=None, longitude=None)]
    store.commit(replace(full_changes(), reports=told))
    store.publish(datetime(2016, 9, 20, tzinfo=UTC))
    store.close()
    square = shapely.box(36, 35, 38, 37)
    shapes = {"SY02": json.loads(shapely.to_geojson(square))}
    with published(tmp_path / "store" / PUBLISHED) as connection:
        assert connection.execute("SELECT count(*) FROM incidents").fetchall() == [(2,)]
        export(connection, tmp_path / "new", ["incidents", "region_windows"], shapes=shapes)
    (incident,) = json.loads((tmp_path / "new" / "incidents.geojson").read_text("utf-8"))["features"]
    assert shape(incident["geometry"]) == Point(37.1, 36.2)
    assert (incident["properties"]["incident_id"], incident["properties"]["feeds"]) == ("feed-a/i1", ["feed-a"])
    assert incident["properties"]["reported_at"] == f"{from_micros(told[0].reported_at):%Y-%m-%dT%H:%M:%S.%fZ}"
    (aleppo,) = json.loads((tmp_path / "new" / "regions.geojson").read_text("utf-8"))["features"]
    assert shape(aleppo["geometry"]).equals(square)
    assert (aleppo["properties"]["region"], aleppo["properties"]["days_broken"]) == ("SY02", 1)
    package = json.loads((tmp_path / "new" / "datapackage.json").read_text("utf-8"))
    assert [each["path"] for each in package["resources"] if each["format"] == "geojson"] == [
        "incidents.geojson",
        "regions.geojson",
    ]


def test_agreements_of_one_lake_are_queried_by_one_view(demo: Demo, tmp_path: Path) -> None:
    data, lake = tmp_path / "data", tmp_path / "lake"
    for agreement in ("syria-2016", "elsewhere-2020"):
        file = data / agreement / "compliance.duckdb"
        file.parent.mkdir(parents=True)
        file.write_bytes(demo.file.read_bytes())
        with duckdb.connect(str(file)) as writing:
            terms = "replace(agreement::VARCHAR, '\"syria-2016\"', '\"' || $id || '\"')::JSON"
            writing.execute(f"UPDATE about SET agreement_id = $id, agreement = {terms}", {"id": agreement})
    for _ in range(2):
        done = trucewatch("export", lake, "--lake", "--data", data)
        assert done.returncode == 0, done.stderr
        assert sorted(each.name for each in lake.iterdir()) == ["agreement=elsewhere-2020", "agreement=syria-2016"]
    elsewhere = duckdb.connect()
    elsewhere.execute(f"CREATE VIEW days AS FROM read_parquet('{lake}/agreement=*/day_verdicts/**/*.parquet')")
    with published(demo.file) as connection:
        (days,) = connection.execute("SELECT count(*), min(truce_day), sum(incidents) FROM day_verdicts").fetchall()
    sql = "SELECT agreement, count(*), min(truce_day), sum(incidents) FROM days GROUP BY ALL ORDER BY ALL"
    assert elsewhere.sql(sql).fetchall() == [("elsewhere-2020", *days), ("syria-2016", *days)]
    (terms,) = elsewhere.sql(f"SELECT count(agreement_terms) FROM '{lake}/agreement=*/about/*.parquet'").fetchall()
    assert terms == (2,)
    elsewhere.close()
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "mine.jpg").touch()
    done = trucewatch("export", tmp_path / "photos", "--lake", "--data", data)
    assert (done.returncode, "is no lake" in done.stderr) == (2, True)


def test_a_view_whose_name_leads_elsewhere_is_refused(demo: Demo, tmp_path: Path) -> None:
    file = tmp_path / "made.duckdb"
    file.write_bytes(demo.file.read_bytes())
    with duckdb.connect(str(file)) as writing:
        writing.execute('CREATE VIEW "../../outside" AS SELECT 1 AS a')
    with published(file) as connection, pytest.raises(UsageError, match="name that is none of ours"):
        export(connection, tmp_path / "new")
