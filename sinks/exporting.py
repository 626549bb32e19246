"""Export of a published file as Parquet, CSV and a data package.

The package follows frictionlessdata.io: one resource for each table and view, its schema from the columns.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.csv
import pyarrow.parquet

from schemas.errors import UsageError
from sinks.faults import mapped
from sinks.migrations import software_version
from sinks.reading import about, file_id
from sinks.selecting import Connection
from sinks.tables import Column, TableAbout, quoted, tables

# pyarrow's own annotations are partial, so a strict type check cannot look into it.
pa: Any = pyarrow

_BATCH = 50_000
#: Whoever made a file named its views: a name becomes the name of a file.
_NAME = re.compile(r"[A-Za-z0-9_]+")
#: Types of a data package by those of DuckDB, the first that fits.
_TYPES = [
    (r".*\]", "array"),
    (r"STRUCT.*|MAP.*", "object"),
    (r"JSON", "any"),
    (r"BOOLEAN", "boolean"),
    (r"DATE", "date"),
    (r"TIMESTAMP.*", "datetime"),
    (r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?", "integer"),
    (r"DOUBLE|FLOAT|DECIMAL.*", "number"),
    (r"VARCHAR|BLOB", "string"),
]


@dataclass(frozen=True)
class Exported:
    """Table or view as it was exported."""

    name: str
    kind: str
    rows: int


def export(connection: Connection, folder: Path, chosen: Collection[str] = ()) -> list[Exported]:
    """Write every table and view, or those chosen, into a folder that appears once it is whole.

    Raises:
        UsageError: the folder holds something, or the file has no table of a name.
        StoreFull: the disk took no more; nothing is left behind.
    """
    listed = tables(connection)
    if unknown := [name for name in chosen if name not in listed]:
        raise UsageError(f"there is no table or view {', '.join(unknown)}", f"there are {', '.join(listed)}")
    if odd := [name for name in listed if not _NAME.fullmatch(name)]:
        raise UsageError(f"the file has a view of a name that is none of ours: {odd[0]!r}")
    with _appearing(folder) as fresh:
        found, resources = [], []
        for name, table in listed.items():
            if chosen and name not in chosen:
                continue
            rows = _parquet(connection, table, fresh / f"{name}.parquet")
            _csv(connection, table, fresh / f"{name}.csv")
            resources.append(_resource(table, fresh / f"{name}.csv"))
            found.append(Exported(name, table.kind, rows))
        package = _package(connection) | {"resources": resources}
        (fresh / "datapackage.json").write_text(json.dumps(package, ensure_ascii=False, indent=2), "utf-8")
    return found


@contextmanager
def _appearing(folder: Path) -> Iterator[Path]:
    """Yield a folder that takes the name of ``folder`` when the block ends well, and goes when it does not."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is there already", "name a folder that is not, or is empty")
    fresh = folder.absolute().with_name(f".{folder.name}.{os.getpid()}.exporting")
    with mapped(folder):
        try:
            fresh.mkdir(parents=True)
            yield fresh
            fresh.replace(folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)


def _parquet(connection: Connection, table: TableAbout, path: Path) -> int:
    """Write a table with its types; the comment of a column is metadata of its field. Return the number of rows."""
    reader = _reader(connection, table, [quoted(each.name) for each in table.columns])
    told = {each.name: each.comment or "" for each in table.columns}
    schema = pa.schema(
        [each.with_metadata({"comment": told[each.name]}) for each in reader.schema],
        metadata={"comment": table.comment or ""},
    )
    rows = 0
    with pa.parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


def _csv(connection: Connection, table: TableAbout, path: Path) -> None:
    """Write a table as text; NULL is an empty field, and an empty text one in quotes."""
    reader = _reader(connection, table, [_as_text(each) for each in table.columns])
    with pa.csv.CSVWriter(path, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)


def _reader(connection: Connection, table: TableAbout, shown: list[str]) -> Any:
    sql = f"SELECT {', '.join(shown)} FROM main.{quoted(table.name)}"  # noqa: S608 - names are the catalogue's
    return connection.sql(sql).to_arrow_reader(_BATCH)


def _as_text(column: Column) -> str:
    name, kind = quoted(column.name), column.kind
    if kind.startswith("TIMESTAMP"):
        return f"strftime(timezone('UTC', {name}), '%Y-%m-%dT%H:%M:%S.%fZ') AS {name}"
    if kind == "BLOB":
        return f"base64({name}) AS {name}"
    if kind == "JSON":
        return f"{name}::VARCHAR AS {name}"
    return f"to_json({name})::VARCHAR AS {name}" if _type_of(column) in ("array", "object") else name


def _resource(table: TableAbout, path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "name": table.name.lower(),
        "path": path.name,
        "parquet": f"{table.name}.parquet",
        "description": table.comment or "",
        "profile": "tabular-data-resource",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "bytes": path.stat().st_size,
        "hash": f"sha256:{digest}",
        "schema": {"fields": [_field(each) for each in table.columns], "missingValues": [""]},
    }


def _field(column: Column) -> dict[str, str]:
    told = {"name": column.name, "type": _type_of(column), "description": column.comment or ""}
    return told | ({"format": "binary"} if column.kind == "BLOB" else {})


def _type_of(column: Column) -> str:
    return next((name for pattern, name in _TYPES if re.fullmatch(pattern, column.kind)), "any")


def _package(connection: Connection) -> dict[str, Any]:
    known = about(connection)
    now = known.now.isoformat() if known.now else "no time yet"
    return {
        "profile": "tabular-data-package",
        "name": f"trucewatch-{known.agreement.id}",
        "title": known.agreement.title,
        "description": f"Verdicts by trucewatch {software_version()}, as of {now}, of file {file_id(connection)}. "
        "Reports are their feeds' words, and who is accused is a claim. Cite that instant, and the date you read it.",
        **({"created": known.published_at.isoformat()} if known.published_at else {}),
    }
