#!/usr/bin/env python3
"""One Apache Kafka node on this machine, without Docker: start, stop, status.

Needs Java 17 and Maven, and nothing of this project. `start` fetches the jars once, formats a new log when there is
none, starts a KRaft node on 127.0.0.1, waits until it answers and prints its address. All is kept under --home.
`start --secured` starts another node, which takes clients by TLS and SCRAM alone and has an account for each role.
"""

from __future__ import annotations

import argparse
import base64
import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
DEFAULT_HOME = HERE.parent.parent / ".kafka"
DEFAULT_PORT = 19092
READY_SECONDS = 180.0
STOP_SECONDS = 15.0
HEAP = "-Xmx512m"

#: An ApiVersions request, version 0: a node answers it once it serves clients.
API_VERSIONS = bytes.fromhex("0000000a 0012 0000 00000001 ffff")

LOGGING = """\
<Configuration status="warn">
  <Appenders>
    <Console name="out"><PatternLayout pattern="%d{ISO8601} %p %c: %m%n"/></Console>
  </Appenders>
  <Loggers><Root level="warn"><AppenderRef ref="out"/></Root></Loggers>
</Configuration>
"""

PROPERTIES = """\
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:{controller}
log.dirs={logs}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
"""


class Failure(Exception):
    """Something a person can act on."""


class Node:
    """The node kept under one folder: its jars, its log and, while it runs, its pid and address.

    Properties of their own, with ``{port}``, ``{controller}`` and ``{logs}`` to be filled in, and one ``cluster_id``
    make several nodes a cluster. ``security`` is of secured.py; the listener of the node itself is then at the port
    ``internal``.
    """

    def __init__(
        self,
        home: Path,
        jars: Path | None = None,
        properties: str = PROPERTIES,
        cluster_id: str | None = None,
        security: Any = None,
    ) -> None:
        self.home = home
        self.security = security
        self.internal = 0
        self._properties = properties
        self._cluster_id = cluster_id or _cluster_id()
        self.jars = jars or home / "jars"
        self.logs = home / "data"
        self.output = home / "kafka.log"
        self._pid = home / "pid"
        self._address = home / "address"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str | None:
        """`kafka://127.0.0.1:PORT` while the node runs."""
        return self._address.read_text().strip() if self.pid() is not None and self._address.exists() else None

    def pid(self) -> int | None:
        """The node's process, if it runs. A pid that now belongs to another program is not it."""
        try:
            pid = int(self._pid.read_text())
            os.kill(pid, 0)
        except (OSError, ValueError):
            return None
        command = Path(f"/proc/{pid}/cmdline")
        if command.exists() and b"kafka.Kafka" not in command.read_bytes():
            return None
        return pid

    def start(self, port: int) -> str:
        """Start the node and return its address; 0 stands for a port the system gives."""
        if self.address is not None:
            raise Failure(f"it runs already, at {self.address}")
        java = _tool("java", "Java 17")
        self.fetch()
        port = port or _free_port()
        if _connects(port):
            raise Failure(f"port {port} is taken: choose another with --port, or 0 for a free one")
        self.internal = _free_port()
        config = self._configure(port, _free_port())
        arguments = [java, HEAP, f"-Dlog4j2.configurationFile={self.home / 'log4j2.xml'}", "-cp", f"{self.jars}/*"]
        if not (self.logs / "meta.properties").exists():
            accounts = self.security.scram() if self.security is not None else []
            tool = [*arguments, "kafka.tools.StorageTool", "format"]
            self._run([*tool, "-t", self._cluster_id, "-c", str(config), *accounts])
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                [*arguments, "kafka.Kafka", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._pid.write_text(f"{self._process.pid}\n")
        self._wait(self._process, port)
        if self.security is not None:
            self.security.allow(self.internal, self.security.granted)
            self.security.write_settings(f"kafka://127.0.0.1:{port}")
        self._address.write_text(f"kafka://127.0.0.1:{port}\n")
        return f"kafka://127.0.0.1:{port}"

    def stop(self) -> bool:
        """Stop the node; False when it did not run."""
        pid = self.pid()
        if pid is not None:
            os.kill(pid, signal.SIGTERM)
            deadline = time.monotonic() + STOP_SECONDS
            while self._lives(pid) and time.monotonic() < deadline:
                time.sleep(0.05)
            if self._lives(pid):
                os.kill(pid, signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
        self._pid.unlink(missing_ok=True)
        self._address.unlink(missing_ok=True)
        return pid is not None

    def fetch(self) -> None:
        """Copy the jars, unless they are there."""
        done = self.jars / ".complete"
        wanted = (HERE / "pom.xml").read_text()
        if done.exists() and done.read_text() == wanted:
            return
        maven = _tool("mvn", "Maven")
        shutil.rmtree(self.jars, ignore_errors=True)
        self.jars.mkdir(parents=True)
        print(f"fetching the jars of Apache Kafka into {self.jars}", file=sys.stderr)
        goal = ["dependency:copy-dependencies", f"-DoutputDirectory={self.jars}", "-DincludeScope=runtime"]
        self._run([maven, "-B", "-q", "-f", str(HERE / "pom.xml"), *goal])
        done.write_text(wanted)

    def _lives(self, pid: int) -> bool:
        # A child of ours that ended stays a zombie, which looks alive, until it is asked for.
        if self._process is not None:
            return self._process.poll() is None
        try:
            os.kill(pid, 0)
        except OSError:
            return False
        return True

    def _configure(self, port: int, controller: int) -> Path:
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "log4j2.xml").write_text(LOGGING)
        config = self.home / "server.properties"
        properties = self._properties
        if self.security is not None:
            self.security.make()
            properties += self.security.properties()
        ports = {"port": port, "controller": controller, "internal": self.internal}
        config.write_text(properties.format(**ports, logs=self.logs))
        return config

    def _run(self, command: list[str]) -> None:
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            lines = (result.stdout + result.stderr).strip().splitlines()
            raise Failure(f"{Path(command[0]).name} failed: {' '.join(lines[-3:]) or result.returncode}")

    def _wait(self, process: subprocess.Popen[bytes], port: int) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise Failure(f"the node ended as it started; see {self.output}")
            if _serves(port, self.security and self.security.context()):
                return
            time.sleep(0.1)
        self.stop()
        raise Failure(f"the node did not answer within {READY_SECONDS:.0f} s; see {self.output}")


def _secured(home: Path) -> Node:
    # Beside this file, which is no package.
    from secured import Security

    return Node(home / "secured", home / "jars", security=Security(home / "secured" / "accounts"))


def _tool(name: str, what: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise Failure(f"{what} is needed: there is no {name} on the PATH")
    return found


def _cluster_id() -> str:
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A")


def _free_port() -> int:
    # Below those that systems give to connections: a node binds its ports seconds later.
    while True:
        port = random.randint(10_000, 30_000)  # noqa: S311 - no secret
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _connects(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
    except OSError:
        return False
    return True


def _serves(port: int, context: ssl.SSLContext | None = None) -> bool:
    try:
        raw = socket.create_connection(("127.0.0.1", port), timeout=2.0)
        with context.wrap_socket(raw, server_hostname="127.0.0.1") if context else raw as connection:
            connection.sendall(API_VERSIONS)
            return len(connection.recv(8)) == 8
    except OSError:
        return False


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="kafka.py", description=__doc__, formatter_class=raw)
    parser.add_argument("command", choices=("start", "stop", "status"))
    port_help = f"port for clients, 0 for a free one ({DEFAULT_PORT})"
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help=port_help)
    parser.add_argument(
        "--home",
        type=Path,
        default=Path(os.environ.get("TRUCEWATCH_KAFKA_HOME") or DEFAULT_HOME),
        help="where jars, data and log go (.kafka under the repository, or $TRUCEWATCH_KAFKA_HOME)",
    )
    parser.add_argument("--secured", action="store_true", help="the node with TLS, accounts and ACLs")
    given = parser.parse_args(arguments)
    home = given.home.resolve()
    node = _secured(home) if given.secured else Node(home)
    try:
        if given.command == "start":
            print(node.start(given.port))
        elif given.command == "stop":
            print("stopped" if node.stop() else "it did not run")
        elif node.address is None:
            print("it does not run")
            return 1
        else:
            print(node.address)
    except (Failure, OSError) as failure:
        print(f"kafka.py: {failure}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
