"""Digits, blanks and names of months, as people of several languages write them in cells."""

from __future__ import annotations

import re
import unicodedata

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
    ascii_digits = "".join(str(unicodedata.decimal(each)) if each.isdecimal() else each for each in text)
    kept = (each for each in ascii_digits if unicodedata.category(each) != "Cf")
    return " ".join(unicodedata.normalize("NFC", "".join(kept)).split())


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
