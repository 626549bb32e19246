"""Access of a client to its topics, group and transactions, asked of the cluster itself.

A group that may not be joined, and a topic that may not be read, only leave a worker waiting: the
client tries for ever. Asked beforehand, and now and then, the missing ACL has a name.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from aiokafka.client import CoordinationType
from aiokafka.errors import GroupAuthorizationFailedError, TransactionalIdAuthorizationFailed
from aiokafka.protocol.coordination import FindCoordinatorRequest
from aiokafka.protocol.group import HeartbeatRequest

from streams.engine.cluster import Cluster
from streams.engine.kafka_errors import forbidden
from streams.engine.metadata import KnownTopic, ask_any

#: Numbers of Kafka's operations, each a bit of what a topic tells of the client that asks.
READ, WRITE = 3, 4
_NAMES = {READ: "read", WRITE: "write to"}


def check_topics(cluster: Cluster, topics: Collection[KnownTopic], operation: int) -> None:
    """Check that the client may do ``operation`` to each topic.

    Raises:
        BrokerRefused: it may not.
    """
    for topic in topics:
        if topic.operations is not None and not topic.operations >> operation & 1:
            raise forbidden(cluster, f"{_NAMES[operation]} topic {topic.name}")


async def check_group(client: Any, cluster: Cluster, group: str) -> None:
    """Check that the client may join a consumer group.

    Raises:
        BrokerRefused: it may not.
    """
    # A heartbeat of no member: every broker refuses it, and looks at the ACLs first.
    answer = await ask_any(client, HeartbeatRequest(group, -1, ""))
    if answer.error_code == GroupAuthorizationFailedError.errno:
        raise forbidden(cluster, f"use consumer group {group}")


async def check_transactional_id(client: Any, cluster: Cluster, name: str) -> None:
    """Check that the client may use a transactional id.

    Raises:
        BrokerRefused: it may not.
    """
    # A claim of the id would fence whoever writes under it. The search for its coordinator does not.
    answer = await ask_any(client, FindCoordinatorRequest(name, CoordinationType.TRANSACTION))
    if answer.error_code == TransactionalIdAuthorizationFailed.errno:
        raise forbidden(cluster, f"use transactional id {name}")
