"""Three brokers, of which one dies: its topics and groups get another leader, and nothing is lost or counted twice."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient

from schemas.topics import Topics
from streams.engine.admin import end_offsets
from streams.engine.cluster import cluster_of
from streams.verify import verify
from tests.support.brokers import need_kafka
from tests.support.kafka import Cluster
from tests.support.month import month
from tests.support.recorded_archive import AGREEMENT, archive_of, judged_to, publish_archive, settings_for, wait_until
from tests.support.records import tables_without_places
from tests.support.standbys import copy_of, recorded, taken_in, worker

pytestmark = [pytest.mark.broker, pytest.mark.kafka, pytest.mark.crash]
FACTS = Topics().facts(AGREEMENT)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Three nodes of Apache Kafka with empty logs."""
    need_kafka()
    cluster = Cluster(tmp_path / "kafka")
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def test_two_brokers_die_one_after_the_other_and_nothing_is_lost_or_counted_twice(
    cluster: Cluster, tmp_path: Path
) -> None:
    """Each time it is the one that leads the facts topic; the first is back before the second goes."""
    topics = Topics()
    reports = month(600)
    archive = archive_of(reports)
    settings = settings_for(cluster.url, topics.prefix, tmp_path / "disturbed")
    third = len(archive) // 3
    asyncio.run(publish_archive(cluster.url, topics, archive[:third]))
    leaders = []
    with worker(settings, "intake") as intake, worker(settings) as ledger:
        for number in (1, 2):
            wait_until(lambda number=number: taken_in(cluster.url, topics, topics.archive) >= number * third, intake)
            wait_until(lambda: judged_to(copy_of(settings)) > 0, ledger)
            leaders.append(_leader(cluster, FACTS))
            cluster.kill(leaders[-1])
            chunk = archive[number * third : (number + 1) * third if number == 1 else None]
            asyncio.run(publish_archive(cluster.url, topics, chunk))
            wait_until(lambda: _leader(cluster, FACTS) not in (-1, leaders[-1]), ledger)
            cluster.start()
        wait_until(lambda: taken_in(cluster.url, topics, topics.archive) >= len(archive), intake)
        facts = asyncio.run(end_offsets(cluster.url, FACTS))[0]
        wait_until(lambda: judged_to(copy_of(settings)) >= facts, ledger)
        for each in (intake, ledger):
            each.check()
    assert len(leaders) == 2
    whole = recorded(cluster.url, f"{topics.prefix}.whole", tmp_path / "whole", reports)
    assert tables_without_places(copy_of(settings)) == tables_without_places(copy_of(whole.settings))
    assert verify(copy_of(settings)) == []


def _leader(cluster: Cluster, topic: str) -> int:
    """Return the node that leads a topic's only partition; -1 while none does."""

    async def asked() -> int:
        client = AIOKafkaClient(**cluster_of(cluster.url).client)
        await client.bootstrap()
        try:
            client.set_topics([topic])
            await client.force_metadata_update()
            leader = client.cluster.leader_for_partition(TopicPartition(topic, 0))
            return -1 if leader is None else leader
        finally:
            await client.close()

    return asyncio.run(asked())
