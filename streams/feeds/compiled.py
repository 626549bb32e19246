"""Readers of two hand-compiled tables of convoys and violation counts.

Both were compiled from published pages about September 2016. They state no time of day and no time
zone: days are calendar days of the zone given. Each row keeps its page, and every column stays in
``raw``. A word the language lacks is passed on as written, so that intake rejects the row with the
field's name. An ``aggregate`` of several convoys and a country-wide suspension are such words.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from datetime import date
from functools import partial
from itertools import groupby
from typing import Any, BinaryIO, NamedTuple
from zoneinfo import ZoneInfo

from schemas.instants import parse_day
from streams.feeds.cells import given, identity, midnight, midnight_after, whole_number
from streams.feeds.recorded import Recorded
from streams.feeds.table import Row, recorded, reports_of, rows_of

FEED = "compiled-2016"

CONVOY_COLUMNS = (
    "row", "date", "date_basis", "location", "adm1_pcode", "convoy_type", "operator", "trucks", "people_intended",
    "status", "detail", "quote", "source_publisher", "source_url",
)  # fmt: skip
TALLY_COLUMNS = (
    "published", "covers", "monitor", "accused_party", "province_as_written", "violations", "report_total", "note",
    "source_publisher", "source_url",
)  # fmt: skip

_STEPS = {"blocked": "held", "attacked": "attacked", "delivered": "offloaded"}
#: The table calls a convoy delivered where its page only says that it left, or came: a departure is no delivery.
_LESS_THAN_DELIVERED = (("dispatched", r"\bleft\b|\bwill\b"), ("arrived", r"\barrived\b|\bentered\b"))
_MODES = {"cross-border": "cross_border", "cross-line": "cross_line"}

#: One name per monitor: the same as where its bulletins are published directly.
_MONITORS = {"Russian Centre for Reconciliation (Hmeymim)": "russian-centre", "SNHR": "snhr"}
#: The Russian centre writes Damascus for the province around the city: Duma and Harasta are in it.
_PROVINCES = {"Damascus": "SY03"}


class _Span(NamedTuple):
    """A stated stretch of whole days, the last one included."""

    first: date
    last: date
    precision: str


def read_convoys(source: BinaryIO, name: str, time_zone: ZoneInfo) -> Iterator[Recorded]:
    """Yield one convoy report per row.

    Rows of one day and place are steps of one convoy: the table keeps conflicting reports as rows of their own.

    Raises:
        InputFileError: no header, columns missing, not UTF-8, or not CSV.
    """
    rows = rows_of(source, name, "compiled convoys", CONVOY_COLUMNS)
    yield from reports_of(rows, "convoy", FEED, partial(convoy, time_zone=time_zone))


def read_tallies(source: BinaryIO, name: str, time_zone: ZoneInfo) -> Iterator[Recorded]:
    """Yield one bulletin per monitor, period and page; its rows stand together; ``line`` is the last one's.

    Raises:
        InputFileError: no header, columns missing, not UTF-8, or not CSV.
    """
    rows = rows_of(source, name, "compiled tallies", TALLY_COLUMNS)
    for key, group in groupby(rows, _bulletin_of):
        lines = list(group)
        if key is None:
            yield from (row.torn("bulletin", FEED) for row in lines)
        else:
            cells = [row.cells for row in lines if row.cells is not None]
            yield recorded(bulletin(cells, time_zone), lines[-1].line)


def convoy(row: dict[str, str], time_zone: ZoneInfo) -> dict[str, Any]:
    """Turn one row into the JSON of a convoy report; known by the end of its last day, for the table states no more."""
    span = _span(row["date"])
    number, location = identity(row["row"]), given(row["location"])
    place: dict[str, Any] = {"names": [location] if location else [], "precision": "near"}
    if (pcode := identity(row["adm1_pcode"])) is not None:
        place["pcode"] = pcode
    return {
        "type": "convoy",
        "feed": FEED,
        "report_id": number and f"convoy-{number}",
        "reported_at": midnight_after(span.last, time_zone) if span else row["date"],
        # A convoy bound for a place nobody names is one with no other.
        "convoy_id": f"{row['date']} {location or number}",
        "step": _step(row),
        "occurred": _occurred(span, row["date"], time_zone, row["date_basis"]),
        "place": place,
        "mode": next((mode for words, mode in _MODES.items() if words in row["convoy_type"]), "unstated"),
        "operator": [name for written in row["operator"].split("/") if (name := given(written))],
        "trucks": whole_number(row["trucks"]),
        "people_requested": whole_number(row["people_intended"]),
        "sources": [_source(row)],
        "note": row["detail"] or None,
        "raw": row,
    }


def bulletin(rows: list[dict[str, str]], time_zone: ZoneInfo) -> dict[str, Any]:
    """Turn the rows of one bulletin into its JSON; ``raw`` keeps them all. It was known by the end of its day."""
    head = rows[0]
    span, published = _span(head["covers"]), _span(head["published"])
    feed = _MONITORS.get(head["monitor"], FEED)
    return {
        "type": "bulletin",
        "feed": feed,
        "report_id": f"{head['monitor']} {head['covers']}",
        "reported_at": midnight_after(published.last, time_zone) if published else head["published"],
        "occurred": _occurred(span, head["covers"], time_zone, "calendar days"),
        "tallies": [_tally(row) for row in rows],
        "total": whole_number(head["report_total"]),
        "at_least": "no less than" in head["note"],
        "sources": [_source(head) | {"published": head["published"]}],
        "note": head["note"] or None,
        "raw": {"rows": rows},
    }


def _bulletin_of(row: Row) -> tuple[str, ...] | None:
    """What the rows of one bulletin share; None for a torn row."""
    if row.cells is None:
        return None
    return tuple(row.cells[column] for column in ("published", "covers", "monitor", "source_url"))


def _step(row: dict[str, str]) -> str:
    step = _STEPS.get(row["status"], row["status"])
    if step != "offloaded":
        return step
    return next((less for less, words in _LESS_THAN_DELIVERED if re.search(words, row["quote"])), step)


def _tally(row: dict[str, str]) -> dict[str, Any]:
    province = row["province_as_written"]
    place = None
    # In brackets the table says that a count was not split by province, and into which ones it was not.
    if not province.startswith("("):
        place = {"names": [province], "precision": "governorate"}
        if province in _PROVINCES:
            place["pcode"] = _PROVINCES[province]
    kind = row["note"].partition(";")[0] if row["note"].startswith(("combat", "arrests")) else "violations"
    return {
        "place": place,
        "accused": given(row["accused_party"]),
        "kind_as_given": kind,
        "count": whole_number(row["violations"]),
    }


def _source(row: dict[str, str]) -> dict[str, str]:
    return {"name": row["source_publisher"], "url": row["source_url"]}


def _span(cell: str) -> _Span | None:
    """Read ``2016-09-19``, ``2016-09-12/2016-09-19`` or ``2016-08``."""
    parts = cell.split("/")
    try:
        if len(parts) == 1 and re.fullmatch(r"\d{4}-\d{2}", cell):
            first = parse_day(f"{cell}-01")
            return _Span(first, first.replace(day=monthrange(first.year, first.month)[1]), "month")
        first, last = parse_day(parts[0]), parse_day(parts[-1])
    except ValueError:
        return None
    days = (last - first).days
    return _Span(first, last, "day" if days == 0 else "week" if days <= 7 else "month")


def _occurred(span: _Span | None, cell: str, time_zone: ZoneInfo, basis: str) -> dict[str, str]:
    if span is None:
        return {"from": cell, "to": cell, "precision": "day"}
    start, end = midnight(span.first, time_zone), midnight_after(span.last, time_zone)
    return {"from": start, "to": end, "precision": span.precision, "source_precision": basis}
