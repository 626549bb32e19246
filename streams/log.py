"""Logging: structlog for our lines, and those of Faust, mode and aiokafka through the same formatter.

JSON unless a person is watching: one object a line with ``event``, ``level``, ``logger``, ``time`` (UTC, ISO 8601)
and the event's own fields.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from typing import TextIO

import structlog
from structlog.typing import Processor

from streams.settings import Settings

#: Talkative at INFO about what they always do; their warnings are kept.
_CHATTY = ("aiokafka", "faust", "mode", "asyncio")
#: At DEBUG it logs each request byte for byte, a password or a token of SASL among them.
_INDISCREET = "aiokafka.conn"
#: How long a warning of theirs is not said again: clients try a broker that is gone many times a second.
SELDOM_SECONDS = 10.0


def configure(settings: Settings, stream: TextIO | None = None) -> None:
    """Send every log line of the process to ``stream`` (standard error) in the settings' format and level."""
    stream = stream or sys.stderr
    as_text = settings.log_format == "text" or (settings.log_format == "auto" and stream.isatty())
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=_final(as_text=as_text, colours=stream.isatty())
        )
    )
    handler.addFilter(_tells_something)
    handler.addFilter(_Seldom())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in _CHATTY:
        # Their own handlers would print each line a second time, in another shape.
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
        logger.setLevel(logging.DEBUG if level == logging.DEBUG else max(level, logging.WARNING))
    logging.getLogger(_INDISCREET).setLevel(max(level, logging.WARNING))


def _tells_something(record: logging.LogRecord) -> bool:
    """Drop mode's account of every service that starts and stops, which it makes under the name of the subclass."""
    return record.levelno > logging.INFO or not str(record.msg).startswith("[^")


class _Seldom(logging.Filter):
    """Drops what a library said within the last ``SELDOM_SECONDS``: the same message, whatever numbers are in it."""

    _MOST = 1_000

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.partition(".")[0] not in _CHATTY or record.levelno <= logging.DEBUG:
            return True
        now, what = self._clock(), (record.name, str(record.msg))
        if now - self._said.get(what, float("-inf")) < SELDOM_SECONDS:
            return False
        if len(self._said) >= self._MOST:
            self._said.clear()
        self._said[what] = now
        return True


def _final(*, as_text: bool, colours: bool) -> list[Processor]:
    plain: Processor = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if as_text:
        return [plain, structlog.dev.ConsoleRenderer(timestamp_key="time", colors=colours)]
    return [plain, structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
