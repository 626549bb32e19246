"""A report as far as the windows need it: the same decoding for every peer in Python."""

import os
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import orjson

_LINES = Path(os.environ["PEER_REGIONS"]).read_text("utf-8").splitlines()
REGIONS: dict[str, str] = dict(line.split("\t") for line in _LINES)


class Report(NamedTuple):
    """Region, time of the occurrence and deaths."""

    region: str
    occurred: datetime
    deaths: int


def report_of(value: bytes) -> Report | None:
    """Return the report in a record's value, or None where it is no JSON."""
    try:
        report = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    place = report["place"]
    region = place.get("pcode") or REGIONS[place["names"][0]]
    return Report(region, datetime.fromisoformat(report["occurred"]["from"]), report["deaths"]["best"])
