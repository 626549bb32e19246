"""Values of cells in tables of recorded reports. A cell that holds none is passed on as written: intake names it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from math import isfinite
from zoneinfo import ZoneInfo

from schemas.instants import parse_day
from schemas.missing import is_missing

#: What JSON's writer and the store's columns hold.
_MOST_BITS = 63

#: Numbers that stand for a missing code: -9, -99, -999, and zeros alone.
_NO_COUNT = re.compile(r"-9+(?:\.0*)?").fullmatch
_NO_CODE = re.compile(r"-9+|0+").fullmatch
#: Columns in which a data set names its release.
VERSION_COLUMNS = ("version", "release", "ged_version")
_VERSION = re.compile(r"([0-9]{1,2})(?:\.([0-9]{1,2}))?(?:\.([0-9]{1,2}))?").fullmatch
_WHOLE = re.compile(r"([+-]?[0-9]+)(?:\.0*)?").fullmatch
#: Degrees that stand for a missing point: 0 and -99 lie where nobody fights.
_NO_DEGREES = re.compile(r"\s*(?:-9{2,}|0)(?:\.0*)?\s*").fullmatch
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?").fullmatch


def given(cell: str) -> str | None:
    """Return the text of a cell, None where it says that the value is missing."""
    text = cell.strip()
    return None if is_missing(text) else text


def identity(cell: str) -> str | None:
    """Return the name or code in a cell; None for one that stands for any number of unnamed things."""
    text = given(cell)
    return None if text is None or _NO_CODE(text) else text


def whole_number(cell: str) -> int | str | None:
    """Return the number in a cell, None where it is missing; what is none or has more than 64 bits stays as written."""
    text = given(cell)
    if text is None:
        return None
    whole = _WHOLE(text)
    if whole is None or len(whole[1]) > _MOST_BITS:
        return cell
    number = int(whole[1])
    return cell if number.bit_length() > _MOST_BITS else number


def count(cell: str) -> int | str | None:
    """Return the count in a cell; None where it is missing, also by a code such as -99."""
    return None if _NO_COUNT(cell.strip()) else whole_number(cell)


def revision(row: Mapping[str, str]) -> int:
    """Return the revision of a row, by the release that a column of its own names: 23.1 is 230100; else 1."""
    stated = next((row[column] for column in VERSION_COLUMNS if column in row), "")
    version = _VERSION(stated.strip())
    if version is None:
        return 1
    major, minor, patch = (int(part or 0) for part in version.groups())
    return max(1, major * 10_000 + minor * 100 + patch)


def decimal_number(cell: str) -> float | str:
    """Return the finite number in a cell, or the cell as written."""
    text = cell.strip()
    if _DECIMAL(text) is None:
        return cell
    number = float(text)
    return number if isfinite(number) else cell


def point_or_none(latitude: str, longitude: str) -> dict[str, float | str] | None:
    """Return the point two cells state; None where one is missing, or both are a code for that."""
    # "nan" comes of a program that failed, and not of a source that has no point: intake names it.
    missing = [given(cell) is None and cell.strip().casefold() != "nan" for cell in (latitude, longitude)]
    if any(missing) or (_NO_DEGREES(latitude) and _NO_DEGREES(longitude)):
        return None
    return {"latitude": decimal_number(latitude), "longitude": decimal_number(longitude)}


def day_or_none(cell: str) -> date | None:
    """Return the calendar day in a cell, with or without a time of day behind it."""
    try:
        return parse_day(cell)
    except ValueError:
        return None


def midnight(day: date, time_zone: ZoneInfo) -> str:
    """Return the instant at which a calendar day begins, in ISO 8601."""
    return datetime.combine(day, time.min, time_zone).isoformat()


def midnight_after(day: date, time_zone: ZoneInfo) -> str:
    """Return the instant at which a calendar day ends, in ISO 8601."""
    return midnight(day + timedelta(days=1), time_zone)
