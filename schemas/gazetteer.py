"""Resolution of stated places to regions.

A P-code decides before names, and names before coordinates. Whatever disagrees with the decision is kept
beside it as the place's ``conflict``, for a person to look at. A conflict never changes the region.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from schemas.errors import ReportRejected
from schemas.facts import Located
from schemas.gazetteer_file import GazetteerFile, gazetteer_bytes, parse_gazetteer
from schemas.gazetteer_index import Entry, index_of
from schemas.missing import is_missing
from schemas.placenames import parts_of, words_of
from schemas.rejects import RejectCode
from schemas.reports import Place, PlacePrecision

if TYPE_CHECKING:
    from schemas.boundaries import Boundaries

#: Places kept resolved: a year of reports names some thousand places, and each costs about half a kilobyte.
CACHED_PLACES = 50_000


class _Found(NamedTuple):
    """Resolution of a place in one way.

    ``what`` names the way in a conflict.
    """

    by: str
    region: str
    what: str


_Answer = Located | tuple[RejectCode, str]


class Gazetteer:
    """Resolver of places; made by :func:`load_gazetteer`."""

    def __init__(self, file: GazetteerFile, source: str, boundaries: Boundaries | None = None) -> None:
        self._names = MappingProxyType({region.pcode: region.english for region in file.regions})
        self._country = file.country
        self._countries = {words_of(name) for name in file.country_names}
        self._neutral = frozenset(word for name in file.neutral_words for word in words_of(name))
        self._rural = frozenset(word for name in file.rural_words for word in words_of(name))
        self._countryside = {region.pcode: region.countryside for region in file.regions if region.countryside}
        index = index_of(file, source)
        self._entries, self._spellings = index.entries, index.spellings
        self._boundaries = boundaries
        # One cache per gazetteer, in C: a repeated place costs a tuple and a lookup.
        self._answer = lru_cache(maxsize=CACHED_PLACES)(self._resolve)
        # Points are nearly as many as reports, names are few: a new point must not take its names apart once more.
        self._search = lru_cache(maxsize=CACHED_PLACES)(self._find)
        self._key = lru_cache(maxsize=CACHED_PLACES)(self._find_key)
        self._is_region = lru_cache(maxsize=CACHED_PLACES)(self._find_whether_region)

    def names(self) -> Mapping[str, str]:
        """Return the English name of every region, by P-code."""
        return self._names

    def locate(self, place: Place) -> Located:
        """Resolve a place to its region.

        ``Located.name`` is the most exact name the source gives, as written, ``Located.key`` what it is compared by.

        Raises:
            ReportRejected: ``unknown_place`` or ``ambiguous_place``, with candidates in the hint, or
                ``outside_agreements`` for a place of another country.
        """
        # The point of a report known to the country only is the country's middle: it says nothing of a region.
        point = None if place.precision is PlacePrecision.COUNTRY else place.point
        if point is None:
            answer = self._answer(place.pcode, tuple(place.names), None, None)
        else:
            answer = self._answer(place.pcode, tuple(place.names), point.latitude, point.longitude)
        if isinstance(answer, Located):
            return answer
        code, hint = answer
        raise ReportRejected(code, hint)

    def _resolve(
        self, pcode: str | None, names: tuple[str, ...], latitude: float | None, longitude: float | None
    ) -> _Answer:
        notes: list[str] = []
        found = [*self._by_pcode(pcode, notes)]
        open_names = self._by_names(names, found, notes)
        self._by_point(latitude, longitude, found, notes)
        if not found:
            if pcode is not None and not pcode.startswith(self._country):
                # No slip of a feed, as an unknown name or swapped coordinates may be.
                return RejectCode.OUTSIDE_AGREEMENTS, f"P-code {pcode} is not of {self._country}"
            return self._unresolved(pcode, names, open_names, latitude is not None)
        by, region, _ = found[0]
        conflicts = [f"{other.what} lies in {self._label(other.region)}" for other in found if other.region != region]
        conflicts += [
            f"name {name!r} fits {self._list(candidates)} only"
            for name, candidates in open_names
            if region not in candidates
        ]
        return Located(
            region=region,
            by=by,
            name=names[-1] if names else None,
            latitude=latitude,
            longitude=longitude,
            conflict="; ".join(conflicts + notes) or None,
            key=self._key(names[-1]) if names else None,
            names_region=bool(names) and self._is_region(names[-1]),
        )

    def _by_pcode(self, pcode: str | None, notes: list[str]) -> Iterator[_Found]:
        """Yield the region of a P-code. An unknown one is noted."""
        if pcode is None:
            return
        if pcode[:4] in self._names:
            yield _Found("pcode", pcode[:4], f"P-code {pcode}")
        elif pcode != self._country:
            notes.append(f"P-code {pcode} is unknown")

    def _by_names(
        self, names: tuple[str, ...], found: list[_Found], notes: list[str]
    ) -> list[tuple[str, tuple[str, ...]]]:
        """Add the regions of unambiguous names; return the other names with their candidates."""
        open_names = []
        for name in names:
            entry = self._search(name)
            if entry is None:
                continue
            if entry.look_alike:
                notes.append(f"{name!r} is easily confused with {entry.look_alike!r}")
            if len(entry.regions) == 1:
                found.append(_Found("name", entry.regions[0], f"name {name!r}"))
            else:
                open_names.append((name, entry.regions))
        return open_names

    def _by_point(self, latitude: float | None, longitude: float | None, found: list[_Found], notes: list[str]) -> None:
        """Add the region of a point. A point outside every region, or near a border, is noted."""
        if latitude is None or longitude is None or self._boundaries is None:
            return
        hit = self._boundaries.at(latitude, longitude)
        if hit is None:
            notes.append("point lies outside every region")
            return
        found.append(_Found("point", hit.region, "point"))
        if hit.note and (found[0].by == "point" or found[0].region != hit.region):
            notes.append(hit.note)

    def _find_key(self, name: str) -> str | None:
        """Return the key of a place of this name; None for the name of a region, or one that is left open.

        The key is the first known place among its parts, or else all of it that is no region's. So a market or a
        quarter is told from that of another town by the words beside it.
        """
        parts, alternatives = parts_of(name)
        if alternatives:
            return None
        unknown: list[str] = []
        for words in (words_of(part) for part in parts if not is_missing(part)):
            bare = tuple(word for word in words if word not in self._neutral and word not in self._rural)
            entry = self._entries.get(words)
            if entry is None:
                if any(word in self._rural for word in words):
                    # The country around a town is wider than the town: two strikes in it may lie far apart.
                    continue
                entry = self._entries.get(bare)
            if entry is not None and entry.key is not None:
                return entry.key
            if entry is None and bare and words not in self._countries:
                unknown += words
        return " ".join(unknown) or None

    def _unresolved(
        self,
        pcode: str | None,
        names: tuple[str, ...],
        open_names: list[tuple[str, tuple[str, ...]]],
        has_point: bool,
    ) -> tuple[RejectCode, str]:
        if open_names:
            said = "; ".join(f"{name!r} may be in {self._list(candidates)}" for name, candidates in open_names)
            return RejectCode.AMBIGUOUS_PLACE, f"{said}: add the governorate's name or P-code"
        said = "; ".join(self._guess(name) for name in names)
        if not said and pcode is not None:
            said = f"P-code {pcode} is {'the whole country' if pcode == self._country else 'unknown'}"
        if has_point and self._boundaries is None:
            said += f"{'; ' if said else ''}a point alone needs polygons: add names, or start with --boundaries"
        elif has_point:
            said += f"{'; ' if said else ''}the point lies outside every region: latitude and longitude may be swapped"
        return RejectCode.UNKNOWN_PLACE, f"{said}; {RejectCode.UNKNOWN_PLACE.hint}"

    def _guess(self, name: str) -> str:
        words = words_of(name)
        if words in self._countries:
            return f"{name!r} is the whole country"
        close = get_close_matches(" ".join(words), self._spellings, n=9, cutoff=0.75)
        # Many spellings of one town are one suggestion.
        shown = ", ".join(list(dict.fromkeys(self._spellings[key] for key in close))[:3])
        return f"{name!r} is not in the gazetteer{'; did you mean ' + shown + '?' if shown else ''}"

    def _find(self, name: str) -> Entry | None:
        """Return the entry of a name: as a whole, without words such as governorate, or by its parts."""
        words = words_of(name)
        if (entry := self._entries.get(words)) is not None:
            return entry
        bare = tuple(word for word in words if word not in self._neutral and word not in self._rural)
        if bare != words and (entry := self._entries.get(bare)) is not None:
            if entry.is_region and any(word in self._rural for word in words):
                region = entry.regions[0]
                return entry._replace(regions=(self._countryside.get(region, region),))
            return entry
        parts, alternatives = parts_of(name)
        if len(parts) < 2:
            return None
        hits = [hit for part in parts if (hit := self._search(part)) is not None]
        if alternatives and len(hits) < len(parts):
            # One of the alternatives is a place we do not know: taking the other would be a guess.
            return None
        sure = list(dict.fromkeys(hit.regions[0] for hit in hits if len(hit.regions) == 1))
        regions = sure or list(dict.fromkeys(region for hit in hits for region in hit.regions))
        if not regions:
            return None
        return Entry(tuple(regions), next((hit.look_alike for hit in hits if hit.look_alike), None))

    def _find_whether_region(self, name: str) -> bool:
        """Whether a name, or every part of it, is a region's own: "Aleppo" and "Halab (Aleppo)"."""
        parts = parts_of(name).names
        found = self._search(name)
        if found is not None and len(parts) > 1:
            return found.is_region or all(self._is_region(part) for part in parts)
        return found is not None and found.is_region

    def _label(self, region: str) -> str:
        return f"{region} {self._names[region]}"

    def _list(self, regions: tuple[str, ...]) -> str:
        return " or ".join(map(self._label, regions))


def load_gazetteer(name_or_path: str, boundaries: Path | None = None) -> Gazetteer:
    """Load a shipped gazetteer by name or one from a file, with polygons from a GeoJSON file when given.

    Raises:
        GazetteerError: one line that says what is wrong, and where.
    """
    file, gazetteer = _loaded(name_or_path, gazetteer_bytes(name_or_path))
    if boundaries is None:
        return gazetteer
    # Only who has polygons pays for loading shapely and numpy: a fifth of a second at every start.
    from schemas.boundaries import load_boundaries

    return Gazetteer(file, name_or_path, load_boundaries(boundaries, gazetteer.names()))


@lru_cache(maxsize=4)
def _loaded(source: str, body: bytes) -> tuple[GazetteerFile, Gazetteer]:
    """Return a gazetteer, made once for the same bytes: a worker that starts and a recount ask for it several times."""
    file = parse_gazetteer(source, body)
    return file, Gazetteer(file, source)
