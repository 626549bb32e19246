"""Convoys of the case: what was said of them in September and October 2016, in own words, and what it comes to.

Where the facts come from: the UN's reports of 2016 to the Security Council and its spokesmen's briefings of 14 to 22
September, the ICRC of 19 September, agencies' reports of 13 and 22 September.
"""

from __future__ import annotations

import json
from datetime import date, datetime
from importlib import resources
from pathlib import Path
from typing import Any

import duckdb
import pytest

from schemas.agreement import Agreement
from schemas.agreement_file import changed_agreement, load_agreement
from schemas.truceday import Micros
from streams.feeds.compiled import read_convoys
from streams.verify import verify
from tests.support.judged import History, report
from tests.support.scenarios import Outcome, outcome
from tests.support.shared_data import shared_data

MINUTE = 60_000_000
HOUR = 60 * MINUTE


@pytest.fixture(scope="module")
def syria() -> Agreement:
    """The shipped agreement, had the truce run on: what befell aid after its end would have broken days."""
    longer = {("clock", "ends"): datetime(2016, 10, 1, 19)}  # noqa: DTZ001 - agreements state local time
    return changed_agreement(load_agreement("syria-2016"), longer, "a longer truce")


class Told:
    """Reports of the case, and the file their judgement makes."""

    def __init__(self, syria: Agreement, folder: Path) -> None:
        self._history = History(syria)
        self._start = syria.calendar.start_of
        self._folder = folder
        self._outcome: Outcome | None = None

    def at(self, day: int, hour: int, minute: int = 0) -> Micros:
        """Return a local time of September 2016, UTC+3."""
        return self._start(date(2016, 9, day)) + ((hour - 19) * 60 + minute) * MINUTE

    def step(
        self,
        feed: str,
        convoy_id: str,
        step: str,
        begun: Micros,
        *,
        to: Micros | None = None,
        said: Micros | None = None,
        place: list[str],
        **fields: Any,
    ) -> Told:
        """Add one step of one convoy; said when it ended unless told otherwise."""
        ended = begun if to is None else to
        spine: dict[str, Any] = {"occurred": (begun, ended), "reported_at": ended if said is None else said}
        number = len(self._history.facts)
        told = report("convoy", f"{convoy_id}-{number}", feed=feed, convoy_id=convoy_id, step=step, **spine, **fields)
        self._history.tell(told | {"place": {"names": place}})
        self._outcome = None
        return self

    def tick(self, moment: Micros) -> Told:
        self._history.tick(moment)
        self._outcome = None
        return self

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Return what the published file says, once verify has found it right."""
        self._outcome = self._outcome or outcome(self._history, self._folder)
        return self._outcome.ask(sql)


@pytest.fixture
def told(syria: Agreement, tmp_path: Path) -> Told:
    return Told(syria, tmp_path)


URUM = ["Aleppo", "Urum al-Kubra"]
EAST = ["Aleppo", "Eastern Aleppo"]
MOADAMIYEH = ["Rif Dimashq", "Moadamiyeh"]


def test_the_attack_of_urum_al_kubra_breaks_the_eighth_truce_day_and_no_other(told: Told) -> None:
    """Struck from about 19:12 to 19:50 on 19 September: the seventh truce-day had ended at 19:00.

    That one is broken as well, but by nothing of Urum's: in seven days nothing had been delivered to Aleppo.
    """
    begun, ended = told.at(19, 19, 12), told.at(19, 19, 50)
    load = {"people_requested": 78_000, "trucks": 31, "place": URUM}
    told.step("un", "urum", "arrived", told.at(19, 13, 30), **load)
    told.step("un", "urum", "attacked", begun, to=ended, said=told.at(20, 12), trucks_hit=18, **load)
    found = told.tick(told.at(20, 20)).ask(
        "SELECT strftime(truce_day, '%d'), access, evidence ->> '$.access[*]' FROM day_verdicts "
        "WHERE region = 'SY02' AND truce_day BETWEEN '2016-09-18' AND '2016-09-19' ORDER BY 1"
    )
    assert found == [("18", "BROKEN", []), ("19", "BROKEN", ["un/urum"])]


def test_the_trucks_hit_are_kept_beside_the_trucks_sent(told: Told) -> None:
    told.step("un", "urum", "attacked", told.at(19, 19, 12), place=URUM, trucks=31, trucks_hit=18)
    told.step("un", "urum", "attacked", told.at(19, 19, 12), said=told.at(25, 9), place=URUM, trucks_hit=17)
    (found,) = told.tick(told.at(26, 0)).ask(
        "SELECT state, trucks, trucks_hit, trucks_hit_least, trucks_hit_most FROM convoys"
    )
    assert found == ("attacked", 31, 17, 17, 18)


def border(told: Told) -> Told:
    """Trucks for eastern Aleppo at Cilvegözü and Bab al-Hawa: said to have crossed, and held there all the while."""
    same = {"same_convoy_as": "un/east-aleppo"}
    told.step("un", "east-aleppo", "dispatched", told.at(12, 21), place=EAST, trucks=20, reached_place="Cilvegözü")
    told.step(
        "state-media",
        "crossed",
        "arrived",
        told.at(13, 12),
        place=["Aleppo"],
        reached_place="Aleppo",
        trucks=20,
        **same,
    )
    told.step(
        "agency",
        "forty-trucks",
        "held",
        told.at(12, 21),
        to=told.at(22, 12),
        place=EAST,
        trucks=40,
        reached_place="customs zone",
        constraint="movement_within",
        **same,
    )
    return told.step(
        "un", "east-aleppo", "held", told.at(14, 12), to=told.at(22, 9), place=EAST, constraint="movement_within"
    )


def test_trucks_that_crossed_a_border_have_delivered_nothing(told: Told) -> None:
    (found,) = (
        border(told)
        .tick(told.at(22, 20))
        .ask(
            "SELECT feed || '/' || convoy_id, claims, state, delivered_at, trucks_least, trucks_most, place "
            "FROM convoys"
        )
    )
    assert found == ("un/east-aleppo", 3, "held", None, 20, 40, "Eastern Aleppo")


def test_every_day_from_the_third_on_is_broken_by_the_trucks_at_the_border(told: Told) -> None:
    found = (
        border(told)
        .tick(told.at(22, 20))
        .ask("SELECT strftime(truce_day, '%d'), access FROM day_verdicts WHERE region = 'SY02' ORDER BY 1")
    )
    late = [(str(day), "BROKEN") for day in range(15, 22)]
    assert found == [("12", "MET"), ("13", "MET"), ("14", "MET"), *late, ("22", "BROKEN")]


def test_a_claim_that_the_same_trucks_delivered_falls_to_the_hold_that_was_told_later(told: Told) -> None:
    """Had state media said delivered and not crossed, the UN's "still in the customs zone" would have outweighed it."""
    at, same = told.at(13, 12), {"same_convoy_as": "un/east-aleppo"}
    border(told).step("state-media", "crossed", "offloaded", at, said=told.at(13, 20), place=["Aleppo"], **same)
    found = told.tick(told.at(22, 20)).ask(
        "SELECT state, delivered_at, (SELECT flaw FROM convoy_events WHERE step = 'offloaded') FROM convoys"
    )
    assert [row[:2] for row in found] == [("held", None)]
    assert "says held" in found[0][2]


def test_three_reports_of_moadamiyeh_are_one_delivery_with_their_figures_side_by_side(told: Told) -> None:
    same = {"same_convoy_as": "ocha/moadamiyeh"}
    told.step(
        "nyt", "25-trucks", "dispatched", told.at(22, 8), place=MOADAMIYEH, trucks=25, people_requested=40_000, **same
    )
    told.step("ocha", "moadamiyeh", "arrived", told.at(22, 12), place=MOADAMIYEH, people_requested=35_000)
    told.step("ap", "23-trucks", "offloaded", told.at(22, 16), place=MOADAMIYEH, trucks=23, **same)
    told.tick(told.at(23, 0))
    figures = "trucks, trucks_least, trucks_most, people_requested, people_requested_least, people_requested_most"
    assert told.ask(f"SELECT state, place, {figures} FROM convoys") == [
        ("offloaded", "Moadamiyeh", 23, 23, 25, 35_000, 35_000, 40_000)
    ]


@pytest.fixture(scope="module")
def recorded(syria: Agreement, tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    """The shipped record, judged and found right."""
    history = History(syria)
    for line in (resources.files("streams.demo") / "september-2016.jsonl").read_text(encoding="utf-8").splitlines():
        history.tell(json.loads(line))
    path = history.tick(syria.calendar.start_of(date(2016, 9, 27))).judged(tmp_path_factory.mktemp("recorded"))
    assert verify(path) == []
    return duckdb.connect(str(path), read_only=True)


def test_the_record_has_one_delivered_convoy_to_moadamiyeh_that_three_feeds_tell_of(
    recorded: duckdb.DuckDBPyConnection,
) -> None:
    figures = "trucks_least, trucks_most, people_requested_least, people_requested_most"
    found = recorded.execute(
        f"SELECT claims, state, delivered_at IS NOT NULL, {figures} FROM convoys WHERE place = 'Moadamiyeh'"
    ).fetchall()
    assert found == [(3, "offloaded", True, 23, 25, 35_000, 40_000)]
    claims = recorded.execute(
        "SELECT feed, latest_step, why, seconds_apart, certainty "
        "FROM convoy_claims WHERE place = 'Moadamiyeh' ORDER BY 1"
    ).fetchall()
    assert claims == [
        ("ap", "offloaded", "same_place_and_time", 0, "doubtful"),
        ("nyt", "dispatched", "same_place_and_time", 0, "doubtful"),
        ("un-ocha", "arrived", "same_place_and_time", 0, "doubtful"),
    ]
    asked = (
        "SELECT people_requested FROM access_score WHERE span = 'day' AND region = 'SY03' AND first_day = '2016-09-21'"
    )
    assert recorded.execute(asked).fetchall() == [(40_000,)]


def test_the_record_has_one_convoy_at_the_border_that_was_never_delivered(recorded: duckdb.DuckDBPyConnection) -> None:
    found = recorded.execute(
        "SELECT claims, state, delivered_at, trucks_least, trucks_most FROM convoys WHERE place = 'Eastern Aleppo'"
    ).fetchall()
    assert found == [(3, "held", None, 20, 40)]
    ends = recorded.execute("SELECT feed, latest_step, why FROM convoy_claims WHERE convoy LIKE 'anadolu/%' ORDER BY 1")
    assert ends.fetchall() == [
        ("anadolu", "arrived", "same_convoy_as"),
        ("un-ocha", "held", "same_convoy_as"),
        ("xinhua", "held", "same_place_and_time"),
    ]


def test_the_record_does_not_take_madaya_for_moadamiyeh(recorded: duckdb.DuckDBPyConnection) -> None:
    found = recorded.execute("SELECT feed, claims, state FROM convoys WHERE place = 'Madaya and Bqine'").fetchall()
    assert found == [("sohr", 1, "dispatched")]


def test_a_convoy_to_madaya_on_the_same_day_is_not_the_one_to_moadamiyeh(told: Told) -> None:
    told.step("ap", "one", "offloaded", told.at(22, 16), place=MOADAMIYEH)
    told.step("paper", "other", "offloaded", told.at(22, 16), place=["Rif Dimashq", "Madaya"])
    told.tick(told.at(23, 0))
    assert told.ask("SELECT place FROM convoys ORDER BY 1") == [("Madaya and Bqine",), ("Moadamiyeh",)]


def test_claims_stand_side_by_side(told: Told) -> None:
    found = (
        border(told)
        .tick(told.at(22, 20))
        .ask("SELECT feed, latest_step, trucks, reached_place, steps FROM convoy_claims ORDER BY feed")
    )
    assert found == [
        ("agency", "held", 40, "customs zone", 1),
        ("state-media", "arrived", 20, "Aleppo", 1),
        ("un", "held", 20, None, 2),
    ]


def test_what_stood_in_the_way_is_counted_by_its_category(told: Told) -> None:
    found = (
        border(told)
        .tick(told.at(22, 20))
        .ask("SELECT region_name, access_constraint, steps, convoys, feeds FROM access_constraints")
    )
    assert found == [("Aleppo", "movement_within", 2, 1, 2)]


def test_moadamiyeh_taken_for_madaya_is_listed_for_a_person_to_look_at(told: Told) -> None:
    told.step("paper", "aid", "arrived", told.at(22, 12), place=["Rif Dimashq", "Madaya"])
    told.step("ocha", "talbiseh", "arrived", told.at(19, 12), place=["Homs", "Talbiseh"])
    told.tick(told.at(23, 0))
    assert told.ask("SELECT feed, place_name, place_conflict FROM ambiguous_places") == [
        ("paper", "Madaya", "'Madaya' is easily confused with 'Moadamiyeh'")
    ]


def test_a_town_that_contradicts_the_governorate_beside_it_decides_and_is_listed(told: Told) -> None:
    told.step("paper", "aid", "arrived", told.at(22, 12), place=["Aleppo", "Talbiseh"])
    found = told.tick(told.at(23, 0)).ask("SELECT a.region, place, place_conflict FROM ambiguous_places a, convoys")
    assert found == [("SY04", "Talbiseh", "name 'Aleppo' lies in SY02 Aleppo")]


@pytest.mark.parametrize(("day", "people"), [("2016-08-15", 590_200), ("2016-09-12", 586_200), ("2016-10-05", 861_200)])
def test_the_people_in_besieged_places_of_a_day_add_up(told: Told, day: str, people: int) -> None:
    """With Darayya; after its evacuation; with eastern Aleppo."""
    told.tick(told.at(13, 0))
    assert told.ask(f"SELECT besieged_people_as_of(DATE '{day}')") == [(people,)]


def test_people_reached_are_measured_against_people_asked_for_and_people_besieged(told: Told) -> None:
    told.step("ocha", "moadamiyeh", "requested", told.at(13, 8), place=MOADAMIYEH, people_requested=45_000)
    told.step("ocha", "moadamiyeh", "dispatched", told.at(22, 8), place=MOADAMIYEH)
    told.step("ocha", "moadamiyeh", "offloaded", told.at(22, 16), place=MOADAMIYEH, people_reached=36_000)
    told.step("ocha", "duma", "requested", told.at(14, 8), place=["Rif Dimashq", "Duma"], people_requested=15_000)
    told.step("icrc", "talbiseh", "offloaded", told.at(19, 12), place=["Homs", "Talbiseh"], people_reached=84_000)
    told.tick(told.at(22, 20))
    columns = "convoys, convoys_delivered, people_requested, people_reached, reached_share, besieged_reached"
    ghouta, homs = told.ask(
        f"SELECT {columns}, people_besieged FROM access_score "
        "WHERE span = 'window' AND region IN ('SY03', 'SY04') ORDER BY region"
    )
    assert ghouta == (2, 1, 60_000, 36_000, 0.6, 36_000, 285_500 + 45_000 + 40_000 + 700)
    assert homs == (1, 1, None, 84_000, None, None, 75_000)
    (day,) = told.ask(
        "SELECT convoys, people_requested, people_reached FROM access_score "
        "WHERE span = 'day' AND region = 'SY03' AND first_day = '2016-09-13'"
    )
    assert day == (2, 60_000, None)


def test_people_who_were_refused_stay_among_those_asked_for_until_others_are_reached_in_their_place(told: Told) -> None:
    told.step("ocha", "duma", "requested", told.at(13, 8), place=["Rif Dimashq", "Duma"], people_requested=15_000)
    told.step("ocha", "duma", "denied", told.at(14, 8), place=["Rif Dimashq", "Duma"])
    told.step("icrc", "duma-2", "dispatched", told.at(17, 8), place=["Rif Dimashq", "Duma"])
    told.step("icrc", "duma-2", "offloaded", told.at(17, 20), place=["Rif Dimashq", "Duma"], people_reached=900)
    told.tick(told.at(20, 20))
    days = told.ask(
        "SELECT first_day::VARCHAR, convoys, people_requested FROM access_score "
        "WHERE span = 'day' AND region = 'SY03' ORDER BY 1"
    )
    asked = {day: (convoys, people) for day, convoys, people in days}
    assert (asked["2016-09-14"], asked["2016-09-16"]) == ((1, 15_000), (2, 15_000))
    assert (asked["2016-09-17"], asked["2016-09-18"]) == ((2, 15_000), (0, None))


def test_the_compiled_table_of_the_autumns_convoys_is_judged_as_it_reads(syria: Agreement, tmp_path: Path) -> None:
    """Eighteen rows of one feed: what it calls delivered is, what it calls blocked or attacked is not."""
    path = shared_data("compiled_seed_case_2016/convoys_syria_2016-08_2016-10_compiled.csv")
    history = History(syria)
    with path.open("rb") as source:
        for recorded in read_convoys(source, path.name, syria.calendar.time_zone):
            history.tell(recorded.value)
    published = history.tick(syria.calendar.start_of(date(2016, 11, 1))).judged(tmp_path)
    assert verify(published) == []
    with duckdb.connect(str(published), read_only=True) as connection:
        found = connection.execute(
            "SELECT coalesce(place, split_part(convoy_id, ' ', 2)), state, trucks_least, trucks_most, "
            "delivered_at IS NOT NULL FROM convoys WHERE first_known < '2016-10-01' ORDER BY convoy_id"
        ).fetchall()
    assert found == [
        ("Turkish-Syrian", "held", 40, 40, False),
        ("Talbiseh", "offloaded", 45, 45, True),
        ("Urum", "attacked", 31, 31, False),
        ("Moadamiyeh", "offloaded", 23, 25, True),
        ("Foah and Kafraya", "arrived", 17, 17, False),
        ("Madaya and Bqine", "dispatched", 50, 50, False),
        ("Zabadani", "dispatched", 4, 4, False),
    ]
