"""Schema of a store.

Tables are numbered SQL files, applied in order, each in one transaction. Views, macros and comments belong to the
software: a file that has others, or none, gets them anew.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from importlib import resources
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from uuid import uuid4

import duckdb
from pydantic import ValidationError

from schemas.agreement import Agreement
from schemas.errors import StoreUnavailable, UsageError
from schemas.failpoints import reached
from schemas.time_zones import RELEASE
from sinks.calendar import calendar_of
from sinks.definitions import definitions

_NUMBERED = re.compile(r"^v(\d+)\.sql$")
#: A comment stands beside its column, and on a line of its own.
_COMMENT = re.compile(r"^COMMENT ON .*;\n", re.MULTILINE)


#: Edition of the rules that reports count and link by and days are judged by, docs/judging.md. It counts up with any
#: change to one: no file goes on under other rules than it began with.
RULES = 2
#: Edition of the sentences that reasons and hints are written in. It counts up with any change to one: verify compares
#: no sentence of another edition.
SENTENCES = 2


@cache
def software_version() -> str:
    """Return the version of trucewatch that runs; "source" when it is not installed."""
    try:
        return version("trucewatch")
    except PackageNotFoundError:
        return "source"


@cache
def _numbered() -> dict[int, str]:
    files = (resources.files("sinks") / "schema").iterdir()
    numbered = {int(match[1]): file.read_text("utf-8") for file in files if (match := _NUMBERED.match(file.name))}
    return dict(sorted(numbered.items()))


def migrations() -> dict[int, str]:
    """Return the SQL that leads to each schema version from the one before, without comments on tables."""
    return {number: _COMMENT.sub("", sql) for number, sql in _numbered().items()}


def _comments() -> str:
    """Return the comments on tables and their columns."""
    return "".join(line for sql in _numbered().values() for line in _COMMENT.findall(sql))


def wanted_definitions(agreement: Agreement, file_id: str) -> tuple[str, str]:
    """Return the SQL of a file's comments, views and macros, and its digest."""
    sql = _comments() + definitions(agreement, file_id)
    return sql, hashlib.sha256(sql.encode()).hexdigest()


def stored_version(connection: duckdb.DuckDBPyConnection, path: Path) -> int:
    """Return the schema version of an open file; 0 when the file is empty.

    Raises:
        StoreUnavailable: the file holds something that is not ours.
    """
    tables = {name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    if not tables:
        return 0
    if "about" not in tables:
        raise StoreUnavailable(f"{path} is a DuckDB file, but not one that trucewatch wrote: move it away")
    ((number,),) = connection.execute("SELECT schema_version FROM about").fetchall()
    return int(number)


def check_current(connection: duckdb.DuckDBPyConnection, stored: int, path: Path) -> None:
    """Refuse a file of newer tables than this software's, or judged by another edition of the rules.

    To judge its days again would not do: its links, tallies and tolls rest on those rules as well, and what was held
    at an instant would be told partly by the one edition and partly by the other.

    Raises:
        StoreUnavailable: it is newer than this software's.
        UsageError: it is older.
    """
    newest = max(migrations())
    if stored > newest:
        raise StoreUnavailable(
            f"{path} has schema version {stored}, but trucewatch {software_version()} knows versions up to {newest}: "
            "upgrade trucewatch"
        )
    edition, next_offset = 0, 1
    # Tables before the first that are known do not say by which rules they were filled.
    if stored >= min(migrations()):
        ((edition, next_offset),) = connection.execute(
            "SELECT coalesce(rules, 1), next_offset FROM about, ledger_state"
        ).fetchall()
    if next_offset == 0 or edition == RULES:
        return
    if edition > RULES:
        raise StoreUnavailable(
            f"{path} was judged by rules of a newer version than trucewatch {software_version()}: upgrade trucewatch"
        )
    raise UsageError(
        f"{path} was judged by the rules of an earlier version of trucewatch",
        "move the files of its folder away and start its ledger, which judges anew from the topic's beginning; that "
        "version goes on reading them",
    )


def check_agreement(connection: duckdb.DuckDBPyConnection, agreement: Agreement, path: Path) -> None:
    """Refuse to judge by one agreement what was judged by another.

    Raises:
        UsageError: the file was written under an agreement with another id or other rules.
    """
    ((stored_id, text),) = connection.execute("SELECT agreement_id, agreement FROM about").fetchall()
    if stored_id != agreement.id:
        raise UsageError(f"{path} belongs to agreement {stored_id!r}, not {agreement.id!r}: use another data directory")
    try:
        stored = Agreement.model_validate_json(text)
    except ValidationError as error:
        raise UsageError(
            f"{path} holds an agreement this version of trucewatch cannot read: use another data directory"
        ) from error
    if stored == agreement:
        return
    changed = [name for name in Agreement.model_fields if getattr(stored, name) != getattr(agreement, name)]
    raise UsageError(
        f"{path} was judged by other rules of {agreement.id!r} (changed: {', '.join(changed)}): give the changed "
        "agreement a data directory of its own, where it is judged anew from the topic's beginning"
    )


def migrate(
    connection: duckdb.DuckDBPyConnection, stored: int, agreement: Agreement, file_id: str | None = None
) -> None:
    """Bring the tables from version ``stored`` up to date, and the definitions unless the file has them.

    A file that has no ``file_id`` yet gets the one given, or a new one.
    """
    for number, sql in migrations().items():
        if number <= stored:
            continue
        connection.execute("BEGIN")
        connection.execute(sql)
        if stored == 0:
            connection.execute(
                "INSERT INTO about (schema_version, agreement_id, title, agreement, software_version) "
                "VALUES (0, ?, ?, ?, ?)",
                [agreement.id, agreement.title, agreement.model_dump_json(), software_version()],
            )
            connection.execute("INSERT INTO ledger_state VALUES (0, 0, NULL, -1, '{}', 0, '')")
        stored = number
        connection.execute("UPDATE about SET schema_version = ?", [number])
        reached("store.migrating")
        connection.execute("COMMIT")
        reached("store.migrated")
    # What has read nothing holds nothing of another edition, also where its first opening was ended half-way.
    nothing_read = "WHERE (SELECT next_offset FROM ledger_state) = 0"
    connection.execute(f"UPDATE about SET rules = ?, sentences = ? {nothing_read}", [RULES, SENTENCES])  # noqa: S608
    connection.execute("UPDATE about SET sentences = NULL WHERE sentences <> ?", [SENTENCES])
    connection.execute("UPDATE about SET file_id = ? WHERE file_id IS NULL", [file_id or uuid4().hex])
    ((file_id,),) = connection.execute("SELECT file_id FROM about").fetchall()
    sql, digest = wanted_definitions(agreement, file_id)
    present = (software_version(), RELEASE, digest)
    if connection.execute("SELECT software_version, tzdata, definitions FROM about").fetchall() == [present]:
        return
    calendar = calendar_of(agreement).to_json()
    connection.execute("BEGIN")
    connection.execute(sql)
    connection.execute(
        "UPDATE about SET software_version = ?, tzdata = ?, definitions = ?, calendar = ?", [*present, calendar]
    )
    reached("store.viewing")
    connection.execute("COMMIT")
