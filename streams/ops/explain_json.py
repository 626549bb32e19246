"""An explanation as values for JSON: dates, instants in UTC, spans in seconds."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from schemas.truceday import from_micros
from sinks.records import jsonable
from streams.ops.explain import Explanation, Held
from streams.ops.lever_text import lever_text
from streams.ops.levers import Lever, seconds
from streams.ops.watching import Stretch


def explanation_json(told: Explanation) -> dict[str, Any]:
    """Return everything the text shows as values: dates, instants in UTC, spans in seconds."""
    known, rules = told.dossier, told.agreement.violence
    # A monitor's limit is drawn from its bulletins: the incidents of those days are no part of it.
    baseline = known.baseline if rules.bulletins_of is None else []
    deciding = set(known.judged.evidence["access"])
    return {
        "agreement": {"id": told.agreement.id, "title": told.agreement.title},
        "verdict": jsonable(known.judged),
        "judged_at": jsonable(known.judged_at),
        "not_judged_yet": known.unjudged,
        "more_not_judged_yet": known.more_unjudged,
        "limit": {
            "limit": known.judged.violence_limit,
            "bulletins_of": rules.bulletins_of,
            "baseline": [{"truce_day": jsonable(day), "incidents": incidents} for day, incidents in baseline],
            "measure": rules.baseline.measure,
            "reduction_percent": rules.reduction_percent,
            "floor": rules.floor,
        },
        "coverage": {
            "share": known.judged.covered_share,
            "min_share_percent": told.agreement.coverage.min_share_percent,
            "min_feeds": told.agreement.coverage.min_feeds,
            "notices": jsonable(known.watches),
            "stretches": [_stretch_json(each) for each in told.watched],
            "silent": jsonable(known.silent),
        },
        "would_change": [_lever_json(lever, told) for lever in told.changes],
        "incidents": jsonable(known.incidents),
        "convoys": [
            {
                "convoy": convoy.label,
                "state": convoy.state,
                "decides": convoy.label in deciding,
                "joined": jsonable([each for each in known.joined if each.convoy == convoy.label]),
                "steps": jsonable([step for step in known.steps if step.convoy == convoy.label]),
            }
            for convoy in told.convoys
        ],
        "bulletins": jsonable(known.bulletins),
        "versions": jsonable(known.versions),
    }


def held_json(told: Held) -> dict[str, Any]:
    """Return what was held at an instant as values."""
    return {
        "agreement": {"id": told.agreement.id, "title": told.agreement.title},
        "as_of": jsonable(told.as_of),
        "verdict": jsonable(told.judged),
        "reports": jsonable(told.reports),
        "versions": jsonable(told.versions),
    }


def _lever_json(lever: Lever, told: Explanation) -> dict[str, Any]:
    return {
        **asdict(lever),
        "span": seconds(lever.span),
        "stretches": [_stretch_json(each) for each in lever.stretches],
        "after": None if lever.after is None else jsonable(from_micros(lever.after)),
        "before": None if lever.before is None else jsonable(from_micros(lever.before)),
        "text": lever_text(lever, told.case, told.dossier.judged.verdict),
    }


def _stretch_json(stretch: Stretch) -> dict[str, Any]:
    return {
        "start": jsonable(from_micros(stretch.start)),
        "end": jsonable(from_micros(stretch.end)),
        "feeds": list(stretch.feeds),
    }
