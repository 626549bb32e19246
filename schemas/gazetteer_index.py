"""Index of a gazetteer, from folded words to regions."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from schemas.errors import GazetteerError
from schemas.gazetteer_file import GazetteerFile
from schemas.placenames import words_of

Words = tuple[str, ...]


class Exactness(IntEnum):
    """Exactness of one way to find a region; the lowest decides."""

    PCODE = 0
    #: A region's name that no town bears, such as "Homs Governorate".
    REGION_ALONE = 1
    SITE = 2
    TOWN = 3
    DISTRICT = 4
    #: A region's bare name: most are also their capital's, and used of all that lies around it.
    REGION = 5
    #: A point that stands for an area.
    AREA = 6


class Entry(NamedTuple):
    """Meaning of a name.

    Attributes:
        regions: one region, or several candidates.
        look_alike: a like-sounding place elsewhere.
        is_region: the name is a region's own.
        key: that of a place, however it is spelled.
        exactness: what the name is more and less exact than.
        towns: regions in which a town bears this region's name.
        gives_way: regions that this region's name is used of too; a more exact word for one of them decides.
        beside: regions that less exact parts of the name stand for.
    """

    regions: tuple[str, ...]
    look_alike: str | None = None
    is_region: bool = False
    key: str | None = None
    exactness: Exactness = Exactness.TOWN
    towns: tuple[str, ...] = ()
    gives_way: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()


class Index:
    """Entries by folded words, the spellings to suggest, and the faults found."""

    def __init__(self, regions: list[str]) -> None:
        self.entries: dict[Words, Entry] = {}
        self.spellings: dict[str, str] = {}
        self.faults = [
            f"region {code} is listed twice" for code in sorted({c for c in regions if regions.count(c) > 1})
        ]
        self._regions = regions

    def add(self, names: list[str], entry: Entry) -> None:
        """Add every name of one region, of one place, or that several regions share.

        A name of two regions or of two places is a fault, as is one without letters. A place may bear a region's
        name.
        """
        for code in entry.regions:
            if code not in self._regions:
                self.faults.append(f"{names[0]!r} lies in {code}, which is not among the regions")
        for name in names:
            words = words_of(name)
            if not words:
                self.faults.append(f"{name!r} has no letters to compare")
            elif (other := self.entries.setdefault(words, entry)).regions == entry.regions:
                where = " or ".join(entry.regions)
                spelling = names[0] if entry.is_region else f"{names[0]} ({where})"
                self.spellings.setdefault(" ".join(words), spelling)
            elif other.is_region and not entry.is_region:
                self.entries[words] = self._shared(other, entry)
            else:
                self.faults.append(f"{name!r} stands for {other.regions[0]} and for {entry.regions[0]}")

    def _shared(self, region: Entry, other: Entry) -> Entry:
        """Return the meaning of a region's name that a town elsewhere bears, or that is listed as shared."""
        if len(other.regions) > 1:
            return region._replace(regions=tuple(dict.fromkeys(region.regions + other.regions)))
        towns = region.towns + other.regions
        return region._replace(towns=towns, gives_way=tuple(dict.fromkeys(region.gives_way + towns)))


def index_of(file: GazetteerFile, source: str) -> Index:
    """Return the index of a gazetteer; ``source`` names it in errors.

    Raises:
        GazetteerError: with every fault.
    """
    known = [region.pcode for region in file.regions]
    index = Index(known)
    for region in file.regions:
        gives_way = () if region.countryside is None else (region.countryside,)
        entry = Entry((region.pcode,), is_region=True, exactness=Exactness.REGION, gives_way=gives_way)
        index.add(list(region.spellings), entry)
        if file.country.startswith(region.pcode):
            index.faults.append(f"{region.pcode}: every code of the country {file.country} begins with it")
        if region.countryside is not None and region.countryside not in known:
            index.faults.append(f"{region.pcode}: its countryside {region.countryside} is not among the regions")
        index.faults += [
            f"{region.pcode}: its neighbour {code} is {'itself' if code == region.pcode else 'not among the regions'}"
            for code in region.neighbours
            if code == region.pcode or code not in known
        ]
    for place in file.places:
        key = " ".join(words_of(place.name))
        index.add([place.name, *place.names], Entry((place.region,), place.easily_confused_with, key=key))
    for shared in file.ambiguous:
        index.add([shared.name, *shared.names], Entry(tuple(shared.regions), key=" ".join(words_of(shared.name))))
    if index.faults:
        raise GazetteerError(f"{source}: {'; '.join(index.faults)}")
    return index
