"""Mapping of the Kafka client's errors to ours, made nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from aiokafka.errors import (
    AuthenticationFailedError,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    IncompatibleBrokerVersion,
    InvalidTimestampError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    NoBrokersAvailable,
    OffsetOutOfRangeError,
    RecordTooLargeError,
    RequestTimedOutError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
    UnknownTopicOrPartitionError,
    UnsupportedVersionError,
)

from schemas.errors import BrokerRefused, BrokerUnavailable, LogMismatch, RecordTooLarge, TrucewatchError, UsageError
from streams.engine.cluster import Broker, cluster_of

#: What a batch is refused with that is larger than its topic takes.
TOO_LARGE = (MessageSizeTooLargeError, RecordTooLargeError)
_UNREACHABLE = (KafkaConnectionError, NoBrokersAvailable, ConnectionError, TimeoutError)


#: What an authorization error is about.
_KINDS: dict[type[BaseException], str] = {
    TopicAuthorizationFailedError: "use topic ",
    GroupAuthorizationFailedError: "use consumer group ",
    TransactionalIdAuthorizationFailed: "use transactional id ",
    ClusterAuthorizationFailedError: "administer the cluster",
}


def our_error(error: BaseException, broker: Broker) -> TrucewatchError:
    """Return our error for an error met while talking to ``broker``.

    Any error of the client without a case of its own becomes a :class:`BrokerUnavailable` that
    names it, so that none leaves the engine as a traceback. An error of ours is returned as it is.
    """
    match error:
        case TrucewatchError():
            return error
        case _ if isinstance(error, (*_KINDS, AuthenticationFailedError, SaslAuthenticationFailed)):
            return _refused(error, broker)
        case UnknownTopicOrPartitionError():
            return UsageError(f"a topic does not exist on the Kafka broker at {broker}: {_words(error)}")
        case _ if isinstance(error, TOO_LARGE):
            return RecordTooLarge(
                f"a record is larger than the Kafka broker at {broker} takes: raise max.message.bytes of the topic"
            )
        case InvalidTimestampError():
            # The broker bounds how far a record's time may lie from its own.
            return BrokerUnavailable(
                f"the Kafka broker at {broker} refuses the time of a record: this host's clock says "
                f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; set the clock of this host or of the broker's"
            )
        case OffsetOutOfRangeError():
            return LogMismatch(f"the Kafka broker at {broker} no longer holds the offsets asked for: {_words(error)}")
        case IncompatibleBrokerVersion() | UnsupportedVersionError():
            return BrokerUnavailable(f"the Kafka broker at {broker} speaks another version of the protocol")
        case RequestTimedOutError():
            return BrokerUnavailable(f"the Kafka broker at {broker} did not answer in time")
        case _ if isinstance(error, _UNREACHABLE):
            return BrokerUnavailable(f"no Kafka broker answers at {broker}: is it running, and is the address right?")
        case _:
            return BrokerUnavailable(f"the Kafka broker at {broker} refused: {_words(error)}")


def _refused(error: BaseException, broker: Broker) -> BrokerRefused:
    """Return the error of a client that is not let in, or not let do something."""
    if type(error) in _KINDS:
        return forbidden(broker, f"{_KINDS[type(error)]}{_named(error)}")
    return BrokerRefused(
        f"the Kafka broker at {broker} no longer takes {cluster_of(broker).who}",
        "`trucewatch check-config` says which setting is wrong",
    )


def forbidden(broker: Broker, what: str) -> BrokerRefused:
    """Return the error of a missing ACL; ``what`` is what the client may not do."""
    return BrokerRefused(
        f"the Kafka broker at {broker} does not let {cluster_of(broker).who} {what}: an ACL is missing",
        "grant what docs/operating.md lists for the role under Access",
    )


def is_passing(error: BaseException) -> bool:
    """Return whether the same request may succeed later.

    It may once the broker or a partition's leader is back. An unknown topic counts: a client that
    lost the broker before it heard of the topic calls it unknown.
    """
    return isinstance(error, (*_UNREACHABLE, KafkaTimeoutError)) or (isinstance(error, KafkaError) and error.retriable)


@contextmanager
def kafka_errors(broker: Broker) -> Iterator[None]:
    """Raise the Kafka client's errors within the block as ours."""
    try:
        yield
    except (KafkaError, OSError, TimeoutError) as error:
        raise our_error(error, broker) from error


def _named(error: BaseException) -> str:
    """Return the names an authorization error is about, one or several."""
    found = error.args[0] if error.args else ""
    names = sorted(found) if isinstance(found, (set, frozenset, list, tuple)) else [str(found)]
    return "" if isinstance(error, ClusterAuthorizationFailedError) else " ".join(", ".join(names).split())


def _words(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
