"""Reports that make the change of a counterfactual."""

from __future__ import annotations

from typing import Any

from schemas.truceday import MICROS_PER_SECOND, Micros
from sinks.day_records import Incident
from streams.ops.counterfactuals import Counterfactual
from streams.ops.explain import Explanation
from tests.support.judged import report
from tests.support.worlds import DAY

MINUTE = 60 * MICROS_PER_SECOND


def applied(
    change: Counterfactual, explanation: Explanation, now: Micros, *, short: bool = False
) -> list[dict[str, Any]]:
    """Return the reports that make a change, or with ``short`` a little less of it."""
    region, start = explanation.case.region, explanation.case.start
    last = explanation.case.horizon - MINUTE
    counting = [each for each in explanation.detail.incidents if each.within_count and each.sure]
    besides = retracted(explanation, change.besides, now)
    if change.change in ("of_other_days", "of_this_day"):
        return redated(change, explanation, now, short=short)
    match change.change:
        case "watch":
            span = change.span - (MINUTE if short else 0)
            feeds = [f"extra-{number}" for number in range(change.number)]
            return besides + [each for feed in feeds for each in watches(change, feed, region, span, now)]
        case "retract":
            return withdrawn(counting[: change.number - short], now)
        case "retract_severe":
            severe, others = by_severity(counting)
            return withdrawn([*severe[short:], *others[: change.number]], now)
        case "more_incidents" | "severe_incident":
            kind = change.names[0] if change.names else "shelling"
            number = change.number - short
            return [incident(f"made-{n}", region, (start, start + MINUTE), kind, now) for n in range(number)]
        case "bulletin_within" | "bulletin_above" | "contest":
            monitor = explanation.agreement.violence.bulletins_of or "made"
            lines = [{"count": change.number - short, "place": {"pcode": region}}]
            day = (start, explanation.case.end)
            return [report("bulletin", "made", feed=monitor, reported_at=now, occurred=day, tallies=lines)]
        case "retract_attack" | "uncontest":
            return retracted(explanation, change.names[short:], now)
        case "deliver":
            names = [name.split("/", 1) for name in change.names[short:]]
            others = [
                step("feed-a", f"another-{n}", "offloaded", region, last, now)
                | {"place": {"pcode": region, "names": [place] if place else []}}
                for n, place in enumerate(change.places[short and not change.names :])
            ]
            return [*besides, *others] + [
                step(feed, convoy, kind, region, last + n, now)
                for feed, convoy in names
                for n, kind in enumerate(change.steps)
            ]
        case "deliver_any" | "know_convoy":
            kind = "offloaded" if change.change == "deliver_any" else "dispatched"
            return [*besides, step("feed-a", "another", kind, region, last, now)]
        case _:
            assert change.change == "attack"
            return [*besides, step("feed-a", "another", "attacked", region, last, now)]


def watches(change: Counterfactual, feed: str, region: str, span: Micros, now: Micros) -> list[dict[str, Any]]:
    """Return notices by one feed that cover so much of a change's stretches."""
    notices = []
    for number, stretch in enumerate(change.stretches):
        part = min(span, stretch.end - stretch.start)
        span -= part
        if part:
            occurred = (stretch.start, stretch.start + part)
            places = [{"pcode": region}]
            notices.append(
                report(
                    "coverage",
                    f"made-{number}",
                    feed=feed,
                    reported_at=now,
                    occurred=occurred,
                    places=places,
                    nil=True,
                )
            )
    return notices


def withdrawn(incidents: list[Incident], now: Micros) -> list[dict[str, Any]]:
    """Retract every report behind some incidents."""
    return [
        incident(last.report_id, "SY01", (now, now), "shelling", now, feed=last.feed, revision=999, status="retracted")
        for each in incidents
        for last in each.reports
    ]


def redated(change: Counterfactual, explanation: Explanation, now: Micros, *, short: bool) -> list[dict[str, Any]]:
    """Tell possible incidents as of a minute of the day, or of an earlier one."""
    region, start = explanation.case.region, explanation.case.start
    severe, others = by_severity([each for each in explanation.detail.incidents if each.within_count and not each.sure])
    if change.change == "of_this_day":
        return dated((severe or others)[: change.number - short], region, start, now)
    chosen = [*severe, *others[: change.number - short]] if change.number else severe[short:]
    return dated(chosen, region, start - 2 * DAY, now)


def by_severity(incidents: list[Incident]) -> tuple[list[Incident], list[Incident]]:
    """Return the severe incidents and the others."""
    severe = [each for each in incidents if each.severe]
    return severe, [each for each in incidents if not each.severe]


def dated(incidents: list[Incident], region: str, at: Micros, now: Micros) -> list[dict[str, Any]]:
    """Retract incidents, and tell them anew as of a minute: by one feed, which nothing links."""
    when = (at, at + MINUTE)
    told = [incident(f"made-{n}", region, when, each.kind, now) for n, each in enumerate(incidents)]
    return [*withdrawn(incidents, now), *told]


def retracted(explanation: Explanation, names: tuple[str, ...], now: Micros) -> list[dict[str, Any]]:
    """Retract some steps of convoys, bulletins that touch the day, and incidents."""
    incidents = [each for each in explanation.detail.incidents if each.incident_id in names]
    steps = [each for each in explanation.detail.steps if f"{each.feed}/{each.report_id}" in names]
    return (
        [
            step(each.feed, each.convoy_id, each.step, each.region, now, now, each.report_id)
            | {"revision": 999, "status": "retracted"}
            for each in steps
        ]
        + [
            report("bulletin", report_id, feed=feed, reported_at=now, occurred=(now, now), tallies=[{"count": 0}])
            | {"revision": 999, "status": "retracted"}
            for feed, report_id in sorted({(each.feed, each.report_id) for each in explanation.detail.bulletins})
            if f"{feed}/{report_id}" in names
        ]
        + withdrawn(incidents, now)
    )


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
    return report("convoy", name or f"made-{convoy}-{kind}", convoy_id=convoy, step=kind, **spine)
