"""Draft of a mapping, from the columns of a file and the cells in them."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

from schemas.missing import is_missing
from schemas.reports import IncidentKind
from streams.feeds.kind_words import kind_told
from streams.feeds.mapping.language import MappingFile
from streams.feeds.mapping.tables import table_of
from streams.feeds.mapping.values import NoValue, day, instant
from streams.feeds.mapping.words import folded
from streams.feeds.recorded import opened

#: A day as programs write one that know times alone.
_MIDNIGHT = re.compile(r"[0-9-]+[ T]00:00(?::00(?:\.0+)?)?").fullmatch
#: Rows looked at, and different kinds listed.
MOST_ROWS, _MOST_KINDS = 2_000, 60
#: Words in the names of columns, by the field they speak of; the first of a field that is found is taken.
_WORDS: Mapping[str, Sequence[str]] = {
    "report_id": ("id", "key", "uuid", "number", "no", "n°", "numéro", "code", "ref", "رقم", "الرقم"),
    "reported_at": (
        "reported",
        "told",
        "published",
        "submission",
        "timestamp",
        "constaté",
        "signalé",
        "publié",
        "الإبلاغ",
    ),
    "occurred": ("date", "when", "day", "occurred", "event_date", "jour", "التاريخ", "تاريخ"),
    "region": ("admin1", "adm1", "adm_1", "governorate", "province", "region", "gouvernorat", "المحافظة", "محافظة"),
    "district": ("admin2", "adm2", "adm_2", "district", "territoire", "المنطقة"),
    "place": ("location", "place", "town", "village", "site", "localité", "lieu", "المكان", "البلدة", "الموقع"),
    "latitude": ("latitude", "lat", "خط العرض"),
    "longitude": ("longitude", "lon", "lng", "long", "خط الطول"),
    "kind": ("kind", "what", "type", "sub_event_type", "event", "fait", "incident", "النوع", "نوع", "الحدث"),
    "killed": ("killed", "deaths", "fatalities", "dead", "tués", "morts", "القتلى", "قتلى"),
    "injured": ("injured", "wounded", "blessés", "الجرحى", "جرحى"),
    "note": ("notes", "note", "description", "details", "remarques", "observations", "ملاحظات"),
    "source": ("source", "sources", "المصدر"),
}
#: Beginnings of French and Arabic words for a kind. A word of the air comes before one of guns: قصف جوي.
_STEMS: Mapping[str, str] = {
    "chemical": "chimique chlore كيميائي كيماوي كلور",
    "airstrike": "aérien hélicoptère جوي غار طيران",
    "shelling": "mortier obus artillerie roquette pilonnage مدفعي هاون قذائف قذيفة صاروخ صواريخ قصف",
    "explosive": "explosi mine attentat عبوة لغم ألغام انفجار تفجير",
    "armed_clash": "affrontement accrochage combat اشتباك معرك معارك",
    "small_arms": "fusillade tireur قنص قناص",
    "arrest": "arrestation détention اعتقال احتجاز",
}
#: Forms of dates that are tried, by whether they state a time of day.
_DAYS = ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%Y/%m/%d", "%d %B %Y", "%d-%b-%y", "%B %d, %Y")
_TIMES = tuple(f"{form} {clock}" for form in _DAYS for clock in ("%H:%M", "%H:%M:%S", "%I:%M %p"))
_UTC = ZoneInfo("UTC")


def suggest(path: Path) -> str:
    """Return the draft of a mapping as TOML; what is to be looked at is said in comments.

    Raises:
        InputFileError: there is no table in the file.
    """
    seen: dict[str, Counter[str]] = {}
    with opened(path) as source, table_of(source, str(path), MappingFile.model_validate({"report": {}})) as table:
        for column in table.columns:
            seen[column] = Counter()
        for row in islice(table.rows, MOST_ROWS):
            for column, cell in (row.cells or {}).items():
                if not is_missing(cell):
                    seen.setdefault(column, Counter())[cell] += 1
    return _Draft(path, seen).text()


class _Draft:
    """The lines of a draft."""

    def __init__(self, path: Path, seen: Mapping[str, Counter[str]]) -> None:
        self._path = path
        self._seen = seen
        self._roles = _roles(list(seen))

    def text(self) -> str:
        lines = [
            f"# A draft for {self._path.name}: look at every line, then try it with `trucewatch mapping check`.",
            '# time_zone = "Asia/Damascus"   # of times without an offset; without it the agreement\'s',
            "",
            "[report]",
            'type = "incident"',
            'feed = "my-feed"   # the name of your feed',
            self._identity(),
            *self._times(),
            *self._places(),
            *self._others(),
            *self._kinds(),
        ]
        unused = [column for column in self._seen if column not in self._roles.values()]
        if unused:
            lines += ["", f"# Kept in raw, and mapped to no field: {', '.join(map(_quoted, unused))}"]
        return "\n".join(lines) + "\n"

    def _identity(self) -> str:
        column = self._roles.get("report_id")
        if column is not None:
            return f"report_id = {{ column = {_quoted(column)} }}"
        names = list(self._seen)[:3]
        template = " ".join(f"{{{name}}}" for name in names)
        return f"report_id = {{ template = {_quoted(template)} }}   # no column is an id: name what never changes"

    def _times(self) -> list[str]:
        occurred = self._roles.get("occurred") or self._roles.get("reported_at") or next(iter(self._seen))
        reported = self._roles.get("reported_at", occurred)
        lines = [self._time("reported_at", reported), self._time('"occurred.from"', occurred)]
        if reported == occurred:
            lines[0] += "   # when you said it: no column tells"
        return lines

    def _time(self, field: str, column: str) -> str:
        cells = list(self._seen[column])
        kind, forms = date_forms(cells)
        if kind == "date" and any(_fits("time", cell, "") and not _MIDNIGHT(cell) for cell in cells):
            # A column of times may hold days; a column of days forgets a time.
            kind = "time"
        # Where some cells of a column of times state the day alone, its form is one of theirs.
        days = [
            day
            for day in _DAYS
            if forms and forms[0].startswith(f"{day} ") and any(_fits("date", c, day) for c in cells)
        ]
        formats = f", formats = [{', '.join(map(_quoted, [*forms[:1], *days]))}]" if forms else ""
        both = (
            "   # or is the month first?" if {"%d/%m/%Y", "%m/%d/%Y"} <= {form.split(" ")[0] for form in forms} else ""
        )
        if kind is None:
            both, kind = f"   # no form of a date fits {_quoted(next(iter(self._seen[column]), ''))}", "date"
        return f"{field} = {{ column = {_quoted(column)}, as = {_quoted(kind)}{formats} }}{both}"

    def _places(self) -> list[str]:
        named = [self._roles[role] for role in ("region", "district", "place") if role in self._roles]
        lines = [f'"place.names" = {{ columns = [{", ".join(map(_quoted, named))}] }}'] if named else []
        lines += [
            f'"place.point.{role}" = {{ column = {_quoted(self._roles[role])}, as = "number" }}'
            for role in ("latitude", "longitude")
            if role in self._roles
        ]
        return lines or ['"place.names" = ["?"]   # no column tells where: name the columns of the place']

    def _others(self) -> list[str]:
        forms = {
            "killed": '"deaths.best" = {{ column = {}, as = "integer" }}',
            "injured": '"injured.best" = {{ column = {}, as = "integer" }}',
            "note": "note = {{ column = {} }}",
            "source": 'sources = [{{ name = {{ column = {}, split = ";" }} }}]',
        }
        return [form.format(_quoted(self._roles[role])) for role, form in forms.items() if role in self._roles]

    def _kinds(self) -> list[str]:
        column = self._roles.get("kind")
        if column is None:
            return ['kind = "unspecified"   # no column tells what happened']
        words = self._seen[column]
        lines = [
            f"kind_as_given = {{ column = {_quoted(column)} }}",
            "",
            f"# One of {', '.join(IncidentKind)}.",
            "[report.kind]",
            f"column = {_quoted(column)}",
            "",
            "[report.kind.values]",
        ]
        listed = {folded(word): (word, times) for word, times in reversed(words.most_common(_MOST_KINDS))}
        for word, times in reversed(listed.values()):
            kind = nearest_kind(word)
            look = "" if kind else "; no kind is near: choose one, or list it under [skip]"
            lines.append(f"{_quoted(word)} = {_quoted(kind or 'unspecified')}   # seen {times:,}×{look}")
        if len(words) > _MOST_KINDS:
            lines.append(f"# and {len(words) - _MOST_KINDS:,} more words: is this the column of kinds?")
        return lines if words else ['kind = "unspecified"   # the column of kinds is empty']


def date_forms(cells: Sequence[str]) -> tuple[str | None, list[str]]:
    """Return whether cells are dates or times, and the forms that fit them best; none for ISO 8601."""
    if not cells:
        return "date", []
    fitting = [
        (sum(_fits(kind, cell, form) for cell in cells), kind, form)
        for kind, forms in (("date", ("", *_DAYS)), ("time", ("", *_TIMES)))
        for form in forms
    ]
    # A date also fits a time in ISO 8601, which says more.
    most = max(count for count, _, _ in fitting)
    best = [(kind, form) for count, kind, form in fitting if count == most]
    if most * 2 < len(cells):
        return None, []
    kind = "time" if ("time", "") in best and not all(map(_MIDNIGHT, cells)) else best[0][0]
    return kind, [form for of, form in best if of == kind and form] if (kind, "") not in best else []


def nearest_kind(word: str) -> str | None:
    """Return the kind that a word of a source tells of, or is spelt like; None where none is near."""
    told = kind_told(word)
    if told is not None:
        return told
    parts = [part.removeprefix("ال") for part in folded(word).split()]
    for kind, stems in _STEMS.items():
        if any(part.startswith(stem) for part in parts for stem in map(folded, stems.split())):
            return kind
    close = get_close_matches(folded(word).replace(" ", "_"), list(IncidentKind), n=1, cutoff=0.7)
    return close[0] if close else None


def _fits(kind: str, cell: str, form: str) -> bool:
    try:
        day(cell, [form] if form else []) if kind == "date" else instant(cell, [form] if form else [], _UTC)
    except NoValue:
        return False
    return True


def _roles(columns: Sequence[str]) -> dict[str, str]:
    """Return which column speaks of which field, by the words in its name; each column of one field."""
    roles: dict[str, str] = {}
    # Names that are a word before names that hold it: "event_date" is a date, and "date" is one rather.
    for whole in (True, False):
        for role, words in _WORDS.items():
            for word in words if role not in roles else ():
                found = [c for c in columns if c not in roles.values() and _speaks(folded(c), folded(word), whole)]
                if found:
                    roles[role] = found[0]
                    break
    return roles


def _speaks(column: str, word: str, whole: bool) -> bool:
    if whole:
        return column == word
    parts = column.replace("-", " ").replace("_", " ").replace("+", " ").replace("#", " ").replace(".", " ").split()
    return word in parts


def _quoted(text: str) -> str:
    """Return a text as TOML writes it."""
    return json.dumps(text, ensure_ascii=False)
