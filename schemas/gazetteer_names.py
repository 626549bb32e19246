"""Names of a gazetteer, found however they are written."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from functools import lru_cache

from schemas.gazetteer_file import GazetteerFile, Middle
from schemas.gazetteer_index import Entry, Exactness, Words, index_of
from schemas.missing import is_missing
from schemas.placenames import parts_of, words_of

#: Names kept resolved: a year of reports holds some thousand, and each costs about half a kilobyte.
CACHED_NAMES = 50_000


class PlaceNames:
    """Names of one gazetteer.

    Every answer is cached. Points are nearly as many as reports, names are few, so a new point must not take its
    names apart once more.
    """

    def __init__(self, file: GazetteerFile, source: str) -> None:
        index = index_of(file, source)
        self._entries, self._spellings = index.entries, index.spellings
        self._countries = {words_of(name) for name in file.country_names}
        self._rural = _folded(file.rural_words)
        self._of_regions = _folded(file.region_words)
        self._of_towns = _folded(file.town_words)
        self._dropped = _folded(file.neutral_words) | self._rural | self._of_regions | self._of_towns
        self._middles = {" ".join(words_of(place.name)): place.middle for place in file.places if place.middle}
        self._capitals = {region.pcode: region.middle for region in file.regions if region.middle}
        self._countryside = {region.pcode: region.countryside for region in file.regions if region.countryside}
        self.find = lru_cache(maxsize=CACHED_NAMES)(self._find)
        self.key = lru_cache(maxsize=CACHED_NAMES)(self._key)
        self.is_region = lru_cache(maxsize=CACHED_NAMES)(self._is_region)

    def middle(self, name: str) -> Middle | None:
        """Return the middle of the town a name is of; None where the gazetteer does not say."""
        key = self.key(name)
        if key is not None:
            return self._middles.get(key)
        entry = self.find(name)
        return self._capitals.get(entry.regions[0]) if entry is not None and entry.is_region else None

    def is_country(self, name: str) -> bool:
        """Whether a name is the whole country's."""
        return words_of(name) in self._countries

    def guess(self, name: str) -> str:
        """Say what is wrong with a name that was not found, with the spellings closest to it."""
        if self.is_country(name):
            return f"{name!r} is the whole country"
        close = get_close_matches(" ".join(words_of(name)), self._spellings, n=9, cutoff=0.75)
        # Many spellings of one town are one suggestion.
        shown = ", ".join(list(dict.fromkeys(self._spellings[key] for key in close))[:3])
        return f"{name!r} is not in the gazetteer{'; did you mean ' + shown + '?' if shown else ''}"

    def _find(self, name: str) -> Entry | None:
        """Return the entry of a name: as a whole, without words such as governorate, or by its parts."""
        words = words_of(name)
        entry = self._entries.get(words) or self._find_bare(words)
        if entry is None:
            return self._find_parts(name)
        if entry.is_region and any(word in self._of_regions for word in words):
            gives_way = tuple(region for region in entry.gives_way if region not in entry.towns)
            return entry._replace(exactness=Exactness.REGION_ALONE, towns=(), gives_way=gives_way)
        if entry.is_region and any(word in self._of_towns for word in words):
            return entry._replace(
                regions=entry.towns or entry.regions, exactness=Exactness.TOWN, towns=(), gives_way=()
            )
        return entry

    def _find_bare(self, words: Words) -> Entry | None:
        bare = self._bare(words)
        entry = self._entries.get(bare) if bare != words else None
        if entry is not None and entry.is_region and any(word in self._rural for word in words):
            regions = tuple(self._countryside.get(region, region) for region in entry.regions)
            return Entry(regions, is_region=True, exactness=entry.exactness)
        return entry

    def _find_parts(self, name: str) -> Entry | None:
        parts, alternatives = parts_of(name)
        if len(parts) < 2:
            return None
        hits = [hit for part in parts if (hit := self.find(part)) is not None]
        if alternatives and len(hits) < len(parts):
            # One of the alternatives is a place we do not know: taking the other would be a guess.
            return None
        sure = [hit for hit in hits if len(hit.regions) == 1]
        exactness = min((hit.exactness for hit in sure), default=Exactness.TOWN)
        deciding = [hit for hit in sure if alternatives or hit.exactness == exactness] or hits
        if not deciding:
            return None
        regions = _distinct(hit.regions for hit in deciding)
        return Entry(
            regions,
            next((hit.look_alike for hit in hits if hit.look_alike), None),
            exactness=exactness,
            towns=_distinct(hit.towns for hit in deciding),
            gives_way=_distinct(hit.gives_way for hit in deciding),
            beside=tuple(region for region in _distinct(hit.regions for hit in sure) if region not in regions),
        )

    def _key(self, name: str) -> str | None:
        """Return the key of a place of this name; None for the name of a region, or one that is left open.

        The key is the first known place among its parts, or else all of it that is no region's. So a market or a
        quarter is told from that of another town by the words beside it.
        """
        parts, alternatives = parts_of(name)
        if alternatives:
            return None
        unknown: list[str] = []
        for words in (words_of(part) for part in parts if not is_missing(part)):
            bare = self._bare(words)
            entry = self._entries.get(words)
            if entry is None:
                if any(word in self._rural for word in words):
                    # The country around a town is wider than the town: two strikes in it may lie far apart.
                    continue
                entry = self._entries.get(bare)
            if entry is not None and entry.key is not None:
                return entry.key
            if entry is None and bare and words not in self._countries:
                # Who knows no such place writes "Darat Izzah town" as well as "Darat Izzah".
                unknown += [word for word in words if word not in self._of_towns]
        return " ".join(unknown) or None

    def _is_region(self, name: str) -> bool:
        """Whether a name, or every part of it, is a region's own: "Aleppo" and "Halab (Aleppo)"."""
        parts = parts_of(name).names
        found = self.find(name)
        if found is not None and len(parts) > 1:
            return found.is_region or all(self.is_region(part) for part in parts)
        return found is not None and found.is_region

    def _bare(self, words: Words) -> Words:
        return tuple(word for word in words if word not in self._dropped)


def _folded(names: Iterable[str]) -> frozenset[str]:
    return frozenset(word for name in names for word in words_of(name))


def _distinct(groups: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(region for group in groups for region in group))
