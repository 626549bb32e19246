"""What ``explain`` says of what decided September 2016: the convoy at Urum al-Kubra, and the trucks at the border."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.shell import trucewatch

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published file of the bundled record."""
    data = tmp_path_factory.mktemp("demo")
    done = trucewatch("demo", "--data", data)
    assert done.returncode == 0, done.stderr
    return data / "syria-2016" / "compliance.duckdb"


def told(demo: Path, day: str, *options: str) -> str:
    done = trucewatch("explain", "SY02", day, "--file", demo, *options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def judged(demo: Path, day: str, *options: str) -> tuple[str, dict[str, str], dict[str, list[str]]]:
    """The verdict of a day in Aleppo, the rule of each leg, and the evidence."""
    verdict: dict[str, Any] = json.loads(told(demo, day, "--json", *options))["verdict"]
    return verdict["verdict"], {each["leg"]: each["rule"] for each in verdict["reasons"]}, verdict["evidence"]


def test_the_attack_at_urum_al_kubra_came_after_the_end_and_breaks_no_day(demo: Path) -> None:
    done = trucewatch("explain", "SY02", "2016-09-19", "--file", demo)
    assert done.returncode == 2
    assert "no truce-day 2016-09-19 has been judged; judged are 2016-09-12 to 2016-09-18" in done.stderr


def test_had_the_truce_run_on_the_attack_would_have_broken_both_legs_of_an_eighth_day(demo: Path) -> None:
    done = trucewatch("whatif", demo, "--set", "clock.ends=2016-09-20T19:00:00", "--json")
    assert done.returncode == 0, done.stderr
    (longer,) = json.loads(done.stdout)["alternatives"]
    (eighth,) = [each for each in longer["verdicts"] if (each["region"], each["truce_day"]) == ("SY02", "2016-09-19")]
    assert (eighth["verdict"], eighth["violence"], eighth["access"]) == ("BROKEN", "BROKEN", "BROKEN")


def test_the_trucks_at_the_border_break_the_seventh_day_and_the_attack_does_not(demo: Path) -> None:
    """Arrived, crossed, dispatched: by every account the load for eastern Aleppo was not delivered."""
    verdict, rules, evidence = judged(demo, "2016-09-18")
    assert (verdict, rules["access"]) == ("BROKEN", "overdue")
    assert evidence["violence"] == []
    assert "un-ocha/urum-al-kubra-2016-09-19" not in evidence["access"]
    text = told(demo, "2016-09-18")
    assert "a convoy was overdue" in text
    for step in ("un-ocha/bab-al-hawa-dispatched", "un-ocha/bab-al-hawa-held-19", "anadolu/aleppo-trucks-2016-09-13"):
        assert step in text


def test_the_claim_that_the_trucks_crossed_delivered_nothing(demo: Path) -> None:
    assert "Even if true, an arrival is no delivery." in " ".join(told(demo, "2016-09-18").split())


def test_the_seventh_day_was_held_broken_by_the_border_before_the_attack_was_reported(demo: Path) -> None:
    text = told(demo, "2016-09-18", "--as-of", "2016-09-19T20:00+03:00")
    assert "urum-attacked" not in text
    assert "overdue" in text
