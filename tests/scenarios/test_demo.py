"""The bundled record of September 2016, judged: what several feeds tell of is one incident, by the name of the town."""

from __future__ import annotations

from importlib import resources

import pytest

from schemas.agreement_file import load_agreement
from schemas.reports import ANY_REPORT
from schemas.truceday import MICROS_PER_HOUR, to_micros
from streams.verify import verify
from tests.support.demo import Demo
from tests.support.judged import History
from tests.support.scenarios import Outcome, outcome

#: Incident, its region and truce-day, its tolls, its reports, how sure the links are.
SEVERAL = [
    ("sohr/2016-09-17-jabal-tharda", "SY09", "2016-09-16", 62, 83, 83, 3, "good"),
    ("sohr/2016-09-19-urum-al-kubra", "SY02", "2016-09-19", 12, 18, 18, 3, "good"),
    ("sohr/2016-09-20-khan-tuman", "SY02", "2016-09-20", 4, 4, 13, 2, "good"),
]


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """The record in its order, with a tick after every report; the recount agrees."""
    history = History(load_agreement("syria-2016"))
    latest = 0
    for line in (resources.files("streams.demo") / "september-2016.jsonl").read_bytes().splitlines():
        latest = max(latest, to_micros(ANY_REPORT.validate_json(line).reported_at))
        history.tell(line).tick(latest)
    return outcome(history.tick(latest + MICROS_PER_HOUR), tmp_path_factory.mktemp("demo"))


def test_three_occurrences_that_several_feeds_tell_of_are_three_incidents(record: Outcome) -> None:
    """At Urum al-Kubra the UN's 18, told last, is the toll; the 12 of SOHR is not added to it."""
    columns = "incident_id, region, truce_day::VARCHAR, deaths_low, deaths_best, deaths_high, reports, certainty"
    assert record.ask(f"SELECT {columns} FROM incidents WHERE reports > 1 ORDER BY truce_day") == SEVERAL


@pytest.mark.parametrize(
    ("incident", "feeds"),
    [
        (SEVERAL[0][0], ["centcom", "sohr", "syrian-army"]),
        (SEVERAL[1][0], ["sohr", "un-ocha", "us-officials"]),
        (SEVERAL[2][0], ["sohr", "uossm"]),
    ],
)
def test_their_reports_are_linked_by_the_name_of_the_place(incident: str, feeds: list[str], record: Outcome) -> None:
    asked = "SELECT feed, why, seconds, metres FROM incident_reports WHERE incident_id = ? ORDER BY feed"
    assert record.ask(asked, incident) == [(feed, "same_name", 0, None) for feed in feeds]


def test_one_strike_at_jabal_tharda_breaks_no_day_because_three_tell_of_it(record: Outcome) -> None:
    asked = (
        "SELECT incidents, deaths_best, verdict FROM day_verdicts WHERE region = 'SY09' AND truce_day = '2016-09-16'"
    )
    assert record.ask(asked) == [(1, 83, "UNKNOWN")]


def test_the_grid_ends_with_the_truce_and_what_came_after_it_is_still_counted(record: Outcome) -> None:
    """Of the evening after its end are the attack at Urum al-Kubra and SOHR's of air strikes to the west of Aleppo."""
    assert record.one("SELECT max(truce_day)::VARCHAR FROM grid") == "2016-09-18"
    asked = "SELECT incidents, severe_incidents FROM day_tallies WHERE region = 'SY02' AND truce_day = '2016-09-19'"
    assert record.ask(asked) == [(2, 1)]


@pytest.mark.broker
def test_the_whole_pipeline_comes_to_what_the_recount_says(demo: Demo) -> None:
    """The command itself: a broker, intake and ledger in processes of their own, a published copy."""
    assert verify(demo.file) == []
    assert "The gate is closed: 0 of 9 regions have held 7 days." in demo.said
