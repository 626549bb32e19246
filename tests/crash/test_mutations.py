"""Each guarantee is dropped on purpose, in a copy of the source, and the tests that guard it must fail.

That they pass on the source as it is, ``test_campaign.py`` and ``test_any_history.py`` say.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]


class Mutation(NamedTuple):
    """One guarantee dropped: in ``file`` the text ``was`` becomes ``now``; ``guard`` is run and must not pass."""

    file: str
    was: str
    now: str
    guard: tuple[str, ...]


#: One death at the step in question is enough: what is broken there is broken every time.
CAMPAIGN = ("-m", "tests.crash", "--kills", "1", "--reports", "400")
HISTORIES = ("-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "tests/property/test_any_history.py")

MUTATIONS = {
    "offsets are written outside the transaction": Mutation(
        "sinks/store.py",
        """            self._writer.write_offsets(changes, self._facts_topic, self._log_start)
            reached("store.written")
            self._connection.execute("COMMIT")
            self._in_transaction = False
        reached("store.committed")
""",
        """            self._connection.execute("COMMIT")
            self._in_transaction = False
        reached("store.committed")
        with self._transaction():
            self._writer.write_offsets(changes, self._facts_topic, self._log_start)
            self._connection.execute("COMMIT")
            self._in_transaction = False
""",
        (*CAMPAIGN, "--role", "ledger", "--steps", "store.committed"),
    ),
    "intake commits before it produces": Mutation(
        "streams/intake/handler.py",
        """        reached("intake.examined")
""",
        """        await self._lane.commit({TopicPartition(batch.topic, batch.partition): batch.next_offset})
        reached("intake.examined")
""",
        (*CAMPAIGN, "--role", "intake", "--steps", "intake.examined"),
    ),
    "tables are committed before what they are": Mutation(
        "sinks/migrations.py",
        """        connection.execute(sql)
""",
        """        connection.execute(sql)
        connection.execute("COMMIT")
        connection.execute("BEGIN")
""",
        (*CAMPAIGN, "--role", "ledger", "--steps", "store.migrating"),
    ),
    "what is rejected is written once the offset is committed": Mutation(
        "streams/intake/handler.py",
        """        if rejects:
            await self._rejects.append(rejects, lambda letter: source_of(letter.headers))
        reached("intake.acknowledged")
        self._uncommitted[TopicPartition(batch.topic, batch.partition)] = batch.next_offset
        await self._commit(self._lane)
        reached("intake.committed")
""",
        """        self._uncommitted[TopicPartition(batch.topic, batch.partition)] = batch.next_offset
        await self._commit(self._lane)
        reached("intake.committed")
        await self._rejects.append(rejects, lambda letter: source_of(letter.headers))
""",
        (*CAMPAIGN, "--role", "intake", "--steps", "intake.committed"),
    ),
    "the copy is written over the old one": Mutation(
        "sinks/publishing.py",
        """        self._fresh = target.with_name(f"{target.name}.publishing")
""",
        """        target.unlink(missing_ok=True)
        self._fresh = target
""",
        (*CAMPAIGN, "--role", "ledger", "--steps", "copy.half"),
    ),
    "the first revision wins": Mutation(
        "streams/ledger/core/ledger.py",
        "fact.revision < prior.revision",
        "fact.revision > prior.revision",
        HISTORIES,
    ),
    "a redelivered record is counted again": Mutation(
        "streams/ledger/core/ledger.py",
        "return self._origins.get(source, -1)",
        "return -1",
        (*CAMPAIGN, "--role", "intake", "--steps", "intake.acknowledged"),
    ),
}


def guarded(tree: Path, guard: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """Run a guard in a copy of the source."""
    variables = {**os.environ, "PYTHONPATH": str(tree), "TEST_EFFORT": "full"}
    return subprocess.run(
        [sys.executable, *guard], cwd=tree, env=variables, capture_output=True, text=True, check=False, timeout=300
    )


def copy_of_the_source(folder: Path) -> Path:
    """Return a copy of everything that runs."""
    for name in ("schemas", "sinks", "streams", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.mark.crash
@pytest.mark.parametrize("name", MUTATIONS)
def test_a_guarantee_that_is_dropped_is_noticed(name: str, tmp_path: Path) -> None:
    mutation = MUTATIONS[name]
    tree = copy_of_the_source(tmp_path)
    source = tree / mutation.file
    text = source.read_text("utf-8")
    assert text.count(mutation.was) == 1, f"{mutation.file} no longer holds what this test changes"
    source.write_text(text.replace(mutation.was, mutation.now), "utf-8")
    run = guarded(tree, mutation.guard)
    assert run.returncode == 1, run.stdout + run.stderr
    # It must be the guard that says no, not a program that no longer runs.
    assert "kills survived" in run.stdout or "FAILED" in run.stdout, run.stdout + run.stderr
