"""First contact with a cluster, and the fault that ends it, by its name."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka.protocol.admin import ApiVersionResponse_v0
from aiokafka.protocol.metadata import MetadataResponse_v1

from schemas.errors import BrokerRefused, BrokerUnavailable
from streams.engine import greeting
from streams.engine.cluster import Cluster
from streams.engine.greeting import greet
from tests.support.certificates import authority

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An authority, and certificates it issued."""
    return authority(tmp_path_factory.mktemp("certificates"))


@asynccontextmanager
async def listening(serve: Serve, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A listener on loopback, and its ``host:port``."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def hang_up(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None: ...


async def say_nothing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


def naming(*brokers: tuple[str, int]) -> Serve:
    """Return a broker that answers, and names those addresses as the cluster's."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            request = await reader.readexactly(int.from_bytes(await reader.readexactly(4)))
            if int.from_bytes(request[:2]) == 18:
                body = ApiVersionResponse_v0(0, [(18, 0, 0), (3, 1, 1)]).encode()
            else:
                listed = [(number, host, port, None) for number, (host, port) in enumerate(brokers)]
                body = MetadataResponse_v1(listed, 0, []).encode()
            answer = request[4:8] + body
            writer.write(len(answer).to_bytes(4) + answer)

    return serve


def context_of(certificate: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def trusting(issued: Any, address: str) -> Cluster:
    return Cluster(f"kafka://{address}", "SSL", tls=ssl.create_default_context(cafile=issued.authority))


async def test_a_certificate_for_another_name_is_told_with_the_name(issued: Any) -> None:
    context = context_of(issued.issue("elsewhere", "DNS:kafka.example"))
    async with listening(say_nothing, context) as address:
        with pytest.raises(BrokerRefused, match=r"is for another name: .*127") as refused:
            await greet(trusting(issued, address))
        assert "TRUCEWATCH_SSL_CHECK_HOSTNAME=false" in (refused.value.hint or "")
        by_name = trusting(issued, address.replace("127.0.0.1", "localhost"))
        with pytest.raises(BrokerRefused, match=r"is for another name: .*localhost"):
            await greet(by_name)


async def test_a_certificate_of_another_authority_is_not_trusted(issued: Any, tmp_path: Any) -> None:
    other = authority(tmp_path / "other")
    async with listening(say_nothing, context_of(other.folder / "broker.pem")) as address:
        with pytest.raises(BrokerRefused, match="is not trusted: ") as refused:
            await greet(trusting(issued, address))
        assert (refused.value.hint or "").startswith("set TRUCEWATCH_SSL_CAFILE")


@pytest.mark.parametrize("serve", [hang_up, say_nothing])
async def test_a_listener_that_is_no_broker_is_told_as_silent(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(greeting, "CONNECT_SECONDS", 1.0)
    monkeypatch.setattr(greeting, "_ANSWER_SECONDS", 1.0)
    async with listening(serve) as address:
        with pytest.raises(
            BrokerUnavailable, match=rf"no broker answers at {address} \((the connection was|no answer)"
        ):
            await greet(f"kafka://{address}")


async def test_the_first_address_that_takes_the_client_is_enough() -> None:
    async with listening(hang_up) as silent, listening(naming()) as broker:
        await greet(f"kafka://{silent},{broker}")
        with pytest.raises(BrokerUnavailable, match=f"no broker answers at {silent}"):
            await greet(f"kafka://{silent}")


async def test_an_address_that_refuses_counts_for_more_than_one_that_is_silent(issued: Any) -> None:
    async with listening(hang_up) as silent, listening(say_nothing, context_of(issued.folder / "broker.pem")) as tls:
        with pytest.raises(BrokerRefused, match=f"broker at {tls} speaks TLS at this port"):
            await greet(f"kafka://{silent},{tls}")


async def test_a_broker_that_names_an_address_nobody_answers_at_is_told() -> None:
    async with listening(hang_up) as gone:
        closed = gone
    host, port = closed.split(":")
    async with listening(naming((host, int(port)))) as address:
        with pytest.raises(
            BrokerUnavailable, match=f"{address} names {closed} as the address to use, and nobody"
        ) as told:
            await greet(f"kafka://{address}")
    assert "advertised.listeners" in (told.value.hint or "")


async def test_a_broker_that_names_an_address_that_refuses_is_told(issued: Any) -> None:
    async with listening(say_nothing, context_of(issued.folder / "broker.pem")) as tls:
        host, port = tls.split(":")
        async with listening(naming((host, int(port)))) as address:
            with pytest.raises(BrokerRefused, match="speaks TLS at this port") as refused:
                await greet(f"kafka://{address}")
    assert f"the broker at {address} names {tls}" in (refused.value.hint or "")


async def test_of_several_addresses_that_are_named_one_that_answers_is_enough() -> None:
    async with listening(hang_up) as silent, listening(naming()) as other:
        named = [(each.split(":")[0], int(each.split(":")[1])) for each in (silent, other)]
        async with listening(naming(*named)) as address:
            await greet(f"kafka://{address}")
