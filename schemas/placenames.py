"""Spellings of place names, made comparable: Latin and Arabic, any case, accents and punctuation."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

#: Written for hamza and ʿayn, or lost from them: Dar'a, Dar`a, Darʿa and Dara are one name.
_APOSTROPHES = dict.fromkeys(map(ord, "'’‘`´ʼ′"))
#: Letters Arabic writers use for one another at the ends of words and on borrowed keyboards.
_ARABIC = str.maketrans({"ة": "ه", "ى": "ي", "ٱ": "ا", "ک": "ك", "ی": "ي"})
_DROPPED = ("Mn", "Me", "Lm", "Cf")
#: Words that a name is compared without, in English transliteration and in languages of the feeds.
ARTICLES = frozenset(
    ("al", "el", "ar", "as", "ad", "ash", "at", "ath", "az", "an", "ez", "es", "the", "of", "in", "de")
)
_ARABIC_ARTICLE = "ال"

_EITHER = re.compile(r"\s+(?:or|أو|او)\s+|/", re.IGNORECASE)
_WITHIN = re.compile(r"[,;،؛()\[\]]|\s+[-–—]\s+")


class Parts(NamedTuple):
    """A name taken apart. ``alternatives`` when the writer left open which part is meant."""

    names: list[str]
    alternatives: bool


def words_of(name: str) -> tuple[str, ...]:
    """Return the words of a name as they are compared: folded, without articles, accents and punctuation.

    A name that consists of articles only keeps them.
    """
    text = unicodedata.normalize("NFKD", name.translate(_APOSTROPHES)).casefold().translate(_ARABIC)
    letters = (letter for letter in text if unicodedata.category(letter) not in _DROPPED)
    words = "".join(letter if letter.isalnum() else " " for letter in letters).split()
    kept = [_without_article(word) for word in words if word not in ARTICLES]
    return tuple(kept or words)


def parts_of(name: str) -> Parts:
    """Take a name apart at ``or`` and slashes, or else at commas, brackets and dashes; one part when there are none."""
    either = [part.strip() for part in _EITHER.split(name) if part.strip()]
    if len(either) > 1:
        return Parts(either, alternatives=True)
    return Parts([part.strip() for part in _WITHIN.split(name) if part.strip()], alternatives=False)


def _without_article(word: str) -> str:
    # Two letters are too little to be a name: what is left would match by accident.
    bare = word.removeprefix(_ARABIC_ARTICLE)
    return bare if len(bare) > 2 else word
