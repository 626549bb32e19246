"""The pipeline running live, on each broker: bad input, corrections, ticks, and readers while it writes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import orjson

from schemas.topics import Topics
from streams.cli.processes import running
from streams.engine.admin import ensure_topics
from streams.engine.producer import Outgoing
from streams.settings import Settings
from tests.bench.reports import reports, running_truce
from tests.support.brokers import read_all, write
from tests.support.recorded_archive import wait_until

AGREEMENT = "syria-2016"


def report(**changes: Any) -> bytes:
    """Return an incident of an hour ago; a change of None removes the field."""
    occurred = datetime.now(UTC) - timedelta(hours=1)
    fields = {
        "type": "incident",
        "feed": "field-office",
        "report_id": "FO-1",
        "reported_at": (occurred + timedelta(minutes=30)).isoformat(),
        "occurred": {"from": occurred.isoformat(), "to": occurred.isoformat(), "precision": "minute"},
        "place": {"pcode": "SY02"},
        "kind": "shelling",
        **changes,
    }
    return orjson.dumps({name: value for name, value in fields.items() if value is not None})


#: One of each thing a feed can get wrong, with the code it is rejected with.
BAD: list[tuple[bytes | None, str]] = [
    (b"this is no JSON", "not_json"),
    (b'{"feed": "\xff\xfe"}', "invalid_utf8"),
    (b" " * 2_000_000, "too_large"),
    (report(colour="red"), "unknown_field"),
    (report(revision="one"), "wrong_type"),
    (report(reported_at="2016-09-13T12:00:00"), "time_without_offset"),
    (report(reported_at=(datetime.now(UTC) + timedelta(days=2)).isoformat()), "time_in_future"),
    (report(place={"point": {"latitude": 136.2, "longitude": 37.1}}), "bad_coordinates"),
    (report(place={"names": ["Atlantis"]}), "unknown_place"),
    (b"", "empty_value"),
    (None, "empty_value"),
]


def settings_for(broker: str, prefix: str, folder: Path) -> Settings:
    """Return settings of a live deployment with a truce of the last two weeks."""
    return Settings(
        broker=broker,
        topic_prefix=prefix,
        agreement=str(running_truce(folder)),
        data=folder / "data",
        publish_seconds=0.3,
        log_level="warning",
    )


def ask(copy: Path, sql: str) -> list[tuple[Any, ...]]:
    """Query the published copy; nothing, while there is none."""
    if not copy.exists():
        return []
    with duckdb.connect(str(copy), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_bad_input_is_rejected_with_a_reason_and_the_stream_goes_on(broker: str, prefix: str, tmp_path: Path) -> None:
    topics = Topics(prefix)
    settings = settings_for(broker, prefix, tmp_path)
    copy = settings.data / AGREEMENT / "compliance.duckdb"
    good: list[Outgoing] = [
        (None, report(report_id="no-key"), []),
        (b"\xff wrong key", report(report_id="wrong-key"), []),
        (b"k", report(report_id="corrected"), []),
        (b"k", report(report_id="corrected", revision=2, kind="airstrike"), []),
        (b"k", report(report_id="retracted"), []),
        (b"k", report(report_id="retracted", revision=2, status="retracted"), []),
    ]
    records = [(b"bad", body, []) for body, _ in BAD] + good + good[:1]
    asyncio.run(ensure_topics(broker, topics.specs((AGREEMENT,))))
    asyncio.run(write(broker, topics.incidents, 0, records))

    counted = "SELECT sum(accepted + corrected + retracted + duplicate + superseded + rejected)::INTEGER FROM feeds"
    with running(("intake", "ledger"), settings):
        wait_until(lambda: ask(copy, counted) == [(len(records),)])
        wait_until(lambda: ask(copy, "SELECT count(*) FROM day_verdicts WHERE incidents > 0") != [(0,)])

    rejects = ask(copy, "SELECT code, original, hint FROM rejects ORDER BY source_offset")
    assert [(code, original) for code, original, _ in rejects] == [(code, body or b"") for body, code in BAD]
    assert all(hint for _, _, hint in rejects)
    outcomes = "SELECT accepted, corrected, retracted, duplicate, superseded FROM feeds WHERE accepted > 0"
    assert ask(copy, outcomes) == [(4, 1, 1, 1, 0)]
    standing = "SELECT report_id, kind FROM incidents ORDER BY report_id"
    assert ask(copy, standing) == [("corrected", "airstrike"), ("no-key", "shelling"), ("wrong-key", "shelling")]

    letters = asyncio.run(read_all(broker, topics.rejects, len(BAD)))
    assert [letter.value or b"" for letter in letters] == [body or b"" for body, _ in BAD]
    told = [dict(letter.headers)["reason-code"].decode() for letter in letters]
    assert Counter(told) == Counter(code for _, code in BAD)


def test_the_published_copy_can_be_read_while_the_pipeline_writes(
    embedded_broker: str, prefix: str, tmp_path: Path
) -> None:
    """By another process with this DuckDB, and by the command line of DuckDB 1.5."""
    topics = Topics(prefix)
    settings = settings_for(embedded_broker, prefix, tmp_path)
    copy = settings.data / AGREEMENT / "compliance.duckdb"
    shell = Path(sys.executable).with_name("duckdb")
    sql = "SELECT count(*) FROM reports"
    read = f"import duckdb; print(duckdb.connect({str(copy)!r}, read_only=True).execute({sql!r}).fetchone()[0])"
    of_shell: list[str | Path] = [shell, "-readonly", "-noheader", "-list", copy, sql]
    of_python: list[str | Path] = [sys.executable, "-c", read]
    asyncio.run(ensure_topics(embedded_broker, topics.specs((AGREEMENT,))))
    stream = list(reports(20_000))
    seen: list[int] = []

    def look(command: list[str | Path]) -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        seen.append(int(done.stdout))

    with running(("intake", "ledger"), settings) as workers:
        for start in range(0, len(stream), 1_000):
            chunk: list[Outgoing] = [(key, value, []) for key, value in stream[start : start + 1_000]]
            asyncio.run(write(embedded_broker, topics.incidents, (start // 1_000) % 4, chunk))
            if not start:
                wait_until(copy.exists)
            else:
                look(of_shell if start % 2_000 else of_python)
        # A loaded machine may have published nothing new by now.
        wait_until(lambda: look(of_shell) or seen[-1] > seen[0], workers[1])
        for worker in workers:
            worker.check()
    assert len(seen) >= 5
    assert seen == sorted(seen)
