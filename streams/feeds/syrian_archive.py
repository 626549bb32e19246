"""Reader of the Syrian Archive's table of verified videos of violations.

One row is one video and becomes one incident report.

Several videos may show one incident; joining them is the ledger's to do, as far as an agreement asks for it.

**Time.** ``Recording_Date`` and its hour behave like times of publication, in a time zone the table does not state:
videos of the attack at Urum al-Kubra, which began after 19:12 local time on 19 September 2016, bear 10:14 and 15:17
of that day as well as every hour of the days after. So the day is all a report claims, ``day`` its precision, and
even that may be a day late: a day of the week before that the description writes out is the day. ``reported_at`` is
the stated minute read as UTC, as video sites write it and later than the same minute in Syria: nothing is known before
it was. A row without an hour (the table writes 00:00) was known by the day's end.

**Place.** ``City`` is a governorate, ``DAMASCUS`` the city or the country around it. A row's own coordinates are
``exact``. The archive's list of places, found beside the file, was geocoded from bare names: its points are
``near``, and one it gives to two different places is taken for neither.

**Kind** comes from the archive's codes and the words of the description. Severe kinds are read with most care: a
video of a treated victim or a burnt truck is published days after the attack, and must not move it to that day. No
row is an ``attack_on_aid``: how it was struck is told, and the kind says that. A text that tells of a strike and of no
manner is ``unspecified``; ``other`` is what tells of none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from zoneinfo import ZoneInfo

from streams.feeds.cells import (
    day_or_none,
    decimal_number,
    given,
    identity,
    midnight,
    midnight_after,
    point_or_none,
    revision,
)
from streams.feeds.kind_words import is_aftermath, kind_told, tells_of_a_strike, tells_of_chemicals
from streams.feeds.recorded import Recorded, opened
from streams.feeds.table import reports_of, rows_of

FEED = "syrian-archive"
#: The list of places, as the archive's own package names it.
PLACES_FILE = "syrian_places.csv"

REQUIRED = (
    "Description", "City", "Neighborhood", "Latitude", "Longitude", "Violation_Type", "Recording_Date",
    "Recording_Hour", "Recording_Minute", "Source", "Youtube_ID", "Weapons_Used", "Database_ID",
)  # fmt: skip
_PLACES_REQUIRED = ("City", "Neighborhood", "Latitude", "Longitude")

#: The archive files Rural Damascus under Damascus: a name that leaves it open asks the quarter, or the reader, which.
_GOVERNORATES = {"DAMASCUS": "Damascus or Rural Damascus"}

_CHEMICAL_WEAPONS = ("Chemical Weapons", "Chlorine Gas")
#: Only helicopters and aeroplanes drop barrels and FAB bombs; the other weapons are fired from the ground as well.
_WEAPONS = {
    "Barrel Bomb": "airstrike",
    "OFAB 250-270": "airstrike",
    "FAB-500 SHN": "airstrike",
    "9M79M Tochka": "shelling",
}
_OF_ANY_ORIGIN = ("Cluster Munition", "Incendiary Weapons", "PTAB-1M")
_ATTACKS = (
    "Unlawful attacks", "Alleged civilian casualties from Russian attacks",
    "Specifically protected persons and objects",
)  # fmt: skip
#: What is codified as suffering without a strike stays that, whatever the text names.
_NO_ATTACKS = ("Sieges and economic, social and cultural rights", "Arbitrary and forcible displacement")
#: A day as texts write it, the day before the month.
_DAY_WRITTEN = re.compile(r"(?<!\d)(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})(?!\d)")
#: Dates further back are slips: of a month, of a year, or of the month written first.
_LATEST_PUBLISHED = timedelta(days=7)
_ALLEGES_RUSSIA = "Alleged civilian casualties from Russian attacks"


class Spot(NamedTuple):
    """A point of the list of places, in degrees."""

    latitude: float
    longitude: float


Places = dict[tuple[str, str], Spot]


def read_syrian_archive(source: BinaryIO, name: str, time_zone: ZoneInfo) -> Iterator[Recorded]:
    """Yield one incident report per row; ``line`` is the row's last line in the file.

    Raises:
        InputFileError: no header, columns missing, not UTF-8, or not CSV; in the list of places as well.
    """
    beside = Path(name).with_name(PLACES_FILE)
    places: Places = {}
    if beside.is_file():
        with opened(beside) as listed:
            places = read_places(listed, str(beside))
    rows = rows_of(source, name, "Syrian Archive", REQUIRED)
    yield from reports_of(rows, "incident", FEED, partial(incident, places=places, time_zone=time_zone))


def read_places(source: BinaryIO, name: str) -> Places:
    """Return the points of the list of places by folded governorate and neighbourhood.

    Left out are points that cannot be read, and those two differently named places share: a geocoder that does
    not know a name answers with another's point.
    """
    spots: dict[tuple[str, str], Spot] = {}
    shared: dict[Spot, set[tuple[str, str]]] = {}
    for row in rows_of(source, name, "Syrian Archive's list of places", _PLACES_REQUIRED):
        cells = row.cells or {}
        latitude, longitude = (decimal_number(cells.get(column, "")) for column in ("Latitude", "Longitude"))
        if isinstance(latitude, str) or isinstance(longitude, str):
            continue
        spot = Spot(latitude, longitude)
        key = _key(cells["City"], cells["Neighborhood"])
        spots[key] = spot
        shared.setdefault(spot, set()).add(key)
    return {key: spot for key, spot in spots.items() if len(shared[spot]) == 1}


def incident(row: dict[str, str], places: Places, time_zone: ZoneInfo) -> dict[str, Any]:
    """Turn one row into the JSON of an incident report; ``raw`` keeps every column as it stands."""
    day = day_or_none(row["Recording_Date"])
    told = _day_told(row["Description"], day) if day else None
    of = told or day
    alleged = row["Violation_Type"] == _ALLEGES_RUSSIA
    return {
        "type": "incident",
        "feed": FEED,
        "report_id": identity(row["Database_ID"]),
        "revision": revision(row),
        "reported_at": _published(day, row, time_zone) if day else row["Recording_Date"],
        "occurred": {
            "from": midnight(of, time_zone) if of else row["Recording_Date"],
            "to": midnight_after(of, time_zone) if of else row["Recording_Date"],
            "precision": "day",
            "source_precision": "day named in the text" if told else "day of publication",
        },
        "place": _place(row, places),
        "kind": _kind(row),
        "kind_as_given": _as_given(row),
        "accused": ["Russian Federation"] if alleged else [],
        "claimant": "Syrian Archive" if alleged else None,
        "confidence": "alleged" if alleged else "unstated",
        "sources": [_source(row)],
        "raw": row,
    }


def _day_told(text: str, published: date) -> date | None:
    """The one day of the week before publication that a text names, None where it names none or several."""
    days = set()
    for written in _DAY_WRITTEN.finditer(text):
        day, month, year = map(int, written.groups())
        with suppress(ValueError):
            days.add(date(year, month, day))
    told = {day for day in days if published - _LATEST_PUBLISHED <= day < published}
    return told.pop() if len(days) == len(told) == 1 else None


def _place(row: dict[str, str], places: Places) -> dict[str, Any]:
    """The place as named. A name without a point is as exact as a point of the list, and locates a governorate."""
    city, quarter = (given(row[column]) for column in ("City", "Neighborhood"))
    names = [name for name in (_GOVERNORATES.get(city or "", city), quarter) if name]
    if (point := point_or_none(row["Latitude"], row["Longitude"])) is not None:
        return {"names": names, "point": point, "precision": "exact", "source_precision": "coordinates of the row"}
    if quarter is None:
        return {"names": names, "precision": "governorate", "source_precision": "governorate named"}
    listed = places.get(_key(city or "", quarter))
    if listed is None:
        return {"names": names, "precision": "near", "source_precision": "neighbourhood named"}
    return {
        "names": names,
        "point": {"latitude": listed.latitude, "longitude": listed.longitude},
        "precision": "near",
        "source_precision": "coordinates of the list of places",
    }


def _kind(row: dict[str, str]) -> str:
    text, weapon = row["Description"], row["Weapons_Used"]
    if is_aftermath(text):
        return "other"
    if weapon in _CHEMICAL_WEAPONS or tells_of_chemicals(text):
        return "chemical"
    if (kind := _WEAPONS.get(weapon) or kind_told(text)) is not None:
        return kind
    if weapon in _OF_ANY_ORIGIN:
        return "explosive"
    if row["Violation_Type"] in _ATTACKS:
        return "attack_on_civilians"
    return "unspecified" if row["Violation_Type"] not in _NO_ATTACKS and tells_of_a_strike(text) else "other"


def _as_given(row: dict[str, str]) -> str | None:
    stated = [row[column] for column in ("Violation_Type", "Weapons_Used") if given(row[column])]
    return "; ".join(stated) or None


def _source(row: dict[str, str]) -> dict[str, str]:
    """The archive as the outlet, the uploader as the first teller."""
    told = {"origin": row["Source"], "title": row["Description"], "url": row["Youtube_ID"]}
    return {"name": "Syrian Archive", **{field: cell for field, cell in told.items() if given(cell)}}


def _published(day: date, row: dict[str, str], time_zone: ZoneInfo) -> str:
    try:
        told = time(int(float(row["Recording_Hour"])), int(float(row["Recording_Minute"])))
    except (ValueError, OverflowError):
        told = time.min
    if told == time.min:
        return midnight_after(day, time_zone)
    return datetime.combine(day, told, UTC).isoformat()


def _key(city: str, quarter: str) -> tuple[str, str]:
    return city.strip().casefold(), quarter.strip().casefold()
