"""Boundary files: what is read, skipped with a note, or refused in words; and no feed is blamed for them."""

from __future__ import annotations

import json
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from schemas.boundaries import Boundaries, load_boundaries, refuse_other_scheme
from schemas.errors import GazetteerError
from schemas.gazetteer import load_gazetteer
from tests.support.polygons import features, square
from tests.support.shared_data import shared_data

NAMES = MappingProxyType({"SY01": "West", "SY02": "Middle", "SY03": "East"})
#: Three squares in a row, the first around Damascus.
THREE = [({"ADM1_PCODE": f"SY0{number}"}, square(35.0 + number, 33.0)) for number in (1, 2, 3)]


def swapped(geometry: dict[str, Any]) -> dict[str, Any]:
    rings = [[position[::-1] for position in ring] for ring in geometry["coordinates"]]
    return {**geometry, "coordinates": rings}


def written(folder: Path, document: Any) -> Path:
    path = folder / "b.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return path


def loaded(folder: Path, document: Any, country: str = "SY") -> Boundaries:
    return load_boundaries(written(folder, document), NAMES, country)


def said(folder: Path, document: Any, country: str = "SY") -> str:
    with pytest.raises(GazetteerError) as caught:
        loaded(folder, document, country)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{folder / 'b.json'}: ")


class TestForm:
    def test_a_missing_file_is_said(self, tmp_path: Path) -> None:
        with pytest.raises(GazetteerError, match="cannot be read: No such file"):
            load_boundaries(tmp_path / "gone.json", NAMES, "SY")

    def test_lists_within_lists_without_end_are_said(self, tmp_path: Path) -> None:
        assert said(tmp_path, "[" * 200_000) == "not GeoJSON: lists within lists without end"

    @pytest.mark.parametrize("document", ["[]", "{}", '{"features": 1}', '{"features": []}', '{"type": "Topology"}'])
    def test_what_is_no_feature_collection_is_said(self, tmp_path: Path, document: str) -> None:
        assert said(tmp_path, document) == "not a GeoJSON FeatureCollection with features"

    def test_what_is_not_json_is_said(self, tmp_path: Path) -> None:
        assert said(tmp_path, "{").startswith("not JSON: ")

    @pytest.mark.parametrize("properties", [{}, {"name": "West"}, {"ADM1_PCODE": ""}, {"ADM1_PCODE": 1}, None])
    def test_a_file_without_pcodes_is_said(self, tmp_path: Path, properties: Any) -> None:
        document = features((properties, square(10)))
        assert said(tmp_path, document) == "no feature has a P-code; expected a property ADM1_PCODE such as SY02"

    @pytest.mark.parametrize(
        "geometry",
        [
            5,
            {"type": "Polygon"},
            {"type": "Polygon", "coordinates": [[1, 2]]},
            {"type": "Polygon", "coordinates": [[["1", "2"], ["1", "2"]]]},
            {"type": "Polygon", "coordinates": [[[True, False], [True, False]]]},
            {"type": "MultiPolygon", "coordinates": square(10)["coordinates"]},
        ],
    )
    def test_a_broken_geometry_is_said(self, tmp_path: Path, geometry: Any) -> None:
        document = features(({"pcode": "SY01"}, geometry))
        assert said(tmp_path, document).startswith("feature 1 (SY01): its geometry is not GeoJSON: ")

    @pytest.mark.parametrize("geometry", [{}, {"type": "Point", "coordinates": [1, 2]}, {"type": "GeometryCollection"}])
    def test_anything_but_an_area_is_said(self, tmp_path: Path, geometry: Any) -> None:
        document = features(({"pcode": "SY01"}, geometry))
        assert said(tmp_path, document).startswith("feature 1 (SY01): expected a Polygon or MultiPolygon, found ")

    @pytest.mark.parametrize("cut", [slice(0, 4), slice(1, 5)])
    def test_a_ring_that_is_not_closed_is_said(self, tmp_path: Path, cut: slice) -> None:
        ring = square(10)["coordinates"][0][cut]
        document = features(*THREE, ({"pcode": "SY01"}, {"type": "Polygon", "coordinates": [ring]}))
        assert said(tmp_path, document) == (
            "feature 4 (SY01): a ring is not closed: its first and last positions differ"
        )

    def test_a_ring_that_is_a_line_is_said(self, tmp_path: Path) -> None:
        document = features(({"pcode": "SY01"}, {"type": "Polygon", "coordinates": [[[1, 2], [3, 4], [1, 2]]]}))
        assert said(tmp_path, document) == (
            "feature 1 (SY01): a ring has 3 positions; expected 4 or more, the last like the first"
        )

    def test_heights_are_left_out(self, tmp_path: Path) -> None:
        pairs = [(properties, {**geometry}) for properties, geometry in THREE]
        for _, geometry in pairs:
            geometry["coordinates"] = [[[*position, 700.0] for position in ring] for ring in geometry["coordinates"]]
        hit = loaded(tmp_path, features(*pairs)).at(34.01, 36.5)
        assert hit is not None
        assert (hit.region, hit.note) == ("SY01", "point lies 1.1 km outside SY01 West, the nearest region")

    def test_a_hole_is_another_place(self, tmp_path: Path) -> None:
        outer, (hole,) = square(36.0, 33.0), square(36.0, 33.0)["coordinates"]
        hole = [[36.5 + (x - 36.5) / 2, 33.5 + (y - 33.5) / 2] for x, y in hole]
        pierced = {"type": "Polygon", "coordinates": [*outer["coordinates"], hole]}
        boundaries = loaded(tmp_path, features(({"pcode": "SY01"}, pierced), *THREE[1:]))
        assert boundaries.at(33.5, 36.5) is None
        assert boundaries.at(33.1, 36.1) == ("SY01", None)


class TestSkipped:
    def test_features_without_an_area_are_skipped_with_a_note(self, tmp_path: Path) -> None:
        empty: list[Any] = [None, {"type": "Polygon", "coordinates": []}, {"type": "MultiPolygon", "coordinates": [[]]}]
        empty += [{"type": "Polygon", "coordinates": [[]]}, {"type": "Polygon", "coordinates": [[[1, 2]] * 4]}]
        document = features(*THREE, *[({"pcode": "SY04"}, geometry) for geometry in empty], ({}, None))
        document["features"] += [5] * 8
        (note,) = loaded(tmp_path, document).notes
        assert note.startswith("skipped, having no area: feature 4 (SY04), feature 5 (SY04), feature 6 (SY04), ")
        assert note.endswith(", feature 8 (SY04), feature 9, feature 10, feature 11, feature 12, feature 13 and 4 more")

    def test_where_they_leave_a_region_without_a_polygon_both_are_said(self, tmp_path: Path) -> None:
        document = features(*THREE[:2], ({"pcode": "SY03"}, None))
        assert said(tmp_path, document) == "no polygon for SY03; skipped, having no area: feature 3 (SY03)"
        assert said(tmp_path, features(*THREE[:1])) == "no polygon for SY02, SY03"
        assert said(tmp_path, features(({"pcode": "SY03"}, None))) == "no feature has an area"

    def test_features_of_other_countries_are_skipped_and_no_feed_is_blamed(self, tmp_path: Path) -> None:
        document = features(*THREE, ({"pcode": "IQ01"}, square(39.0, 33.0)), ({"name": "a lake"}, square(35.0, 33.0)))
        boundaries = loaded(tmp_path, document)
        assert boundaries.notes == ("skipped, being of no region of the gazetteer: IQ01, an area without a P-code",)
        # Just across the border it is Iraq, and no longer the region nearest to it.
        for longitude in (39.01, 39.5):
            assert boundaries.at(33.5, longitude) is None
            assert boundaries.outside(33.5, longitude) == "the point lies in IQ01, which is no region of the gazetteer"
        assert boundaries.at(34.01, 39.01) == (
            "SY03",
            "point lies 1.4 km outside SY03 East, the nearest region",
        )
        assert boundaries.outside(33.5, 35.5).startswith("the point lies in an area without a P-code, ")
        assert boundaries.outside(50.0, 8.0) == "the point lies outside every region"
        assert boundaries.outside(36.5, 33.5) == (
            "the point lies outside every region: latitude and longitude may be swapped"
        )


class TestReferenceSystems:
    @pytest.mark.parametrize(
        "system",
        [
            None,
            {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}},
            {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4326"}},
            {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG:6.9:4326"}},
            {"type": "name", "properties": {"name": "http://www.opengis.net/def/crs/OGC/1.3/CRS84"}},
            {"type": "name", "properties": {"name": "EPSG:4326"}},
            {"type": "EPSG", "properties": {"code": 4326}},
        ],
    )
    def test_wgs84_is_read_by_whatever_name(self, tmp_path: Path, system: Any) -> None:
        assert loaded(tmp_path, {**features(*THREE), "crs": system}).notes == ()

    @pytest.mark.parametrize(
        "system",
        [
            {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32637"}},
            {"type": "name", "properties": {"name": "EPSG:104326"}},
            {"type": "name", "properties": {"name": "WGS 84 / UTM zone 37N"}},
            {"type": "EPSG", "properties": {"code": 14326}},
            {"type": "link", "properties": {"href": "http://example.org/crs"}},
            {"type": "name", "properties": None},
            "EPSG:3857",
        ],
    )
    def test_any_other_is_refused_wherever_it_stands(self, tmp_path: Path, system: Any) -> None:
        words = "states another reference system than WGS 84, "
        assert said(tmp_path, {**features(*THREE), "crs": system}).startswith(f"it {words}")
        document = features(*THREE)
        document["features"][1]["crs"] = system
        assert said(tmp_path, document).startswith(f"feature 2 (SY02) {words}")
        document = features(*THREE[:2], (THREE[2][0], {**THREE[2][1], "crs": system}))
        assert said(tmp_path, document).startswith(f"feature 3 (SY03) {words}")

    @pytest.mark.parametrize(
        ("west", "south", "guess"),
        [
            (330_000, 4_000_000, "the file may be projected"),
            (10**400, 3, "the file may be projected"),
            (20, 96, "latitudes may stand before longitudes"),
        ],
    )
    def test_what_are_no_degrees_is_refused(self, tmp_path: Path, west: int, south: int, guess: str) -> None:
        document = features(({"pcode": "SY01"}, square(west, south)))
        assert said(tmp_path, document) == f"feature 1 (SY01): coordinates are not WGS 84 degrees; {guess}"

    def test_nan_is_no_degree(self, tmp_path: Path) -> None:
        geometry = {"type": "Polygon", "coordinates": [[[float("nan"), 1]] * 4]}
        assert said(tmp_path, features(({"pcode": "SY01"}, geometry))).endswith("the file may be projected")

    def test_latitudes_that_stand_first_are_refused(self, tmp_path: Path) -> None:
        """Both figures are degrees, and only the country's chief cities tell which is which."""
        document = features(*[(properties, swapped(geometry)) for properties, geometry in THREE])
        assert said(tmp_path, document) == (
            "latitudes stand before longitudes, since only so SY's chief cities lie in it; "
            "GeoJSON has the longitude first"
        )

    @pytest.mark.parametrize("country", ["XX", "MMR", "UA"])
    def test_a_country_whose_cities_lie_elsewhere_tells_nothing_of_the_axes(self, country: str, tmp_path: Path) -> None:
        assert loaded(tmp_path, features(*THREE), country).notes == ()


class TestReach:
    def test_districts_make_up_their_governorate(self, tmp_path: Path) -> None:
        pairs = [({"ADM1_PCODE": "SY0101"}, square(36)), ({"ADM1_PCODE": "SY0102"}, square(36, 31))]
        boundaries = loaded(tmp_path, features(*pairs, *THREE[1:]))
        for latitude in (30.5, 31.5, 31.0):
            assert boundaries.at(latitude, 36.5) == ("SY01", None)

    def test_the_longest_listed_code_of_any_level_is_the_region(self, tmp_path: Path) -> None:
        pairs = [({"ADM1_PCODE": "SYA", "ADM2_PCODE": f"SY0{number}77"}, square(35.0 + number)) for number in (1, 2, 3)]
        assert loaded(tmp_path, features(*pairs)).at(30.5, 37.5) == ("SY02", None)

    def test_a_city_within_its_province_is_reached_though_the_province_has_no_hole(self, tmp_path: Path) -> None:
        around = {"type": "Polygon", "coordinates": [[[35, 32], [38, 32], [38, 35], [35, 35], [35, 32]]]}
        pairs = [({"pcode": "SY01"}, around), ({"pcode": "SY02"}, square(36, 33)), ({"pcode": "SY03"}, square(38, 33))]
        boundaries = loaded(tmp_path, features(*pairs))
        assert boundaries.at(33.5, 36.5) == (
            "SY02",
            "point lies where polygons overlap, of SY02 Middle and SY01 West",
        )
        assert boundaries.at(32.5, 36.5) == ("SY01", None)

    def test_a_region_that_no_point_could_reach_is_refused(self, tmp_path: Path) -> None:
        pairs = [*THREE[:2], ({"pcode": "SY03"}, square(37.0, 33.0))]
        assert said(tmp_path, features(*pairs)) == "no point could reach SY03, as the polygon of SY02 covers it"
        # A further polygon of its own is enough.
        for further in (square(50.0, 33.0), square(34.0, 33.0)):
            assert loaded(tmp_path, features(*pairs, ({"pcode": "SY03"}, further))).notes == ()
            assert loaded(tmp_path, features(({"pcode": "SY03"}, further), *pairs)).notes == ()


class TestRealFiles:
    def test_a_null_geometry_is_skipped(self) -> None:
        gazetteer = load_gazetteer("syria", shared_data("../cases/geojson/null.geojson"))
        assert gazetteer.boundary_notes() == ("skipped, having no area: feature 15 (SY02)",)

    def test_swapped_axes_are_refused(self) -> None:
        with pytest.raises(GazetteerError, match="latitudes stand before longitudes"):
            load_gazetteer("syria", shared_data("../cases/geojson/swapped.geojson"))


class TestCentres:
    @pytest.mark.parametrize("centre", [(33.5, 36.5), (33.5, 37.03), (33.5, 35.97)])
    def test_a_centre_in_its_region_or_just_outside_fits(self, tmp_path: Path, centre: tuple[float, float]) -> None:
        """Simplified polygons end some kilometres off."""
        apart = [THREE[0], ({"ADM1_PCODE": "SY02"}, square(37.1, 33.0)), THREE[2]]
        boundaries = loaded(tmp_path, features(*apart))
        refuse_other_scheme(tmp_path, boundaries, {"SY01": centre})

    def test_centres_in_other_regions_or_in_none_tell_another_scheme(self, tmp_path: Path) -> None:
        boundaries = loaded(tmp_path, features(*THREE))
        centres = {"SY01": (33.5, 37.5), "SY02": (50.0, 37.5), "SY03": (33.5, 38.5)}
        with pytest.raises(GazetteerError, match=r"it has that of SY01 in SY02, SY02 in none; the codes may be of"):
            refuse_other_scheme(tmp_path, boundaries, centres)
