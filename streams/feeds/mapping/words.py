"""Digits, blanks and names of months, as people of several languages write them in cells."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TypeVar

_Found = TypeVar("_Found")
#: Characters of a cell that is remembered, at most: thousands of long ones would fill the memory.
_SHORT = 100

#: Months in English, French, Spanish and Portuguese, and in the Arabic of the Levant, of Egypt and of the Maghreb.
_MONTHS = (
    ("January", "jan janv janvier enero janeiro يناير جانفي|كانون الثاني"),
    ("February", "feb févr février fév febrero fevereiro فبراير فيفري شباط"),
    ("March", "mar mars marzo março مارس آذار"),
    ("April", "apr avr avril abril أبريل ابريل أفريل نيسان"),
    ("May", "may mai mayo maio مايو ماي أيار"),
    ("June", "jun juin junio junho يونيو جوان حزيران"),
    ("July", "jul juil juillet julio julho يوليو جويلية تموز"),
    ("August", "aug août aout agosto أغسطس أوت آب"),
    ("September", "sep sept septembre septiembre setembro سبتمبر أيلول"),
    ("October", "oct octobre octubre outubro أكتوبر|تشرين الأول"),
    ("November", "nov novembre noviembre novembro نوفمبر|تشرين الثاني"),
    ("December", "dec déc décembre diciembre dezembro ديسمبر|كانون الأول"),
)


def plain(text: str) -> str:
    """Return a text with ASCII digits and single blanks, without marks of direction."""
    if text.isascii():
        return " ".join(text.split())
    # A long text is written with few letters.
    foreign = [each for each in set(text) if not each.isascii()]
    changed = {
        ord(each): str(unicodedata.decimal(each)) if each.isdecimal() else None
        for each in foreign
        if each.isdecimal() or unicodedata.category(each) == "Cf"
    }
    return " ".join(unicodedata.normalize("NFC", text.translate(changed)).split())


def remembering(function: Callable[[str], _Found]) -> Callable[[str], _Found]:
    """Return a function of cells that remembers what it found of short ones: columns hold few words, over and over."""
    remembered = lru_cache(4_096)(function)

    @wraps(function)
    def found(text: str) -> _Found:
        return remembered(text) if len(text) <= _SHORT else function(text)

    return found


@remembering
def folded(text: str) -> str:
    """Return what two cells share that say the same: letter case, digits and blanks do not count."""
    return plain(text).casefold()


def canonical(column: str) -> str:
    """Return a column's name without blanks around it; an HXL tag with its attributes in order."""
    name = " ".join(column.split())
    if not name.startswith("#"):
        return name
    tag, *attributes = name.replace(" ", "").casefold().split("+")
    return "+".join([tag, *sorted(attributes)])


def _by_word() -> dict[str, str]:
    named = {}
    for month, words in _MONTHS:
        single, _, double = words.partition("|")
        for word in (*single.split(), *([double] if double else []), month):
            named[folded(word)] = month
    return named


_NAMED = _by_word()
_MONTH = re.compile(
    r"(?<!\w)(" + "|".join(sorted(map(re.escape, _NAMED), key=len, reverse=True)) + r")\b\.?", re.IGNORECASE
)


def in_english(text: str) -> str:
    """Return a date with the English names of its months, and ``1er`` as ``1``."""
    text = re.sub(r"\b1er\b", "1", text, flags=re.IGNORECASE)
    return _MONTH.sub(lambda found: _NAMED[found[1].casefold()], text)
