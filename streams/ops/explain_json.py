"""JSON of an explanation, with instants in UTC and spans in seconds."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from schemas.truceday import from_micros
from sinks.records import jsonable
from streams.ops.counterfactual_text import counterfactual_text
from streams.ops.counterfactuals import Counterfactual, seconds
from streams.ops.explain import Explanation, PastExplanation
from streams.ops.watching import Stretch


def explanation_json(explanation: Explanation) -> dict[str, Any]:
    """Return everything the text shows as values: dates, instants in UTC, spans in seconds."""
    known, rules = explanation.detail, explanation.agreement.violence
    # A monitor's limit is drawn from its bulletins: the incidents of those days are no part of it.
    baseline = known.baseline if rules.bulletins_of is None else []
    deciding = set(known.judged.evidence["access"])
    return {
        "agreement": {"id": explanation.agreement.id, "title": explanation.agreement.title},
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
            "min_share_percent": explanation.agreement.coverage.min_share_percent,
            "min_feeds": explanation.agreement.coverage.min_feeds,
            "notices": jsonable(known.watches),
            "stretches": [_stretch_json(each) for each in explanation.watched],
            "unexplained": list(explanation.unexplained),
            "silent": jsonable(known.silent),
        },
        "would_change": [_counterfactual_json(change, explanation) for change in explanation.changes],
        "incidents": jsonable(known.incidents),
        "convoys": [
            {
                "convoy": convoy.label,
                "state": convoy.state,
                "decides": convoy.label in deciding,
                "joined": jsonable([each for each in known.joined if each.convoy == convoy.label]),
                "steps": jsonable([step for step in known.steps if step.convoy == convoy.label]),
            }
            for convoy in explanation.convoys
        ],
        "bulletins": jsonable(known.bulletins),
        "refused": jsonable(known.refused),
        "versions": jsonable(known.versions),
    }


def past_json(past: PastExplanation) -> dict[str, Any]:
    """Return the verdict held at an instant as values."""
    return {
        "agreement": {"id": past.agreement.id, "title": past.agreement.title},
        "as_of": jsonable(past.as_of),
        "verdict": jsonable(past.judged),
        "reports": jsonable(past.reports),
        "versions": jsonable(past.versions),
    }


def _counterfactual_json(change: Counterfactual, explanation: Explanation) -> dict[str, Any]:
    return {
        **asdict(change),
        "span": seconds(change.span),
        "stretches": [_stretch_json(each) for each in change.stretches],
        "after": None if change.after is None else jsonable(from_micros(change.after)),
        "before": None if change.before is None else jsonable(from_micros(change.before)),
        "text": counterfactual_text(change, explanation.case, explanation.detail.judged.verdict),
    }


def _stretch_json(stretch: Stretch) -> dict[str, Any]:
    return {
        "start": jsonable(from_micros(stretch.start)),
        "end": jsonable(from_micros(stretch.end)),
        "feeds": list(stretch.feeds),
    }
