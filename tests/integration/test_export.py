"""Export of a published file, and what others read from it."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

import duckdb
import pyarrow.parquet
import pytest

from schemas.errors import StoreFull, UsageError
from sinks import exporting
from sinks.exporting import export
from sinks.reading import published
from sinks.tables import quoted, tables
from tests.support.demo import Demo
from tests.support.shell import trucewatch

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
    assert (package["name"], package["profile"]) == ("trucewatch-syria-2016", "tabular-data-package")
    for resource in package["resources"]:
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
    types = {each["name"]: each["type"] for r in package["resources"] for each in r["schema"]["fields"]}
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


def test_an_export_that_fails_leaves_nothing(demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exporting, "_csv", full)
    with published(demo.file) as connection, pytest.raises(StoreFull):
        export(connection, tmp_path / "new", ["gate"])
    assert list(tmp_path.iterdir()) == []


def test_a_view_whose_name_leads_elsewhere_is_refused(demo: Demo, tmp_path: Path) -> None:
    file = tmp_path / "made.duckdb"
    file.write_bytes(demo.file.read_bytes())
    with duckdb.connect(str(file)) as writing:
        writing.execute('CREATE VIEW "../../outside" AS SELECT 1 AS a')
    with published(file) as connection, pytest.raises(UsageError, match="name that is none of ours"):
        export(connection, tmp_path / "new")
