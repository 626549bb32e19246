"""Replays as a person runs them: whole processes, a real broker, files on disk."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

import duckdb
import pytest
from aiokafka import AIOKafkaConsumer

from schemas.topics import Topics
from streams.engine.admin import end_offsets
from streams.engine.cluster import cluster_of
from streams.settings import Settings
from tests.bench.reports import running_truce
from tests.integration.test_live import ask
from tests.support.brokers import read_to_end
from tests.support.demo import Demo
from tests.support.recorded_archive import PATIENCE, wait_until

pytestmark = pytest.mark.broker

ROOT = Path(__file__).parents[2]
SCENARIO = ROOT / "streams" / "demo" / "september-2016.jsonl"
TABLES = ("reports", "day_verdicts", "day_verdict_versions", "region_windows", "gate_history", "rejects", "feeds")


def environment(**variables: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TRUCEWATCH_")}
    return clean | {"PYTHONPATH": str(ROOT)} | variables


async def topics_of(broker: str) -> set[str]:
    """Every topic a broker has."""
    consumer = AIOKafkaConsumer(**cluster_of(broker).client)
    await consumer.start()
    try:
        return set(await consumer.topics())
    finally:
        await consumer.stop()


@contextmanager
def started(
    *arguments: str | Path, cwd: Path, piped: bool = False, **variables: str
) -> Iterator[subprocess.Popen[str]]:
    """A running command; killed at the end of the block should it still run."""
    process = subprocess.Popen(
        [sys.executable, "-m", "streams", *map(str, arguments)],
        cwd=cwd,
        env=environment(**variables),
        stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def run(*arguments: str | Path, cwd: Path, **variables: str) -> tuple[int, str, str]:
    with started(*arguments, cwd=cwd, **variables) as process:
        out, err = process.communicate(timeout=PATIENCE)
        return process.returncode, out, err


def contents(copy: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every table a replay fills, without the name and identity of the topic it came by."""
    run_only = {"reports": "EXCLUDE (source_topic, source_log)", "rejects": "EXCLUDE (source_topic, source_log)"}
    with duckdb.connect(str(copy), read_only=True) as connection:
        return {
            table: sorted(
                connection.execute(f"SELECT * {run_only.get(table, '')} FROM {table}").fetchall(),
                key=repr,
            )
            for table in TABLES
        }


def workers_of(parent: int) -> dict[str, int]:
    """The worker processes a command started, by role."""
    started_by = children_of(parent).items()
    return {command[command.index(b"--role") + 1].decode(): pid for pid, command in started_by if b"--role" in command}


def broker_of(parent: int) -> int:
    """The broker a command started."""
    (pid,) = (pid for pid, command in children_of(parent).items() if b"--cluster-id" in command)
    return pid


def children_of(parent: int) -> dict[int, list[bytes]]:
    """The processes a command started, with their arguments."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            status, command = (entry / "stat").read_text(), (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # it ended while we looked
        if int(status.rpartition(")")[2].split()[1]) == parent:
            found[int(entry.name)] = command
    return found


def environment_of(pid: int) -> bytes:
    """The variables a process was started with, each with a zero at its end."""
    return Path(f"/proc/{pid}/environ").read_bytes()


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_the_demo_ends_with_grid_gate_declarations_and_bulletins(demo: Demo, tmp_path: Path) -> None:
    out = demo.said
    assert out.count("US-Russia arrangement for the cessation of hostilities in Syria, September 2016") == 1
    for part in (
        "Mon 09-12",
        "Sun 09-18",
        "named by the day they start; the last ends 2016-09-19 19:00",
        "✕ BROKEN",
        "The gate is closed",
        "end by Syrian Army",
        "Syrian Army: over: 2016-09-12 19:00+03:00 to 2016-09-18 23:59+03:00, ran out, 6 d 5 h (6 d 4 h 59 min)",
        "it says",
        "Result: ",
    ):
        assert part in out
    demo.copied_to(tmp_path)
    copy = tmp_path / "trucewatch-demo" / "syria-2016" / "compliance.duckdb"
    before = contents(copy)
    code, out, err = run("demo", "--json", cwd=tmp_path)
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["replay"]["reports"] == len(SCENARIO.read_text().splitlines())
    assert sum(told["outcomes"].values()) == told["replay"]["reports"]
    assert contents(copy) == before, "a demo starts afresh every time"
    assert run("verify", copy, cwd=tmp_path)[0] == 0


def test_files_in_any_order_give_the_same_result(demo: Demo, tmp_path: Path) -> None:
    lines = SCENARIO.read_text().splitlines(keepends=True)
    (tmp_path / "a.jsonl").write_text("".join(reversed(lines[::2])))
    (tmp_path / "b.jsonl").write_text("".join(lines[1::2]))
    code, out, err = run("replay", "b.jsonl", "a.jsonl", "--json", cwd=tmp_path)
    assert code == 0, err
    assert contents(tmp_path / json.loads(out)["replay"]["copy"]) == contents(demo.file)


def test_a_broken_line_is_counted_and_told_not_lost(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(SCENARIO.read_text() + "garbage\n")
    code, out, _ = run("replay", "a.jsonl", cwd=tmp_path)
    assert code == 0
    assert "1 rejected" in out
    assert "rejected: 1 not_json" in out


def test_rows_that_a_mapping_left_out_of_a_replay_are_told(tmp_path: Path) -> None:
    (tmp_path / "map.toml").write_text("""
[report]
type = "incident"
feed = "office"
report_id = { column = "id" }
reported_at = { column = "day", as = "date" }
"occurred.from" = { column = "day", as = "date" }
"place.names" = { column = "where" }
kind = "shelling"
[skip]
what = ["protest"]
""")
    (tmp_path / "a.csv").write_text("id,day,where,what\n1,2016-09-13,Hama,fire\n2,2016-09-13,Hama,protest\n")
    code, _, err = run("replay", "a.csv", "--map", "map.toml", cwd=tmp_path)
    assert code == 0, err
    assert "a.csv: 1 row left out by the mapping: 1 of what = protest" in err


def test_a_result_and_what_an_unpublished_run_left_are_replaced_only_when_told_to(demo: Demo, tmp_path: Path) -> None:
    demo.copied_to(tmp_path)
    replay = ("replay", SCENARIO, "--data", "trucewatch-demo")
    code, _, err = run(*replay, cwd=tmp_path)
    assert (code, "already holds a result" in err) == (2, True)
    assert run(*replay, "--replace", cwd=tmp_path)[0] == 0
    folder = tmp_path / "trucewatch-demo" / "syria-2016"
    (folder / "compliance.duckdb").unlink()
    code, _, err = run(*replay, cwd=tmp_path)
    assert (code, "a run that published nothing" in err) == (2, True)
    with duckdb.connect(str(folder / "live.duckdb")):
        code, _, err = run(*replay, "--replace", cwd=tmp_path)
        assert (code, "in use" in err) == (3, True)
    assert run(*replay, "--replace", cwd=tmp_path)[0] == 0


def test_a_replay_on_a_shared_broker_leaves_no_topic_behind(embedded_broker: str, prefix: str, tmp_path: Path) -> None:
    code, _, err = run("replay", SCENARIO, "--broker", embedded_broker, cwd=tmp_path, TRUCEWATCH_TOPIC_PREFIX=prefix)
    assert code == 0, err
    assert [name for name in asyncio.run(topics_of(embedded_broker)) if name.startswith(prefix)] == []


def test_a_named_run_goes_on_where_it_was_cut_off(
    demo: Demo, embedded_broker: str, prefix: str, tmp_path: Path
) -> None:
    """Both workers are killed in the midst of it, then the replay; the second start completes the first."""
    arguments = ("replay", SCENARIO, "--broker", embedded_broker, "--run", prefix, "--json")
    # The ledger stands still at its first flush: otherwise all might be done before anybody is killed.
    with started(*arguments, cwd=tmp_path, TRUCEWATCH_FAILPOINT="ledger.folded:1:stop") as first:
        wait_until(lambda: len(workers_of(first.pid)) == 2)
        workers = workers_of(first.pid)
        topics = Topics(f"truce.replay.{prefix}")
        wait_until(lambda: asyncio.run(end_offsets(embedded_broker, topics.facts("syria-2016"))).get(0, 0) > 0)
        for pid in workers.values():
            os.kill(pid, signal.SIGKILL)
        first.communicate(timeout=PATIENCE)
        assert first.returncode == 3
    code, out, err = run(*arguments, cwd=tmp_path)
    assert code == 0, err
    resumed = contents(tmp_path / json.loads(out)["replay"]["copy"])
    whole = contents(demo.file)
    assert resumed["feeds"] == whole["feeds"]
    assert len(resumed["day_verdict_versions"]) == len(whole["day_verdict_versions"])


def test_a_worker_that_dies_ends_the_replay_with_its_role(tmp_path: Path) -> None:
    with started("replay", SCENARIO, cwd=tmp_path) as process:
        wait_until(lambda: "ledger" in workers_of(process.pid))
        os.kill(workers_of(process.pid)["ledger"], signal.SIGKILL)
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 3
    assert "trucewatch: the ledger worker ended: signal 9" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_replay_told_to_stop_leaves_no_process_behind(tmp_path: Path, number: signal.Signals) -> None:
    with started("replay", SCENARIO, cwd=tmp_path) as process:
        wait_until(lambda: len(workers_of(process.pid)) == 2)
        workers = workers_of(process.pid)
        process.send_signal(number)
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "trucewatch: stopped"
    # One that was being started at that moment ends by itself, as soon as it finds its standard input closed.
    wait_until(lambda: all(is_gone(pid) for pid in workers.values()))


def test_workers_do_not_outlive_a_replay_that_was_killed(tmp_path: Path) -> None:
    with started("replay", SCENARIO, cwd=tmp_path) as process:
        wait_until(lambda: len(workers_of(process.pid)) == 2)
        workers = workers_of(process.pid)
        process.kill()
        process.communicate(timeout=PATIENCE)
    wait_until(lambda: all(is_gone(pid) for pid in workers.values()))


def test_up_takes_reports_until_it_is_told_to_stop(tmp_path: Path) -> None:
    report = SCENARIO.read_text().splitlines()[5]
    (tmp_path / "one.jsonl").write_text(f"{report}\n{report}\nbroken\n")
    with started("up", "--json", cwd=tmp_path) as up:
        assert up.stdout is not None
        broker = json.loads(up.stdout.readline())["broker"]
        code, out, err = run("publish", "one.jsonl", "--broker", broker, "--receipts", "-", cwd=tmp_path)
        assert (code, len(out.splitlines())) == (0, 3), err
        wait_until(lambda: run("status", "--json", cwd=tmp_path)[0] == 0)
        wait_until(lambda: sum(json.loads(run("status", "--json", cwd=tmp_path)[1])["outcomes"].values()) == 3)
        outcomes = json.loads(run("status", "--json", cwd=tmp_path)[1])["outcomes"]
        assert (outcomes["accepted"], outcomes["duplicate"], outcomes["rejected"]) == (1, 1, 1)
        up.send_signal(signal.SIGINT)
        _, err = up.communicate(timeout=PATIENCE)
    assert up.returncode == 0, err
    assert "Traceback" not in err
    assert "leaked" not in err


def test_up_serves_two_agreements_on_its_own_broker(tmp_path: Path) -> None:
    first = running_truce(tmp_path)
    second = tmp_path / "second.toml"
    second.write_text(first.read_text().replace('id = "syria-2016"', 'id = "second"', 1))
    (tmp_path / "one.jsonl").write_text(f"{SCENARIO.read_text().splitlines()[5]}\nbroken\n")
    with started("up", "--json", "-a", str(first), "-a", str(second), cwd=tmp_path) as up:
        assert up.stdout is not None
        broker = json.loads(up.stdout.readline())["broker"]
        copies = [tmp_path / json.loads(up.stdout.readline())["file"] for _ in range(2)]
        assert [copy.parent.name for copy in copies] == ["syria-2016", "second"]
        assert run("publish", "one.jsonl", "--broker", broker, cwd=tmp_path)[0] == 0
        counted = "SELECT sum(accepted)::INTEGER, sum(rejected)::INTEGER FROM feeds"
        wait_until(lambda: [ask(copy, counted) for copy in copies] == [[(1, 1)]] * 2)
        # Intake writes it after the facts that the ledgers count.
        wait_until(lambda: asyncio.run(read_to_end(broker, "truce.rejects.v1")) != [])
        letters = asyncio.run(read_to_end(broker, "truce.rejects.v1"))
        assert [letter.value for letter in letters] == [b"broken"]
        up.send_signal(signal.SIGINT)
        _, err = up.communicate(timeout=PATIENCE)
    assert up.returncode == 0, err


def test_a_worker_of_two_agreements_ends_with_the_one_that_dies(embedded_broker: str, tmp_path: Path) -> None:
    shipped = (resources.files("schemas") / "agreements" / "syria-2016.toml").read_text("utf-8")
    (tmp_path / "second.toml").write_text(shipped.replace('id = "syria-2016"', 'id = "second"', 1))
    arguments = ("worker", "--role", "intake", "--broker", embedded_broker, "-a", "syria-2016", "-a", "second.toml")
    with started(*arguments, cwd=tmp_path) as process:
        wait_until(lambda: len(children_of(process.pid)) == 2)
        (second,) = (
            pid for pid in children_of(process.pid) if b"TRUCEWATCH_AGREEMENT=second.toml\0" in environment_of(pid)
        )
        os.kill(second, signal.SIGKILL)
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 3
    assert "trucewatch: the intake (second.toml) worker ended: signal 9" in err


def test_up_ends_when_a_worker_dies(tmp_path: Path) -> None:
    with started("up", cwd=tmp_path) as up:
        wait_until(lambda: "intake" in workers_of(up.pid))
        os.kill(workers_of(up.pid)["intake"], signal.SIGKILL)
        _, err = up.communicate(timeout=PATIENCE)
    assert up.returncode == 3
    assert "trucewatch: the intake worker ended: signal 9" in err


@pytest.mark.parametrize("arguments", [("up",), ("replay", SCENARIO, "--data", "trucewatch-data")])
def test_the_own_broker_that_dies_is_named_and_not_waited_for(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    with started(*arguments, cwd=tmp_path) as process:
        wait_until(lambda: len(workers_of(process.pid)) == 2)
        os.kill(broker_of(process.pid), signal.SIGKILL)
        # A second, on a machine with nothing else to do; workers would wait for it far longer.
        _, err = process.communicate(timeout=Settings().broker_patience_seconds / 2)
    assert process.returncode == 3
    log = "trucewatch-data/broker/broker.log"
    assert err.splitlines()[-1] == f"trucewatch: the broker ended: signal 9 (its log: {log})"
    assert (tmp_path / log).exists()
    assert "worker ended" not in err


def test_a_second_up_on_the_same_folder_ends_before_it_offers_a_broker(tmp_path: Path) -> None:
    with started("up", cwd=tmp_path):
        wait_until(lambda: (tmp_path / "trucewatch-data" / "syria-2016" / "compliance.duckdb").exists())
        code, out, err = run("up", cwd=tmp_path)
    assert (code, out, len(err.splitlines())) == (3, "", 1)
    assert "live.duckdb is in use by process" in err


def test_a_pipe_is_published_as_it_comes_and_ctrl_c_ends_it(embedded_broker: str, tmp_path: Path) -> None:
    with started(
        "publish", "-", "--broker", embedded_broker, "--receipts", "sent.jsonl", cwd=tmp_path, piped=True
    ) as process:
        assert process.stdin is not None
        process.stdin.write(SCENARIO.read_text().splitlines()[0] + "\n")
        process.stdin.flush()
        wait_until(
            lambda: (tmp_path / "sent.jsonl").exists() and (tmp_path / "sent.jsonl").read_text().count("\n") == 1
        )
        process.send_signal(signal.SIGINT)
        wait_until(lambda: process.poll() is not None)
        assert process.returncode == 130
