"""Parties that reports accuse: docs/judging.md, "Parties", sentence by sentence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pydantic import ValidationError

from schemas.agreement import Agreement
from schemas.agreement_file import load_agreement
from schemas.errors import AgreementError
from schemas.reports import Bulletin
from streams.cli.check import names_of_no_party, rules_in_words
from streams.verify import verify
from tests.support.accusations import PARTIES
from tests.support.judged import History, report
from tests.support.worlds import HOUR, LINKING, agreement, at

TRUCE = agreement(parties=PARTIES)


# -- names


@pytest.mark.parametrize(
    "written",
    [
        "Government",
        "GOVERNMENT  forces",
        "the government",
        "government-forces",
        "الحكومة",
        "الحكومه",
        "حكومة",
        "ПРАВИТЕЛЬСТВО",
    ],
)
def test_a_name_is_a_partys_however_it_is_written(written: str) -> None:
    assert TRUCE.accused_parties((written,)) == ("Government",)


@pytest.mark.parametrize("written", ["R\u00e9bels", "Re\u0301bels", "rebels"])
def test_one_form_of_unicode_is_compared(written: str) -> None:
    assert TRUCE.accused_parties((written,)) == ("Opposition",)


@pytest.mark.parametrize("written", ["Government or rebels", "Rebels / government", "الحكومة أو فصائل المعارضة"])
def test_a_name_that_leaves_open_which_of_two_is_one_accusation_of_both(written: str) -> None:
    assert TRUCE.accused_parties((written,)) == ("Government", "Opposition")


@pytest.mark.parametrize("written", ["Bandits", "bandits of the hills", "Government and rebels", "***", "/B"])
def test_a_name_no_party_has_stays_as_it_is_written(written: str) -> None:
    assert TRUCE.accused_parties((written,)) == (written,)


def test_the_parties_of_an_accusation_are_kept_once_and_sorted() -> None:
    assert TRUCE.accused_parties(("rebels", "Bandits or rebels", "Government")) == (
        "Bandits",
        "Government",
        "Opposition",
    )


def test_a_spelling_that_holds_an_or_is_a_party_as_a_whole() -> None:
    one = agreement(parties=[{"name": "Guard", "side": "north", "spellings": ["guards or militia"]}])
    assert one.accused_parties(("Guards or militia",)) == ("Guard",)


def test_an_agreement_without_parties_takes_alternatives_apart_all_the_same() -> None:
    assert agreement().accused_parties(("A or B", "C")) == ("A", "B", "C")


# -- the agreement


def with_parties(tmp_path: Path, text: str) -> Path:
    """Return a copy of the shipped agreement's file with other parties."""
    shipped = Path("schemas/agreements/syria-2016.toml").read_text("utf-8")
    rules, _, _ = shipped.partition("[[parties]]")
    path = tmp_path / "mine.toml"
    path.write_text(rules + text, "utf-8")
    return path


def test_a_name_two_parties_share_is_told_with_its_line(tmp_path: Path) -> None:
    text = (
        '[[parties]]\nname = "A"\nside = "north"\n[[parties]]\nname = "B"\nside = "south"\nspellings = ["C", "the a"]\n'
    )
    with pytest.raises(AgreementError) as refused:
        load_agreement(str(with_parties(tmp_path, text)))
    (fault,) = refused.value.faults
    assert fault.endswith("parties[1].spellings[1]: \"the a\" is compared like a name of 'A'")
    assert fault.startswith("line ")


def test_a_name_without_a_letter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AgreementError, match=r'parties\[0\].name: "\*\*" has no letter to compare by'):
        load_agreement(str(with_parties(tmp_path, '[[parties]]\nname = "**"\nside = "north"\n')))
    with pytest.raises(ValidationError, match="has no letter to compare by"):
        agreement(parties=[{"name": "**", "side": "north"}])


def test_a_party_without_a_side_is_refused_by_the_model(tmp_path: Path) -> None:
    with pytest.raises(AgreementError, match=r"parties\[0\].side: required, but missing"):
        load_agreement(str(with_parties(tmp_path, '[[parties]]\nname = "A"\n')))


def test_the_shipped_agreement_knows_its_parties_in_three_scripts() -> None:
    shipped = load_agreement("syria-2016")
    government, rebels = ("Government of Syria",), ("Armed opposition groups",)
    assert shipped.accused_parties(("Syrian or Russian warplanes",)) == (*government, "Russian Federation")
    for names, party in (
        (("Syrian Army", "الجيش العربي السوري", "قوات النظام", "Сирийская арабская армия"), government),
        (("illegal armed formations", "rebels", "المعارضة المسلحة", "незаконные вооружённые формирования"), rebels),
        (("داعش", "Da'esh", "ИГИЛ", "ISIL"), ("Islamic State",)),
    ):
        assert {shipped.accused_parties((name,)) for name in names} == {party}


def test_check_config_lists_the_parties_and_the_names_that_none_has() -> None:
    assert rules_in_words(TRUCE)[-1] == "Parties: Government (north, 4 names); Opposition (south, 3 names)."
    assert names_of_no_party(TRUCE) == ["ISIL", "Nusra"]
    assert names_of_no_party(agreement()) == []
    assert not any("Parties" in line for line in rules_in_words(agreement()))


# -- what feeds send


@pytest.mark.parametrize(
    ("given", "names"), [("rebels", ["rebels"]), (["rebels", "ISIL"], ["rebels", "ISIL"]), (None, []), ([], [])]
)
def test_a_line_of_a_bulletin_accuses_one_name_or_a_list(given: Any, names: list[str]) -> None:
    data = report("bulletin", "b", reported_at=at(1), occurred=(at(0), at(1)), tallies=[{"count": 2, "accused": given}])
    told = Bulletin.model_validate_json(json.dumps(data))
    assert told.tallies[0].accused == names


@pytest.mark.parametrize("given", [5, "", [""], ["A"] * 21])
def test_a_line_that_accuses_no_name_is_refused(given: Any) -> None:
    data = report("bulletin", "b", reported_at=at(1), occurred=(at(0), at(1)), tallies=[{"count": 2, "accused": given}])
    with pytest.raises(ValidationError):
        Bulletin.model_validate_json(json.dumps(data))


# -- what the views show


def strike(report_id: str, days: float, *accused: str, **told: Any) -> dict[str, Any]:
    when = told.pop("occurred", (at(days), at(days) + HOUR))
    spine = {"reported_at": at(days, 2), "occurred": when, "region": "SY01", "kind": "shelling", "claimant": "A teller"}
    return report("incident", report_id, **{**spine, **told, "accused": list(accused)})


def tallied(report_id: str, *lines: tuple[int, Any], **told: Any) -> dict[str, Any]:
    tallies = [{"count": count, "place": {"pcode": "SY01"}, "accused": accused} for count, accused in lines]
    spine = {"feed": "monitor", "reported_at": at(1, 1), "occurred": (at(0), at(1))}
    return report("bulletin", report_id, **{**spine, "tallies": tallies, **told})


TOLD = [
    strike("alone", 0.1, "Government", deaths={"best": 2}),
    strike("either", 0.2, "Government or rebels", deaths={"best": 3}),
    strike("nobody", 0.3),
    strike("stranger", 0.4, "bandits"),
    # One incident of two feeds that accuse each other's side.
    strike("ours", 0.5, "Rebels", feed="feed-b", claimant="B teller", deaths={"best": 5}),
    strike("theirs", 0.5, "Government", feed="feed-c", same_as=["feed-b/ours"], deaths={"best": 7}),
    strike("long", 0, "smugglers", occurred=(at(0), at(2)), reported_at=at(2)),
    strike("early", -0.02, "Government"),
    strike("gone", 0.6, "Government", status="retracted"),
    strike("apart", 0.7, "Government", parties=[{"name": "ISIL"}]),
    tallied("b1", (4, "rebels"), (2, ["government", "rebels"]), (9, "ISIL"), (1, None)),
]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    truce = agreement(parties=PARTIES, linking=LINKING)
    return History(truce).tell(*TOLD).tick(at(2)).judged(tmp_path_factory.mktemp("accused"))


@pytest.fixture
def file(published: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with closing(duckdb.connect(str(published), read_only=True)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def test_an_accusation_of_one_party_is_sure_and_of_several_or_of_no_sure_day_possible(
    file: duckdb.DuckDBPyConnection,
) -> None:
    found = file.execute(
        "SELECT party, side, feed, incidents_sure, incidents_possible, deaths_sure, deaths_possible "
        "FROM violations_by_party WHERE truce_day = '2016-09-12' ORDER BY party NULLS LAST, feed"
    ).fetchall()
    assert found == [
        ("Government", "north", "feed-a", 2, 1, 2, 3),
        ("Government", "north", "feed-c", 1, 0, 7, None),
        ("Opposition", "south", "feed-a", 0, 1, None, 3),
        ("Opposition", "south", "feed-b", 1, 0, 5, None),
        ("bandits", None, "feed-a", 1, 0, None, None),
        # Not known to the day, whoever is accused.
        ("smugglers", None, "feed-a", 0, 1, None, None),
        (None, None, "feed-a", 1, 0, None, None),
    ]


def test_an_accused_toll_is_the_incidents_own_however_many_reports_a_feed_tells_it_in(tmp_path: Path) -> None:
    """A low estimate that is told later takes nothing of a best one."""
    told = [
        strike("v1", 0.1, "Government", feed="videos", deaths={"best": 10}),
        strike("v2", 0.1, "Government", feed="videos", deaths={"low": 2}, same_as=["videos/v1"], reported_at=at(1)),
        strike("w1", 0.5, "Rebels", feed="videos", deaths={"low": 4}),
        strike("w2", 0.5, "Rebels", feed="videos", deaths={"low": 3}, same_as=["videos/w1"], reported_at=at(1)),
    ]
    truce = agreement(parties=PARTIES, linking=LINKING)
    with closing(duckdb.connect(str(History(truce).tell(*told).tick(at(2)).judged(tmp_path)))) as connection:
        deaths = "SELECT deaths_best FROM incidents ORDER BY occurred_from"
        assert connection.execute(deaths).fetchall() == [(10,), (3,)]
        accused = "SELECT party, deaths_sure FROM violations_by_party ORDER BY 1"
        assert connection.execute(accused).fetchall() == [("Government", 10), ("Opposition", 3)]


def test_since_an_instant_each_incident_counts_once_and_contradicting_accusations_are_possible(
    file: duckdb.DuckDBPyConnection,
) -> None:
    found = file.execute(
        "SELECT party, incidents_sure, incidents_possible, deaths_sure, deaths_possible "
        "FROM violations_since('2016-09-12T19:00:00+03:00') WHERE what = 'incidents'"
    ).fetchall()
    # Of the incident that two feeds tell of, the toll told last stands; the one that began before is possible.
    assert found == [
        ("Government", 1, 3, 2, 10),
        ("Opposition", 0, 2, None, 10),
        ("bandits", 1, 0, None, None),
        ("smugglers", 1, 0, None, None),
        (None, 1, 0, None, None),
    ]


def test_beside_a_monitors_bulletin_stands_what_is_counted_of_its_period(file: duckdb.DuckDBPyConnection) -> None:
    sql = (
        "SELECT party, in_scope, incidents_sure, incidents_possible, counted_sure, counted_possible "
        "FROM violations_since(?) WHERE what = 'bulletin' ORDER BY party NULLS LAST"
    )
    assert file.execute(sql, [datetime(2016, 9, 13, tzinfo=UTC)]).fetchall() == [
        ("Government", True, 0, 2, 1, 2),
        ("ISIL", False, 9, 0, 0, 0),
        ("Opposition", True, 4, 2, 0, 2),
        (None, True, 1, 0, 1, 0),
    ]
    assert file.execute(sql, [datetime(2016, 9, 14, tzinfo=UTC)]).fetchall() == []


def test_names_no_party_has_are_listed_with_who_writes_them(file: duckdb.DuckDBPyConnection) -> None:
    found = file.execute("SELECT name, feed, reports, bulletin_lines FROM unknown_accused ORDER BY name").fetchall()
    assert found == [("ISIL", "monitor", 0, 1), ("bandits", "feed-a", 1, 0), ("smugglers", "feed-a", 1, 0)]


def test_the_parties_of_the_agreement_can_be_asked_for(file: duckdb.DuckDBPyConnection) -> None:
    found = file.execute("SELECT party, side, spellings FROM parties ORDER BY party").fetchall()
    assert found == [(party["name"], party["side"], party["spellings"]) for party in PARTIES]


def test_what_feeds_that_do_not_count_accuse_is_not_shown(tmp_path: Path) -> None:
    truce = agreement(parties=PARTIES, linking=LINKING, violence={"feeds": ["feed-b"]})
    path = History(truce).tell(*TOLD).tick(at(2)).judged(tmp_path)
    with closing(duckdb.connect(str(path), read_only=True)) as connection:
        found = connection.execute("SELECT party, feed FROM violations_by_party").fetchall()
    assert found == [("Opposition", "feed-b")]


@pytest.mark.parametrize(
    ("table", "column"),
    [(table, column) for table in ("reports", "bulletins") for column in ("accused", "accused_parties")],
)
def test_verify_finds_an_altered_accusation(published: Path, tmp_path: Path, table: str, column: str) -> None:
    copy = tmp_path / "altered.duckdb"
    copy.write_bytes(published.read_bytes())
    with duckdb.connect(str(copy)) as connection:
        connection.execute(f"UPDATE {table} SET {column} = ['Opposition', 'others'] WHERE report_id IN ('alone', 'b1')")
    found = {(difference.table, difference.column) for difference in verify(copy)}
    assert found == {(table, column)}


def test_verify_agrees_with_what_the_ledger_stored(published: Path) -> None:
    assert verify(published) == []


def test_rules_know_parties_of_a_stored_agreement_again() -> None:
    assert Agreement.model_validate_json(TRUCE.model_dump_json()) == TRUCE
