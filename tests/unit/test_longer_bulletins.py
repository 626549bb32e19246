"""Bulletins for more than a day under ``violence.bulletins_of`` are named in place of silence."""

from __future__ import annotations

import io
import json
from pathlib import Path

import duckdb
import pytest
from msgspec.structs import replace
from rich.console import Console

from schemas.facts import CountLine
from schemas.rows import DayVerdict, Identity
from schemas.truceday import Micros
from streams.cli.check import rules_in_words
from streams.ledger.core.legs.bulletins import DayBulletins, Longer, bulletin_rows
from streams.ops.status import read_status
from streams.ops.status_text import show_longer_bulletins, status_json
from streams.verify import verify
from tests.support.judged import History, report
from tests.support.worlds import TRUCE, World, agreement, at, bulletin, day, tick

BY_MONITOR = agreement(violence={"bulletins_of": "monitor"})
WEEK = bulletin("week", low=at(0), high=at(7), tallies=(CountLine(9, "SY01"),))
NAMED = "no bulletin of monitor counts this day, as monitor/week covers more than a day"


def text(row: DayVerdict) -> str:
    return str(json.loads(row.reasons)[0]["text"])


def test_a_bulletin_for_more_than_a_day_counts_none_and_every_day_of_it_names_it() -> None:
    world = World(BY_MONITOR).tell(WEEK, tick(at(8, 1)))
    for number in range(7):
        row = world.verdict("SY01", number)
        assert (row.violence, row.rule, row.bulletin_incidents) == ("UNKNOWN", "no_bulletin", None)
        assert text(row).startswith(NAMED)
    for region, number in (("SY01", 7), ("SY02", 3)):
        assert text(world.verdict(region, number)).startswith("no bulletin of monitor counts this day, limit")


@pytest.mark.parametrize("restart_every", [None, 1])
def test_it_is_named_from_when_it_comes_until_it_goes(restart_every: int | None) -> None:
    world = World(BY_MONITOR, flush_every=1, restart_every=restart_every)
    world.tell(tick(at(5)), WEEK, tick(at(5, 1)))
    assert text(world.verdict("SY01", 1)).startswith(NAMED)
    cause = world.verdict("SY01", 1).cause
    assert json.loads(cause)["reports"] == ["monitor/week@1"]
    world.tell(bulletin("week", low=at(0), high=at(7), revision=2, retracted=True, tallies=WEEK.tallies), tick(at(6)))
    assert "more than a day" not in text(world.verdict("SY01", 1))


def test_a_day_with_a_bulletin_of_its_own_does_not_name_it() -> None:
    own = bulletin("b1", low=at(1), high=at(2), tallies=(CountLine(0, "SY01"),))
    assert "more than a day" not in text(World(BY_MONITOR).tell(WEEK, own, tick(at(8))).verdict("SY01", 1))


def test_of_many_the_first_ten_are_named() -> None:
    many = [bulletin(f"b{number:02}", low=at(0), high=at(3), tallies=(CountLine(1, "SY01"),)) for number in range(12)]
    row = World(BY_MONITOR).tell(*many, tick(at(4))).verdict("SY01", 1)
    assert "monitor/b00, monitor/b01," in text(row)
    assert "monitor/b09 and 2 more cover more than a day" in text(row)


def test_no_more_than_ten_names_are_kept_of_a_day() -> None:
    told = DayBulletins(BY_MONITOR)
    for number in range(40):
        name = Identity("monitor", f"b{number:02}")
        told.enter_longer(name, bulletin_rows(replace(WEEK, report_id=name.report_id), BY_MONITOR))
    assert told.longer(("SY01", day(6))) == Longer(tuple(f"monitor/b{number:02}" for number in range(10)), 40)
    assert told.longer(("SY01", day(7))) == told.longer(("SY02", day(6))) == Longer()


def test_it_changes_the_days_it_covers_and_no_other() -> None:
    world = World(BY_MONITOR).tell(tick(at(20)))
    world.tell(bulletin("b1", low=at(2, 3), high=at(4), tallies=WEEK.tallies), tick(at(20, 1)))
    world.flush()
    changed = [(row.region, row.truce_day, row.cause) for row in world.store.versions if row.version > 1]
    assert changed == [("SY01", day(number), '{"reports": ["monitor/b1@1"], "more": 0}') for number in (2, 3)]


def test_a_bulletin_of_a_day_that_becomes_one_for_days_changes_both(tmp_path: Path) -> None:
    history = History(BY_MONITOR).tell(_weekly(at(2), at(3))).tick(at(4))
    history.tell(_weekly(at(0), at(2), revision=2)).tick(at(9))
    history.tell(_weekly(at(1), at(5), revision=3)).tick(at(9, 1))
    copy = history.judged(tmp_path)
    assert verify(copy) == []
    with duckdb.connect(str(copy), read_only=True) as connection:
        told = connection.execute(
            "SELECT truce_day, cause ->> '$.reports[*]' FROM day_verdicts WHERE region = 'SY01' ORDER BY 1 LIMIT 6"
        ).fetchall()
    # Both cover the second day. Nobody watches the last one since the second revision: the first one did before it.
    assert told == [(day(number), [f"monitor/week@{by}"]) for number, by in enumerate((3, 2, 3, 3, 3, 2))]


def test_its_days_are_judged_and_it_is_their_cause_whichever_ten_the_reason_names() -> None:
    many = [bulletin(f"b{number:02}", low=at(0), high=at(3), tallies=WEEK.tallies) for number in range(11)]
    world = World(BY_MONITOR).tell(*many, tick(at(9)))
    world.tell(bulletin("c", low=at(0), high=at(3), tallies=WEEK.tallies), tick(at(9, 1)))
    row = world.verdict("SY01", 1)
    assert "and 2 more cover" in text(row)
    assert json.loads(row.cause)["reports"] == ["monitor/c@1"]


def test_where_violence_is_measured_by_incidents_no_reason_names_it() -> None:
    assert "more than a day" not in text(World(TRUCE).tell(WEEK, tick(at(8))).verdict("SY01", 1))


def _weekly(low: Micros, high: Micros, name: str = "week", **fields: object) -> dict[str, object]:
    lines = [{"count": 9, "place": {"pcode": "SY01"}}]
    return report("bulletin", name, feed="monitor", reported_at=high, occurred=(low, high), tallies=lines, **fields)


def test_the_recount_names_it_too_and_a_replay_tells_which(tmp_path: Path) -> None:
    history = History(BY_MONITOR).tell(_weekly(at(0), at(7))).tick(at(7, 1))
    copy = history.tell(_weekly(at(1), at(3), "days")).tick(at(8)).judged(tmp_path)
    assert verify(copy) == []
    status = read_status(copy)
    page = io.StringIO()
    show_longer_bulletins(Console(file=page, width=200), status)
    assert "Bulletins of monitor for more than a day, which count for none: 2016-09-12 19:00" in page.getvalue()
    assert len(status_json(status)["longer_bulletins"]) == 2


def test_check_config_says_so_before_there_is_any() -> None:
    said = "A bulletin of monitor for more than 25 h is of no one day: it counts for none."
    assert said in rules_in_words(BY_MONITOR)
    assert said not in rules_in_words(TRUCE)
