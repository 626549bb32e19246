"""A walk through one page: its commands run in order, in a folder of its own, as a reader would type them."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from streams.engine.broker import free_port
from streams.settings import variable
from tests.support.commands import Run
from tests.support.documents import GATEWAY_PORT, PORT, Block, Page
from tests.support.shared_data import shared_data
from tests.support.shell import ROOT, clean_environment

#: Characters only a shell understands: any other command of ours runs within the test's process.
_FOR_A_SHELL = frozenset("|<>;&$`*")
_STARTS = re.compile(r"^(?:[A-Z_]+=\S+ )*trucewatch (up|worker|serve|gateway(?! token))\b")
_TARGET = re.compile(r"^make ([a-z-]+)")
_EXITS = re.compile(r"# exits (\d+)\b")
#: How long a running pipeline has to bring about what a page shows of it, and to stop.
_PATIENCE_SECONDS = 120.0
#: Exit codes of what was stopped: in order, or while it had nothing to put in order yet.
_STOPPED = frozenset({0, 130})


class Said(NamedTuple):
    """A command's exit code and what it wrote to standard output and standard error."""

    code: int
    out: str
    err: str


class Started(NamedTuple):
    """A command that runs until it is stopped, and the file of what it says."""

    command: str
    process: subprocess.Popen[bytes]
    log: Path


@dataclass
class Walk:
    """One page on its way.

    Attributes:
        folder: where the commands run.
        port: that of the broker the page's commands speak to.
        gateway_port: that of the gateway which they start.
        run: runs a command of ours within this process.
        demo: what ``trucewatch demo`` says; its result lies in the folder already.
    """

    page: Page
    folder: Path
    port: int
    run: Run
    demo: str
    environment: dict[str, str] = field(default_factory=clean_environment)
    started: list[Started] = field(default_factory=list)
    gateway_port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environment |= {"PATH": path, "TZ": "UTC", "COLUMNS": "200"}

    def through(self) -> None:
        """Go through the page's blocks and stop what they started.

        Raises:
            AssertionError: a command does not do what the page says.
        """
        try:
            for block in self.page.blocks:
                self._pass(block)
        finally:
            codes = self._stop()
        assert set(codes.values()) <= _STOPPED, codes

    def _pass(self, block: Block) -> None:
        if {"from", "with"} & block.directives.keys():
            return
        for name in filter(None, block.directives.get("data", "").split(", ")):
            # A link, so that nothing of a large file is copied; under its own name, by which its format is known.
            (self.folder / Path(name).name).symlink_to(shared_data(name).resolve())
        if name := block.directives.get("file"):
            (self.folder / name).write_text(self._here(block.text), "utf-8")
        if command := block.directives.get("output of"):
            self._until_right(lambda: _expect_lines(block, self._said(command, None).out))
        elif block.language == "text" and block.of is not None and block.of.language == "python":
            _expect_lines(block, self._python(block.of).out)
        elif block.language == "python":
            said = self._python(block)
            assert said.code == 0, f"{block}: {said.err}"
        elif block.language == "sh":
            for command in block.commands():
                self._command(command, f"{block}: {command}")

    def _command(self, command: str, where: str) -> None:
        if _STARTS.match(_ours(command)):
            self._start(command)
            return
        exits = _EXITS.search(command)
        self._until_right(lambda: self._said(command, int(exits[1]) if exits else 0, where))

    def _until_right(self, attempt: Callable[[], object]) -> None:
        """Try once; while the page has a pipeline running, until what it brings about is there."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                attempt()
            except AssertionError:
                self._check()
                if not self.started or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                return

    def _said(self, command: str, code: int | None, where: str = "") -> Said:
        said = self._done(self._here(_ours(command.split(" # ")[0].strip())))
        assert code in (None, said.code), f"{where or command}: exit code {said.code}\n{said.out}{said.err}"
        return said

    def _done(self, command: str) -> Said:
        if command == "trucewatch demo":
            return Said(0, self.demo, "")
        if _TARGET.match(command):
            # That the target is there is tried for every page: what it runs has tests of its own.
            return Said(0, "", "")
        if command.startswith("trucewatch ") and not _FOR_A_SHELL & set(command):
            return Said(*self.run(*shlex.split(command)[1:]))
        return self._process(["bash", "-c", f"set -o pipefail; {command}"])

    def _python(self, block: Block) -> Said:
        return self._process([sys.executable, "-c", self._here(block.text)])

    def _process(self, command: list[str]) -> Said:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def _start(self, command: str) -> None:
        words = shlex.split(self._here(_ours(command).removesuffix("&").split(" # ")[0]))
        own = words.index("trucewatch")
        if words[own + 1] == "serve":
            # The port that the page has by default may be another test's.
            words += ["--listen", "127.0.0.1:0"]
        # A worker that serves its probes says where, before it has anything to do.
        settings = {variable("health_address"): "127.0.0.1:0"} | dict(word.split("=", 1) for word in words[:own])
        log = self.folder / f"{len(self.started)}.log"
        with log.open("wb") as told:
            process = subprocess.Popen(
                [sys.executable, "-m", "streams", *words[own + 1 :]],
                cwd=self.folder,
                env=self.environment | settings | {"PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.started.append(Started(command, process, log))
        deadline = time.monotonic() + _PATIENCE_SECONDS
        # Before it says anything a signal would end it while it loads.
        while not log.stat().st_size:
            self._check()
            assert time.monotonic() < deadline, f"{command} says nothing"
            time.sleep(0.05)

    def _check(self) -> None:
        for command, process, log in self.started:
            assert process.poll() is None, f"{command} ended with {process.returncode}: {log.read_text()}"

    def _stop(self) -> dict[str, int]:
        """Stop what runs as Ctrl-C would; return the exit codes."""
        for _, process, _ in self.started:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        return {command: process.wait(_PATIENCE_SECONDS) for command, process, _ in self.started}

    def _here(self, text: str) -> str:
        for shown, here in ((PORT, self.port), (GATEWAY_PORT, self.gateway_port)):
            text = re.sub(rf"\b{shown}\b", str(here), text)
        return text


def _ours(command: str) -> str:
    """Return a command by the name it has on the PATH; targets of make that stand for one of ours as that one."""
    command = command.removeprefix(".venv/bin/")
    return re.sub(r"^make (demo|up)\b", r"trucewatch \1", command)


def _expect_lines(block: Block, out: str) -> None:
    there = {line.strip() for line in out.splitlines()}
    missing = [line for line in map(str.strip, block.text.splitlines()) if line not in there | {"", "..."}]
    assert not missing, f"{block}: not in the output: {missing}\n{out}"
