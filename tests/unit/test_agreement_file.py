"""Agreement files: every fault at once, with its line; and the one that is shipped."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.agreement_file import load_agreement, shipped_agreements
from schemas.errors import AgreementError
from schemas.gazetteer import load_gazetteer

BAD = """\
id = "Syria 2016"
title = ""
sources = []
gazeteer = "syria"
regions = ["SY01", "SY02", "SY99",
  "SY02"]
gate_regions = ["SY01", "SY77"]

[clock]
effective = 2016-09-12T18:00:00
time_zone = "Asia/Damscus"
anchor = 19:00:00
required_days = 0
lateness_hours = "72"

[scope]
parties = ["A", "IS"]
outside = ["IS"]
excluded_when = "one_outside"

[violence]
reduction_percent = 180
floor = 1
severe_kinds = ["chemcal"]
[violence.baseline]
first_day = 2016-09-15
last_day = 2016-09-13

[coverage]
min_feeds = 1
min_share_percent = 75

[access]
regions = [5]
overdue_after_hours = 72

[linking]
minutes = 2000
exact_metres = 1000
near_metres = 10000
weakest_place = "country"
repeating_feeds = ["videos", "A feed", "videos"]
"""

KINDS = (
    "'airstrike', 'shelling', 'armed_clash', 'small_arms', 'explosive', 'chemical', 'attack_on_civilians', "
    "'attack_on_aid', 'arrest', 'territory_taken', 'unspecified' or 'other'"
)
SAID = [
    "line 1: id: expected lower-case words and numbers joined by '-', such as syria-2016",
    "line 2: title: expected text of 1 or more characters",
    "line 3: sources: expected 1 or more entries",
    "line 4: gazeteer: unknown key; did you mean 'gazetteer'?",
    'line 5: regions[2]: "SY99" is not in the gazetteer',
    'line 6: regions[3]: "SY02" is listed twice',
    'line 7: gate_regions[1]: "SY77" is not among regions',
    "line 10: clock.effective: expected a time of day equal to clock.anchor, 19:00:00",
    "line 11: clock.time_zone: expected a time zone of the IANA database",
    "line 13: clock.required_days: expected 1 or more",
    "line 14: clock.lateness_hours: expected a whole number",
    'line 17: scope.parties[1]: "IS" is also listed in scope.outside',
    "line 19: scope.excluded_when: expected one of 'all_outside' or 'a_side_outside'",
    "line 22: violence.reduction_percent: expected 100 or less",
    f"line 24: violence.severe_kinds[0]: expected one of {KINDS}",
    "line 27: violence.baseline.last_day: expected a day not before first_day, 2016-09-15",
    "line 33: access.max_gap_days: required, but missing",
    "line 34: access.regions[0]: expected text",
    "line 37: linking.district_metres: required, but missing",
    "line 38: linking.minutes: expected 1440 or less",
    "line 41: linking.weakest_place: expected one of 'exact', 'near', 'named', 'district' or 'governorate'",
    (
        "line 42: linking.repeating_feeds[1]: expected 1 to 64 lower-case letters, digits, '.', '_' or '-', "
        "the first a letter or digit"
    ),
    'line 42: linking.repeating_feeds[2]: "videos" is listed twice',
]

GOOD = """\
id = "test"
title = "A test"
sources = ["none"]
regions = ["SY01", "SY02"]
gate_regions = ["SY01"]

[clock]
effective = 2016-09-12T19:00:00
time_zone = "Asia/Damascus"
anchor = 19:00:00
required_days = 7
lateness_hours = 72

[scope]
parties = ["A"]

[violence]
reduction_percent = 80
floor = 1
baseline = { first_day = 2016-08-15, last_day = 2016-09-11 }

[coverage]
min_feeds = 1
min_share_percent = 75

[access]
regions = ["SY02"]
overdue_after_hours = 72
max_gap_days = 7
"""


def written(folder: Path, text: str, name: str = "a.toml") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def faults_of(folder: Path, text: str) -> list[str]:
    with pytest.raises(AgreementError) as caught:
        load_agreement(written(folder, text))
    return caught.value.faults


def swapped(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


def test_a_shipped_agreement_is_loaded_by_its_id() -> None:
    assert "syria-2016" in shipped_agreements()
    assert load_agreement("syria-2016").id == "syria-2016"


def test_every_shipped_agreement_loads_and_is_named_like_its_file() -> None:
    for name in shipped_agreements():
        agreement = load_agreement(name)
        assert agreement.id == name
        assert set(agreement.regions) <= set(load_gazetteer(agreement.gazetteer).names())


def test_a_file_is_loaded_by_its_path(tmp_path: Path) -> None:
    agreement = load_agreement(written(tmp_path, GOOD))
    assert agreement.id == "test"
    assert agreement.gazetteer == "syria"


def test_every_fault_is_named_at_once_with_line_path_expectation_and_finding(tmp_path: Path) -> None:
    faults = faults_of(tmp_path, BAD)
    assert [fault.partition(", found ")[0] for fault in faults] == SAID
    assert 'found "Syria 2016"' in faults[0]
    assert "found \"Asia/Damscus\"; did you mean 'Asia/Damascus'?" in faults[8]


def test_the_message_counts_its_faults(tmp_path: Path) -> None:
    with pytest.raises(AgreementError, match=r"a\.toml: 1 fault\n  line 5: "):
        load_agreement(written(tmp_path, swapped('gate_regions = ["SY01"]', "gate_regions = []")))


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (
            "effective = 2016-09-12T19:00:00",
            "effective = 2016-09-12T19:00:00+03:00",
            (
                "line 8: clock.effective: expected local time in time_zone, without an offset, "
                "found 2016-09-12T19:00:00+03:00"
            ),
        ),
        (
            "effective = 2016-09-12T19:00:00",
            'effective = "2016-09-12T18:00:00"',
            "line 8: clock.effective: clock.effective must fall on clock.anchor",
        ),
        (
            "effective = 2016-09-12T19:00:00",
            "ends = 2016-09-12T19:00:00\neffective = 2016-09-12T19:00:00",
            "line 8: clock.ends: expected a time after clock.effective, 2016-09-12T19:00:00, found 2016-09-12T19:00:00",
        ),
        (
            "effective = 2016-09-12T19:00:00",
            "ends = 2016-09-19T18:00:00\neffective = 2016-09-12T19:00:00",
            "line 8: clock.ends: expected a time of day equal to clock.anchor, 19:00:00, found 2016-09-19T18:00:00",
        ),
        (
            "last_day = 2016-09-11",
            "last_day = 2016-09-12",
            "line 20: violence.baseline.last_day: expected a day before clock.effective, 2016-09-12, found 2016-09-12",
        ),
        (
            "first_day = 2016-08-15, last_day = 2016-09-11",
            'first_day = "2016-09-11", last_day = "2016-08-15"',
            "line 20: violence.baseline.last_day: last_day lies before first_day",
        ),
        (
            "first_day = 2016-08-15, last_day = 2016-09-11",
            'first_day = "1471219200", last_day = 2016-09-11',
            'line 20: violence.baseline.first_day: expected a date, such as 2016-08-15, found "1471219200"',
        ),
        (
            'zone = "Asia/Damascus"',
            'zone = "Asia"',
            'line 9: clock.time_zone: expected a time zone of the IANA database, found "Asia"',
        ),
        ('regions = ["SY02"]', 'regions = ["SY03"]', 'line 27: access.regions[0]: "SY03" is not among regions'),
        (
            "effective = 2016-09-12T19:00:00",
            "effective = 5",
            "line 8: clock.effective: expected a local date and time, such as 2016-09-12T19:00:00, found 5",
        ),
        (
            "max_gap_days = 7",
            'max_gap_days = 7\nplaces = [{ name = "A", region = "SY03", status = "besieged", source = "B" }]',
            'line 30: access.places[0].region: "SY03" is not among regions',
        ),
        ('title = "A test"', 'title = "A test"\ngazetteer = 5', "line 3: gazetteer: expected text, found 5"),
        ('parties = ["A"]', "parties = 1", "line 15: scope.parties: expected a list, found 1"),
    ],
)
def test_one_fault_is_said_once_and_plainly(tmp_path: Path, old: str, new: str, fault: str) -> None:
    faults = faults_of(tmp_path, swapped(old, new))
    assert [one.partition("; did you mean")[0] for one in faults] == [fault]


def test_a_table_of_the_wrong_type_is_a_fault_and_not_a_crash(tmp_path: Path) -> None:
    text = GOOD.split("[clock]")[0].replace("[", "5 # [") + "clock = 1\nscope = 2\nviolence = 3\naccess = []\n"
    faults = faults_of(tmp_path, text)
    assert "line 6: clock: expected a table, found 1" not in faults  # an empty line precedes it
    assert "line 7: clock: expected a table, found 1" in faults
    assert "coverage: required, but missing" in faults


def test_a_syntax_error_names_its_line(tmp_path: Path) -> None:
    assert faults_of(tmp_path, "a = 1\nb == 3\n") == ["line 2: not TOML: Invalid value"]
    assert faults_of(tmp_path, "a = 1\nb = [1,\n")[0].startswith("line 3: not TOML: ")


def test_a_file_that_is_not_utf8_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "latin.toml"
    path.write_bytes('id = "x"\ntitle = "Alép"\n'.encode("latin-1"))
    with pytest.raises(AgreementError, match="line 2: not UTF-8; save the file as UTF-8"):
        load_agreement(str(path))


def test_an_unknown_id_is_answered_with_those_that_are_shipped() -> None:
    with pytest.raises(AgreementError, match=r"did you mean 'syria-2016'\? \(shipped: .*, syria-2016, .*;"):
        load_agreement("syria-2015")
    with pytest.raises(AgreementError, match=r"no such agreement \(shipped: .*, syria-2016, .*;"):
        load_agreement("xyz")


def test_a_missing_file_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(AgreementError, match="cannot be read: No such file"):
        load_agreement(str(tmp_path / "gone.toml"))


class TestGazetteerBeside:
    GAZETTEER = """\
title = "Small"
sources = ["none"]
country = "SY"
regions = [{ pcode = "SY01", english = "One", local = "واحد" }, { pcode = "SY02", english = "Two", local = "اثنان" }]
"""

    def test_a_path_is_taken_from_the_agreements_folder(self, tmp_path: Path) -> None:
        written(tmp_path, self.GAZETTEER, "small.toml")
        agreement = load_agreement(
            written(tmp_path, swapped('title = "A test"', 'title = "A test"\ngazetteer = "small.toml"'))
        )
        assert load_gazetteer(agreement.gazetteer).names() == {"SY01": "One", "SY02": "Two"}

    def test_a_region_that_no_report_could_reach_is_a_fault(self, tmp_path: Path) -> None:
        faults = faults_of(tmp_path, swapped('regions = ["SY01", "SY02"]', 'regions = ["SY0100", "SY02"]'))
        assert any(
            fault.endswith(
                'regions[0]: "SY0100" is not in the gazetteer: no report could reach it, its codes count as SY01'
            )
            for fault in faults
        )

    def test_a_gazetteer_that_cannot_be_read_is_a_fault_of_the_agreement(self, tmp_path: Path) -> None:
        faults = faults_of(tmp_path, swapped('title = "A test"', 'title = "A test"\ngazetteer = "gone.toml"'))
        assert len(faults) == 1
        assert faults[0].startswith("line 3: gazetteer: ")
        assert "cannot be read" in faults[0]
