"""A named replay goes on with what lies in its topic, however often a lost acknowledgement had it written."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from schemas.agreement_file import load_agreement
from schemas.errors import ResultIncomplete, UsageError
from schemas.topics import Topics
from streams.cli.backtest import _Run
from streams.feeds.archive import Archive, ArchiveRecord
from streams.feeds.readback import ReadBack, read_back
from streams.feeds.recorded import Recorded
from tests.integration.test_cli_replay import SCENARIO, contents, run
from tests.support.brokers import topic_of, write
from tests.support.demo import Demo
from tests.support.recorded_archive import AGREEMENT, archive_of, publish_archive

pytestmark = pytest.mark.broker


def scenario() -> list[ArchiveRecord]:
    """Return the archive of the bundled September."""
    return archive_of([line.encode() for line in SCENARIO.read_text().splitlines()])


def test_a_run_whose_batch_was_written_twice_loses_no_report(
    demo: Demo, embedded_broker: str, prefix: str, tmp_path: Path
) -> None:
    """The topic's end passes for more of the archive than it holds."""
    records = scenario()
    topics = Topics(f"truce.replay.{prefix}")
    twice = records[: len(records) // 4]
    asyncio.run(publish_archive(embedded_broker, topics, twice))
    asyncio.run(publish_archive(embedded_broker, topics, twice))
    again = [len(headers) == 1 for _, _, headers in twice].count(True)
    code, out, err = run("replay", SCENARIO, "--broker", embedded_broker, "--run", prefix, "--json", cwd=tmp_path)
    assert code == 0, err
    found = contents(tmp_path / json.loads(out)["replay"]["copy"])
    whole = contents(demo.file)
    assert len(found["reports"]) == len(whole["reports"])
    assert len(found["day_verdicts"]) == len(whole["day_verdicts"])
    assert len(found["day_verdict_versions"]) == len(whole["day_verdict_versions"])
    lines = SCENARIO.read_text().splitlines()
    assert sum(json.loads(out)["outcomes"].values()) == len(lines) + again


async def test_what_is_read_back_is_counted_by_number(embedded_broker: str, prefix: str) -> None:
    records = scenario()
    topic = await topic_of(embedded_broker, f"{prefix}.archive")
    assert await read_back(embedded_broker, topic, len(records)) == ReadBack(0, 0, 0)
    for some in (records[:30], records[20:30], records[:10], records[35:40]):
        await write(embedded_broker, topic, 0, some)
    found = await read_back(embedded_broker, topic, len(records))
    assert (found.first_missing, found.distinct) == (30, 35)
    written = [*records[:30], *records[20:30], *records[:10], *records[35:40]]
    assert found.reports == sum(all(name != "tick" for name, _ in headers) for _, _, headers in written)
    await write(embedded_broker, topic, 0, records)
    assert (await read_back(embedded_broker, topic, len(records))).first_missing == len(records)


@pytest.mark.parametrize("headers", [[], [("number", b"x")], [("number", b"150")], [("number", b"")]])
async def test_a_run_of_other_files_is_not_gone_on_with(
    embedded_broker: str, prefix: str, headers: list[tuple[str, bytes]]
) -> None:
    topic = await topic_of(embedded_broker, f"{prefix}.archive")
    await write(embedded_broker, topic, 0, [(None, b"{}", headers)])
    with pytest.raises(UsageError, match="offset 0: not a record of these files' archive") as refused:
        await read_back(embedded_broker, topic, 150)
    assert refused.value.hint is not None
    assert "another --run" in refused.value.hint


def test_a_result_that_lacks_reports_is_an_error_and_no_answer(
    embedded_broker: str, prefix: str, tmp_path: Path
) -> None:
    """The last line of defence: whatever went wrong, nobody is to read a result that is not whole."""
    (tmp_path / "some.jsonl").write_text("".join(SCENARIO.read_text().splitlines(keepends=True)[:20]))
    assert run("replay", "some.jsonl", cwd=tmp_path)[0] == 0
    copy = tmp_path / "trucewatch-data" / AGREEMENT / "compliance.duckdb"
    topics = Topics(f"truce.replay.{prefix}")
    records = scenario()
    asyncio.run(publish_archive(embedded_broker, topics, records))
    calendar = load_agreement(AGREEMENT).calendar
    replay = _Run(embedded_broker, topics, AGREEMENT, [], lambda *_: None)
    with Archive([calendar], "listed", now=0, accepted=bytes) as archive:
        # As many records as were published, none of them a tick.
        archive.add(Recorded(b"{}", None, "incident", line) for line in range(len(records)))
        with pytest.raises(ResultIncomplete, match=r"150 reports went in and 20 outcomes came out: .* not to be used"):
            asyncio.run(replay.check_outcomes(archive, copy))
        archive.add([Recorded(b"{}", None, "incident", 0)])
        with pytest.raises(ResultIncomplete, match="1 of 151 records did not reach the topic"):
            asyncio.run(replay.check_outcomes(archive, copy))
    assert ResultIncomplete.exit_code == 70
