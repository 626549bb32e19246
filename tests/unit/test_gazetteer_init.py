"""``gazetteer init``: another country's regions, from boundaries or a spreadsheet of P-codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import GazetteerError, ReportRejected
from schemas.gazetteer import Gazetteer, load_gazetteer
from schemas.gazetteer_file import GazetteerFile, parse_gazetteer
from schemas.reports import Place
from tests.support.commands import Run
from tests.support.countries import DISTRICTS, boundaries, geojson, properties, workbook
from tests.support.polygons import features, square
from tests.support.shared_data import shared_data

OUT = "made.toml"


def drafted(folder: Path) -> GazetteerFile:
    return parse_gazetteer(OUT, (folder / OUT).read_bytes())


def made_of(run: Run, folder: Path, document: dict[str, Any], *options: str) -> GazetteerFile:
    ended = run("gazetteer", "init", geojson(folder / "b.geojson", document), "-o", OUT, *options)
    assert ended.code == 0, ended.err
    return drafted(folder)


def refused(run: Run, file: Path, *options: str) -> str:
    ended = run("gazetteer", "init", file, "-o", OUT, *options)
    assert (ended.code, ended.out) == (2, "")
    assert not Path(OUT).exists()
    return ended.err


def region_of(gazetteer: Gazetteer, *names: str, **place: Any) -> str:
    return gazetteer.locate(Place.model_validate_json(json.dumps({"names": names, **place}))).region


class TestBoundaries:
    def test_regions_have_codes_names_in_every_script_neighbours_and_centres(self, run: Run, tmp_path: Path) -> None:
        made = made_of(run, tmp_path, boundaries("XA"))
        assert (made.country, made.country_names) == ("XA", ["Highland", "بلاد المرتفعات"])
        assert [(each.pcode, each.english, each.local, each.centre, each.neighbours) for each in made.regions] == [
            ("XA01", "North Valley", "الوادي الشمالي", (30.5, 21.0), ["XA02"]),
            ("XA02", "South Valley", "الوادي الجنوبي", (30.5, 22.5), ["XA01", "XA03"]),
            ("XA03", "Salt Coast", "ساحل الملح", (30.5, 23.5), ["XA02"]),
        ]

    def test_the_file_locates_reports_by_code_name_and_point(self, run: Run, tmp_path: Path) -> None:
        made_of(run, tmp_path, boundaries("XA"))
        gazetteer = load_gazetteer(OUT, tmp_path / "b.geojson")
        assert region_of(gazetteer, "Stone Ford") == "XA01"
        assert region_of(gazetteer, "سوق الجنوب") == "XA02"
        assert region_of(gazetteer, "North Valley Governorate") == "XA01"
        assert region_of(gazetteer, pcode="XA0301") == "XA03"
        assert region_of(gazetteer, point={"latitude": 30.2, "longitude": 23.7}, precision="exact") == "XA03"

    def test_a_name_of_two_regions_places_is_ambiguous_and_that_of_a_region_is_the_regions(
        self, run: Run, tmp_path: Path
    ) -> None:
        made = made_of(run, tmp_path, boundaries("XA"))
        assert [(each.name, each.regions) for each in made.ambiguous] == [("New Market", ["XA01", "XA02"])]
        gazetteer = load_gazetteer(OUT)
        with pytest.raises(ReportRejected, match="'New Market' may be in XA01 North Valley or XA02 South Valley"):
            region_of(gazetteer, "New Market")
        assert region_of(gazetteer, "North Valley", "New Market") == "XA01"
        assert region_of(gazetteer, "South Valley") == "XA02"
        assert region_of(gazetteer, "South Valley town") == "XA03"

    def test_words_that_tell_the_countrys_names_apart_are_not_dropped_from_names(
        self, run: Run, tmp_path: Path
    ) -> None:
        made = made_of(run, tmp_path, boundaries("XA"))
        assert {"north", "south"}.isdisjoint(made.neutral_words)
        assert "western" in made.neutral_words

    def test_features_of_another_country_are_left_out_with_a_note(self, run: Run, tmp_path: Path) -> None:
        file = geojson(tmp_path / "b.geojson", boundaries("XA", "XB"))
        said = refused(run, file)
        assert "areas of several countries: XA Highland, XB Overthere; choose one with --country" in said
        for asked in ("XB", "overthere"):
            ended = run("gazetteer", "init", file, "-o", OUT, "--country", asked, "--force")
            assert "XB, 1 region, 1 place" in ended.out
            assert "left out, being of another country: feature 1 (XA01), feature 2 (XA01)" in ended.out
        assert [each.pcode for each in drafted(tmp_path).regions] == ["XB01"]

    def test_a_country_that_is_not_there_is_answered_with_those_that_are(self, run: Run, tmp_path: Path) -> None:
        file = geojson(tmp_path / "b.geojson", boundaries("XA", "XB"))
        said = refused(run, file, "--country", "Highlands")
        assert f"{file}: no area of Highlands, but of XA Highland, XB Overthere; did you mean 'Highland'?" in said

    def test_a_file_without_a_countrys_code_is_of_the_letters_its_codes_begin_with(
        self, run: Run, tmp_path: Path
    ) -> None:
        document = features(*(({"pcode": f"XYZ0{n}", "name": f"Part {n}"}, square(20.0 + 3 * n)) for n in (1, 2)))
        made = made_of(run, tmp_path, document)
        assert (made.country, [each.english for each in made.regions]) == ("XYZ", ["Part 1", "Part 2"])
        assert [each.neighbours for each in made.regions] == [[], []]

    def test_regions_that_meet_in_a_corner_are_no_neighbours(self, run: Run, tmp_path: Path) -> None:
        corners = (({"pcode": f"XA0{n}", "name": f"Part {n}"}, square(20.0 + n, 30.0 + n)) for n in (1, 2))
        assert [each.neighbours for each in made_of(run, tmp_path, features(*corners)).regions] == [[], []]

    def test_the_centre_of_a_bent_region_lies_inside(self, run: Run, tmp_path: Path) -> None:
        ring = [[20, 30], [23, 30], [23, 33], [22.9, 33], [22.9, 30.1], [20, 30.1], [20, 30]]
        bent = features(({"pcode": "XA01", "name": "Bend"}, {"type": "Polygon", "coordinates": [ring]}))
        made_of(run, tmp_path, bent)
        assert load_gazetteer(OUT, tmp_path / "b.geojson").names() == {"XA01": "Bend"}

    def test_another_level_can_be_the_regions(self, run: Run, tmp_path: Path) -> None:
        """Two of them are called alike: they are shown, and compared, with their codes."""
        made = made_of(run, tmp_path, boundaries("XA"), "--level", "2")
        assert [each.english for each in made.regions] == [
            "Stone Ford",
            "New Market (XA0102)",
            "New Market (XA0201)",
            "South Valley",
        ]
        gazetteer = load_gazetteer(OUT)
        assert region_of(gazetteer, "السوق الجديد") == "XA0102"
        with pytest.raises(ReportRejected, match="ambiguous_place"):
            region_of(gazetteer, "New Market")

    def test_places_are_of_the_next_level_of_another_or_none(self, run: Run, tmp_path: Path) -> None:
        assert len(made_of(run, tmp_path, boundaries("XA")).places) == 4
        assert made_of(run, tmp_path, boundaries("XA"), "--places", "0", "--force").places == []
        assert made_of(run, tmp_path, boundaries("XA"), "--places", "4", "--force").places == []

    def test_columns_that_the_user_names_are_taken(self, run: Run, tmp_path: Path) -> None:
        document = features(({"code": "XA01", "shapeName": "North", "nom": "Nord"}, square(20.0)))
        file = geojson(tmp_path / "b.geojson", document)
        said = refused(run, file)
        assert f"{file}: no P-code of level 1; it has code, shapeName, nom; P-codes stand in a column such as" in said
        said = refused(run, file, "--code-column", "code")
        assert "no name for XA01; a name stands in a column such as ADM1_EN; name another one with" in said
        made = made_of(
            run, tmp_path, document, "--code-column", "code", "--name-column", "shapeName", "--name-column", "nom"
        )
        assert [each.spellings for each in made.regions] == [("North", "Nord")]

    @pytest.mark.parametrize("style", ["admin{level}Name_{word}", "adm{level}_name_{word}", "ADM{level}{word}"])
    def test_columns_of_other_editions_are_known(self, run: Run, tmp_path: Path, style: str) -> None:
        named = {
            key: value for each in DISTRICTS[:1] for key, value in properties(each, style).items() if "PCODE" not in key
        }
        codes = {"admin1Pcode": "XA01", "admin0Pcode": "XA", "adm1_alt1_en": "Upper Valley", "ADM1_REF": "x", "id": 7}
        made = made_of(run, tmp_path, features((named | codes, square(20.0))))
        assert made.country_names == ["Highland", "بلاد المرتفعات"]
        assert [each.spellings for each in made.regions] == [("North Valley", "الوادي الشمالي", "Upper Valley")]

    def test_a_feature_without_a_code_or_an_area_is_told_of(self, run: Run, tmp_path: Path) -> None:
        document = boundaries("XA")
        document["features"] += features(({"ADM1_EN": "The lake"}, square(25.0)), (properties(DISTRICTS[3]), None))[
            "features"
        ]
        document["features"][3]["geometry"] = None
        ended = run("gazetteer", "init", geojson(tmp_path / "b.geojson", document), "-o", OUT)
        assert "left out, without a P-code of level 1: feature 5" in ended.out
        assert "without a polygon, so without a centre: XA03" in ended.out

    @pytest.mark.parametrize("code", ["XA-01", "xa01", "1"])
    def test_a_code_that_is_no_p_code_is_refused_with_its_feature(self, run: Run, tmp_path: Path, code: str) -> None:
        document = boundaries("XA")
        document["features"][1]["properties"]["ADM1_PCODE"] = code
        said = refused(run, geojson(tmp_path / "b.geojson", document))
        assert (
            f'b.geojson: feature 2 ({code}): ADM1_PCODE: expected an OCHA P-code, such as SY02, found "{code}"' in said
        )

    def test_a_countrys_code_that_is_no_p_code_is_refused(self, run: Run, tmp_path: Path) -> None:
        document = features(({"ADM0_PCODE": "Land 1", "ADM1_PCODE": "XA01", "ADM1_EN": "North"}, square(20.0)))
        said = refused(run, geojson(tmp_path / "b.geojson", document))
        assert 'the country\'s code "Land 1" is no P-code; mend it in the file' in said

    def test_polygons_numbered_by_another_scheme_are_refused_at_once(self, run: Run, tmp_path: Path) -> None:
        """Without that every report with a point would be put into a wrong region."""
        made_of(run, tmp_path, boundaries("XA"))
        turned = json.loads(
            json.dumps(boundaries("XA")).replace("XA01", "XA0x").replace("XA03", "XA01").replace("0x", "03")
        )
        other = geojson(tmp_path / "other.geojson", turned)
        with pytest.raises(GazetteerError, match=r"it has that of XA01 in XA03, XA03 in XA01; the codes"):
            load_gazetteer(OUT, other)


class TestSpreadsheets:
    def sheets(self, folder: Path, districts: Any = DISTRICTS[:4]) -> Path:
        rows = [properties(each) for each in districts]
        second = [["Administrative areas"], [], list(rows[0]), ["#adm2+code"] * len(rows[0])]
        first = [[row["ADM1_PCODE"], row["ADM1_EN"], 30.5] for row in rows]
        return workbook(
            folder / "codes.xlsx",
            {
                "Read me": [["Names and P-codes"], ["of Highland"]],
                "Admin1": [["admin1Pcode", "admin1Name_en", "center_lat"], *first],
                "Admin2": [*second, *(list(row.values()) for row in rows), []],
            },
        )

    def test_every_sheet_with_codes_is_read(self, run: Run, tmp_path: Path) -> None:
        ended = run("gazetteer", "init", self.sheets(tmp_path), "-o", OUT)
        assert ended.code == 0, ended.err
        made = drafted(tmp_path)
        assert [(each.pcode, each.local) for each in made.regions] == [
            ("XA01", "الوادي الشمالي"),
            ("XA02", "الوادي الجنوبي"),
            ("XA03", "ساحل الملح"),
        ]
        assert [each.name for each in made.places] == ["Stone Ford", "السوق الجديد", "سوق الجنوب", "South Valley"]
        assert all(each.centre is None for each in made.regions)

    def test_a_code_that_is_none_is_refused_with_its_sheet_and_row(self, run: Run, tmp_path: Path) -> None:
        spoiled = [DISTRICTS[0], (*DISTRICTS[1][:4], 17, *DISTRICTS[1][5:])]
        said = refused(run, self.sheets(tmp_path, spoiled))
        assert "codes.xlsx: sheet 'Admin1', row 3: admin1Pcode: expected an OCHA P-code, such as SY02" in said

    def test_a_book_without_codes_is_refused_with_the_column_it_needs(self, run: Run, tmp_path: Path) -> None:
        said = refused(run, workbook(tmp_path / "b.xlsx", {"One": [["Name"], ["North"]], "Two": []}))
        assert "no sheet has a column of P-codes of level 1; P-codes stand in a column such as ADM1_PCODE" in said

    @pytest.mark.parametrize("part", [b"PK", b"xl/workbook.xml", b"xl/worksheets/sheet2.xml"])
    def test_a_damaged_spreadsheet_is_said(self, run: Run, tmp_path: Path, part: bytes) -> None:
        file = self.sheets(tmp_path)
        body = file.read_bytes()
        at = body.index(part) + len(part)
        file.write_bytes(body[:at] + bytes(200) + body[at + 200 :])
        assert "codes.xlsx: not an XLSX spreadsheet: " in refused(run, file)

    def test_what_is_no_spreadsheet_is_said(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "b.xlsx").write_text("ADM1_PCODE,ADM1_EN\n")
        assert "b.xlsx: not an XLSX spreadsheet: File is not a zip file; save it as .xlsx" in refused(
            run, tmp_path / "b.xlsx"
        )
        assert "gone.xlsx: cannot be read: No such file or directory" in refused(run, tmp_path / "gone.xlsx")


def test_a_file_that_is_there_is_written_over_only_when_told_to(run: Run, tmp_path: Path) -> None:
    file = geojson(tmp_path / "b.geojson", boundaries("XA"))
    (tmp_path / OUT).write_text("mine")
    ended = run("gazetteer", "init", file, "-o", OUT)
    assert (ended.code, (tmp_path / OUT).read_text()) == (2, "mine")
    assert "made.toml is there already; name another file with -o, or write over it with --force" in ended.err
    assert run("gazetteer", "init", file, "-o", OUT, "--force").code == 0
    assert [each.name for each in tmp_path.iterdir()] == ["b.geojson", OUT]


def test_programs_get_the_gazetteer_and_the_notes_as_json(run: Run, tmp_path: Path) -> None:
    ended = run("gazetteer", "init", geojson(tmp_path / "b.geojson", boundaries("XA")), "-o", OUT, "--json")
    said = json.loads(ended.out)
    assert said["written"] == OUT
    assert GazetteerFile.model_validate_json(json.dumps(said["gazetteer"])) == drafted(tmp_path)
    assert said["notes"] == ["names of several regions, listed under ambiguous: New Market"]


def test_real_boundaries_make_a_gazetteer_that_fits_them(run: Run, tmp_path: Path) -> None:
    file = shared_data("cod_ab_syria/syr_adm1_simplified_0.01deg.geojson")
    assert run("gazetteer", "init", file, "-o", OUT).code == 0
    gazetteer = load_gazetteer(OUT, file)
    shipped = load_gazetteer("syria").names()
    assert gazetteer.names() == shipped
    assert drafted(tmp_path).regions[6].neighbours == ["SY02", "SY05", "SY06"]
