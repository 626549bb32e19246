"""Coordinates of source records: compared within one log of a topic, which may have been made anew."""

from __future__ import annotations

import shutil
from contextlib import closing
from datetime import date
from pathlib import Path

import duckdb
import pytest
from msgspec.structs import replace

from schemas.chunks import Row, incident_of
from schemas.errors import UsageError
from schemas.facts import Fact, IncidentFact
from sinks.recorded_facts import RecordedFacts
from sinks.verify.published import Published
from streams.ops.explain import read_explanation
from streams.verify import verify
from streams.verify.intake import RecordedIntake
from tests.support.judged import History, report
from tests.support.worlds import agreement, at


def told(history: History, *names: str) -> History:
    spine = {"reported_at": at(1), "occurred": (at(0.1), at(0.2)), "place": {"pcode": "SY02"}, "kind": "shelling"}
    return history.tell(*(report("incident", name, **spine) for name in names))


def made_anew() -> History:
    """Three reports, then two and a reject of a topic made anew, then one of a third log."""
    history = told(History(agreement()).from_log("first"), "a0", "a1", "a2").tick(at(1, 1))
    told(history.from_log("second"), "b0", "b1").tell(b"{").tick(at(1, 2))
    return told(history.from_log("third"), "c0").tick(at(2))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_anew().judged(tmp_path_factory.mktemp("anew"), flush_every=4, restart_every=1)


@pytest.fixture
def copy(published: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(published, tmp_path / "altered.duckdb"))


def alter(path: Path, *statements: str) -> None:
    with closing(duckdb.connect(str(path))) as connection:
        for sql in statements:
            connection.execute(sql)


def differences(path: Path) -> list[tuple[str, str]]:
    """Return the table and column of each difference."""
    return [(found.table, found.column) for found in verify(path, limit=9)]


def incidents(path: Path) -> list[Row | Fact]:
    with closing(Published(path)) as file:
        told = [fact for facts in RecordedIntake(file).facts() for _, (fact, _) in facts]
    return [fact for fact in told if isinstance(fact, tuple | IncidentFact)]


def test_an_incident_is_the_same_as_a_row_and_examined_alone(published: Path, copy: Path) -> None:
    alter(copy, "UPDATE reports SET source_log = NULL")
    rows, alone = incidents(published), incidents(copy)
    assert [type(each) for each in rows] == [tuple] * 6
    assert [replace(incident_of(row), origin=None) for row in rows] == [replace(fact, origin=None) for fact in alone]


def test_a_source_topic_made_anew_is_no_difference(published: Path) -> None:
    with closing(duckdb.connect(str(published), read_only=True)) as connection:
        read = "SELECT source_log, source_offset FROM reports ORDER BY fact_offset"
        assert connection.execute(read).fetchall() == [
            *(("first", 0), ("first", 1), ("first", 2), ("second", 0), ("second", 1), ("third", 0))
        ]
    assert verify(published) == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        # A record of one log twice, or out of its order.
        ("UPDATE reports SET source_offset = 0 WHERE report_id = 'a1'", ("reports", "")),
        ("UPDATE reports SET source_log = 'first' WHERE report_id = 'b0'", ("reports", "")),
        # A log that was never read, or read otherwise than its rows say.
        ("UPDATE reports SET source_log = 'fourth' WHERE report_id = 'c0'", ("sink_offsets", "next_offset")),
        ("UPDATE rejects SET source_log = 'fourth'", ("sink_offsets", "next_offset")),
        ("UPDATE reports SET source_offset = 7 WHERE report_id = 'a2'", ("sink_offsets", "next_offset")),
        ("UPDATE reports SET source_offset = source_offset + 1", ("rejects", "")),
        ("DELETE FROM sink_offsets WHERE log_identity = 'third'", ("sink_offsets", "next_offset")),
        (
            "UPDATE sink_offsets SET next_offset = 9 WHERE log_identity = 'first'",
            ("sink_offsets", "next_offset"),
        ),
        ("UPDATE reports SET source_log = NULL WHERE report_id = 'b1'", ("reports", "source_log")),
    ],
)
def test_an_altered_coordinate_is_found(change: str, found: tuple[str, str], copy: Path) -> None:
    alter(copy, change)
    assert found in differences(copy)


def test_a_file_of_an_earlier_version_is_refused_in_words_by_every_reader_of_its_rows(copy: Path) -> None:
    alter(
        copy,
        "ALTER TABLE reports DROP COLUMN source_log",
        "ALTER TABLE reports DROP COLUMN toll_flaw",
        "UPDATE about SET schema_version = 2",
    )
    for read in (verify, RecordedFacts, lambda path: read_explanation(path, "SY02", date(2016, 9, 12))):
        with pytest.raises(UsageError, match="judged by the rules of an earlier version"):
            read(copy)
