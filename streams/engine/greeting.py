"""First contact with a cluster, in which each fault of a connection is told by its name.

A client of aiokafka only says that it could not connect. Here the same connection is made by itself
(TCP, TLS, Kafka, SASL), and what ends it is traced to the setting that is wrong.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import (
    AuthenticationFailedError,
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from schemas.errors import BrokerRefused, BrokerUnavailable
from streams.engine.cluster import Broker, Cluster, cluster_of
from streams.settings import variable

CONNECT_SECONDS = 3.0
_ANSWER_SECONDS = 20.0
_CLOSE_SECONDS = 0.5
#: An ApiVersions request, version 0. Every listener in the clear answers it, before any SASL.
_API_VERSIONS = bytes.fromhex("0000000a 0012 0000 00000001 ffff")
_LONGEST_ANSWER = 1_048_576
#: Of X.509: the name, and the IP address, is not one of the certificate's.
_WRONG_NAMES = (62, 64)
#: What a listener in the clear makes of a TLS handshake, as OpenSSL tells it.
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNEXPECTED_EOF_WHILE_READING")
_FAULTS = (OSError, OverflowError, ValueError, KafkaError)

_PROTOCOL = variable("security_protocol")


async def greet(broker: Broker) -> None:
    """Connect as a client does, and hang up, at the first address that takes this client.

    The brokers that answer name the addresses at which they are to be spoken to; one of those is
    greeted too.

    Raises:
        BrokerRefused: an answer came, and no address takes this client.
        BrokerUnavailable: no answer came from any address.
    """
    cluster = cluster_of(broker)
    faults: list[BrokerUnavailable] = []
    refused: BrokerRefused | None = None
    for address in cluster.hosts:
        try:
            advertised = await _greet(cluster, address)
        except BrokerUnavailable as fault:
            faults.append(fault)
        except BrokerRefused as refusal:
            refused = refused or refusal
        else:
            await _greet_advertised(cluster, address, advertised)
            return
    if refused is not None:
        raise refused
    raise BrokerUnavailable(f"no broker answers at {', '.join(map(str, faults))}")


async def _greet_advertised(cluster: Cluster, asked: str, advertised: list[str]) -> None:
    if not advertised or asked in advertised:
        return
    for address in advertised:
        try:
            await _greet(cluster, address)
        except BrokerUnavailable:
            continue
        except BrokerRefused as refusal:
            refusal.also(f"the broker at {asked} names {address} as the address to use, by its advertised.listeners")
            raise
        return
    raise BrokerUnavailable(
        f"the broker at {asked} names {', '.join(advertised)} as the address to use, and nobody answers there",
        "give the brokers advertised.listeners that this machine can reach",
    )


async def _greet(cluster: Cluster, address: str) -> list[str]:
    """Return the addresses that the broker at ``address`` names.

    Raises:
        BrokerUnavailable: nobody answers; its words are the address and why.
        BrokerRefused: it does not take this client.
    """
    host, _, port = address.rpartition(":")
    place = host.strip("[]"), int(port)
    try:
        await _closed(asyncio.open_connection(*place), CONNECT_SECONDS)
    except (OSError, OverflowError) as error:
        raise BrokerUnavailable(f"{address} ({_reason(error, CONNECT_SECONDS)})") from None
    connection: Any = AIOKafkaConnection(*place, request_timeout_ms=int(_ANSWER_SECONDS * 1_000), **cluster.connection)
    taken = False
    try:
        await connection.connect()
        taken = True
        found = await connection.send(MetadataRequest([]))
        if cluster.tokens is not None and not found.brokers:
            # A token that is refused is answered with a challenge, which the client takes for success.
            raise AuthenticationFailedError
    except _FAULTS as error:
        raise await _fault(cluster, address, place, error, taken=taken) from None
    finally:
        # The loop may end with this call, and a socket must not be left to the garbage collector.
        await asyncio.wait({connection.close()}, timeout=_CLOSE_SECONDS)
    return [f"[{each[1]}]:{each[2]}" if ":" in each[1] else f"{each[1]}:{each[2]}" for each in found.brokers]


async def _fault(
    cluster: Cluster, address: str, place: tuple[str, int], error: BaseException, *, taken: bool
) -> BrokerRefused | BrokerUnavailable:
    """Return our error for what ended a connection; ``taken`` once it got past TLS and SASL."""
    # What ended a connection is the cause of the client's own error; that of a timeout says nothing.
    cause = (error.__cause__ or error) if isinstance(error, KafkaError) else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _untrusted(address, cause)
    if isinstance(error, (IllegalSaslStateError, UnsupportedSaslMechanismError)):
        return _other_sasl(cluster, address, error)
    if isinstance(error, (AuthenticationFailedError, SaslAuthenticationFailed, ValueError)):
        return _not_authenticated(cluster, address, error)
    if taken and cluster.tokens is not None:
        return _not_authenticated(cluster, address, error)
    encrypted = cluster.tls is not None
    if isinstance(cause, ssl.SSLError) and cause.reason and cause.reason.endswith(_ALERTS):
        return _own_certificate(address)
    if await _speaks(place, _in_the_clear if encrypted else _tls):
        return _other_protocol(cluster, address)
    if taken and cluster.mechanism is None:
        wanted = "SASL_SSL" if encrypted else "SASL_PLAINTEXT, or better at another port SASL_SSL"
        return BrokerRefused(
            f"the Kafka broker at {address} hung up on a client without SASL, and {_PROTOCOL} is {cluster.protocol}",
            f"set it to {wanted}, and {variable('sasl_mechanism')}",
        )
    return BrokerUnavailable(f"{address} ({_reason(cause, _ANSWER_SECONDS)})")


#: Endings of the names of alerts by which a broker refuses the client's certificate, or the lack of one.
_ALERTS = ("CERTIFICATE_REQUIRED", "BAD_CERTIFICATE", "CERTIFICATE_UNKNOWN", "UNKNOWN_CA", "CERTIFICATE_EXPIRED")


def _untrusted(address: str, error: ssl.SSLCertVerificationError) -> BrokerRefused:
    said = error.verify_message.rstrip(".").lower()
    if error.verify_code in _WRONG_NAMES:
        return BrokerRefused(
            f"the certificate of the Kafka broker at {address} is for another name: {said}",
            f"call the broker by a name in its certificate, or set {variable('ssl_check_hostname')}=false",
        )
    return BrokerRefused(
        f"the certificate of the Kafka broker at {address} is not trusted: {said}",
        f"set {variable('ssl_cafile')} to the certificate of the authority that issued it",
    )


def _other_sasl(cluster: Cluster, address: str, error: BaseException) -> BrokerRefused:
    if isinstance(error, UnsupportedSaslMechanismError):
        return BrokerRefused(
            f"the Kafka broker at {address} does not offer {cluster.mechanism}",
            f"set {variable('sasl_mechanism')} to a mechanism among the broker's sasl.enabled.mechanisms",
        )
    return BrokerRefused(
        f"the Kafka broker at {address} uses no SASL at this port, and {_PROTOCOL} is {cluster.protocol}",
        f"set it to {cluster.protocol.removeprefix('SASL_')}, or name the port of a SASL listener",
    )


def _not_authenticated(cluster: Cluster, address: str, error: BaseException) -> BrokerRefused:
    if cluster.tokens is not None:
        # A fault of the token's file says so itself; what a broker says of a token may quote it.
        ours = str(error.args[0]) if isinstance(error, AuthenticationFailedError) and error.args else ""
        return BrokerRefused(
            f"the Kafka broker at {address} does not take the token" + (f": {ours}" if ours else ""),
            f"put a token that is valid now into the file that {variable('sasl_oauth_token_file')} names",
        )
    return BrokerRefused(
        f"the Kafka broker at {address} does not take {cluster.who} with this password by {cluster.mechanism}",
        f"check {variable('sasl_username')}, the file that {variable('sasl_password_file')} names, and that the broker "
        "has the account for this mechanism",
    )


def _own_certificate(address: str) -> BrokerRefused:
    name = variable("ssl_certfile")
    return BrokerRefused(
        f"the Kafka broker at {address} does not accept the client's certificate, or asks for one",
        f"set {name} and {variable('ssl_keyfile')} to a certificate of an authority that the broker trusts",
    )


def _other_protocol(cluster: Cluster, address: str) -> BrokerRefused:
    if cluster.tls is None:
        return BrokerRefused(
            f"the Kafka broker at {address} speaks TLS at this port, and {_PROTOCOL} is {cluster.protocol}",
            "set it to SASL_SSL or SSL, as the listener is, or name the port of another listener",
        )
    return BrokerRefused(
        f"the Kafka broker at {address} does not speak TLS at this port, and {_PROTOCOL} is {cluster.protocol}",
        "name the port of its TLS listener",
    )


async def _speaks(place: tuple[str, int], probe: Callable[[str, int], Any]) -> bool:
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            return bool(await probe(*place))
    except (OSError, asyncio.IncompleteReadError):
        return False


async def _in_the_clear(host: str, port: int) -> bool:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(_API_VERSIONS)
        return int.from_bytes(await reader.readexactly(4)) < _LONGEST_ANSWER
    finally:
        writer.close()


async def _tls(host: str, port: int) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Nothing is sent over it: it only shows that TLS is spoken there.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        await _closed(asyncio.open_connection(host, port, ssl=context), CONNECT_SECONDS)
    except ssl.SSLError as error:
        return error.reason not in _NO_TLS
    return True


async def _closed(connecting: Any, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        _, writer = await connecting
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def _reason(error: BaseException, seconds: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer in {seconds:.0f} s"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, (ConnectionError, asyncio.IncompleteReadError)):
        return "the connection was closed"
    return getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
