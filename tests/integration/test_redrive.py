"""Rejects published again on each broker: with what they came with, once, whoever presses how often."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.chunks import HEADER
from schemas.topics import Topics
from sinks import reading
from sinks.rejects import Choice, Reject, rejects
from streams.cli.processes import running
from streams.engine.admin import ensure_topics
from streams.engine.producer import Outgoing
from streams.feeds import redrive as redriving
from streams.feeds.redrive import Letter, redrive
from streams.verify import verify
from tests.integration.test_cli_replay import run
from tests.integration.test_live import AGREEMENT, ask, report, settings_for
from tests.support.brokers import read_all, write
from tests.support.recorded_archive import wait_until

MISSPELT = 8
BROKEN = [b"{", b"\xff\n\x00"]
CAME_WITH: list[tuple[str, bytes | None]] = [("ce_id", b"7"), ("traceparent", b"00-1"), ("empty", None)]


def rejected_in(copy: Path, code: str) -> list[Reject]:
    connection = reading.open_published(copy)
    try:
        return sorted(rejects(connection, Choice(code=code)), key=lambda one: one.id)
    finally:
        connection.close()


def cut_short(letters: list[Letter], after: int) -> Iterator[Letter]:
    """Give so many letters, then do what Ctrl-C does."""
    yield from letters[:after]
    raise KeyboardInterrupt


def test_a_reject_is_published_again_once(
    broker: str, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One, several, the rest after an interruption, two at once; with the ledger's file saying what became of each."""
    topics = Topics(prefix)
    settings = settings_for(broker, prefix, tmp_path)
    copy = settings.data / AGREEMENT / "compliance.duckdb"
    names = [f"i{number}" for number in range(MISSPELT)]
    first: list[Outgoing] = [(b"k", report(report_id=name, kind="sheling"), CAME_WITH) for name in names]
    first += [(None, body, []) for body in BROKEN]
    asyncio.run(ensure_topics(broker, topics.specs((AGREEMENT,))))
    asyncio.run(write(broker, topics.incidents, 2, first))
    common = ("--data", settings.data, "--agreement", settings.agreement)
    sending = (*common, "--broker", broker, "--edit", "kind=shelling")
    variables = {"TRUCEWATCH_TOPIC_PREFIX": prefix}

    def outcomes() -> dict[str, int]:
        return dict(ask(copy, "SELECT outcome, count(*) FROM redrives GROUP BY ALL"))

    def command(*arguments: Any) -> tuple[int, str, str]:
        return run("rejects", "redrive", *arguments, cwd=tmp_path, **variables)

    with running(("intake", "ledger"), settings):
        wait_until(lambda: ask(copy, "SELECT count(*) FROM rejects") == [(len(first),)])
        waiting = rejected_in(copy, "bad_value")
        ids = [one.id for one in waiting]

        ended = command(ids[0], *sending)
        assert ended[:2] == (0, "1 reject published again\n"), ended
        wait_until(lambda: outcomes() == {"accepted": 1})
        code, _, error = command(ids[0], *sending)
        assert (code, "published again before" in error) == (2, True)
        assert command(ids[1], ids[2], *sending)[0] == 0
        wait_until(lambda: outcomes() == {"accepted": 3})

        # Interrupted in the middle of the rest, and run again before the ledger has told: nothing doubles.
        monkeypatch.setattr(redriving, "BATCH_RECORDS", 2)
        mended = [Letter(one, one.original.replace(b"sheling", b"shelling")) for one in waiting[3:]]
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(redrive(broker, cut_short(mended, 2), lambda _: None))
        asyncio.run(redrive(broker, mended, lambda _: None))
        wait_until(lambda: outcomes() == {"accepted": MISSPELT})

        # Two persons at once, with what will be rejected again: one reject more for each, not two.
        broken = [Letter(one, one.original) for code in ("not_json", "invalid_utf8") for one in rejected_in(copy, code)]

        async def at_once() -> None:
            await asyncio.gather(*(redrive(broker, broken, lambda _: None) for _ in range(2)))

        asyncio.run(at_once())
        wait_until(lambda: outcomes() == {"accepted": MISSPELT, "rejected": len(BROKEN)})
        duplicates = 2 + len(BROKEN)
        wait_until(lambda: ask(copy, "SELECT sum(duplicate)::INTEGER FROM feeds") == [(duplicates,)])
        code, out, _ = command("--all", *sending[:-2])
        left_out = len(first) + len(BROKEN)
        assert (code, out.split("; ")[0]) == (0, "0 rejects published again"), out
        assert f"{left_out} left out" in out
    assert ask(copy, "SELECT count(*) FROM rejects") == [(left_out,)]
    assert ask(copy, "SELECT count(*), count(DISTINCT report_id) FROM reports") == [(MISSPELT, MISSPELT)]
    assert verify(copy) == []

    again = asyncio.run(read_all(broker, topics.incidents, len(first) + 1))[len(first)]
    log = waiting[0].source_log
    assert (again.partition, again.key) == (2, b"k")
    assert list(again.headers) == [
        ("ce_id", b"7"),
        ("empty", None),
        ("attempt", b"1"),
        ("redrive-of", f"{topics.incidents}/2/0/{log}".encode()),
        ("redrive-number", b"1"),
    ]
    letters = asyncio.run(read_all(broker, topics.rejects, left_out + len(BROKEN)))
    attempts = [dict(letter.headers)["attempt"] for letter in letters]
    assert attempts.count(b"2") == 2 * len(BROKEN), "of two at once intake rejects both: the ledger tells them apart"
    assert not any(name == HEADER for letter in letters for name, _ in letter.headers)


def test_a_topic_that_is_not_there_is_said_with_what_to_do(embedded_broker: str, prefix: str) -> None:
    nowhere = Reject(
        3,
        "not_json",
        None,
        None,
        None,
        "",
        f"{prefix}.gone",
        0,
        0,
        "",
        1,
        0,
        None,
        None,
        None,
        False,
        None,
        None,
        None,
        False,
        None,
        None,
        False,
        b"{",
    )
    with pytest.raises(Exception, match="there is no topic") as caught:
        asyncio.run(redrive(embedded_broker, [Letter(nowhere, b"{")], lambda _: None))
    assert caught.value.hint is not None  # type: ignore[attr-defined]  # an error of ours
