"""Composition root of a worker, from its settings to a running app."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterable
from datetime import timedelta
from functools import partial

from prometheus_client.registry import Collector

from schemas import failpoints
from schemas.agreement import Agreement
from schemas.agreement_file import load_agreement
from schemas.gazetteer import Gazetteer, load_gazetteer
from schemas.topics import EMBEDDED_CLUSTER, Topics
from sinks.opening import LIVE
from sinks.publishing import Cadence
from sinks.store import Store, StoreLimits
from sinks.writable import Writable
from streams.engine.admin import ensure_topics, log_identity, record_at
from streams.engine.app import CLUSTER, EMBEDDED, AppOptions, BatchApp
from streams.engine.cluster import Broker
from streams.engine.metrics import WorkerMetrics, registry_of
from streams.engine.probes import Probes, Reasons, behind
from streams.engine.producer import BatchProducer
from streams.engine.unique_log import UniqueLog
from streams.engine.worker import run_worker
from streams.intake.app import intake_app
from streams.intake.examine import Examiner
from streams.intake.handler import IntakeHandler
from streams.ledger.app import ledger_app
from streams.ledger.handler import FlushRules, LedgerHandler
from streams.ledger.receipts import LedgerReceipts
from streams.ledger.stale_lock_reaper import StaleLockReaper
from streams.ledger.ticker import Ticker
from streams.ledger.verdicts import LedgerVerdicts
from streams.security import cluster
from streams.settings import Role, Settings

#: Batches leave some hundred thousand short-lived tuples. Collecting after every 700 of them costs
#: a third of the time.
YOUNG_OBJECTS = 200_000
#: Shortest time without a record before an idle batch. An idle worker would else poll all the time.
IDLE_SECONDS = 0.1


def run_role(role: Role, settings: Settings) -> None:
    """Run one worker until it is told to stop.

    Raises:
        TrucewatchError: the worker could not start, or something stopped it.
    """
    failpoints.arm(settings.failpoint)
    agreement = load_agreement(settings.agreement)
    gazetteer = load_gazetteer(agreement.gazetteer, settings.boundaries)
    topics = settings.topics
    broker = cluster(settings)
    specs = topics.specs((agreement.id,), archive=settings.stamps == "archive")
    if role == "ledger":
        # An account of a ledger need not see what feeds write.
        own = (topics.facts(agreement.id), topics.receipts, topics.verdicts(agreement.id))
        specs = tuple(spec for spec in specs if spec.name in own)
    else:
        specs = tuple(spec for spec in specs if spec.name != topics.verdicts(agreement.id))
    asyncio.run(ensure_topics(broker, specs))
    identity = asyncio.run(log_identity(broker, topics.facts(agreement.id)))
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 100)
    if role == "intake":
        _run_intake(settings, agreement, gazetteer, topics, broker, identity)
    else:
        _run_ledger(settings, agreement, gazetteer, topics, broker, identity)


def _forgets(identity: str) -> bool:
    """Return whether a log ends with its embedded broker."""
    return identity.startswith(EMBEDDED_CLUSTER)


def _options(
    settings: Settings, broker: Broker, identity: str, writes: Iterable[str], unique_logs: Iterable[str] = ()
) -> AppOptions:
    return AppOptions(
        broker=broker,
        data_dir=settings.data,
        idle_seconds=max(settings.flush_seconds, IDLE_SECONDS),
        timing=EMBEDDED if _forgets(identity) else CLUSTER,
        stall_seconds=settings.stall_seconds,
        patience_seconds=settings.broker_patience_seconds,
        writes=frozenset(writes),
        unique_logs=frozenset(unique_logs),
    )


def _run_intake(
    settings: Settings, agreement: Agreement, gazetteer: Gazetteer, topics: Topics, broker: Broker, identity: str
) -> None:
    handler = IntakeHandler(
        Examiner([agreement], gazetteer, settings.stamps),
        BatchProducer(broker, settings.broker_patience_seconds),
        UniqueLog(
            broker,
            topics.rejects,
            # Intakes of an embedded broker are processes of one machine.
            lock=settings.data / "broker" / "rejects.lock" if _forgets(identity) else None,
            patience_seconds=settings.broker_patience_seconds,
        ),
        topics,
        partial(log_identity, broker),
        settings.chunk_facts,
        receipts=settings.stamps == "clock",
    )
    inputs = (topics.archive,) if settings.stamps == "archive" else topics.inputs
    writes = {topics.facts(agreement.id)} | _told(settings, topics)
    options = _options(settings, broker, identity, writes, (topics.rejects,))
    app = intake_app(topics.intake_group(agreement.id), inputs, handler, options)
    run_worker(app, _probes(settings, "intake", agreement.id, app, handler.metrics, list))


def _run_ledger(
    settings: Settings, agreement: Agreement, gazetteer: Gazetteer, topics: Topics, broker: Broker, identity: str
) -> None:
    facts_topic = topics.facts(agreement.id)
    data = settings.data / agreement.id

    def open_store(log_begins: int) -> Store:
        return Store.open(
            data,
            agreement,
            gazetteer.spellings(),
            facts_topic=facts_topic,
            log_identity=identity,
            new_log_allowed=_forgets(identity),
            log_begins=log_begins,
            limits=StoreLimits(memory=settings.memory_limit),
        )

    live = settings.stamps == "clock"
    producer = partial(BatchProducer, broker, settings.broker_patience_seconds)
    verdicts_topic = topics.verdicts(agreement.id)
    handler = LedgerHandler(
        agreement,
        open_store,
        Cadence(timedelta(seconds=settings.publish_seconds)),
        FlushRules(settings.flush_records, settings.flush_seconds),
        Ticker(producer(), facts_topic) if live else None,
        record_at=partial(record_at, broker),
        stale_lock_reaper=StaleLockReaper(data / LIVE, settings.stall_seconds),
        receipts=LedgerReceipts(producer(), topics.receipts, agreement, data) if live else None,
        verdicts=LedgerVerdicts(producer(), verdicts_topic, agreement) if live else None,
    )
    writes = (facts_topic, topics.receipts, verdicts_topic) if live else ()
    options = _options(settings, broker, identity, writes)
    app = ledger_app(topics.ledger_group(agreement.id), facts_topic, handler, options)
    folder = Writable(data)
    run_worker(
        app,
        _probes(settings, "ledger", agreement.id, app, handler.metrics, lambda: handler.unready() + folder.unready()),
    )


def _told(settings: Settings, topics: Topics) -> set[str]:
    """Return the topic that feeds are told by; a replay tells nobody."""
    return {topics.receipts} if settings.stamps == "clock" else set()


def _probes(
    settings: Settings, role: Role, agreement: str, app: BatchApp, metrics: Collector, unready: Reasons
) -> Probes | None:
    if settings.health_address is None:
        return None
    registry = registry_of(WorkerMetrics(app.heartbeat, app.lane, app.reachability, role, agreement), metrics)
    return Probes(
        settings.health_address,
        app.heartbeat,
        lambda: behind(app.heartbeat) + app.reachability.unready() + unready(),
        registry,
    )
