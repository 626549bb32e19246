"""An Apache Kafka node for a test session, started by the same script developers use."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "deploy" / "kafka-local" / "kafka.py"


def what_is_missing() -> str | None:
    """Say why Apache Kafka cannot run here, or None when it can."""
    missing = [tool for tool in ("java", "mvn") if shutil.which(tool) is None]
    return f"Apache Kafka needs {' and '.join(missing)} on the PATH" if missing else None


@contextmanager
def running_kafka(directory: Path) -> Iterator[str]:
    """Run a node with an empty log under ``directory``; its jars are kept from session to session."""
    node = node_of(directory)
    try:
        yield node.start(0)
    finally:
        node.stop()


def node_of(directory: Path) -> Any:
    """Return a node under ``directory`` that does not run yet; started again, it goes on with its log."""
    script = _script()
    home = Path(os.environ.get("TRUCEWATCH_KAFKA_HOME") or script.DEFAULT_HOME)
    return script.Node(directory, jars=home / "jars")


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("kafka_local", SCRIPT)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
