"""The two halves of the tests, and the brokers any test may use."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support import brokers
from tests.support.demo import Demo, run_demo_once
from tests.support.effort import FULL, out_of_turn
from tests.support.secured import SecuredKafka, secured

#: Folders of the slow half. Elsewhere a test is slow only by its own mark.
SLOW_FOLDERS = frozenset({"crash", "fuzz", "integration"})
TESTS = Path(__file__).parent

# The fast half draws the same few examples at each run, so that its coverage is the same. The slow half draws new ones.
settings.register_profile("few", derandomize=True)
if not FULL:
    settings.load_profile("few")

# A node of Apache Kafka lives for seconds here: compiling it well takes more than it gives.
os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")

# A shell ignores Ctrl-C on behalf of what it runs in the background, and so would every process of the tests.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark as slow what needs Apache Kafka, whole folders, and properties at full effort.

    The fast half tries a property on a few examples, the slow half on many.
    """
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0]
        all_examples = FULL and (folder == "property" or item.get_closest_marker("property"))
        if folder in SLOW_FOLDERS or all_examples or item.get_closest_marker("kafka"):
            item.add_marker(pytest.mark.slow)
    waiting = out_of_turn(items)
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid in waiting])
    items[:] = [item for item in items if item.nodeid not in waiting]


@pytest.fixture(scope="session")
def embedded_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an embedded broker."""
    yield from brokers.embedded(tmp_path_factory.mktemp("embedded"))


@pytest.fixture(scope="session")
def apache_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an Apache Kafka node."""
    yield from brokers.apache(tmp_path_factory.mktemp("kafka"))


@pytest.fixture(scope="session")
def secured_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    """An Apache Kafka node that takes clients by TLS and SASL alone, with an account for each role."""
    yield from secured(tmp_path_factory.mktemp("secured"))


@pytest.fixture(
    scope="session",
    params=[
        pytest.param("embedded", marks=pytest.mark.broker),
        pytest.param("kafka", marks=[pytest.mark.broker, pytest.mark.kafka]),
    ],
)
def broker(request: pytest.FixtureRequest) -> str:
    """The address of each kind of broker in turn."""
    return str(request.getfixturevalue("embedded_broker" if request.param == "embedded" else "apache_kafka"))


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The demo, run once through the whole pipeline for all processes of the tests."""
    base = tmp_path_factory.getbasetemp()
    return run_demo_once((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "demo")


@pytest.fixture
def prefix() -> str:
    """A prefix for topics and groups that no other test has: brokers outlive tests."""
    return f"t{uuid.uuid4().hex[:10]}"
