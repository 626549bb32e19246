"""Life of a worker's app, from start to stop."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from time import monotonic

from schemas.errors import BrokerRefused, BrokerUnavailable, TopicReplaced, TrucewatchError, UsageError
from streams.engine.access import READ, WRITE, check_group, check_topics, check_transactional_id
from streams.engine.app import BatchApp
from streams.engine.heartbeat import TICK_SECONDS
from streams.engine.metadata import connected, metadata
from streams.engine.probes import Probes
from streams.engine.reachability import apart
from streams.engine.watchdog import Watchdog

logger = logging.getLogger(__name__)

#: How long leaving the group and closing connections may take once the handler has flushed. A
#: broker that stopped answering must not keep a process that has nothing left to do.
LEAVE_SECONDS = 2.0
#: How often the identity of the topics is polled, and how long an answer may take. A topic created
#: anew is read from the wrong offset for so long.
WATCH_SECONDS = 5.0


def run_worker(app: BatchApp, probes: Probes | None = None) -> None:
    """Run ``app`` until SIGTERM or SIGINT.

    A second signal ends the process at once, and so does the watchdog when the event loop stands
    still.

    Raises:
        TrucewatchError: it stopped the app before. Any other error is logged with its traceback,
            and raised as well.
    """
    try:
        with Watchdog(app.heartbeat), probes.serving() if probes else nullcontext():
            asyncio.run(_until_signalled(app))
    except TrucewatchError:
        raise
    except Exception:
        logger.exception("the worker stopped")
        raise


async def serve(app: BatchApp, stop: asyncio.Event) -> None:
    """Run ``app`` until ``stop`` is set, then stop it cleanly.

    Raises:
        TrucewatchError: it stopped the app before, as any other error of the handler does. Nothing
            was flushed then.
    """
    logs = await _knock(app)
    app.in_worker = True
    running = asyncio.create_task(_run(app))
    failed = asyncio.create_task(app.failed.wait())
    ticking = asyncio.create_task(_tick(app))
    ends = [running, asyncio.create_task(stop.wait()), failed]
    watching = asyncio.create_task(_watch(app, logs))
    try:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        flushing = asyncio.create_task(app.flush())
        # A handler that never returns must not keep the process that found this out.
        await asyncio.wait([flushing, failed], return_when=asyncio.FIRST_COMPLETED)
        flushing.cancel()
        if isinstance(app.failure, TopicReplaced):
            await app.rewind(app.failure.topics)
    finally:
        for end in (*ends, watching):
            end.cancel()
        await _leave(app)
        ticking.cancel()
    if app.failure is not None:
        raise app.failure


async def _knock(app: BatchApp) -> dict[str, str]:
    """Return the identity of each topic's log.

    A missing broker or topic is found here first. Faust reports a missing broker in pages, a
    missing topic never.
    """
    logs = await _logs(app)
    missing = sorted(app.lane.topics.difference(logs))
    if missing:
        raise UsageError(f"there is no topic {' or '.join(missing)} on the Kafka broker at {app.cluster}")
    return logs


async def _logs(app: BatchApp) -> dict[str, str]:
    """Return the identity of each topic's log, once the client may do all of its work.

    Raises:
        BrokerRefused: an ACL is missing.
    """
    read, secured = app.lane.topics, app.cluster.is_authenticated
    async with connected(app.cluster) as client:
        found = await metadata(client, sorted(read | app.writes | app.unique_logs), operations=secured)
        if secured:
            await check_group(client, app.cluster, app.conf.id)
            for topic in sorted(app.unique_logs):
                await check_transactional_id(client, app.cluster, topic)
    for operation, names in ((READ, read | app.unique_logs), (WRITE, app.writes | app.unique_logs)):
        check_topics(app.cluster, [topic for name, topic in found.topics.items() if name in names], operation)
    return {name: f"{found.cluster_id}/{topic.id}" for name, topic in found.topics.items() if name in read}


async def _watch(app: BatchApp, logs: dict[str, str]) -> None:
    """Stop ``app`` when a topic is replaced or the broker stays away.

    A client goes on at the old offset of a new topic without a word. An idle worker would never
    notice a lost broker.
    """
    missed: frozenset[str] = frozenset()
    looked, taken = monotonic(), app.lane.commits
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        try:
            found = await apart(lambda: _logs(app), WATCH_SECONDS)
        except (TrucewatchError, TimeoutError) as fault:
            # While the whole process was stopped no broker was asked: such time does not count.
            passed, looked = min(monotonic() - looked, 2 * WATCH_SECONDS), monotonic()
            if app.lane.commits > taken:
                # A commit between two polls is an answer too.
                app.reachability.answered()
            taken = app.lane.commits
            try:
                app.reachability.unanswered(passed)
            except BrokerUnavailable as gone:
                app.fail(fault if isinstance(fault, BrokerRefused) else gone)
                return
            continue
        except Exception as error:  # unseen, nobody would look after the topics any more
            app.fail(error)
            raise
        looked = monotonic()
        app.reachability.answered()
        # A broker that has just started may not know its topics yet: only one missing twice is
        # gone.
        absent = frozenset(logs.keys() - found.keys())
        changed = sorted((absent & missed) | {name for name in found if found[name] != logs[name]})
        missed = absent
        if changed:
            app.fail(TopicReplaced(changed))
            return


async def _run(app: BatchApp) -> None:
    """Run ``app`` until Faust has stopped it, and record the reason."""
    try:
        await app.start()
        await app.wait_until_stopped()
    except Exception as error:  # it is raised by serve()
        app.fail(error)
    else:
        app.fail(app.crash_reason or RuntimeError("Faust stopped without a reason"))


async def _tick(app: BatchApp) -> None:
    """Beat the heartbeat, and stop ``app`` when there is no progress."""
    stalled = None
    while stalled is None:
        try:
            app.heartbeat.tick()
        except Exception as error:  # unseen, it would pass for a loop that stands still
            app.fail(error)
            raise
        stalled = app.heartbeat.stalled()
        await asyncio.sleep(TICK_SECONDS)
    app.fail(stalled)


async def _leave(app: BatchApp) -> None:
    leaving = asyncio.create_task(app.stop())
    _, late = await asyncio.wait([leaving], timeout=LEAVE_SECONDS)
    if late:
        logger.warning("the broker did not answer while the worker left its group")
        leaving.cancel()


async def _until_signalled(app: BatchApp) -> None:
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


#: Loggers of Faust's services, and of those derived from them here.
_SERVICES = ("faust", "mode", "streams.engine")


class _SaidOnce(logging.Filter):
    """Filter of Faust's crash reports.

    There is one per service, with a traceback. The error itself is reported once.
    """

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
