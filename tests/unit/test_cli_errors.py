"""What the command line says when something is wrong: one line, an exit code, never a traceback."""

from __future__ import annotations

import gzip
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.errors import BrokerUnavailable, LogMismatch
from streams.feeds.publish import Acknowledgement
from streams.settings import Settings
from tests.support.commands import Run
from tests.support.polygons import features, square
from tests.support.shell import ROOT, clean_environment
from tests.support.valid import INCIDENT


def refused_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def a_report(**fields: object) -> str:
    return json.dumps(INCIDENT | fields)


@pytest.mark.parametrize("command", ["publish", "replay"])
def test_a_missing_file_is_named(run: Run, command: str) -> None:
    ended = run(command, "nothere.jsonl", *(["--dry-run"] if command == "publish" else []))
    assert ended.code == 2
    assert ended.err.splitlines()[-1] == "trucewatch: nothere.jsonl: no such file"


def test_a_file_in_another_format_is_told_apart(run: Run, tmp_path: Path) -> None:
    (tmp_path / "notes.csv").write_text("a,b\n1,2\n")
    ended = run("replay", "notes.csv")
    assert ended.code == 2
    assert (
        "notes.csv: the columns do not tell the format; say --format jsonl or --format json or --format ged"
        in ended.err
    )
    ended = run("replay", "notes.csv", "--format", "ged")
    assert ended.code == 2
    assert "notes.csv: is no UCDP GED file, it lacks the columns id," in ended.err


def test_a_name_that_tells_no_format_asks_for_one(run: Run, tmp_path: Path) -> None:
    (tmp_path / "reports.txt").write_text(a_report())
    ended = run("replay", "reports.txt")
    assert (ended.code, "say --format jsonl or --format json or --format ged" in ended.err) == (2, True)


def test_files_without_any_report_are_no_replay(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("\n\n")
    ended = run("replay", "empty.jsonl")
    assert (ended.code, "there is no report in empty.jsonl" in ended.err) == (2, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ("publish", "reports.jsonl"),
        ("replay", "reports.jsonl"),
        ("worker", "--role", "ledger"),
        ("worker", "--role", "intake"),
        ("up",),
        ("check-config",),
    ],
)
def test_no_broker_at_the_address_is_told_at_once(run: Run, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "reports.jsonl").write_text(a_report())
    port = refused_port()
    began = time.monotonic()
    ended = run(*arguments, "--broker", f"kafka://127.0.0.1:{port}")
    assert time.monotonic() - began < Settings().broker_patience_seconds, "it waited for a broker that never was there"
    assert ended.code == 3
    assert ended.err.splitlines()[-1] == f"trucewatch: no broker answers at 127.0.0.1:{port} (connection refused)"


@pytest.mark.parametrize("arguments", [("publish", "reports.jsonl"), ("worker", "--role", "ledger")])
def test_commands_that_need_a_broker_say_how_to_name_one(run: Run, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "reports.jsonl").write_text(a_report())
    ended = run(*arguments)
    assert ended.code == 2
    assert "give --broker kafka://HOST:PORT or set TRUCEWATCH_BROKER" in ended.err


def test_a_broker_address_of_another_shape_is_refused(run: Run) -> None:
    ended = run("up", "--broker", "localhost")
    assert (ended.code, "--broker: should be kafka://host:port[,host:port]" in ended.err) == (2, True)


@pytest.mark.parametrize("json_too", [(), ("--json",)])
def test_what_stands_around_a_brokers_address_is_not_told_on(run: Run, json_too: tuple[str, ...]) -> None:
    for address in ("kafka://h:9092?password=s3cret", "kafka://me:s3cret@h:9092", "kafka://h:9092#s3cret"):
        ended = run("up", "--broker", address, *json_too)
        assert (ended.code, "s3cret" in ended.out + ended.err, "h:9092" in ended.err) == (2, False, True)


@pytest.mark.parametrize("arguments", [("up",), ("worker", "--role", "intake", "--broker", "kafka://127.0.0.1:9")])
def test_an_agreement_given_twice_is_refused(run: Run, arguments: tuple[str, ...]) -> None:
    ended = run(*arguments, "--agreement", "syria-2016", "-a", "syria-2016")
    assert (ended.code, "'syria-2016' is given twice" in ended.err) == (2, True)


def test_a_taken_port_is_told(run: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = run("up", "--port", str(port))
    assert (ended.code, f"port {port} is taken" in ended.err) == (2, True)


def test_a_data_folder_that_cannot_be_made_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "reports.jsonl").write_text(a_report())
    (tmp_path / "file").write_text("in the way")
    ended = run("replay", "reports.jsonl", "--data", "file/data")
    assert ended.code == 3
    assert ended.err.splitlines()[-1].startswith("trucewatch: file/data")


def test_an_earlier_result_is_never_mixed_with_a_new_one(run: Run, tmp_path: Path) -> None:
    (tmp_path / "reports.jsonl").write_text(a_report())
    (tmp_path / "trucewatch-data" / "syria-2016").mkdir(parents=True)
    earlier = tmp_path / "trucewatch-data" / "syria-2016" / "compliance.duckdb"
    earlier.write_bytes(b"earlier")
    ended = run("replay", "reports.jsonl")
    assert ended.code == 2
    assert "already holds a result" in ended.err
    assert earlier.read_bytes() == b"earlier"


def test_an_earlier_result_is_not_replaced_before_every_file_was_read(run: Run, tmp_path: Path) -> None:
    earlier = tmp_path / "d" / "syria-2016" / "compliance.duckdb"
    earlier.parent.mkdir(parents=True)
    earlier.write_bytes(b"an earlier result")
    (tmp_path / "torn.jsonl").write_text(a_report() + "\n" + "x" * 8_500_000)
    ended = run("replay", "torn.jsonl", "--data", "d", "--replace")
    assert (ended.code, "torn.jsonl, line 2: longer than" in ended.err) == (2, True)
    assert earlier.read_bytes() == b"an earlier result"


def test_receipts_are_not_written_over_the_reports(run: Run, tmp_path: Path) -> None:
    (tmp_path / "reports.jsonl").write_text(a_report())
    ended = run("publish", "reports.jsonl", "--broker", "kafka://127.0.0.1:1", "--receipts", "./reports.jsonl")
    assert (ended.code, "--receipts reports.jsonl: is one of the files to publish" in ended.err) == (2, True)
    assert (tmp_path / "reports.jsonl").read_text() == a_report()


@pytest.mark.parametrize("packed", [False, True])
def test_reports_may_come_through_a_pipe_with_a_name(run: Run, tmp_path: Path, packed: bool) -> None:
    os.mkfifo(tmp_path / "pipe")
    many = "\n".join(a_report(report_id=f"FO-{number}") for number in range(2_000)).encode()
    feeding = threading.Thread(
        target=lambda: (tmp_path / "pipe").write_bytes(gzip.compress(many) if packed else many), daemon=True
    )
    feeding.start()
    ended = run("publish", "pipe", "--format", "jsonl", "--dry-run")
    assert ended.code == 0
    assert ended.out.endswith("\n2,000 reports checked, 0 would be rejected. Nothing was sent.\n")
    feeding.join()


@pytest.mark.parametrize("arguments", ["schemas incident", "schemas --json", "check-config", "schemas"])
def test_a_reader_that_has_seen_enough_ends_a_command_without_a_word(tmp_path: Path, arguments: str) -> None:
    """Not with 1, which says that the answer is no."""
    reading, writing = os.pipe()
    os.close(reading)
    process = subprocess.run(
        [sys.executable, "-m", "streams", *arguments.split()],
        stdout=writing,
        stderr=subprocess.PIPE,
        env=clean_environment() | {"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        check=False,
    )
    os.close(writing)
    assert (process.returncode, process.stderr) == (141, b"")


def test_an_unknown_agreement_is_told(run: Run) -> None:
    ended = run("check-config", "--agreement", "atlantis")
    assert (ended.code, "atlantis" in ended.err) == (2, True)


def test_an_unknown_variable_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUCEWATCH_AGREMENT", "x")
    ended = run("status")
    assert (ended.code, "did you mean TRUCEWATCH_AGREEMENT?" in ended.err) == (2, True)


def test_nothing_published_yet_is_told_with_what_to_do(run: Run) -> None:
    ended = run("status")
    assert ended.code == 3
    assert "nothing has been published at trucewatch-data/syria-2016/compliance.duckdb yet" in ended.err
    assert "trucewatch up" in ended.err


def test_an_unknown_command_and_a_missing_argument_are_bad_usage(run: Run) -> None:
    assert run("frobnicate").code == 2
    assert run("publish").code == 2


def test_an_unknown_schema_is_guessed_at(run: Run) -> None:
    ended = run("schemas", "incidnt")
    assert (ended.code, "did you mean incident?" in ended.err) == (2, True)


def test_a_run_must_have_a_name_topics_can_bear(run: Run, tmp_path: Path) -> None:
    (tmp_path / "reports.jsonl").write_text(a_report())
    assert run("replay", "reports.jsonl", "--run", "Not A Name").code == 2


def test_a_fault_of_our_own_is_told_apart_from_an_answer(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError("no reason")

    monkeypatch.setattr("streams.cli.check.load", broken)
    ended = run("check-config")
    assert ended.code == 70
    assert "a fault of trucewatch itself: ZeroDivisionError: no reason; TRUCEWATCH_LOG_LEVEL=debug" in ended.err


def test_a_dry_run_names_row_place_reason_and_remedy(run: Run, tmp_path: Path) -> None:
    (tmp_path / "reports.jsonl").write_text("\n".join([a_report(), a_report(kind="shouting"), "garbage"]))
    ended = run("publish", "reports.jsonl", "--dry-run")
    assert ended.code == 1
    assert "reports.jsonl, line 2 (field-office/FO-17): bad_value" in ended.out
    assert "kind: expected one of" in ended.out
    assert "reports.jsonl, line 3: not_json" in ended.out
    assert "3 reports checked, 2 would be rejected. Nothing was sent." in ended.out


@pytest.mark.parametrize("given", ["empty.jsonl", "."])
def test_a_dry_run_of_nothing_is_not_fine(run: Run, tmp_path: Path, given: str) -> None:
    (tmp_path / "empty.jsonl").touch()
    ended = run("publish", given, "--dry-run")
    assert ended.code == 2
    assert ("there is no report to check" if given != "." else ".: is a folder; name the files in it") in ended.err


def test_a_dry_run_without_faults_is_fine_and_speaks_json(run: Run, tmp_path: Path) -> None:
    (tmp_path / "reports.jsonl").write_text(a_report())
    ended = run("publish", "reports.jsonl", "--dry-run", "--json")
    found = json.loads(ended.out)
    assert (ended.code, found["checked"], found["would_reject"], found["faults"]) == (0, 1, 0, [])
    assert found["summary"]["outcomes"] == {"new": 1}
    assert found["summary"]["feeds_without_a_watch"] == ["field-office"]


def test_a_dry_run_places_reports_as_intake_would(run: Run, tmp_path: Path) -> None:
    (tmp_path / "reports.jsonl").write_text(a_report(place={"names": ["Atlantis"]}))
    ended = run("publish", "reports.jsonl", "--dry-run", "--json")
    assert (ended.code, json.loads(ended.out)["faults"][0]["code"]) == (1, "unknown_place")


def test_a_dry_run_finds_two_bodies_under_one_name_in_its_files(run: Run, tmp_path: Path) -> None:
    told = [a_report(), a_report(), a_report(kind="airstrike"), a_report(kind="airstrike", revision=2)]
    (tmp_path / "reports.jsonl").write_text("\n".join(told))
    ended = run("publish", "reports.jsonl", "--dry-run")
    assert "reports.jsonl, line 3 (field-office/FO-17): conflicting_body" in ended.out
    assert "reports.jsonl, line 1 tells revision 1 with another body; publish the change as a" in ended.out
    assert "4 reports checked, 1 would be rejected." in ended.out


def test_check_config_says_the_rules_in_words_and_where_settings_come_from(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRUCEWATCH_PARTITIONS", "8")
    ended = run("check-config", "--agreement", "syria-2016")
    assert ended.code == 0
    assert "8  (TRUCEWATCH_PARTITIONS)" in ended.out
    assert "syria-2016  (--agreement)" in ended.out
    assert "The gate opens after 7 MET days in a row in SY01" in ended.out


def test_check_config_tells_what_is_skipped_of_the_boundaries(run: Run, tmp_path: Path) -> None:
    pairs = [({"ADM1_PCODE": f"SY{number:02d}"}, square(20.0 + number)) for number in range(1, 15)]
    stranger = ({"ADM1_PCODE": "IQ01"}, square(40.0))
    (tmp_path / "b.geojson").write_text(json.dumps(features(*pairs, stranger)))
    note = "skipped, being of no region of the gazetteer: IQ01"
    ended = run("check-config", "--boundaries", "b.geojson")
    assert ended.code == 0
    assert f"\nBoundaries\n  {note}\n" in ended.out
    assert json.loads(run("check-config", "--boundaries", "b.geojson", "--json").out)["boundary_notes"] == [note]


def test_check_config_refuses_boundaries_that_would_misplace_reports(run: Run, tmp_path: Path) -> None:
    system = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32637"}}
    (tmp_path / "b.geojson").write_text(json.dumps({**features(({"pcode": "SY01"}, square(10))), "crs": system}))
    ended = run("check-config", "--boundaries", "b.geojson")
    assert ended.code == 2
    assert "another reference system than WGS 84, urn:ogc:def:crs:EPSG::32637" in ended.err


def test_check_config_speaks_json(run: Run) -> None:
    told = json.loads(run("check-config", "--json").out)
    assert told["settings"]["partitions"] == {"value": 4, "from": "default"}
    assert told["agreement"]["id"] == "syria-2016"


def test_schemas_are_listed_and_printed(run: Run) -> None:
    assert run("schemas").out.startswith("incident ")
    assert json.loads(run("schemas", "convoy").out)["title"] == "ConvoyReport"
    assert set(json.loads(run("schemas", "--json").out)) >= {"incident", "convoy", "coverage"}


@pytest.mark.parametrize(
    ("arguments", "exit_code", "code", "told"),
    [
        (("status",), 3, "store_unavailable", "nothing has been published at"),
        (("verify", "nothere.duckdb"), 2, "usage_error", "there is no such file"),
        (("replay", "nothere.jsonl"), 2, "input_file_error", "no such file"),
        (("publish", "reports.jsonl"), 2, "usage_error", "broker"),
        (("check-config", "--agreement", "atlantis"), 2, "agreement_error", "atlantis"),
        (("worker", "--role", "judge"), 2, "usage_error", "judge"),
        (("publish",), 2, "usage_error", "FILE"),
        (("schemas", "incidnt"), 2, "usage_error", "incidnt"),
        (("frobnicate",), 2, "usage_error", "frobnicate"),
    ],
)
def test_with_json_an_error_is_one_object_on_standard_error(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], exit_code: int, code: str, told: str
) -> None:
    (tmp_path / "reports.jsonl").write_text(a_report())
    ended = run(*arguments, "--json")
    assert (ended.code, ended.out) == (exit_code, "")
    error = json.loads(ended.err)["error"]
    assert (error["code"], told in error["message"]) == (code, True)
    assert run(*arguments).code == exit_code


def test_with_json_a_hint_stands_apart_and_faults_are_listed(run: Run, tmp_path: Path) -> None:
    error = json.loads(run("status", "--json").err)["error"]
    assert error["hint"] == "start `trucewatch up` or `trucewatch replay`, or name --data"
    (tmp_path / "mine.toml").write_text("id = 7\n")
    assert len(json.loads(run("check-config", "--agreement", "mine.toml", "--json").err)["error"]["faults"]) > 1


def test_with_json_a_fault_of_our_own_is_an_object_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError("no reason")

    monkeypatch.setattr("streams.cli.check.load", broken)
    ended = run("check-config", "--json")
    assert (ended.code, json.loads(ended.err)["error"]["code"]) == (70, "own_fault")


@pytest.mark.parametrize(
    ("error", "exit_code", "code"),
    [(LogMismatch("another log"), 3, "log_mismatch"), (ZeroDivisionError("no reason"), 70, "own_fault")],
)
def test_a_worker_leaves_as_other_commands_do(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: Exception, exit_code: int, code: str
) -> None:
    def stopped(*_: object) -> None:
        raise error

    monkeypatch.setattr("streams.cli.run.required_broker", lambda *_: "kafka://127.0.0.1:1")
    monkeypatch.setattr("streams.roles.run_role", stopped)
    ended = run("worker", "--role", "ledger", "--json")
    assert (ended.code, ended.out, json.loads(ended.err)["error"]["code"]) == (exit_code, "", code)
    ended = run("worker", "--role", "ledger")
    assert (ended.code, ended.err.startswith("trucewatch: "), str(error) in ended.err) == (exit_code, True, True)


def test_with_json_what_was_sent_before_an_error_stands_in_its_hint(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cut_off(
        _: object, __: object, ___: object, receipt: Callable[[Acknowledgement], None], ____: object
    ) -> None:
        receipt(Acknowledgement("reports.jsonl", 1, "field-office", "FO-17", "truce.incidents.v1", 0, 0))
        raise BrokerUnavailable("nobody answers")

    (tmp_path / "reports.jsonl").write_text(a_report())
    monkeypatch.setattr("streams.cli.feed.required_broker", lambda *_: "kafka://127.0.0.1:1")
    monkeypatch.setattr("streams.cli.feed.publish", cut_off)
    ended = run("publish", "reports.jsonl", "--json")
    told = "1 report acknowledged before this; sending again is harmless"
    assert (ended.code, json.loads(ended.err)["error"]["hint"]) == (3, told)
    ended = run("publish", "reports.jsonl")
    assert (ended.code, ended.err) == (3, f"trucewatch: nobody answers; {told}\n")


def test_a_file_called_json_asks_for_no_json(run: Run) -> None:
    assert run("publish", "--dry-run", "--", "--json").err.startswith("trucewatch: --json: ")


def test_the_version_is_told(run: Run) -> None:
    ended = run("--version")
    assert (ended.code, ended.out.startswith("trucewatch ")) == (0, True)


@pytest.mark.parametrize(
    "command", ["demo", "up", "worker", "publish", "replay", "status", "explain", "verify", "check-config", "schemas"]
)
def test_every_command_has_help_and_json(run: Run, command: str) -> None:
    ended = run(command, "--help")
    assert ended.code == 0
    assert "--json" in ended.out


@pytest.mark.parametrize("module", ["app", "status"])
@pytest.mark.parametrize(("options", "said"), [([], "trucewatch: stopped\n"), (["--json"], '"interrupted"')])
def test_ctrl_c_while_the_command_loads_shows_no_traceback(options: list[str], said: str, module: str) -> None:
    interrupted = f"""
import sys
class Finder:
    def find_spec(self, name, *_):
        if name == "streams.cli.{module}":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Finder())
from streams.__main__ import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", interrupted, "status", *options],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 130
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_reason_is_the_last_line_whatever_a_client_logs_as_the_interpreter_ends() -> None:
    leaving = """
import logging, sys, types
class Client:
    def __del__(self):
        logging.getLogger("aiokafka").error("Unclosed client")
def run():
    client = Client()
    print("trucewatch: no broker", file=sys.stderr)
    sys.exit(3)
sys.modules["streams.cli.app"] = types.SimpleNamespace(main=run)
from streams.__main__ import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", leaving],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (3, "trucewatch: no broker\n")
