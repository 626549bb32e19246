"""Histories with one of everything, for tests that alter what the ledger made of them."""

from __future__ import annotations

from typing import Any

from tests.support.judged import History, report
from tests.support.worlds import LINKING, agreement, at


def small_history(**rules: Any) -> History:
    """A truce of five days with one of everything: corrected, retracted, doubled, late, rejected."""
    parties = [{"name": "Government", "slot": "a"}, {"name": "Opposition", "slot": "b"}]
    facts: dict[str, Any] = {"kind": "shelling", "parties": parties, "deaths": {"low": 1, "best": 2, "high": 3}}
    facts |= {"accused": ["Government"], "claimant": "Monitor", "confidence": "alleged"}
    place = {"pcode": "SY01", "names": ["Duma"], "point": {"latitude": 33.5, "longitude": 36.3}}
    step: dict[str, Any] = {
        "place": {"pcode": "SY02", "names": ["the Old Town"]},
        "convoy_id": "aid-1",
        "people_requested": 70,
        "people_approved": 65,
        "people_reached": 60,
        "trucks": 9,
        "trucks_hit": 1,
        "items_removed": ["surgical kits"],
        "blocker": "a checkpoint",
        "reason": "no letter",
        "constraint": "movement_within",
        "reached_place": "the ring road",
    }
    other = {**step, "feed": "feed-b", "convoy_id": "aid/2", "same_convoy_as": "feed-a/aid-1"}
    third = {**step, "feed": "feed-c", "convoy_id": "aid-3", "not_same_convoy_as": ["feed-c/aid-4"]}
    both = [{"pcode": "SY01"}, {"pcode": "SY02"}]

    def incident(number: int, when: float, **fields: Any) -> dict[str, Any]:
        begun = at(when)
        spine: dict[str, Any] = {"reported_at": at(when, 2), "occurred": (begun, at(when, 1)), "place": place}
        return report("incident", f"i{number}", **{**spine, **facts, **fields})

    old_town = {"name": "Old Town", "region": "SY02", "status": "besieged", "source": "none"}
    history = History(agreement(access={"places": [old_town], "same_convoy_hours": 24}, **rules)).tick(at(-2))
    history.tell(*(incident(n, -3 - n / 10) for n in range(12))).tick(at(0, 1))
    history.tell(incident(20, 0.5), incident(21, 0.4), incident(22, 0.3, kind="attack_on_aid"))
    history.tell(report("coverage", "c1", reported_at=at(1), occurred=(at(0), at(1)), places=both, nil=False))
    history.tick(at(1, 1))
    history.tell(report("convoy", "s1", reported_at=at(1, 3), occurred=(at(1, 2), at(1, 2)), step="dispatched", **step))
    history.tell(incident(23, 1.5, parties=[{"name": "ISIL", "slot": "a"}], region="SY02"))
    history.tell(report("coverage", "c2", reported_at=at(3), occurred=(at(1), at(3)), places=both, nil=True))
    history.tick(at(2, 1), at(3, 1))
    history.tell(incident(20, 0.5, revision=2, status="retracted", reported_at=at(3, 1)))
    history.tell(
        incident(22, 0.3, revision=3, reported_at=at(3, 2)), incident(22, 0.3, revision=2, reported_at=at(3, 2))
    )
    history.tell(incident(24, 2.5, reported_at=at(3, 2)), incident(24, 2.5, reported_at=at(3, 2)))
    history.tell(incident(24, 2.6, reported_at=at(3, 2)), b"{", b'{"feed": "feed-a", "report_id": "i1"}')
    lines = [{"count": 4, "place": {"pcode": "SY01"}, "accused": "Opposition", "kind_as_given": "breach"}, {"count": 2}]
    monitor: dict[str, Any] = {"feed": "monitor", "tallies": lines, "total": 6, "at_least": True}
    history.tell(report("bulletin", "b1", reported_at=at(3, 3), occurred=(at(0), at(1)), **monitor))
    spoken: dict[str, Any] = {"act": "start", "declared_by": "Government", "effective_at": "2016-09-12T19:00:00+03:00"}
    history.tell(report("declaration", "d1", feed="parties", reported_at=at(3, 4), **spoken)).tick(at(4, 1))
    stood: dict[str, Any] = {"unit": "a battery", "party": "Government", "weapon_class": "heavy", "names": ["A hill"]}
    stood |= {"uncertainty": {"value": 500, "unit": "yards"}, "stated_distance": {"value": 1.1, "unit": "kilometres"}}
    for number, latitude in enumerate((36.25, 36.26, 36.3)):
        stood["point"] = {"latitude": latitude, "longitude": 37.1 + number / 100}
        history.tell(report("position", f"p{number}", reported_at=at(4), occurred=(at(2), at(2.1)), **stood))
    history.tell(report("convoy", "s2", reported_at=at(4, 2), occurred=(at(2), at(2)), step="offloaded", **step))
    history.tell(report("convoy", "s3", reported_at=at(4, 2), occurred=(at(3), at(3)), step="attacked", **other))
    history.tell(report("convoy", "s4", reported_at=at(4, 2), occurred=(at(3, 1), at(3, 1)), step="loaded", **other))
    history.tell(report("convoy", "s5", reported_at=at(4, 2), occurred=(at(3, 9), at(3, 9)), step="held", **third))
    history.tick(at(4, 3)).tell(incident(30, 4.1))
    broken = next(number for number, (_, body) in enumerate(history.facts) if body == b"{")
    return history.redriven(broken).redriven(broken, incident(31, 4.05)).tick(at(4, 6))


def tell_linked(history: History) -> History:
    """Three feeds tell of one shelling, a fourth report was retracted and a fifth merged; another is told of once."""
    place = {"pcode": "SY01", "precision": "exact", "point": {"latitude": 33.5, "longitude": 36.3}}
    deaths = {"low": 1, "best": 2, "high": 3}

    def told(report_id: str, feed: str, *, reported: float = 2, **fields: Any) -> dict[str, Any]:
        spine = {"occurred": (at(1), at(1, 1)), "place": place, "kind": "shelling", "deaths": deaths}
        given = {**spine, "sources": [{"name": "Radio", "origin": feed}], **fields}
        return report("incident", report_id, feed=feed, reported_at=at(1, reported), **given)

    history.tell(told("1", "a", reported=5), told("1", "b", reported=4)).tick(at(2))
    history.tell(told("1", "d", reported=6, revision=2, status="retracted")).tick(at(2, 1))
    history.tell(told("2", "b", reported=7, status="merged", merged_into="1"))
    far = {**place, "point": {"latitude": 33.6, "longitude": 36.3}}
    history.tell(told("1", "c", reported=8, place=far, same_as=["a/1"]), told("9", "c", reported=9, place=far)).tick(
        at(3)
    )
    return history


def rich_history() -> History:
    """Return one of everything, reports that are linked, and places that only the gazetteer knows."""
    history = tell_linked(small_history(linking=LINKING))
    named = [{"names": ["Aleppo"]}, {"pcode": "SY02", "names": ["Homs"]}, {"names": ["Aleppo", "Nowhere at all"]}]
    spine: dict[str, Any] = {"reported_at": at(4, 7), "occurred": (at(4, 2), at(4, 3)), "kind": "shelling"}
    history.tell(*(report("incident", f"n{number}", place=place, **spine) for number, place in enumerate(named)))
    watched = {"reported_at": at(4, 7), "occurred": (at(4), at(4, 7)), "nil": True}
    history.tell(report("coverage", "c3", places=named[:2], **watched))
    contradicted = {"place": {"pcode": "SY02"}, "convoy_id": "aid-9"}
    steps = [("feed-a", "dispatched", 1), ("feed-a", "offloaded", 3), ("feed-b", "turned_back", 4)]
    for feed, step, hours in steps:
        when = at(3, hours)
        same = {} if feed == "feed-a" else {"same_convoy_as": "feed-a/aid-9"}
        told = {"reported_at": at(4, 8), "occurred": (when, when), "step": step, **contradicted, **same}
        history.tell(report("convoy", f"{step}-9", feed=feed, **told))
    early = report("incident", "f1", region="SY01", **{**spine, "reported_at": at(0)})
    history.tell(b"", b"\xff", b'{"type": "weather"}', early)
    # Two refused reports of a day that is over, one of them set aside at once.
    refused = {**spine, "occurred": (at(3, 2), at(3, 3)), "kind": "sheling", "region": "SY01"}
    history.tell(report("incident", "x1", **refused), report("incident", "x2", **refused)).tick(at(4, 8))
    history.dismissed(len(history.facts) - 2)
    return history.tick(at(4, 9), at(5, 1))
