"""``trucewatch facts`` on a broker: a topic of chunks as lines that a person can read."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from schemas.chunks import records_of
from schemas.facts import TickFact
from schemas.topics import Topics
from tests.integration.test_cli_replay import run
from tests.support.brokers import topic_of, write
from tests.support.recorded_archive import AGREEMENT
from tests.support.records import with_body
from tests.support.worlds import at, coverage, incident

pytestmark = pytest.mark.broker


def test_the_facts_of_a_topic_are_lines_from_any_number_on(embedded_broker: str, prefix: str, tmp_path: Path) -> None:
    topic = asyncio.run(topic_of(embedded_broker, Topics(prefix).facts(AGREEMENT)))
    told = [with_body(incident(f"i{number}")) for number in range(4)]
    told += [with_body(coverage(low=at(0), high=at(1))), (TickFact(stamp=at(1), term=1), b""), (told[0][0], b"\xff")]
    asyncio.run(write(embedded_broker, topic, 0, list(records_of(told, most_facts=3))))
    arguments = ("facts", "--broker", embedded_broker, "--json")
    code, out, err = run(*arguments, cwd=tmp_path, TRUCEWATCH_TOPIC_PREFIX=prefix)
    assert code == 0, err
    lines = [json.loads(line) for line in out.splitlines()]
    assert [(line["number"], line["offset"]) for line in lines] == [(n, n // 3) for n in range(7)]
    assert [line["type"] for line in lines] == [*["incident"] * 4, "coverage", "tick", "incident"]
    assert [line["report"].encode() for line in lines[:6]] == [body for _, body in told[:6]]
    assert lines[5]["stamp"] == "2016-09-13T16:00:00+00:00"
    assert lines[6]["report_base64"] == "/w=="
    code, out, err = run(*arguments, "--from", "4", cwd=tmp_path, TRUCEWATCH_TOPIC_PREFIX=prefix)
    assert (code, [json.loads(line) for line in out.splitlines()]) == (0, lines[4:]), err
    code, _, err = run(*arguments, cwd=tmp_path, TRUCEWATCH_TOPIC_PREFIX=f"{prefix}.none")
    assert code == 2
    assert "there is no topic" in err
