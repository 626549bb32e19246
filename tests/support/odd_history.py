"""Odd but accepted reports of every type, drawn from a number: what no feed sends often, many to a file."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from schemas.agreement import Agreement
from tests.support.judged import History, report
from tests.support.worlds import HOUR, LINKING, agreement, at

MINUTE = HOUR // 60
TYPES = ("incident", "coverage", "convoy", "bulletin", "declaration", "position")
FEEDS = ("a", "a-b", "monitor", "z.9", "videos")
#: A blank, a stroke, an at sign, other scripts, a combining mark, a text that is JSON.
IDS = ("r1", "r/2", "a/r1", "r 3@1", "حلب", "e\u0301", '["x"]', "-", "x" * 200)
TEXTS = ("ISIL", "Government", "Opposition", "حكومة", "a; b", "'", '"', "\\", "🕊", "%", " x ", "n/a", "None", "x" * 200)
PCODES = ("SY01", "SY02", "SY0100", "SY020000", "SY09", "SY")
NAMES = (
    "Aleppo",
    "Homs",
    "Old Town",
    "Rural Damascus",
    "Damascus",
    "Duma",
    "Nowhere",
    "حلب",
    "Aleppo or Homs",
    "a; point",
)
KINDS = ("shelling", "shelling", "airstrike", "attack_on_aid", "other", "arrest", "armed_clash")
PRECISIONS = ("minute", "hour", "day", "week", "month")
PLACED = ("exact", "near", "district", "governorate", "country", "unknown")
STEPS = (
    *("requested", "no_response", "denied", "approved_in_principle", "approved_in_part", "approved", "loaded"),
    *("dispatched", "held", "turned_back", "attacked", "arrived", "offloaded", "distributed"),
)
LASTED = (0, 0, 1, MINUTE, HOUR, 24 * HOUR, 25 * HOUR, 25 * HOUR + 1, 26 * HOUR, 30 * 24 * HOUR, 400 * 24 * HOUR)
NUMBERS = (0, 1, 2, 10**6, 10**9)
TRUCES: tuple[dict[str, Any], ...] = (
    {},
    {"linking": LINKING, "access": {"regions": ["SY01", "SY02"], "same_convoy_hours": 24}},
    {"violence": {"bulletins_of": "monitor"}, "coverage": {"min_share_percent": 1, "min_feeds": 2}},
    {
        "coverage": {"reports_cover_the_day": True, "min_feeds": 3},
        "access": {"overdue_after_hours": 1, "max_gap_days": 1},
    },
)


def odd_history(seed: int, reports: int) -> History:
    """Return so many records, most of them accepted, with ticks between them; the rules change with the seed."""
    draw = Random(seed)
    truce = agreement(**TRUCES[seed % len(TRUCES)])
    history = History(truce)
    bodies: list[bytes] = []
    now = at(-3)
    while len(bodies) < reports:
        now += draw.choice((0, MINUTE, HOUR, 5 * HOUR))
        body = json.dumps(odd_report(draw, now, truce), ensure_ascii=draw.random() < 0.5).encode()
        if bodies and draw.random() < 0.1:
            body = draw.choice(bodies)
        bodies.append(body)
        history.tell(body)
        if draw.random() < 0.1:
            history.tick(now)
    return history.tick(now, now + draw.choice((0, HOUR, 9 * 24 * HOUR)))


def odd_report(draw: Random, now: int, truce: Agreement) -> dict[str, Any]:
    """Return one report of any type, told at ``now`` or a few minutes off."""
    kind = draw.choice(TYPES)
    start = draw.choice(
        (now, now - draw.randrange(20 * 24) * HOUR, min(now, truce.effective), now - 1, now + 4 * MINUTE)
    )
    lasted = draw.choice(LASTED)
    if kind == "coverage":
        lasted = min(lasted, max(0, now + 5 * MINUTE - start))
    told: dict[str, Any] = {"occurred": (start, start + lasted)}
    match kind:
        case "incident":
            told |= _incident(draw)
        case "coverage":
            told |= {"places": [_place(draw) for _ in range(draw.choice((1, 1, 2, 5)))], "nil": draw.random() < 0.5}
        case "convoy":
            told |= _convoy(draw)
        case "bulletin":
            told |= _bulletin(draw)
        case "declaration":
            told = {
                "act": draw.choice(("start", "extension", "suspension", "reset", "end")),
                "declared_by": draw.choice(TEXTS),
            }
            told["effective_at"] = "2016-09-12T19:00:00.000001+03:00"
        case _:
            told |= _position(draw)
    made = report(kind, draw.choice(IDS), feed=draw.choice(FEEDS), reported_at=now, **told)
    if "occurred" in made:
        made["occurred"]["precision"] = draw.choice(PRECISIONS)
    made |= {"revision": draw.choice((1, 1, 1, 2, 3, 7)), "status": draw.choice(("active",) * 6 + ("retracted",))}
    if draw.random() < 0.2:
        made["raw"] = {draw.choice(TEXTS): draw.choice((1e300, 2**63, -(10**15), None, [[]], "\u0000", "x" * 5_000))}
    return made


def _place(draw: Random) -> dict[str, Any]:
    place: dict[str, Any] = {"precision": draw.choice(PLACED)}
    if draw.random() < 0.7:
        place["pcode"] = draw.choice(PCODES)
    if draw.random() < 0.5 or "pcode" not in place:
        place["names"] = [draw.choice(NAMES) for _ in range(draw.choice((1, 1, 2, 3)))]
    if draw.random() < 0.4:
        place["point"] = {
            "latitude": draw.choice((33.5, 33.5, 36.2, -90, 90)),
            "longitude": draw.choice((36.3, 37.1, 180)),
        }
    return place


def _incident(draw: Random) -> dict[str, Any]:
    named = [f"{draw.choice(FEEDS)}/{draw.choice(IDS)}" for _ in range(2)]
    sides = [{"name": draw.choice(TEXTS), "slot": draw.choice(("a", "b", None))} for _ in range(draw.randrange(4))]
    told = {
        "place": _place(draw),
        "kind": draw.choice(KINDS),
        "parties": [{name: value for name, value in side.items() if value} for side in sides],
        "accused": [draw.choice(TEXTS) for _ in range(draw.randrange(3))],
        "deaths": {name: draw.choice(NUMBERS) for name in ("low", "best", "high") if draw.random() < 0.6},
        "sources": [{"name": draw.choice(TEXTS)} for _ in range(draw.randrange(3))],
        "same_as": named[: draw.choice((0, 0, 1))],
        "not_same_as": named[1 : draw.choice((1, 1, 2))],
    }
    return told if told["deaths"] else {name: value for name, value in told.items() if name != "deaths"}


def _convoy(draw: Random) -> dict[str, Any]:
    figures = ("trucks", "trucks_hit", "people_requested", "people_approved", "people_reached")
    return {
        "place": _place(draw),
        "convoy_id": draw.choice(IDS),
        "step": draw.choice(STEPS),
        "items_removed": [draw.choice(TEXTS) for _ in range(draw.randrange(3))],
        **{name: draw.choice(NUMBERS) for name in figures if draw.random() < 0.4},
        **({"same_convoy_as": f"{draw.choice(FEEDS)}/{draw.choice(IDS)}"} if draw.random() < 0.2 else {}),
        **({"not_same_convoy_as": [f"{draw.choice(FEEDS)}/{draw.choice(IDS)}"]} if draw.random() < 0.2 else {}),
    }


def _bulletin(draw: Random) -> dict[str, Any]:
    lines: list[dict[str, Any]] = []
    for _ in range(draw.choice((1, 1, 2, 6))):
        line: dict[str, Any] = {"count": draw.choice((0, 1, 3, 10**6))}
        if draw.random() < 0.8:
            line["place"] = _place(draw)
        if draw.random() < 0.5:
            line["accused"] = draw.choice(TEXTS)
        lines.append(line)
    total = {"total": draw.choice(NUMBERS)} if draw.random() < 0.5 else {}
    return {"tallies": lines, "at_least": draw.random() < 0.5, **total}


def _position(draw: Random) -> dict[str, Any]:
    point = {
        "latitude": draw.choice((36.24, 36.25, 36.26, 90, -90)),
        "longitude": draw.choice((37.1, 37.12, -180, 180)),
    }
    told = {"unit": draw.choice(TEXTS), "party": draw.choice(TEXTS), "point": point, "names": [draw.choice(NAMES)]}
    told["weapon_class"] = draw.choice(("heavy", "personnel", "bicycles"))
    if draw.random() < 0.5:
        told["uncertainty"] = {
            "value": draw.choice((0.001, 500, 600)),
            "unit": draw.choice(("metres", "yards", "miles")),
        }
    return told
