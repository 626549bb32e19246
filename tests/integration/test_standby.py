"""Two ledgers of one agreement: the second takes over, never writes beside the first, and ends with the same tables."""

from __future__ import annotations

import asyncio
import functools
import json
import os
import shutil
import signal
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from schemas.chunks import read
from schemas.facts import TickFact
from schemas.topics import Topics
from streams.cli.processes import Worker, running
from streams.engine.admin import end_offsets
from streams.verify import verify
from tests.support.brokers import read_all
from tests.support.month import BROKEN, month
from tests.support.recorded_archive import (
    AGREEMENT,
    PATIENCE,
    archive_of,
    in_peace,
    judged_to,
    publish_archive,
    settings_for,
    wait_until,
)
from tests.support.records import tables, tables_without_places
from tests.support.standbys import (
    Recorded,
    copy_of,
    has_ended,
    recorded,
    stands_still,
    taken_in,
    told,
    wait_for_words,
    wake,
    worker,
)

REPORTS = month(600)

#: Who may write to a file, locks decide and no broker: that is tried on one broker; who leads, on both.
EMBEDDED = pytest.mark.parametrize("broker", [pytest.param("embedded", marks=pytest.mark.broker)], indirect=True)


def on_kafka(*values: str) -> Any:
    """Parameters of which the first is the kind of broker."""
    return pytest.param("kafka", *values, marks=[pytest.mark.broker, pytest.mark.kafka])


KAFKA = pytest.mark.parametrize("broker", [on_kafka()], indirect=True)


def embedded(*values: str) -> Any:
    """The same, for the embedded broker."""
    return pytest.param("embedded", *values, marks=pytest.mark.broker)


@pytest.fixture(scope="module")
def facts_on(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Recorded]:
    @functools.cache
    def on(broker: str) -> Recorded:
        return recorded(broker, f"t{uuid.uuid4().hex[:10]}", tmp_path_factory.mktemp("whole"), REPORTS)

    return on


@pytest.fixture
def facts(broker: str, facts_on: Callable[[str], Recorded]) -> Recorded:
    return facts_on(broker)


@pytest.mark.parametrize(
    ("broker", "step", "folder"),
    [
        embedded("store.written:8:kill", "one"),
        embedded("store.committed:8:kill", "two"),
        embedded("copy.written:2:kill", "one"),
        embedded("copy.written:2:kill", "two"),
        on_kafka("store.committed:8:kill", "two"),
    ],
    indirect=["broker"],
)
def test_a_standby_goes_on_where_a_dead_ledger_was(facts: Recorded, tmp_path: Path, folder: str, step: str) -> None:
    """On the same folder it takes the file up; on its own it judges the whole topic."""
    first = facts.settings.model_copy(update={"data": tmp_path / "first"})
    second = first if folder == "one" else first.model_copy(update={"data": tmp_path / "second"})
    with worker(first, failpoint=step) as leader:
        wait_until(lambda: (first.data / AGREEMENT / "live.duckdb").exists(), leader)
        with worker(in_peace(second)) as standby:
            wait_until(lambda: has_ended(leader))
            assert leader._process.returncode == -9
            wait_until(lambda: judged_to(copy_of(second)) >= facts.facts, standby)
            wait_until(lambda: told(second) == facts.facts, standby)
    assert tables(copy_of(second)) == facts.tables
    assert verify(copy_of(second)) == []


def test_a_standby_takes_over_from_one_that_leaves(facts: Recorded, tmp_path: Path) -> None:
    settings = facts.settings.model_copy(update={"data": tmp_path})
    with worker(settings) as leader:
        wait_until(lambda: judged_to(copy_of(settings)) > 0, leader)
        with worker(in_peace(settings)) as standby:
            leader.ask_to_stop()
            leader.join(time.monotonic() + PATIENCE)
            wait_until(lambda: judged_to(copy_of(settings)) >= facts.facts, standby)
    assert tables(copy_of(settings)) == facts.tables


@EMBEDDED
def test_a_standby_waits_for_a_hung_ledger_that_holds_the_file_and_says_why(facts: Recorded, tmp_path: Path) -> None:
    settings = facts.settings.model_copy(update={"data": tmp_path})
    with worker(settings, failpoint="store.written:8:stop") as leader, ExitStack() as stack:
        wait_until(lambda: stands_still(leader))
        standby = stack.enter_context(worker(in_peace(settings)))
        wait_for_words(standby, f"live.duckdb is in use by process {leader.pid}")
        time.sleep(2)
        standby.check()
        leader.kill()
        wait_until(lambda: judged_to(copy_of(settings)) >= facts.facts, standby)
    assert tables(copy_of(settings)) == facts.tables


@EMBEDDED
def test_a_standby_ends_a_stopped_ledger_that_holds_the_file_and_says_how_long_it_took(
    facts: Recorded, tmp_path: Path
) -> None:
    settings = facts.settings.model_copy(update={"data": tmp_path})
    with worker(settings, failpoint="store.written:8:stop") as leader, ExitStack() as stack:
        wait_until(lambda: stands_still(leader))
        standby = stack.enter_context(worker(in_peace(settings), stall_seconds=5.0, log_level="info"))
        wait_for_words(standby, f'"process": {leader.pid}')
        wait_until(lambda: judged_to(copy_of(settings)) >= facts.facts, standby)
        assert leader._process.wait(PATIENCE) == -signal.SIGKILL
        (took,) = [json.loads(line)["seconds"] for line in list(standby._tail) if "ledger_leads" in line]
        assert took > 5
    assert tables(copy_of(settings)) == facts.tables


@EMBEDDED
def test_a_ledger_that_is_stopped_as_it_wakes_up_on_another_machine_publishes_nothing(
    facts: Recorded, tmp_path: Path
) -> None:
    """What it has read was never published: a copy made on its way out would say that it is of now."""
    first = facts.settings.model_copy(update={"data": tmp_path / "first"})
    second = first.model_copy(update={"data": tmp_path / "second"})
    with worker(first, failpoint="store.written:12:stop") as leader:
        wait_until(lambda: stands_still(leader))
        with worker(in_peace(second)) as standby:
            wait_until(lambda: judged_to(copy_of(second)) >= facts.facts, standby)
            before = _published(first)
            leader.ask_to_stop()
            wake(leader)
            leader.join(time.monotonic() + PATIENCE)
            assert _published(first) == before
            standby.check()
    assert tables(copy_of(second)) == facts.tables


@KAFKA
def test_a_ledger_that_wakes_up_makes_no_tick_beside_the_one_that_leads(
    broker: str, prefix: str, tmp_path: Path
) -> None:
    """Live: ticks alone move time, and a host that slept may wake up with any clock."""
    whole = recorded(broker, prefix, tmp_path / "whole", month(60))
    first = whole.settings.model_copy(update={"data": tmp_path / "first", "stamps": "clock", "log_level": "info"})
    second = first.model_copy(update={"data": tmp_path / "second"})
    topic = Topics(prefix).facts(AGREEMENT)
    with worker(first) as leader:
        wait_until(lambda: len(_writers(broker, topic)) == 1, leader)
        (slept,) = _writers(broker, topic)
        os.kill(leader.pid, signal.SIGSTOP)
        with worker(in_peace(second)) as standby:
            wait_until(lambda: len(set(_writers(broker, topic))) == 2, standby)
            wake(leader)
            time.sleep(6)
            for each in (leader, standby):
                each.check()
    writers = _writers(broker, topic)
    followed = next(place for place, writer in enumerate(writers) if writer != slept)
    assert slept not in writers[followed:]


def _writers(broker: str, topic: str) -> list[str]:
    """Return the writers of the ticks of a facts topic, in its order."""
    records = asyncio.run(read_all(broker, topic, asyncio.run(end_offsets(broker, topic))[0]))
    ticks = [fact for record in records for fact, _ in read(record.value, record.headers)]
    return [tick.writer for tick in ticks if isinstance(tick, TickFact) and tick.writer]


@EMBEDDED
def test_a_ledger_that_wakes_up_lets_go_of_the_file_for_its_standby(facts: Recorded, tmp_path: Path) -> None:
    settings = facts.settings.model_copy(update={"data": tmp_path})
    with worker(settings, failpoint="store.written:8:stop") as leader, ExitStack() as stack:
        wait_until(lambda: stands_still(leader))
        standby = stack.enter_context(worker(in_peace(settings)))
        wait_for_words(standby, "standby_waits_for_the_file")
        wake(leader)
        wait_until(lambda: judged_to(copy_of(settings)) >= facts.facts)
        for each in (leader, standby):
            each.check()
    assert tables(copy_of(settings)) == facts.tables


@pytest.mark.parametrize(
    ("broker", "step"),
    [
        embedded("store.written:12:stop"),
        embedded("copy.written:1:stop"),
        on_kafka("ledger.told:12:stop"),
    ],
    indirect=["broker"],
)
def test_a_ledger_that_wakes_up_on_another_machine_publishes_and_tells_nothing(
    facts: Recorded, tmp_path: Path, step: str
) -> None:
    """Folders of their own stand for two machines: no lock, only the group decides.

    The group may give the partition back to the one that woke up: from then on it leads, and says that it resumed.
    """
    first = facts.settings.model_copy(update={"data": tmp_path / "first"})
    second = first.model_copy(update={"data": tmp_path / "second"})
    with worker(first, failpoint=step, log_level="info") as leader:
        wait_until(lambda: stands_still(leader))
        with worker(in_peace(second)) as standby:
            wait_until(lambda: judged_to(copy_of(second)) >= facts.facts, standby)
            wait_until(lambda: told(second) == facts.facts, standby)
            before = _published(first)
            wake(leader)
            deadline = time.monotonic() + 8
            while time.monotonic() < deadline and not _leads_again(leader):
                # The copy it was making when it stood still is finished; another one is not begun.
                publishes = step != "copy.written:1:stop" and _published(first) != before
                tells = told(second) != facts.facts
                assert _leads_again(leader) or not (publishes or tells)
                time.sleep(0.2)
            if _leads_again(leader):
                # It waits twenty times as long as a copy took; that it hung in the midst of one must not count.
                wait_until(lambda: judged_to(copy_of(first)) >= facts.facts, leader)
                assert tables(copy_of(first)) == facts.tables
            for each in (leader, standby):
                each.check()
    assert tables(copy_of(second)) == facts.tables


def _leads_again(leader: Worker) -> bool:
    return sum("ledger_resumed" in line for line in list(leader._tail)) > 1


@EMBEDDED
def test_a_standby_begins_with_the_copy_it_is_given(facts: Recorded, tmp_path: Path) -> None:
    first = facts.settings.model_copy(update={"data": tmp_path / "first"})
    second = first.model_copy(update={"data": tmp_path / "second"})
    with worker(first, failpoint="copy.replaced:1:kill") as leader:
        wait_until(lambda: has_ended(leader))
    copy_of(second).parent.mkdir(parents=True)
    shutil.copy(copy_of(first), copy_of(second))
    begun = judged_to(copy_of(second))
    assert 0 < begun < facts.facts
    with worker(in_peace(second), log_level="info") as standby:
        wait_for_words(standby, f'"next_offset": {begun}')
        wait_until(lambda: judged_to(copy_of(second)) >= facts.facts, standby)
    assert tables(copy_of(second)) == facts.tables


@KAFKA
def test_intakes_that_come_leave_and_die_under_load_lose_nothing_and_double_nothing(
    broker: str, prefix: str, tmp_path: Path
) -> None:
    """Several partitions, live stamps, and a ledger that reads on meanwhile."""
    topics = Topics(prefix)
    settings = settings_for(broker, prefix, tmp_path / "disturbed").model_copy(update={"flush_records": 20_000})
    archive = archive_of(REPORTS)
    portion = len(archive) // 8
    with worker(settings) as ledger:
        lives = [worker(settings, "intake", failpoint=f"intake.acknowledged:{n + 1}:kill") for n in range(3)]
        for number, life in enumerate(lives):
            with life as intake, worker(settings, "intake") as other:
                asyncio.run(publish_archive(broker, topics, archive[number * portion : (number + 1) * portion]))
                wait_until(
                    lambda intake=intake, number=number: (
                        has_ended(intake) or _all_in(broker, topics, (number + 1) * portion)
                    )
                )
                other.ask_to_stop()
                other.join(time.monotonic() + PATIENCE)
        with running(("intake",), settings) as (last,):
            asyncio.run(publish_archive(broker, topics, archive[3 * portion :]))
            wait_until(lambda: _all_in(broker, topics, len(archive)), last)
        facts = asyncio.run(end_offsets(broker, topics.facts(AGREEMENT)))[0]
        wait_until(lambda: judged_to(copy_of(settings)) >= facts, ledger)
    whole = recorded(broker, f"{prefix}.whole", tmp_path / "whole", REPORTS)
    assert tables_without_places(copy_of(settings)) == tables_without_places(copy_of(whole.settings))
    assert verify(copy_of(settings)) == []
    assert REPORTS.count(BROKEN) > 0


def _all_in(broker: str, topics: Topics, count: int) -> bool:
    return taken_in(broker, topics, topics.archive) >= count


def _published(settings) -> tuple[float, int]:  # type: ignore[no-untyped-def]
    path = copy_of(settings)
    return (path.stat().st_mtime, path.stat().st_ino) if path.exists() else (0.0, 0)
