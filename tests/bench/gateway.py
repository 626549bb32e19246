"""The gateway under reports of which a tenth is malformed, with tokens missing and bodies cut off.

``python -m tests.bench.gateway --reports 10000``

A report that was sent without a token, or cut off, is sent again as a sender would. Afterwards the topics are read.
Each sound report must lie there once, and no malformed one.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import aiohttp
import orjson

from schemas.receipts import digest_of
from schemas.topics import Topics
from streams.engine.broker import EmbeddedBroker
from streams.gateway.tokens import make
from streams.settings import Settings
from tests.bench.reports import reports, running_truce
from tests.bench.stages import by_percentile, resident
from tests.support.brokers import read_topic
from tests.support.gateways import JSON, RunningGateway, gateway

FEEDS = tuple(f"bench-{number}" for number in range(7))
#: Senders at once, each with a token of its own.
SENDERS = 16
#: Shares of the sound reports that are first sent as they should not be.
MISUSES = {"no token": 0.03, "unknown token": 0.01, "wrong content type": 0.01, "cut off": 0.03, "reset": 0.02}
REFUSED_WITH = {"no token": 401, "unknown token": 401, "wrong content type": 415}


@dataclass
class Seen:
    """What the senders saw."""

    answers: Counter[int] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    misuses: Counter[str] = field(default_factory=Counter)
    unexpected: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    published: int = 0


def _without(name: str) -> Callable[[bytes], bytes]:
    def changed(body: bytes) -> bytes:
        read = orjson.loads(body)
        del read[name]
        return orjson.dumps(read)

    return changed


def _with(**changes: object) -> Callable[[bytes], bytes]:
    return lambda body: orjson.dumps({**orjson.loads(body), **changes})


#: What is wrong with a malformed report, and the code that it must be refused with.
MALFORMED: dict[str, Callable[[bytes], bytes]] = {
    "not_json": lambda body: body[: len(body) // 2],
    "invalid_utf8": lambda body: body.replace(b"local", b"\xff\xfe", 1),
    "unknown_field": _with(colour="red"),
    "missing_field": _without("kind"),
    "wrong_type": _with(revision="one"),
    "bad_value": _with(kind="a picnic"),
    "time_without_offset": _with(reported_at="2016-09-13T12:00:00"),
    "time_in_future": _with(reported_at="2090-01-01T00:00:00Z"),
    "unknown_place": _with(place={"pcode": "SY99"}),
    "interval_backwards": _with(occurred={"from": "2016-09-13T12:00Z", "to": "2016-09-13T11:00Z", "precision": "hour"}),
}


def drawn(count: int) -> Iterator[tuple[bytes, str]]:
    """Yield so many different reports, each with the code it must be refused with, empty for a sound one."""
    draw, known, made = random.Random(14), set[bytes](), 0
    codes = list(MALFORMED)
    for _, body in reports(2 * count, corrections=0.0):
        mark = sha256(body).digest()
        if made == count:
            return
        if not body.endswith(b"}") or mark in known:
            continue
        known.add(mark)
        code = codes[made // 10 % len(codes)] if made % 10 == 0 else ""
        made += 1
        yield (
            (MALFORMED[code](body) if code else body),
            code or draw.choices(["", *MISUSES], [1 - sum(MISUSES.values()), *MISUSES.values()])[0],
        )


async def send(running: RunningGateway, work: Iterator[tuple[bytes, str]], token: str, seen: Seen) -> None:
    """Send reports until there are no more."""
    url = f"{running.url}/v1/reports"
    proper = {"Authorization": f"Bearer {token}", "Content-Type": JSON}
    async with aiohttp.ClientSession() as session:
        for body, fate in work:
            if fate in MISUSES:
                seen.misuses[fate] += 1
                await _misuse(running, session, body, proper, fate, seen)
            began = time.monotonic()
            async with session.post(url, data=body, headers=proper) as answer:
                told = orjson.loads(await answer.read())
            seen.seconds.append(time.monotonic() - began)
            seen.answers[answer.status] += 1
            if fate in MALFORMED:
                codes = [fault["code"] for fault in told.get("faults", ())]
                seen.codes.update(codes)
                if (answer.status, codes) != (422, [fate]):
                    seen.unexpected.append(f"{fate}: {answer.status} {codes}")
            elif answer.status == 202:
                seen.published += told["published"]
            else:
                seen.unexpected.append(f"a sound report: {answer.status} {told}")


async def _misuse(
    running: RunningGateway,
    session: aiohttp.ClientSession,
    body: bytes,
    proper: dict[str, str],
    fate: str,
    seen: Seen,
) -> None:
    if fate in ("cut off", "reset"):
        await _cut(running, body, proper, reset=fate == "reset")
        return
    changed = {
        "no token": {"Content-Type": JSON},
        "unknown token": {**proper, "Authorization": "Bearer trucewatch_guessed"},
        "wrong content type": {**proper, "Content-Type": "text/plain"},
    }[fate]
    async with session.post(f"{running.url}/v1/reports", data=body, headers=changed) as answer:
        await answer.read()
    seen.answers[answer.status] += 1
    if answer.status != REFUSED_WITH[fate]:
        seen.unexpected.append(f"{fate}: {answer.status}")


async def _cut(running: RunningGateway, body: bytes, proper: dict[str, str], *, reset: bool) -> None:
    """Send half of a request, then end the connection, in order or not."""
    reader, writer = await asyncio.open_connection(*running.where)
    headers = "".join(f"{name}: {value}\r\n" for name, value in proper.items())
    writer.write(f"POST /v1/reports HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode())
    writer.write(body[: len(body) // 2])
    await writer.drain()
    if reset:
        writer.transport.abort()
        return
    writer.write_eof()
    with contextlib.suppress(ConnectionError):
        await reader.read()
    writer.close()


async def in_the_topics(broker: str, topics: Topics) -> Counter[str]:
    """Return how often each body lies in the input topics."""
    found: Counter[str] = Counter()
    for topic in topics.inputs:
        found.update(digest_of(record.value or b"") for record in await read_topic(broker, topic))
    return found


async def through(running: RunningGateway, tokens: Path, work: list[tuple[bytes, str]]) -> tuple[Seen, float]:
    """Send all by many senders; return what they saw and the seconds it took."""
    seen, shared = Seen(), iter(work)
    own = [make(tokens, FEEDS) for _ in range(SENDERS)]
    await asyncio.sleep(2.5)  # until the file is read again
    began = time.monotonic()
    await asyncio.gather(*(send(running, shared, token, seen) for token in own))
    return seen, time.monotonic() - began


def main() -> int:
    """Run it once and print the figures; 1 when a report was lost or doubled, or an answer was another."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", type=int, default=10_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="trucewatch-gateway-") as name, EmbeddedBroker(Path(name)) as broker:
        folder = Path(name)
        settings = Settings(
            broker=broker.url,
            agreement=str(running_truce(folder)),
            data=folder / "data",
            gateway_rate=1_000_000_000,
        )
        work = list(drawn(given.reports))
        with gateway(settings, folder, *FEEDS) as running:
            idle = resident(running.process.pid)
            seen, seconds = asyncio.run(through(running, folder / "gateway.tokens", work))
            peak = resident(running.process.pid, "VmHWM")
        there = asyncio.run(in_the_topics(broker.url, Topics()))
    sound = {digest_of(body) for body, fate in work if fate not in MALFORMED}
    lost, doubled = len(sound - there.keys()), sum(count > 1 for count in there.values())
    foreign = len(there.keys() - sound)
    waits = [1_000 * each for each in seen.seconds]
    lines = [
        (
            f"{len(work):,} reports by {SENDERS} senders, one to a request, in {seconds:.1f} s: "
            f"{len(seen.seconds) / seconds:,.0f} requests/s"
        ),
        f"published {seen.published:,}; lost {lost}, doubled {doubled}, malformed ones in the topics {foreign}",
        f"refused by code: {_counted(seen.codes)}",
        f"answers: {_counted({str(status): count for status, count in seen.answers.items()})}",
        f"before they were sent again: {_counted(seen.misuses)}",
        (
            f"until the answer: p50 {by_percentile(waits, lambda n: n * 0.5):.1f} ms, "
            f"p99 {by_percentile(waits, lambda n: n * 0.99):.1f} ms, at most {max(waits):.0f} ms"
        ),
        f"memory of the gateway: {idle / 2**20:.0f} MiB before, {peak / 2**20:.0f} MiB at most",
        *(f"unexpected: {each}" for each in seen.unexpected[:10]),
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return int(bool(lost or doubled or foreign or seen.unexpected))


def _counted(counts: dict[str, int] | Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items())) or "none"


if __name__ == "__main__":
    raise SystemExit(main())
