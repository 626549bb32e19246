"""Faust app of the ledger worker.

The agent reads one agreement's facts in batches. :class:`LedgerHandler` says how one batch is
handled.
"""

from __future__ import annotations

from faust.types import StreamT

from streams.engine.app import AppOptions, BatchApp
from streams.engine.lane import Batch
from streams.ledger.handler import LedgerHandler


def ledger_app(group: str, facts: str, handler: LedgerHandler, options: AppOptions) -> BatchApp:
    """Return the app of the ledger worker over the topic ``facts``.

    It reads from the offset in its store.
    """
    app = BatchApp(group, (facts,), handler, options, resume=handler.resume)

    @app.agent(app.topic(facts, value_serializer="raw"), name="ledger")
    async def ledger(stream: StreamT[Batch]) -> None:
        """Fold facts, commit rows with their offset, publish copies, and tick."""
        async for batch in app.batches(stream):
            await app.serializer.handle(batch)

    return app
