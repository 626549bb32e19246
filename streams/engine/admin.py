"""Administration of topics and offsets, one connection a call.

Every function raises BrokerUnavailable when no broker answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaConnectionError,
    NodeNotReadyError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.admin import CreateTopicsRequest, DeleteTopicsRequest, DescribeConfigsRequest

from schemas.errors import BrokerUnavailable, UsageError
from schemas.topics import REPLICAS, TopicSpec
from streams.engine.cluster import Broker, cluster_of
from streams.engine.ends import ends_of
from streams.engine.kafka_errors import forbidden, kafka_errors
from streams.engine.metadata import Metadata, ask_any, connected, metadata

_Record = ConsumerRecord[bytes | None, bytes | None]

_TOPIC_RESOURCE = 2
_SETTLE_SECONDS = 15.0
_AGAIN_SECONDS = 0.2
_REQUEST_MS = 15_000


async def ensure_topics(broker: Broker, specs: Sequence[TopicSpec]) -> None:
    """Create missing topics and wait until all of ``specs`` are writable.

    A new topic is replicated on three brokers, or on all where there are fewer. Of three, two must
    acknowledge.

    Raises:
        UsageError: a topic exists with another number of partitions, or should keep its records and
            does not.
    """
    wanted = {spec.name: spec for spec in specs}
    async with connected(broker) as client:
        found = await metadata(client, list(wanted))
        missing = [spec for name, spec in wanted.items() if name not in found.topics]
        if missing:
            await _create(client, broker, missing, replicas=min(REPLICAS, found.brokers))
        found = await _settled(client, list(wanted))
        kept = [spec.name for spec in specs if spec.keeping and spec not in missing]
        for name, config in await _configs(client, kept):
            needed = wanted[name].keeping
            if faults := [f"{key}={config[key]}" for key, must in needed.items() if config.get(key, must) != must]:
                lost = "the latest of a key" if wanted[name].compacted else "what goes missing cannot be judged again"
                raise UsageError(
                    f"topic {name} does not keep its records: {', '.join(faults)}; {lost}: "
                    f"set {','.join(f'{key}={must}' for key, must in needed.items())} on the topic"
                )
    for name, topic in found.topics.items():
        if topic.partitions != wanted[name].partitions:
            raise UsageError(
                f"topic {name} has {topic.partitions} partitions and needs {wanted[name].partitions}: "
                "delete it, set the number of partitions it has, or choose another topic prefix"
            )


async def delete_topics(broker: Broker, names: Iterable[str]) -> None:
    """Delete the topics that exist, and wait until they are gone.

    Raises:
        BrokerUnavailable: no broker answers, or they are still there after a quarter of a minute.
    """
    names = list(names)
    async with connected(broker) as client:
        before = {topic.id for topic in (await metadata(client, names)).topics.values()} if names else set()
        request = DeleteTopicsRequest(names, _REQUEST_MS)
        response = await _ask_controller(client, request)
        for name, code, *_ in response.topic_error_codes:
            if code not in (0, UnknownTopicOrPartitionError.errno):
                raise for_code(code)(name)
        # Brokers follow the controller: one that still shows a topic would have it taken for one made anew.
        deadline = asyncio.get_running_loop().time() + _SETTLE_SECONDS
        while before:
            shown = (await metadata(client, names)).topics
            left = [name for name, topic in shown.items() if topic.id in before]
            if not left:
                break
            if asyncio.get_running_loop().time() > deadline:
                raise BrokerUnavailable(f"deleted topics are still there: {', '.join(left)}")
            await asyncio.sleep(_AGAIN_SECONDS)


async def partitions_of(broker: Broker, names: Sequence[str]) -> dict[str, int]:
    """Return the number of partitions of each topic that exists."""
    async with connected(broker) as client:
        return {name: topic.partitions for name, topic in (await metadata(client, list(names))).topics.items()}


async def end_offsets(broker: Broker, topic: str) -> dict[int, int]:
    """Return the end offset of each partition, none for an unknown topic."""
    async with _reader(broker, topic) as (reader, partitions), asyncio.timeout(_SETTLE_SECONDS):
        return _by_partition(await ends_of(reader, partitions)) if partitions else {}


async def beginning_offsets(broker: Broker, topic: str) -> dict[int, int]:
    """Return the first offset of each partition, none for an unknown topic."""
    async with _reader(broker, topic) as (reader, partitions):
        return _by_partition(await reader.beginning_offsets(partitions)) if partitions else {}


async def committed_offsets(broker: Broker, group: str, topic: str) -> dict[int, int]:
    """Return the offsets a consumer group has committed, for partitions with one."""
    async with _reader(broker, topic, group) as (reader, partitions):
        committed = {partition: await reader.committed(partition) for partition in partitions}
    return _by_partition({partition: offset for partition, offset in committed.items() if offset is not None})


async def record_at(broker: Broker, partition: TopicPartition, offset: int) -> _Record | None:
    """Return the record at ``offset``; None where a reader is given none.

    Raises:
        BrokerUnavailable: no broker answers.
    """
    reader = AIOKafkaConsumer(
        **cluster_of(broker).client,
        group_id=None,
        enable_auto_commit=False,
        fetch_max_wait_ms=10,
        isolation_level="read_committed",
    )
    with kafka_errors(broker):
        try:
            await reader.start()
            reader.assign([partition])
            async with asyncio.timeout(_SETTLE_SECONDS):
                # Beyond the end a client starts over at the beginning, without a word.
                if offset >= (await ends_of(reader, [partition]))[partition]:
                    return None
                reader.seek(partition, offset)
                found: list[_Record] = []
                # Past it without a record: there lies a marker, or a record of an aborted
                # transaction.
                while not found and await reader.position(partition) <= offset:
                    found = (await reader.getmany(partition, timeout_ms=100, max_records=1)).get(partition, [])
                return next((record for record in found if record.offset == offset), None)
        except TimeoutError:
            raise BrokerUnavailable(f"the broker did not give the record at {partition} offset {offset}") from None
        finally:
            await reader.stop()


async def log_identity(broker: Broker, topic: str) -> str:
    """Return the identity of a topic's log.

    It changes whenever offsets of the topic mean other records. It names the cluster and the
    topic's id. The id is new when the topic is created again, and an embedded broker is a new
    cluster at every start.

    Raises:
        UsageError: there is no such topic.
    """
    async with connected(broker) as client:
        found = await metadata(client, [topic])
    if topic not in found.topics:
        raise UsageError(f"there is no topic {topic} on the Kafka broker at {broker}")
    return f"{found.cluster_id}/{found.topics[topic].id}"


async def _configs(client: Any, names: Sequence[str]) -> list[tuple[str, dict[str, str]]]:
    """Return each topic's configuration, without topics unknown to the broker."""
    if not names:
        return []
    # All keys are asked for: the embedded broker hangs up on a request that names some.
    resources: list[Any] = [(_TOPIC_RESOURCE, name, None) for name in names]
    response = await ask_any(client, DescribeConfigsRequest(resources, False))
    found = []
    for error, _, _, name, entries in response.resources:
        if error:
            raise for_code(error)(name)
        found.append((name, {key: value for key, value, *_ in entries}))
    return found


async def _create(client: Any, broker: Broker, specs: Sequence[TopicSpec], *, replicas: int) -> None:
    topics: list[Any] = [
        (spec.name, spec.partitions, replicas, [], list(spec.config_on(replicas).items())) for spec in specs
    ]
    request = CreateTopicsRequest(create_topic_requests=topics, timeout=_REQUEST_MS, validate_only=False)
    response = await _ask_controller(client, request)
    for name, code, *words in response.topic_errors:
        if code in (TopicAuthorizationFailedError.errno, ClusterAuthorizationFailedError.errno):
            refused = forbidden(broker, f"create topic {name}, which is missing")
            refused.also("or let an account that may create topics run `trucewatch topics`")
            raise refused
        # Two workers that start at once both find it missing; the partition count is checked
        # afterwards.
        if code not in (0, TopicAlreadyExistsError.errno):
            raise BrokerUnavailable(
                f"topic {name} cannot be created: {words[0] if words and words[0] else for_code(code).__name__}"
            )


async def _ask_controller(client: Any, request: Any) -> Any:
    """Send a request to the controller, or to its successor."""
    deadline = asyncio.get_running_loop().time() + _SETTLE_SECONDS
    while True:
        await client.force_metadata_update()
        controller = client.cluster.controller
        node = client.get_random_node() if controller is None else controller.nodeId
        try:
            return await client.send(node, request)
        except (NodeNotReadyError, KafkaConnectionError):
            if asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(_AGAIN_SECONDS)


async def _settled(client: Any, names: list[str]) -> Metadata:
    """Wait until every partition has a leader.

    A topic just created refuses its first records otherwise.
    """
    try:
        async with asyncio.timeout(_SETTLE_SECONDS):
            while True:
                found = await metadata(client, names)
                if all(name in found.topics and found.topics[name].ready for name in names):
                    return found
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise BrokerUnavailable(f"topics have no leader after {_SETTLE_SECONDS:.0f} s: {', '.join(names)}") from None


@asynccontextmanager
async def _reader(
    broker: Broker, topic: str, group: str | None = None
) -> AsyncIterator[tuple[Any, list[TopicPartition]]]:
    """Yield a consumer that reads nothing, and the partitions of ``topic``."""
    async with connected(broker) as client:
        known = (await metadata(client, [topic])).topics.get(topic)
    if known is None:
        yield None, []
        return
    partitions = [TopicPartition(topic, number) for number in range(known.partitions)]
    reader = AIOKafkaConsumer(
        **cluster_of(broker).client, group_id=group, enable_auto_commit=False, fetch_max_wait_ms=10
    )
    with kafka_errors(broker):
        try:
            await reader.start()
            reader.assign(partitions)
            yield reader, partitions
        finally:
            await reader.stop()


def _by_partition(offsets: dict[TopicPartition, int]) -> dict[int, int]:
    return {partition.partition: offset for partition, offset in sorted(offsets.items())}
