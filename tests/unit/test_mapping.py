"""Mappings: cells of a foreign table become fields of reports, and what cannot is named with its cell."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from schemas.agreement_file import load_agreement
from schemas.errors import InputFileError, MappingError, UsageError
from schemas.gazetteer import load_gazetteer
from schemas.rejects import RejectCode
from schemas.reports import ANY_REPORT
from streams.cli import options
from streams.feeds.dry_run import faults
from streams.feeds.mapping.load import load_mapping
from streams.feeds.mapping.values import NoValue, boolean, day, instant, integer, number, unix
from streams.feeds.mapping.words import in_english, plain
from streams.feeds.readers import Stated, format_by, notes_on, read_all
from streams.feeds.recorded import Recorded
from streams.intake.examine import Examiner

DAMASCUS = ZoneInfo("Asia/Damascus")
HEAD = """
[report]
type = "incident"
feed = "office"
report_id = { column = "id" }
reported_at = { column = "told", as = "date", at = "end" }
"occurred.from" = { column = "day", as = "date" }
"place.names" = { columns = ["province", "town"] }
"""
KIND = 'kind = { column = "what", values = { "raid" = "airstrike", "*" = "unspecified" } }\n'
FILE = "id,told,day,province,town,what\n7,2016-09-14,2016-09-13,Hama,,raid\n"


def mapping(tmp_path: Path, text: str) -> Stated:
    """Return the format that a mapping makes."""
    (tmp_path / "map.toml").write_text(text, "utf-8")
    return format_by(str(tmp_path / "map.toml"))


def records(tmp_path: Path, text: str, content: str | bytes = FILE) -> list[Recorded]:
    """Return what a mapping makes of a file."""
    path = tmp_path / "data.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [named.report for named in read_all([path], mapping(tmp_path, text), DAMASCUS)]


def reports(tmp_path: Path, text: str, content: str | bytes = FILE) -> list[dict[str, Any]]:
    return [json.loads(each.value) for each in records(tmp_path, text, content)]


def test_a_row_becomes_a_report_and_every_column_stays_in_raw(tmp_path: Path) -> None:
    (report,) = reports(tmp_path, HEAD + KIND)
    assert report == {
        "type": "incident",
        "feed": "office",
        "report_id": "7",
        "reported_at": "2016-09-15T00:00:00+03:00",
        "occurred": {
            "from": "2016-09-13T00:00:00+03:00",
            "to": "2016-09-14T00:00:00+03:00",
            "precision": "day",
        },
        "place": {"names": ["Hama"]},
        "kind": "airstrike",
        "raw": {"id": "7", "told": "2016-09-14", "day": "2016-09-13", "province": "Hama", "town": "", "what": "raid"},
    }
    ANY_REPORT.validate_json(json.dumps(report))


def test_a_time_ends_when_it_begins_and_a_stated_end_is_kept(tmp_path: Path) -> None:
    timed = HEAD.replace('"day", as = "date"', '"day", as = "time", formats = ["%d.%m.%Y %H:%M"]')
    content = FILE.replace("2016-09-13", "13.09.2016 14:30")
    (report,) = reports(tmp_path, timed + KIND, content)
    at = "2016-09-13T14:30:00+03:00"
    assert report["occurred"] == {"from": at, "to": at, "precision": "minute"}
    (report,) = reports(tmp_path, timed + KIND + '"occurred.to" = { column = "told", as = "date" }\n', content)
    assert report["occurred"] == {"from": at, "to": "2016-09-15T00:00:00+03:00", "precision": "day"}


def test_the_mapping_s_time_zone_goes_before_the_agreement_s(tmp_path: Path) -> None:
    (report,) = reports(tmp_path, 'time_zone = "Africa/Addis_Ababa"\n' + HEAD.replace("%", "") + KIND)
    assert report["occurred"]["from"] == "2016-09-13T00:00:00+03:00"
    (report,) = reports(tmp_path, 'time_zone = "Africa/Kinshasa"\n' + HEAD + KIND)
    assert report["occurred"]["from"] == "2016-09-13T00:00:00+01:00"


@pytest.mark.parametrize(
    ("field", "cell", "value"),
    [
        ('note = { column = "x" }', " several  words ", "several  words"),
        ('note = { template = "{x} of {province}" }', "three", "three of Hama"),
        ('note = { columns = ["x", "province"], join = " / " }', "a", "a / Hama"),
        ('note = { columns = ["x", "province"], join = " / " }', "", "Hama"),
        ('note = { columns = ["x", "province"] }', "", "Hama"),
        ('note = { columns = ["x", "province"] }', "first", "first"),
        ('note = { column = "x", values = { "" = "silent" } }', "", "silent"),
        ('note = { column = "x", values = { "ذخيرة" = "munition" } }', " ذخيرة ", "munition"),
        ("revision = 3", "", 3),
        ('revision = { column = "x", as = "integer" }', "١٢", 12),
        ('accused = { column = "x", split = ";" }', "one; two;", ["one", "two"]),
        ('accused = { column = "x" }', "one", ["one"]),
        ('accused = ["always"]', "", ["always"]),
        ('accused = "always"', "", ["always"]),
        ('accused = { column = "x", split = ",", values = { a = "A", b = "B" } }', "b,a", ["B", "A"]),
        ('deaths = { best = { column = "x", as = "integer" } }', "1 200", {"best": 1200}),
        ('deaths.by_side = { civilians = { column = "x", as = "integer" } }', "4", {"by_side": {"civilians": 4}}),
        (
            'sources = [{ name = { column = "x", split = ";" }, title = { column = "town" } }]',
            "SOHR; AFP",
            [{"name": "SOHR"}, {"name": "AFP"}],
        ),
        (
            'sources = [{ name = { column = "x", split = ";" }, url = { column = "town", split = ";" } }]',
            "SOHR; AFP",
            [{"name": "SOHR"}, {"name": "AFP"}],
        ),
        (
            'sources = [{ name = { column = "x", split = ";" }, url = { column = "province", split = ";" } }]',
            "SOHR; AFP",
            [{"name": "SOHR", "url": "Hama"}, {"name": "AFP"}],
        ),
        (
            'parties = [{ name = { column = "x" }, slot = "a" }, { name = { column = "town" }, slot = "b" }]',
            "Army",
            [{"name": "Army", "slot": "a"}],
        ),
    ],
)
def test_each_verb_makes_its_field(tmp_path: Path, field: str, cell: str, value: object) -> None:
    content = FILE.replace("what\n", "what,x\n").replace("raid\n", f'raid,"{cell}"\n')
    (report,) = reports(tmp_path, HEAD + KIND + field + "\n", content)
    assert report[field.split(" ")[0].split(".")[0]] == value


def test_of_several_columns_a_field_of_one_value_takes_the_first_that_is_filled(tmp_path: Path) -> None:
    mapped = HEAD.replace('{ column = "day", as = "date" }', '{ columns = ["first", "day"], as = "date" }')
    for first, other, found in (
        ("", "2016-09-13", 13),
        ("2016-09-12", "2016-09-13", 12),
        ("2016-09-12", "no date", 12),
    ):
        content = FILE.replace("day", "day,first").replace("2016-09-13", f"{other},{first}")
        (record,) = records(tmp_path, mapped + KIND, content)
        assert json.loads(record.value)["occurred"]["from"] == f"2016-09-{found}T00:00:00+03:00"
        assert record.faults == ()


@pytest.mark.parametrize("cell", ["", "n/a", "-", "S.O.", "-99"])
def test_a_field_whose_cell_holds_nothing_is_left_out(tmp_path: Path, cell: str) -> None:
    content = FILE.replace("what\n", "what,x\n").replace("raid\n", f"raid,{cell}\n")
    mapped = f'missing = ["s.o."]\n{HEAD}{KIND}deaths.best = {{ column = "x", as = "integer", missing = ["-99"] }}\n'
    (report,) = reports(tmp_path, mapped + 'note = { template = "{x} dead", missing = ["-99"] }\n', content)
    assert "deaths" not in report
    assert "note" not in report


def test_a_cell_that_is_no_value_is_passed_on_as_written_and_named(tmp_path: Path) -> None:
    timed = HEAD.replace('"day", as = "date"', '"day", as = "time", formats = ["%d/%m/%Y %H:%M"]')
    again = '"occurred.to" = { column = "day", as = "time", formats = ["%d/%m/%Y %H:%M"] }\n'
    (record,) = records(tmp_path, timed + KIND + again, FILE.replace("2016-09-13", "13/09/2016 25:10"))
    assert json.loads(record.value)["occurred"]["from"] == "13/09/2016 25:10"
    (fault,) = record.faults
    assert fault[:4] == ("occurred.from", "day", "13/09/2016 25:10", "there is no hour 25")
    assert record.cells["place.names"] == {"province": "Hama", "town": ""}
    assert record.report_id == "7"


def test_a_value_joined_of_several_cells_is_named_by_all_of_their_columns(tmp_path: Path) -> None:
    joined = '{ columns = ["day", "x"], join = " ", as = "time", formats = ["%Y-%m-%d %H:%M"] }'
    timed = HEAD.replace('{ column = "day", as = "date" }', joined)
    assert timed != HEAD
    (record,) = records(tmp_path, timed + KIND, FILE.replace("what\n", "what,x\n").replace("raid\n", "raid,25:10\n"))
    (fault,) = record.faults
    assert fault[:3] == ("occurred.from", "day, x", "2016-09-13 25:10")


def test_a_path_and_a_table_fill_one_table(tmp_path: Path) -> None:
    (report,) = reports(tmp_path, HEAD + KIND + '[report.place]\nprecision = "near"\n')
    assert report["place"] == {"names": ["Hama"], "precision": "near"}


def test_a_row_that_is_left_out_is_counted(tmp_path: Path) -> None:
    stated = mapping(tmp_path, HEAD + KIND + '[skip]\nwhat = ["Protest", "riot"]\n')
    (tmp_path / "data.csv").write_text(FILE + FILE.splitlines()[1].replace("raid", "PROTEST") + "\n")
    assert len(list(read_all([tmp_path / "data.csv"], stated, DAMASCUS))) == 1
    (notes,) = notes_on([tmp_path / "data.csv"], stated).values()
    assert notes.skipped == {"what = PROTEST": 1}


def test_a_row_that_withdraws_its_report_names_it_and_tells_no_more(tmp_path: Path) -> None:
    mapped = HEAD + KIND + 'revision = 4\nagreement = "syria-2016"\n[retract]\nwhat = ["raid"]\n'
    content = FILE.replace("2016-09-13", "no date")
    (record,) = records(tmp_path, mapped, content)
    report = json.loads(record.value)
    assert report == {
        "type": "retraction",
        "feed": "office",
        "report_id": "7",
        "revision": 4,
        "agreement": "syria-2016",
        "reported_at": "2016-09-15T00:00:00+03:00",
        "raw": {"id": "7", "told": "2016-09-14", "day": "no date", "province": "Hama", "town": "", "what": "raid"},
    }
    assert (record.report_type, record.faults) == ("retraction", ())
    ANY_REPORT.validate_json(record.value)
    assert reports(tmp_path, mapped, FILE.replace("raid", "shots"))[0]["type"] == "incident"


#: The table as `HEAD` has it, told of on the day of which it tells.
TOLD_AT_ONCE = HEAD.replace(', at = "end"', "")
TIMED = TOLD_AT_ONCE.replace('"day", as = "date"', '"day", as = "time", formats = ["%d/%m/%Y %H:%M", "%d/%m/%Y"]')


@pytest.mark.parametrize(
    ("told", "occurred", "reported_at"),
    [
        ("2016-09-13", "2016-09-13", "2016-09-13T00:00:00+03:00"),
        ("2016-09-13", "13/09/2016 14:30", "2016-09-13T14:30:00+03:00"),
        ("2016-09-14", "13/09/2016 14:30", "2016-09-14T00:00:00+03:00"),
        ("2016-09-12", "13/09/2016 14:30", "2016-09-12T00:00:00+03:00"),
    ],
)
def test_a_day_of_telling_is_its_start_but_not_before_what_is_told(
    tmp_path: Path, told: str, occurred: str, reported_at: str
) -> None:
    content = FILE.replace("2016-09-13", occurred).replace("2016-09-14", told)
    (report,) = reports(tmp_path, TIMED + KIND, content)
    assert report["reported_at"] == reported_at
    (stated,) = reports(tmp_path, TIMED.replace('"told", as = "date"', '"told", as = "date", at = "18:00"') + KIND)
    assert stated["reported_at"] == "2016-09-14T18:00:00+03:00"


def test_what_is_told_of_today_is_accepted_today_and_the_same_tomorrow(tmp_path: Path) -> None:
    now = datetime.now(DAMASCUS)
    today, minute = now.date().isoformat(), now.strftime("%d/%m/%Y %H:%M")
    agreement = load_agreement("syria-2016")
    examiner = Examiner([agreement], load_gazetteer(agreement.gazetteer, None), "clock")
    for occurred in (today, minute):
        content = FILE.replace("2016-09-14", today).replace("2016-09-13", occurred)
        stated = mapping(tmp_path, TIMED + KIND)
        (tmp_path / "data.csv").write_text(content)
        found = list(read_all([tmp_path / "data.csv"], stated, DAMASCUS))
        assert list(faults(found, examiner)) == [None]
        assert found == list(read_all([tmp_path / "data.csv"], stated, DAMASCUS))


def test_a_notice_of_coverage_is_told_when_its_watch_ends(tmp_path: Path) -> None:
    watched = """
[report]
type = "coverage"
feed = "office"
report_id = { column = "id" }
reported_at = { column = "told", as = "date" }
"occurred.from" = { column = "day", as = "date" }
places = [{ pcode = { column = "province" } }]
nil = true
"""
    (report,) = reports(tmp_path, watched, FILE.replace("2016-09-14", "2016-09-13"))
    assert report["reported_at"] == report["occurred"]["to"] == "2016-09-14T00:00:00+03:00"


@pytest.mark.parametrize("cell", ["2016-09-13", "13/09/2016", "\u200f١٣/٠٩/٢٠١٦"])
def test_a_day_in_a_column_of_times_lasts_that_day(tmp_path: Path, cell: str) -> None:
    (record,) = records(tmp_path, TIMED + KIND, FILE.replace("2016-09-13", cell))
    assert json.loads(record.value)["occurred"] == {
        "from": "2016-09-13T00:00:00+03:00",
        "to": "2016-09-14T00:00:00+03:00",
        "precision": "day",
    }
    assert record.faults == ()
    last = '"occurred.to" = { column = "told", as = "time" }\n"occurred.precision" = { column = "town" }\n'
    (report,) = reports(tmp_path, TIMED + KIND + last, FILE.replace("2016-09-13", cell))
    assert report["occurred"]["to"] == "2016-09-15T00:00:00+03:00"
    assert report["occurred"]["precision"] == "day"


@pytest.mark.parametrize(
    ("cell", "reason"), [("13/13/2016", "there is no month 13"), ("13/09/2016 25:10", "no time of the form|hour 25")]
)
def test_a_day_that_is_none_is_a_fault_in_a_column_of_times(tmp_path: Path, cell: str, reason: str) -> None:
    (record,) = records(tmp_path, TIMED + KIND, FILE.replace("2016-09-13", cell))
    (fault,) = record.faults
    assert re.search(reason, fault.reason), fault


def test_a_formula_without_a_result_is_no_value(tmp_path: Path) -> None:
    counted = 'deaths.best = { column = "x", as = "integer" }\n'
    content = FILE.replace("what\n", "what,x\n").replace("raid\n", "raid,=A2+1\n")
    (record,) = records(tmp_path, HEAD + KIND + counted, content)
    (fault,) = record.faults
    assert (fault.cell, fault.reason) == ("=A2+1", "a formula without a stored result")


def test_half_of_a_character_costs_its_row_and_no_more(tmp_path: Path) -> None:
    rows = [{"id": half, "told": "2016-09-14", "day": "2016-09-13", "province": "Hama", "town": "", "what": "raid"}
            for half in ("\ud800", "7")]  # fmt: skip
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    found = list(read_all([tmp_path / "rows.json"], mapping(tmp_path, HEAD + KIND), DAMASCUS))
    agreement = load_agreement("syria-2016")
    examiner = Examiner([agreement], load_gazetteer(agreement.gazetteer, None), "clock")
    refused, taken = faults(found, examiner)
    assert refused is not None
    assert (refused.code, taken) == (RejectCode.NOT_JSON, None)
    assert found[0].report.report_id is None


def test_a_column_that_a_file_spells_otherwise_is_noted(tmp_path: Path) -> None:
    needed = 'requires = ["id", "told", "day", "province"]\n' + HEAD + KIND
    stated = mapping(tmp_path, needed + 'note = { column = "remarks" }\nclaimant = { column = "who" }\n')
    (tmp_path / "data.csv").write_text(FILE.replace("what\n", "what,remark\n").replace("raid\n", "raid,x\n"))
    assert len(list(read_all([tmp_path / "data.csv"], stated, DAMASCUS))) == 1
    (notes,) = notes_on([tmp_path / "data.csv"], stated).values()
    assert notes.misspelt == ["'remarks'; did you mean 'remark'?"]
    assert list(notes.lacking) == ["remarks", "who"]


@pytest.mark.parametrize(
    ("text", "value"),
    [("12", 12), ("-3", -3), ("12.0", 12), ("1,200", 1200), ("1 200 000", 1_200_000), ("1’200", 1200), ("١٬٢٠٠", 1200)],
)
def test_whole_numbers_of_many_hands_are_read(text: str, value: int) -> None:
    assert integer(text) == value


@pytest.mark.parametrize(
    ("text", "value"), [("35.478", 35.478), ("35,478", 35.478), ("٣٥٫٥", 35.5), ("1 234,5", 1234.5), ("-.5", -0.5)]
)
def test_decimal_numbers_of_many_hands_are_read(text: str, value: float) -> None:
    assert number(text) == value


@pytest.mark.parametrize(
    ("read", "text"),
    [(integer, "1.234"), (integer, "twelve"), (integer, "1,20"), (number, "nan"), (number, "1e400"), (number, "1,2,3")],
)
def test_what_is_no_number_is_refused(read: Any, text: str) -> None:
    with pytest.raises(NoValue):
        read(text)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("13 septembre 2016", "%d %B %Y"),
        ("13 sept. 2016", "%d %b %Y"),
        ("١٣ أيلول ٢٠١٦", "%d %B %Y"),
        ("13 سبتمبر 2016", "%d %B %Y"),
        ("13-Sep-16", "%d-%b-%y"),
        ("\u200f13/09/2016", "%d/%m/%Y"),
        ("2016-09-13", "%d/%m/%Y"),
        ("2016-09-13 00:00:00", "%d/%m/%Y"),
    ],
)
def test_dates_of_several_languages_are_read(text: str, form: str) -> None:
    assert str(day(text, ["%Y/%m/%d", form])) == "2016-09-13"


def test_the_first_of_a_month_in_french_and_months_of_two_words_in_arabic_are_read() -> None:
    assert in_english("1er août 2016") == "1 August 2016"
    assert in_english(plain("5 تشرين الأول 2016")) == "5 October 2016"
    assert in_english("5 كانون الثاني 2016") == "5 January 2016"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("13/09/2016 25:10", "there is no hour 25"),
        ("32/09/2016 10:10", "there is no day 32"),
        ("30/02/2016 10:10", "no day of any calendar"),
        ("13/09/2016", r"no time of the form %d/%m/%Y %H:%M"),
        ("2016-02-30 10:00", "no time of any calendar"),
    ],
)
def test_a_time_that_is_none_says_what_of_it_is_wrong(text: str, reason: str) -> None:
    with pytest.raises(NoValue, match=reason):
        instant(text, ["%d/%m/%Y %H:%M"], DAMASCUS)


def test_a_day_outside_of_the_calendar_is_none() -> None:
    for text in ("0016-09-13", "2199-12-31"):
        with pytest.raises(NoValue, match="1971 to 2199"):
            day(text, [])
    with pytest.raises(NoValue, match="no day of any calendar"):
        day("2016-09-31", [])
    with pytest.raises(NoValue, match="of the form 2016-09-13"):
        day("yesterday", [])


def test_an_offset_in_the_cell_goes_before_the_zone() -> None:
    assert instant("2016-09-13T10:00:00Z", [], DAMASCUS) == "2016-09-13T10:00:00+00:00"
    assert instant("2016-09-13 10:00", [], DAMASCUS) == "2016-09-13T10:00:00+03:00"
    assert instant("13/09/2016 10:00 +0200", ["%d/%m/%Y %H:%M %z"], DAMASCUS) == "2016-09-13T10:00:00+02:00"


def test_seconds_since_1970_are_an_instant_of_a_calendar() -> None:
    assert unix("1473756600") == "2016-09-13T08:50:00+00:00"
    with pytest.raises(NoValue, match="seconds since 1970"):
        unix("1473756600000")


def test_yes_and_no_are_read_in_three_languages() -> None:
    assert [boolean(word) for word in ("Yes", "oui", "نعم", "0", "NON")] == [True, True, True, False, False]
    with pytest.raises(NoValue, match="neither"):
        boolean("perhaps")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[report", "line 1: not TOML"),
        ("", "report: required, but missing"),
        ("reqires = []\n" + HEAD + KIND, "line 1: reqires: unknown key; did you mean 'requires'"),
        ('time_zone = "Mars"\n' + HEAD + KIND, "no time zone is called 'Mars'"),
        ('encoding = "cp99"\n' + HEAD + KIND, "no encoding is called 'cp99'"),
        (HEAD, "report.kind: required, but not mapped"),
        (HEAD.replace('"incident"', '"incidnt"'), "line 3: report.type: expected one of incident.*'incident'"),
        (HEAD.replace('"office"', "5"), "line 4: report.feed: required: the name of the feed, as text"),
        (HEAD.replace("occurred.from", "ocurred.from"), "line 7: .*no field of a report .*did you mean 'occurred'"),
        (HEAD.replace("occurred.from", "occurred.precision"), "report.occurred.from: required, but not mapped"),
        (HEAD + KIND + "raw = 1", "line 10: report.raw: raw holds the whole row by itself"),
        (HEAD + KIND + 'kind.x = { column = "y" }', "not TOML"),
        (HEAD + KIND + '"place.names" = 1', "not TOML"),
        (HEAD + KIND + 'place.names = ["x"]', "line 10: report.place: mapped twice"),
        (HEAD + KIND + '"kind.x" = 1', "line 10: .*mapped twice"),
        (HEAD + KIND + 'note = { column = "x", colum = "y" }', "line 10: report.note.colum: unknown key"),
        (HEAD + KIND + 'note = { as = "date" }', "needs one of column, columns and template"),
        (HEAD + KIND + 'note = { column = "x", columns = ["y"] }', "needs one of column, columns and template"),
        (HEAD + KIND + 'note = { column = "x", join = " " }', "join needs columns"),
        (HEAD + KIND + 'note = { column = "x", formats = ["%d"] }', 'formats need as = "date"'),
        (HEAD + KIND + 'note = { column = "x", at = "end" }', 'at needs as = "date" or as = "time"'),
        (HEAD + KIND + 'note = { column = "x", as = "date", at = "noon" }', "report.note.at"),
        (HEAD + KIND + 'note = { column = "x", split = ";" }', "takes one value: leave split out"),
        (HEAD + KIND + 'note = ["x", "y"]', "takes one value, not a list"),
        (HEAD + KIND + "[skip]\nwhat = 1", "skip.what: expected a list"),
    ],
)
def test_a_mapping_that_is_wrong_is_told_with_its_line_and_key(tmp_path: Path, text: str, fault: str) -> None:
    (tmp_path / "map.toml").write_text(text, "utf-8")
    with pytest.raises(MappingError, match=f"(?s)map.toml: .*{fault}"):
        load_mapping(tmp_path / "map.toml")


def test_a_mapping_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="cannot be read: No such file"):
        load_mapping(tmp_path / "none.toml")


def test_a_format_is_stated_in_one_way() -> None:
    assert options.stated("ged", None) == "ged"
    with pytest.raises(UsageError, match="two ways"):
        options.stated("ged", "acled")


def test_a_column_that_the_file_lacks_is_named_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="lacks columns that the mapping needs: 'what'; did you mean 'whats'"):
        records(tmp_path, HEAD + KIND, FILE.replace("what", "whats"))


def test_required_columns_leave_the_others_to_the_file(tmp_path: Path) -> None:
    needed = 'requires = ["id", "told", "day", "province"]\n' + HEAD + KIND
    (report,) = reports(tmp_path, needed, "id,told,day,province\n7,2016-09-14,2016-09-13,Hama\n")
    assert "kind" not in report


def test_a_torn_row_is_passed_on_whole(tmp_path: Path) -> None:
    torn, whole = reports(tmp_path, HEAD + KIND, FILE.replace("7,", "6,too,many,", 1) + FILE.splitlines()[1])
    assert torn["raw"]["columns_expected"] == 6
    assert whole["report_id"] == "7"
