"""Index of a gazetteer, from folded words to regions."""

from __future__ import annotations

from typing import NamedTuple

from schemas.errors import GazetteerError
from schemas.gazetteer_file import GazetteerFile
from schemas.placenames import words_of

Words = tuple[str, ...]


class Entry(NamedTuple):
    """Meaning of a name.

    ``regions`` holds one region, or several candidates. ``key`` is that of a place, however it is spelled.
    """

    regions: tuple[str, ...]
    look_alike: str | None = None
    is_region: bool = False
    key: str | None = None


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
        """Add every name of one region or place.

        A name of another region's is a fault, as is one without letters.
        """
        for code in entry.regions:
            if code not in self._regions:
                self.faults.append(f"{names[0]!r} lies in {code}, which is not among the regions")
        for name in names:
            words = words_of(name)
            if not words:
                self.faults.append(f"{name!r} has no letters to compare")
            elif (other := self.entries.setdefault(words, entry)).regions != entry.regions:
                self.faults.append(f"{name!r} stands for {other.regions[0]} and for {entry.regions[0]}")
            else:
                where = " or ".join(entry.regions)
                spelling = names[0] if entry.is_region else f"{names[0]} ({where})"
                self.spellings.setdefault(" ".join(words), spelling)


def index_of(file: GazetteerFile, source: str) -> Index:
    """Return the index of a gazetteer; ``source`` names it in errors.

    Raises:
        GazetteerError: with every fault.
    """
    known = [region.pcode for region in file.regions]
    index = Index(known)
    for region in file.regions:
        local = [] if region.local is None else [region.local]
        index.add([region.english, *local, *region.names], Entry((region.pcode,), is_region=True))
        if file.country.startswith(region.pcode):
            index.faults.append(f"{region.pcode}: every code of the country {file.country} begins with it")
        if region.countryside is not None and region.countryside not in known:
            index.faults.append(f"{region.pcode}: its countryside {region.countryside} is not among the regions")
    for place in file.places:
        key = " ".join(words_of(place.name))
        index.add([place.name, *place.names], Entry((place.region,), place.easily_confused_with, key=key))
    for shared in file.ambiguous:
        index.add([shared.name, *shared.names], Entry(tuple(shared.regions), key=" ".join(words_of(shared.name))))
    if index.faults:
        raise GazetteerError(f"{source}: {'; '.join(index.faults)}")
    return index
