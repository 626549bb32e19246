"""Ctrl-C while DuckDB is at work.

A query runs in the main thread, where Python handles signals once it has ended; DuckDB looks for them between some of
its tasks only. So another thread hears of a signal as it comes in, and has DuckDB end the query.
"""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_STOPPING = frozenset((signal.SIGINT, signal.SIGTERM))
_AGAIN_SECONDS = 0.1


@contextmanager
def interruptible(interrupt: Callable[[], None]) -> Iterator[None]:
    """Call ``interrupt`` from the moment SIGINT or SIGTERM comes in to the end of the block, ten times a second.

    The signals do what they did besides. Signals reach the main thread only; in another one this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard, told = socket.socketpair()
    with heard, told:
        told.setblocking(False)

        def listen() -> None:
            while True:
                try:
                    numbers = heard.recv(16)
                except TimeoutError:
                    interrupt()
                    continue
                if not numbers:
                    return
                if _STOPPING.intersection(numbers):
                    interrupt()
                    # DuckDB forgets an interrupt that comes in before the query's first task.
                    heard.settimeout(_AGAIN_SECONDS)

        before = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
        listening = threading.Thread(target=listen, name="interrupts", daemon=True)
        listening.start()
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            told.shutdown(socket.SHUT_WR)
            listening.join()
