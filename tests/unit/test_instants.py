"""One parser of instants, whoever asks it."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from pydantic import TypeAdapter, ValidationError

from schemas.errors import UsageError
from schemas.instants import parse_day, parse_instant
from schemas.reports import Instant
from schemas.truceday import to_micros
from streams.cli import options
from streams.feeds.recorded import instant_of

NINE = datetime(2016, 9, 13, 9, tzinfo=UTC)
READ = TypeAdapter(Instant).validate_json

TAKEN = {
    "2016-09-13T09:00:00Z": NINE,
    "2016-09-13T09:00:00z": NINE,
    "2016-09-13t09:00:00z": NINE,
    "2016-09-13 09:00:00z": NINE,
    "2016-09-13 12:00:00+03": NINE,
    "2016-09-13T12:00:00+0300": NINE,
    "2016-09-13T12:00:00+03:00": NINE,
    "2016-09-13T12:00+03:00": NINE,
    "2016-09-13 12:00+03": NINE,
    "2016-09-13T04:15:00-04:45": NINE,
    "2016-09-13T09:00:00-00:00": NINE,
    "2016-09-13T09:00:00.5z": NINE + timedelta(milliseconds=500),
    "2016-09-13T09:00:00.123456999Z": NINE + timedelta(microseconds=123456),
    "2016-09-13T09:00:00.123456999+00": NINE + timedelta(microseconds=123456),
}
WITHOUT_OFFSET = [
    "2016-09-13T09:00:00",
    "2016-09-13 09:00",
    "2016-09-13T09:00:00.25",
    "201609140900",
    "160914090000",
    "20160914",
    "1473854400",
    "1473854400.5",
    "-1473854400",
]
NO_TIME = [
    "",
    "2016-09-13",
    "20160913T090000Z",
    "20191231T000000Z",
    "20160913T09:00:00Z",
    "2016-W37-2T09:00:00Z",
    "2016-257T09:00:00Z",
    "2016-09-13_09:00:00Z",
    "2016-09-13T09Z",
    "2016-09-13T09:00.5Z",
    "2016-09-13T090000Z",
    "2016-09-13T09:00:00,5Z",
    "2016-09-13T09:00:00.Z",
    "2016-09-13T09:00:60Z",
    "2016-09-13T24:00:00Z",
    "2016-09-13T09:60:00Z",
    "2016-02-30T09:00:00Z",
    "2016-09-13T09:00:00 Z",
    "2016-09-13T09:00:00+3",
    "2016-09-13T09:00:00+24:00",
    "2016-09-13T09:00:00+03:60",
    "2016-09-13T09:00:00+03:00:10",
    "2016-09-13T09:00:00\u221203:00",
    "٢٠١٦-09-13T09:00:00Z",
    "2016-09-13T09:00:00Z\n",
    " 2016-09-13T09:00:00Z",
    "0000-01-01T00:00:00Z",
]


@pytest.mark.parametrize(("stated", "instant"), TAKEN.items())
def test_every_reader_takes_what_rfc_3339_allows(stated: str, instant: datetime) -> None:
    assert parse_instant(stated) == instant
    assert READ(json.dumps(stated), strict=True) == instant
    assert instant_of(stated) == to_micros(instant)
    assert options.instant_of(stated) == instant


@pytest.mark.parametrize("stated", WITHOUT_OFFSET + NO_TIME)
def test_every_reader_refuses_everything_else(stated: str) -> None:
    kind = "timezone_aware" if stated in WITHOUT_OFFSET else "datetime_parsing"
    with pytest.raises(ValidationError) as refused:
        READ(json.dumps(stated), strict=True)
    assert [fault["type"] for fault in refused.value.errors()] == [kind]
    assert instant_of(stated) is None
    lacks = stated in WITHOUT_OFFSET or stated == "2016-09-13"
    with pytest.raises(UsageError, match="lacks its offset" if lacks else "is no time"):
        options.instant_of(stated)


@pytest.mark.parametrize(
    ("stated", "taken"),
    [
        ("1970-12-31T23:59:59Z", False),
        ("1971-01-01T00:00:00+00:01", False),
        ("1971-01-01T00:00:00Z", True),
        ("2199-12-31T23:59:59.999999Z", True),
        ("2199-12-31T23:59:59-00:01", False),
        ("0001-01-01T00:00:00+01:00", False),
        ("9999-12-31T23:59:59-01:00", False),
    ],
)
def test_intake_and_archive_draw_the_same_bounds(stated: str, taken: bool) -> None:
    assert (instant_of(stated) is not None) is taken
    if taken:
        READ(json.dumps(stated), strict=True)
    else:
        with pytest.raises(ValidationError):
            READ(json.dumps(stated), strict=True)


@pytest.mark.parametrize(
    "stated", ["2016-09-13", "2016-09-13 00:00:00.000", "2016-09-13T09:00", "2016-09-13 09:00:00Z"]
)
def test_a_day_may_have_a_time_behind_it(stated: str) -> None:
    assert parse_day(stated) == date(2016, 9, 13)


@pytest.mark.parametrize("stated", ["", "20160913", "2016-W37-2", "13/09/2016", "2016-9-13", "2016-02-30", "0000-00-00",
                                    "1970-12-31", "2200-01-01", "2016-09-13x", "2016-09-13 25:00"])  # fmt: skip
def test_a_day_is_written_in_one_way(stated: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - its message is for no one: the caller keeps what was written
        parse_day(stated)
