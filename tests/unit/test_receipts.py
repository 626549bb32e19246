"""Receipts as records of their topic, and those of reports that no ledger takes in."""

from __future__ import annotations

import json

import msgspec
import pytest

from schemas.receipts import MOST_RECEIPTS, Receipt, digest_of, read, records_of, refusal
from streams.feeds.fates import Fates
from streams.feeds.receipts import called, in_words
from streams.feeds.recorded import Named, Recorded


def receipt(number: int, feed: str | None = "a") -> Receipt:
    return Receipt("syria-2016", "accepted", digest_of(b"%d" % number), feed, f"r{number}", 1)


def test_a_record_holds_receipts_of_one_feed_in_their_order() -> None:
    told = [receipt(1), receipt(2, "ب"), receipt(3), receipt(4, None)]
    records = list(records_of(told))
    assert [key for key, _, _ in records] == [b"a", "ب".encode(), None]
    assert [read(value) for _, value, _ in records] == [[told[0], told[2]], [told[1]], [told[3]]]


def test_a_flush_of_many_reports_is_cut_into_records() -> None:
    records = list(records_of(receipt(number) for number in range(MOST_RECEIPTS + 1)))
    assert [len(read(value)) for _, value, _ in records] == [MOST_RECEIPTS, 1]


def test_a_line_is_plain_json_without_what_is_not_known() -> None:
    _, value, _ = next(records_of([receipt(1)]))
    assert json.loads(value) == {
        "agreement": "syria-2016",
        "outcome": "accepted",
        "digest": digest_of(b"1"),
        "feed": "a",
        "report_id": "r1",
        "revision": 1,
    }


def test_what_is_no_receipt_is_an_error_and_an_empty_record_holds_none() -> None:
    assert read(None) == read(b"") == []
    with pytest.raises(msgspec.DecodeError):
        read(b'{"outcome": "accepted"}')


@pytest.mark.parametrize(
    ("body", "feed", "report_id", "revision"),
    [
        (b'{"feed": "f", "report_id": "r"}', "f", "r", 1),
        (b'{"feed": "f", "report_id": "r", "revision": 3, "kind": []}', "f", "r", 3),
        (b'{"feed": 1, "report_id": ["r"], "revision": true}', None, None, None),
        (b"{", None, None, None),
        (b"\xff", None, None, None),
        (b"[]", None, None, None),
        (b"[" * 100_000, None, None, None),
    ],
)
def test_a_refused_report_is_called_as_its_bytes_call_it(
    body: bytes, feed: str | None, report_id: str | None, revision: int | None
) -> None:
    told = refusal("syria-2016", "rejected", body, "not_json", "mend it")
    assert (told.feed, told.report_id, told.revision) == (feed, report_id, revision)
    assert (told.digest, told.code, told.hint) == (digest_of(body), "not_json", "mend it")


@pytest.mark.parametrize(
    ("receipt", "words"),
    [
        (
            Receipt("a", "accepted", "0", region="SY05", truce_day="2016-09-16", counted=True),
            "counted in Hama, truce-day of 16 September 2016",
        ),
        (
            Receipt("a", "accepted", "0", region="SY05", truce_day="2016-09-06", counted=False),
            "accepted; does not count in Hama, truce-day of 6 September 2016",
        ),
        (
            Receipt("a", "corrected", "0", region="SY05", truce_day="2016-09-16", counted=True),
            "corrected, in place of the earlier revision; counted in Hama, truce-day of 16 September 2016",
        ),
        (Receipt("a", "accepted", "0"), "accepted in Hama"),
        (Receipt("a", "rejected", "0", code="not_json", hint="send JSON"), "rejected, not_json: send JSON"),
        (Receipt("a", "an outcome of a later version", "0"), "an outcome of a later version in Hama"),
    ],
)
def test_a_receipt_is_told_in_words(receipt: Receipt, words: str) -> None:
    assert in_words(receipt, "Hama") == words


def test_a_report_is_called_by_what_its_bytes_told() -> None:
    assert called(Receipt("a", "accepted", "0", "f", "r", 2)) == "f/r@2"
    assert called(Receipt("a", "rejected", "0", "f", "r")) == "f/r@?"
    assert called(Receipt("a", "rejected", "0", "f")) == "a report of f"
    assert called(Receipt("a", "rejected", "0")) == "a report of an unreadable feed"


def test_a_report_sent_twice_waits_for_two_receipts_and_others_are_passed_over() -> None:
    shown: list[str] = []
    fates = Fates(lambda receipt: shown.append(receipt.outcome), "syria-2016", 1.0)
    report = Named("reports.jsonl", Recorded(b"1", None, None, 1))
    assert list(fates.sending([report, report])) == [report, report]
    for told in (receipt(2), Receipt("another", "outside", digest_of(b"1")), receipt(1)):
        fates.tell(told)
    assert fates.waiting.total() == 1
    fates.tell(Receipt("syria-2016", "duplicate", digest_of(b"1")))
    fates.tell(Receipt("syria-2016", "duplicate", digest_of(b"1")))
    assert (fates.waiting.total(), shown) == (0, ["accepted", "duplicate"])
