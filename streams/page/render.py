"""Templates of the page, in which every text is escaped."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from schemas.instants import parse_instant
from sinks.records import jsonable
from streams.ops.changes_text import cause_text, field_text, moved_text, turn_text
from streams.ops.explain_text import RULES
from streams.ops.grid import LEGEND, SYMBOLS, figures, mark_words, number, streak_text, word
from streams.ops.status import ago
from streams.ops.wording import clock_time, counted, local_time, one_line, visible

_MARKDOWN = re.compile(r"([\\`*_\[\]<>|#&!~])")


@cache
def templates() -> Environment:
    """Return the environment of the templates."""
    environment = Environment(
        loader=PackageLoader("streams.page"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {
        "ago": ago,
        "at": _at,
        "cause": cause_text,
        "clock": clock_time,
        "column": _column,
        "counted": counted,
        "figures": figures,
        "link": safe_link,
        "marks": mark_words,
        "md": _markdown,
        "moved": moved_text,
        "path": lambda text: quote(str(text), safe=""),
        "streak": streak_text,
        "turn": turn_text,
        "word": word,
    }
    environment.globals |= {
        "LEGEND": LEGEND,
        "RULES": RULES,
        "field_text": field_text,
        "SYMBOLS": SYMBOLS,
        "number": number,
    }
    return environment


def rendered(name: str, **context: Any) -> str:
    """Return a template filled in."""
    return templates().get_template(name).render(**context)


def fragment(name: str, *arguments: Any) -> Markup:
    """Return one part of the overview, a macro of ``fragments.html`` filled in."""
    return Markup(getattr(templates().get_template("fragments.html").module, name)(*arguments))  # noqa: S704 - escaped


def address(path: str, query: Mapping[str, object] | None = None) -> str:
    """Return an address of the page."""
    asked = {name: value for name, value in (query or {}).items() if value is not None}
    return f"{quote(path)}?{urlencode(asked)}" if asked else quote(path)


def safe_link(url: str) -> str | None:
    """Return an address that a source gives, or None where following it could run a script."""
    try:
        return url if urlsplit(url).scheme in ("http", "https") else None
    except ValueError:
        return None


def text_of(value: Any) -> str:
    """Return a value of a table as text: nothing for NULL, UTC instants, JSON for lists."""
    plain = jsonable(value)
    if plain is None:
        return ""
    if isinstance(plain, bool):
        return "true" if plain else "false"
    if isinstance(plain, (list, dict)):
        return json.dumps(plain, ensure_ascii=False, default=str)
    return str(plain)


def _shown(value: Any) -> Any:
    """Return a value whose text neither steers a terminal nor turns the order of letters."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value)
    return "" if value is None else value


def _at(instant: datetime | str | None, zone: str) -> str:
    """Return an instant in the agreement's own time; JSON has it as text."""
    if instant is None:
        return "never"
    return local_time(parse_instant(instant) if isinstance(instant, str) else instant, zone)


def _markdown(text: object) -> Markup:
    """Return a text of which Markdown, and HTML within it, makes nothing."""
    return Markup(_MARKDOWN.sub(r"\\\1", one_line(str(text))))  # noqa: S704 - escaped


def _column(day: date) -> str:
    """Return a truce-day as the head of a column: ``Mon 09-12``."""
    return f"{day:%a} {day.isoformat()[5:]}"
