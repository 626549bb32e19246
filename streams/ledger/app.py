"""Faust app of the ledger worker.

The agent reads one agreement's facts in batches. :class:`LedgerHandler` says how one batch is handled.
"""

from __future__ import annotations

from faust.types import StreamT

from streams.engine.app import AppOptions, BatchApp
from streams.engine.lane import Batch
from streams.ledger.handler import LedgerHandler


def ledger_app(group: str, facts: str, handler: LedgerHandler, options: AppOptions) -> BatchApp:
    """Return the app of the ledger worker, which reads the topic ``facts`` from the offset its store holds."""
    app = BatchApp(group, (facts,), handler, options, resume=handler.resume)

    @app.agent(app.topic(facts, value_serializer="raw"), name="ledger")
    async def ledger(stream: StreamT[Batch]) -> None:
        """Fold a batch's facts, commit rows and offset to DuckDB when a flush is due, then publish a copy."""
        async for batch in app.batches(stream):
            await app.serializer.handle(batch)

    return app
