"""Reader of the UCDP Georeferenced Event Dataset (GED).

One row is one incident report.

Reads the 49 columns of the yearly releases and the 41 of the Syria pre-release. What a cell cannot be turned into is
passed on as written, so that intake rejects the row with the field's name rather than the reader dropping it.

Two things GED does not say are not made up: who attacked whom (side a and side b imply no direction, so ``accused``
stays empty), and a time of day (an event spans whole calendar days in the time zone given).

GED's type of violence says who fought, not how: an air strike on a market and a battle for a hill are both state-based.
Where soldiers of the state died, or both of two groups lost fighters, the event is an ``armed_clash``, and
``unspecified`` otherwise. Where the event is state-based, nobody of the state's side died, and the headlines tell of
one manner of bombardment and of no fighting, that is the kind; ``kind_as_given`` keeps the code, ``note`` says where
the kind comes from. Headlines sum up a day in many places, so one that also tells of fighting changes nothing, and
none makes a kind that an agreement may call severe.

GED gives one point to one town, its middle. So its most exact places are ``near``, and not ``exact`` as a street is.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from functools import partial
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from streams.feeds.cells import (
    count,
    day_or_none,
    given,
    identity,
    midnight,
    midnight_after,
    point_or_none,
    revision,
)
from streams.feeds.kind_words import bombardment_told_of
from streams.feeds.recorded import Recorded
from streams.feeds.table import reports_of, rows_of

FEED = "ucdp-ged"
#: Candidate events have ids and corrections of their own until a yearly release replaces them.
CANDIDATE_FEED = "ucdp-ged-candidate"

#: A source dated longer after the event than this is taken for a slip: the data set has 1753 and 2919.
LONGEST_REPORTING_DELAY = timedelta(days=90)

REQUIRED = (
    "id", "type_of_violence", "side_a", "side_b", "source_office", "source_date", "source_headline", "where_prec",
    "where_coordinates", "adm_1", "adm_2", "latitude", "longitude", "date_prec", "date_start", "date_end", "deaths_a",
    "deaths_b", "deaths_civilians", "deaths_unknown", "best", "high", "low",
)  # fmt: skip

_STATE_BASED = "1"
_NON_STATE = "2"
_KINDS = {_STATE_BASED: "unspecified", _NON_STATE: "unspecified", "3": "attack_on_civilians"}
#: 1 a known day, 2 two to six days, 3 a week, 4 a month, 5 longer.
_TIME_PRECISION = {"1": "day", "2": "week", "3": "week", "4": "month", "5": "longer"}
#: 1 the place, 2 within about 25 km, 3 second-order division, 4 first-order division, 5 a line or a wide area,
#: 6 the country, 7 sea or air.
_PLACE_PRECISION = {
    "1": "near", "2": "near", "3": "district", "4": "governorate", "5": "unknown", "6": "country", "7": "unknown",
}  # fmt: skip
_TOLLS = {"a": "deaths_a", "b": "deaths_b", "civilians": "deaths_civilians", "unknown": "deaths_unknown"}


def read_ged(source: BinaryIO, name: str, time_zone: ZoneInfo, feed: str = FEED) -> Iterator[Recorded]:
    """Yield one incident report per row; ``line`` is the row's last line in the file.

    Raises:
        InputFileError: no header, columns missing, not UTF-8, or not CSV.
    """
    rows = rows_of(source, name, "UCDP GED", REQUIRED)
    yield from reports_of(rows, "incident", feed, partial(incident, time_zone=time_zone, feed=feed))


def incident(row: dict[str, str], time_zone: ZoneInfo, feed: str = FEED) -> dict[str, Any]:
    """Turn one row into the JSON of an incident report; ``raw`` keeps every column as it stands."""
    start, end = day_or_none(row["date_start"]), day_or_none(row["date_end"])
    told = _bombardment(row)
    reported = _reported_on(end, row["source_date"]) if end else None
    return {
        "type": "incident",
        "feed": feed,
        "report_id": identity(row["id"]),
        "revision": revision(row),
        "reported_at": midnight_after(reported, time_zone) if reported else row["source_date"],
        "occurred": {
            "from": midnight(start, time_zone) if start else row["date_start"],
            "to": midnight_after(end, time_zone) if end else row["date_end"],
            "precision": _TIME_PRECISION.get(row["date_prec"], row["date_prec"]),
            "source_precision": f"ucdp date_prec {row['date_prec']}",
        },
        "place": {
            "names": [name for column in ("adm_1", "adm_2", "where_coordinates") if (name := given(row[column]))],
            "point": point_or_none(row["latitude"], row["longitude"]),
            "wkt": row.get("geom_wkt") or None,
            "precision": _PLACE_PRECISION.get(row["where_prec"], row["where_prec"]),
            "source_precision": f"ucdp where_prec {row['where_prec']}",
        },
        "kind": told or _kind(row),
        "kind_as_given": f"ucdp type_of_violence {row['type_of_violence']}",
        "parties": _parties(row, "a") + _parties(row, "b"),
        "deaths": {
            **_counts(row, {bound: bound for bound in ("low", "best", "high")}),
            "by_side": _counts(row, _TOLLS),
        },
        "sources": _sources(row),
        "note": "kind read from the words of source_headline" if told else None,
        "raw": row,
    }


def _kind(row: dict[str, str]) -> str:
    """The kind of a row whose headlines tell of none."""
    stated = row["type_of_violence"]
    state_lost = stated == _STATE_BASED and row["deaths_a"] != "0"
    both_lost = stated == _NON_STATE and "0" not in (row["deaths_a"], row["deaths_b"])
    return "armed_clash" if state_lost or both_lost else _KINDS.get(stated, stated)


def _bombardment(row: dict[str, str]) -> str | None:
    """The manner of bombardment the headlines tell of, when the row does not speak against it."""
    if row["type_of_violence"] != _STATE_BASED or row["deaths_a"] != "0":
        return None
    return bombardment_told_of(row["source_headline"])


def _counts(row: dict[str, str], columns: dict[str, str]) -> dict[str, int | str]:
    """The counts that cells hold; a missing one is left out, and does not cost the event."""
    counts = {name: count(row[column]) for name, column in columns.items()}
    return {name: number for name, number in counts.items() if number is not None}


def _parties(row: dict[str, str], slot: str) -> list[dict[str, str]]:
    """The members of one side. An alliance is written as one cell with one id of its own, which no member bears."""
    names = [name for written in row[f"side_{slot}"].split(", ") if (name := given(written))]
    party_id = identity(row.get(f"side_{slot}_new_id", ""))
    if len(names) == 1 and party_id:
        return [{"name": names[0], "slot": slot, "party_id": f"ucdp {party_id}"}]
    return [{"name": name, "slot": slot} for name in names]


def _sources(row: dict[str, str]) -> list[dict[str, str]]:
    """One source per office. Dates, first tellers and headlines go with them where their number agrees."""
    offices = [office.strip() for office in row["source_office"].split(";")]
    sources: list[dict[str, str]] = [{"name": office} for office in offices]
    columns = {"published": "source_date", "origin": "source_original", "title": "source_headline"}
    for field, column in columns.items():
        cell = row.get(column, "")
        parts = [cell] if len(offices) == 1 else cell.split(";")
        if len(parts) == len(sources):
            for source, part in zip(sources, parts, strict=True):
                if (text := given(part)) is not None:
                    source[field] = text
    return [source for source in sources if given(source["name"])]


def _reported_on(end: date, source_dates: str) -> date:
    """The first day a source is dated within the longest delay after the event's end, else the day it ended."""
    stated = (day_or_none(part.strip()) for part in source_dates.split(";"))
    return min((day for day in stated if day and end <= day <= end + LONGEST_REPORTING_DELAY), default=end)
