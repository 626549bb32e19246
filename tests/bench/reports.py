"""Synthetic reports for benchmarks: the shape and size of real ones, drawn from a fixed seed."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import orjson

#: How far back reports reach: late ones and corrections touch any day of the truce so far.
SPAN = timedelta(days=14)
#: How far back late reports and corrections reach at most.
REACH = timedelta(weeks=8)
#: Reports a day at most: some two thousand of each governorate.
DENSEST = 30_000
KINDS = ("airstrike", "shelling", "armed_clash", "small_arms", "explosive")
#: Two weeks hold as many reports here as years do elsewhere: any two that are not exact would lie near each other.
PRECISIONS = ("exact",) * 8 + ("governorate", "unknown")
NAMES = ("Aleppo", "Rif Dimashq", "Homs", "Hama", "Idlib", "Latakia", "Daraa", "Quneitra", "Damascus", "Tartus")
SIDES = (("Government of Syria", "Syrian insurgents"), ("Government of Syria", "IS"), ("Syrian insurgents", "SDF"))
NOTE = "Reported by a local correspondent; two shells landed near the market and a third in a field to the north. " * 2


#: How many occurrences back a feed may tell again of one that another feed told of.
REMEMBERED = 2_000


class Occurrence(NamedTuple):
    """What happened, whoever tells of it."""

    when: datetime
    place: dict[str, object]
    latitude: float
    longitude: float
    kind: str


def reports(
    count: int,
    seed: int = 2016,
    *,
    span: timedelta | None = None,
    regions: Sequence[str] = (),
    corrections: float = 0.04,
) -> Iterator[tuple[bytes, bytes]]:
    """Yield ``count`` keys and values: mostly new incidents, corrections, 2 % resent, 1 % unreadable.

    Of the incidents 8 % tell of an occurrence that was told before, mostly by another feed. They lie in the regions
    given, or in Syria's, half of those by name.
    """
    draw = random.Random(seed)
    recent: list[Occurrence] = []
    revisions: dict[int, int] = {}
    span = span or span_of(count)
    start = datetime.now(UTC) - span - timedelta(hours=3)
    reach = round(count * (REACH / span))
    resent: tuple[bytes, bytes] | None = None
    for number in range(count):
        fate = draw.random()
        if fate < 0.01:
            yield b"broken", b'{"type": "incident", "feed": "bench", '
        elif fate < 0.03 and resent is not None:
            yield resent
        else:
            corrects = fate < 0.03 + corrections and number > 1_000
            name = draw.randrange(max(number // 2, number - reach), number) if corrects else number
            if recent and draw.random() < 0.08:
                told = _told_again(draw, draw.choice(recent))
            else:
                told = _occurrence(draw, start, span * (number / count), regions)
                if len(recent) < REMEMBERED:
                    recent.append(told)
                else:
                    recent[number % REMEMBERED] = told
            # Two corrections of one report under one revision would contradict each other, and one be rejected.
            if corrects:
                revisions[name] = revisions.get(name, 1) + 1
            resent = (f"r{name}".encode(), _report(draw, told, name, revisions[name] if corrects else 1))
            yield resent


def span_of(count: int) -> timedelta:
    """Return over how long so many reports are spread: two weeks, or longer to be no more than DENSEST a day."""
    return max(SPAN, timedelta(days=count / DENSEST))


def _lateness(draw: random.Random, passed: timedelta) -> timedelta:
    """Return how long ago it happened: mostly hours, for one in four days, for one in twenty up to weeks."""
    fate = draw.random()
    if fate < 0.05:
        return min(passed, REACH) * draw.random()
    return min(passed, timedelta(hours=draw.expovariate(1 / 3) if fate < 0.75 else draw.uniform(0, 72)))


def _occurrence(draw: random.Random, start: datetime, passed: timedelta, regions: Sequence[str]) -> Occurrence:
    place: dict[str, object]
    if regions:
        place = {"pcode": draw.choice(regions)}
    else:
        place = {"pcode": f"SY{draw.randint(1, 14):02}"} if draw.random() < 0.5 else {"names": [draw.choice(NAMES)]}
    # Spread over a governorate's hundred kilometres.
    return Occurrence(
        start + passed - _lateness(draw, passed),
        place,
        35.2 + draw.random(),
        36.7 + draw.random(),
        draw.choice(KINDS),
    )


def _told_again(draw: random.Random, told: Occurrence) -> Occurrence:
    """Return an occurrence as someone else saw it: some minutes and some hundred metres off."""
    return told._replace(
        when=told.when + timedelta(seconds=draw.randrange(-1_200, 1_200)),
        latitude=told.latitude + draw.uniform(-0.004, 0.004),
        longitude=told.longitude + draw.uniform(-0.004, 0.004),
    )


def _report(draw: random.Random, told: Occurrence, number: int, revision: int) -> bytes:
    occurred = told.when
    low = draw.randrange(5)
    side_a, side_b = draw.choice(SIDES)
    return orjson.dumps(
        {
            "type": "incident",
            "feed": f"bench-{number % 7}",
            "report_id": f"r{number}",
            "revision": revision,
            "reported_at": (occurred + timedelta(hours=2)).isoformat(),
            "occurred": {
                "from": occurred.isoformat(),
                "to": (occurred + timedelta(minutes=10)).isoformat(),
                "precision": "minute",
            },
            "place": told.place
            | {
                "point": {"latitude": told.latitude, "longitude": told.longitude},
                "precision": draw.choice(PRECISIONS),
            },
            "kind": told.kind,
            "parties": [{"name": side_a, "slot": "a"}, {"name": side_b, "slot": "b"}],
            "accused": [side_a],
            "claimant": "local correspondent",
            "confidence": "alleged",
            "deaths": {"low": low, "best": low + 1, "high": low + 3},
            "sources": [{"name": "local correspondent", "url": "https://example.org/report"}],
            "raw": {"note": NOTE, "number": str(number)},
        }
    )


def running_truce(
    folder: Path,
    span: timedelta = SPAN,
    *,
    linking: bool = True,
    regions: Sequence[str] = (),
    name: str = "syria-2016",
) -> Path:
    """Write the shipped agreement as if it had taken effect ``span`` ago; return it.

    Args:
        regions: P-codes it counts, with a gazetteer of their own; none for the shipped ones.
        name: its id.
    """
    shipped = (resources.files("schemas") / "agreements" / "syria-2016.toml").read_text("utf-8")
    first = (datetime.now(UTC) - span).date()
    moved = {
        r"(?m)^effective = .*$": f"effective = {first.isoformat()}T19:00:00",
        # It still runs.
        r"(?m)^ends = .*\n": "",
        # With the day of the shipped file: places and lines of positions have days of their own.
        r"(?m)^first_day = 2016-08-15.*$": f"first_day = {first - timedelta(days=28)}",
        r"(?m)^last_day = 2016-09-11.*$": f"last_day = {first - timedelta(days=1)}",
        r'(?m)^id = "syria-2016"$': f'id = "{name}"',
    }
    if regions:
        moved[r"(?m)^regions = [^]#]*]$"] = f"regions = {list(regions)}"
        moved[r'(?m)^gazetteer = "syria"$'] = 'gazetteer = "regions.toml"'
        entries = "".join(f'[[regions]]\npcode = "{code}"\nenglish = "Region {code}"\n' for code in regions)
        text = f'title = "Regions"\nsources = ["drawn"]\ncountry = "SY"\n{entries}'
        (folder / "regions.toml").write_text(text, "utf-8")
    if not linking:
        moved[r"(?ms)^\[linking\]$.*?(?=^\[)"] = ""
    for line, fresh in moved.items():
        shipped, times = re.subn(line, fresh, shipped)
        if times != 1:
            raise ValueError(f"the shipped agreement has {times} lines like {line}")
    path = folder / f"{name}.toml"
    path.write_text(shipped, "utf-8")
    return path
