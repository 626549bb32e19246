"""A rule the ledger breaks: the rebuild breaks it likewise, and the recount finds it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.agreement import Agreement
from sinks.verify import RECOUNT
from streams.ledger.core import judge
from streams.ledger.core.findings import Finding
from streams.ledger.core.ledger import Ledger
from streams.ledger.core.legs import violence
from streams.ledger.core.window import Streak
from streams.verify import verify
from tests.support.effort import cases
from tests.support.rich_history import small_history


def silence_is_peace(rule: Callable[..., Finding]) -> Callable[..., Finding]:
    return lambda *told, **known: Finding.MET if (found := rule(*told, **known)) == Finding.UNKNOWN else found


def a_day_more(rule: Callable[..., Streak]) -> Callable[..., Streak]:
    def streak(*told: Any) -> Streak:
        found = rule(*told)
        return found._replace(days=found.days + 1)

    return streak


def never(_rule: object) -> Callable[..., bool]:
    return lambda *_told, **_known: False


def always(_rule: object) -> Callable[..., bool]:
    return lambda *_told, **_known: True


def nobody(_rule: object) -> Callable[..., tuple[str, ...]]:
    return lambda *_told: ("nobody",)


@pytest.mark.parametrize(
    ("owner", "name", "broken", "step"),
    cases(
        [
            (violence, "judge_violence", silence_is_peace, "every version of every verdict"),
            (judge, "streak_of", a_day_more, "windows and streaks"),
            (judge, "is_new_version", never, "every version of every verdict"),
            (Ledger, "_in_scope", always, "every version of every verdict"),
            (Agreement, "accused_parties", nobody, "who is accused"),
        ],
        fast=1,
    ),
)
def test_a_rule_that_the_ledger_breaks_is_found_by_the_recount_alone(
    owner: Any, name: str, broken: Callable[[Any], Any], step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, broken(getattr(owner, name)))
    steps: list[str] = []
    found = verify(small_history().judged(tmp_path), lambda _done, doing: steps.append(doing))
    assert found
    assert steps[-1] == step
    assert step in dict(RECOUNT)
