"""Places: spellings, precedence, conflicts, polygons, and what is said when nothing fits."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from schemas.errors import GazetteerError, ReportRejected
from schemas.gazetteer import Gazetteer, load_gazetteer
from schemas.gazetteer_file import shipped_gazetteers
from schemas.placenames import parts_of, words_of
from schemas.reports import Place, PlacePrecision, Point
from tests.support.effort import calls
from tests.support.polygons import features, square
from tests.support.shared_data import shared_data

SMALL = """\
title = "Three squares in a row"
sources = ["none"]
country = "SY"
country_names = ["Syria"]
region_words = ["governorate"]
town_words = ["city"]
rural_words = ["rural"]
regions = [
  { pcode = "SY01", english = "West", local = "غرب" },
  { pcode = "SY02", english = "Middle", local = "وسط", countryside = "SY03" },
  { pcode = "SY03", english = "East", local = "شرق" },
]
places = [{ name = "Town", region = "SY01" }]
ambiguous = [{ name = "Both", regions = ["SY01", "SY02"] }, { name = "Either", regions = ["SY02", "SY03"] }]
"""


AS_MULTIPOLYGON = {"type": "MultiPolygon", "coordinates": [square(12)["coordinates"]]}
SQUARES = features(
    ({"ADM1_PCODE": "SY01"}, square(10)),
    ({"admin1Pcode": "SY02"}, square(11)),
    ({"adm1_pcode": "SY03", "ADM2_PCODE": "SY0300"}, AS_MULTIPOLYGON),
)


@pytest.fixture(scope="module")
def syria() -> Gazetteer:
    return load_gazetteer("syria")


@pytest.fixture
def small(tmp_path: Path) -> Gazetteer:
    (tmp_path / "small.toml").write_text(SMALL, encoding="utf-8")
    (tmp_path / "squares.json").write_text(json.dumps(SQUARES))
    return load_gazetteer(str(tmp_path / "small.toml"), tmp_path / "squares.json")


def named(
    *names: str,
    pcode: str | None = None,
    at: tuple[float, float] | None = None,
    precision: PlacePrecision = PlacePrecision.NEAR,
) -> Place:
    point = Point(latitude=at[0], longitude=at[1]) if at else None
    return Place(pcode=pcode, names=list(names), point=point, precision=precision)


def listing(folder: Path, country: str, *codes: str) -> str:
    """A gazetteer of nothing but regions, without local names."""
    regions = "".join(f'[[regions]]\npcode = "{code}"\nenglish = "Region {code}"\n' for code in codes)
    path = folder / "listing.toml"
    path.write_text(f'title = "t"\nsources = ["s"]\ncountry = "{country}"\n{regions}', encoding="utf-8")
    return str(path)


def refused(gazetteer: Gazetteer, place: Place) -> tuple[str, str]:
    with pytest.raises(ReportRejected) as caught:
        gazetteer.locate(place)
    return caught.value.code, caught.value.hint


class TestSpellings:
    @pytest.mark.parametrize(
        ("name", "region"),
        [
            ("ALEPPO", "SY02"),
            ("Aleppo governorate", "SY02"),
            ("northern Aleppo", "SY02"),
            ("western countryside of Aleppo", "SY02"),
            ("Rif Halab", "SY02"),
            ("ريف حلب", "SY02"),
            ("محافظة حلب", "SY02"),
            ("Damascus", "SY01"),
            ("Rif Dimashq", "SY03"),
            ("Damascus Suburbs", "SY03"),
            ("eastern countryside of Damascus", "SY03"),
            ("ريف دمشق", "SY03"),
            ("Deir ez Zor Governorate", "SY09"),
            ("DAYR AZ-ZAWR", "SY09"),
            ("Dar`a", "SY12"),
            ("Darʿā", "SY12"),
            ("As Suwayda'", "SY13"),
            ("إدلب", "SY07"),
            ("ادلب", "SY07"),
            ("Homs (Hims)", "SY04"),
            ("Raqqa - Tal Abyad", "SY11"),
            ("Urum al-Kubra, western Aleppo", "SY02"),
            ("Madamiyet Elsham", "SY03"),
            ("Al Wa’er", "SY04"),
            ("Kefraya and al-Foua", "SY07"),
            ("Castello Road", "SY02"),
            ("Bab al-Hawa", "SY07"),
        ],
    )
    def test_a_name_is_found_however_it_is_written(self, syria: Gazetteer, name: str, region: str) -> None:
        located = syria.locate(named(name))
        assert (located.region, located.by, located.name) == (region, "name", name)

    def test_every_spelling_of_the_data_sets_is_found(self, syria: Gazetteer) -> None:
        path = shared_data("admin1_name_variants/admin1_name_variants.csv")
        rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
        assert len(rows) == 125
        for row in rows:
            if row["adm1_pcode"]:
                assert syria.locate(named(row["value"])).region == row["adm1_pcode"], row["value"]

    def test_values_that_name_no_one_governorate_are_refused(self, syria: Gazetteer) -> None:
        codes = {
            name: refused(syria, named(name))[0]
            for name in ("Syria", "36.38472222", "UNDOF", "Hama or Idlib", "Homs or Aleppo", "Deir ez-Zor/Damascus")
        }
        assert codes == {
            "Syria": "unknown_place",
            "36.38472222": "unknown_place",
            "UNDOF": "unknown_place",
            "Hama or Idlib": "ambiguous_place",
            "Homs or Aleppo": "ambiguous_place",
            "Deir ez-Zor/Damascus": "ambiguous_place",
        }

    def test_ucdps_own_governorate_names_are_all_found(self, syria: Gazetteer) -> None:
        path = shared_data("ucdp_ged_syria/ged_syria_2016-08_2016-10.csv")
        with path.open(encoding="utf-8", newline="") as rows:
            names = {row["adm_1"] for row in csv.DictReader(rows)} - {""}
        assert {syria.locate(named(name)).region for name in names} == set(syria.names())

    def test_words_are_compared_without_articles_accents_and_punctuation(self) -> None:
        assert words_of("Ar-Raqqa") == words_of("raqqa") == ("raqqa",)
        assert words_of("الرَّقة") == words_of("الرقه") == ("رقه",)
        assert words_of("Al") == ("al",)
        assert words_of("ال") == ("ال",)
        assert words_of("--") == ()

    def test_a_name_is_taken_apart_at_alternatives_before_anything_else(self) -> None:
        assert parts_of("Hama or Idlib, Syria") == (["Hama", "Idlib, Syria"], True)
        assert parts_of("Talbiseh, Homs") == (["Talbiseh", "Homs"], False)
        assert parts_of("Deir-ez-Zor") == (["Deir-ez-Zor"], False)


class TestPrecedence:
    def test_a_pcode_decides_before_names(self, syria: Gazetteer) -> None:
        located = syria.locate(named("Damascus", pcode="SY03"))
        assert (located.region, located.by) == ("SY03", "pcode")
        assert located.conflict == "name 'Damascus' lies in SY01 Damascus"

    def test_a_deeper_pcode_counts_as_its_governorate(self, syria: Gazetteer) -> None:
        assert syria.locate(named(pcode="SY0200")).region == "SY02"
        assert syria.locate(named(pcode="SY020003")).region == "SY02"

    @pytest.mark.parametrize(
        ("country", "code", "reported"),
        [
            ("NG", "NG001", "NG001001"),
            ("MMR", "MMR001", "MMR001D001"),
            ("SD", "SD01", "SD01"),
            ("IQ", "IQG01", "IQG01"),
            ("LK", "LK1", "LK1127"),
            ("PH", "PH1300000000", "PH1300000000"),
            ("UA", "UA63", "UA63120270010096107"),
        ],
    )
    def test_codes_of_every_country_are_as_long_as_they_are(
        self, country: str, code: str, reported: str, tmp_path: Path
    ) -> None:
        gazetteer = load_gazetteer(listing(tmp_path, country, code, f"{country}99"))
        assert gazetteer.locate(named(pcode=reported)).region == code
        assert refused(gazetteer, named(pcode=country))[1].startswith(f"P-code {country} is the whole country")
        assert refused(gazetteer, named(pcode=f"{country}77"))[1].startswith(f"P-code {country}77 is unknown")

    def test_the_longest_listed_code_decides(self, tmp_path: Path) -> None:
        gazetteer = load_gazetteer(listing(tmp_path, "SY", "SY02", "SY0200", "SY020003"))
        found = [gazetteer.locate(named(pcode=code)).region for code in ("SY0201", "SY020001", "SY0200039")]
        assert found == ["SY02", "SY0200", "SY020003"]

    @pytest.mark.parametrize("code", ["SY", "SYR"])
    def test_a_region_whose_code_every_report_of_the_country_bears_is_refused(self, code: str, tmp_path: Path) -> None:
        with pytest.raises(GazetteerError, match=f"{code}: every code of the country SYR begins with it"):
            load_gazetteer(listing(tmp_path, "SYR", "SYR01", code))

    def test_the_countrys_own_code_says_nothing(self, syria: Gazetteer) -> None:
        located = syria.locate(named("Aleppo", pcode="SY"))
        assert (located.region, located.by, located.conflict) == ("SY02", "name", None)

    def test_an_unknown_pcode_is_noted_when_a_name_decides(self, syria: Gazetteer) -> None:
        assert syria.locate(named("Aleppo", pcode="SY99")).conflict == "P-code SY99 is unknown"

    def test_the_first_of_two_regions_decides_and_a_later_one_is_a_conflict(self, syria: Gazetteer) -> None:
        located = syria.locate(named("Nowhere known", "Aleppo", "Homs"))
        assert (located.region, located.name) == ("SY02", "Homs")
        assert located.conflict == "name 'Homs' lies in SY04 Homs"

    def test_names_that_agree_are_no_conflict(self, syria: Gazetteer) -> None:
        assert syria.locate(named("Aleppo Governorate", "Urum al-Kubra", "a warehouse")).conflict is None

    def test_a_look_alike_is_found_and_marked(self, syria: Gazetteer) -> None:
        for name, other in (("Madaya", "Moadamiyeh"), ("Mouadamiya", "Madaya"), ("مضايا", "Moadamiyeh")):
            located = syria.locate(named("Rif Dimashq", name))
            assert located.region == "SY03"
            assert located.conflict == f"{name!r} is easily confused with {other!r}"

    def test_a_look_alike_within_a_longer_name_is_marked_too(self, syria: Gazetteer) -> None:
        conflict = syria.locate(named("Madaya, Rif Dimashq")).conflict
        assert conflict == "'Madaya, Rif Dimashq' is easily confused with 'Moadamiyeh'"


class TestExactness:
    """The more exact of name, town and point decides; what it disagrees with is kept."""

    @pytest.mark.parametrize(
        ("names", "region", "conflict"),
        [
            # A region's bare name is also its capital's, and used of what lies around.
            (["Damascus", "Duma"], "SY03", "name 'Damascus' lies in SY01 Damascus"),
            (["ALEPPO", "Sarmada"], "SY07", "name 'ALEPPO' lies in SY02 Aleppo"),
            (["دمشق", "داريا"], "SY03", "name 'دمشق' lies in SY01 Damascus"),
            (["Duma, Damascus"], "SY03", "name 'Duma, Damascus' also names SY01 Damascus"),
            (["Damascus", "Rural Damascus"], "SY03", "name 'Damascus' lies in SY01 Damascus"),
            (["Rural Damascus", "Damascus"], "SY03", "name 'Damascus' lies in SY01 Damascus"),
            (["Rural Damascus", "Damascus city"], "SY01", "name 'Rural Damascus' lies in SY03 Rural Damascus"),
            (["Aleppo", "Damascus"], "SY02", "name 'Damascus' lies in SY01 Damascus"),
            # No town is called a governorate: what is listed elsewhere is another town of that name.
            (["As Suwayda Governorate", "Douma village"], "SY13", "name 'Douma village' lies in SY03 Rural Damascus"),
            (["Rif Dimashq Governorate", "Al Hamah suburb"], "SY03", "name 'Al Hamah suburb' lies in SY05 Hama"),
            (["محافظة حمص", "Anadan"], "SY04", "name 'Anadan' lies in SY02 Aleppo"),
            # But Damascus Governorate is also said of the country around it.
            (["Damascus Governorate", "Duma"], "SY03", "name 'Damascus Governorate' lies in SY01 Damascus"),
            (["Damascus Governorate", "Anadan"], "SY01", "name 'Anadan' lies in SY02 Aleppo"),
        ],
    )
    def test_of_two_names(self, names: list[str], region: str, conflict: str, syria: Gazetteer) -> None:
        located = syria.locate(named(*names))
        assert (located.region, located.by, located.conflict) == (region, "name", conflict)

    @pytest.mark.parametrize(
        ("names", "precision", "region", "conflict"),
        [
            (["West"], "exact", "SY03", "name 'West' lies in SY01 West"),
            (["West"], "near", "SY03", "name 'West' lies in SY01 West"),
            (["West"], "district", "SY03", "name 'West' lies in SY01 West"),
            (["West"], "governorate", "SY01", "point lies in SY03 East"),
            (["West"], "unknown", "SY01", "point lies in SY03 East"),
            (["West governorate"], "exact", "SY01", "point lies in SY03 East"),
            (["Middle governorate"], "exact", "SY03", "name 'Middle governorate' lies in SY02 Middle"),
            (["Town"], "exact", "SY03", "name 'Town' lies in SY01 West"),
            (["Town"], "near", "SY01", "point lies in SY03 East"),
            (["West", "Town"], "district", "SY01", "point lies in SY03 East"),
            (["West city"], "near", "SY01", "point lies in SY03 East"),
            (["East", "Town"], "exact", "SY03", "name 'Town' lies in SY01 West"),
        ],
    )
    def test_of_a_name_and_a_point_in_the_east(
        self, names: list[str], precision: str, region: str, conflict: str, small: Gazetteer
    ) -> None:
        located = small.locate(named(*names, at=(30.5, 12.5), precision=PlacePrecision(precision)))
        assert (located.region, located.conflict) == (region, conflict)
        assert (located.latitude, located.longitude) == (30.5, 12.5)

    def test_a_pcode_decides_whatever_the_point(self, small: Gazetteer) -> None:
        located = small.locate(named(pcode="SY01", at=(30.5, 12.5), precision=PlacePrecision.EXACT))
        assert (located.region, located.by, located.conflict) == ("SY01", "pcode", "point lies in SY03 East")

    def test_a_point_near_a_border_overrules_no_name(self, small: Gazetteer) -> None:
        located = small.locate(named("East", at=(30.5, 12.0), precision=PlacePrecision.EXACT))
        assert (located.region, located.conflict) == (
            "SY03",
            "point lies in SY02 Middle; point lies on the border of SY02 Middle and SY03 East",
        )


class TestTownsCalledLikeRegions:
    """A town may bear the name of a region it does not lie in, as Nasarawa in Kano does."""

    @pytest.fixture
    def nigeria(self, tmp_path: Path) -> Gazetteer:
        path = Path(listing(tmp_path, "NG", "NG020", "NG026", "NG025"))
        text = path.read_text().replace("Region NG020", "Kano").replace("Region NG026", "Nasarawa")
        words = 'region_words = ["state"]\ntown_words = ["town"]\n'
        places = '[[places]]\nname = "Nassarawa"\nnames = ["Nasarawa"]\nregion = "NG020"\n'
        shared = '[[ambiguous]]\nname = "Region NG025"\nregions = ["NG025", "NG020"]\n'
        path.write_text(text.replace("[[regions]]", words + "[[regions]]", 1) + places + shared)
        return load_gazetteer(str(path))

    def test_the_name_alone_is_the_regions_and_marked(self, nigeria: Gazetteer) -> None:
        located = nigeria.locate(named("Nasarawa"))
        assert located.region == "NG026"
        assert located.conflict == "name 'Nasarawa' is also a town's in NG020 Kano"
        assert nigeria.locate(named("Nasarawa", pcode="NG026001")).conflict is None

    def test_beside_its_own_region_the_town_is_meant(self, nigeria: Gazetteer) -> None:
        for names in (["Kano", "Nasarawa"], ["Nasarawa", "Kano"], ["Kano State", "Nasarawa"]):
            located = nigeria.locate(named(*names))
            assert (located.region, located.conflict) == ("NG020", None)

    def test_a_word_says_which_of_the_two(self, nigeria: Gazetteer) -> None:
        assert nigeria.locate(named("Nasarawa State")).region == "NG026"
        assert nigeria.locate(named("Nasarawa State")).conflict is None
        assert nigeria.locate(named("Nasarawa town")).region == "NG020"
        assert nigeria.locate(named("Nasarawa town")).conflict is None
        located = nigeria.locate(named("Nasarawa State", "Kano"))
        assert (located.region, located.conflict) == ("NG026", "name 'Kano' lies in NG020 Kano")

    def test_a_regions_name_may_be_listed_as_shared(self, nigeria: Gazetteer) -> None:
        code, hint = refused(nigeria, named("Region NG025"))
        assert code == "ambiguous_place"
        assert hint.startswith("'Region NG025' may be in NG025 Region NG025 or NG020 Kano: ")
        assert nigeria.locate(named("Region NG025", "Kano")).conflict is None


class TestAreas:
    """A point that stands for an area decides for no region by itself."""

    @pytest.mark.parametrize("names", [[], ["Mu"], ["Both"]])
    def test_a_point_of_unknown_precision_that_decides_is_marked(self, names: list[str], small: Gazetteer) -> None:
        located = small.locate(named(*names, at=(30.5, 10.5), precision=PlacePrecision.UNKNOWN))
        assert (located.region, located.by) == ("SY01", "point")
        assert located.conflict == "a point of unknown precision may be the middle of a wider area"

    def test_the_middle_of_a_governorate_says_which_governorate(self, small: Gazetteer) -> None:
        located = small.locate(named(at=(30.5, 10.5), precision=PlacePrecision.GOVERNORATE))
        assert (located.region, located.conflict) == ("SY01", None)

    @pytest.mark.parametrize("place", [named("Syria"), named(pcode="SY"), named("Syria", pcode="SY")])
    def test_a_point_beside_the_countrys_name_alone_is_its_middle(self, place: Place, small: Gazetteer) -> None:
        point = Point(latitude=30.5, longitude=11.5)
        unknown = place.model_copy(update={"point": point, "precision": PlacePrecision.UNKNOWN})
        code, hint = refused(small, unknown)
        assert code == "unknown_place"
        assert "whole country; the point may be the country's middle: state its precision; give an OCHA" in hint
        near = small.locate(unknown.model_copy(update={"precision": PlacePrecision.NEAR}))
        assert near.conflict == "only the whole country is named: the point may be its middle"
        assert small.locate(unknown.model_copy(update={"precision": PlacePrecision.EXACT})).conflict is None

    def test_real_events_known_to_a_wide_area_only_are_marked(self, with_polygons: Gazetteer) -> None:
        """UCDP's ``where_prec`` 5 without a governorate: borders, roads and deserts, each a point somewhere in it."""
        for name, at in (("Deir ez Zor/Homs border", (34.531622, 39.474435)), ("Northern Syria", (36.0, 39.0))):
            located = with_polygons.locate(named(name, at=at, precision=PlacePrecision.UNKNOWN))
            assert located.conflict == "a point of unknown precision may be the middle of a wider area"
        name, at = "Western Deir ez Zor Governorate", (34.97, 39.55)
        located = with_polygons.locate(named(name, at=at, precision=PlacePrecision.UNKNOWN))
        assert (located.region, located.conflict) == ("SY09", "point lies in SY04 Homs")


class TestAmbiguity:
    def test_a_name_that_several_regions_share_is_refused_with_its_candidates(self, syria: Gazetteer) -> None:
        code, hint = refused(syria, named("al-Mansoura"))
        assert code == "ambiguous_place"
        assert hint == ("'al-Mansoura' may be in SY02 Aleppo or SY11 Ar-Raqqa: add the governorate's name or P-code")

    def test_another_name_settles_it(self, syria: Gazetteer) -> None:
        assert syria.locate(named("Mansura", "Aleppo")).conflict is None
        conflict = syria.locate(named("Mansura", "Homs")).conflict
        assert conflict == "name 'Mansura' fits SY02 Aleppo or SY11 Ar-Raqqa only"

    def test_a_point_settles_it(self, small: Gazetteer) -> None:
        located = small.locate(named("Both", at=(30.5, 10.5)))
        assert (located.region, located.by, located.conflict) == ("SY01", "point", None)

    def test_one_unknown_alternative_leaves_the_other_open(self, small: Gazetteer) -> None:
        assert refused(small, named("West or Atlantis"))[0] == "unknown_place"
        assert small.locate(named("West or Town")).region == "SY01"

    def test_parts_that_are_ambiguous_or_unknown_stay_so(self, small: Gazetteer) -> None:
        assert refused(small, named("Both, Either"))[1].startswith(
            "'Both, Either' may be in SY01 West or SY02 Middle or"
        )
        assert refused(small, named("Atlantis, Mu"))[0] == "unknown_place"
        assert small.locate(named("Both, West")).region == "SY01"

    def test_rural_means_the_countryside_where_that_is_another_region(self, small: Gazetteer) -> None:
        assert small.locate(named("rural Middle")).region == "SY03"
        assert small.locate(named("rural West")).region == "SY01"
        assert small.locate(named("rural Town")).region == "SY01"
        assert small.locate(named("Middle governorate")).region == "SY02"


class TestUnknown:
    def test_a_misspelling_is_answered_with_what_is_close(self, syria: Gazetteer) -> None:
        code, hint = refused(syria, named("Talbiseeh"))
        assert code == "unknown_place"
        assert hint == (
            "'Talbiseeh' is not in the gazetteer; did you mean Talbiseh (SY04)?; "
            "give an OCHA P-code or the governorate's name"
        )

    def test_a_name_like_no_other_is_answered_without_a_guess(self, syria: Gazetteer) -> None:
        assert "did you mean" not in refused(syria, named("Xyzzy"))[1]

    def test_the_whole_country_is_no_region(self, syria: Gazetteer) -> None:
        assert refused(syria, named("سوريا"))[1].startswith("'سوريا' is the whole country")
        assert refused(syria, named(pcode="SY"))[1].startswith("P-code SY is the whole country")
        assert refused(syria, named(pcode="SY77"))[1].startswith("P-code SY77 is unknown")

    def test_a_point_alone_needs_polygons(self, syria: Gazetteer) -> None:
        hint = refused(syria, named(at=(36.2, 37.1)))[1]
        assert hint.startswith("a point alone needs polygons: add names, or start with --boundaries")
        assert "'Xyzzy' is not in the gazetteer; a point alone" in refused(syria, named("Xyzzy", at=(36.2, 37.1)))[1]

    def test_it_is_refused_every_time_it_comes(self, syria: Gazetteer) -> None:
        assert refused(syria, named("Xyzzy")) == refused(syria, named("Xyzzy"))


class TestPoints:
    def test_a_point_inside_a_polygon_is_there(self, small: Gazetteer) -> None:
        located = small.locate(named(at=(30.5, 11.5)))
        assert (located.region, located.by, located.name, located.conflict) == ("SY02", "point", None, None)

    def test_the_point_of_a_report_known_to_the_country_only_says_nothing_of_a_region(self, small: Gazetteer) -> None:
        """Data sets put such events in the middle of the country: false precision."""
        assert refused(small, named(at=(30.5, 11.5), precision=PlacePrecision.COUNTRY))[0] == "unknown_place"

    def test_a_point_just_outside_goes_to_the_nearest_with_a_note(self, small: Gazetteer) -> None:
        located = small.locate(named(at=(31.03, 10.5)))
        assert located.region == "SY01"
        assert located.conflict == "point lies 3.3 km outside SY01 West, the nearest region"

    def test_degrees_of_longitude_are_shorter(self, small: Gazetteer) -> None:
        # 0.05 degrees are 5.6 km northward, but 4.8 km eastward at this latitude.
        assert refused(small, named(at=(31.05, 10.5)))[0] == "unknown_place"
        assert small.locate(named(at=(30.5, 9.95))).region == "SY01"

    def test_the_nearer_of_two_regions_is_taken(self, small: Gazetteer) -> None:
        assert small.locate(named(at=(31.02, 11.01))).region == "SY02"
        assert small.locate(named(at=(31.02, 10.99))).region == "SY01"

    def test_a_point_far_outside_is_unknown(self, small: Gazetteer) -> None:
        code, hint = refused(small, named(at=(11.5, 30.5)))
        assert code == "unknown_place"
        assert hint.startswith("the point lies outside every region: latitude and longitude may be swapped")
        assert "'Xyzzy' is not in the gazetteer; the point lies" in refused(small, named("Xyzzy", at=(11.5, 30.5)))[1]

    def test_a_feed_is_told_of_swapped_figures_only_where_they_would_fit(self, small: Gazetteer) -> None:
        hint = refused(small, named(at=(52.5, 13.4)))[1]
        assert hint == "the point lies outside every region; give an OCHA P-code or the governorate's name"

    def test_beside_a_name_it_is_noted(self, small: Gazetteer) -> None:
        assert small.locate(named("West", at=(11.5, 30.5))).conflict == "point lies outside every region"

    def test_just_outside_the_region_the_name_says_is_no_conflict(self, small: Gazetteer) -> None:
        assert small.locate(named("West", at=(31.03, 10.5))).conflict is None
        assert small.locate(named("East", at=(31.03, 10.5))).conflict == (
            "point lies in SY01 West; point lies 3.3 km outside SY01 West, the nearest region"
        )

    def test_a_point_on_a_border_falls_to_the_same_side_every_time(self, small: Gazetteer) -> None:
        located = small.locate(named(at=(30.5, 11.0)))
        assert located.region == "SY01"
        assert located.conflict == "point lies on the border of SY01 West and SY02 Middle"

    def test_the_poles_are_unknown_and_no_crash(self, small: Gazetteer) -> None:
        assert refused(small, named(at=(90.0, 0.0)))[0] == "unknown_place"
        assert refused(small, named(at=(-90.0, 180.0)))[0] == "unknown_place"


@pytest.fixture(scope="module")
def with_polygons() -> Gazetteer:
    return load_gazetteer("syria", shared_data("cod_ab_syria/syr_adm1_simplified_0.01deg.geojson"))


class TestRealBoundaries:
    @pytest.mark.parametrize(
        ("at", "region"),
        [((36.151583, 36.967750), "SY02"), ((33.5138, 36.2765), "SY01"), ((34.8423, 36.7308), "SY04")],
    )
    def test_known_places_are_where_they_should_be(
        self, with_polygons: Gazetteer, at: tuple[float, float], region: str
    ) -> None:
        assert with_polygons.locate(named(at=at)).region == region

    def test_nearly_every_ucdp_event_lies_where_its_governorate_says(self, with_polygons: Gazetteer) -> None:
        path = shared_data("ucdp_ged_syria/ged_syria_2016-08_2016-10.csv")
        checked = conflicts = 0
        with path.open(encoding="utf-8", newline="") as rows:
            for row in csv.DictReader(rows):
                if row["adm_1"]:
                    checked += 1
                    place = named(row["adm_1"], at=(float(row["latitude"]), float(row["longitude"])))
                    conflicts += with_polygons.locate(place).conflict is not None
        assert checked > 1_400
        assert conflicts / checked < 0.02


class TestFiles:
    def write(self, folder: Path, text: str) -> str:
        path = folder / "g.toml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    def load(self, folder: Path, text: str) -> str:
        with pytest.raises(GazetteerError) as caught:
            load_gazetteer(self.write(folder, text))
        assert "\n" not in str(caught.value)
        return str(caught.value)

    def test_syria_is_shipped_with_fourteen_governorates(self, syria: Gazetteer) -> None:
        assert "syria" in shipped_gazetteers()
        assert list(syria.names()) == [f"SY{number:02d}" for number in range(1, 15)]
        assert syria.names()["SY03"] == "Rural Damascus"

    def test_a_file_that_is_not_there_is_answered_with_those_shipped(self) -> None:
        with pytest.raises(GazetteerError, match=r"atlantis: cannot be read: .*; shipped gazetteers: .*syria"):
            load_gazetteer("atlantis")

    def test_what_is_not_toml_names_its_line(self, tmp_path: Path) -> None:
        assert ": line 2: not TOML: " in self.load(tmp_path, "a = 1\nb ==\n")

    def test_every_fault_names_its_line(self, tmp_path: Path) -> None:
        text = SMALL.replace('title = "Three squares in a row"\n', "").replace("country_names", "country_nmes")
        said = self.load(tmp_path, text)
        assert "title: required, but missing" in said
        assert "line 3: country_nmes: unknown key; did you mean 'country_names'?" in said

    def test_names_that_stand_for_two_things_are_refused(self, tmp_path: Path) -> None:
        text = SMALL.replace("places = [", 'places = [{ name = "Ton", names = ["Town"], region = "SY02" }, ')
        assert "'Town' stands for SY02 and for SY01" in self.load(tmp_path, text)
        text = SMALL.replace('english = "East"', 'english = "East", names = ["West"]')
        assert "'West' stands for SY01 and for SY03" in self.load(tmp_path, text)

    def test_regions_that_are_not_there_or_there_twice_are_refused(self, tmp_path: Path) -> None:
        text = SMALL.replace('name = "Town", region = "SY01"', 'name = "--", region = "SY09"')
        text = text.replace('countryside = "SY03"', 'countryside = "SY08"').replace(
            '"SY03", english', '"SY01", neighbours = ["SY01", "SY02", "SY07"], english'
        )
        said = self.load(tmp_path, text)
        assert "SY01: its neighbour SY01 is itself; SY01: its neighbour SY07 is not among the regions" in said
        assert "region SY01 is listed twice" in said
        assert "'--' lies in SY09, which is not among the regions" in said
        assert "'--' has no letters to compare" in said
        assert "SY02: its countryside SY08 is not among the regions" in said


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Khan Touman", "khan tuman"),
        ("خان طومان", "khan tuman"),
        ("Jabal Tharda, near Deir al-Zor airport", "jabal tharda"),
        ("Market, Khan Tuman town", "khan tuman"),
        ("al-Mashariqa quarter, Aleppo city", "mashariqa"),
        ("al-Nowhere quarter, Aleppo city", "nowhere quarter"),
        ("Market, Nowhereville", "market nowhereville"),
        ("Nowhereville", "nowhereville"),
        ("Nowhereville town", "nowhereville"),
        ("village of Nowhereville", "nowhereville"),
        ("Kafar Naha", "kafr naha"),
        ("Aleppo", None),
        ("Aleppo city", None),
        ("northern Aleppo countryside", None),
        ("Khan Tuman countryside", None),
        ("Syria", None),
        ("Khan Tuman or Atarib", None),
    ],
)
def test_a_place_has_one_key_however_it_is_spelled_and_a_region_none(
    syria: Gazetteer, name: str, key: str | None
) -> None:
    assert syria.locate(named(name, pcode="SY02")).key == key


def test_the_most_exact_name_alone_is_compared(syria: Gazetteer) -> None:
    assert syria.locate(named("Aleppo", "Khan Tuman")).key == "khan tuman"
    assert syria.locate(named("Khan Tuman", "Aleppo")).key is None
    assert syria.locate(named(pcode="SY02")).key is None


@pytest.mark.parametrize(
    ("names", "at", "precision", "middle"),
    [
        (("Aleppo", "Al Atarib town"), (36.1390, 36.8250), PlacePrecision.EXACT, True),
        (("Aleppo", "Al Atarib town"), (36.1450, 36.8300), PlacePrecision.EXACT, True),
        (("Aleppo", "Al Atarib town"), (36.1500, 36.8250), PlacePrecision.EXACT, False),
        (("Aleppo", "Al Atarib town"), (36.1390, 36.8250), PlacePrecision.NEAR, False),
        (("Aleppo", "Al Atarib town"), None, PlacePrecision.EXACT, False),
        (("Aleppo city",), (36.2010, 37.1610), PlacePrecision.EXACT, True),
        (("Aleppo city", "Mashariqa quarter"), (36.2010, 37.1610), PlacePrecision.EXACT, False),
        (("Aleppo or Idleb",), (36.2010, 37.1610), PlacePrecision.EXACT, False),
        ((), (36.2010, 37.1610), PlacePrecision.EXACT, False),
    ],
)
def test_an_exact_point_may_be_no_more_than_the_middle_of_the_named_town(
    syria: Gazetteer, names: tuple[str, ...], at: tuple[float, float] | None, precision: PlacePrecision, middle: bool
) -> None:
    assert syria.locate(named(*names, pcode="SY02", at=at, precision=precision)).middle is middle


def test_a_repeated_place_costs_next_to_nothing(syria: Gazetteer) -> None:
    places = [named(pcode="SY02"), named("Aleppo Governorate", "Urum al-Kubra"), named("Homs", at=(34.8, 36.7))]
    for place in places:
        syria.locate(place)
        # A look into the cache, where a search makes a hundred calls.
        assert calls(lambda place=place: syria.locate(place)) < 10


@pytest.mark.parametrize(
    ("names", "of_region"),
    [
        (["Aleppo"], True),
        (["Halab (Aleppo)"], True),
        (["Rif Dimashq"], True),
        (["Aleppo governorate"], True),
        (["Aleppo", "Urum al-Kubra"], False),
        (["Rif Dimashq", "Moadamiyeh"], False),
        (["Moadamiyeh, Rif Dimashq"], False),
        (["Aleppo", "a hamlet nobody lists"], False),
    ],
)
def test_the_most_exact_name_may_be_a_regions_own(names: list[str], of_region: bool, syria: Gazetteer) -> None:
    assert syria.locate(Place.model_validate({"names": names})).names_region is of_region


def test_a_place_without_a_name_names_no_region(syria: Gazetteer) -> None:
    assert not syria.locate(Place.model_validate({"pcode": "SY02"})).names_region


def test_a_new_point_does_not_take_a_known_name_apart_again(syria: Gazetteer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Points are nearly as many as reports: what is remembered by name and point together is hardly ever met again."""
    names = ("Aleppo Governorate", "Jabal Tharda, near the airport")
    first = syria.locate(named(*names, at=(34.8, 36.7)))
    monkeypatch.setattr("schemas.gazetteer_names.words_of", lambda name: pytest.fail(f"{name} was taken apart"))
    assert syria.locate(named(*names, at=(34.9, 36.7))).key == first.key == "jabal tharda"
