"""The declared clock: what parties declare, folded beside what is computed; docs/judging.md states the rules."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import duckdb
import pytest

from schemas.rows import Changes, DayVerdict, DeclarationRow
from schemas.truceday import Micros, from_micros
from sinks.reading import declarations, declared_clocks
from tests.support.effort import examples
from tests.support.rows import DAY_ONE, hours, verdict_row
from tests.support.stores import Scratch

Rows = list[tuple[object, ...]]
Ask = Callable[..., Rows]
MINUTE = 1 / 60


def says(
    act: str,
    at: float,
    until: float | None = None,
    *,
    by: str = "Army",
    name: str = "",
    told: float | None = None,
    revision: int = 1,
    retracted: bool = False,
):
    """Return a declaration, its times in hours from the start of the truce; told when it takes effect, unless said."""
    report_id = name or f"{act}-{at}"
    term = None if until is None else hours(until)
    return DeclarationRow(
        "feed", report_id, revision, retracted, act, by, hours(at), term, hours(at if told is None else told)
    )


@pytest.fixture
def file(scratch: Scratch) -> Callable[..., duckdb.DuckDBPyConnection]:
    """Puts declarations into a file, in place of those before, its ledger's time being ``now`` hours into the truce."""

    def holding(*told: DeclarationRow, now: float = 300, verdicts: Sequence[DayVerdict] = ()) -> Any:
        rows = {"declarations": list(told), "verdict_log": list(verdicts)}
        return scratch.holding(Changes(now=hours(now), **rows))

    return holding


def stretches(connection: duckdb.DuckDBPyConnection) -> Rows:
    """Return every stretch as hours from the start of the truce, with what ended it."""
    found = connection.execute(
        "SELECT epoch_us(since), epoch_us(until), ended_by FROM declared_clock ORDER BY declared_by, stretch"
    ).fetchall()
    return [(_hour(since), _hour(until), ended_by) for since, until, ended_by in found]


def flags(connection: duckdb.DuckDBPyConnection) -> Rows:
    return connection.execute("SELECT act, effect, flag FROM declared_acts").fetchall()


def _hour(instant: Micros | None) -> float | None:
    return None if instant is None else (instant - hours(0)) / 3.6e9


ARMY = (
    says("start", 0, 6 * 24 + 4 + 59 * MINUTE),
    says("end", 7 * 24, told=7 * 24 - 0.25),
)


def test_a_truce_called_one_of_seven_days_held_six_days_and_five_hours(file) -> None:
    """The Syrian army's own: 12 September 2016, 19:00, to 18 September, 23:59."""
    connection = file(*ARMY)
    (row,) = connection.execute(
        "SELECT in_force, since, until, ended_by, held_seconds, held, held_rounded, ended_by_report FROM declared_clock"
    ).fetchall()
    began, ended = (moment.isoformat() for moment in row[1:3])
    assert (began, ended) == ("2016-09-12T16:00:00+00:00", "2016-09-18T20:59:00+00:00")
    assert (row[0], row[3:]) == (False, ("until", 6 * 86_400 + 4 * 3_600 + 59 * 60, "6 d 4 h 59 min", "6 d 5 h", None))
    assert flags(connection) == [("start", "opened", None), ("end", "nothing", "nothing_in_force")]


def test_an_extension_goes_on_where_the_term_ends_and_the_clock_runs_through(file) -> None:
    """Told four hours late, it still takes effect at the very instant."""
    assert stretches(file(says("start", 0, 48), says("extension", 48, 96, told=52))) == [(0, 96, "until")]


def test_an_extension_never_shortens_and_one_without_a_term_is_open_ended(file) -> None:
    assert stretches(file(says("start", 0, 48), says("extension", 10, 20))) == [(0, 48, "until")]
    assert stretches(file(says("start", 0, 48), says("extension", 10))) == [(0, None, None)]


def test_an_extension_of_another_partys_truce_opens_a_stretch_of_its_own_and_is_marked(file) -> None:
    connection = file(says("start", 0, 96, by="Both"), says("extension", 96, 168, by="One"))
    assert stretches(connection) == [(0, 96, "until"), (96, 168, "until")]
    assert flags(connection)[1] == ("extension", "opened", "extends_nothing")


def test_a_start_told_by_two_feeds_is_one_stretch(file) -> None:
    connection = file(says("start", 0, 48), says("start", 0, name="another", told=3))
    assert stretches(connection) == [(0, 48, "until")]
    assert [effect for _, effect, _ in flags(connection)] == ["opened", "restated"]


def test_an_end_closes_the_stretch_and_a_new_start_opens_the_next(file) -> None:
    told = (says("start", 0), says("end", 30), says("start", 40, 50))
    assert stretches(file(*told)) == [(0, 30, "end"), (40, 50, "until")]


def test_a_suspension_with_a_term_is_taken_up_again_with_the_end_the_truce_had(file) -> None:
    assert stretches(file(says("start", 0, 48), says("suspension", 10, 20))) == [
        (0, 10, "suspension"),
        (20, 48, "until"),
    ]
    assert stretches(file(says("start", 0, 48), says("suspension", 10))) == [(0, 10, "suspension")]
    assert stretches(file(says("start", 0, 48), says("suspension", 10, 60))) == [(0, 10, "suspension")]


def test_a_truce_ended_while_suspended_is_not_taken_up_again(file) -> None:
    told = (says("start", 0), says("suspension", 10, 20), says("end", 15))
    assert stretches(file(*told)) == [(0, 10, "suspension")]


@pytest.mark.parametrize("told_first", [True, False])
def test_a_truce_ended_at_the_instant_its_suspension_runs_out_leaves_no_stretch_of_no_length(
    file, *, told_first: bool
) -> None:
    told = (says("start", 0), says("suspension", 10, 20), says("end", 20, told=9 if told_first else 19))
    connection = file(*told)
    assert stretches(connection) == [(0, 10, "suspension")]
    assert flags(connection)[2] == ("end", "ended", None)


def test_what_closes_a_stretch_as_it_opens_leaves_none_and_the_next_has_its_number(file) -> None:
    assert stretches(file(says("start", 10), says("end", 10, told=11))) == []
    taken_up = (says("start", 0, 48), says("suspension", 10, 20))
    connection = file(*taken_up, says("reset", 20, told=19))
    assert stretches(connection) == [(0, 10, "suspension"), (20, 48, "until")]
    assert connection.execute("SELECT stretch, opened_by FROM declared_clock").fetchall()[1] == (2, "feed/reset-20")
    again = says("suspension", 20, 30, name="again", told=19)
    assert stretches(file(*taken_up, again)) == [(0, 10, "suspension"), (30, 48, "until")]


def test_a_reset_counts_anew_under_the_same_term(file) -> None:
    assert stretches(file(says("start", 0, 48), says("reset", 10))) == [(0, 10, "reset"), (10, 48, "until")]
    assert stretches(file(says("start", 0, 48), says("reset", 10, 70))) == [(0, 10, "reset"), (10, 70, "until")]


@pytest.mark.parametrize("odd", [says("end", -5, told=2), says("suspension", -5, told=2), says("reset", -5, told=2)])
def test_what_ends_a_truce_before_it_starts_is_kept_and_marked_and_changes_nothing(file, odd: DeclarationRow) -> None:
    connection = file(says("start", 0, 48), odd)
    assert stretches(connection) == [(0, 48, "until")]
    assert flags(connection)[0] == (odd.act, "nothing", "ends_before_it_starts")


@pytest.mark.parametrize("act", ["start", "extension", "reset"])
def test_a_term_that_is_over_before_it_begins_is_marked_and_changes_nothing(file, act: str) -> None:
    connection = file(says("start", 0, 48), says(act, 10, 9))
    assert stretches(connection) == [(0, 48, "until")]
    assert flags(connection)[1] == (act, "nothing", "ends_before_it_starts")


def test_an_end_told_before_any_start_was_ends_nothing(file) -> None:
    assert flags(file(says("end", -5), says("start", 0)))[0] == ("end", "nothing", "nothing_in_force")


@pytest.mark.parametrize(
    ("when", "known"),
    [
        (-1, []),
        (0, [("Army", True, 0.0, 48.0, None, "0 d 0 h")]),
        (47, [("Army", True, 0.0, 48.0, None, "1 d 23 h")]),
        (49, [("Army", False, 0.0, 48.0, "until", "2 d 0 h")]),
        (52, [("Army", True, 0.0, 96.0, None, "2 d 4 h")]),
        (60, [("Army", True, 0.0, 70.0, None, "2 d 12 h")]),
        (70, [("Army", False, 0.0, 70.0, "end", "2 d 22 h")]),
    ],
)
def test_the_clock_is_told_as_it_was_declared_by_then(file, when: float, known: Rows) -> None:
    """A late extension revives what had run out; an end announced ahead does not end anything yet."""
    connection = file(says("start", 0, 48), says("extension", 48, 96, told=52), says("end", 70, told=60))
    found = connection.execute(
        "SELECT declared_by, in_force, epoch_us(since), epoch_us(until), ended_by, held FROM declared_as_of(?)",
        [from_micros(hours(when))],
    ).fetchall()
    assert [(by, live, _hour(since), _hour(until), *rest) for by, live, since, until, *rest in found] == known


def test_a_truce_that_is_only_announced_is_not_in_force_and_has_held_for_nothing(file) -> None:
    (clock,) = declared_clocks(file(says("start", 0, 48, told=-60), now=-10))
    assert (clock.in_force, clock.ended_by, clock.held) == (False, None, "0 d 0 h")


def test_a_party_that_never_declared_a_truce_of_its_own_is_listed_without_one(file) -> None:
    (clock,) = declared_clocks(file(says("end", 5)))
    assert (clock.declared_by, clock.in_force, clock.since) == ("Army", False, None)


def test_what_is_declared_stands_beside_what_was_found(file) -> None:
    """Eight days judged, of which six lie whole in the stretch; one of them is broken in one gate region."""
    verdicts = [
        verdict_row(region, DAY_ONE + timedelta(days=day), verdict="BROKEN" if (region, day) == ("SY02", 3) else "MET")
        for region in ("SY01", "SY02")
        for day in range(8)
    ]
    connection = file(*ARMY, verdicts=verdicts)
    assert connection.execute("SELECT truce_days, truce_days_met FROM declared_clock").fetchall() == [(6, 5)]


# -- against a fold written from the prose


class NaiveClock:
    """The clock of one party, one act after another."""

    def __init__(self) -> None:
        self.ended: Rows = []
        self.live: list[Micros | None] | None = None  # since and end of the stretch in force, or run out
        self.suspended: tuple[str, Micros | None] | None = None

    def runs(self, at: Micros) -> bool:
        return self.live is not None and (self.live[1] is None or at < self.live[1])

    def take(self, at: Micros, act: str, report_id: str, term: Micros | None) -> None:
        if act in ("start", "extension", "reset") and term is not None and term <= at:
            return
        if act in ("start", "extension"):
            self.begin(at, act, term)
        elif act == "resumption":
            self.resume(at, report_id)
        elif act == "end" and self.suspended is not None:
            self.suspended = None
        elif self.live is not None and self.runs(at):
            if at != self.live[0]:
                self.ended.append((self.live[0], at, act))
            self.suspended = (report_id, self.live[1]) if act == "suspension" else None
            self.live = [at, term or self.live[1]] if act == "reset" else None

    def begin(self, at: Micros, act: str, term: Micros | None) -> None:
        if self.live is not None and (self.runs(at) or (act == "extension" and at == self.live[1])):
            open_ended = self.live[1] is None or (act == "extension" and term is None)
            self.live[1] = None if open_ended else max(self.live[1], term or self.live[1])
            return
        if self.live is not None:
            self.ended.append((*self.live, "until"))
        self.live, self.suspended = [at, term], None

    def resume(self, at: Micros, report_id: str) -> None:
        if self.suspended is None or self.suspended[0] != report_id:
            return
        if self.suspended[1] is None or at < self.suspended[1]:
            self.live, self.suspended = [at, self.suspended[1]], None

    def stretches(self) -> Rows:
        """Return (since, until, what ended it) of every stretch, 300 hours into the truce."""
        if self.live is None:
            return self.ended
        runs = self.live[1] is None or self.live[1] > hours(300)
        return [*self.ended, (*self.live, None if runs else "until")]


def naive(told: Sequence[DeclarationRow]) -> Rows:
    """Return (party, since, until, what ended it) of every stretch."""
    events = [(row.effective_at, row.reported_at, row.report_id, row.act, row) for row in told]
    events += [
        (row.until, row.reported_at, row.report_id, "resumption", row)
        for row in told
        if row.act == "suspension" and row.until is not None and row.until > row.effective_at
    ]
    clocks = {row.declared_by: NaiveClock() for row in told}
    for at, _, report_id, act, row in sorted(events, key=lambda event: event[:4]):
        clocks[row.declared_by].take(at, act, report_id, None if act == "resumption" else row.until)
    return sorted(((party, *each) for party, clock in clocks.items() for each in clock.stretches()), key=repr)


@pytest.mark.property
@pytest.mark.parametrize("seed", range(examples(25)))
def test_the_view_folds_as_the_prose_does(file, seed: int) -> None:
    draw = random.Random(seed)
    told = []
    for number in range(30):
        at = draw.randrange(200)
        until = draw.choice([None, at - 3, at, at + draw.randrange(1, 60)])
        act = draw.choice(["start", "start", "extension", "suspension", "reset", "end"])
        told.append(says(act, at, until, by=draw.choice("AB"), name=f"d{number}", told=at + draw.randrange(-9, 9)))
    found = (
        file(*told)
        .execute("SELECT declared_by, epoch_us(since), epoch_us(until), ended_by FROM declared_clock")
        .fetchall()
    )
    assert sorted(found, key=repr) == naive(told)
    assert len(found) > 2


def test_every_declaration_is_kept_and_listed_once(file) -> None:
    told = (says("start", 0, 48), says("suspension", 10, 20), says("end", -9, told=3), says("end", 70))
    assert [line.report_id for line in declarations(file(*told))] == ["end--9", "start-0", "suspension-10", "end-70"]
