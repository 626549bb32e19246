"""Resolution of stated places to regions.

A P-code decides before all else, and after it the most exact of names and point (``Exactness``). Whatever disagrees
with the decision is kept beside it as the place's ``conflict``, for a person to look at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import cos, hypot, radians
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from schemas.errors import ReportRejected
from schemas.facts import Located
from schemas.gazetteer_file import GazetteerFile, gazetteer_bytes, parse_gazetteer
from schemas.gazetteer_index import Exactness
from schemas.gazetteer_names import PlaceNames
from schemas.pcodes import region_of
from schemas.rejects import RejectCode
from schemas.reports import Place, PlacePrecision
from schemas.reports.parts import Point

if TYPE_CHECKING:
    from schemas.boundaries import Boundaries

#: Places kept resolved: a year of reports names some thousand places, and each costs about half a kilobyte.
CACHED_PLACES = 50_000

#: Exactness of a point by its stated precision. Any other point is the middle of an area.
_POINTS: Mapping[PlacePrecision, Exactness] = {
    PlacePrecision.EXACT: Exactness.SITE,
    PlacePrecision.NEAR: Exactness.TOWN,
    PlacePrecision.DISTRICT: Exactness.DISTRICT,
}
#: Two gazetteers put the middle of one town about so far apart, in degrees of latitude: a kilometre.
_MIDDLE = 1 / 111.2
_UNKNOWN = "a point of unknown precision may be the middle of a wider area"


class _Stated(NamedTuple):
    """A place as the caches know it; the point of a place known to the country only is left out."""

    pcode: str | None
    names: tuple[str, ...]
    latitude: float | None = None
    longitude: float | None = None
    precision: PlacePrecision = PlacePrecision.UNKNOWN


class _Found(NamedTuple):
    """Resolution of a place in one way.

    ``what`` names the way in a conflict.
    """

    by: str
    region: str
    what: str
    exactness: Exactness
    towns: tuple[str, ...] = ()
    gives_way: tuple[str, ...] = ()


class _Findings:
    """Ways in which one place was resolved, with the remarks for a person to look at."""

    def __init__(self) -> None:
        self.found: list[_Found] = []
        self.open_names: list[tuple[str, tuple[str, ...]]] = []
        self.notes: list[str] = []
        #: What can be said of the point where it finds no region.
        self.point_hint: str | None = None
        self.point_note: str | None = None

    def deciding(self) -> _Found:
        """Return the most exact finding, the first of several; a region's name used of others gives way to theirs."""
        first = min(self.found, key=_exactness)
        others = [
            other for other in self.found if other.region in first.gives_way and other.exactness <= Exactness.REGION
        ]
        return min(others, key=_exactness, default=first)


_Answer = Located | tuple[RejectCode, str]


class Gazetteer:
    """Resolver of places; made by :func:`load_gazetteer`."""

    def __init__(self, file: GazetteerFile, source: str, boundaries: Boundaries | None = None) -> None:
        self._regions = MappingProxyType({region.pcode: region.english for region in file.regions})
        self._spellings = MappingProxyType({region.pcode: region.spellings for region in file.regions})
        self._country = file.country
        self._names = PlaceNames(file, source)
        self._boundaries = boundaries
        # One cache per gazetteer, in C: a repeated place costs a tuple and a lookup.
        self._answer = lru_cache(maxsize=CACHED_PLACES)(self._resolve)
        self._answer_without_point = lru_cache(maxsize=CACHED_PLACES)(self._resolve_without_point)

    def names(self) -> Mapping[str, str]:
        """Return the English name of every region, by P-code."""
        return self._regions

    def spellings(self) -> Mapping[str, tuple[str, ...]]:
        """Return every name of each region, the English one first, by P-code."""
        return self._spellings

    def boundary_notes(self) -> Sequence[str]:
        """Return what was skipped of the boundaries, for their operator to look at."""
        return self._boundaries.notes if self._boundaries else ()

    def locate(self, place: Place) -> Located:
        """Resolve a place to its region.

        ``Located.name`` is the most exact name the source gives, as written, ``Located.key`` what it is compared by.

        Raises:
            ReportRejected: ``unknown_place`` or ``ambiguous_place``, with candidates in the hint, or
                ``outside_agreements`` for a place of another country.
        """
        # The point of a report known to the country only is the country's middle: it says nothing of a region.
        point = None if place.precision is PlacePrecision.COUNTRY else place.point
        names = tuple(place.names)
        if point is None:
            answer = self._answer_without_point(place.pcode, names)
        else:
            # Without polygons a point tells no region: points differ, and the rest of a place repeats.
            if self._boundaries is None:
                answer = self._answer_without_point(place.pcode, names)
                if isinstance(answer, Located):
                    return self._at_point(answer, place.precision, point)
            answer = self._answer(_Stated(place.pcode, names, point.latitude, point.longitude, place.precision))
        if isinstance(answer, Located):
            return answer
        code, hint = answer
        raise ReportRejected(code, hint)

    def _at_point(self, located: Located, precision: PlacePrecision, point: Point) -> Located:
        """Return a place that was located without its point, with the point."""
        name, latitude, longitude = located.name, point.latitude, point.longitude
        return Located(
            located.region,
            located.by,
            name,
            latitude,
            longitude,
            located.conflict,
            located.key,
            located.names_region,
            precision is PlacePrecision.EXACT and name is not None and self._is_middle(latitude, longitude, name),
        )

    def _resolve_without_point(self, pcode: str | None, names: tuple[str, ...]) -> _Answer:
        return self._resolve(_Stated(pcode, names))

    def _resolve(self, stated: _Stated) -> _Answer:
        findings = _Findings()
        self._by_pcode(stated.pcode, findings)
        for name in stated.names:
            self._by_name(name, findings)
        self._by_point(stated, findings)
        if not findings.found:
            if stated.pcode is not None and not stated.pcode.startswith(self._country):
                # No slip of a feed, as an unknown name or swapped coordinates may be.
                return RejectCode.OUTSIDE_AGREEMENTS, f"P-code {stated.pcode} is not of {self._country}"
            return self._unresolved(stated, findings)
        decided = findings.deciding()
        exact = stated.names[-1] if stated.names else None
        return Located(
            region=decided.region,
            by=decided.by,
            name=exact,
            latitude=stated.latitude,
            longitude=stated.longitude,
            conflict="; ".join(self._conflicts(decided, stated, findings)) or None,
            key=None if exact is None else self._names.key(exact),
            names_region=exact is not None and self._names.is_region(exact),
            middle=exact is not None
            and stated.latitude is not None
            and stated.longitude is not None
            and stated.precision is PlacePrecision.EXACT
            and self._is_middle(stated.latitude, stated.longitude, exact),
        )

    def _is_middle(self, latitude: float, longitude: float, name: str) -> bool:
        """Whether an exact point is no more than the middle of the town it is named by."""
        middle = self._names.middle(name)
        if middle is None:
            return False
        east = (longitude - middle[1]) * cos(radians(middle[0]))
        return hypot(latitude - middle[0], east) <= _MIDDLE

    def _by_pcode(self, pcode: str | None, findings: _Findings) -> None:
        """Add the region of a P-code. An unknown one is noted."""
        if pcode is None:
            return
        region = region_of(pcode, self._regions)
        if region is not None:
            findings.found.append(_Found("pcode", region, f"P-code {pcode}", Exactness.PCODE))
        elif pcode != self._country:
            findings.notes.append(f"P-code {pcode} is unknown")

    def _by_name(self, name: str, findings: _Findings) -> None:
        """Add the region of an unambiguous name, or a name with its candidates."""
        entry = self._names.find(name)
        if entry is None:
            return
        if entry.look_alike:
            findings.notes.append(f"{name!r} is easily confused with {entry.look_alike!r}")
        if entry.beside:
            findings.notes.append(f"name {name!r} also names {self._list(entry.beside, 'and')}")
        if len(entry.regions) > 1:
            findings.open_names.append((name, entry.regions))
            return
        (region,) = entry.regions
        findings.found.append(_Found("name", region, f"name {name!r}", entry.exactness, entry.towns, entry.gives_way))

    def _by_point(self, stated: _Stated, findings: _Findings) -> None:
        """Add the region of a point. One outside every region is noted."""
        if stated.latitude is None or stated.longitude is None:
            return
        if self._boundaries is None:
            findings.point_hint = "a point alone needs polygons: add names, or start with --boundaries"
            return
        if stated.precision is PlacePrecision.UNKNOWN and self._says_the_country_only(stated):
            findings.point_hint = "the point may be the country's middle: state its precision"
            return
        hit = self._boundaries.at(stated.latitude, stated.longitude)
        if hit is None:
            findings.point_hint = self._boundaries.outside(stated.latitude, stated.longitude)
            findings.notes.append("point lies outside every region")
            return
        # Near a border the polygons do not tell for certain: whatever a name says tells better.
        exactness = Exactness.AREA if hit.note else _POINTS.get(stated.precision, Exactness.AREA)
        findings.found.append(_Found("point", hit.region, "point", exactness))
        findings.point_note = hit.note

    def _conflicts(self, decided: _Found, stated: _Stated, findings: _Findings) -> list[str]:
        """Return all that disagrees with a decision or makes it doubtful."""
        region = decided.region
        elsewhere = [found for found in findings.found if region not in (found.region, *found.towns)]
        said = [f"{found.what} lies in {self._label(found.region)}" for found in elsewhere]
        said += [
            f"name {name!r} fits {self._list(candidates)} only"
            for name, candidates in findings.open_names
            if region not in candidates
        ]
        said += findings.notes
        if findings.point_note and (decided.by == "point" or any(found.by == "point" for found in elsewhere)):
            said.append(findings.point_note)
        if decided.towns and not any(found is not decided and found.region == region for found in findings.found):
            said.append(f"{decided.what} is also a town's in {self._list(decided.towns, 'and')}")
        if decided.by == "point" and stated.precision is PlacePrecision.UNKNOWN:
            said.append(_UNKNOWN)
        elif decided.by == "point" and decided.exactness > Exactness.SITE and self._says_the_country_only(stated):
            said.append("only the whole country is named: the point may be its middle")
        return said

    def _says_the_country_only(self, stated: _Stated) -> bool:
        said = [stated.pcode == self._country] if stated.pcode is not None else []
        said += map(self._names.is_country, stated.names)
        return bool(said) and all(said)

    def _unresolved(self, stated: _Stated, findings: _Findings) -> tuple[RejectCode, str]:
        if findings.open_names:
            said = "; ".join(f"{name!r} may be in {self._list(candidates)}" for name, candidates in findings.open_names)
            return RejectCode.AMBIGUOUS_PLACE, f"{said}: add the governorate's name or P-code"
        said = "; ".join(map(self._names.guess, stated.names))
        if not said and stated.pcode is not None:
            said = f"P-code {stated.pcode} is {'the whole country' if stated.pcode == self._country else 'unknown'}"
        hints = [hint for hint in (said, findings.point_hint, RejectCode.UNKNOWN_PLACE.hint) if hint]
        return RejectCode.UNKNOWN_PLACE, "; ".join(hints)

    def _label(self, region: str) -> str:
        return f"{region} {self._regions[region]}"

    def _list(self, regions: tuple[str, ...], word: str = "or") -> str:
        return f" {word} ".join(map(self._label, regions))


def _exactness(found: _Found) -> Exactness:
    return found.exactness


def load_gazetteer(name_or_path: str, boundaries: Path | None = None) -> Gazetteer:
    """Load a shipped gazetteer by name or one from a file, with polygons from a GeoJSON file when given.

    Raises:
        GazetteerError: one line that says what is wrong, and where.
    """
    file, gazetteer = _loaded(name_or_path, gazetteer_bytes(name_or_path))
    if boundaries is None:
        return gazetteer
    # Only who has polygons pays for loading shapely and numpy: a fifth of a second at every start.
    from schemas.boundaries import load_boundaries, refuse_other_scheme

    polygons = load_boundaries(boundaries, gazetteer.names(), file.country)
    refuse_other_scheme(boundaries, polygons, {region.pcode: region.centre for region in file.regions if region.centre})
    return Gazetteer(file, name_or_path, polygons)


@lru_cache(maxsize=4)
def _loaded(source: str, body: bytes) -> tuple[GazetteerFile, Gazetteer]:
    """Return a gazetteer, made once for the same bytes: a worker that starts and a recount ask for it several times."""
    file = parse_gazetteer(source, body)
    return file, Gazetteer(file, source)
