"""Verdicts: findings of the legs combined, explained, and versioned."""

from __future__ import annotations

import json
from datetime import date
from operator import attrgetter
from typing import Any, NamedTuple

from schemas.rows import LEGS, RECORDED, DayVerdict
from schemas.truceday import Micros
from streams.ledger.core.findings import Finding, State, combine
from streams.ledger.core.legs.leg import LegFinding

#: Columns whose change makes a new version of any day, and those whose change makes one of a FINAL day alone.
_FINDINGS = (*LEGS, "violence_limit", "evidence")
_FIGURES = [name for name in DayVerdict._fields if name not in {*RECORDED, *_FINDINGS, "verdict"}]
findings_of = attrgetter(*_FINDINGS)
figures_of = attrgetter(*_FIGURES)


class Judgement(NamedTuple):
    """Findings on one region and truce-day, before they are compared with what was found earlier.

    They stand in the order of ``LEGS``. The first leg is owed in every region.
    """

    region: str
    truce_day: date
    findings: tuple[LegFinding, ...]

    @property
    def legs(self) -> dict[str, LegFinding]:
        """The findings by leg."""
        return dict(zip(LEGS, self.findings, strict=True))

    @property
    def verdict(self) -> Finding:
        """The verdict of the day."""
        return combine(leg.finding for leg in self.findings)

    @property
    def rule(self) -> str:
        """The rule that decided the verdict: that of the first leg, of several that did."""
        verdict = self.verdict
        deciding = [leg for leg in self.findings if leg.finding is verdict]
        return deciding[0].rule

    def columns(self) -> dict[str, Any]:
        """Return the columns of a row that the legs fill."""
        found: dict[str, Any] = {name: leg.finding for name, leg in self.legs.items()}
        for leg in self.findings:
            found |= leg.figures
        return found

    def evidence_text(self) -> str:
        """Return what decided each leg, as JSON text."""
        return json.dumps({name: leg.evidence for name, leg in self.legs.items()}, ensure_ascii=False)

    def reasons_text(self) -> str:
        """Return why the legs were found so, as a JSON list of sentences with the rule that decided.

        That of a day nobody told of says so: once the day is final, the next judgement has to know.
        """
        reasons: list[dict[str, object]] = [
            {"leg": name, "finding": leg.finding, "rule": leg.rule, "text": leg.text} for name, leg in self.legs.items()
        ]
        if not any(leg.told_of for leg in self.findings):
            reasons[0]["told_of"] = False
        return json.dumps(reasons, ensure_ascii=False)


def state_at(now: Micros, ends: Micros, final_at: Micros, *, amended: bool) -> State:
    """Return how settled a verdict is at ``now``, given the day's end and when its lateness has passed."""
    if now < ends:
        return State.OPEN
    if now < final_at:
        return State.PROVISIONAL
    return State.AMENDED if amended else State.FINAL


def is_new_version(judged: DayVerdict, present: DayVerdict, *, final: bool) -> bool:
    """Whether ``judged`` is a new version of ``present``, not a mere update of counts.

    Until a day is FINAL only a change of finding, limit or deciding report counts; afterwards every change but that of
    its state.
    """
    if findings_of(judged) != findings_of(present):
        return True
    return final and figures_of(judged) != figures_of(present)


def rests_on_anything(row: DayVerdict) -> bool:
    """Whether a report, notice, bulletin or pending reject stands behind a row; one of none may be filled in."""
    return "told_of" not in json.loads(row.reasons)[0]
