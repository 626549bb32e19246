"""What the batch lane relies on in Faust, mode and aiokafka, most of it private.

A test that fails after an upgrade names a place to read again before the new version is pinned.
"""

from __future__ import annotations

import inspect
import re
import tomllib
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import aiokafka
import pytest
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import Fetcher as KafkaFetcher
from faust import App
from faust.agents import Agent
from faust.app.base import BootStrategy
from faust.tables import TableManager
from faust.tables.recovery import Recovery, ServiceStopped
from faust.transport.conductor import Conductor
from faust.transport.consumer import Consumer, Fetcher, ThreadDelegateConsumer
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.settings import Settings
from mode import Service
from mode.threads import QueueServiceThread, ServiceThread, WorkerThread
from mode.utils.queues import FlowControlEvent, ThrowableQueue

from streams.engine import app, batch_transport, consumer_thread, unpacking, unreadable
from streams.engine.app import AppOptions, BatchApp
from streams.engine.batch_transport import BatchConsumer, BatchTransport
from streams.engine.consumer_thread import FETCH_WAIT_MS, BatchConsumerThread
from streams.intake.app import intake_app
from streams.ledger.app import ledger_app
from tests.support.lanes import Remembering, app_of

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/faust.md").read_text("utf-8")

PINNED = {"faust-streaming": "0.15.3", "aiokafka": "0.14.0", "mode-streaming": "0.7.1"}


@pytest.mark.parametrize("package", sorted(PINNED))
def test_the_overridden_packages_are_pinned_to_the_versions_read(package: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"{package}=={PINNED[package]}" in project["dependencies"]
    assert version(package) == PINNED[package]


SIGNATURES: list[tuple[Callable[..., Any], list[str]]] = [
    (Consumer._drain_messages, ["self", "fetcher"]),
    (Consumer._wait_next_records, ["self", "timeout"]),
    (Consumer._get_active_partitions, ["self"]),
    (Consumer._add_gap, ["self", "tp", "offset_from", "offset_to"]),
    (Consumer.perform_seek, ["self"]),
    (Consumer.stop_flow, ["self"]),
    (Consumer.resume_flow, ["self"]),
    (driver.Consumer.verify_event_path, ["self", "now", "tp"]),
    (ThreadDelegateConsumer.seek_to_committed, ["self"]),
    (ThreadDelegateConsumer._getmany, ["self", "active_partitions", "timeout"]),
    (ThreadDelegateConsumer.highwater, ["self", "tp"]),
    (ThreadDelegateConsumer.assignment, ["self"]),
    (driver.Consumer._new_consumer_thread, ["self"]),
    (driver.Consumer._to_message, ["self", "tp", "record"]),
    (driver.AIOKafkaConsumerThread._create_worker_consumer, ["self", "transport"]),
    (
        driver.AIOKafkaConsumerThread._fetch_records,
        ["self", "consumer", "active_partitions", "timeout", "max_records"],
    ),
    (driver.AIOKafkaConsumerThread._commit, ["self", "offsets"]),
    (driver.AIOKafkaConsumerThread._ensure_consumer, ["self"]),
    (Fetcher._fetcher.fun, ["self"]),
    (Recovery._resume_streams, ["self", "generation_id"]),
    (TableManager.on_start, ["self"]),
    (TableManager._update_channels, ["self"]),
    (Agent.on_start, ["self"]),
    (App._on_partitions_revoked, ["self", "revoked"]),
    (App.on_first_start, ["self"]),
    (App.on_stop, ["self"]),
    (Settings._init_env_prefix, ["self", "env", "env_prefix", "kwargs"]),
    (Service.wait_until_stopped, ["self"]),
    (Service.wait_first, ["self", "coros", "timeout"]),
    (QueueServiceThread.call_thread, ["self", "fun", "args", "kwargs"]),
    (ServiceThread._stopped_set, ["self"]),
    (ServiceThread.on_crash, ["self", "msg", "fmt", "kwargs"]),
    (WorkerThread.run, ["self"]),
    (ThrowableQueue.clear, ["self"]),
    (FlowControlEvent.resume, ["self"]),
    (KafkaFetcher.fetched_records, ["self", "partitions", "timeout", "max_records"]),
    (vars(unreadable._Records.__bases__[0])["_unpack_records"], ["self"]),
    (KafkaFetcher.seek_to, ["self", "tp", "offset"]),
]


@pytest.mark.parametrize(("function", "parameters"), SIGNATURES, ids=lambda each: getattr(each, "__qualname__", ""))
def test_what_is_called_or_overridden_keeps_its_parameters(function: Callable[..., Any], parameters: list[str]) -> None:
    assert list(inspect.signature(function).parameters) == parameters


#: Attributes that mode and abc give every class.
MADE = {"logger", "_abc_impl"}


def overridden() -> dict[str, Any]:
    """Return whatever the engine's classes override in Faust and mode, with the overridden attribute."""
    return {
        f"{ours.__name__}.{name}": next(vars(base)[name] for base in ours.__mro__[1:] if name in vars(base))
        for module in (app, batch_transport, consumer_thread, unreadable)
        for ours in vars(module).values()
        if inspect.isclass(ours) and ours.__module__ == module.__name__
        for name in vars(ours)
        if not name.startswith("__") and name not in MADE and any(name in vars(base) for base in ours.__mro__[1:])
    }


def test_the_parameters_of_every_overridden_method_are_held() -> None:
    held = {function for function, _ in SIGNATURES}
    methods = {name: method for name, method in overridden().items() if inspect.isfunction(method)}
    assert len(methods) >= 10
    assert {name for name, method in methods.items() if method not in held} == set()


def test_every_fetch_is_read_by_what_hands_on_the_unreadable() -> None:
    answered = inspect.getsource(KafkaFetcher._proc_fetch_request)
    assert "records = MemoryRecords(part_data[-1])" in answered
    assert "partition_records = PartitionRecords(" in answered
    assert (fetcher.MemoryRecords, fetcher.PartitionRecords) == (unreadable._Slices, unreadable._Records)


def test_every_batch_is_unpacked_within_the_bound() -> None:
    # As C where it is built, and as Python, to which a batch that cannot be read is given.
    assert len(unpacking.READERS) == 4
    for reader in unpacking.READERS:
        theirs = {name for name in vars(reader) if name.endswith("_decode")}
        ours = {decode.__name__: decode for decode in unpacking.DECODERS}
        assert theirs >= ours.keys() - {"zstd_decode"}
        assert {name: getattr(reader, name) for name in theirs} == {name: ours[name] for name in theirs}


def test_the_page_on_faust_names_every_override_and_its_tests() -> None:
    table = PAGE.split("## Overridden")[1].split("## Upgrading")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| `")]
    named = [name for attributes, *_ in rows for name in re.findall(r"`(\w+\.\w+)`", attributes)]
    assert sorted(named) == sorted(overridden())
    for *_, tests in rows:
        assert tests == "parameters" or set(re.findall(r"`(\w+)`", tests)) & globals().keys(), tests


def test_the_agent_on_the_page_is_the_ledgers() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    source = inspect.getsource(ledger_app)
    assert all(line in source for line in code.splitlines())


def test_each_worker_has_one_agent_of_its_name_over_the_topics_it_reads_in_batches() -> None:
    options = AppOptions("kafka://127.0.0.1:1", Path("unused"), 0.25)

    class Resuming(Remembering):
        async def resume(self, topic: str, partition: int) -> int | None: ...

    handler: Any = Resuming()
    for name, worker, topics in (
        ("intake", intake_app("group", ("incidents", "notices"), handler, options), {"incidents", "notices"}),
        ("ledger", ledger_app("group", "facts", handler, options), {"facts"}),
    ):
        assert list(worker.agents) == [name]
        assert set(worker.agents[name].channel.topics) == worker.lane.topics == topics


def test_faust_resumes_in_the_order_the_lane_needs() -> None:
    """Partitions are announced, then sought; the agent's queue is cleared before the flow is resumed, never after."""
    source = inspect.getsource(Recovery._resume_streams)
    steps = ("on_rebalance_complete.send", "perform_seek", "flow_control.resume()", "consumer.resume_flow()")
    places = [source.index(step) for step in steps]
    assert places == sorted(places)
    between = source[source.index("flow_control.resume()") : source.index("consumer.resume_flow()")]
    assert "await" not in between
    assert "self.clear()" in inspect.getsource(FlowControlEvent.resume)


def test_faust_takes_a_seek_that_lasts_too_long_for_a_request_to_stop() -> None:
    """Which is why the lane has a shorter limit of its own."""
    source = inspect.getsource(Recovery)
    assert "consumer.perform_seek(), timeout=self.app.conf.broker_request_timeout" in source
    assert "raise ServiceStopped()" in source
    assert issubclass(ServiceStopped, Exception)


def test_records_are_taken_from_aiokafka_without_a_pause_before_they_are_stamped() -> None:
    """If anything else ran in the consumer's thread between the two, the stamp could be that of a later seek."""
    source = inspect.getsource(KafkaFetcher.fetched_records)
    assert "if drained or not timeout:\n                return drained" in source
    faust = inspect.getsource(driver.AIOKafkaConsumerThread._fetch_records)
    assert faust.count("await") == 1
    assert "return await fetcher.fetched_records(" in faust


async def test_the_place_up_to_which_a_log_was_read_can_be_asked_for() -> None:
    """It is past the markers of a transaction, which no record is."""
    app = app_of("kafka://127.0.0.1:1", "group", ("topic",), Remembering())
    thread = app.consumer._thread
    consumer = thread._consumer = thread._create_worker_consumer(app.transport)
    here = aiokafka.TopicPartition("topic", 0)
    assert thread.read_up_to(TP("topic", 0)) is None
    consumer.assign([here])
    assert thread.read_up_to(TP("topic", 0)) is None
    consumer._subscription.subscription.assignment.state_value(here).reset_to(7)
    assert thread.read_up_to(TP("topic", 0)) == 7
    await consumer.stop()
    thread.thread_loop.close()


def test_revoking_stops_the_flow_before_it_clears_the_queue() -> None:
    source = inspect.getsource(App._on_partitions_revoked)
    assert (
        source.index("consumer.stop_flow")
        < source.index("flow_control.clear")
        < source.index("on_partitions_revoked.send")
    )


def test_faust_starts_with_what_is_left_out_here() -> None:
    tables = inspect.getsource(TableManager.on_start)
    steps = ("self.sleep(1.0)", "self._update_channels()", "self.recovery.start()")
    places = [tables.index(step) for step in steps]
    assert places == sorted(places)
    assert inspect.getsource(App.on_first_start).endswith("self._create_directories()\n")
    worker = app_of("kafka://127.0.0.1:1", "group", ("topic",), Remembering())
    assert BootStrategy(worker, enable_web=True).web_server() != []
    assert worker.boot_strategy.web_server() == worker.boot_strategy.kafka_producer() == []


def test_faust_stops_its_consumer_when_the_app_stops() -> None:
    """Until then the group is joined, and the handler may commit."""
    assert "await self._stop_consumer()" in inspect.getsource(App.on_stop)


def test_a_thread_of_modes_is_no_daemon_and_prints_its_crashes() -> None:
    assert "self.daemon = False" in inspect.getsource(WorkerThread.__init__)
    assert "traceback.print_exc" in inspect.getsource(ServiceThread.on_crash)
    assert "self.thread_loop.call_soon_threadsafe(self._stopped.set)" in inspect.getsource(ServiceThread._stopped_set)
    thread = app_of("kafka://127.0.0.1:1", "group", ("topic",), Remembering()).consumer._thread
    assert thread.Worker(thread).daemon is True
    thread.thread_loop.close()


def test_the_apps_parts_are_the_lanes() -> None:
    app = app_of("kafka://127.0.0.1:1", "group", ("topic",), Remembering())
    assert isinstance(app, BatchApp)
    assert isinstance(app.transport, BatchTransport)
    assert isinstance(app.consumer, BatchConsumer)
    assert isinstance(app.consumer._thread, BatchConsumerThread)
    assert issubclass(BatchConsumer, driver.Consumer)
    assert isinstance(app.boot_strategy, BootStrategy)
    assert isinstance(app.topics, Conductor)
    app.consumer._thread.thread_loop.close()


async def test_the_fetch_wait_reaches_aiokafka() -> None:
    app = app_of("kafka://127.0.0.1:1", "group", ("topic",), Remembering(), max_records=7, fetch_bytes=12_345)
    consumer = app.consumer._thread._create_worker_consumer(app.transport)
    assert isinstance(consumer, aiokafka.AIOKafkaConsumer)
    assert consumer._fetch_max_wait_ms == FETCH_WAIT_MS
    assert consumer._max_poll_records == 7
    assert consumer._max_partition_fetch_bytes == 12_345
    assert consumer._enable_auto_commit is False
    await consumer.stop()
    app.consumer._thread.thread_loop.close()


def test_no_variable_of_fausts_changes_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faust reads BROKER_URL, WEB_PORT, APP_DATADIR and a hundred more, and lets them win over arguments."""
    variables = {param.env_name for param in Settings.SETTINGS.values() if param.env_name}
    assert {"BROKER_URL", "APP_DATADIR", "WEB_PORT", "APP_ENV_PREFIX"} <= variables
    before = _settings()
    for variable in variables - {"APP_ENV_PREFIX"}:
        monkeypatch.setenv(variable, "1")
        monkeypatch.setenv(f"F_{variable}", "1")
    assert _settings() == before
    monkeypatch.setenv("APP_ENV_PREFIX", "F_")
    assert _settings() == before


def _settings() -> dict[str, str]:
    conf = app_of("kafka://127.0.0.1:1", "group", ("topic",), Remembering()).conf
    # The reply topic's name is drawn at random, and never used.
    return {name: repr(getattr(conf, name)) for name in Settings.setting_names() - {"reply_to"}}
