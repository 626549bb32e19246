"""The store: what is committed is there, what is not is not, and the ledger is answered from it."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any, cast

import duckdb
import numpy as np
import pytest

from schemas.errors import LogMismatch
from schemas.rows import (
    BulletinRow,
    Changes,
    Contribution,
    ConvoyRow,
    ConvoyStepRow,
    CoverageRow,
    DayTallyRow,
    DayVerdict,
    DeclarationRow,
    Evidence,
    FeedRow,
    FeedTallyRow,
    GateRow,
    Hour,
    Identity,
    PositionFindingRow,
    PositionRow,
    Prior,
    RedriveRow,
    RejectRow,
    ReportRow,
    WindowRow,
)
from sinks.batches import Batches
from sinks.store import Store
from sinks.writing import Writer
from streams.ledger.core.identity import key_hash
from tests.support.rows import (
    DAY_ONE,
    full_changes,
    gate_row,
    hours,
    incident_row,
    reject_row,
    step_row,
    tally_row,
    verdict_row,
    withdrawal,
)
from tests.support.stores import TOPIC, Scratch, new_store, open_store
from tests.support.worlds import agreement

I1 = Identity("feed-a", "i1")


def wanted(*identities: Identity) -> dict[Identity, int]:
    """Return identities with their key hashes, as the ledger asks for them."""
    return {identity: key_hash(*identity) for identity in identities}


def select(directory: Path, sql: str) -> list[tuple[Any, ...]]:
    """Return what a closed store's file says."""
    with duckdb.connect(str(directory / "live.duckdb"), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def written(directory: Path, *flushes: Changes) -> None:
    """Commit each of ``flushes`` and close."""
    store = new_store(directory)
    for changes in flushes:
        store.commit(changes)
    store.close()


def test_a_new_store_resumes_from_nothing(tmp_path: Path) -> None:
    store = open_store(tmp_path / "not" / "there" / "yet")
    resumed = store.resume()
    store.close()
    assert (resumed.next_offset, resumed.now, resumed.last_tick, resumed.pending) == (0, None, -1, "{}")
    assert (resumed.origins, resumed.tallies, resumed.hours, resumed.verdicts, resumed.gate) == ({}, [], [], [], None)


def test_resume_returns_what_was_committed(tmp_path: Path) -> None:
    changes = full_changes()
    expected = full_changes()
    written(tmp_path, changes)
    store = open_store(tmp_path)
    resumed = store.resume()
    store.close()
    assert resumed.next_offset == 10
    assert resumed.origins == expected.origins
    assert (resumed.now, resumed.last_tick, resumed.pending) == (expected.now, expected.last_tick, expected.pending)
    assert resumed.tallies == expected.tallies
    assert resumed.feed_tallies == expected.feed_tallies
    assert resumed.convoy_steps == expected.convoy_steps
    assert resumed.coverage == expected.coverage
    assert resumed.verdicts == expected.verdict_log[-1:]
    assert [resumed.gate] == expected.gate_history
    assert resumed.feeds == expected.feeds
    assert resumed.redrives == expected.redrives
    assert resumed.hours == [Hour("SY02", hours(0), 1, 1, 0), Hour("SY02", hours(1), 1, 1, 0)]


def test_every_field_of_a_report_reaches_its_column(tmp_path: Path) -> None:
    row = incident_row("i1", fact_offset=3, place_conflict="a point in SY01", claimant="SOHR")
    row = row._replace(accused=["Government"], accused_parties=["Government of Syria"])
    written(tmp_path, Changes(reports=[row]))
    instants = ("occurred_from", "occurred_to", "reported_at", "received_at")
    columns = ", ".join(f"epoch_us({name})" if name in instants else name for name in ReportRow._fields)
    assert select(tmp_path, f"SELECT {columns} FROM reports") == [tuple(row)]


@pytest.mark.parametrize(
    ("table", "row_type"),
    [
        ("reports", ReportRow),
        ("rejects", RejectRow),
        ("redrives", RedriveRow),
        ("convoys", ConvoyRow),
        ("convoy_events", ConvoyStepRow),
        ("coverage", CoverageRow),
        ("bulletins", BulletinRow),
        ("declarations", DeclarationRow),
        ("positions", PositionRow),
        ("position_findings", PositionFindingRow),
        ("day_tallies", DayTallyRow),
        ("feed_tallies", FeedTallyRow),
        ("verdict_log", DayVerdict),
        ("region_windows", WindowRow),
        ("gate_history", GateRow),
        ("feeds", FeedRow),
    ],
)
def test_a_columns_name_is_its_fields_name(scratch: Scratch, table: str, row_type: Any) -> None:
    described = scratch.holding(Changes()).execute(f"DESCRIBE {table}").fetchall()
    assert tuple(name for name, *_ in described) == row_type._fields


def test_a_rejected_record_keeps_its_bytes(tmp_path: Path) -> None:
    written(tmp_path, Changes(rejects=[reject_row(original=b"\xff\x00\xfe", original_bytes=3)]))
    assert select(tmp_path, "SELECT code, original FROM rejects") == [("not_json", b"\xff\x00\xfe")]


def test_a_withdrawn_revision_stays_but_is_no_longer_present(tmp_path: Path) -> None:
    later = incident_row("i1", revision=2, fact_offset=1)
    written(
        tmp_path,
        Changes(reports=[incident_row("i1"), incident_row("i2")]),
        Changes(reports=[later], withdrawn=[withdrawal("i1")]),
    )
    found = select(tmp_path, "SELECT report_id, revision, present FROM reports ORDER BY ALL")
    assert found == [("i1", 1, False), ("i1", 2, True), ("i2", 1, True)]


def test_a_revision_may_be_withdrawn_in_the_flush_that_brought_it(tmp_path: Path) -> None:
    written(
        tmp_path,
        Changes(reports=[incident_row("i1"), incident_row("i1", revision=2)], withdrawn=[withdrawal("i1")]),
    )
    assert select(tmp_path, "SELECT revision FROM reports WHERE present") == [(2,)]


class TestPriors:
    def test_an_unknown_identity_has_none(self, tmp_path: Path) -> None:
        store = new_store(tmp_path)
        assert store.priors({}) == {}
        assert store.priors(wanted(I1)) == {}
        store.close()

    def test_a_prior_tells_every_digest_and_what_the_present_revision_adds(self, tmp_path: Path) -> None:
        store = new_store(tmp_path)
        first = incident_row("i1", body_digest=11, deaths_best=3)
        second = incident_row("i1", revision=2, body_digest=22, region="SY01", kind="airstrike", deaths_high=9)
        store.commit(Changes(reports=[first]))
        store.commit(Changes(reports=[second], withdrawn=[withdrawal("i1")]))
        found = store.priors(wanted(I1, Identity("feed-a", "unknown")))
        store.close()
        adds = Contribution("SY01", DAY_ONE, hours(1), "airstrike", True, 0, 1, 9, hours(2))
        assert found == {I1: Prior(2, {1: 11, 2: 22}, "incident", adds, 0)}

    def test_a_retracted_incident_and_another_kind_of_report_add_nothing(self, tmp_path: Path) -> None:
        store = new_store(tmp_path)
        notice = incident_row("c1", type="coverage", region=None, truce_day=None, kind=None, in_scope=None)
        store.commit(Changes(reports=[incident_row("i1", retracted=True), notice]))
        found = store.priors(wanted(I1, Identity("feed-a", "c1")))
        store.close()
        assert {prior.type: prior.contribution for prior in found.values()} == {"incident": None, "coverage": None}

    def test_an_identity_with_the_same_hash_is_not_taken_for_another(self, tmp_path: Path) -> None:
        store = new_store(tmp_path)
        store.commit(Changes(reports=[incident_row("other", key_hash=key_hash(*I1))]))
        assert store.priors(wanted(I1)) == {}
        store.close()

    def test_two_identities_with_one_hash_are_both_answered(self, tmp_path: Path) -> None:
        store = new_store(tmp_path)
        other = Identity("feed-b", "other")
        rows = [incident_row("i1", key_hash=7), incident_row("other", feed="feed-b", key_hash=7, fact_offset=1)]
        store.commit(Changes(reports=rows))
        asked = {I1: 7, other: 7}
        assert {name: prior.fact_offset for name, prior in store.priors(asked).items()} == {I1: 0, other: 1}
        assert store.linking().present_at(asked) == {I1: 0, other: 1}
        assert set(store.linking().first_told(asked)) == {I1, other}
        store.close()

    def test_staged_rows_are_seen(self, tmp_path: Path) -> None:
        store = new_store(tmp_path)
        store.stage(Changes(reports=[incident_row("i1")]))
        assert I1 in store.priors(wanted(I1))
        store.close()

    def test_the_hashes_to_remember_are_those_of_every_identity(self, tmp_path: Path) -> None:
        store = new_store(tmp_path)
        store.commit(Changes(reports=[incident_row(f"i{n}") for n in range(3)]))
        store.commit(Changes(reports=[incident_row("i0", revision=2)], withdrawn=[withdrawal("i0")]))
        hashes = np.concatenate(list(store.key_hashes()))
        store.close()
        assert hashes.dtype == np.int64
        assert sorted(hashes.tolist()) == sorted(key_hash("feed-a", f"i{n}") for n in range(3))


class TestEarliest:
    ROWS = (
        incident_row("late", occurred_from=hours(9)),
        incident_row("early", occurred_from=hours(2), kind="airstrike"),
        incident_row("twin", occurred_from=hours(2), feed="feed-b"),
        incident_row("elsewhere", region="SY01"),
        incident_row("next-day", truce_day=DAY_ONE + timedelta(days=1)),
        incident_row("outside", in_scope=False),
        incident_row("retracted", retracted=True),
        incident_row("replaced", present=False),
        incident_row("convoy", type="convoy", in_scope=None),
    )

    def ask(self, store: Store, kinds: tuple[str, ...] | None = None, limit: int = 10) -> list[Evidence]:
        return store.earliest("SY02", DAY_ONE, kinds, limit)

    def test_only_what_counts_is_evidence_in_order_of_time_and_identity(self, tmp_path: Path) -> None:
        store = new_store(tmp_path)
        store.commit(Changes(reports=list(self.ROWS)))
        assert self.ask(store) == [
            Evidence(hours(2), "feed-a", "early"),
            Evidence(hours(2), "feed-b", "twin"),
            Evidence(hours(9), "feed-a", "late"),
        ]
        assert [item.report_id for item in self.ask(store, ("airstrike", "chemical"))] == ["early"]
        assert [item.report_id for item in self.ask(store, limit=1)] == ["early"]
        assert self.ask(store, ()) == []
        store.close()

    def test_staged_rows_and_withdrawals_are_seen_and_their_lists_cleared(self, tmp_path: Path) -> None:
        store = new_store(tmp_path)
        store.commit(Changes(reports=[incident_row("i1")]))
        changes = Changes(reports=[incident_row("i2")], withdrawn=[withdrawal("i1")], rejects=[reject_row()])
        store.stage(changes)
        assert (changes.reports, changes.withdrawn, changes.rejects) == ([], [], [])
        assert [item.report_id for item in self.ask(store)] == ["i2"]
        changes.reports.append(incident_row("i3", occurred_from=hours(0)))
        store.stage(changes)
        assert [item.report_id for item in self.ask(store)] == ["i3", "i2"]
        store.commit(changes)
        store.close()
        assert select(tmp_path, "SELECT count(*) FROM reports") == [(3,)]

    def test_feeds_the_agreement_does_not_count_are_no_evidence_and_in_no_hour(self, tmp_path: Path) -> None:
        store = new_store(tmp_path, agreement(violence={"feeds": ["feed-b"]}))
        store.commit(Changes(now=hours(10), reports=list(self.ROWS)))
        assert [item.report_id for item in self.ask(store)] == ["twin"]
        assert store.resume().hours == [Hour("SY02", hours(2), 1, 1, 0)]
        store.close()


def test_hours_before_the_trailing_window_are_left_behind(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    rows = [incident_row(f"i{n}", occurred_from=hours(n)) for n in (0, 1, 167)]
    store.commit(Changes(now=hours(168.5), reports=rows))
    assert [hour.hour for hour in store.resume().hours] == [hours(1), hours(167)]
    store.close()


class TestPresentRows:
    def test_the_last_row_of_a_key_wins_within_a_flush_and_across(self, tmp_path: Path) -> None:
        written(
            tmp_path,
            Changes(tallies=[tally_row(incidents=1), tally_row(incidents=2)]),
            Changes(tallies=[tally_row(incidents=5), tally_row(incidents=6)]),
        )
        assert select(tmp_path, "SELECT incidents FROM day_tallies") == [(6,)]

    def test_a_tally_of_nothing_is_deleted_and_may_come_back(self, tmp_path: Path) -> None:
        nothing = tally_row(incidents=0)
        line = FeedTallyRow("SY02", DAY_ONE, "feed-a", 2)
        store = new_store(tmp_path)
        store.commit(Changes(tallies=[tally_row()], feed_tallies=[line]))
        store.commit(Changes(tallies=[tally_row(), nothing], feed_tallies=[line._replace(incidents=0)]))
        assert (store.resume().tallies, store.resume().feed_tallies) == ([], [])
        store.commit(Changes(tallies=[nothing, tally_row()], feed_tallies=[line]))
        assert (store.resume().tallies, store.resume().feed_tallies) == ([tally_row()], [line])
        store.close()

    def test_versions_and_the_gates_history_are_only_added_to(self, tmp_path: Path) -> None:
        second = verdict_row(version=2, recorded_at=hours(5))
        written(
            tmp_path,
            Changes(verdict_log=[verdict_row()], gate_history=[gate_row()]),
            Changes(verdict_log=[second], gate_history=[gate_row(is_open=True, tick_offset=3)]),
            Changes(),
        )
        assert select(tmp_path, "SELECT version FROM day_verdict_versions ORDER BY 1") == [(1,), (2,)]
        assert select(tmp_path, "SELECT is_open FROM gate") == [(True,)]
        assert select(tmp_path, "SELECT is_open FROM gate_history ORDER BY 1") == [(False,), (True,)]

    def test_rows_of_a_touched_report_are_replaced_by_the_ones_given(self, tmp_path: Path) -> None:
        notice = CoverageRow("feed-a", "c1", "SY01", hours(0), hours(24), True)
        store = new_store(tmp_path)
        store.commit(Changes(coverage=[notice, notice._replace(region="SY02")], convoy_steps=[step_row("s1")]))
        store.commit(
            Changes(
                touched_reports={Identity("feed-a", "c1"), Identity("un", "s1")},
                coverage=[notice._replace(occurred_to=hours(12))],
            )
        )
        resumed = store.resume()
        store.close()
        assert resumed.coverage == [notice._replace(occurred_to=hours(12))]
        assert resumed.convoy_steps == []

    def test_a_touched_convoy_without_a_row_is_gone(self, tmp_path: Path) -> None:
        store = new_store(tmp_path)
        store.commit(full_changes())
        store.commit(Changes(touched_convoys={("un", "aid-1"), ("un", "never-known")}))
        store.close()
        assert select(tmp_path, "SELECT * FROM convoys") == []

    def test_a_truce_day_with_a_verdict_is_kept_as_instants(self, tmp_path: Path) -> None:
        written(tmp_path, Changes(verdict_log=[verdict_row()]), Changes(verdict_log=[verdict_row(region="SY01")]))
        sql = "SELECT truce_day, epoch_us(starts_at), epoch_us(ends_at), epoch_us(final_at) FROM truce_days"
        assert select(tmp_path, sql) == [(DAY_ONE, hours(0), hours(24), hours(72))]


class TestSources:
    def test_a_high_water_never_goes_back(self, tmp_path: Path) -> None:
        store = new_store(tmp_path)
        store.commit(Changes(origins={("t", 0, "log-a"): 9, ("t", 1, "log-a"): 4}))
        store.commit(Changes(origins={("t", 0, "log-a"): 3, ("t", 1, "log-a"): 5}))
        assert store.resume().origins == {("t", 0, "log-a"): 9, ("t", 1, "log-a"): 5}
        store.close()

    def test_every_log_of_a_topic_has_a_high_water_of_its_own(self, tmp_path: Path) -> None:
        store = new_store(tmp_path)
        store.commit(Changes(origins={("t", 0, "log-a"): 9}))
        store.commit(Changes(origins={("t", 0, "log-b"): 3}))
        assert store.resume().origins == {("t", 0, "log-a"): 9, ("t", 0, "log-b"): 3}
        store.close()

    def test_the_high_waters_of_a_flush_are_one_statement(self, tmp_path: Path) -> None:
        statements: list[str] = []

        class Recorded:
            def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
                self._connection = connection

            def execute(self, sql: str, *parameters: Any) -> Any:
                statements.append(sql)
                return self._connection.execute(sql, *parameters)

            def __getattr__(self, name: str) -> Any:
                return getattr(self._connection, name)

        written(tmp_path)
        with duckdb.connect(str(tmp_path / "live.duckdb")) as connection:
            recorded = cast("duckdb.DuckDBPyConnection", Recorded(connection))
            writer = Writer(recorded, Batches(recorded), agreement())
            statements.clear()
            writer.write_offsets(Changes(origins={("t", number, "log-a"): 1 for number in range(50)}), TOPIC, 0)
            assert connection.execute("SELECT count(*) FROM sink_offsets WHERE role = 'source'").fetchall() == [(50,)]
        assert len([sql for sql in statements if "INSERT INTO sink_offsets" in sql]) == 1

    def test_another_log_is_refused_with_what_to_do(self, tmp_path: Path) -> None:
        written(tmp_path, full_changes())
        with pytest.raises(
            LogMismatch, match=r"up to offset 10, but the broker has log embedded-2 .*empty data directory"
        ):
            open_store(tmp_path, log="embedded-2")
        open_store(tmp_path).close()

    def test_a_new_log_that_is_allowed_is_read_from_its_beginning(self, tmp_path: Path) -> None:
        written(tmp_path, full_changes())
        store = open_store(tmp_path, log="embedded-2", new_log_allowed=True)
        assert store.new_epoch
        resumed = store.resume()
        assert (resumed.next_offset, resumed.origins) == (0, {})
        assert resumed.tallies == full_changes().tallies
        store.close()

    def test_what_was_read_of_a_real_cluster_is_never_given_up(self, tmp_path: Path) -> None:
        store = new_store(tmp_path, log="q9Zt1k/topic")
        store.commit(full_changes())
        store.close()
        with pytest.raises(LogMismatch, match="was read from log q9Zt1k/topic"):
            open_store(tmp_path, log="embedded-2", new_log_allowed=True)
        store = open_store(tmp_path, log="q9Zt1k/topic")
        assert store.resume().next_offset == 10
        store.close()

    def test_places_in_the_facts_topic_are_counted_on_over_a_new_log(self, tmp_path: Path) -> None:
        written(tmp_path, full_changes())
        store = open_store(tmp_path, log="embedded-2", new_log_allowed=True)
        row = incident_row("i9", fact_offset=0)
        store.commit(
            Changes(
                next_offset=2,
                next_record=2,
                last_tick=1,
                reports=[row],
                verdict_log=[verdict_row(region="SY01", tick_offset=1)],
            )
        )
        store.close()
        assert select(tmp_path, "SELECT fact_offset FROM reports ORDER BY 1") == [(0,), (1,), (10,)]
        assert select(tmp_path, "SELECT next_offset, last_tick FROM ledger_state") == [(12, 11)]
        assert select(tmp_path, "SELECT next_offset FROM sink_offsets WHERE role = 'facts'") == [(2,)]
        store = open_store(tmp_path, log="embedded-2")
        assert not store.new_epoch
        resumed = store.resume()
        store.close()
        assert (resumed.next_offset, resumed.last_tick) == (2, 1)
        assert {row.region: row.tick_offset for row in resumed.verdicts} == {"SY01": 1, "SY02": -6}

    def test_a_log_nothing_was_read_from_may_be_another_one(self, tmp_path: Path) -> None:
        written(tmp_path)
        store = open_store(tmp_path, log="embedded-2")
        assert not store.new_epoch
        store.close()


def test_a_day_out_of_the_ordinary_passes_through(tmp_path: Path) -> None:
    """Days far off and text in any script."""
    row = incident_row("حلب/1", truce_day=date(1970, 1, 1), occurred_from=-1, raw='{"note": "\\u0000 أ"}')
    written(tmp_path, Changes(reports=[row]))
    assert select(tmp_path, "SELECT report_id, truce_day, epoch_us(occurred_from), raw FROM reports") == [
        ("حلب/1", date(1970, 1, 1), -1, '{"note": "\\u0000 أ"}')
    ]
