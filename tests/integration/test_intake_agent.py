"""The intake agent on real brokers: what a fact says of where it comes from."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from aiokafka import ConsumerRecord, TopicPartition

from schemas.chunks import read
from schemas.facts import Origin
from schemas.gazetteer import load_gazetteer
from schemas.rejects import source_of
from schemas.topics import Topics
from streams.engine.admin import delete_topics, ensure_topics, log_identity
from streams.engine.lane import Batch, Lane
from streams.engine.producer import BatchProducer
from streams.intake.examine import Examiner
from streams.intake.handler import IntakeHandler
from tests.support.brokers import read_all, read_to_end, unique_log
from tests.support.worlds import TRUCE


async def test_a_fact_tells_the_topic_created_anew_from_the_one_before(
    broker: str, prefix: str, tmp_path: Path
) -> None:
    topics = Topics(prefix, partitions=1)
    await ensure_topics(broker, topics.specs((TRUCE.id,)))
    examiner = Examiner([TRUCE], load_gazetteer(TRUCE.gazetteer), "clock")
    rejects = await unique_log(broker, topics.rejects, tmp_path)
    agent = IntakeHandler(examiner, BatchProducer(broker), rejects, topics, partial(log_identity, broker))
    source = TopicPartition(topics.incidents, 0)
    batch = Batch(*source, [ConsumerRecord(*source, 0, 0, 0, None, b"{", None, 0, 1, ())], 1)
    await agent.started(Lane(frozenset(topics.inputs), 0.25))
    for _ in range(2):
        await agent.assigned([source])
        await agent.handle(batch)
    await delete_topics(broker, [topics.incidents])
    await ensure_topics(broker, topics.specs((TRUCE.id,)))
    await agent.assigned([source])
    await agent.handle(batch)
    await agent.stopped()
    records = await read_all(broker, topics.facts(TRUCE.id), 3)
    first, again, anew = [fact.origin for record in records for fact, _ in read(record.value, record.headers)]
    assert first is not None
    assert anew is not None
    assert again == first == Origin(topics.incidents, 0, 0, first.log)
    assert anew == Origin(topics.incidents, 0, 0, anew.log)
    assert "" not in (first.log, anew.log)
    assert anew.log != first.log
    # The record handled twice is on the rejects topic once, and the one of the new topic beside it.
    letters = await read_to_end(broker, topics.rejects)
    assert [source_of(letter.headers) for letter in letters] == [first, anew]
