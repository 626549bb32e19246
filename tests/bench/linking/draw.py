"""Draw of report pairs for labelling, by day, distance and name alone.

No rule of the ledger takes part in the draw, so that a change of the rules changes no pair. The same seed draws the
same pairs from the same files. The held-out pairs are drawn among those that the first draw left.
"""

from __future__ import annotations

import csv
import gzip
import random
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date, timedelta
from math import cos, hypot, radians
from pathlib import Path
from typing import NamedTuple

SEED, HELD_OUT_SEED = 2016, 2017
#: Pairs of each stratum.
STRATA = {
    "closest within 1 km": 40,
    "closest within 1 km, Aleppo city": 15,
    "closest within 6 km": 30,
    "closest by name": 25,
    "within 2 km": 30,
    "by name": 15,
    "the day after": 20,
    "within 15 km": 10,
}
HELD_OUT_STRATA = {stratum: number * 9 // 20 for stratum, number in STRATA.items()}
_KM_OF_A_DEGREE = 111.2
#: Words of many places' names, which make no two places one.
_COMMON = frozenset(
    re.findall(
        r"\w+",
        "city town village district governorate neighborhood neighbourhood aleppo countryside rural hospital camp "
        "north northern south southern east eastern west western",
    )
)


class Told(NamedTuple):
    """What one row of a file tells, as the draw and a reader see it."""

    name: str
    day: date
    point: tuple[float, float] | None
    words: frozenset[str]
    in_aleppo_city: bool
    row: dict[str, str]


class Drawn(NamedTuple):
    """One drawn pair."""

    stratum: str
    event: Told
    video: Told
    km: float | None


def events(file: Path) -> list[Told]:
    """Return the events of UCDP GED that are known to the day."""
    with gzip.open(file, "rt", encoding="utf-8", newline="") as lines:
        return [
            Told(
                f"ucdp-ged/{row['id']}",
                date.fromisoformat(row["date_start"]),
                (float(row["latitude"]), float(row["longitude"])),
                _words(row["where_coordinates"]),
                row["where_coordinates"].startswith("Aleppo"),
                row,
            )
            for row in csv.DictReader(lines)
            if row["date_prec"] == "1" and row["date_start"] == row["date_end"]
        ]


def videos(file: Path, places: Path) -> list[Told]:
    """Return the videos of the Syrian Archive; one without a point of its own has that of the archive's list."""
    with places.open(encoding="utf-8", newline="") as lines:
        listed = {
            (row["City"].casefold(), row["Neighborhood"].casefold()): (row["Latitude"], row["Longitude"])
            for row in csv.DictReader(lines)
        }
    found = []
    with gzip.open(file, "rt", encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            point = (row["Latitude"], row["Longitude"])
            if "NA" in point:
                point = listed.get((row["City"].casefold(), row["Neighborhood"].casefold()), point)
            quarter = row["Neighborhood"] if row["Neighborhood"] != "NA" else ""
            words = _words(f"{row['Description']} {quarter}")
            told = None if "NA" in point else (float(point[0]), float(point[1]))
            day = date.fromisoformat(row["Recording_Date"])
            found.append(Told(f"syrian-archive/{row['Database_ID']}", day, told, words, False, row))
    return found


def draw(
    all_events: Iterable[Told],
    all_videos: Iterable[Told],
    seed: int = SEED,
    strata: Mapping[str, int] = STRATA,
    without: Collection[tuple[str, str]] = (),
) -> list[Drawn]:
    """Return the pairs to label, none of those ``without``, in an order of their own."""
    chance = random.Random(seed)
    near: dict[str, list[Drawn]] = defaultdict(list)
    for pair in _by_stratum(list(all_events), list(all_videos)):
        if (pair.event.name, pair.video.name) not in without:
            near[pair.stratum].append(pair)
    drawn: dict[tuple[str, str], Drawn] = {}
    for stratum, number in strata.items():
        pool = sorted(near[stratum], key=lambda pair: (pair.event.name, pair.video.name))
        for pair in chance.sample(pool, min(number, len(pool))):
            drawn.setdefault((pair.event.name, pair.video.name), pair)
    shuffled = list(drawn.values())
    chance.shuffle(shuffled)
    return shuffled


def _by_stratum(all_events: list[Told], all_videos: list[Told]) -> Iterator[Drawn]:
    """Yield every pair of one day, or of a video told a day late, that lies or is named close."""
    of_day: dict[date, list[Told]] = defaultdict(list)
    for event in all_events:
        of_day[event.day].append(event)
    same_day = []
    for video in all_videos:
        for event in of_day[video.day - timedelta(days=1)]:
            km = _km(event, video)
            if (km is not None and km <= 2) or event.words & video.words:
                yield Drawn("the day after", event, video, km)
        for event in of_day[video.day]:
            km = _km(event, video)
            if (km is not None and km <= 15) or (km is None and event.words & video.words):
                same_day.append(Drawn("", event, video, km))
    best: dict[str, Drawn] = {}
    for pair in sorted(same_day, key=_closeness):
        best.setdefault(pair.event.name, pair)
        best.setdefault(pair.video.name, pair)
    for pair in same_day:
        mutual = best[pair.event.name] is pair is best[pair.video.name]
        yield pair._replace(stratum=_stratum(pair, mutual))


def _stratum(pair: Drawn, mutual: bool) -> str:
    if pair.km is None:
        return "closest by name" if mutual else "by name"
    if mutual and pair.km <= 1:
        return "closest within 1 km, Aleppo city" if pair.event.in_aleppo_city else "closest within 1 km"
    if mutual and pair.km <= 6:
        return "closest within 6 km"
    return "within 2 km" if pair.km <= 2 else "within 15 km"


def _closeness(pair: Drawn) -> tuple[float, str, str]:
    return 3.0 if pair.km is None else pair.km, pair.event.name, pair.video.name


def _km(one: Told, other: Told) -> float | None:
    if one.point is None or other.point is None:
        return None
    north, east = (there - here for here, there in zip(one.point, other.point, strict=True))
    return _KM_OF_A_DEGREE * hypot(north, east * cos(radians(one.point[0])))


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z]{4,}", text.casefold().replace("-", ""))) - _COMMON
