"""Chunks of facts: what comes back of them, where they are cut, and what is no chunk of ours."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from schemas import chunks, facts
from schemas.chunks import HEADER, Told, count_of, decode, encode, read, records_of
from schemas.errors import FactUnreadable
from schemas.facts import (
    BulletinFact,
    CountLine,
    DismissalFact,
    IncidentFact,
    Located,
    Origin,
    OutsideFact,
    Redrive,
    RejectFact,
    TickFact,
)

ORIGIN = Origin("truce.incidents.v1", 3, 41, "a-log")
SPINE: dict[str, Any] = {"origin": ORIGIN, "stamp": 7, "feed": "sohr", "report_id": "1", "reported_at": 6}
PLACE = Located(region="SY02", by="name", name="Halab", conflict="point lies in SY07 Idleb")
PLAIN = IncidentFact(**SPINE, place=Located("SY01"), from_=1, to=2, kind="shelling")
FULL = IncidentFact(
    **{**SPINE, "stamp": None},
    revision=3,
    retracted=True,
    place=Located("SY02", "point", "حلب", 36.2, 37.1, "far off", "halab", True, True),
    from_=-1,
    to=2**50,
    kind="airstrike",
    sides=(("A", "B"), (), ("C",)),
    accused=("A",),
    claimant="a witness",
    confidence="alleged",
    deaths_low=0,
    deaths_best=3,
    deaths_high=2**40,
    toll_flaw="low 3 is above high 1",
    time_precision="day",
    place_precision="exact",
    same_as=("x/1", "x/2"),
    not_same_as=("y/1",),
    merged_into="2",
    origins=("a", "b"),
)
OTHERS: list[facts.Fact] = [
    IncidentFact(**SPINE, place=PLACE, from_=1, to=2, kind="shelling", redrive=Redrive(ORIGIN, 1)),
    IncidentFact(**{**SPINE, "origin": None}, place=PLACE, from_=1, to=2, kind="shelling"),
    BulletinFact(**SPINE, from_=1, to=2, tallies=(CountLine(count=3, region="SY02"),), total=3),
    OutsideFact(origin=ORIGIN, stamp=1, feed="sohr"),
    RejectFact(origin=ORIGIN, code="not_json", hint="send “JSON”"),
    DismissalFact(origin=ORIGIN, of=ORIGIN, reason="a test", by="desk"),
    TickFact(stamp=9, term=2, writer="abc"),
]


def with_bodies(*told: facts.Fact) -> list[Told]:
    return [(fact, b"\xff body %d" % number) for number, fact in enumerate(told)]


def columns_of(value: bytes) -> list[str]:
    return list(pa.ipc.open_stream(value).schema.names)


@pytest.mark.parametrize(
    "told",
    [
        [PLAIN],
        [FULL, PLAIN],
        [PLAIN] * 100,
        [FULL] * 100,
        [PLAIN, FULL] * 50,
        OTHERS,
        [*OTHERS, PLAIN, *OTHERS, FULL],
        [*OTHERS, *[PLAIN, *OTHERS, FULL] * 40],
    ],
    ids=["plain", "few", "many plain", "many full", "many", "others", "few mixed", "many mixed"],
)
def test_facts_come_back_in_order_as_they_were_with_every_byte_of_their_reports(told: list[facts.Fact]) -> None:
    (record,) = records_of(with_bodies(*told))
    _, value, headers = record
    assert read(value, headers) == with_bodies(*told)
    assert count_of(headers) == len(told)


def test_any_arrow_reader_opens_a_chunk_and_finds_the_columns_of_reports() -> None:
    rows = pa.ipc.open_stream(encode(with_bodies(*[PLAIN, FULL] * 50))).read_all().to_pylist()[:2]
    assert [row["region"] for row in rows] == ["SY01", "SY02"]
    assert [row["accused"] for row in rows] == [[], ["A"]]
    assert [row["source_offset"] for row in rows] == [41, 41]
    assert [row["report"] for row in rows] == [b"\xff body 0", b"\xff body 1"]


def test_a_column_that_says_nothing_is_left_out() -> None:
    assert columns_of(encode(with_bodies(TickFact(stamp=9)))) == ["fact", "report"]
    assert "claimant" not in columns_of(encode(with_bodies(*[PLAIN] * 100)))
    assert "claimant" in columns_of(encode(with_bodies(*[PLAIN] * 100, FULL)))


def test_few_incidents_are_json_too() -> None:
    assert columns_of(encode(with_bodies(*[PLAIN] * 63))) == ["fact", "report"]
    assert "fact" not in columns_of(encode(with_bodies(*[PLAIN] * 64)))


def test_a_chunk_ends_at_so_many_facts_or_bytes_and_a_larger_fact_has_one_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert counts([(PLAIN, b"")] * 7, most_facts=3) == [3, 3, 1]
    monkeypatch.setattr(chunks, "_REPORT_BYTES", 10)
    assert counts([(PLAIN, b"12345")] * 5) == [2, 2, 1]
    assert counts([(PLAIN, b"1"), (PLAIN, b"1" * 99), (PLAIN, b"1")]) == [1, 1, 1]


def test_a_chunk_that_turns_out_too_large_is_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    told = with_bodies(*[PLAIN] * 8)
    monkeypatch.setattr(chunks, "MOST_BYTES", len(encode(told[:4])) + 8)
    assert counts(told) == [4, 4]
    monkeypatch.setattr(chunks, "MOST_BYTES", 1)
    assert counts(told) == [1] * 8


def counts(told: list[Told], **most: int) -> list[int]:
    records = list(records_of(told, **most))
    assert [each for _, value, headers in records for each in read(value, headers)] == told
    return [count_of(headers) for _, _, headers in records]


def test_no_fact_makes_no_record() -> None:
    assert list(records_of([])) == []


def test_a_fact_of_an_earlier_version_is_refused_with_what_to_do() -> None:
    with pytest.raises(FactUnreadable, match="a fact of an earlier version, which wrote one to a record") as refused:
        read(b"{}", [("fact", b'{"type":"tick"}')])
    assert refused.value.hint is not None
    assert "begin with another topic prefix" in refused.value.hint


ONE = encode(with_bodies(*[PLAIN] * 64))
BATCH = pa.ipc.open_stream(ONE).read_next_batch()


def stream_of(batch: Any, times: int = 1) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        for _ in range(times):
            stream.write_batch(batch)
    return sink.getvalue().to_pybytes()


def but(name: str, value: object, kind: Any) -> bytes:
    """Return a chunk with another column, of one value."""
    rest = {each: column for each, column in zip(BATCH.schema.names, BATCH.columns, strict=True) if each != name}
    return stream_of(pa.record_batch({**rest, name: pa.array([value] * len(BATCH), kind)}))


NOT_OURS = {
    "nothing": (b"", "an unreadable chunk"),
    "bytes": (b"\xff" * 100, "an unreadable chunk"),
    "a cut chunk": (ONE[:-400], "an unreadable chunk"),
    "two batches": (stream_of(BATCH, times=2), "an unreadable chunk"),
    "a column twice": (
        stream_of(pa.RecordBatch.from_arrays([*BATCH.columns, BATCH["feed"]], names=[*BATCH.schema.names, "feed"])),
        "a column that stands twice",
    ),
    "a name in another encoding": (ONE.replace(b"feed", b"f\xea\xead"), "an unreadable chunk"),
    "no report": (stream_of(BATCH.drop_columns(["report"])), "without the reports"),
    "a report of text": (but("report", "{}", pa.string()), "without the reports"),
    "no bytes of a report": (but("report", None, pa.binary()), "columns that are unknown here"),
    "a column of a newer version": (but("mood", "grim", pa.string()), "columns that are unknown here: mood"),
    "no feed": (stream_of(BATCH.drop_columns(["feed"])), "without the column feed"),
    "a gap": (but("feed", None, pa.string()), "gaps in the column feed"),
    "a gap for a default": (but("revision", None, pa.int64()), "gaps in the column revision"),
    "another type": (but("feed", b"sohr", pa.binary()), "another type of the column feed"),
    "facts that are no text": (but("fact", b"{}", pa.binary()), "without the reports"),
    "a fact twice": (but("fact", '{"type":"tick"}', pa.string()), "gaps in the column feed"),
    "a fact that is none": (
        stream_of(pa.record_batch({"fact": pa.array(['{"type":"rumour"}']), "report": pa.array([b""])})),
        "an unreadable fact",
    ),
}


@pytest.mark.parametrize(("value", "fault"), NOT_OURS.values(), ids=NOT_OURS)
def test_what_is_no_chunk_of_ours_is_refused(value: bytes, fault: str) -> None:
    with pytest.raises(FactUnreadable, match=fault):
        decode(value)


def test_a_record_without_our_header_or_with_another_count_is_refused() -> None:
    with pytest.raises(FactUnreadable, match="who wrote it"):
        read(ONE, [])
    with pytest.raises(FactUnreadable, match="64 facts under a header that counts 2"):
        read(ONE, [(HEADER, b"2")])
    assert count_of([(HEADER, b"many")]) == 1
    assert count_of([]) == 1
