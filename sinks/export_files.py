"""Files of an export: Parquet, CSV and GeoJSON, written from Arrow batches.

DuckDB's own ``COPY`` cannot write here, since whoever made the file named its views (``sinks.reading``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet

from sinks.selecting import Connection
from sinks.tables import Column, TableAbout, quoted

# pyarrow's own annotations are partial, so a strict type check cannot look into it.
pa: Any = pyarrow

#: Column whose values become folders, where a table has it.
PARTITION = "truce_day"
#: Partition column of a lake. It stands in the path alone: readers disagree on which of two copies counts.
AGREEMENT = "agreement"
#: Folder of the rows without a truce-day, as Hive, DuckDB, Arrow and polars call it.
_NO_DAY = "__HIVE_DEFAULT_PARTITION__"
_BATCH = 50_000
#: Types of values that are neither numbers, words nor instants: text in CSV, and as they are in GeoJSON.
_NESTED = ("STRUCT", "MAP")


def write_parquet(connection: Connection, table: TableAbout, path: Path) -> int:
    """Write a table with its types and comments to one file; return the number of rows."""
    reader = _reader(connection, table, [quoted(each.name) for each in table.columns])
    rows = 0
    with _writer(path, _commented(reader.schema, table)) as writer:
        for batch in reader:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


def write_partitioned(connection: Connection, table: TableAbout, folder: Path, *, lake: bool = False) -> int:
    """Write a table to a folder, a file for each truce-day where it has one; return the number of rows.

    A column that the path states is left out of the files. A table without rows leaves one file, for its columns.
    """
    of_day = any(each.name == PARTITION for each in table.columns)
    shown = [_in_lake(each, table) if lake else quoted(each.name) for each in table.columns]
    reader = _reader(connection, table, filter(None, shown), f"ORDER BY {PARTITION}" if of_day else "")
    schema = _commented(reader.schema, table)
    stored = pa.schema([each for each in schema if not (of_day and each.name == PARTITION)], schema.metadata)
    rows, day, writer = 0, "", None
    try:
        for at, piece in _by_day(reader) if of_day else (("", each) for each in reader):
            if writer is None or at != day:
                if writer is not None:
                    writer.close()
                writer, day = _writer(_part(folder, at), stored), at
            writer.write_batch(piece.select(stored.names))
            rows += piece.num_rows
        if writer is None:
            writer = _writer(_part(folder, f"{PARTITION}={_NO_DAY}" if of_day else ""), stored)
    finally:
        if writer is not None:
            writer.close()
    return rows


def write_csv(connection: Connection, table: TableAbout, path: Path) -> None:
    """Write a table as text; NULL is an empty field, and an empty text one in quotes."""
    reader = _reader(connection, table, [_as_text(each) for each in table.columns])
    with pa.csv.CSVWriter(path, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)


def write_incidents(connection: Connection, path: Path) -> int:
    """Write incidents as GeoJSON, those that have a point; return how many there are."""
    sql = "FROM main.incidents WHERE latitude IS NOT NULL AND longitude IS NOT NULL ORDER BY incident_id"
    rows = _properties(connection, sql)
    return _features(path, (({"type": "Point", "coordinates": [r["longitude"], r["latitude"]]}, r) for r in rows))


def write_regions(connection: Connection, path: Path, shapes: Mapping[str, Any]) -> int:
    """Write the window of each region that has a shape as GeoJSON; return how many there are."""
    sql = """
        SELECT pcode AS region, name AS region_name, in_gate, access_owed, of_region.* EXCLUDE (region)
        FROM main.regions LEFT JOIN main.region_windows AS of_region ON region = pcode ORDER BY pcode
    """
    rows = _properties(connection, sql)
    return _features(path, ((shapes[row["region"]], row) for row in rows if row["region"] in shapes))


def _reader(connection: Connection, table: TableAbout, shown: Iterable[str], rest: str = "") -> Any:
    sql = f"SELECT {', '.join(shown)} FROM main.{quoted(table.name)} {rest}"  # noqa: S608 - names are the catalogue's
    return connection.sql(sql).to_arrow_reader(_BATCH)


def _commented(schema: Any, table: TableAbout) -> Any:
    """Return the schema with the comments of table and columns as metadata."""
    told = {each.name: each.comment or "" for each in table.columns}
    return pa.schema(
        [each.with_metadata({"comment": told.get(each.name, "")}) for each in schema],
        metadata={"comment": table.comment or ""},
    )


def _writer(path: Path, schema: Any) -> Any:
    return pa.parquet.ParquetWriter(path, schema, compression="zstd")


def _part(folder: Path, partition: str) -> Path:
    inner = folder / partition
    inner.mkdir(parents=True)
    return inner / "part-0.parquet"


def _by_day(batches: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    """Yield the rows of ordered batches, cut where the truce-day changes."""
    for batch in batches:
        start = 0
        runs = pa.compute.run_end_encode(batch[PARTITION])
        for end, day in zip(runs.run_ends.to_pylist(), runs.values.to_pylist(), strict=True):
            yield f"{PARTITION}={day or _NO_DAY}", batch.slice(start, end - start)
            start = end


def _in_lake(column: Column, table: TableAbout) -> str:
    """Return how a column is asked for; nothing for one that repeats the agreement's folder."""
    if column.name != AGREEMENT:
        return quoted(column.name)
    # Of the tables ``about`` alone has one: the whole agreement as JSON.
    return "" if table.kind == "view" else f"{AGREEMENT} AS agreement_terms"


def _as_text(column: Column) -> str:
    name, kind = quoted(column.name), column.kind
    if kind.startswith("TIMESTAMP"):
        return _instant(name)
    if kind == "BLOB":
        return f"base64({name}) AS {name}"
    if kind == "JSON":
        return f"{name}::VARCHAR AS {name}"
    return f"to_json({name})::VARCHAR AS {name}" if kind.startswith(_NESTED) or kind.endswith("]") else name


def _instant(name: str) -> str:
    return f"strftime(timezone('UTC', {name}), '%Y-%m-%dT%H:%M:%S.%fZ') AS {name}"


def _properties(connection: Connection, sql: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a query as values of JSON."""
    asked = connection.sql(sql)
    kinds = zip(asked.columns, asked.types, strict=True)
    shown = (_instant(quoted(name)) if str(kind).startswith("TIMESTAMP") else quoted(name) for name, kind in kinds)
    found = connection.execute(f"SELECT to_json(of)::VARCHAR FROM (SELECT {', '.join(shown)} FROM ({sql})) AS of")  # noqa: S608
    while rows := found.fetchmany(1_000):
        yield from (json.loads(text) for (text,) in rows)


def _features(path: Path, features: Iterable[tuple[Any, dict[str, Any]]]) -> int:
    """Write a feature collection, one feature a line; return how many there are."""
    number = 0
    with path.open("w", encoding="utf-8") as file:
        file.write('{"type": "FeatureCollection", "features": [')
        for geometry, properties in features:
            feature = {"type": "Feature", "geometry": geometry, "properties": properties}
            file.write(f"{',' if number else ''}\n{json.dumps(feature, ensure_ascii=False)}")
            number += 1
        file.write("\n]}\n")
    return number
