"""Parties that reports accuse, found however their names are written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from pydantic import Field

from schemas.language import Language
from schemas.placenames import parts_of, words_of
from schemas.plain_words import Loc
from schemas.reports import Name

#: Accusations kept resolved: a year of reports makes some thousand, and each costs about half a kilobyte.
CACHED_ACCUSATIONS = 50_000


class AgreementParty(Language):
    """A party that reports accuse, by every name they use for it."""

    name: Name = Field(description="What the party is called wherever it is shown.")
    spellings: list[Name] = Field(
        default_factory=list, max_length=1000, description="Other names reports use, in any script."
    )
    side: Name = Field(description="The side it is on, in the agreement's words.")

    @property
    def names(self) -> tuple[str, ...]:
        """Its name and its spellings."""
        return (self.name, *self.spellings)


class PartyNames:
    """Index of the names of an agreement's parties; names are compared as names of places are."""

    def __init__(self, parties: Iterable[AgreementParty]) -> None:
        self._parties = {words_of(name): party.name for party in parties for name in party.names}
        self.accused = lru_cache(maxsize=CACHED_ACCUSATIONS)(self._accused)

    def knows(self, name: str) -> bool:
        """Whether a party is called so."""
        return words_of(name) in self._parties

    def _accused(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Return whom one accusation may mean, each once and sorted; a name of no party stays as it is written."""
        return tuple(sorted({party for name in names for party in self._meant_by(name)}))

    def _meant_by(self, name: str) -> list[str]:
        whole = self._parties.get(words_of(name))
        if whole is not None:
            return [whole]
        parts, alternatives = parts_of(name)
        return [self._parties.get(words_of(part), part) for part in parts] if alternatives else [name]


def unusable_names(parties: Sequence[AgreementParty]) -> Iterator[tuple[Loc, str, str]]:
    """Yield the names that tell no party, each with its place among the parties and what is wrong with it."""
    bearers: dict[tuple[str, ...], int] = {}
    for index, party in enumerate(parties):
        places: list[Loc] = [("name",), *(("spellings", place) for place in range(len(party.spellings)))]
        for place, name in zip(places, party.names, strict=True):
            words = words_of(name)
            bearer = bearers.setdefault(words, index)
            if not words:
                yield (index, *place), name, "has no letter to compare by"
            elif bearer != index:
                yield (index, *place), name, f"is compared like a name of {parties[bearer].name!r}"
