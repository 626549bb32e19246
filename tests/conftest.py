"""Fixtures every test may use: a broker of each kind, started once, and names no other test has."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.support import brokers


@pytest.fixture(scope="session")
def embedded_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an embedded broker."""
    yield from brokers.embedded(tmp_path_factory.mktemp("embedded"))


@pytest.fixture(scope="session")
def apache_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an Apache Kafka node."""
    yield from brokers.apache(tmp_path_factory.mktemp("kafka"))


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


@pytest.fixture
def prefix() -> str:
    """A prefix for topics and groups that no other test has: brokers outlive tests."""
    return f"t{uuid.uuid4().hex[:10]}"
