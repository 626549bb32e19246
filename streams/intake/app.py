"""Faust app of the intake worker.

The agent reads the input topics in batches. :class:`IntakeHandler` says how one batch is handled.
"""

from __future__ import annotations

from collections.abc import Sequence

from faust.types import StreamT

from streams.engine.app import AppOptions, BatchApp
from streams.engine.lane import Batch
from streams.intake.handler import IntakeHandler


def intake_app(group: str, inputs: Sequence[str], handler: IntakeHandler, options: AppOptions) -> BatchApp:
    """Return the app of the intake worker over the topics ``inputs``.

    It reads from its group's offsets.
    """
    app = BatchApp(group, inputs, handler, options)

    @app.agent(app.topic(*inputs, value_serializer="raw"), name="intake")
    async def intake(stream: StreamT[Batch]) -> None:
        """Write the facts or rejects of each batch, then commit its offset."""
        async for batch in app.batches(stream):
            await app.serializer.handle(batch)

    return app
