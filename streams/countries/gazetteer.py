"""Gazetteer drafted from the areas of a country."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from schemas.boundary_file import some_of
from schemas.gazetteer_file import AmbiguousEntry, GazetteerFile, PlaceEntry, RegionEntry
from schemas.gazetteer_index import Words
from schemas.placenames import words_of
from streams.countries.areas import AreaNames, Areas
from streams.countries.shapes import Shape, shapes_of

#: Words around names, in languages of the feeds.
_WORDS: Mapping[str, Sequence[str]] = {
    "region_words": (
        "governorate", "governorates", "province", "provinces", "state", "oblast", "wilaya", "muhafazat",
        "gouvernorat", "département", "departamento", "provincia", "محافظة", "ولاية", "область",
    ),
    "town_words": (
        "city", "town", "village", "ville", "ciudad", "pueblo", "مدينة", "بلدة", "قرية", "місто", "село", "город",
    ),
    "neutral_words": (
        "region", "district", "subdistrict", "area", "zone", "locality", "neighbourhood", "neighborhood", "quarter",
        "northern", "southern", "eastern", "western", "central", "north", "south", "east", "west",
        "منطقة", "ناحية", "حي", "район",
    ),
    "rural_words": ("rural", "countryside", "outskirts", "rif", "ريف"),
}  # fmt: skip


class Draft(NamedTuple):
    """A drafted gazetteer, and notes of what was left out or decided."""

    file: GazetteerFile
    notes: list[str]


def draft_gazetteer(areas: Areas, source: str, made: date) -> Draft:
    """Return the gazetteer of a country's areas.

    A name of several regions is listed as ambiguous, so that no report is put into one of them by chance.
    """
    regions = sorted(areas.regions.values(), key=lambda region: region.code)
    places = sorted(areas.places.values(), key=lambda place: (place.region, place.code))
    of_regions, of_places = _bearers(regions), _bearers(places)
    shapes = shapes_of({region.code: region.polygons for region in regions if region.polygons})
    shared = _shared(of_regions, of_places)
    # A word that names of the country are made of tells them apart.
    used = {word for area in (*regions, *places) for name in area.names for word in words_of(name)}
    names = areas.country.names
    notes = list(areas.notes)
    if shapes and (missing := [region.code for region in regions if region.code not in shapes]):
        notes.append(f"without a polygon, so without a centre: {some_of(missing)}")
    if shared:
        notes.append(f"names of several regions, listed under ambiguous: {some_of([each.name for each in shared])}")
    file = GazetteerFile(
        title=f"{names[0] if names else areas.country.code}: regions by P-code",
        sources=[f"{source}, read on {made.isoformat()}"],
        country=areas.country.code,
        country_names=names,
        regions=[_region(region, of_regions, shapes.get(region.code)) for region in regions],
        places=_places(places, {words_of(each.name) for each in shared}),
        ambiguous=shared,
        **{key: [word for word in words if used.isdisjoint(words_of(word))] for key, words in _WORDS.items()},
    )
    return Draft(file, notes)


class _Bearers(NamedTuple):
    """Regions that a name leads to, in order, and the name as it is written."""

    name: str
    regions: dict[str, None]


def _bearers(areas: Iterable[AreaNames]) -> dict[Words, _Bearers]:
    found: dict[Words, _Bearers] = {}
    for area in areas:
        for name in area.names:
            found.setdefault(words_of(name), _Bearers(name, {})).regions[area.region or area.code] = None
    return found


def _shared(of_regions: Mapping[Words, _Bearers], of_places: Mapping[Words, _Bearers]) -> list[AmbiguousEntry]:
    """Return the names that several regions, or places of several regions, bear.

    A place may bear the name of one region it does not lie in: alone the name is the region's.
    """
    shared: dict[Words, _Bearers] = {}
    for bearers in (of_regions, of_places):
        for words, (name, regions) in bearers.items():
            if len(regions) > 1 or words in shared:
                shared.setdefault(words, _Bearers(name, {})).regions.update(regions)
    return [AmbiguousEntry(name=name, regions=list(regions)) for name, regions in shared.values()]


def _region(region: AreaNames, bearers: Mapping[Words, _Bearers], shape: Shape | None) -> RegionEntry:
    first, *others = region.names
    own = [name for name in others if len(bearers[words_of(name)].regions) == 1]
    local = next((name for name in own if _script(name) != _script(first)), None)
    return RegionEntry.model_validate(
        {
            "pcode": region.code,
            # Two regions of one name are shown, and compared, with their codes.
            "english": first if len(bearers[words_of(first)].regions) == 1 else f"{first} ({region.code})",
            "local": local,
            "names": [name for name in own if name != local],
            "centre": shape and shape.centre,
            "neighbours": list(shape.neighbours) if shape else [],
        }
    )


def _places(places: Iterable[AreaNames], shared: set[Words]) -> list[PlaceEntry]:
    """Return the places by their own names; those of one region that are called alike are one."""
    merged: defaultdict[tuple[str, Words], dict[Words, str]] = defaultdict(dict)
    for place in places:
        own = {words: name for name in place.names if (words := words_of(name)) not in shared}
        if own:
            merged[place.region, next(iter(own))].update(own)
    return [
        PlaceEntry.model_validate({"name": name, "region": region, "names": others})
        for (region, _), own in merged.items()
        for name, *others in [list(own.values())]
    ]


def _script(name: str) -> str:
    """Return the script of a name by its first letter, such as LATIN or ARABIC."""
    letter = next(letter for letter in name if letter.isalnum())
    return unicodedata.name(letter, "").partition(" ")[0]
