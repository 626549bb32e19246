"""Published copies: readers are never disturbed, and a copy is always whole."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from schemas.errors import StoreUnavailable, UsageError
from schemas.rows import Changes
from sinks import open_published, reading
from sinks.opening import LIVE, PUBLISHED, StoreLimits
from sinks.publishing import Cadence, CopyUnderWay, earlier
from sinks.records import jsonable
from streams.ops.status import read_status
from streams.verify import verify
from tests.support.judged import History, report
from tests.support.rows import DAY_ONE, full_changes, incident_row
from tests.support.stores import begin_store, new_store, open_store
from tests.support.worlds import TRUCE, at

THEN = datetime(2016, 9, 13, 12, tzinfo=UTC)
COUNT = "SELECT count(*) FROM reports"


def count_elsewhere(path: Path) -> str:
    """Return how many reports another process finds in a published file."""
    script = f"import duckdb, sys; print(duckdb.connect(sys.argv[1], read_only=True).execute({COUNT!r}).fetchone()[0])"
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=False)
    return done.stdout.strip() or done.stderr


def test_a_published_copy_holds_the_last_commit_and_says_when_it_was_made(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.commit(full_changes())
    assert store.publish(THEN) > 0
    store.close()
    with reading.open_published(tmp_path / PUBLISHED) as connection:
        assert reading.about(connection).published_at == THEN
        assert connection.execute(COUNT).fetchone() == (2,)


def test_another_process_reads_the_copy_while_the_ledger_writes(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.commit(full_changes())
    store.publish(THEN)
    store.stage(Changes(reports=[incident_row("staged")]))
    assert count_elsewhere(tmp_path / PUBLISHED) == "2"
    store.commit(Changes(next_offset=11))
    assert count_elsewhere(tmp_path / PUBLISHED) == "2"
    store.publish(THEN)
    assert count_elsewhere(tmp_path / PUBLISHED) == "3"
    store.close()


def test_a_reader_keeps_the_copy_it_opened_and_a_new_one_gets_the_new(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.commit(full_changes())
    store.publish(THEN)
    earlier = reading.open_published(tmp_path / PUBLISHED)
    for n in range(5):
        store.commit(Changes(next_offset=11 + n, reports=[incident_row(f"more-{n}-{i}") for i in range(500)]))
        store.publish(THEN)
    with reading.open_published(tmp_path / PUBLISHED) as later:
        assert earlier.execute(COUNT).fetchone() == (2,)
        assert later.execute(COUNT).fetchone() == (2_502,)
    earlier.close()
    store.close()


def test_every_call_reads_the_newest_copy_where_duckdb_gives_the_one_that_is_open(tmp_path: Path) -> None:
    """The notebook trap. The views and macros are the newest copy's as well."""
    store = new_store(tmp_path)
    store.commit(full_changes())
    store.publish(THEN)
    path = tmp_path / PUBLISHED
    with duckdb.connect(str(path), read_only=True) as notebook, open_published(path) as earlier:
        store.commit(Changes(next_offset=11, reports=[incident_row("later")]))
        store.publish(THEN + timedelta(hours=1))
        with duckdb.connect(str(path), read_only=True) as again, open_published(str(path)) as newest:
            counts = [each.sql(COUNT).fetchall() for each in (notebook, again, earlier, newest)]
            assert counts == [[(2,)], [(2,)], [(2,)], [(3,)]]
            incidents = "SELECT count(*) FROM incidents WHERE report_id = 'later'"
            assert [each.sql(incidents).fetchall() for each in (earlier, newest)] == [[(0,)], [(1,)]]
            for macro in ("verdicts_as_of('2016-09-30 00:00:00+00')", "explain_day('SY02', '2016-09-12')"):
                assert newest.sql(f"SELECT * FROM {macro}").fetchall()
    store.close()


def test_a_query_of_a_copy_touches_no_other_file(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.publish(THEN)
    store.close()
    (tmp_path / "theirs.csv").write_text("a\n1\n")
    for query in (f"FROM '{tmp_path}/theirs.csv'", f"COPY about TO '{tmp_path}/taken.csv'"):
        with open_published(tmp_path / PUBLISHED) as connection, pytest.raises(duckdb.PermissionException):
            connection.execute(query)
    assert not (tmp_path / "taken.csv").exists()


def test_a_log_left_beside_the_copy_is_not_replayed_onto_the_next(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.publish(THEN)
    log = tmp_path / "compliance.duckdb.wal"
    log.write_bytes(b"somebody opened the copy for writing")
    store.publish(THEN)
    store.close()
    assert not log.exists()


def test_what_a_killed_publication_left_behind_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "compliance.duckdb.publishing").write_bytes(b"half" * 1_000_000)
    store = new_store(tmp_path)
    store.publish(THEN)
    store.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["compliance.duckdb", "live.duckdb"]
    assert count_elsewhere(tmp_path / PUBLISHED) == "0"


def test_staged_rows_are_never_published(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.stage(Changes(reports=[incident_row("i1")]))
    with pytest.raises(RuntimeError, match="between commits"):
        store.publish(THEN)
    store.close()


def test_commits_beside_a_copy_are_in_the_next_one(tmp_path: Path) -> None:
    store = new_store(tmp_path, limits=StoreLimits(log_bytes=1))
    log = tmp_path / "live.duckdb.wal"
    held = []
    for number in (1, 2):
        store.commit(Changes(next_offset=number, reports=[incident_row(f"before {number}")]))
        store.begin_copy(THEN)
        store.commit(Changes(next_offset=10 + number, reports=[incident_row(f"beside {number}")]))
        assert log.stat().st_size > 0, "a checkpoint would change the file that is being copied"
        store.place_copy()
        with reading.open_published(tmp_path / PUBLISHED) as copy:
            held += copy.execute("SELECT next_offset, (SELECT count(*) FROM reports) FROM ledger_state").fetchall()
    store.close()
    assert held == [(1, 1), (2, 3)]


def test_a_store_closed_beside_a_copy_leaves_the_earlier_one(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.publish(THEN)
    earlier_bytes = (tmp_path / PUBLISHED).read_bytes()
    store.commit(full_changes())
    store.begin_copy(THEN)
    store.close()
    assert (tmp_path / PUBLISHED).read_bytes() == earlier_bytes
    assert sorted(path.name for path in tmp_path.iterdir()) == [PUBLISHED, LIVE]
    store = open_store(tmp_path)
    assert store.resume().next_offset == 10
    store.close()


def test_one_copy_is_made_at_a_time(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    with pytest.raises(RuntimeError, match="no copy"):
        store.place_copy()
    store.begin_copy(THEN)
    with pytest.raises(RuntimeError, match="one copy"):
        store.begin_copy(THEN)
    store.place_copy()
    assert not store.copied()
    store.close()


def test_a_standby_goes_on_from_the_published_copy(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    store = new_store(first)
    store.commit(full_changes())
    store.publish(THEN)
    store.commit(Changes(next_offset=50, reports=[incident_row("after")]))
    store.close()
    second.mkdir()
    (second / "compliance.duckdb").write_bytes((first / "compliance.duckdb").read_bytes())
    standby = open_store(second)
    assert standby.resume().next_offset == 10
    standby.close()


def test_a_long_log_is_folded_into_the_file_without_publishing(tmp_path: Path) -> None:
    store = new_store(tmp_path, limits=StoreLimits(log_bytes=1_000_000))
    log = tmp_path / "live.duckdb.wal"
    for n in range(8):
        store.commit(Changes(next_offset=n, reports=[incident_row(f"i{n}-{i}", raw="x" * 500) for i in range(1_000)]))
        assert not log.exists() or log.stat().st_size <= 1_000_000
    store.close()


def test_a_copy_between_two_file_systems_goes_through_memory(tmp_path: Path) -> None:
    shared_memory = Path("/dev/shm")  # noqa: S108 - a second file system, if there is one
    if not shared_memory.is_dir() or shared_memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is only one file system to write to")
    with tempfile.TemporaryDirectory(dir=shared_memory) as elsewhere:
        begin_store(Path(elsewhere))
        original = Path(elsewhere) / LIVE
        content = original.read_bytes()
        with original.open("rb") as source:
            CopyUnderWay(source.fileno(), tmp_path / "copy", original).place()
    assert (tmp_path / "copy").read_bytes() == content


def test_the_copy_published_before_is_kept(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    for number in (1, 2, 3):
        store.commit(Changes(next_offset=number, reports=[incident_row(f"i{number}")]))
        store.publish(THEN + timedelta(hours=number))
    store.close()
    copies = [tmp_path / PUBLISHED, earlier(tmp_path / PUBLISHED)]
    held = []
    for copy in copies:
        with reading.open_published(copy) as connection:
            held += connection.execute("SELECT next_offset FROM ledger_state").fetchall()
    assert held == [(3,), (2,)]
    assert sorted(tmp_path.iterdir()) == sorted([*copies, tmp_path / LIVE])


def test_a_ledger_begins_with_a_copy_also_where_there_are_no_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    store = open_store(tmp_path)
    store.commit(full_changes())
    store.publish(THEN)
    store.close()
    (tmp_path / LIVE).unlink()
    monkeypatch.setattr(os, "link", refuse)
    store = open_store(tmp_path)
    assert store.resume().next_offset == 10
    store.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [PUBLISHED, LIVE]


def test_what_a_strangers_file_says_of_other_files_is_not_read(tmp_path: Path) -> None:
    """Its views are theirs: one could hand a secret of this machine to whoever looks, or to a server of theirs."""
    told = report("incident", "i1", reported_at=at(0, 2), region="SY02", kind="shelling", occurred=(at(0), at(0, 1)))
    History(TRUCE).tell(told).tick(at(1)).judged(tmp_path)
    (tmp_path / "secret.txt").write_text("a secret")
    with duckdb.connect(str(tmp_path / PUBLISHED)) as theirs:
        theirs.execute("ALTER TABLE feeds RENAME TO known_feeds")
        theirs.execute(
            f"CREATE VIEW feeds AS SELECT content AS feed, k.* EXCLUDE (feed) "
            f"FROM known_feeds k, read_text('{tmp_path}/secret.txt')"
        )
    with pytest.raises((StoreUnavailable, duckdb.PermissionException), match="Cannot access file"):
        read_status(tmp_path / PUBLISHED)
    # The recount looks at what the file is made of before it reads any of it.
    found = verify(tmp_path / PUBLISHED, limit=99)
    assert {difference.table for difference in found} == {"feeds", "known_feeds"}
    assert "a secret" not in " ".join(map(str, found))


def test_a_copy_into_a_folder_that_went_away_fails_cleanly(tmp_path: Path) -> None:
    store = new_store(tmp_path / "data")
    store.publish(THEN)
    shutil.move(tmp_path / "data", tmp_path / "moved")
    with pytest.raises(StoreUnavailable, match=r"live\.duckdb was moved or deleted while the ledger wrote it"):
        store.publish(THEN)
    store.close()


class TestCadence:
    def test_the_first_copy_is_due_at_once(self) -> None:
        assert Cadence(timedelta(seconds=2)).due(0.0)

    def test_one_that_begins_anew_waits_for_no_copy_made_before(self) -> None:
        cadence = Cadence(timedelta(seconds=2))
        cadence.published(100.0, 60.0)
        assert not cadence.due(160.0)
        cadence.begin_anew()
        assert cadence.due(160.0)

    def test_a_quick_copy_waits_for_the_minimum(self) -> None:
        cadence = Cadence(timedelta(seconds=2))
        cadence.published(100.01, 0.01)
        assert not cadence.due(101.9)
        assert cadence.due(102.0)

    def test_a_slow_copy_waits_until_it_took_a_twentieth_of_the_time(self) -> None:
        cadence = Cadence(timedelta(seconds=2))
        cadence.published(100.0, 1.0)
        assert not cadence.due(118.9)
        assert cadence.due(119.0)

    @pytest.mark.parametrize("took", [0.001, 0.1, 0.5, 3.0, 60.0])
    def test_publishing_never_takes_more_than_its_share(self, took: float) -> None:
        pause = Cadence(timedelta(0), share=0.1).pause_after(took)
        assert took / (took + pause) <= 0.1 + 1e-9

    @pytest.mark.parametrize("share", [0, -1, 1.1])
    def test_a_share_that_makes_no_sense_is_refused(self, share: float) -> None:
        with pytest.raises(ValueError, match="share"):
            Cadence(timedelta(seconds=1), share=share)


class TestReading:
    @pytest.fixture(scope="class")
    @classmethod
    def published(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """A copy with a row for every table."""
        folder = tmp_path_factory.mktemp("published")
        store = new_store(folder)
        store.commit(full_changes())
        store.publish(THEN)
        store.close()
        return folder / PUBLISHED

    def test_every_record_can_be_json(self, published: Path) -> None:
        with reading.open_published(published) as connection:
            (cell,) = jsonable(reading.grid(connection))
            assert (cell["region_name"], cell["truce_day"], cell["verdict"]) == ("Aleppo", "2016-09-12", "BROKEN")
            assert cell["reasons"][0]["rule"] == "count_above_limit"
            (window,) = jsonable(reading.windows(connection))
            assert (window["as_of"], window["in_gate"]) == ("2016-09-12T20:00:00Z", True)
            gate = jsonable(reading.gate(connection))
            assert (gate["is_open"], gate["reason"]) == (False, "SY02 0 of 3")
            assert jsonable(reading.gate_history(connection)) == [gate]
            assert jsonable(reading.feeds(connection))[0]["accepted"] == 2
            assert jsonable(reading.declarations(connection))[0]["until"] is None
            assert jsonable(reading.about(connection))["published_at"] == "2016-09-13T12:00:00Z"

    def test_the_grid_can_be_cut_to_some_days(self, published: Path) -> None:
        with reading.open_published(published) as connection:
            assert len(reading.grid(connection, (DAY_ONE, DAY_ONE))) == 1
            assert reading.grid(connection, (date(2016, 10, 1), date(2016, 10, 2))) == []

    def test_rejects_are_counted(self, published: Path) -> None:
        with reading.open_published(published) as connection:
            (count,) = reading.reject_counts(connection)
            assert (count.code, count.records, count.hint) == ("not_json", 1, "send JSON")

    def test_before_anything_was_judged_there_is_no_gate(self, tmp_path: Path) -> None:
        store = new_store(tmp_path)
        store.publish(THEN)
        store.close()
        with reading.open_published(tmp_path / PUBLISHED) as connection:
            assert reading.gate(connection) is None

    def test_a_copy_cannot_be_written(self, published: Path) -> None:
        with reading.open_published(published) as connection, pytest.raises(duckdb.Error, match="read-only"):
            connection.execute("DELETE FROM reports")

    def test_a_copy_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="nothing has been published yet"):
            reading.open_published(tmp_path / "it's" / "compliance.duckdb")

    def test_a_file_of_another_kind_is_refused(self, tmp_path: Path) -> None:
        with duckdb.connect(str(tmp_path / "theirs.duckdb")) as connection:
            connection.execute("CREATE TABLE theirs (a INTEGER)")
        with pytest.raises(UsageError, match="not one that trucewatch published"):
            reading.open_published(tmp_path / "theirs.duckdb")
        (tmp_path / "noise.duckdb").write_bytes(b"noise" * 10_000)
        with pytest.raises(StoreUnavailable, match="is damaged"):
            reading.open_published(tmp_path / "noise.duckdb")

    def test_a_table_that_is_missing_makes_the_file_unreadable(self, tmp_path: Path) -> None:
        with duckdb.connect(str(tmp_path / "half.duckdb")) as connection:
            connection.execute("CREATE TABLE about (a INTEGER)")
        with (
            pytest.raises(StoreUnavailable, match=r"half\.duckdb: Catalog Error"),
            reading.published(tmp_path / "half.duckdb") as connection,
        ):
            reading.feeds(connection)
