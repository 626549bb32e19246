"""What if: recorded facts judged by other rules say what a fresh run under those rules says, and change nothing."""

from __future__ import annotations

import json
import signal
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest

from schemas.agreement import Agreement
from schemas.agreement_file import changed_agreement
from schemas.errors import AgreementError, UsageError
from schemas.facts import Located, Origin
from schemas.gazetteer import load_gazetteer
from schemas.reports import Place
from schemas.truceday import Micros, from_micros
from sinks.recorded_facts import Moment, RecordedFacts
from streams.intake.examine import Examiner
from streams.ops.status import Status, read_status
from streams.whatif.changes import alternatives, differing_keys
from streams.whatif.difference import compare, totals
from streams.whatif.judge import Rejudgement, judge
from tests.support.commands import Run
from tests.support.effort import cases
from tests.support.judged import SOURCE, History, counting, report
from tests.support.month import BROKEN, month
from tests.support.worlds import HOUR, agreement, at

RECORDED = agreement(
    violence={"reduction_percent": 80, "floor": 0},
    regions=["SY01", "SY02", "SY03", "SY04"],
    coverage={"min_feeds": 1, "min_share_percent": 20},
    scope={"outside": ["IS"], "parties": ["Government of Syria", "Syrian insurgents"]},
)
LINES = month(800)

#: Other agreements by what they change, each of another kind.
OTHERS: dict[str, dict[str, Any]] = {
    "half the reduction": {"violence.reduction_percent": 50},
    "another measure": {"violence.baseline.measure": "median"},
    "another baseline": {"violence.baseline.first_day": date(2016, 9, 7)},
    "one feed only": {"violence.feeds": ["office-1"]},
    "no severe kinds above a floor": {"violence.severe_kinds": [], "violence.floor": 20},
    "another rule of scope": {
        "scope.excluded_when": "all_outside",
        "scope.outside": ["IS", "SDF"],
    },
    "more coverage": {
        "coverage.min_feeds": 2,
        "coverage.min_share_percent": 60,
        "coverage.reports_cover_the_day": True,
    },
    "linked reports": {
        "linking": {
            "minutes": 120,
            "exact_metres": 2_000,
            "near_metres": 10_000,
            "district_metres": 25_000,
            "weakest_place": "governorate",
            "repeating_feeds": ["office-1"],
        }
    },
    "other access": {"access.regions": ["SY01", "SY02", "SY03"], "access.overdue_after_hours": 24},
    "calendar days": {"clock.anchor": datetime(2016, 9, 12).time(), "clock.effective": datetime(2016, 9, 12)},  # noqa: DTZ001 - agreements state local time
    "a later start": {"clock.effective": datetime(2016, 9, 19, 19)},  # noqa: DTZ001
    "another zone and lateness": {"clock.time_zone": "Europe/Berlin", "clock.lateness_hours": 0},
    "fewer regions": {"regions": ["SY01", "SY02"]},
    "another id": {"id": "another-truce", "clock.required_days": 1},
}


def changed(changes: dict[str, Any], recorded: Agreement = RECORDED) -> Agreement:
    return changed_agreement(recorded, {tuple(key.split(".")): value for key, value in changes.items()}, "test")


def told(truce: Agreement, lines: Sequence[bytes] = tuple(LINES), until: int | None = None) -> History:
    """Return the lines as an agreement's own intake takes them in, with a tick after every tenth and one at the end."""
    history = History(truce)
    for number, line in enumerate(lines):
        history.tell(line)
        if number % 10 == 9 and line != BROKEN:
            history.tick(_reported(line))
    return history.tick(_reported(lines[-1]) + HOUR if until is None else until)


def _reported(line: bytes) -> int:
    return round(datetime.fromisoformat(json.loads(line)["reported_at"]).timestamp()) * 1_000_000


def whatif(file: Path, other: Agreement, as_of: datetime | None = None) -> Rejudgement:
    with closing(RecordedFacts(file)) as recorded:
        moment = recorded.last_judged() if as_of is None else recorded.as_of(as_of)
        return judge(recorded, other, moment=moment, progress=lambda *_: None)


def findings(status: Status) -> tuple[list[Any], list[Any], Any]:
    """Return every cell, window and the gate, without what tells how often a day was judged before."""
    cells = [replace(cell, version=0, state=cell.state.replace("AMENDED", "FINAL")) for cell in status.cells]
    gate = status.gate and replace(status.gate, recorded_at=datetime.min)  # noqa: DTZ901 - the same for both
    return cells, status.windows, gate


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A month with corrections, retractions, late and unreadable records."""
    return told(RECORDED).judged(tmp_path_factory.mktemp("whatif"))


@pytest.fixture(scope="module")
def status(published: Path) -> Status:
    """How things stand by it."""
    return read_status(published)


def test_the_recorded_agreement_makes_no_difference_at_all(published: Path, status: Status) -> None:
    judged = whatif(published, RECORDED)
    assert not compare(status, judged.status)
    assert findings(judged.status) == findings(status)
    assert (judged.outside, judged.refused, judged.admitted) == (0, {}, 0)
    verdicts = {cell.verdict for cell in status.cells}
    assert verdicts == {"MET", "BROKEN", "UNKNOWN"}, "a month without all of them shows little"


def test_regions_whose_reports_were_not_kept_are_refused(published: Path) -> None:
    more = changed({"regions": [f"SY{n:02}" for n in range(1, 15)], "gate_regions": ["SY01", "SY09"]})
    with pytest.raises(
        UsageError, match=r"was judged without SY05, .*SY14, and keeps nothing of the .* reports of none"
    ):
        whatif(published, more)


@pytest.mark.parametrize("name", cases(OTHERS, fast=2))
def test_another_agreement_says_what_a_fresh_run_under_it_says(
    name: str, published: Path, status: Status, tmp_path: Path
) -> None:
    other = changed(OTHERS[name])
    fresh = read_status(told(other).judged(tmp_path))
    judged = whatif(published, other)
    assert findings(judged.status) == findings(fresh)
    assert compare(status, judged.status), "it should make a difference"


@pytest.mark.slow
def test_another_count_of_a_bulletin_is_a_difference(tmp_path: Path) -> None:
    recorded = agreement(access={"regions": []}, violence={"bulletins_of": "monitor", "floor": 9})
    lines = [{"count": 2, "place": {"pcode": "SY02"}}, {"count": 3, "place": {"pcode": "SY02"}, "accused": "B"}]
    told_at = {"feed": "monitor", "reported_at": at(1), "occurred": (at(0), at(1))}
    file = History(recorded).tell(report("bulletin", "b", tallies=lines, **told_at)).tick(at(1)).judged(tmp_path)
    judged = whatif(file, changed({"scope.outside": ["B"]}, recorded))
    (cell,) = compare(read_status(file), judged.status).cells
    assert [(one.field, one.before, one.after) for one in cell.changed] == [("counted", 5, 2)]


@pytest.mark.slow
def test_a_day_that_stays_unknown_differs_by_why_and_by_what_is_sure_of_it(tmp_path: Path) -> None:
    recorded = agreement(access={"regions": []}, gate_regions=["SY01"], regions=["SY01"])
    place: dict[str, Any] = {"region": "SY01", "kind": "shelling", "reported_at": at(1)}
    long, refused = report("incident", "a", occurred=(at(0), at(1, 6)), **place), report("incident", "b", **place)
    tally = counting("t", 5)
    history = History(recorded).tell(long, refused | {"occurred": {"from": "2016-09-12T23:00:00Z"}}, tally)
    file = history.tick(at(1)).judged(tmp_path)

    def of_first_day(changes: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
        found = compare(read_status(file), whatif(file, changed(changes, recorded)).status).cells
        return {one.field: (one.before, one.after) for one in found[0].changed}

    assert of_first_day({"coverage.contested": "ignore"}) == {
        "rule": ("contested", "not_covered"),
        "contested_by": ("monitor", None),
    }
    assert of_first_day({"violence.surely_within_hours": 30}) == {
        "incidents_sure": (0, 1),
        "incidents_possible": (1, 0),
    }
    assert of_first_day(OTHERS["calendar days"])["refused_pending"] == (1, 0)


def test_nothing_recorded_changes_and_nothing_is_left_behind(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = sha256(published.read_bytes()).digest()
    beside = sorted(published.parent.iterdir())
    whatif(published, changed({"violence.reduction_percent": 50}))
    assert sha256(published.read_bytes()).digest() == before
    assert sorted(published.parent.iterdir()) == beside
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_copy_published_meanwhile_is_not_mixed_in(
    run: Run, published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ledger at work replaces the file every few seconds: both grids are of the one that was opened."""
    file = tmp_path / "compliance.duckdb"
    file.write_bytes(published.read_bytes())
    later = told(RECORDED, LINES[:300]).judged(tmp_path / "later")
    records = RecordedFacts.records

    def replaced(self: RecordedFacts, *arguments: Any) -> Any:
        if later.exists():
            later.replace(file)
        yield from records(self, *arguments)

    monkeypatch.setattr(RecordedFacts, "records", replaced)
    ended = run("whatif", file, "--set", "violence.reduction_percent=80")
    assert (ended.code, later.exists()) == (0, False)
    assert "no difference in" in ended.out


@pytest.mark.slow
def test_two_bodies_under_one_revision_are_judged_as_a_fresh_run_would(tmp_path: Path) -> None:
    """Under fewer regions the first body is nobody's, and the second one is no contradiction any more."""

    def a(region: str, minutes: int) -> dict[str, Any]:
        span = (at(0, 1), at(0, 1) + minutes * 60_000_000)
        return report("incident", "i1", reported_at=at(0, 3), region=region, occurred=span, kind="shelling")

    def lines(truce: Agreement) -> History:
        return History(truce).tell(a("SY03", 10), a("SY02", 20)).tick(at(2))

    file = lines(RECORDED).judged(tmp_path / "recorded")
    fewer = changed({"regions": ["SY01", "SY02"]})
    for other in (RECORDED, fewer):
        fresh = read_status(lines(other).judged(tmp_path / str(len(other.regions))))
        assert findings(whatif(file, other).status) == findings(fresh)
    assert {cell.region: cell.incidents for cell in whatif(file, fewer).status.cells if cell.incidents} == {"SY02": 1}


@pytest.mark.slow
def test_places_are_where_the_file_says_they_are(tmp_path: Path) -> None:
    """What polygons found needs no polygons again: neither for an incident nor for a notice of several places."""
    point = {"point": {"latitude": 33.5, "longitude": 36.3}}
    incident = report(
        "incident", "i1", reported_at=at(0, 3), occurred=(at(0, 1), at(0, 1)), kind="shelling", place=point
    )
    places = [{"pcode": "SY02"}, point, {"pcode": "SY09"}]
    notice = report("coverage", "c1", reported_at=at(1), occurred=(at(0), at(1)), places=places, nil=True)
    history = History(RECORDED)
    history._examiner = Examiner([RECORDED], _ByPolygons("SY01"), "archive")
    file = history.tell(incident, notice).tick(at(1, 1)).judged(tmp_path)
    assert not compare(read_status(file), whatif(file, RECORDED).status)
    wider = whatif(file, changed({"regions": [*RECORDED.regions, "SY09"]})).status
    covered = {cell.region for cell in wider.cells if cell.truce_day == RECORDED.first_day and cell.covered_share == 1}
    assert covered == {"SY01", "SY02", "SY09"}
    assert [cell.region for cell in wider.cells if cell.incidents] == ["SY01"]


GAZETTEER = """\
title = "Two regions"
sources = ["none"]
country = "SY"
regions = [
  { pcode = "SY01", english = "North", local = "\u0634\u0645\u0627\u0644", names = ["Aleppo"] },
  { pcode = "SY02", english = "South", local = "\u062c\u0646\u0648\u0628" },
]
"""


@pytest.mark.slow
def test_another_gazetteer_locates_everything_anew(tmp_path: Path) -> None:
    """It moves one report to another region, refuses one whose place it lacks, and admits one refused before."""
    (tmp_path / "two.toml").write_text(GAZETTEER, "utf-8")
    two = changed({"regions": ["SY01", "SY02"]}).model_dump(mode="json") | {"gazetteer": str(tmp_path / "two.toml")}
    other = Agreement.model_validate_json(json.dumps(two))

    def lines(truce: Agreement) -> History:
        history = History(truce)
        for name in ("Aleppo", "Hama", "South"):
            span, place = (at(0, 1), at(0, 1)), {"names": [name]}
            history.tell(report("incident", name, reported_at=at(0, 3), occurred=span, kind="shelling", place=place))
        return history.tick(at(1))

    file = lines(changed({"regions": ["SY01", "SY02", "SY05"]})).judged(tmp_path / "recorded")
    before = {cell.region: cell.incidents for cell in read_status(file).cells if cell.incidents}
    judged = whatif(file, other)
    after = {cell.region: cell.incidents for cell in judged.status.cells if cell.incidents}
    assert (before, after) == ({"SY02": 1, "SY05": 1}, {"SY01": 1, "SY02": 1})
    assert (judged.records, judged.refused, judged.admitted) == (2, {"unknown_place": 1}, 1)
    assert findings(judged.status) == findings(read_status(lines(other).judged(tmp_path / "fresh")))


def test_a_recorded_gazetteer_that_is_gone_is_not_missed(tmp_path: Path) -> None:
    gazetteer = tmp_path / "two.toml"
    gazetteer.write_text(GAZETTEER, "utf-8")
    two = changed({"regions": ["SY01", "SY02"]}).model_dump(mode="json") | {"gazetteer": str(gazetteer)}
    recorded = Agreement.model_validate_json(json.dumps(two))
    span, place = (at(0), at(1)), {"names": ["South"]}
    history = History(recorded).tell(
        report("incident", "i1", reported_at=at(1), occurred=span, kind="shelling", place=place),
        report("coverage", "c1", reported_at=at(1), occurred=span, places=[place], nil=False),
        report("bulletin", "b1", reported_at=at(1), occurred=span, tallies=[{"count": 2, "place": place}]),
    )
    file = history.tick(at(1, 1)).judged(tmp_path / "recorded")
    gazetteer.unlink()
    (same,) = [whatif(file, each.agreement) for each in alternatives(recorded, ["violence.reduction_percent=80"])]
    assert not compare(read_status(file), same.status)
    assert (same.records, same.refused) == (3, {})


class _ByPolygons:
    """The shipped gazetteer with polygons that put every point in one region."""

    def __init__(self, region: str) -> None:
        self._gazetteer = load_gazetteer("syria")
        self._region = region

    def locate(self, place: Place) -> Located:
        return self._gazetteer.locate(place) if place.pcode else Located(self._region, "point", None, 33.5, 36.3)


@pytest.mark.slow
def test_stamps_of_a_clock_are_kept(tmp_path: Path) -> None:
    """A report received days after it was made, by a clock that was ahead, is judged again at the tick's time."""
    body = json.dumps(
        report("incident", "i1", reported_at=at(0, 3), region="SY02", occurred=(at(0, 1), at(0, 1)), kind="shelling")
    ).encode()
    examined = Examiner([RECORDED], load_gazetteer("syria"), "clock").examine(body, (), Origin(SOURCE, 0, 0), at(3))
    history = History(RECORDED)
    history.facts += [(fact, body) for _, fact in examined.facts]
    file = history.tick(at(1)).judged(tmp_path)
    status = read_status(file)
    judged = whatif(file, RECORDED).status
    assert judged.now == status.now == from_micros(at(1))
    assert not compare(status, judged)
    with closing(RecordedFacts(file)) as recorded:
        assert [record.received_at for _, chunk in recorded.records(1, frozenset()) for record in chunk] == [at(3)]


@pytest.mark.slow
def test_facts_after_the_last_tick_wait_for_theirs(tmp_path: Path) -> None:
    late = report("incident", "i2", reported_at=at(2, 3), region="SY02", occurred=(at(0, 1), at(0, 1)), kind="chemical")
    file = told(RECORDED, LINES[:400]).tell(late).judged(tmp_path)
    assert not compare(read_status(file), whatif(file, RECORDED).status)


def test_as_of_judges_by_what_was_known_then(published: Path, tmp_path: Path) -> None:
    then = at(9, 1)
    cut = next(n for n, line in enumerate(LINES) if line != BROKEN and _reported(line) > then)
    for truce in (RECORDED, changed({"violence.reduction_percent": 50})):
        fresh = read_status(
            told(truce, LINES[:cut], until=then).judged(tmp_path / str(truce.violence.reduction_percent))
        )
        judged = whatif(published, truce, as_of=from_micros(then)).status
        assert findings(judged) == findings(fresh)


def test_as_of_passes_over_the_stamp_of_a_clock_that_was_years_ahead(tmp_path: Path) -> None:
    def incident(name: str, when: Micros) -> dict[str, Any]:
        return report("incident", name, reported_at=when, region="SY02", occurred=(when, when), kind="shelling")

    history = History(RECORDED).tell(incident("i1", at(0, 1)), incident("i2", at(0, 2))).tick(at(0, 3))
    fact, body = history.facts[0]
    history.facts[0] = msgspec.structs.replace(fact, stamp=at(3_000)), body
    file = history.tell(incident("i3", at(1, 1))).tick(at(1, 2)).judged(tmp_path)
    with closing(RecordedFacts(file)) as recorded:
        assert recorded.as_of(from_micros(at(0, 4))) == Moment(3, at(0, 4))
        assert recorded.as_of(from_micros(at(1, 2))) == Moment(5, at(1, 2))


def test_totals_tell_the_longest_runs_of_one_region_and_of_all(published: Path) -> None:
    """Of days: region 1 holds the first three and the fifth, region 2 all but the first; the last still runs."""
    status = read_status(published)
    some = status.cells[0]
    held = {"SY01": "MMMBMM", "SY02": "BMMMMM"}
    cells = [
        replace(
            some,
            region=region,
            truce_day=date(2016, 9, 12) + timedelta(days=n),
            verdict="MET" if letter == "M" else "BROKEN",
            state="OPEN" if n == 5 else "FINAL",
        )
        for region, letters in held.items()
        for n, letter in enumerate(letters)
    ]
    sums = totals(replace(status, cells=cells))
    assert (sums.met, sums.broken, sums.unknown) == (10, 2, 0)
    assert (sums.longest_run, sums.longest_joint_run) == (4, 2)


def test_set_gives_one_alternative_for_each_combination() -> None:
    made = alternatives(RECORDED, ["violence.reduction_percent=50,75", "violence.baseline.measure=mean,median"])
    assert [(each.agreement.violence.reduction_percent, each.agreement.violence.baseline.measure) for each in made] == [
        (50, "mean"),
        (50, "median"),
        (75, "mean"),
        (75, "median"),
    ]
    assert made[3].name == "violence.reduction_percent=75, violence.baseline.measure=median"
    assert differing_keys(RECORDED, made[0].agreement) == [("violence.reduction_percent", 80, 50)]


@pytest.mark.parametrize(
    ("given", "key", "value"),
    [
        ("clock.time_zone=Asia/Beirut", "clock.time_zone", "Asia/Beirut"),
        ("regions=['SY01', 'SY02']", "regions", ["SY01", "SY02"]),
        ('title="Another, longer title"', "title", "Another, longer title"),
        ("coverage.reports_cover_the_day=true", "coverage.reports_cover_the_day", True),
        ("violence.baseline.first_day=2016-09-05", "violence.baseline.first_day", "2016-09-05"),
    ],
)
def test_values_are_written_as_toml_writes_them(given: str, key: str, value: object) -> None:
    (only,) = alternatives(RECORDED, [given])
    assert [(name, after) for name, _, after in differing_keys(RECORDED, only.agreement)] == [(key, value)]


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ("violence.reduction=50", "violence.reduction: unknown key; did you mean 'reduction_percent'?"),
        ("voilence.floor=1", "voilence: unknown key; did you mean 'violence'?"),
        ("violence.floor=high", 'violence.floor: expected a whole number, found "high"'),
        ("violence.reduction_percent=500", "violence.reduction_percent: expected 100 or less, found 500"),
        ("violence.floor.of=1", 'violence.floor: expected a whole number, found {"of": 1}'),
        ("clock.anchor=00:00:00", "clock.effective: expected a time of day equal to clock.anchor, 00:00:00"),
        ("gate_regions=['SY09']", 'gate_regions[0]: "SY09" is not among regions'),
        ("regions=['SY01', 'SY02', 'XX9']", 'regions[2]: "XX9" is not in the gazetteer'),
        ("gazetteer=nowhere.toml", "gazetteer: nowhere.toml: cannot be read"),
    ],
)
def test_faults_of_a_change_are_those_of_an_agreement_file(given: str, fault: str) -> None:
    with pytest.raises(AgreementError) as caught:
        alternatives(RECORDED, [given])
    assert any(each.startswith(fault) for each in caught.value.faults), caught.value.faults


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["violence.floor"], "--set takes key=value"),
        (["=1"], "--set takes key=value"),
        (["violence.floor="], "--set takes key=value"),
        (["violence.floor=1", "violence.floor=2"], "is given twice"),
        (["violence.floor=[1"], "is not a value as TOML writes it"),
        (["violence.floor=1 # one"], "without comments"),
        (["violence.floor=" + ",".join(map(str, range(101)))], "101 combinations"),
    ],
)
def test_a_set_that_is_none_is_bad_usage(given: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said.replace("[", r"\[")):
        alternatives(RECORDED, given)


# -- the command


def test_the_command_shows_both_grids_the_differences_and_a_table(run: Run, published: Path) -> None:
    ended = run("whatif", published, "--set", "violence.reduction_percent=0,80")
    assert (ended.code, ended.err) == (0, "")
    for part in (
        "As recorded: A truce to test with",
        "What if: violence.reduction_percent=0",
        "violence.reduction_percent: 80 → 0",
        "violence BROKEN → ",
        "No difference: its grid is the recorded one.",
        "as recorded",
        "verdicts differ (",
        "no difference in ",
    ):
        assert part in ended.out
    assert ended.out.count("Truce-days from 19:00 Asia/Damascus") == 2


def test_json_has_every_difference(run: Run, published: Path) -> None:
    document = json.loads(run("whatif", published, "--json", "--set", "violence.reduction_percent=0").out)
    (other,) = document["alternatives"]
    assert other["changed"] == [{"key": "violence.reduction_percent", "before": 80, "after": 0}]
    before = {(cell["region"], cell["truce_day"]): cell for cell in document["recorded"]["verdicts"]}
    after = {(cell["region"], cell["truce_day"]): cell for cell in other["verdicts"]}
    told_of = {(each["region"], each["truce_day"]): each for each in other["differences"]["verdicts"]}
    fields = ("violence", "access", "verdict", "incidents", "violence_limit", "covered_share")
    assert told_of.keys() == {key for key in before if any(before[key][f] != after[key][f] for f in fields)}
    for key, each in told_of.items():
        assert {one["field"]: (one["before"], one["after"]) for one in each["changed"]}["violence_limit"] == (
            before[key]["violence_limit"],
            after[key]["violence_limit"],
        )


@pytest.mark.slow
def test_days_asked_for_are_the_ones_compared(run: Run, published: Path) -> None:
    days = ("--from", "2016-09-13", "--to", "2016-09-14")
    document = json.loads(run("whatif", published, "--json", "--set", "violence.floor=9", *days).out)
    (other,) = document["alternatives"]
    assert document["recorded"]["truce_days"] == other["truce_days"] == ["2016-09-13", "2016-09-14"]
    assert other["differences"]["compared"] == 2 * len(RECORDED.regions)
    said = "Verdicts and runs are those of 2016-09-13 to 2016-09-14; streaks and the gate are the last judged."
    assert said in run("whatif", published, "--set", "violence.floor=9", *days).out
    assert "Verdicts and runs" not in run("whatif", published, "--set", "violence.floor=9").out


def test_an_agreement_file_with_more_regions_is_refused_in_one_line(run: Run, published: Path) -> None:
    ended = run("whatif", published, "--agreement", "syria-2016")
    assert (ended.code, ended.out) == (2, "")
    assert "trucewatch up --agreement FILE" in ended.err


@pytest.mark.slow
def test_calendar_days_are_said_to_be_cut_otherwise(run: Run, published: Path) -> None:
    ended = run("whatif", published, "--set", "clock.anchor=00:00:00", "--set", "clock.effective=2016-09-12T00:00:00")
    assert "days of one name are not the same hours" in ended.out


def test_faults_of_the_other_agreement_are_listed_as_check_config_lists_them(
    run: Run, published: Path, tmp_path: Path
) -> None:
    (tmp_path / "other.toml").write_text('id = "Other"\nregions = ["SY99"]\n')
    listed = run("check-config", "--agreement", "other.toml")
    ended = run("whatif", published, "--agreement", "other.toml")
    assert (ended.code, ended.err) == (listed.code, listed.err) == (2, listed.err)
    assert 'regions[0]: "SY99" is not in the gazetteer' in ended.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "say what is to be other: --agreement FILE, or --set KEY=VALUE, and not both"),
        (("--agreement", "syria-2016", "--set", "violence.floor=1"), "and not both"),
        (("--set", "violence.flor=1"), "violence.flor: unknown key; did you mean 'floor'?"),
        (("--set", 'violence.floor="1"'), 'violence.floor: expected a whole number, found "1"'),
        (("--set", "violence.floor=2", "--as-of", "2016-09-19"), "--as-of: '2016-09-19' lacks its offset"),
        (("--set", "violence.floor=2", "--as-of", "soon"), "--as-of: 'soon' is no time"),
        (("--set", "violence.floor=2", "--as-of", "2026-09-19T00:00:00Z"), "reaches to 2016-"),
        (("--set", "violence.floor=2", "--from", "2016-09-20", "--to", "2016-09-10"), "is after --to"),
    ],
)
def test_bad_usage_is_told_in_one_go(run: Run, published: Path, arguments: tuple[str, ...], said: str) -> None:
    ended = run("whatif", published, *arguments)
    assert (ended.code, ended.out, said in ended.err) == (2, "", True), ended.err


@pytest.mark.parametrize(
    ("version", "code", "said"), [(99, 3, "upgrade trucewatch"), (1, 2, "by the rules of an earlier version")]
)
def test_a_file_of_another_schema_version_is_refused(
    run: Run, published: Path, tmp_path: Path, version: int, code: int, said: str
) -> None:
    file = tmp_path / "other.duckdb"
    file.write_bytes(published.read_bytes())
    with duckdb.connect(str(file)) as connection:
        connection.execute("UPDATE about SET schema_version = ?", [version])
    ended = run("whatif", file, "--set", "violence.floor=2")
    assert (ended.code, said in ended.err) == (code, True), ended.err


def test_an_empty_file_and_one_without_a_judgement_are_told_apart(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty.duckdb").write_bytes(b"")
    assert "empty.duckdb: not a file trucewatch wrote" in run("whatif", "empty.duckdb", "--set", "violence.floor=2").err
    unjudged = History(RECORDED).judged(tmp_path / "unjudged")
    ended = run("whatif", unjudged, "--set", "violence.floor=2")
    assert (ended.code, "nothing has been judged yet" in ended.err) == (2, True)
    assert run("whatif", "--set", "violence.floor=2").err == run("status").err


def test_ctrl_c_ends_it_and_leaves_nothing_behind(
    run: Run, published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    opened: list[Path] = []
    records = RecordedFacts.records

    def interrupted(self: RecordedFacts, *arguments: Any) -> Any:
        for chunk in records(self, *arguments):
            opened.extend(scratch.rglob("live.duckdb"))
            signal.raise_signal(signal.SIGINT)
            yield chunk

    monkeypatch.setattr(RecordedFacts, "records", interrupted)
    ended = run("whatif", published, "--set", "violence.floor=2")
    assert (ended.code, len(opened)) == (130, 1)
    assert list(scratch.iterdir()) == []
