"""Rejects published again: counted once, with what became of them, whoever judges and wherever a flush ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from streams.verify import verify
from tests.support.effort import cases
from tests.support.judged import History, report
from tests.support.worlds import TRUCE, at

STATES = "SELECT fact_offset, code, redrives, redrive_outcome, redrive_offset, of_redrive FROM reject_states ORDER BY 1"
DUPLICATES = "SELECT sum(duplicate)::INTEGER FROM feeds"


def incident(report_id: str = "i1", **fields: Any) -> dict[str, Any]:
    occurred = (at(0, 1), at(0, 2))
    spine: dict[str, Any] = {"kind": "shelling", "region": "SY01", "reported_at": at(0, 3), "occurred": occurred}
    return report("incident", report_id, **{**spine, **fields})


def misspelt(report_id: str = "i1") -> dict[str, Any]:
    return incident(report_id, kind="sheling")


def ask(published: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(published), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_a_redrive_marks_the_reject_with_what_became_of_it(tmp_path: Path) -> None:
    published = History(TRUCE).tell(misspelt(), b"{").redriven(0, incident()).tick(at(1)).judged(tmp_path)
    assert ask(published, STATES) == [
        (0, "bad_value", 1, "accepted", 2, False),
        (1, "not_json", 0, None, None, False),
    ]
    assert ask(published, "SELECT report_id, fact_offset FROM reports") == [("i1", 2)]
    assert verify(published) == []


def test_the_same_redrive_twice_is_one_reject_and_a_duplicate(tmp_path: Path) -> None:
    """Two people at once, or one whose connection broke: without this there would be a reject more for each."""
    published = History(TRUCE).tell(b"{").redriven(0).redriven(0).redriven(0).tick(at(1)).judged(tmp_path)
    assert ask(published, STATES) == [(0, "not_json", 1, "rejected", 1, False), (1, "not_json", 0, None, None, True)]
    assert ask(published, DUPLICATES) == [(2,)]
    assert verify(published) == []


def test_another_time_or_another_body_is_another_redrive(tmp_path: Path) -> None:
    history = History(TRUCE).tell(b"{").redriven(0).redriven(0, time=2).redriven(0, b"[").redriven(0, b"[")
    published = history.tick(at(1)).judged(tmp_path)
    assert ask(published, "SELECT fact_offset, number, outcome FROM redrives ORDER BY 1") == [
        (1, 1, "rejected"),
        (2, 2, "rejected"),
        (3, 1, "rejected"),
    ]
    assert ask(published, DUPLICATES) == [(1,)]
    assert verify(published) == []


def test_every_outcome_of_a_redrive_is_told(tmp_path: Path) -> None:
    history = History(TRUCE).tell(*(misspelt(f"i{number}") for number in range(6)))
    history.tell(incident("i1", revision=2), incident("i2"), incident("i4"))
    history.redriven(0, incident("i0")).redriven(1, incident("i1")).redriven(2, incident("i2", revision=2))
    history.redriven(3, incident("i2", revision=3, status="retracted")).redriven(4, incident("i4"))
    history.redriven(5, incident("i4", note="another"))
    published = history.tick(at(1)).judged(tmp_path)
    outcomes = [outcome for (outcome,) in ask(published, "SELECT outcome FROM redrives ORDER BY fact_offset")]
    assert outcomes == ["accepted", "superseded", "corrected", "retracted", "duplicate", "rejected"]
    assert verify(published) == []


@pytest.mark.parametrize("flush_every", cases([2, 1, 3], fast=1))
def test_a_redrive_is_known_across_flushes_and_restarts(tmp_path: Path, flush_every: int) -> None:
    history = History(TRUCE).tell(b"{", misspelt()).redriven(0).redriven(1, incident()).redriven(0)
    history.redriven(1, incident()).tick(at(1))
    published = history.judged(tmp_path, flush_every=flush_every, restart_every=1)
    assert ask(published, "SELECT count(*) FROM redrives") == [(2,)]
    assert ask(published, DUPLICATES) == [(2,)]
    assert verify(published) == []
