"""``mapping``: what is drafted from a file can be loaded, and what is shown is what would be published."""

from __future__ import annotations

import csv
import json
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path

import pytest
from openpyxl import Workbook, load_workbook

from schemas.reports import ConvoyStep, IncidentKind, PlacePrecision, TimePrecision
from streams.feeds.mapping.load import load_mapping
from streams.feeds.mapping.suggest import date_forms, nearest_kind, suggest
from streams.feeds.mapping.template import COLUMNS
from tests.support.commands import Run, runner

FRENCH = (
    "N°;Date;Constaté le;Gouvernorat;Localité;Fait;Tués;Témoin\n"
    "31;13/09/2016 09:00;13 septembre 2016;Aleppo;Handarat;tir;2;x\n"
    "32;13/09/2016 25:10;14 septembre 2016;Hama;Tayyibat al-Imam;air raid;;y\n"
    "33;14/09/2016 10:00;14 septembre 2016;Hama;;Air Raid;;z\n"
)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run a command in an empty folder and without settings of the machine's."""
    monkeypatch.setenv("COLUMNS", "200")
    return runner(monkeypatch, capfd, tmp_path)


def drafted(tmp_path: Path, content: str) -> str:
    (tmp_path / "data.csv").write_text(content, "utf-8")
    text = suggest(tmp_path / "data.csv")
    (tmp_path / "draft.toml").write_text(text, "utf-8")
    load_mapping(tmp_path / "draft.toml")
    return text


def test_a_draft_finds_the_columns_their_dates_and_the_words_for_kinds(tmp_path: Path) -> None:
    lines = drafted(tmp_path, FRENCH).splitlines()
    for line in (
        'report_id = { column = "N°" }',
        'reported_at = { column = "Constaté le", as = "date", formats = ["%d %B %Y"] }',
        '"occurred.from" = { column = "Date", as = "time", formats = ["%d/%m/%Y %H:%M"] }',
        '"place.names" = { columns = ["Gouvernorat", "Localité"] }',
        '"deaths.best" = { column = "Tués", as = "integer" }',
        '"tir" = "unspecified"   # seen 1×; no kind is near: choose one, or list it under [skip]',
        '"air raid" = "airstrike"   # seen 1×',
        '# Kept in raw, and mapped to no field: "Témoin"',
    ):
        assert line in lines


@pytest.mark.parametrize(
    "content",
    ["a,b\n", "a,b\n1,2\n", 'a "b",\\c\n"x ""y""",\\z\n', "date\n01/02/2016\n", "Lat,Long\n35.4,36.6\n", "what\n\n"],
)
def test_a_draft_of_any_table_can_be_loaded(tmp_path: Path, content: str) -> None:
    drafted(tmp_path, content)


def test_a_draft_of_days_of_which_one_is_a_time_forgets_no_time(tmp_path: Path) -> None:
    draft = drafted(tmp_path, "id,date\n1,13/09/2016\n2,14/09/2016\n3,2016-09-15 14:30:00\n")
    assert '"occurred.from" = { column = "date", as = "time", formats = ["%d/%m/%Y"] }' in draft


def test_a_day_that_may_be_a_month_is_asked_about(tmp_path: Path) -> None:
    assert "or is the month first?" in drafted(tmp_path, "date\n01/02/2016\n")
    assert "or is the month first?" not in drafted(tmp_path, "date\n01/02/2016\n31/01/2016\n")


@pytest.mark.parametrize(
    ("cells", "kind", "forms"),
    [
        (["2016-09-13", "2016-09-14"], "date", []),
        (["2016-09-13 10:00"], "time", []),
        (["2016-09-13T10:00:00Z"], "time", []),
        (["2016-09-13 00:00:00", "2016-09-14 00:00:00"], "date", []),
        (["2016-09-13 00:00:00", "2016-09-14 11:10:00"], "time", []),
        (["13.09.2016"], "date", ["%d.%m.%Y"]),
        (["9/31/2016 10:00 PM", "9/13/2016 10:00 PM"], "time", ["%m/%d/%Y %I:%M %p"]),
        (["yesterday", "today"], None, []),
        ([], "date", []),
    ],
)
def test_the_form_of_dates_is_the_one_that_fits_most_of_them(cells: list[str], kind: str, forms: list[str]) -> None:
    assert date_forms(cells) == (kind, forms)


def test_the_nearest_kind_is_told_by_words_or_by_spelling() -> None:
    assert [nearest_kind(word) for word in ("Mortar fire", "Armed clashes", "chemicals", "arrests", "weather")] == [
        "shelling", "armed_clash", "chemical", "arrest", None
    ]  # fmt: skip
    assert [nearest_kind(word) for word in ("Tir de mortier", "frappe aérienne", "Affrontements", "manifestation")] == [
        "shelling", "airstrike", "armed_clash", None
    ]  # fmt: skip
    assert [nearest_kind(word) for word in ("قصف مدفعي", "القصف الجوي", "اشتباكات", "مظاهرة")] == [
        "shelling", "airstrike", "armed_clash", None
    ]  # fmt: skip


def test_a_draft_of_times_of_which_some_are_days_reads_both(tmp_path: Path) -> None:
    draft = drafted(tmp_path, "id,date\n1,13/09/2016 09:00\n2,14/09/2016 10:00\n3,15/09/2016\n")
    assert '"occurred.from" = { column = "date", as = "time", formats = ["%d/%m/%Y %H:%M", "%d/%m/%Y"] }' in draft


def test_the_first_rows_are_shown_side_by_side(run: Run, tmp_path: Path) -> None:
    drafted(tmp_path, FRENCH)
    ended = run("mapping", "check", "draft.toml", "data.csv", "--rows", "2")
    assert ended.code == 1
    head, *lines = ended.out.splitlines()
    assert head.split() == ["field", "line", "2", "line", "3"]
    assert "deaths.best 2 -" in [" ".join(line.split()) for line in lines]
    assert lines[-2].startswith("data.csv, line 3 (my-feed/32): ")
    assert "column 'Date' holds '13/09/2016 25:10': there is no hour 25" in lines[-1]


def test_a_check_without_faults_speaks_json(run: Run, tmp_path: Path) -> None:
    drafted(tmp_path, FRENCH)
    ended = run("mapping", "check", "draft.toml", "data.csv", "--rows", "1", "--json")
    assert ended.code == 0
    (row,) = json.loads(ended.out)
    assert (row["line"], row["report"]["report_id"], row["report"]["place"]["names"][0]) == (2, "31", "Aleppo")


def test_a_check_fails_for_a_mapping_that_publishes_nothing(run: Run, tmp_path: Path) -> None:
    text = drafted(tmp_path, FRENCH)
    (tmp_path / "nothing.toml").write_text(text + '\n[skip]\nFait = ["tir", "air raid"]\n', "utf-8")
    ended = run("mapping", "check", "nothing.toml", "data.csv")
    assert (ended.code, "no row of it becomes a report" in ended.err) == (2, True)
    assert "3 rows left out by the mapping" in ended.err
    elsewhere = text.replace('["Gouvernorat", "Localité"]', '["Témoin"]')
    (tmp_path / "elsewhere.toml").write_text(elsewhere, "utf-8")
    ended = run("mapping", "check", "elsewhere.toml", "data.csv", "--rows", "1")
    assert (ended.code, "data.csv, line 2 (my-feed/31): unknown_place" in ended.out) == (1, True)
    (row,) = json.loads(run("mapping", "check", "elsewhere.toml", "data.csv", "--rows", "1", "--json").out)
    assert row["fault"]["code"] == "unknown_place"


def test_a_check_names_optional_columns_that_the_file_lacks(run: Run, tmp_path: Path) -> None:
    text = drafted(tmp_path, FRENCH).replace('"Tués"', '"Tuees"').replace('"Localité"', '"Place"')
    (tmp_path / "draft.toml").write_text('requires = ["N°", "Date"]\n' + text, "utf-8")
    ended = run("mapping", "check", "draft.toml", "data.csv", "--rows", "1")
    assert ended.code == 0
    assert "data.csv: has no column 'Tuees'; did you mean 'Tués'?" in ended.err
    assert "lacks columns that the mapping can do without: Place" in ended.err


def test_a_formula_without_a_result_is_told_and_counted(run: Run, tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.append(["id", "date", "admin1", "type", "killed", "notes"])
    sheet.append([1, date(2016, 9, 13), "Hama", "Shelling", "=1+1", "=A2"])
    book.save(tmp_path / "data.xlsx")
    (tmp_path / "draft.toml").write_text(suggest(tmp_path / "data.xlsx"), "utf-8")
    ended = run("publish", "data.xlsx", "--map", "draft.toml", "--dry-run")
    assert ended.code == 1
    assert "column 'killed' holds '=1+1': a formula without a stored result; open the workbook" in ended.out
    assert "2 formulas without a stored result: 1 in 'killed', 1 in 'notes'" in ended.err
    found = json.loads(run("publish", "data.xlsx", "--map", "draft.toml", "--dry-run", "--json").out)
    assert found["summary"]["formulas"] == {"killed": 1, "notes": 1}


def test_a_torn_row_and_a_long_cell_are_told_as_what_they_are(run: Run, tmp_path: Path) -> None:
    rows = FRENCH.splitlines()
    bad = [rows[1] + ";more", rows[1].replace("tir", 't"ir"'), rows[1].replace("Aleppo", "A" * 500)]
    drafted(tmp_path, "\n".join([*rows, *bad]) + "\n")
    lines = run("publish", "data.csv", "--map", "draft.toml", "--dry-run").out.splitlines()
    assert "  cells: 9 in the row, 8 in the line of names; quote those that hold the separator" in lines
    assert any(f"column 'Gouvernorat' holds '{'A' * 80}…'" in line for line in lines)
    (tmp_path / "data.json").write_text('[{"N°": 1, "Date": "2016-09-13"}, 17]')
    text = (tmp_path / "draft.toml").read_text("utf-8")
    (tmp_path / "draft.toml").write_text('requires = ["N°"]\n' + text, "utf-8")
    lines = run("publish", "data.json", "--map", "draft.toml", "--dry-run").out.splitlines()
    assert "  no JSON object" in lines
    assert "fill in the cell, or map another column" in " ".join(lines)


def test_an_old_workbook_is_told_what_to_do_without_a_map(run: Run, tmp_path: Path) -> None:
    (tmp_path / "data.xls").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504))
    ended = run("publish", "data.xls", "--dry-run")
    assert (ended.code, "save it as .xlsx without a password, or as CSV" in ended.err) == (2, True)


def test_a_missing_file_is_named_before_a_missing_broker(run: Run, tmp_path: Path) -> None:
    drafted(tmp_path, FRENCH)
    for arguments in (("none.csv", "--map", "draft.toml"), ("none.jsonl",), ("none.csv",)):
        ended = run("publish", *arguments)
        assert (ended.code, ended.err.strip()) == (2, f"trucewatch: {arguments[0]}: no such file")


def test_a_draft_is_printed_to_be_kept(run: Run, tmp_path: Path) -> None:
    text = drafted(tmp_path, FRENCH)
    assert run("mapping", "suggest", "data.csv").out == text
    assert json.loads(run("mapping", "suggest", "data.csv", "--json").out) == {"mapping": text}
    assert run("mapping", "suggest", "none.csv").code == 2


def test_a_file_without_a_map_is_told_how_to_get_one(run: Run, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text(FRENCH, "utf-8")
    ended = run("publish", "data.csv", "--dry-run")
    assert (ended.code, "`trucewatch mapping suggest` drafts" in ended.err) == (2, True)


def test_a_dry_run_through_a_map_names_cells_and_counts_rows_left_out(run: Run, tmp_path: Path) -> None:
    text = drafted(tmp_path, FRENCH)
    (tmp_path / "draft.toml").write_text(text + '\n[skip]\nFait = ["tir"]\n', "utf-8")
    ended = run("publish", "data.csv", "--map", "draft.toml", "--dry-run")
    assert ended.code == 1
    assert "column 'Date' holds '13/09/2016 25:10': there is no hour 25; mend the cell" in ended.out
    assert "left out by the mapping: 1 Fait = tir" in ended.out
    assert "2 reports checked, 1 would be rejected. Nothing was sent." in ended.out
    found = json.loads(run("publish", "data.csv", "--map", "draft.toml", "--dry-run", "--json").out)
    assert found["summary"]["skipped"] == {"Fait = tir": 1}
    assert found["faults"][0]["cells"][0]["column"] == "Date"


@pytest.mark.parametrize("ending", ["xlsx", "csv"])
def test_a_day_in_a_template_lasts_that_day(run: Run, tmp_path: Path, ending: str) -> None:
    days = [date(2016, 9, 13), "13/09/2016", "2016-09-13"]
    name = f"table.{ending}"
    assert run("mapping", "template", name).code == 0
    rows = [
        {"report_id": number, "reported_at": day, "region": "Hama", "occurred_from": day, "kind": "shelling"}
        for number, day in enumerate(days)
    ]
    rows.append(rows[0] | {"report_id": 9, "occurred_to": date(2016, 9, 14), "reported_at": date(2016, 9, 15)})
    if ending == "xlsx":
        book = load_workbook(tmp_path / name)
        for row in rows:
            book.worksheets[0].append([row.get(column) for column in COLUMNS["incidents"]])
        book.save(tmp_path / name)
    else:
        with (tmp_path / name).open("a", newline="") as file:
            csv.writer(file).writerows([row.get(column, "") for column in COLUMNS["incidents"]] for row in rows)
    assert run("publish", name, "--dry-run").code == 0
    shown = json.loads(run("mapping", "check", "template", name, "--rows", "4", "--json").out)
    first, last = {"from": "2016-09-13T00:00:00+03:00", "precision": "day"}, "2016-09-15T00:00:00+03:00"
    assert [each["report"]["occurred"] for each in shown] == [
        *[first | {"to": "2016-09-14T00:00:00+03:00"}] * 3, first | {"to": last}
    ]  # fmt: skip
    assert shown[0]["report"]["reported_at"] == "2016-09-13T00:00:00+03:00"


WHEN = {"report_id": 7, "reported_at": datetime.fromisoformat("2016-09-13T12:00"), "region": "Hama",
        "occurred_from": datetime.fromisoformat("2016-09-13T09:30"), "time_precision": "hour",
        "place_precision": "governorate", "sources": "SOHR; AFP"}  # fmt: skip


@pytest.mark.parametrize(
    ("of", "words", "own"),
    [
        ("incidents", IncidentKind, {"kind": "shelling", "deaths_best": 2, "parties": "A; B"}),
        ("convoys", ConvoyStep, {"convoy_id": "C-1", "step": "offloaded", "trucks": 20, "operator": "WFP; SARC"}),
    ],
)
def test_a_template_that_is_filled_in_is_known_and_accepted(
    run: Run, tmp_path: Path, of: str, words: type[StrEnum], own: dict[str, object]
) -> None:
    filled = WHEN | own
    for name in ("table.xlsx", "table.csv"):
        assert run("mapping", "template", name, "--of", of).code == 0
    book = load_workbook(tmp_path / "table.xlsx")
    sheet = book.worksheets[0]
    lists = [each.formula1 for each in sheet.data_validations.dataValidation]
    assert {f'"{",".join(each)}"' for each in (words, TimePrecision, PlacePrecision)} == set(lists)
    sheet.append([filled.get(name) for name in COLUMNS[of]])
    book.save(tmp_path / "table.xlsx")
    with (tmp_path / "table.csv").open("a", newline="") as file:
        csv.writer(file).writerow(filled.get(name, "") for name in COLUMNS[of])
    for name in ("table.xlsx", "table.csv"):
        found = json.loads(run("publish", name, "--dry-run", "--json").out)
        assert (found["checked"], found["faults"]) == (1, [])
        assert found["summary"]["kinds"] == {own.get("kind", own.get("step")): 1}


def test_a_shipped_mapping_is_shown_to_be_changed(run: Run, tmp_path: Path) -> None:
    text = run("mapping", "show", "template").out
    (tmp_path / "mine.toml").write_text(text.replace('feed = "template"', 'feed = "office"'))
    assert load_mapping(tmp_path / "mine.toml").feed == "office"
    assert json.loads(run("mapping", "show", "template", "--json").out) == {"mapping": text}
    ended = run("mapping", "show", "templates")
    assert (ended.code, "did you mean 'template'" in ended.err) == (2, True)


def test_a_template_is_not_written_over_what_may_be_filled_in(run: Run, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("mine")
    assert "exists, and may be filled in" in run("mapping", "template", "table.csv").err
    assert "let its name end in .xlsx or .csv" in run("mapping", "template", "table.ods").err
    assert (
        "no template is called 'step'; there are incidents, convoys"
        in run("mapping", "template", "n.csv", "--of", "step").err
    )
    for name in ("no/where.csv", "no/where.xlsx"):
        assert f"{name} cannot be written: No such file" in run("mapping", "template", name).err
    assert json.loads(run("mapping", "template", "new.csv", "--json").out) == {"written": "new.csv"}
