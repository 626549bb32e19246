"""A month of reports as a recorded file holds them: the same for the same seed, with every fate a report can meet."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

FIRST = datetime(2016, 9, 1, tzinfo=UTC)
DAYS = 30
#: What is not even JSON.
BROKEN = b'{"type": "incident", "feed": "office-1", '
#: One early line is always unreadable: whoever reads but a few of them has a reject.
EARLY = 3
SIDES = (("Government of Syria", "Syrian insurgents"), ("Government of Syria", "IS"), ("Syrian insurgents", "SDF"))


def month(count: int, seed: int = 2016) -> list[bytes]:
    """Return ``count`` lines over September 2016, told every six hours.

    Most are new incidents; about 10 % correct an earlier one, 3 % retract one, 5 % are nil reports, 3 % steps of
    convoys, and 1 % unreadable. No line is told twice, but for the unreadable ones.
    """
    draw = random.Random(seed)
    revisions: dict[int, int] = {}
    lines = []
    for number in range(count):
        # Sorted, so that what is corrected was told before.
        told = FIRST + timedelta(hours=6 * (1 + number * DAYS * 4 // count))
        fate = draw.random()
        if fate < 0.01 or number == EARLY:
            lines.append(BROKEN)
        elif fate < 0.06:
            lines.append(_line(_watched(draw, number, told)))
        elif fate < 0.09:
            lines.append(_line(_step(draw, number, told)))
        else:
            name = draw.choice(list(revisions)) if fate < 0.22 and revisions else number
            revisions[name] = revisions.get(name, 0) + 1
            retracted = revisions[name] > 1 and fate < 0.12
            lines.append(_line(_incident(draw, name, revisions[name], told, retracted=retracted)))
    return lines


def _line(report: dict[str, Any]) -> bytes:
    return json.dumps(report).encode()


def _spine(kind: str, number: int, told: datetime, begun: datetime, ended: datetime) -> dict[str, Any]:
    return {
        "type": kind,
        "feed": f"office-{number % 5}",
        "report_id": f"{kind}-{number}",
        "reported_at": told.isoformat(),
        "occurred": {"from": begun.isoformat(), "to": ended.isoformat(), "precision": "minute"},
    }


def _region(draw: random.Random) -> dict[str, str]:
    return {"pcode": f"SY{draw.randint(1, 14):02}"}


def _incident(draw: random.Random, number: int, revision: int, told: datetime, *, retracted: bool) -> dict[str, Any]:
    # Some are late by days: they amend what was judged.
    begun = told - timedelta(minutes=draw.randrange(30, draw.choice([360, 360, 360, 5_000])))
    side_a, side_b = draw.choice(SIDES)
    return _spine("incident", number, told, begun, begun + timedelta(minutes=20)) | {
        "revision": revision,
        "status": "retracted" if retracted else "active",
        "place": _region(draw),
        "kind": draw.choice(["airstrike", "shelling", "shelling", "armed_clash", "attack_on_aid"]),
        "parties": [{"name": side_a, "slot": "a"}, {"name": side_b, "slot": "b"}],
        "deaths": {"best": draw.randrange(5)},
    }


def _watched(draw: random.Random, number: int, told: datetime) -> dict[str, Any]:
    places = [_region(draw) for _ in range(6)]
    return _spine("coverage", number, told, told - timedelta(hours=24), told) | {"places": places, "nil": True}


def _step(draw: random.Random, number: int, told: datetime) -> dict[str, Any]:
    steps = ["requested", "dispatched", "held", "attacked", "offloaded", "distributed"]
    return _spine("convoy", number, told, told, told) | {
        "place": _region(draw),
        "convoy_id": f"aid-{draw.randrange(8)}",
        "step": draw.choice(steps),
    }
