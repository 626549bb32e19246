"""Addresses of the page, with the view at each and the questions it takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from schemas.errors import UsageError
from streams.page import pages, tables
from streams.page.answers import Answer, Form

NAV = [
    ("/", "Overview"),
    ("/feeds", "Feeds"),
    ("/convoys", "Convoys"),
    ("/parties", "Parties"),
    ("/declared", "Declared clock"),
    ("/rejects", "Rejects"),
    ("/tables", "Tables"),
]
_FORMS: dict[str, Form] = {"html": "html", "json": "json", "csv": "csv"}
View = Callable[..., Answer]
#: A view of None takes the columns of its table as questions.
_ADDRESSES: list[tuple[re.Pattern[str], View, frozenset[str] | None]] = [
    (re.compile(pattern), view, None if asked is None else frozenset(asked.split()))
    for pattern, view, asked in (
        ("/", pages.overview_of, "from to as_of"),
        ("/region/([^/]+)", pages.region, ""),
        ("/region/([^/]+)/([^/]+)", pages.day, "as_of"),
        ("/feeds", pages.feeds, ""),
        ("/convoys", pages.convoys, ""),
        ("/parties", pages.parties, ""),
        ("/declared", pages.declared, "as_of"),
        ("/rejects", pages.refused, "code feed pending offset"),
        ("/tables", tables.catalogue, ""),
        ("/tables/([^/]+)", tables.table, None),
    )
]


def form_of(query: Mapping[str, str]) -> tuple[Form, str | None, dict[str, str]]:
    """Return the form and the section an address asks for, and its other questions.

    Raises:
        UsageError: there is no such form.
    """
    form = _FORMS.get(query.get("format", "html"))
    if form is None:
        raise UsageError(f"format={query['format']} is no form", f"there are {', '.join(_FORMS)}")
    return form, query.get("section"), {name: query[name] for name in query if name not in ("format", "section")}


def view_at(path: str, query: Mapping[str, str]) -> tuple[View, tuple[str, ...]]:
    """Return the view at a path, and what the path names.

    Raises:
        UsageError: there is no such path, or it takes no such question.
    """
    for pattern, view, names in _ADDRESSES:
        found = pattern.fullmatch(path)
        if found is None:
            continue
        if names is not None and not query.keys() <= names:
            unknown = ", ".join(sorted(query.keys() - names))
            raise UsageError(f"{path} takes no {unknown}", f"it takes {', '.join(sorted(names)) or 'none'}")
        return view, found.groups()
    raise UsageError("there is no such page")
