"""Intake by the chunk against intake report by report with pydantic alone, fact by fact and letter by letter."""

from __future__ import annotations

import asyncio
import copy
import random
from collections.abc import Hashable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from aiokafka import ConsumerRecord, TopicPartition

from schemas.chunks import Row, read
from schemas.facts import Fact, Origin, OutsideFact, encode
from schemas.gazetteer import load_gazetteer
from schemas.rejects import dead_letter_headers
from schemas.topics import Topics
from schemas.truceday import Micros
from streams.engine.lane import Batch
from streams.engine.producer import BatchProducer, Outgoing
from streams.engine.unique_log import UniqueLog
from streams.intake import examine, handler
from streams.intake.examine import Examiner
from streams.intake.handler import IntakeHandler
from streams.intake.instants import micros_of
from tests.fuzz.mutation import inputs
from tests.property.test_fast_decoder import FULL, TIMES
from tests.support.effort import cases
from tests.support.lanes import Group, lane_of
from tests.support.worlds import agreement, at

TOPIC, LOG, NOW = "truce.incidents.v1", "a-log", at(30)
SERVED = [agreement(), agreement(id="other", regions=["SY02"], gate_regions=["SY02"])]
GAZETTEER = load_gazetteer("syria", None)
BARE = {key: FULL[key] for key in ("type", "feed", "report_id", "reported_at", "occurred", "place", "kind")}
#: Each is another reason to leave the chunk's path, or a value that has to come through it.
ODD: list[dict[str, Any]] = [
    BARE,
    BARE | {"place": {"pcode": "SY07"}},
    BARE | {"place": {"pcode": "SY07"}, "revision": 2},
    BARE | {"place": {"pcode": "SY01"}},
    BARE | {"place": {"pcode": "IQ01"}},
    BARE | {"place": {"names": ["Nowhere"]}},
    BARE | {"place": {"names": ["Aleppo"], "point": {"latitude": 36.2, "longitude": 37.16}, "precision": "exact"}},
    BARE | {"place": {"names": ["Aleppo"], "point": {"latitude": 36.2, "longitude": 37.16}, "precision": "country"}},
    BARE | {"agreement": "other"},
    BARE | {"agreement": "third"},
    BARE | {"reported_at": "2016-10-30T00:00:00Z"},
    BARE | {"occurred": FULL["occurred"] | {"from": "2015-01-01T00:00:00Z"}},
    BARE | {"occurred": FULL["occurred"] | {"to": "2016-09-13T06:00:00Z"}},
    BARE | {"status": "retracted"},
    BARE | {"status": "merged", "merged_into": "FO-16"},
    BARE | {"status": "merged"},
    BARE | {"deaths": {"low": 3, "high": 1}},
    BARE | {"sources": [{"name": "unknown"}]},
    BARE | {"sources": [{"name": "Radio"}, {"name": "Office", "origin": "RADIO"}]},
    BARE | {"raw": {"a": {"b": {"c": [1]}}}},
    {"type": "coverage", "feed": "f", "report_id": "1", "reported_at": "2016-09-13T12:00:00Z", "nil": True}
    | {"occurred": FULL["occurred"], "places": [{"pcode": "SY02"}]},
]


class _Kept(BatchProducer):
    """Producer that keeps the records, for want of a broker."""

    def __init__(self) -> None:
        super().__init__("kafka://nowhere:9092")
        self.facts: dict[str, list[tuple[Fact, bytes]]] = {}

    async def start(self) -> None: ...

    async def send(self, topic: str, partition: int, records: Sequence[Outgoing]) -> None:
        for _, value, headers in records:
            self.facts.setdefault(topic, []).extend(read(value, headers))


class _Letters(UniqueLog):
    """Topic of rejects that keeps them, for want of a broker."""

    def __init__(self) -> None:
        super().__init__("kafka://nowhere:9092", "none")
        self.letters: dict[Hashable, Outgoing] = {}

    async def append(self, records: Mapping[Hashable, Outgoing], *_: object) -> None:
        self.letters.update(records)


def bodies_of(draw: random.Random, count: int) -> list[bytes | None]:
    """Return reports, good ones and odd ones, and bytes bent out of their shape."""
    options = (0, orjson.OPT_INDENT_2)
    bent = inputs([orjson.dumps(FULL), *map(orjson.dumps, ODD)], draw)
    found: list[bytes | None] = [None, b"", b"{"]
    while len(found) < count:
        report = copy.deepcopy(draw.choice([FULL, *ODD]))
        report["report_id"] = f"r{len(found)}"
        if draw.random() < 0.2:
            report["reported_at"] = draw.choice(TIMES)
        found.append(next(bent) if draw.random() < 0.2 else orjson.dumps(report, option=draw.choice(options)))
    draw.shuffle(found)
    return found


def told_one_by_one(examiner: Examiner, records: Sequence[Any]) -> tuple[dict[str, list[Any]], dict[Hashable, Any]]:
    """Return the facts for each agreement and the letters that intake makes of records, one at a time."""
    told: dict[str, list[Any]] = {}
    letters: dict[Hashable, Any] = {}
    for record in records:
        origin, body = Origin(TOPIC, 0, record.offset, LOG), record.value or b""
        found = examiner.examine(record.value, record.headers, origin, NOW)
        for name, fact in found.facts:
            told.setdefault(name, []).append((fact, b"" if isinstance(fact, OutsideFact) else body))
        if found.rejected is not None:
            letters[origin] = (record.key, body, dead_letter_headers(found.rejected, record.headers))
    return told, letters


async def told_by_chunk(examiner: Examiner, records: Sequence[Any]) -> tuple[dict[str, list[Any]], dict[Hashable, Any]]:
    """Return the same of the handler, which is given them as one batch."""

    async def identity(_: str) -> str:
        return f"cluster/{LOG}"

    kept, letters, topics = _Kept(), _Letters(), Topics()
    intake = IntakeHandler(examiner, kept, letters, topics, identity)
    await intake.started(lane_of(Group()))
    await intake.assigned([TopicPartition(TOPIC, 0)])
    await intake.handle(Batch(TOPIC, 0, list(records), len(records)))
    return {each.id: kept.facts.get(topics.facts(each.id), []) for each in SERVED}, letters.letters


@pytest.mark.parametrize("seed", cases(range(60), fast=2))
@pytest.mark.parametrize("stamps", ["clock", "archive"])
def test_a_batch_gives_the_facts_and_letters_of_its_records_one_by_one(
    seed: int, stamps: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = random.Random(seed)
    header = [(), (), (), (("traceparent", b"1"),), (("tick", b"7"),)]
    records = [
        ConsumerRecord(TOPIC, 0, offset, 0, 0, b"key", body, None, 0, 0, draw.choice(header))
        for offset, body in enumerate(bodies_of(draw, 150))
    ]
    rows: list[Row | None] = []

    class Watched(Examiner):
        def row(self, *given: Any) -> Row | None:
            rows.append(super().row(*given))
            return rows[-1]

    fast = Watched(SERVED, GAZETTEER, stamps)
    with monkeypatch.context() as patch:
        patch.setattr(examine, "decoder_for", lambda _model: lambda bodies: [None] * len(bodies))
        slow = Examiner(SERVED, GAZETTEER, stamps)
    monkeypatch.setattr(handler, "time", SimpleNamespace(time_ns=lambda: NOW * 1_000))

    told, letters = told_one_by_one(slow, records)
    assert asyncio.run(told_by_chunk(fast, records)) == (told, letters)
    found, _ = told_one_by_one(fast, records)
    assert [[encode(fact) for fact, _ in found[name]] for name in found] == [
        [encode(fact) for fact, _ in told[name]] for name in told
    ]
    assert any(rows)
    assert None in rows
    assert letters


def test_instants_of_a_column_are_those_of_each_alone() -> None:
    first, end = at(-9_000), at(9_000)
    texts = [text for text in TIMES if isinstance(text, str)]
    alone: list[Micros | None] = [micros_of([text], first, end)[0] for text in texts]
    plain = [text for text, found in zip(texts, alone, strict=True) if found is not None]
    assert micros_of(texts * 9, first, end) == alone * 9
    assert micros_of(plain * 99, first, end) == [found for found in alone if found is not None] * 99
    assert None in alone
    assert len(plain) > 9
