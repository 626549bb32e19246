"""An Apache Kafka node for a test session, started by the same script developers use."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
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


def secured_node(directory: Path) -> Any:
    """Return a node with TLS, accounts and ACLs that does not run yet."""
    script = _script()
    return script.Node(directory, _jars(script), security=local_security().Security(directory / "accounts"))


def local_security() -> ModuleType:
    """Return the module of certificates, accounts and ACLs."""
    return _module("kafka_local_secured", SCRIPT.with_name("secured.py"))


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
    return script.Node(directory, jars=_jars(script))


class Cluster:
    """Three nodes, each broker and controller, that keep every topic three times."""

    MEMBERS = (1, 2, 3)

    def __init__(self, directory: Path) -> None:
        script = _script()
        self._ports = {member: script._free_port() for member in self.MEMBERS}
        controllers = {member: script._free_port() for member in self.MEMBERS}
        voters = ",".join(f"{member}@127.0.0.1:{port}" for member, port in controllers.items())
        cluster_id = script._cluster_id()
        self._nodes = {}
        for member in self.MEMBERS:
            changed = {
                "node.id": str(member),
                "listeners": f"PLAINTEXT://127.0.0.1:{{port}},CONTROLLER://127.0.0.1:{controllers[member]}",
                "controller.quorum.voters": voters,
                "offsets.topic.replication.factor": "3",
                "transaction.state.log.replication.factor": "3",
                "transaction.state.log.min.isr": "2",
                # A broker that is gone is found to be so within seconds, not within nine.
                "broker.session.timeout.ms": "3000",
                "broker.heartbeat.interval.ms": "500",
            }
            lines = dict(line.split("=", 1) for line in script.PROPERTIES.splitlines()) | changed
            properties = "".join(f"{name}={value}\n" for name, value in lines.items())
            self._nodes[member] = script.Node(directory / str(member), _jars(script), properties, cluster_id)

    @property
    def url(self) -> str:
        """The address that names all three."""
        return "kafka://" + ",".join(f"127.0.0.1:{port}" for port in self._ports.values())

    def start(self) -> None:
        """Start those that do not run, side by side: none serves before two have met."""
        self._nodes[self.MEMBERS[0]].fetch()
        down = [member for member, node in self._nodes.items() if node.pid() is None]
        with ThreadPoolExecutor(len(self.MEMBERS)) as pool:
            list(pool.map(lambda member: self._nodes[member].start(self._ports[member]), down))

    def kill(self, member: int) -> None:
        """End a node as a power cut would."""
        node = self._nodes[member]
        os.kill(node.pid(), signal.SIGKILL)
        node.stop()

    def stop(self) -> None:
        """Stop all that run, side by side."""
        with ThreadPoolExecutor(len(self.MEMBERS)) as pool:
            list(pool.map(lambda node: node.stop(), self._nodes.values()))


def _jars(script: ModuleType) -> Path:
    return Path(os.environ.get("TRUCEWATCH_KAFKA_HOME") or script.DEFAULT_HOME) / "jars"


def _script() -> ModuleType:
    return _module("kafka_local", SCRIPT)


def _module(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
