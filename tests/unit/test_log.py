"""Every line of the process is logged in one shape."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
import structlog

from streams import log
from streams.settings import Settings


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where lines go; the root logger is as before afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield io.StringIO()
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def test_our_lines_and_those_of_libraries_have_one_shape(stream: io.StringIO) -> None:
    log.configure(Settings(log_level="info"), stream)
    structlog.get_logger("streams.test").info("batch_taken_in", topic="truce.incidents.v1", offset=7)
    logging.getLogger("aiokafka.test").warning("no %s", "leader")
    ours, theirs = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (ours["event"], ours["level"], ours["logger"], ours["topic"], ours["offset"]) == (
        "batch_taken_in",
        "info",
        "streams.test",
        "truce.incidents.v1",
        7,
    )
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("no leader", "warning", "aiokafka.test")
    for line in (ours, theirs):
        assert datetime.fromisoformat(line["time"]).utcoffset() == timedelta(0)


def test_an_exception_is_part_of_its_line(stream: io.StringIO) -> None:
    log.configure(Settings(), stream)
    try:
        int("why")
    except ValueError:
        logging.getLogger("streams.test").exception("failed")
    (line,) = (json.loads(line) for line in stream.getvalue().splitlines())
    assert "ValueError: invalid literal" in line["exception"]


def test_levels_below_the_one_asked_for_are_silent(stream: io.StringIO) -> None:
    log.configure(Settings(log_level="warning"), stream)
    structlog.get_logger("streams.test").info("unheard")
    logging.getLogger("faust.worker").info("unheard")
    assert stream.getvalue() == ""


def test_chatter_about_services_starting_is_dropped(stream: io.StringIO) -> None:
    log.configure(Settings(), stream)
    logging.getLogger("streams.engine.app").info("[^%s]: Starting...", "BatchApp")
    logging.getLogger("aiokafka.consumer").info("subscribed")
    assert stream.getvalue() == ""


def test_text_is_for_people(stream: io.StringIO) -> None:
    log.configure(Settings(log_format="text"), stream)
    structlog.get_logger("streams.test").info("published", seconds=0.1)
    assert "published" in stream.getvalue()
    assert not stream.getvalue().startswith("{")
    assert "\x1b" not in stream.getvalue()


def test_what_a_library_says_again_and_again_is_said_now_and_then(stream: io.StringIO) -> None:
    log.configure(Settings(log_level="info"), stream)
    for number in range(500):
        logging.getLogger("aiokafka.client").warning("Unable connect to node with id %s", number)
        structlog.get_logger("streams.test").warning("ours", number=number)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"] for line in lines].count("ours") == 500
    assert [line["event"] for line in lines if line["event"] != "ours"] == ["Unable connect to node with id 0"]


def test_it_is_said_once_more_after_a_while() -> None:
    moments = iter((0.0, 9.9, 10.0, 15.0, 20.0))
    seldom = log._Seldom(lambda: next(moments))
    record = logging.LogRecord("aiokafka.client", logging.WARNING, "client.py", 1, "no broker", (), None)
    assert [seldom.filter(record) for _ in range(5)] == [True, False, True, False, True]
