"""Feeds whose words of a region and truce-day exclude each other; the view ``contradictions``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from schemas.truceday import Micros
from sinks.reading import published
from tests.support.judged import History, report
from tests.support.worlds import LINKING, TRUCE, agreement, at

PAIRS = "SELECT region, truce_day::VARCHAR, kind, one_feed, one_says, other_feed, other_says FROM contradictions"


def nothing(low: Micros, high: Micros, report_id: str = "c1", **changes: Any) -> dict[str, Any]:
    """Return a notice that there was nothing to report of SY01."""
    spine = {"reported_at": at(1), "occurred": (low, high), "places": [{"pcode": "SY01"}], "nil": True}
    return report("coverage", report_id, **{**spine, **changes})


def tally(count: int = 5, accused: str = "Opposition", feed: str = "monitor", **changes: Any) -> dict[str, Any]:
    """Return a bulletin of the first truce-day that counts so many in SY01."""
    lines = [{"count": count, "place": {"pcode": "SY01"}, "accused": accused}]
    spine = {"reported_at": at(1), "occurred": (at(0), at(1)), "tallies": lines}
    return report("bulletin", "b1", feed=feed, **spine, **changes)


def contradictions(folder: Path, *told: dict[str, Any]) -> list[Any]:
    with published(History(TRUCE).tell(*told).tick(at(2)).judged(folder)) as connection:
        return connection.execute(PAIRS).fetchall()


def test_nothing_to_report_excludes_a_bulletin_that_counts_some(tmp_path: Path) -> None:
    nil = ("nil_and_bulletin", "feed-a", "nothing to report", "monitor", "b1 counts 5 within the same hours")
    assert contradictions(tmp_path, nothing(at(0), at(1)), tally()) == [("SY01", "2016-09-12", *nil)]


def test_notices_of_nothing_that_follow_each_other_are_one_word(tmp_path: Path) -> None:
    halves = nothing(at(0), at(0, 12), "c1"), nothing(at(0, 12), at(1), "c2")
    ((*_, says),) = contradictions(tmp_path, *halves, tally(at_least=True))
    assert says == "b1 counts at least 5 within the same hours"


@pytest.mark.parametrize(
    ("notice", "told"),
    [
        (nothing(at(0), at(1)), tally(0)),
        (nothing(at(0), at(1)), tally(accused="ISIL")),
        (nothing(at(0), at(1)), tally(feed="feed-a")),
        (nothing(at(0), at(1), nil=False), tally()),
        (nothing(at(0), at(1), places=[{"pcode": "SY02"}]), tally()),
        (nothing(at(0, 1), at(1)), tally()),
    ],
    ids=["none", "out of scope", "its own", "something seen", "another region", "hours nobody speaks of"],
)
def test_what_can_be_true_together_is_no_contradiction(
    tmp_path: Path, notice: dict[str, Any], told: dict[str, Any]
) -> None:
    assert contradictions(tmp_path, notice, told) == []


def test_videos_of_one_strike_are_one_incident_beside_a_notice_of_nothing(tmp_path: Path) -> None:
    spine = {"feed": "videos", "reported_at": at(1), "occurred": (at(0, 3), at(0, 4)), "region": "SY01"}
    videos = [
        report("incident", "v1", kind="shelling", **spine),
        report("incident", "v2", kind="shelling", same_as=["videos/v1"], **spine),
    ]
    truce = agreement(linking=LINKING)
    with published(History(truce).tell(nothing(at(0), at(1)), *videos).tick(at(2)).judged(tmp_path)) as connection:
        ((*_, says),) = connection.execute(PAIRS).fetchall()
    assert says == "1 incident within the same hours, such as v1"
