"""Running an app until it is told to stop or something stops it."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from schemas.errors import TrucewatchError, UsageError
from streams.engine.app import LaneApp
from streams.engine.metadata import connected, metadata
from streams.engine.pulse import TICK_SECONDS
from streams.engine.watchdog import Watchdog

logger = logging.getLogger(__name__)

#: How long leaving the group and closing connections may take once the handler has flushed: a broker that stopped
#: answering must not keep a process that has nothing left to do.
LEAVE_SECONDS = 2.0


def run_worker(app: LaneApp) -> int:
    """Run ``app`` until SIGTERM or SIGINT and return the exit code of the process.

    0 after a clean stop; the ``exit_code`` of a :class:`TrucewatchError`, whose one line goes to stderr; 1 after any
    other error, which is logged with its traceback. A second signal ends the process at once, and so does the watchdog
    when the event loop stands still.
    """
    try:
        with Watchdog(app.pulse):
            asyncio.run(_until_signalled(app))
    except TrucewatchError as error:
        print(f"trucewatch: {error}", file=sys.stderr)
        return error.exit_code
    except Exception:
        logger.exception("the worker stopped")
        return 1
    return 0


async def serve(app: LaneApp, stop: asyncio.Event) -> None:
    """Run ``app`` in the running loop until ``stop`` is set, then stop it cleanly.

    Raises:
        TrucewatchError: what stopped it before, or any other error of its handler. Nothing was flushed then.
    """
    await _knock(app)
    app.in_worker = True
    running = asyncio.create_task(_run(app))
    failed = asyncio.create_task(app.failed.wait())
    ticking = asyncio.create_task(_tick(app))
    ends = [running, asyncio.create_task(stop.wait()), failed]
    try:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        flushing = asyncio.create_task(app.flush())
        # A handler that never returns must not keep the process that found this out.
        await asyncio.wait([flushing, failed], return_when=asyncio.FIRST_COMPLETED)
        flushing.cancel()
    finally:
        for end in ends:
            end.cancel()
        await _leave(app)
        ticking.cancel()
    if app.failure is not None:
        raise app.failure


async def _knock(app: LaneApp) -> None:
    """Find a missing broker or topic before Faust does: it reports the one in pages, and the other never."""
    async with connected(app.address) as client:
        found = await metadata(client, sorted(app.lane.topics))
    missing = sorted(app.lane.topics.difference(found.topics))
    if missing:
        raise UsageError(f"there is no topic {' or '.join(missing)} on the Kafka broker at {app.address}")


async def _run(app: LaneApp) -> None:
    """Start ``app`` and return when Faust has stopped it, with the reason recorded."""
    try:
        await app.start()
        await app.wait_until_stopped()
    except Exception as error:  # it is raised by serve()
        app.fail(error)
    else:
        app.fail(app.crash_reason or RuntimeError("Faust stopped without a reason"))


async def _tick(app: LaneApp) -> None:
    """Show that the event loop runs, and end the worker when nothing else does."""
    while True:
        app.pulse.tick()
        stalled = app.pulse.stalled()
        if stalled is not None:
            app.fail(stalled)
            return
        await asyncio.sleep(TICK_SECONDS)


async def _leave(app: LaneApp) -> None:
    leaving = asyncio.create_task(app.stop())
    _, late = await asyncio.wait([leaving], timeout=LEAVE_SECONDS)
    if late:
        logger.warning("the broker did not answer while the worker left its group")
        leaving.cancel()


async def _until_signalled(app: LaneApp) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def note(number: signal.Signals) -> None:
        # A second signal means now: everything is built to survive it.
        loop.remove_signal_handler(number)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, note, number)
    with _said_once():
        await serve(app, stop)


#: Where services of Faust's kind log: their own, and those derived from them here.
_SERVICES = ("faust", "mode", "streams.engine")


class _SaidOnce(logging.Filter):
    """Drops Faust's reports of a crash, one per service with a traceback: the error itself is reported once."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "Crashed reason=" not in str(record.msg)


@contextmanager
def _said_once() -> Iterator[None]:
    said_once = _SaidOnce()
    names = [name for name in logging.root.manager.loggerDict if name.startswith(_SERVICES)]
    loggers = [logging.getLogger(name) for name in names]
    for each in loggers:
        each.addFilter(said_once)
    try:
        yield
    finally:
        for each in loggers:
            each.removeFilter(said_once)
