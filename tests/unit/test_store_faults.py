"""Everything that can go wrong with the store's file, and what the person is told."""

from __future__ import annotations

import errno
import inspect
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest

from schemas.errors import StoreDamaged, StoreFull, StoreInUse, StoreUnavailable, UsageError
from schemas.rows import Changes, DayTallyRow
from sinks.faults import mapped, of_duckdb
from sinks.opening import LIVE, PUBLISHED
from sinks.publishing import earlier
from sinks.reading import open_published
from streams.verify import verify
from tests.support.effort import cases
from tests.support.rows import full_changes, incident_row, tally_row
from tests.support.stores import begin_store, new_store, open_store
from tests.support.worlds import agreement

PREAMBLE = """
import os, resource, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from schemas.errors import TrucewatchError
from schemas.rows import Changes
from sinks.opening import PUBLISHED
from tests.support.rows import full_changes, incident_row
from tests.support.stores import open_store
directory = Path(sys.argv[1])
"""
ROOT = Path(__file__).parents[2]


def child(script: str, directory: Path) -> subprocess.Popen[str]:
    """Start a script of its own process; ``directory`` is the store's, with a new file unless there is one."""
    begin_store(directory)
    return subprocess.Popen(
        [sys.executable, "-c", PREAMBLE + textwrap.dedent(script), str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def said_by(script: str, directory: Path) -> tuple[str, int]:
    """Run a script to its end; return what it printed and its exit status."""
    process = child(script, directory)
    said, _ = process.communicate(timeout=300)
    return said, process.returncode


@contextmanager
def another_ledger(directory: Path, first: str = "") -> Iterator[int]:
    """Keep the store open in another process, after it did ``first``; give its process id."""
    process = child(f"store = open_store(directory)\n{first}\nprint('ready', flush=True)\nsys.stdin.read()", directory)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process.pid
    finally:
        process.communicate(timeout=300)


def test_a_store_in_use_names_the_process_that_holds_it(tmp_path: Path) -> None:
    with another_ledger(tmp_path) as holder, pytest.raises(StoreUnavailable, match=rf"in use by process {holder} "):
        open_store(tmp_path)
    open_store(tmp_path).close()


def test_publishing_does_not_let_a_second_writer_in(tmp_path: Path) -> None:
    """Closing any descriptor of a file drops all POSIX locks of the process on it, DuckDB's too."""
    publish_twice = "[store.publish(datetime.now(UTC)) for _ in range(2)]"
    with another_ledger(tmp_path, publish_twice), pytest.raises(StoreUnavailable, match="is in use by process"):
        open_store(tmp_path)


@pytest.mark.parametrize("step", cases(["copy.half", "copy.written", "copy.synced"], fast=1))
def test_a_ledger_that_hung_while_it_took_up_a_copy_spoils_nothing_when_it_wakes_up(tmp_path: Path, step: str) -> None:
    """Another one took over meanwhile: its file must be neither written over nor replaced, and its log stays."""
    store = open_store(tmp_path)
    store.commit(full_changes())
    store.publish(datetime(2016, 9, 30, tzinfo=UTC))
    store.close()
    (tmp_path / LIVE).unlink()
    hung = child(
        f"""
        from schemas import failpoints
        failpoints.arm("{step}:1:stop")
        try:
            open_store(directory)
        except TrucewatchError as error:
            print(type(error).__name__, error)
        """,
        tmp_path,
    )
    _, status = os.waitpid(hung.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    store = open_store(tmp_path)
    store.commit(Changes(next_offset=20, tallies=[tally_row(day=date(2016, 10, 3))]))
    os.kill(hung.pid, signal.SIGCONT)
    said, _ = hung.communicate(timeout=300)
    assert said.startswith(f"StoreInUse {tmp_path / LIVE} is in use by process {os.getpid()} ")
    assert (tmp_path / f"{LIVE}.wal").exists()
    store.publish(datetime(2016, 9, 30, tzinfo=UTC))
    store.close()
    store = open_store(tmp_path)
    assert store.set_aside is None
    assert store.resume().next_offset == 20
    store.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [PUBLISHED, earlier(tmp_path / PUBLISHED).name, LIVE]


def test_a_ledger_killed_in_mid_transaction_leaves_the_commit_before(tmp_path: Path) -> None:
    said, status = said_by(
        """
        store = open_store(directory)
        store.commit(full_changes())
        store.stage(Changes(reports=[incident_row(f"lost-{n}") for n in range(20_000)]))
        print(len(store.earliest("SY02", full_changes().tallies[0].truce_day, None, 5)), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        tmp_path,
    )
    assert (said, status) == ("5\n", -signal.SIGKILL)
    store = open_store(tmp_path)
    assert store.resume().next_offset == 10
    assert sum(len(hashes) for hashes in store.key_hashes()) == 2
    store.close()


def test_a_ledger_killed_after_a_commit_has_lost_nothing(tmp_path: Path) -> None:
    said_by(
        """
        store = open_store(directory)
        for n in range(5):
            store.commit(Changes(next_offset=n + 1, reports=[incident_row(f"i{n}", fact_offset=n)]))
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        tmp_path,
    )
    store = open_store(tmp_path)
    assert store.resume().next_offset == 5
    assert sum(len(hashes) for hashes in store.key_hashes()) == 5
    store.close()


def test_a_full_disk_leaves_the_commit_before(tmp_path: Path) -> None:
    """A limit on file size stands for the full disk: the kernel refuses the write just the same."""
    said, _ = said_by(
        """
        store = open_store(directory)
        store.commit(full_changes())
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
        try:
            rows = [incident_row(f"i{n}", raw="x" * 2_000) for n in range(5_000)]
            store.commit(Changes(next_offset=99, reports=rows))
        except TrucewatchError as error:
            print(type(error).__name__, error.exit_code, "took no more" in str(error))
        store.close()
        """,
        tmp_path,
    )
    assert said == "StoreFull 3 True\n"
    store = open_store(tmp_path)
    assert store.resume().next_offset == 10
    store.close()


def test_a_disk_that_fills_up_while_publishing_leaves_the_earlier_copy(tmp_path: Path) -> None:
    said, _ = said_by(
        """
        store = open_store(directory)
        store.commit(full_changes())
        store.publish(datetime.now(UTC))
        before = (directory / PUBLISHED).read_bytes()
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            store.publish(datetime.now(UTC))
        except TrucewatchError as error:
            print(type(error).__name__, (directory / PUBLISHED).read_bytes() == before)
        print(sorted(path.name for path in directory.iterdir() if "publishing" in path.name))
        os._exit(0)
        """,
        tmp_path,
    )
    assert said == "StoreFull True\n[]\n"


def test_after_an_error_the_store_is_back_at_its_last_commit(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.commit(full_changes())
    store.stage(Changes(reports=[incident_row("staged")]))
    with pytest.raises(StoreUnavailable, match="NOT NULL constraint"):
        store.commit(Changes(next_offset=11, tallies=[DayTallyRow(None, *tally_row()[1:])]))  # type: ignore[arg-type]
    assert store.resume().next_offset == 10
    assert sum(len(hashes) for hashes in store.key_hashes()) == 2
    store.commit(Changes(next_offset=11, reports=[incident_row("again")]))
    assert store.resume().next_offset == 11
    store.close()


def test_closing_drops_what_is_only_staged(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.stage(Changes(reports=[incident_row("i1")]))
    store.close()
    store.close()
    store = open_store(tmp_path)
    assert list(store.key_hashes()) == [] or sum(len(hashes) for hashes in store.key_hashes()) == 0
    store.close()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreUnavailable, match=r"file/data cannot be used: Not a directory"):
        open_store(tmp_path / "file" / "data")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StoreUnavailable, match=r"live\.duckdb"):
        open_store(tmp_path)


def test_a_file_that_is_no_database_is_called_damaged(tmp_path: Path) -> None:
    (tmp_path / "live.duckdb").write_bytes(b"not a database" * 1_000)
    with pytest.raises(StoreDamaged, match=r"is damaged .*not set aside: .*an embedded broker forgets"):
        open_store(tmp_path)


def test_a_damaged_block_is_called_damaged(tmp_path: Path) -> None:
    begin_store(tmp_path)
    with (tmp_path / "live.duckdb").open("r+b") as file:
        for place in (4_096, 8_192):
            file.seek(place)
            file.write(b"\xa5" * 64)
    with pytest.raises(StoreUnavailable, match="is damaged"):
        open_store(tmp_path)


def test_a_damaged_log_is_called_damaged(tmp_path: Path) -> None:
    said_by(
        """
        store = open_store(directory)
        store.commit(full_changes())
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        tmp_path,
    )
    with (tmp_path / "live.duckdb.wal").open("r+b") as file:
        file.seek(300)
        file.write(b"\xa5" * 64)
    with pytest.raises(StoreUnavailable, match="is damaged"):
        open_store(tmp_path)


def test_a_log_without_its_file_is_not_guessed_at(tmp_path: Path) -> None:
    (tmp_path / "live.duckdb.wal").write_bytes(b"")
    with pytest.raises(StoreUnavailable, match=r"is missing, but its log live\.duckdb\.wal is there.*Put a backup"):
        open_store(tmp_path)


def test_somebody_elses_database_is_left_alone(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "live.duckdb")) as connection:
        connection.execute("CREATE TABLE theirs (a INTEGER)")
    with pytest.raises(StoreUnavailable, match="not one that trucewatch wrote"):
        open_store(tmp_path)


def test_a_newer_schema_asks_for_an_upgrade(tmp_path: Path) -> None:
    begin_store(tmp_path)
    with duckdb.connect(str(tmp_path / "live.duckdb")) as connection:
        connection.execute("UPDATE about SET schema_version = 99")
    with pytest.raises(StoreUnavailable, match=r"schema version 99.*upgrade trucewatch"):
        open_store(tmp_path)


def test_another_agreement_is_refused(tmp_path: Path) -> None:
    begin_store(tmp_path)
    with pytest.raises(UsageError, match="belongs to agreement 'test-truce', not 'another-truce'"):
        open_store(tmp_path, agreement(id="another-truce"))


def test_other_rules_are_refused_and_named(tmp_path: Path) -> None:
    begin_store(tmp_path)
    with pytest.raises(UsageError, match=r"other rules of 'test-truce' \(changed: title, violence\)"):
        open_store(tmp_path, agreement(violence={"floor": 5}, title="Another title"))


def test_an_agreement_nobody_can_read_any_more_is_refused(tmp_path: Path) -> None:
    begin_store(tmp_path)
    with duckdb.connect(str(tmp_path / "live.duckdb")) as connection:
        connection.execute("UPDATE about SET agreement = '{}'")
    with pytest.raises(UsageError, match="cannot read"):
        open_store(tmp_path)


@pytest.mark.parametrize(
    "kind",
    [kind for _, kind in inspect.getmembers(duckdb) if isinstance(kind, type) and issubclass(kind, duckdb.Error)],
)
def test_every_error_of_duckdb_becomes_one_of_ours(kind: type[duckdb.Error]) -> None:
    found = of_duckdb(kind("IO Error: something new"), Path("live.duckdb"))
    assert isinstance(found, StoreUnavailable)
    assert str(found).startswith("live.duckdb")
    assert "\n" not in str(found)


@pytest.mark.parametrize(
    ("said", "meant", "advice"),
    [
        ('IO Error: Could not write file "x": No space left on device', StoreFull, "free some space"),
        ("IO Error: Could not write file: Disk quota exceeded", StoreFull, "free some space"),
        ("IO Error: Could not set lock on file: Resource unavailable", StoreInUse, "in use by another process"),
        ('IO Error: Cannot open file "x": Permission denied', StoreUnavailable, "cannot be written"),
        ("IO Error: Trying to read a file with version number 99", StoreUnavailable, "another version of DuckDB"),
        ("Corrupt database file: computed checksum 1 does not match", StoreDamaged, "is damaged"),
        ("", StoreUnavailable, "no reason given"),
    ],
)
def test_what_duckdb_says_decides_what_the_person_is_told(said: str, meant: type[Exception], advice: str) -> None:
    found = of_duckdb(duckdb.IOException(said), Path("live.duckdb"))
    assert type(found) is meant
    assert advice in str(found)


def test_too_little_memory_says_so() -> None:
    found = of_duckdb(duckdb.OutOfMemoryException("Out of Memory Error: failed to allocate"), Path("live.duckdb"))
    assert "more memory" in str(found)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_disk_the_system_calls_full_is_full(number: int) -> None:
    with pytest.raises(StoreFull, match="free some space"), mapped(Path("copy")):
        raise OSError(number, os.strerror(number))


@pytest.mark.parametrize("name", ["a\\b", "ends in \\", "what?", "md:a?b"])
def test_a_folder_that_duckdb_reads_as_another_is_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    with pytest.raises(UsageError, match=r"DuckDB takes the [\\?] in it for .*: use a folder without one"):
        open_store(folder)
    folder.mkdir(exist_ok=True)
    (folder / PUBLISHED).touch()
    for read in (open_published, verify):
        with pytest.raises(UsageError, match="use a folder without one"):
            read(folder / PUBLISHED)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    "name",
    cases(["md:truce", "a'b", "~truce", "s3:", "file:x", ":memory:", 'a"b', "a\nb", "a;b", "%20", "é"], fast=3),
)
def test_a_folder_of_any_other_name_is_written_and_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path(name)
    store = new_store(folder)
    store.publish(datetime(2016, 9, 20, tzinfo=UTC))
    store.close()
    with closing(open_published(folder / PUBLISHED)) as connection:
        assert connection.execute("SELECT agreement_id FROM about").fetchall() == [("test-truce",)]
    assert verify(folder / PUBLISHED) == []
