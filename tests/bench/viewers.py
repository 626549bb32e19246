"""Page under load: first page, publish to browser, CPU, memory, and connections that ask nothing.

``python -m tests.bench.viewers --file compliance.duckdb``
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from aiohttp import ClientSession, ClientTimeout, TCPConnector

from tests.bench.stages import by_percentile
from tests.support.shell import clean_environment

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def most_mib(pid: int) -> float:
    """Return the resident memory of a process, at most."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


@asynccontextmanager
async def serving(file: Path) -> AsyncIterator[tuple[int, str]]:
    """Serve a file for the length of a block, and yield process id and base address."""
    command = ("-P", "-m", "streams", "serve", "--file", str(file), "--listen", "127.0.0.1:0", "--json")
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, stdout=asyncio.subprocess.PIPE, env=clean_environment()
    )
    try:
        assert process.stdout is not None
        yield process.pid, json.loads(await process.stdout.readline())["address"]
    finally:
        process.terminate()
        await process.wait()


async def viewer(client: ClientSession, base: str, arrived: list[float], ready: asyncio.Semaphore) -> None:
    """Keep a page open: note when each copy after the first arrives."""
    async with client.get(f"{base}/live?since=0") as answer:
        seen = 0
        while line := await answer.content.readline():
            if line.startswith(b"id: ") and (version := int(line[4:])) != seen:
                if seen:
                    arrived.append(time.monotonic())
                seen = version
                ready.release()


async def followed(
    client: ClientSession, base: str, pid: int, viewers: int, publish: Callable[[], Awaitable[float]], copies: int
) -> tuple[float, list[float]]:
    """Return CPU seconds for a copy, and how long each of so many viewers waited for each copy."""
    waits: list[float] = []
    arrived: list[float] = []
    ready = asyncio.Semaphore(0)
    tasks = [asyncio.create_task(viewer(client, base, arrived, ready)) for _ in range(viewers)]
    for _ in tasks:
        await ready.acquire()
    before = cpu_seconds(pid)
    for _ in range(copies):
        arrived.clear()
        began = await publish()
        for _ in tasks:
            await ready.acquire()
        waits += [each - began for each in arrived]
    spent = (cpu_seconds(pid) - before) / copies
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return spent, waits


async def got(client: ClientSession, url: str) -> tuple[float, int]:
    """Return milliseconds until a page is there, and its bytes."""
    began = time.monotonic()
    async with client.get(url) as answer:
        body = await answer.read()
        assert answer.status == 200, body
    return 1_000 * (time.monotonic() - began), len(body)


async def asked(client: ClientSession, base: str) -> dict[str, float]:
    """Return the milliseconds of each kind of page, the first time that it is asked for."""
    async with client.get(f"{base}/?format=json") as answer:
        status = await answer.json()
    region, days = status["windows"][0]["region"], status["truce_days"]
    addresses = {
        "region": f"/region/{region}",
        "day": f"/region/{region}/{days[-2]}",
        "feeds": "/feeds",
        "convoys": "/convoys",
        "declared": "/declared",
        "rejects": "/rejects",
        "tables": "/tables",
        "verdicts": "/tables/day_verdicts",
        "reports": "/tables/reports",
        "overview_of_then": f"/?as_of={days[0]}T12:00:00Z",
    }
    return {f"{name}_ms": (await got(client, base + path))[0] for name, path in addresses.items()}


async def measured(file: Path, viewers: int, copies: int) -> dict[str, float]:
    """Return the figures of one viewer, and of so many, over so many copies of a file."""
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(dir=file.parent) as folder:
        path, fresh = Path(folder) / "shown.duckdb", Path(folder) / "fresh.duckdb"
        await asyncio.to_thread(shutil.copyfile, file, path)
        figures["file_mib"] = path.stat().st_size / 2**20

        async def publish() -> float:
            await asyncio.to_thread(shutil.copyfile, file, fresh)
            began = time.monotonic()
            fresh.replace(path)
            return began

        began = time.monotonic()
        async with serving(path) as (pid, base), AsyncExitStack() as stack:
            figures["start_s"] = time.monotonic() - began
            connector = TCPConnector(limit=0)
            client = await stack.enter_async_context(ClientSession(connector=connector, timeout=ClientTimeout()))
            for name in ("first", "second"):
                figures[f"{name}_page_ms"], size = await got(client, f"{base}/")
                figures["page_kib"] = size / 1024
            figures["mib_of_the_overview"] = most_mib(pid)
            figures["cpu_s_per_copy_of_one"], _ = await followed(client, base, pid, 1, publish, copies)
            figures["cpu_s_per_copy"], waits = await followed(client, base, pid, viewers, publish, copies)
            figures["publish_to_page_p95_s"] = by_percentile(waits, lambda n: n * 0.95)
            figures["publish_to_page_most_s"] = max(waits)
            figures["mib_of_viewers"] = most_mib(pid)
            figures |= await asked(client, base)
            host, port = base.removeprefix("http://").split(":")
            half_open = [(await asyncio.open_connection(host, int(port)))[1] for _ in range(1_000)]
            figures["page_beside_1000_half_open_ms"], _ = await got(client, f"{base}/")
            for each in half_open:
                each.close()
            figures["most_mib"] = most_mib(pid)
    return figures


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file", type=Path, required=True, help="a published copy")
    parser.add_argument("--viewers", type=int, default=200)
    parser.add_argument("--copies", type=int, default=3)
    given = parser.parse_args(arguments)
    figures = asyncio.run(measured(given.file, given.viewers, given.copies))
    print(json.dumps({name: round(value, 2) for name, value in figures.items()}, indent=2))


if __name__ == "__main__":
    main()
