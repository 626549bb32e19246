"""The composition root of a worker: settings in, a running agent out."""

from __future__ import annotations

import asyncio
import gc
from datetime import timedelta
from functools import partial
from typing import Literal

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
from streams.engine.app import CLUSTER, EMBEDDED, BatchApp, build_app
from streams.engine.metrics import WorkerMetrics, registry_of
from streams.engine.probes import Probes, Reasons
from streams.engine.producer import BatchProducer
from streams.engine.worker import run_worker
from streams.intake.examine import Examiner
from streams.intake.handler import IntakeHandler
from streams.ledger.handler import FlushRules, LedgerHandler
from streams.ledger.stale_lock_reaper import StaleLockReaper
from streams.ledger.ticker import Ticker
from streams.settings import Settings

Role = Literal["intake", "ledger"]

#: Batches leave some hundred thousand short-lived tuples; collecting after every 700 of them costs a third of the time.
YOUNG_OBJECTS = 200_000


def run_role(role: Role, settings: Settings) -> None:
    """Run one worker until it is told to stop.

    Raises:
        TrucewatchError: it could not start, or something stopped it.
    """
    failpoints.arm(settings.failpoint)
    agreement = load_agreement(settings.agreement)
    gazetteer = load_gazetteer(agreement.gazetteer, settings.boundaries)
    topics = Topics(settings.topic_prefix, settings.partitions)
    broker = settings.broker or ""
    asyncio.run(ensure_topics(broker, topics.specs((agreement.id,), archive=settings.stamps == "archive")))
    identity = asyncio.run(log_identity(broker, topics.facts(agreement.id)))
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 100)
    if role == "intake":
        _run_intake(settings, agreement, gazetteer, topics, broker, identity)
    else:
        _run_ledger(settings, agreement, gazetteer, topics, broker, identity)


def _forgets(identity: str) -> bool:
    """Whether a log belongs to an embedded broker, which forgets it when it stops."""
    return identity.startswith(EMBEDDED_CLUSTER)


def _run_intake(
    settings: Settings, agreement: Agreement, gazetteer: Gazetteer, topics: Topics, broker: str, identity: str
) -> None:
    agent = IntakeHandler(
        Examiner([agreement], gazetteer, settings.stamps),
        BatchProducer(broker, settings.broker_patience_seconds),
        topics,
        partial(log_identity, broker),
    )
    app = build_app(
        app_id=topics.intake_group,
        broker=broker,
        topics=(topics.archive,) if settings.stamps == "archive" else topics.inputs,
        handler=agent,
        resume=None,
        idle_seconds=settings.flush_seconds,
        data_dir=settings.data,
        timing=EMBEDDED if _forgets(identity) else CLUSTER,
        stall_seconds=settings.stall_seconds,
        patience_seconds=settings.broker_patience_seconds,
    )
    run_worker(app, _probes(settings, "intake", agreement.id, app, agent.metrics, list))


def _run_ledger(
    settings: Settings, agreement: Agreement, gazetteer: Gazetteer, topics: Topics, broker: str, identity: str
) -> None:
    facts_topic = topics.facts(agreement.id)
    embedded = _forgets(identity)

    def open_store(log_begins: int) -> Store:
        return Store.open(
            settings.data / agreement.id,
            agreement,
            gazetteer.names(),
            facts_topic=facts_topic,
            log_identity=identity,
            new_log_allowed=embedded,
            log_begins=log_begins,
            limits=StoreLimits(memory=settings.memory_limit),
        )

    agent = LedgerHandler(
        agreement,
        open_store,
        Cadence(timedelta(seconds=settings.publish_seconds)),
        FlushRules(settings.flush_records, settings.flush_seconds),
        Ticker(BatchProducer(broker, settings.broker_patience_seconds), facts_topic)
        if settings.stamps == "clock"
        else None,
        record_at=partial(record_at, broker),
        stale_lock_reaper=StaleLockReaper(settings.data / agreement.id / LIVE, settings.stall_seconds),
    )
    app = build_app(
        app_id=topics.ledger_group(agreement.id),
        broker=broker,
        topics=(facts_topic,),
        handler=agent,
        resume=agent.resume,
        idle_seconds=settings.flush_seconds,
        data_dir=settings.data,
        timing=EMBEDDED if _forgets(identity) else CLUSTER,
        stall_seconds=settings.stall_seconds,
        patience_seconds=settings.broker_patience_seconds,
    )

    folder = Writable(settings.data / agreement.id)

    def unready() -> list[str]:
        return agent.unready() + folder.unready()

    run_worker(app, _probes(settings, "ledger", agreement.id, app, agent.metrics, unready))


def _probes(
    settings: Settings, role: Role, agreement: str, app: BatchApp, metrics: Collector, unready: Reasons
) -> Probes | None:
    if settings.health_address is None:
        return None
    registry = registry_of(WorkerMetrics(app.heartbeat, app.lane, app.reachability, role, agreement), metrics)
    return Probes(settings.health_address, app.heartbeat, lambda: app.reachability.unready() + unready(), registry)
