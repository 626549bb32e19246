"""Deleting what a ledger left, and never from under one that runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.agreement_file import load_agreement
from schemas.errors import StoreUnavailable
from sinks.clearing import clear, left_behind
from streams.cli.backtest import Plan, run_backtest
from streams.settings import Settings
from tests.support.rows import full_changes
from tests.support.stores import new_store
from tests.unit.test_store_faults import another_ledger, said_by


def test_all_a_ledger_left_is_deleted_and_nothing_else(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.commit(full_changes())
    store.close()
    (tmp_path / "notes.txt").write_text("mine")
    clear(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    clear(tmp_path)


def test_what_a_killed_ledger_left_is_deleted_with_its_log(tmp_path: Path) -> None:
    said_by(
        "store = open_store(directory)\nstore.commit(full_changes())\nos.kill(os.getpid(), signal.SIGKILL)", tmp_path
    )
    assert (tmp_path / "live.duckdb.wal").exists()
    clear(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_is_deleted_too(tmp_path: Path) -> None:
    (tmp_path / "live.duckdb").write_bytes(b"no database" * 1_000)
    clear(tmp_path)
    assert left_behind(tmp_path) == []


def test_the_mark_of_damage_and_copies_half_made_are_deleted_too(tmp_path: Path) -> None:
    """Left behind, the mark would have a new file taken for the damaged one."""
    half = ("live.duckdb.0f.publishing", "live.duckdb.publishing", "compliance.duckdb.publishing")
    for name in ("live.duckdb.suspect", *half):
        (tmp_path / name).write_bytes(b"")
    assert len(left_behind(tmp_path)) == 4
    clear(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_deleted_under_a_running_ledger(tmp_path: Path) -> None:
    folder = tmp_path / "syria-2016"
    reports = tmp_path / "reports.jsonl"
    reports.write_text("{}")
    with another_ledger(folder, "store.publish(datetime.now(UTC))") as holder:
        there = left_behind(folder)
        plan = Plan(Settings(data=tmp_path), load_agreement("syria-2016"), [reports], None, replace=True)
        with pytest.raises(StoreUnavailable, match=rf"in use by process {holder} "):
            run_backtest(plan, lambda *_: None)
        assert left_behind(folder) == there
    assert len(there) >= 2
