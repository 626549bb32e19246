"""What stands for "missing" is no identity: two unknown places are not one, nor are two unknown tellers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.judged import History
from tests.support.scenarios import outcome, shelling
from tests.support.worlds import LINKING, agreement, at

TRUCE = agreement(linking=LINKING)


def told(feed: str, place: str, sources: list[dict[str, Any]]) -> dict[str, Any]:
    """Return one shelling as a feed tells it, placed by a name alone."""
    where = {"pcode": "SY01", "names": [place], "precision": "near"}
    said = shelling(feed, at(0, 2), feed=feed) | {"place": where}
    return said | {"sources": sources} if sources else said


@pytest.mark.parametrize(("place", "incidents"), [("Unknown", 2), ("N/A", 2), ("Old market", 1)])
def test_two_unknown_places_are_not_the_same(place: str, incidents: int, tmp_path: Path) -> None:
    history = History(TRUCE).tell(*(told(feed, place, []) for feed in ("feed-a", "feed-b")))
    assert outcome(history.tick(at(1)), tmp_path).one("SELECT count(*) FROM incidents") == incidents


def test_two_unknown_tellers_are_none(tmp_path: Path) -> None:
    sources = [{"name": "Radio", "origin": "unknown"}, {"name": "Radio", "origin": "NA"}, {"name": "?"}]
    history = History(TRUCE).tell(*(told(feed, "Old market", sources) for feed in ("feed-a", "feed-b")))
    judged = outcome(history.tick(at(1)), tmp_path)
    assert judged.ask("SELECT reports, independent_origins FROM incidents") == [(2, 1)]
