"""Metadata of a cluster, with topic ids, which aiokafka's older request lacks.

A topic that was deleted and created again keeps its name. Its id tells the two logs apart.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from uuid import UUID

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError, NodeNotReadyError, for_code
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from schemas.errors import BrokerUnavailable
from streams.engine.cluster import Broker, cluster_of
from streams.engine.greeting import greet
from streams.engine.kafka_errors import kafka_errors

_UNKNOWN_TOPIC = 3
_LEADER_MISSING = 5


@dataclass(frozen=True)
class KnownTopic:
    """Description of a topic; ``ready`` once every partition has a leader.

    Attributes:
        operations: a bit for each operation that the client may do; None where it was not asked.
    """

    name: str
    id: UUID
    partitions: int
    ready: bool
    operations: int | None = None


@dataclass(frozen=True)
class Metadata:
    """Description of a cluster and of its topics that were asked for."""

    cluster_id: str
    brokers: int
    topics: dict[str, KnownTopic]


class _Uuid(AbstractType[UUID]):
    @classmethod
    def encode(cls, value: UUID) -> bytes:
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> UUID:
        return UUID(bytes=data.read(16))


_TEXT = CompactString("utf-8")


class _MetadataResponse(Response):
    API_KEY = 3
    API_VERSION = 10
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(("node_id", Int32), ("host", _TEXT), ("port", Int32), ("rack", _TEXT), ("tags", TaggedFields)),
        ),
        ("cluster_id", _TEXT),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", _TEXT),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("topic_authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_authorized_operations", Int32),
        ("tags", TaggedFields),
    )


class _MetadataStruct(RequestStruct):
    API_KEY = 3
    API_VERSION = 10
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Uuid), ("name", _TEXT), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _MetadataRequest(Request[_MetadataStruct]):
    API_KEY = 3

    def __init__(self, topics: list[str], operations: bool) -> None:
        self._topics = topics
        self._operations = operations

    def build(self, request_struct_class: type[_MetadataStruct]) -> _MetadataStruct:
        topics: list[Any] = [(UUID(int=0), name, {}) for name in self._topics]
        # Asking must not create: a broker that creates topics by itself gives them its own
        # partition count.
        return request_struct_class(topics, False, False, self._operations, {})


@asynccontextmanager
async def connected(broker: Broker) -> AsyncIterator[Any]:
    """Yield a client of ``broker``, with Kafka's errors raised as ours."""
    client = AIOKafkaClient(**cluster_of(broker).client)
    with kafka_errors(broker):
        try:
            try:
                await client.bootstrap()
            except KafkaConnectionError:
                # The client tells in the log alone why. A refusal is named; of silence no more is known.
                with suppress(BrokerUnavailable):
                    await greet(broker)
                raise
            if not client.cluster.brokers():
                # A client whose token was refused takes itself for connected, and learns nothing.
                await greet(broker)
            yield client
        finally:
            await client.close()


async def metadata(client: Any, topics: list[str], *, operations: bool = False) -> Metadata:
    """Return the description of the cluster and of existing ``topics``.

    With ``operations`` each topic tells what the client may do to it.
    """
    response = await ask_any(client, _MetadataRequest(topics, operations))
    known: dict[str, KnownTopic] = {}
    for error, name, id_, _internal, partitions, may, *_ in response.topics:
        if error == _UNKNOWN_TOPIC:
            continue
        if error not in (0, _LEADER_MISSING):
            raise for_code(error)(name)
        ready = error == 0 and bool(partitions) and all(each[0] == 0 and each[2] >= 0 for each in partitions)
        known[name] = KnownTopic(name, id_, len(partitions), ready, may if operations else None)
    return Metadata(response.cluster_id or "", len(response.brokers), known)


async def ask_any(client: Any, request: Any) -> Any:
    """Send a request to any broker that answers.

    A broker that has just died is still listed, and skipped.

    Raises:
        NodeNotReadyError: no broker can be reached.
    """
    first = client.get_random_node()
    others = [node.nodeId for node in client.cluster.brokers() if node.nodeId != first]
    for node in (first, *others[:-1]):
        try:
            return await client.send(node, request)
        except (NodeNotReadyError, KafkaConnectionError):
            if not others:
                raise
    return await client.send(others[-1], request)
