"""Histories drawn at random: late, corrected, retracted, doubled, contradictory and broken records among ticks."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from typing import Any

from schemas.agreement import Agreement
from schemas.reports import ConvoyStep
from schemas.truceday import Micros
from tests.support.accusations import PARTIES as ACCUSED_PARTIES
from tests.support.accusations import accused
from tests.support.judged import History, report, told
from tests.support.worlds import DAY, HOUR, agreement, at

PARTIES: tuple[list[dict[str, str]], ...] = (
    [],
    [{"name": "Government", "slot": "a"}, {"name": "Opposition", "slot": "b"}],
    [{"name": "Government", "slot": "a"}, {"name": "ISIL", "slot": "b"}],
    [{"name": "ISIL"}, {"name": "Nusra"}],
)
FIRST_NIGHT = datetime(2016, 9, 12, 19)  # noqa: DTZ001 - agreements state local time
FEEDS = ("feed-a", "feed-b", "feed-c")
#: Destinations: listed by two names, not listed, and a region's own name, which is no place.
NAMED: tuple[list[str], ...] = ([], ["Old Town"], ["The Hill"], ["A village"], ["Aleppo"])
STEPS = (*ConvoyStep, "offloaded", "distributed", "held")


def drawn_agreement(draw: random.Random, *, linking: bool = False) -> Agreement:
    """Return a test agreement under rules drawn at random, with an end or without, in which every finding occurs."""
    lasted = draw.choice([None, None, 3, 6])
    return agreement(
        clock={"ends": lasted and FIRST_NIGHT + timedelta(days=lasted)},
        linking=_drawn_linking(draw) if linking else None,
        parties=ACCUSED_PARTIES,
        access={
            "overdue_after_hours": 30,
            "max_gap_days": 3,
            "same_convoy_hours": draw.choice([None, 0, 12, 24]),
            "places": [
                {"name": name, "names": ["The Hill"], "region": region, "status": "besieged", "source": "none"}
                for name, region in (("Old Town", "SY01"), ("New Town", "SY02"), ("Upper Town", "SY02"))
            ],
        },
        coverage={
            "min_feeds": draw.choice([1, 2]),
            "min_share_percent": draw.choice([50, 75]),
            "reports_cover_the_day": draw.random() < 0.5,
        },
        violence={
            "baseline": {
                "first_day": date(2016, 9, 2),
                "last_day": date(2016, 9, 11),
                "measure": draw.choice(["mean", "median"]),
            },
            **draw.choice(
                [{}, {"feeds": ["feed-a", "feed-b"]}, {"bulletins_of": "feed-a"}, {"bulletins_of": "feed-b"}]
            ),
        },
    )


def _drawn_linking(draw: random.Random) -> dict[str, Any]:
    return {
        "minutes": draw.choice([0, 60, 1_440]),
        "exact_metres": draw.choice([0, 1_000]),
        "near_metres": 10_000,
        "district_metres": 25_000,
        "weakest_place": draw.choice(["near", "named", "district", "governorate"]),
        "repeating_feeds": draw.choice([[], ["feed-c"], ["feed-b", "feed-c"]]),
        "toll_ratio": draw.choice([None, 1, 3]),
    }


def random_history(seed: int, reports: int = 120, days: int = 8, *, linking: bool = False) -> History:
    """Return a history over the first ``days`` of a truce, the same for the same seed; some begin late.

    Args:
        linking: whether the agreement links reports, and many tell of the same few occurrences.
    """
    draw = random.Random(seed)
    history = History(drawn_agreement(draw, linking=linking))
    # By a draw of their own: who is accused changes nothing else of a history.
    accusing = random.Random(f"accusations of {seed}")
    next_tick = at(draw.choice([-1, -1, -1, days // 2]))
    for reported_at, data in sorted(
        (_report(draw, reports, days, linking=linking) for _ in range(reports)), key=lambda told: told[0]
    ):
        while next_tick < reported_at:
            history.tick(next_tick)
            next_tick += draw.choice([1, 3, 7, 13]) * HOUR
        data = accused(accusing, data)
        history.tell(data)
        if draw.random() < 0.05:
            history.tell(data)
        if draw.random() < 0.03:
            history.tell(b'{"feed": "feed-a", "report_id": 7}')
    if draw.random() < 0.5:
        history.tick(at(days + draw.choice([0, 1, 5])))
    return history


def _told_again(draw: random.Random, days: int, names: int) -> tuple[Micros, dict[str, Any]]:
    """Return a report of one of a few occurrences, near it in time and place, that may name other reports."""
    # As newsrooms tell it, by a day and a town: of so few occurrences that several are alike.
    by_day = draw.random() < 0.3
    occurrence = random.Random(draw.randrange(2 if by_day else 8))
    start = at(round(occurrence.uniform(-3, days - 1), 3)) + draw.choice([0, 0, 5, 50, 120]) * HOUR // 60
    north, east = occurrence.random(), occurrence.random()
    if draw.random() < 0.3:
        north += draw.choice([1, -1, 5, 30]) / 111.2
    named = [f"{draw.choice(FEEDS)}/told-{draw.randrange(names)}" for _ in range(2)]
    status = draw.choice(["active"] * 8 + ["retracted", "merged"])
    name, into = draw.sample(range(names), 2)
    length = draw.choice([0, 10, 60, 600, 26 * 60, 27 * 60, 100 * 60]) * HOUR // 60
    precision = draw.choice(["minute", "minute", "hour", "day", "week"])
    occurred = {"from": told(start), "to": told(start + length), "precision": precision}
    point = {"latitude": 33.5 + north / 5, "longitude": 36.3 + east / 5}
    reported_at = start + length + draw.choice([0, HOUR, DAY, 3 * DAY])
    given: dict[str, Any] = {
        "revision": draw.choice([1, 1, 1, 2, 3]),
        "status": status,
        "place": {
            "pcode": occurrence.choice(["SY01", "SY02"]),
            "precision": draw.choice(["exact", "exact", "near", "district", "governorate", "country"]),
        }
        | ({"point": point} if draw.random() < 0.7 else {})
        | (
            {"names": [draw.choice([occurrence.choice(["The Hill", "The Mill"])] * 4 + ["The Dale"])]}
            if draw.random() < 0.7
            else {}
        ),
        "kind": draw.choice(["airstrike", "shelling", "other", "armed_clash", "attack_on_aid", "unspecified"]),
        "parties": draw.choice(PARTIES),
        "deaths": draw.choice([{}, {"best": 3}, {"low": 1, "best": 2, "high": 9}, {"best": 13}, {"low": 7}]),
        "sources": draw.choice([[], [{"name": "Radio"}], [{"name": "Radio", "origin": "RADIO"}, {"name": "TV"}]]),
    }
    if by_day:
        occurred |= {"to": told(start + DAY), "precision": "day"}
        given["place"] |= {"precision": "near", "names": ["The Mill"]}
        given["kind"] = draw.choice(["airstrike", "shelling", "shelling", "unspecified"])
    if status == "merged":
        given["merged_into"] = f"told-{into}"
    if draw.random() < 0.15:
        given["same_as"] = named[:1]
    if draw.random() < 0.15:
        given["not_same_as"] = named[1:]
    raised = report("incident", f"told-{name}", feed=draw.choice(FEEDS), reported_at=reported_at, **given)
    return reported_at, raised | {"occurred": occurred}


def _claim(draw: random.Random) -> str:
    return f"feed-{draw.choice('abc')}/aid-{draw.randrange(6)}"


def _withdrawn(draw: random.Random) -> str:
    """Return the type of the report that a retraction names."""
    return draw.choice(["incident", "incident", "coverage", "convoy", "bulletin", "declaration"])


def _report(draw: random.Random, reports: int, days: int, *, linking: bool) -> tuple[Micros, dict[str, Any]]:
    """Return one report with the time it is reported; few identities, so that many are told more than once."""
    if linking and draw.random() < 0.6:
        return _told_again(draw, days, reports // 3)
    kind = draw.choices(
        ["incident", "coverage", "convoy", "bulletin", "declaration", "position", "retraction"],
        [48, 20, 13, 10, 2, 4, 3],
    )[0]
    start = at(round(draw.uniform(-11 if kind in ("incident", "bulletin") else -1, days), 3))
    lengths = {"coverage": [6, 12, 24, 24, 48], "bulletin": [12, 24, 24, 24, 25, 50]}
    length = draw.choice(lengths.get(kind, [0, 1, 12, 24, 50])) * HOUR
    if kind == "declaration":
        length = 0
    reported_at = start + length + draw.choice([0, HOUR, DAY, 3 * DAY, 6 * DAY])
    if kind == "incident" and draw.random() < 0.15:
        # Known to the week or the month: told before it is over, as monthly sums are, or long after.
        length = draw.choice([7, 31]) * DAY
    region = draw.choice(["SY01", "SY02"])
    places = [
        {"pcode": region},
        {"pcode": region, "point": {"latitude": 33.5, "longitude": 36.3}},
        {"names": ["Aleppo"]},
    ]
    fields: dict[str, Any] = {"occurred": (start, start + length)}
    match kind:
        case "incident":
            fields |= {
                "place": draw.choice(places),
                "kind": draw.choice(["shelling"] * 9 + ["attack_on_aid"]),
                "parties": draw.choice(PARTIES),
                "deaths": draw.choice([{}, {"best": 3}, {"low": 1, "best": 2, "high": 9}]),
            }
        case "coverage":
            fields |= {
                "places": draw.choice([[{"pcode": "SY01"}], [{"pcode": "SY01"}, {"pcode": "SY02"}], [places[2]]]),
                "nil": draw.random() < 0.5,
            }
        case "convoy":
            fields |= {
                "place": {
                    "pcode": region,
                    "names": draw.choice([[], ["Old Town"], ["The Hill"], ["A village"], ["Aleppo"]]),
                },
                "convoy_id": f"aid-{draw.randrange(6)}",
                "step": draw.choice(STEPS),
                "trucks": draw.choice([1, 5, 20]),
                "trucks_hit": draw.choice([None, 0, 3]),
                "items_removed": draw.choice([[], ["surgical kits"], ["insulin", "surgical kits"]]),
                "constraint": draw.choice([None, "interference"]),
                "same_convoy_as": draw.choice([None, None, None, _claim(draw)]),
                "not_same_convoy_as": draw.choice([[], [], [_claim(draw)]]),
            }
        case "bulletin":
            lines = [
                {"count": draw.randrange(5), "place": {"pcode": region}},
                {"count": 4, "place": draw.choice([{"names": ["Idleb"]}, {"names": ["Aleppo"]}]), "accused": "ISIL"},
                {"count": draw.randrange(3), "place": {"names": ["Aleppo"]}, "accused": "Opposition"},
                {"count": 2},
            ]
            fields |= {"tallies": lines, "total": draw.choice([9, None]), "at_least": draw.random() < 0.3}
        case "position":
            fields |= {
                "unit": "a battery",
                "party": draw.choice(["Government", "Opposition"]),
                "weapon_class": draw.choice(["heavy", "personnel", "bicycles"]),
                "point": {"latitude": draw.uniform(36.2, 36.3), "longitude": draw.uniform(37.05, 37.2)},
            }
            unit = draw.choice(["metres", "yards", "feet"])
            if draw.random() < 0.8:
                fields["uncertainty"] = {"value": draw.choice([10, 500, 1500.5]), "unit": unit}
        case _:
            act = {"act": "start", "declared_by": "Government", "effective_at": told(start)}
            fields = act if kind == "declaration" else {}
    return reported_at, report(
        kind,
        f"{_withdrawn(draw) if kind == 'retraction' else kind}-{draw.randrange(reports // 2)}",
        feed=draw.choice(FEEDS),
        reported_at=reported_at,
        revision=draw.choice([1, 1, 1, 2, 3]),
        status=draw.choice(["active"] * 6 + ["retracted"]) if kind != "retraction" else "retracted",
        **fields,
    )
