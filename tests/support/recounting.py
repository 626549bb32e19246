"""Recount of everything at one moment, by the parts that verify judges single versions with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from schemas.agreement import Agreement
from schemas.truceday import Micros
from sinks.verify.bulletins import bulletin_limit, measuring, of_days
from sinks.verify.days import Days
from sinks.verify.history import NaiveReport, present
from sinks.verify.incidents import NaiveIncident
from sinks.verify.linking import NOW, Linking
from sinks.verify.recount import NaiveVerdict, baseline_days, is_long, judge, violence_limit
from sinks.verify.refused import NaiveReject, RefusedOfDay, by_day


def recount(
    agreement: Agreement, reports: Sequence[NaiveReport], now: Micros, rejects: Iterable[NaiveReject] = ()
) -> dict[tuple[str, date], NaiveVerdict]:
    """Judge every region and truce-day as a tick must, its time being ``now``.

    ``reports`` may hold revisions in any order. Empty while ``now`` lies before the truce took effect.
    """
    days = Days.of(agreement)
    counting = present(reports, None)
    notices = [report for report in counting if report.type == "coverage"]
    steps = [report for report in counting if report.type == "convoy"]
    incidents: dict[tuple[str, date], list[NaiveIncident]] = {}
    for incident in Linking(agreement, days, reports).incidents(NOW):
        incidents.setdefault((incident.content.region, incident.content.truce_day), []).append(incident)
    refused = by_day(rejects)
    verdicts = {}
    for region in agreement.regions:
        of_baseline = {day: incidents.get((region, day), []) for day in baseline_days(agreement, days)}
        limit = violence_limit(agreement, of_baseline)
        told = of_days(days, region, counting)
        if agreement.violence.bulletins_of:
            limit = bulletin_limit(agreement, days, region, of_baseline, measuring(agreement, told))
        of_region = [each for (where, _), found in incidents.items() if where == region for each in found]
        long = [each for each in of_region if is_long(agreement, each)]
        watching = [notice for notice in notices if region in notice.regions]
        reporting = [each for each in counting if each.type == "incident" and region in each.regions]
        for day in days.judged(agreement, now):
            tellers = {
                each.feed for each in reporting if days.holding_most(each.occurred_from, each.occurred_to)[0] == day
            }
            verdicts[region, day] = judge(
                agreement,
                days,
                region,
                day,
                now,
                limit,
                incidents.get((region, day), []),
                watching,
                steps,
                told,
                tellers,
                long,
                RefusedOfDay(agreement, refused.get((region, day), ())).at(NOW),
                counting,
            )
    return verdicts
