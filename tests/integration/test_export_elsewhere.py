"""Export read by other people's tools: frictionless, pandas and polars."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from sinks.export_files import PARTITION
from sinks.exporting import export
from sinks.reading import published
from sinks.tables import quoted, tables
from tests.support.demo import Demo
from tests.support.environments import Environment, every_alone

pytestmark = [pytest.mark.broker, every_alone]

#: Numbers of rows, values that are not NULL and sums, told by each tool from Parquet, partitions and CSV. A sum is
#: rounded: that of fractions depends on their order.
COUNT = """
import json, sys
from pathlib import Path
import pandas, polars
folder = Path(sys.argv[1])
told = {}
for name, columns in json.loads(sys.argv[2]).items():
    file, parts = folder / "plain" / f"{name}.parquet", folder / "parts" / name
    csv = file.with_suffix(".csv")
    for tool, frame in {
        "pandas": pandas.read_parquet(file),
        "pandas, CSV": pandas.read_csv(csv, keep_default_na=False, na_values=[""], low_memory=False),
        "polars": polars.read_parquet(file),
        "polars, CSV": polars.read_csv(csv, infer_schema_length=None),
        "polars, partitions": polars.read_parquet(parts / "**" / "*.parquet", hive_partitioning=True),
    }.items():
        # What has no value at all is text to polars when it comes from CSV.
        series = [frame[each].cast(polars.Float64) if tool[:3] == "pol" else frame[each] for each in columns]
        counts = [int(each.count()) for each in series]
        told[f"{name} by {tool}"] = [len(frame), counts, [round(float(each.sum()), 6) for each in series]]
print(json.dumps(told))
"""
NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "DOUBLE")
#: Their sums exceed 64 bits. Rows are compared with theirs in DuckDB.
HASHES = ("key_hash", "body_digest")


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("tools") / "env", "frictionless", "pandas", "polars", "pyarrow")


@pytest.fixture(scope="module")
def folder(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("elsewhere")
    with published(demo.file) as connection:
        export(connection, folder / "plain")
        export(connection, folder / "parts", partitioned=True)
    return folder


def test_frictionless_finds_every_resource_as_the_package_describes_it(tools: Environment, folder: Path) -> None:
    done = tools.said(tools.binaries / "frictionless", "validate", "datapackage.json", "--json", cwd=folder / "plain")
    report = json.loads(done)
    assert report["valid"], [task["errors"] for task in report["tasks"] if not task["valid"]]
    assert report["stats"]["tasks"] > 50
    assert report["stats"]["errors"] == 0


def test_counts_and_sums_are_those_of_the_file_in_pandas_and_polars(
    demo: Demo, tools: Environment, folder: Path
) -> None:
    wanted = {}
    with published(demo.file) as connection:
        numbers = {
            name: [each.name for each in table.columns if each.kind in NUMBERS and each.name not in HASHES]
            for name, table in tables(connection).items()
        }
        for name, columns in numbers.items():
            counted = [f"count({quoted(each)})" for each in columns]
            summed = [f"round(coalesce(sum({quoted(each)}), 0)::DOUBLE, 6)" for each in columns]
            (row,) = connection.execute(
                f"SELECT count(*), {', '.join([*counted, *summed, 'NULL'])} FROM {name}"
            ).fetchall()
            wanted[name] = [row[0], list(row[1 : 1 + len(columns)]), list(row[1 + len(columns) : -1])]
    told = json.loads(tools.said(tools.python, "-c", COUNT, folder, json.dumps(numbers), cwd=folder))
    assert len(told) == 5 * len(wanted) > 250
    assert {each: found for each, found in told.items() if found != wanted[each.partition(" by ")[0]]} == {}


def test_partitions_come_back_without_a_difference_in_a_fresh_duckdb(demo: Demo, folder: Path) -> None:
    with published(demo.file) as connection:
        days = [
            name for name, table in tables(connection).items() if PARTITION in [each.name for each in table.columns]
        ]
    assert len(days) > 20
    elsewhere = duckdb.connect()
    for name in days:
        parts = f"SELECT * FROM read_parquet('{folder}/parts/{name}/**/*.parquet', hive_types = {{'truce_day': DATE}})"
        columns = ", ".join(
            column for column, *_ in elsewhere.sql(f"DESCRIBE FROM '{folder}/plain/{name}.parquet'").fetchall()
        )
        plain = f"SELECT {columns} FROM '{folder}/plain/{name}.parquet'"
        for one, other in ((parts, plain), (plain, parts)):
            sql = f"SELECT count(*) FROM ((SELECT {columns} FROM ({one})) EXCEPT ALL (SELECT {columns} FROM ({other})))"
            assert elsewhere.sql(sql).fetchall() == [(0,)], name
    elsewhere.close()
