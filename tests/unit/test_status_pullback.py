"""Positions in ``status``: counts and the worst of them beside the verdicts, lengths as given and in metres."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from schemas.agreement_file import load_agreement
from schemas.truceday import Micros
from streams.ops.pullback import MOST_LISTED, show_pullback
from streams.ops.status import Status, read_status
from streams.ops.status_text import status_json
from tests.support.judged import History, report
from tests.support.worlds import DAY, HOUR, TRUCE

AGREEMENT = load_agreement("syria-2016")
START = AGREEMENT.effective


def told(report_id: str, latitude: float, when: Micros = START + HOUR, **given: Any) -> dict[str, Any]:
    """Return a report of the army's heavy weapons, known to 500 yards."""
    stood: dict[str, Any] = {"unit": "howitzers", "party": "Syrian Arab Army", "weapon_class": "heavy"}
    stood |= {"uncertainty": {"value": 500, "unit": "yards"}, "point": {"latitude": latitude, "longitude": 37.13}}
    return report("position", report_id, reported_at=when + HOUR, occurred=(when, when + HOUR), **{**stood, **given})


def status(folder: Path, *reports: dict[str, Any], **asked: Any) -> Status:
    history = History(AGREEMENT).tell(*reports).tick(START + 3 * DAY)
    return read_status(history.judged(folder / "syria-2016"), **asked)


def shown(of: Status) -> str:
    console = Console(width=200)
    with console.capture() as captured:
        show_pullback(console, of)
    return captured.get()


WORST_FIRST = (
    told("fine", 36.35),
    told("near", 36.27, stated_distance={"value": 1.2, "unit": "miles"}),
    told("unsure", 36.30, uncertainty=None),
    told("theirs", 36.27, party="Syrian insurgents"),
    told("far", 33.5),
    told("later", 36.27, when=START + DAY + HOUR),
)


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Status:
    """How things stand after one position of every kind."""
    return status(tmp_path_factory.mktemp("week"), *WORST_FIRST)


def test_each_day_and_party_has_its_counts_the_worst_first(week: Status) -> None:
    counts = [
        (each.truce_day.day, each.party, each.worst, each.violations, each.indeterminate) for each in week.pullback_days
    ]
    assert counts == [
        (12, "Syrian Arab Army", "VIOLATION", 1, 1),
        (12, "Syrian insurgents", "NOT_BOUND", 0, 0),
        (13, "Syrian Arab Army", "VIOLATION", 1, 0),
    ]
    first = week.pullback_days[0]
    assert (first.compliant, first.not_bound, first.not_judged) == (1, 0, 1)
    findings = [each.finding for each in week.positions]
    assert findings == ["VIOLATION", "VIOLATION", "INDETERMINATE", "COMPLIANT", "NOT_BOUND", "OUT_OF_REACH"]


def test_only_the_days_shown_are_told(tmp_path: Path) -> None:
    of = status(tmp_path, *WORST_FIRST, first=date(2016, 9, 13), last=date(2016, 9, 13))
    assert [each.report_id for each in of.positions] == ["later"]


def test_a_position_is_told_as_given_and_in_metres(week: Status) -> None:
    text = shown(week)
    assert "Pull-back from Castello Road, known to ±500 m (beside the verdicts)" in text
    assert (
        "VIOLATION 2016-09-12 Syrian Arab Army: howitzers, heavy: 1,962 m north ± 957 m (500 yards = 457.2 m, the line "
        "500 m); at least 3,500 m; the source says 1.2 miles = 1,931.2 m"
    ) in text
    assert "INDETERMINATE 2016-09-12 Syrian Arab Army: howitzers, heavy: 5,233 m; it states no uncertainty" in text
    assert "COMPLIANT 2016" not in text


def test_many_violations_are_cut_short(tmp_path: Path) -> None:
    text = shown(status(tmp_path, *(told(f"p{number}", 36.27) for number in range(MOST_LISTED + 2))))
    assert text.count("VIOLATION 2016-09-12") == MOST_LISTED
    assert "... and 2 more; --json lists them all" in text


def test_a_line_without_positions_says_so_and_no_line_says_nothing(tmp_path: Path) -> None:
    assert "no position reported for these days" in shown(status(tmp_path))
    truce = TRUCE.model_copy(update={"pullback": []})
    path = History(truce).tell(told("near", 36.27)).tick(truce.effective + DAY).judged(tmp_path / "none")
    none = read_status(path)
    assert (shown(none), none.positions) == ("", [])


def test_json_has_both(week: Status) -> None:
    document = json.loads(json.dumps(status_json(week)))
    assert document["pullback_days"][0]["worst"] == "VIOLATION"
    near = next(each for each in document["positions"] if each["report_id"] == "near")
    assert (near["uncertainty"], near["uncertainty_unit"], near["uncertainty_metres"]) == (500.0, "yards", 457.2)
    assert near["limit_metres"] == 3_500


def test_the_views_hold_nothing_of_what_was_withdrawn(tmp_path: Path) -> None:
    of = status(tmp_path, told("near", 36.27), told("near", 36.27, revision=2, status="retracted"))
    assert (of.positions, of.pullback_days) == ([], [])
