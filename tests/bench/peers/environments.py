"""Environments of the peers: a virtual environment or a classpath each, with pinned versions."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.bench.peers.processes import PeerFailed
from tests.support.shell import ROOT

HERE = Path(__file__).resolve().parent
#: Environments are kept here from run to run.
HOME = ROOT / ".peers"
#: Sources that every peer in Java is compiled with.
SHARED_JAVA = HERE / "java"


class SetupFailed(PeerFailed):
    """An environment could not be made."""


def python_of(name: str) -> Path:
    """Return the interpreter of a peer's virtual environment, made on first use."""
    wanted = (HERE / name / "requirements.txt").read_text("utf-8")
    home = HOME / name
    python = home / "bin" / "python"
    if not _is_made(home, wanted):
        shutil.rmtree(home, ignore_errors=True)
        _run(sys.executable, "-m", "venv", str(home))
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        _run(*pip, "-r", str(HERE / name / "requirements.txt"))
        _run(str(python), "-m", "pip", "check", "--quiet", "--disable-pip-version-check")
        _note_made(home, wanted)
    return python


def classpath_of(name: str) -> str:
    """Return the classpath of a peer in Java, fetched and compiled on first use."""
    folder = HERE / name
    sources = sorted([*folder.glob("*.java"), *SHARED_JAVA.glob("*.java")])
    pom = folder / "pom.xml"
    home = HOME / name
    jars, classes = home / "jars", home / "classes"
    if not _is_made(jars, pom.read_text("utf-8")):
        shutil.rmtree(jars, ignore_errors=True)
        goal = ["dependency:copy-dependencies", f"-DoutputDirectory={jars}", "-DincludeScope=runtime"]
        _run("mvn", "-B", "-q", "-f", str(pom), *goal)
        _note_made(jars, pom.read_text("utf-8"))
    wanted = "".join(each.read_text("utf-8") for each in [*sources, pom])
    if not _is_made(classes, wanted):
        shutil.rmtree(classes, ignore_errors=True)
        _run("javac", "--release", "17", "-cp", f"{jars}/*", "-d", str(classes), *map(str, sources))
        _note_made(classes, wanted)
    return f"{classes}{os.pathsep}{jars}/*"


def version_of(name: str, package: str) -> str:
    """Return the version a peer's requirements or pom pins."""
    folder = HERE / name
    if (folder / "pom.xml").exists():
        pattern = rf"<artifactId>{re.escape(package)}</artifactId>\s*<version>(.*?)</version>"
        text = (folder / "pom.xml").read_text("utf-8")
    else:
        pattern = rf"(?m)^{re.escape(package)}(?:\[\w+\])?==(\S+)"
        text = (folder / "requirements.txt").read_text("utf-8")
    found = re.search(pattern, text)
    if found is None:
        raise SetupFailed(f"{folder} pins no version of {package}")
    return found[1]


def _is_made(home: Path, wanted: str) -> bool:
    done = home / ".complete"
    return done.exists() and done.read_text("utf-8") == wanted


def _note_made(home: Path, wanted: str) -> None:
    (home / ".complete").write_text(wanted, "utf-8")


def _run(*command: str) -> None:
    if shutil.which(command[0]) is None:
        raise SetupFailed(f"there is no {command[0]} on the PATH")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines()
        raise SetupFailed(f"{Path(command[0]).name} failed: {' '.join(lines[-5:]) or done.returncode}")
