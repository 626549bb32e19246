"""Levers made real: the reports that change what a lever says would have to change."""

from __future__ import annotations

from typing import Any

from schemas.truceday import MICROS_PER_SECOND, Micros
from sinks.dossier import Incident
from streams.ops.explain import Explanation
from streams.ops.levers import Lever
from tests.support.judged import report

MINUTE = 60 * MICROS_PER_SECOND


def applied(lever: Lever, told: Explanation, now: Micros, *, short: bool = False) -> list[dict[str, Any]]:
    """Return the reports that make a lever's change, or with ``short`` a little less of it."""
    region, start = told.case.region, told.case.start
    last = told.case.horizon - MINUTE
    counting = [each for each in told.dossier.incidents if each.in_scope and each.counted]
    besides = retracted(told, lever.besides, now)
    match lever.change:
        case "watch":
            span = lever.span - (MINUTE if short else 0)
            feeds = [f"extra-{number}" for number in range(lever.number)]
            return [each for feed in feeds for each in watches(lever, feed, region, span, now)]
        case "retract":
            return withdrawn(counting[: lever.number - short], now)
        case "retract_severe":
            severe = [each for each in counting if each.severe]
            others = [each for each in counting if not each.severe]
            return withdrawn([*severe[short:], *others[: lever.number]], now)
        case "more_incidents" | "severe_incident":
            kind = lever.names[0] if lever.names else "shelling"
            number = lever.number - short
            return [incident(f"lever-{n}", region, (start, start + MINUTE), kind, now) for n in range(number)]
        case "bulletin_within" | "bulletin_above":
            monitor = str(told.agreement.violence.bulletins_of)
            lines = [{"count": lever.number - short, "place": {"pcode": region}}]
            day = (start, told.case.end)
            return [report("bulletin", "lever", feed=monitor, reported_at=now, occurred=day, tallies=lines)]
        case "retract_attack":
            return retracted(told, lever.names[short:], now)
        case "deliver":
            names = [name.split("/", 1) for name in lever.names[short:]]
            others = [
                step("feed-a", f"another-{n}", "offloaded", region, last, now)
                | {"place": {"pcode": region, "names": [place] if place else []}}
                for n, place in enumerate(lever.places[short and not lever.names :])
            ]
            return [*besides, *others] + [
                step(feed, convoy, kind, region, last + n, now)
                for feed, convoy in names
                for n, kind in enumerate(lever.steps)
            ]
        case "deliver_any":
            return [*besides, step("feed-a", "another", "offloaded", region, last, now)]
        case "know_convoy":
            return [*besides, step("feed-a", "another", "dispatched", region, last, now)]
        case _:
            assert lever.change == "attack"
            return [*besides, step("feed-a", "another", "attacked", region, last, now)]


def watches(lever: Lever, feed: str, region: str, span: Micros, now: Micros) -> list[dict[str, Any]]:
    """Return notices by one feed that cover so much of a lever's stretches."""
    told = []
    for number, stretch in enumerate(lever.stretches):
        part = min(span, stretch.end - stretch.start)
        span -= part
        if part:
            occurred = (stretch.start, stretch.start + part)
            places = [{"pcode": region}]
            told.append(
                report(
                    "coverage",
                    f"lever-{number}",
                    feed=feed,
                    reported_at=now,
                    occurred=occurred,
                    places=places,
                    nil=True,
                )
            )
    return told


def withdrawn(incidents: list[Incident], now: Micros) -> list[dict[str, Any]]:
    """Retract every report behind some incidents."""
    return [
        incident(told.report_id, "SY01", (now, now), "shelling", now, feed=told.feed, revision=999, status="retracted")
        for each in incidents
        for told in each.reports
    ]


def retracted(told: Explanation, names: tuple[str, ...], now: Micros) -> list[dict[str, Any]]:
    """Retract some steps of convoys."""
    steps = [each for each in told.dossier.steps if f"{each.feed}/{each.report_id}" in names]
    return [
        step(each.feed, each.convoy_id, each.step, each.region, now, now, each.report_id)
        | {"revision": 999, "status": "retracted"}
        for each in steps
    ]


def incident(
    name: str, region: str, occurred: tuple[Micros, Micros], kind: str, now: Micros, **fields: Any
) -> dict[str, Any]:
    """Return an incident that names no party: it is in scope."""
    return report("incident", name, reported_at=now, region=region, occurred=occurred, kind=kind, **fields)


def step(
    feed: str, convoy: str, kind: str, region: str, at: Micros, now: Micros, name: str | None = None
) -> dict[str, Any]:
    """Return one step of a convoy."""
    spine = {"feed": feed, "reported_at": now, "region": region, "occurred": (at, at)}
    return report("convoy", name or f"lever-{convoy}-{kind}", convoy_id=convoy, step=kind, **spine)
