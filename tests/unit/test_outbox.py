"""The outbox of a feed: what it keeps, and which fate of a report stands."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.errors import StoreFull, StoreUnavailable
from schemas.receipts import KEPT, Receipt, digest_of
from sinks.outbox import OUTBOX, SENDING, Entering, Outbox

TRUCE = "syria-2016"
LOG = "cluster/topic"


def body(number: int, revision: int = 1) -> bytes:
    return json.dumps({"feed": "f", "report_id": f"r{number}", "revision": revision}).encode()


def entering(number: int, revision: int = 1) -> Entering:
    return Entering(body(number, revision), "f", f"r{number}", revision, "incident", "reports.jsonl", number)


def receipt(number: int, outcome: str, **changes: str) -> Receipt:
    return Receipt(TRUCE, outcome, digest_of(body(number)), "f", f"r{number}", 1, **changes)  # type: ignore[arg-type]


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    made = Outbox.open(tmp_path / "new")
    yield made
    made.close()


def states(outbox: Outbox) -> list[str]:
    return [each.state for each in outbox.listed()]


def test_reports_are_numbered_in_their_order_and_kept_once(outbox: Outbox) -> None:
    assert outbox.keep([entering(1), entering(2), entering(1)], TRUCE) == 2
    assert outbox.keep([entering(2), entering(3)], TRUCE) == 1
    listed = outbox.listed()
    assert [each.report_id for each in listed] == ["r1", "r2", "r3"]
    assert [each.number for each in listed] == sorted({each.number for each in listed})
    assert states(outbox) == ["draft"] * 3


def test_all_drafts_are_handed_over_however_many_there_are(outbox: Outbox) -> None:
    outbox.keep(map(entering, range(2_500)), TRUCE)
    numbers = []
    for drafts in outbox.drafts():
        numbers += [each.number for each in drafts]
        outbox.sent([each.number for each in drafts])
    assert len(numbers) == len(set(numbers)) == 2_500
    assert list(outbox.drafts()) == []
    assert outbox.counts() == {"sent": 2_500}


def test_a_fate_is_kept_with_its_reason_and_outlives_the_file_being_closed(outbox: Outbox, tmp_path: Path) -> None:
    outbox.keep([entering(1), entering(2)], TRUCE)
    assert outbox.begin_reading(LOG, 7) == 7
    told = outbox.tell(
        [receipt(1, "accepted", region="SY05"), receipt(2, "rejected", code="unknown_place", hint="give a P-code")],
        LOG,
        9,
    )
    assert [each.report_id for each in told] == ["r1", "r2"]
    with_fates = Outbox.open(tmp_path / "new")
    assert [(each.state, each.region, each.code) for each in with_fates.listed()] == [
        ("accepted", "SY05", None),
        ("rejected", None, "unknown_place"),
    ]
    assert with_fates.begin_reading(LOG, 100) == 9
    with_fates.close()


def test_a_report_sent_twice_keeps_its_first_fate_and_is_a_duplicate_where_there_is_none(outbox: Outbox) -> None:
    outbox.keep([entering(1), entering(2)], TRUCE)
    outbox.tell([receipt(1, "accepted"), receipt(1, "duplicate"), receipt(2, "duplicate")], LOG, 1)
    assert states(outbox) == ["accepted", "duplicate"]


@pytest.mark.parametrize("stands", sorted(KEPT))
def test_a_report_that_stands_is_refused_by_no_later_receipt(outbox: Outbox, stands: str) -> None:
    outbox.keep([entering(1)], TRUCE)
    assert len(outbox.tell([receipt(1, stands)], LOG, 1)) == 1
    for later in ("rejected", "outside", "duplicate", *sorted(KEPT)):
        assert outbox.tell([receipt(1, later, code="conflicting_body")], LOG, 2) == []
    (kept,) = outbox.listed()
    assert (kept.state, kept.code) == (stands, None)


@pytest.mark.parametrize(
    ("first", "then", "state"),
    [
        ("duplicate", "rejected", "duplicate"),
        ("duplicate", "accepted", "accepted"),
        ("rejected", "duplicate", "rejected"),
        ("rejected", "accepted", "accepted"),
        ("outside", "rejected", "rejected"),
    ],
)
def test_a_fate_gives_way_to_one_that_tells_more(outbox: Outbox, first: str, then: str, state: str) -> None:
    outbox.keep([entering(1)], TRUCE)
    outbox.tell([receipt(1, first), receipt(1, then)], LOG, 1)
    assert states(outbox) == [state]


def test_another_body_under_a_kept_name_is_found_unless_the_first_was_refused(outbox: Outbox) -> None:
    outbox.keep([entering(1)], TRUCE)
    other = entering(1)._replace(value=body(1) + b" ")
    found = outbox.other_body(other, TRUCE)
    assert found is not None
    assert (found.report_id, found.file, found.line) == ("r1", "reports.jsonl", 1)
    assert outbox.other_body(entering(1), TRUCE) is None
    assert outbox.other_body(other._replace(revision=2), TRUCE) is None
    assert outbox.other_body(other, "another") is None
    for outcome in ("rejected", "outside"):
        outbox.tell([receipt(1, outcome)], LOG, 1)
        assert outbox.other_body(other, TRUCE) is None


def test_one_process_sends_at_a_time(outbox: Outbox, tmp_path: Path) -> None:
    with (tmp_path / "new" / SENDING).open("a") as lock:
        with outbox.sending(), pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_receipts_of_others_and_of_another_agreement_tell_nothing(outbox: Outbox) -> None:
    outbox.keep([entering(1)], TRUCE)
    assert outbox.tell([receipt(9, "accepted"), Receipt("another", "outside", digest_of(body(1)))], LOG, 1) == []
    assert states(outbox) == ["draft"]


def test_a_report_told_of_before_it_was_noted_as_sent_keeps_its_fate(outbox: Outbox) -> None:
    """Killed between the two, the sender learns of the acceptance first."""
    outbox.keep([entering(1)], TRUCE)
    outbox.tell([receipt(1, "accepted")], LOG, 1)
    outbox.sent([outbox.listed()[0].number])
    assert states(outbox) == ["accepted"]


def test_only_what_is_not_accepted_is_sent_again(outbox: Outbox) -> None:
    outbox.keep(map(entering, range(4)), TRUCE)
    numbers = [each.number for each in outbox.listed()]
    outbox.sent(numbers[:3])
    outbox.tell([receipt(0, "accepted"), receipt(1, "rejected")], LOG, 1)
    assert states(outbox) == ["accepted", "rejected", "sent", "draft"]
    assert outbox.again() == 1
    assert states(outbox) == ["accepted", "rejected", "draft", "draft"]
    assert outbox.again(numbers[:2]) == 1
    assert states(outbox) == ["accepted", "draft", "draft", "draft"]


def test_a_new_log_of_receipts_is_read_from_its_beginning_once_something_was_sent(outbox: Outbox) -> None:
    outbox.keep([entering(1)], TRUCE)
    assert outbox.begin_reading(LOG, 5) == 5
    outbox.sent([outbox.listed()[0].number])
    assert outbox.begin_reading("another", 5) == 0


def test_the_latest_revision_that_was_not_refused_stands_for_a_report(outbox: Outbox) -> None:
    outbox.keep([entering(1, 3), entering(1, 2), entering(1)], TRUCE)
    assert outbox.latest("f", "r1") == body(1, 3)
    assert outbox.latest("f", "r2") is None


def test_a_full_disk_keeps_nothing_of_a_batch_and_all_before_it(outbox: Outbox) -> None:
    outbox.keep([entering(1)], TRUCE)
    ((pages,),) = outbox._connection.execute("PRAGMA page_count").fetchall()
    outbox._connection.execute(f"PRAGMA max_page_count = {pages + 1}")
    with pytest.raises(StoreFull, match="nothing was lost"):
        outbox.keep(map(entering, range(2, 2_000)), TRUCE)
    assert [each.report_id for each in outbox.listed()] == ["r1"]
    outbox._connection.execute("PRAGMA max_page_count = 1000000")
    assert outbox.keep([entering(2)], TRUCE) == 1


def test_a_file_that_is_no_outbox_is_refused(tmp_path: Path) -> None:
    (tmp_path / OUTBOX).write_text("this is no database, and long enough to be told from an empty one")
    with pytest.raises(StoreUnavailable, match="file is not a database"):
        Outbox.open(tmp_path)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="cannot be used"):
        Outbox.open(tmp_path / "file" / "outbox")
