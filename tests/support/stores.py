"""Stores of the test agreement, and files to ask views and macros of, made without the work of a first opening."""

from __future__ import annotations

import tempfile
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import Any

import duckdb

from schemas.agreement import Agreement
from schemas.gazetteer import load_gazetteer
from schemas.rows import Changes
from schemas.topics import EMBEDDED_CLUSTER
from sinks.batches import Batches
from sinks.calendar import calendar_of
from sinks.migrations import migrate, migrations
from sinks.opening import StoreLimits, connect, name_regions
from sinks.store import LIVE, Store
from sinks.writing import Writer
from tests.support.worlds import TRUCE

TOPIC = "truce.facts.test-truce.v1"
LOG = f"{EMBEDDED_CLUSTER}1/facts"
REGIONS = load_gazetteer(TRUCE.gazetteer).spellings()


def open_store(
    directory: Path, truce: Agreement = TRUCE, *, log: str = LOG, new_log_allowed: bool = False, **limits: Any
) -> Store:
    """Open a store in ``directory``."""
    return Store.open(
        directory, truce, REGIONS, facts_topic=TOPIC, log_identity=log, new_log_allowed=new_log_allowed, **limits
    )


def new_store(directory: Path, truce: Agreement = TRUCE, **given: Any) -> Store:
    """Open a store in an empty directory: for tests that are not about a first opening."""
    begin_store(directory, truce)
    return open_store(directory, truce, **given)


def begin_store(directory: Path, truce: Agreement = TRUCE) -> None:
    """Put into an empty directory, made if need be, a copy of the file that a first opening makes.

    Whoever opens it names the regions and the log, as at any opening.
    """
    directory.mkdir(parents=True, exist_ok=True)
    if not any(directory.iterdir()):
        (directory / LIVE).write_bytes(_new_file(truce.model_dump_json()))


@lru_cache(maxsize=32)
def _new_file(truce_json: str) -> bytes:
    """Return the file of an agreement: the test agreement's by a real opening, any other's by changing its row."""
    truce = Agreement.model_validate_json(truce_json)
    with tempfile.TemporaryDirectory() as folder:
        live = Path(folder) / LIVE
        if truce == TRUCE:
            open_store(live.parent).close()
        else:
            live.write_bytes(_new_file(TRUCE.model_dump_json()))
            with closing(connect(live, StoreLimits())) as connection:
                connection.execute(
                    "UPDATE about SET agreement_id = ?, title = ?, agreement = ?, calendar = ?",
                    [truce.id, truce.title, truce_json, calendar_of(truce).to_json()],
                )
                connection.execute("DELETE FROM regions")
                # Most agreements have the same definitions: they are made anew only where they differ.
                migrate(connection, max(migrations()), truce)
        return live.read_bytes()


class Scratch:
    """An open file that holds some rows at a time, for questions to views and macros."""

    def __init__(self, directory: Path, truce: Agreement = TRUCE) -> None:
        begin_store(directory, truce)
        self._connection = connect(directory / LIVE, StoreLimits())
        name_regions(self._connection, truce, REGIONS)
        self._writer = Writer(self._connection, Batches(self._connection), truce)
        self._connection.execute("BEGIN")

    def holding(self, changes: Changes) -> duckdb.DuckDBPyConnection:
        """Return the connection; these rows are seen on it, and none given earlier."""
        self._connection.execute("ROLLBACK")
        self._writer.forget()
        self._connection.execute("BEGIN")
        self._writer.stage(changes, 0)
        list(self._writer.write(changes, 0))
        self._writer.write_offsets(changes, TOPIC, 0)
        return self._connection

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()
