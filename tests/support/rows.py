"""Rows made by hand, as a ledger would return them: every maker takes what matters and fills in the rest."""

from __future__ import annotations

from datetime import date
from typing import Any

from schemas.rows import (
    BulletinRow,
    Changes,
    ConvoyRow,
    ConvoyStepRow,
    CoverageRow,
    DayTallyRow,
    DayVerdict,
    DeclarationRow,
    DismissalRow,
    FeedRow,
    FeedTallyRow,
    GateRow,
    PositionFindingRow,
    PositionRow,
    RedriveRow,
    RejectRow,
    ReportRow,
    WindowRow,
    Withdrawal,
)
from schemas.truceday import MICROS_PER_HOUR, Micros
from streams.ledger.core.identity import body_digest, key_hash
from tests.support.worlds import TRUCE

DAY_ONE = TRUCE.first_day
#: The instant the truce took effect.
START = TRUCE.effective


def hours(number: float) -> Micros:
    """Return the instant so many hours after the truce took effect."""
    return START + round(number * MICROS_PER_HOUR)


def incident_row(report_id: str, **given: Any) -> ReportRow:
    """Return an accepted incident report of the first truce-day in Aleppo."""
    feed = given.get("feed", "feed-a")
    raw = given.get("raw", f'{{"report_id": "{report_id}"}}')
    row = ReportRow(
        fact_offset=0,
        key_hash=key_hash(feed, report_id),
        feed=feed,
        report_id=report_id,
        revision=1,
        present=True,
        retracted=False,
        type="incident",
        region="SY02",
        truce_day=DAY_ONE,
        time_uncertain=False,
        occurred_from=hours(1),
        occurred_to=hours(2),
        time_precision="minute",
        reported_at=hours(3),
        received_at=hours(3),
        kind="shelling",
        in_scope=True,
        names_parties=True,
        accused=None,
        claimant=None,
        confidence="unstated",
        deaths_low=0,
        deaths_best=1,
        deaths_high=None,
        latitude=36.2,
        longitude=37.1,
        place_precision="unknown",
        place_name="Aleppo",
        place_key=None,
        located_by="pcode",
        place_conflict=None,
        merged_into=None,
        same_as=None,
        not_same_as=None,
        origins=None,
        source_topic="truce.incidents.v1",
        source_partition=0,
        source_offset=0,
        body_digest=body_digest(raw.encode()),
        raw=raw,
        toll_flaw=None,
        source_log="",
        accused_parties=None,
    )
    return row._replace(**given)


def withdrawal(report_id: str, revision: int = 1, feed: str = "feed-a") -> Withdrawal:
    """Return the withdrawal of one revision."""
    return Withdrawal(key_hash(feed, report_id), feed, report_id, revision)


def verdict_row(region: str = "SY02", day: date = DAY_ONE, **given: Any) -> DayVerdict:
    """Return version 1 of a verdict: BROKEN, while the day runs."""
    row = DayVerdict(
        region=region,
        truce_day=day,
        version=1,
        verdict="BROKEN",
        state="OPEN",
        violence="BROKEN",
        access="UNKNOWN",
        incidents=2,
        incidents_out_of_scope=0,
        bulletin_incidents=None,
        violence_limit=1.0,
        covered_share=0.25,
        deaths_low=0,
        deaths_best=1,
        deaths_high=2,
        reasons='[{"leg": "violence", "finding": "BROKEN", "rule": "count_above_limit", "text": "2 incidents"}]',
        evidence='{"violence": ["feed-a/i1"], "access": []}',
        recorded_at=hours(4),
        tick_offset=2,
        cause='{"reports": ["feed-a/i1@1"], "more": 0}',
        rule="count_above_limit",
        contested_by=None,
        incidents_sure=2,
        incidents_possible=0,
        refused_pending=0,
        incidents_without_toll=0,
        new_version=True,
    )
    return row._replace(**given)


def figures_row(region: str = "SY02", day: date = DAY_ONE, **given: Any) -> DayVerdict:
    """Return the figures of version 1 as they moved an hour after it was made."""
    later: dict[str, Any] = {"recorded_at": hours(5), "tick_offset": 4, "new_version": False}
    return verdict_row(region, day, **{**later, **given})


def tally_row(region: str = "SY02", day: date = DAY_ONE, incidents: int = 2, **given: Any) -> DayTallyRow:
    """Return the counts of a region and day."""
    return DayTallyRow(region, day, incidents, 0, 0, 0, incidents, 0, 0)._replace(**given)


def gate_row(*, is_open: bool = False, **given: Any) -> GateRow:
    """Return the gate."""
    return GateRow(hours(4), 2, is_open, 3, 0, 0, 2, "SY02 0 of 3")._replace(**given)


def step_row(report_id: str, step: str = "dispatched", **given: Any) -> ConvoyStepRow:
    """Return one step of a convoy to Aleppo."""
    row = ConvoyStepRow(
        feed="un",
        report_id=report_id,
        convoy_id="aid-1",
        convoy="un/aid-1",
        region="SY02",
        place=None,
        step=step,
        legal=True,
        counts=True,
        flaw=None,
        occurred_from=hours(1),
        occurred_to=hours(1),
        reported_at=hours(2),
        mode="cross_line",
        trucks=31,
        trucks_hit=18,
        people_requested=78_000,
        people_approved=None,
        people_reached=None,
        items_removed='["surgical kits"]',
        blocker=None,
        reason=None,
        access_constraint=None,
        reached_place=None,
        same_convoy_as=None,
        not_same_convoy_as=None,
        town=None,
    )
    return row._replace(**given)


def convoy_row(**given: Any) -> ConvoyRow:
    """Return a convoy to Aleppo that was dispatched."""
    row = ConvoyRow(
        feed="un",
        convoy_id="aid-1",
        claims=1,
        region="SY02",
        place=None,
        state="dispatched",
        since=hours(1),
        first_known=hours(1),
        delivered_at=None,
        attacked_at=None,
        trucks=31,
        trucks_least=31,
        trucks_most=31,
        trucks_hit=18,
        trucks_hit_least=18,
        trucks_hit_most=18,
        people_requested=78_000,
        people_requested_least=78_000,
        people_requested_most=78_000,
        people_approved=None,
        people_approved_least=None,
        people_approved_most=None,
        people_reached=None,
        people_reached_least=None,
        people_reached_most=None,
        items_removed='["surgical kits"]',
        steps=1,
        steps_flagged=0,
    )
    return row._replace(**given)


def position_row(report_id: str, **given: Any) -> PositionRow:
    """Return where heavy weapons stood, in yards as the source has it."""
    row = PositionRow(
        feed="observers",
        report_id=report_id,
        unit="a battery",
        party="Government",
        weapon_class="heavy",
        truce_day=DAY_ONE,
        occurred_from=hours(1),
        occurred_to=hours(2),
        reported_at=hours(3),
        latitude=36.26,
        longitude=37.12,
        place_name=None,
        uncertainty=500.0,
        uncertainty_unit="yards",
        uncertainty_metres=457.2,
        stated_distance=None,
        stated_distance_unit=None,
        stated_distance_metres=None,
    )
    return row._replace(**given)


def bulletin_row(report_id: str, **given: Any) -> BulletinRow:
    """Return a line of a bulletin for the whole country and the first truce-day; its lines do not add up."""
    row = BulletinRow(
        feed="monitor",
        report_id=report_id,
        line=1,
        truce_day=DAY_ONE,
        region=None,
        accused=None,
        accused_parties=None,
        in_scope=True,
        kind_as_given=None,
        incidents=0,
        total=9,
        adds_up=False,
        at_least=True,
        occurred_from=hours(0),
        occurred_to=hours(24),
        period_as_given="the past day",
        reported_at=hours(24),
    )
    return row._replace(**given)


def reject_row(offset: int = 5, **given: Any) -> RejectRow:
    """Return a rejected record that is not even text."""
    row = RejectRow(
        offset,
        "not_json",
        "send JSON",
        None,
        None,
        hours(3),
        "truce.incidents.v1",
        0,
        7,
        "log-a",
        b"\xff\x00",
        2,
        (),
        None,
        None,
        None,
        None,
    )
    return row._replace(**given)


def dismissal_row(offset: int = 7, **given: Any) -> DismissalRow:
    """Return that ``reject_row`` was dismissed."""
    row = DismissalRow(
        offset, "truce.incidents.v1", 0, 7, "log-a", "a test", "desk", hours(3.6), "truce.incidents.v1", 0, 8, "log-a"
    )
    return row._replace(**given)


def redrive_row(offset: int = 6, **given: Any) -> RedriveRow:
    """Return that ``reject_row`` was published again and accepted."""
    row = RedriveRow(offset, "truce.incidents.v1", 0, 7, "log-a", 1, -3, "accepted", hours(3.5))
    return row._replace(**given)


def full_changes() -> Changes:
    """Return changes with a row for every table."""
    return Changes(
        next_offset=10,
        next_record=10,
        origins={("truce.incidents.v1", 0, "log-a"): 8, ("truce.notices.v1", 3, "log-b"): 0},
        now=hours(4),
        last_tick=2,
        pending='{"judged_to": null, "causes": []}',
        reports=[incident_row("i1"), incident_row("i2", fact_offset=1, occurred_from=hours(0.5), kind="airstrike")],
        rejects=[reject_row()],
        redrives=[redrive_row()],
        dismissals=[dismissal_row()],
        tallies=[tally_row()],
        feed_tallies=[FeedTallyRow("SY02", DAY_ONE, "feed-a", 2)],
        convoy_steps=[step_row("s1")],
        coverage=[CoverageRow("feed-a", "c1", "SY01", hours(0), hours(24), nil=True)],
        bulletins=[
            bulletin_row("b1", line=1, region="SY02", accused=("Government",), kind_as_given="shelling", incidents=7),
            bulletin_row("b1", line=2, incidents=40),
        ],
        declarations=[DeclarationRow("parties", "d1", 1, False, "start", "Government", hours(0), None, hours(0))],
        positions=[position_row("p1")],
        position_findings=[
            PositionFindingRow("observers", "p1", "road", "VIOLATION", "band", "north", 1110.1, 150.0, 3000)
        ],
        touched_convoys={("un", "aid-1")},
        convoys=[convoy_row()],
        verdict_log=[verdict_row(), figures_row()],
        windows=[WindowRow("SY02", hours(4), DAY_ONE, DAY_ONE, 0, 1, 0, 2, 0, 1, 2, 2, 0, None, None)],
        gate_history=[gate_row()],
        feeds=[FeedRow("feed-a", hours(3), hours(3), 2, 0, 0, 0, 0, 1)],
    )
