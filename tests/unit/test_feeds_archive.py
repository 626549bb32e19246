"""The archive of a replay: one order whatever the files, with ticks along its time."""

from __future__ import annotations

import random
from collections.abc import Hashable
from datetime import UTC, datetime, time

import pytest

from schemas.truceday import MICROS_PER_HOUR, MICROS_PER_SECOND, Micros, TruceCalendar, to_micros
from streams.feeds import archive as module
from streams.feeds.archive import Archive, ArchiveRecord, Order
from streams.feeds.recorded import Recorded
from streams.intake.examine import CLOCK_TOLERANCE

CALENDAR = TruceCalendar("Asia/Damascus", time(19, 0))
#: 12 September 2016, 16:00 UTC: the start of a truce-day.
NOON = to_micros(datetime(2016, 9, 12, 9, 0, tzinfo=UTC))
MINUTE = 60 * MICROS_PER_SECOND
#: When the archive is made: long after all of it.
NOW = to_micros(datetime(2017, 1, 1, tzinfo=UTC))


def report(name: str, reported_at: Micros | None) -> Recorded:
    return Recorded(name.encode(), reported_at, "incident", 1, "feed", name.partition("@")[0])


def accepted(value: bytes) -> Hashable | None:
    """Take every record whose name does not say otherwise: ``x`` is a reject, ``a@2`` and ``a@2b`` are one revision."""
    return None if value.startswith(b"x") else value.rstrip(b"b")


def recorded(*files: list[Recorded], order: Order = "reported") -> list[ArchiveRecord]:
    with Archive([CALENDAR], order, now=NOW, accepted=accepted) as archive:
        for file in files:
            archive.add(file)
        return [record for chunk in archive.chunks() for record in chunk]


def told(records: list[ArchiveRecord]) -> list[str]:
    """Reports by name and ticks as minutes after NOON."""
    lines = []
    for number, (key, value, headers) in enumerate(records):
        assert key is None
        assert value is not None
        assert headers[-1] == ("number", str(number).encode())
        if len(headers) > 1:
            (name, stamp), _ = headers
            assert (name, value) == ("tick", b"")
            lines.append(f"tick {(int(stamp) - NOON) // MINUTE}")
        else:
            lines.append(value.decode())
    return lines


def test_every_hour_in_which_something_was_reported_ends_with_a_tick() -> None:
    """The hours of the archive, and where their ticks stand.

    09:00      09:10   09:59   10:00            12:30
    a          b       c  tick d        tick    e      tick
    """
    records = recorded(
        [
            report("a", NOON),
            report("b", NOON + 10 * MINUTE),
            report("c", NOON + 59 * MINUTE),
            report("d", NOON + 60 * MINUTE),
            report("e", NOON + 210 * MINUTE),
        ]
    )
    assert told(records) == ["a", "b", "c", "tick 60", "d", "tick 120", "e", "tick 240"]


def test_days_in_which_nobody_spoke_still_end_with_a_tick() -> None:
    """Truce-days start at 16:00 UTC, seven hours after the first report."""
    day = 24 * 60
    records = recorded([report("a", NOON), report("b", NOON + 3 * day * MINUTE)])
    assert told(records) == [
        "a",
        "tick 60",
        f"tick {7 * 60}",
        f"tick {7 * 60 + day}",
        f"tick {7 * 60 + 2 * day}",
        "b",
        f"tick {3 * day + 60}",
    ]


def test_a_report_at_a_boundary_comes_after_its_tick() -> None:
    boundary = CALENDAR.start_of(datetime(2016, 9, 12, tzinfo=UTC).date())
    assert told(recorded([report("a", NOON), report("b", boundary)])) == ["a", "tick 60", "tick 420", "b", "tick 480"]


def test_ticks_never_go_back_and_no_report_follows_a_tick_of_its_own_time() -> None:
    rng = random.Random(7)
    stamps = [NOON + rng.randrange(40 * 24 * 60) * MINUTE for _ in range(500)]
    latest = 0
    by_name = {f"r{number}": stamp for number, stamp in enumerate(stamps)}
    for line, record in zip(
        told(records := recorded([report(name, stamp) for name, stamp in by_name.items()])), records, strict=True
    ):
        if line.startswith("tick"):
            stamp = int(record[2][0][1])
            assert stamp > latest
            latest = stamp
        else:
            assert by_name[line] >= latest


def test_the_order_of_files_and_lines_never_shows() -> None:
    rng = random.Random(3)
    reports = [report(f"r{number}", NOON + rng.randrange(50) * 10 * MINUTE) for number in range(300)]
    expected = recorded(reports)
    rng.shuffle(reports)
    assert recorded(reports[:100], reports[100:]) == expected
    assert recorded(reports[250:], reports[:250]) == expected


def test_listed_order_is_the_files_own_and_ticks_follow_the_latest_time_seen() -> None:
    records = recorded(
        [report("late", NOON + 90 * MINUTE), report("early", NOON)],
        [report("later", NOON + 200 * MINUTE)],
        order="listed",
    )
    assert told(records) == ["tick 60", "late", "early", "tick 120", "later", "tick 240"]


def test_a_report_without_a_time_keeps_the_place_of_its_neighbour() -> None:
    """In listed order the place itself shows; in reported order the hour does."""
    file = [report("x", None), report("a", NOON), report("y", None), report("b", NOON + 90 * MINUTE)]
    assert told(recorded(file, order="listed")) == ["x", "a", "y", "tick 60", "b", "tick 120"]
    assert set(told(recorded(file))[:3]) == {"x", "a", "y"}


def test_a_file_without_any_time_comes_first() -> None:
    records = told(recorded([report("b", NOON)], [report("x", None)]))
    assert sorted(records[:2]) == ["b", "x"]
    assert records[2:] == ["tick 60"]


def test_an_archive_without_any_time_has_no_ticks() -> None:
    assert told(recorded([report("x", None)])) == ["x"]


def test_an_empty_archive_is_empty() -> None:
    assert recorded([]) == []


def test_equal_reports_are_all_kept() -> None:
    assert told(recorded([report("a", NOON)], [report("a", NOON)])) == ["a", "a", "tick 60"]


def test_chunks_are_bounded_and_the_same_on_every_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK_RECORDS", 10)
    monkeypatch.setattr(module, "CHUNK_BYTES", 35)
    with Archive([CALENDAR], now=NOW, accepted=accepted) as archive:
        archive.add(report(f"{number:04}" * 2, NOON + number * MINUTE) for number in range(100))
        chunks = list(archive.chunks())
        assert list(archive.chunks()) == chunks
        assert len(archive) == 100
        assert archive.ticks() == [NOON + MICROS_PER_HOUR, NOON + 2 * MICROS_PER_HOUR]
    assert max(sum(len(value or b"") for _, value, _ in chunk) for chunk in chunks) <= 40
    assert sum(map(len, chunks)) == 102


def test_a_time_to_come_moves_no_clock() -> None:
    """Intake rejects it; a mistyped year would have the ledger judge every day until then."""
    mistyped = to_micros(datetime(2106, 9, 12, 9, 5, tzinfo=UTC))
    records = recorded([report("a", NOON), report("b", mistyped), report("c", NOON + 61 * MINUTE)])
    assert [line for line in told(records) if line.startswith("tick")] == ["tick 60", "tick 120"]
    assert told(records).index("b") < told(records).index("tick 60")


def test_a_feeds_clock_may_run_ahead_as_far_as_intake_allows() -> None:
    assert told(recorded([report("a", NOW + CLOCK_TOLERANCE)]))[0] == "a"
    assert len(recorded([report("a", NOW + CLOCK_TOLERANCE)])) == 2
    assert told(recorded([report("a", NOW + CLOCK_TOLERANCE + 1)])) == ["a"]


@pytest.mark.parametrize("order", ["reported", "listed"])
@pytest.mark.parametrize("late", ["x", "a@2b"], ids=["rejected by intake", "a revision told otherwise before"])
def test_what_is_rejected_moves_no_time(order: Order, late: str) -> None:
    """Wherever it stands: before an accepted report it must not let the ticks of the days between out too early."""
    year = 365 * 24 * 60 * MINUTE
    alone = [report("a@2", NOON), report("b", NOON + 61 * MINUTE)]
    ticks = ["tick 60", "tick 120"]
    for file in ([*alone, report(late, NOON + year)], [alone[0], report(late, NOON + year), alone[1]]):
        records = told(recorded(file, order=order))
        assert [line for line in records if line.startswith("tick")] == ticks
        assert records.index("tick 60") < records.index("b")


def test_a_reject_before_everything_begins_no_day() -> None:
    assert told(recorded([report("x", NOON - 72 * 60 * MINUTE), report("a", NOON)])) == ["x", "a", "tick 60"]


def test_an_hour_of_rejects_and_one_report_ends_with_a_tick() -> None:
    assert told(recorded([report("x1", NOON), report("x2", NOON + MINUTE), report("a", NOON + 2 * MINUTE)])) == [
        "x1",
        "x2",
        "a",
        "tick 60",
    ]
