"""The producer of batches, where no broker is needed."""

from __future__ import annotations

import asyncio
import gc

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import NodeNotReadyError
from aiokafka.producer.message_accumulator import BatchBuilder, MessageBatch

from streams.engine.producer import let_go_unheard


async def test_a_batch_that_is_sent_again_prints_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    let_go_unheard(asyncio.get_running_loop())
    builder = BatchBuilder(1_000, 0, is_transactional=False)
    batch = MessageBatch(TopicPartition("t", 0), builder, 1, 0)
    answer = batch.future
    batch.failure(NodeNotReadyError())
    with pytest.raises(NodeNotReadyError):
        await answer
    del batch, answer
    gc.collect()
    assert caplog.messages == []


async def test_a_task_that_fails_unheard_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise NodeNotReadyError

    let_go_unheard(asyncio.get_running_loop())
    task = asyncio.create_task(fail())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del task
    gc.collect()
    assert ["Task exception was never retrieved" in message for message in caplog.messages] == [True]
