"""Export of a published file as Parquet, CSV, GeoJSON and a data package, or into a lake.

The package follows frictionlessdata.io: one resource for each table and view, its schema from the columns.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import UsageError
from sinks.export_files import (
    AGREEMENT,
    write_csv,
    write_incidents,
    write_parquet,
    write_partitioned,
    write_regions,
)
from sinks.faults import mapped
from sinks.migrations import software_version
from sinks.reading import about, file_id
from sinks.selecting import Connection
from sinks.tables import Column, TableAbout, tables

PACKAGE = "datapackage.json"
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


def export(
    connection: Connection,
    folder: Path,
    chosen: Collection[str] = (),
    *,
    partitioned: bool = False,
    shapes: Mapping[str, Any] | None = None,
    force: bool = False,
) -> list[Exported]:
    """Write every table and view, or those chosen, into a folder that appears once it is whole.

    ``partitioned`` makes a folder of each Parquet file, with a file for each truce-day. ``shapes`` are GeoJSON
    geometries by region. ``force`` takes the place of an earlier export.

    Raises:
        UsageError: the folder holds something, or the file has no table of a name.
        StoreFull: the disk took no more; nothing is left behind.
    """
    wanted = _wanted(connection, chosen)
    is_export = (folder / PACKAGE).is_file()
    if folder.exists() and not (force and is_export) and (not folder.is_dir() or any(folder.iterdir())):
        hint = "name a folder that is not, or is empty"
        raise UsageError(f"{folder} is there already", f"{hint}, or replace it with --force" if is_export else hint)
    with _appearing(folder) as fresh:
        found, resources = [], []
        for name, table in wanted.items():
            parquet = name if partitioned else f"{name}.parquet"
            rows = (write_partitioned if partitioned else write_parquet)(connection, table, fresh / parquet)
            write_csv(connection, table, fresh / f"{name}.csv")
            resources.append(_resource(table, fresh / f"{name}.csv", parquet))
            found.append(Exported(name, table.kind, rows))
        if "incidents" in wanted:
            write_incidents(connection, fresh / "incidents.geojson")
            told = "Incidents that have a point. A town's point stands for the whole town."
            resources.append(_map(fresh / "incidents.geojson", "incidents_map", told))
        if shapes and "region_windows" in wanted:
            write_regions(connection, fresh / "regions.geojson", shapes)
            told = "Seven-day window of each region, in the shapes that were given. They endorse no border."
            resources.append(_map(fresh / "regions.geojson", "regions_map", told))
        package = _package(connection) | {"resources": resources}
        (fresh / PACKAGE).write_text(json.dumps(package, ensure_ascii=False, indent=2), "utf-8")
    return found


def export_to_lake(connection: Connection, lake: Path, chosen: Collection[str] = ()) -> list[Exported]:
    """Write one agreement's tables and views into a folder that many share, in the place of its earlier rows.

    The path of a file states agreement and truce-day: ``agreement=A/day_verdicts/truce_day=D/part-0.parquet``.

    Raises:
        UsageError: the folder holds something else, or the file has no table of a name.
        StoreFull: the disk took no more; the agreement's earlier rows stay.
    """
    wanted = _wanted(connection, chosen)
    if lake.exists() and (
        not lake.is_dir() or any(not each.name.startswith((f"{AGREEMENT}=", ".")) for each in lake.iterdir())
    ):
        raise UsageError(f"{lake} is no lake: it holds something other than agreements", "name another folder")
    with _appearing(lake / f"{AGREEMENT}={about(connection).agreement.id}") as fresh:
        return [
            Exported(name, table.kind, write_partitioned(connection, table, fresh / name, lake=True))
            for name, table in wanted.items()
        ]


def _wanted(connection: Connection, chosen: Collection[str]) -> dict[str, TableAbout]:
    listed = tables(connection)
    if unknown := [name for name in chosen if name not in listed]:
        raise UsageError(f"there is no table or view {', '.join(unknown)}", f"there are {', '.join(listed)}")
    if odd := [name for name in listed if not _NAME.fullmatch(name)]:
        raise UsageError(f"the file has a view of a name that is none of ours: {odd[0]!r}")
    return {name: table for name, table in listed.items() if not chosen or name in chosen}


@contextmanager
def _appearing(folder: Path) -> Iterator[Path]:
    """Yield a folder that takes the name of ``folder`` when the block ends well, and goes when it does not.

    What has the name stays until then. A rename cannot replace a folder that holds something, so that for an instant
    between two renames there is none; at no time is there half of one.
    """
    beside = folder.absolute().with_name(f".{folder.name}.{os.getpid()}")
    fresh, before = beside.with_name(f"{beside.name}.exporting"), beside.with_name(f"{beside.name}.before")
    with mapped(folder):
        try:
            fresh.mkdir(parents=True)
            yield fresh
            _flush(fresh)
            if folder.is_dir():
                folder.rename(before)
            fresh.rename(folder)
        finally:
            if before.exists() and not folder.exists():
                before.rename(folder)
            for left in (fresh, before):
                shutil.rmtree(left, ignore_errors=True)


def _flush(folder: Path) -> None:
    """Write a folder through to the disk: after a power cut its name must not lead to empty files."""
    for path in folder.rglob("*"):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _resource(table: TableAbout, path: Path, parquet: str) -> dict[str, Any]:
    return {
        "name": table.name.lower(),
        **_file(path),
        "parquet": parquet,
        "description": table.comment or "",
        "profile": "tabular-data-resource",
        "format": "csv",
        "mediatype": "text/csv",
        "schema": {"fields": [_field(each) for each in table.columns], "missingValues": [""]},
    }


def _map(path: Path, name: str, description: str) -> dict[str, Any]:
    told = {"description": description, "profile": "data-resource", "format": "geojson"}
    return {"name": name, **_file(path), **told, "mediatype": "application/geo+json"}


def _file(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"path": path.name, "encoding": "utf-8", "bytes": path.stat().st_size, "hash": f"sha256:{digest}"}


def _field(column: Column) -> dict[str, str]:
    told = {"name": column.name, "type": _type_of(column), "description": column.comment or ""}
    return told | ({"format": "binary"} if column.kind == "BLOB" else {})


def _type_of(column: Column) -> str:
    return next((name for pattern, name in _TYPES if re.fullmatch(pattern, column.kind)), "any")


def _package(connection: Connection) -> dict[str, Any]:
    known = about(connection)
    now = known.now.isoformat() if known.now else "no time yet"
    return {
        "profile": "data-package",
        "name": f"trucewatch-{known.agreement.id}",
        "title": known.agreement.title,
        "description": f"Verdicts by trucewatch {software_version()}, as of {now}, of file {file_id(connection)}. "
        "Reports are their feeds' words, and who is accused is a claim. Cite that instant, and the date you read it.",
        **({"created": known.published_at.isoformat()} if known.published_at else {}),
    }
