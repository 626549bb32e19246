"""Installation of the wheel beside the runtime lock, on the Python of the tests and the newest one of this machine."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from email.message import Message
from email.parser import Parser
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipFile

import pytest

from tests.support.effort import EVERY
from tests.support.pythons import OWN, offered, usable
from tests.support.shell import ROOT, clean_environment

pytestmark = pytest.mark.broker

PACKAGES = ("schemas", "streams", "sinks")
LICENCE = (ROOT / "LICENSE").read_text("utf-8")


class Built(NamedTuple):
    """The two files of a release."""

    sdist: Path
    wheel: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The sdist of the checkout, and the wheel of that sdist, which holds no more than it."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", folder, cwd=ROOT)
    (sdist,) = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    source = folder / sdist.name.removesuffix(".tar.gz")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=source)
    (wheel,) = folder.glob("*.whl")
    return Built(sdist, wheel)


def run(*command: str | Path, cwd: Path, timeout: float = 1_200) -> str:
    """Run a command that has to succeed, and return what it said."""
    done = attempt(*command, cwd=cwd, timeout=timeout)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def attempt(*command: str | Path, cwd: Path, timeout: float = 1_200) -> subprocess.CompletedProcess[str]:
    """Run a command in an environment that leads neither to the checkout nor to the tests' own packages."""
    ours = ("PYTHON", "VIRTUAL_ENV", "COV")
    environment = {name: value for name, value in clean_environment().items() if not name.startswith(ours)}
    return subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_the_licence_is_in_both_files_and_in_the_metadata(built: Built) -> None:
    with tarfile.open(built.sdist) as archive:
        member = archive.extractfile(f"{built.sdist.name.removesuffix('.tar.gz')}/LICENSE")
        assert member is not None
        assert member.read().decode() == LICENCE
    with ZipFile(built.wheel) as archive:
        (place,) = [name for name in archive.namelist() if name.endswith(".dist-info/licenses/LICENSE")]
        assert archive.read(place).decode() == LICENCE
    metadata = metadata_of(built.wheel)
    assert (metadata["License-Expression"], metadata.get_all("License-File")) == ("Apache-2.0", ["LICENSE"])


def test_the_wheel_holds_every_file_of_the_three_packages_and_no_test(built: Built) -> None:
    """Agreements, gazetteers, SQL and the demo's reports are data that no import would miss."""
    files = [each for package in PACKAGES for each in (ROOT / package).rglob("*") if each.is_file()]
    ours = {str(each.relative_to(ROOT)) for each in files if "__pycache__" not in each.parts}
    with ZipFile(built.wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert len(ours) > 200
    assert ours == held


def test_the_classifiers_name_every_python_from_the_least_one_on(built: Built) -> None:
    metadata = metadata_of(built.wheel)
    named = [each.rpartition(".")[2] for each in metadata.get_all("Classifier", []) if "Python :: 3." in each]
    least = int(metadata["Requires-Python"].removeprefix(">=3."))
    assert named == [str(number) for number in range(least, least + len(named))]
    assert OWN in [f"3.{number}" for number in named]


def metadata_of(wheel: Path) -> Message:
    """Return the metadata of a wheel."""
    with ZipFile(wheel) as archive:
        (place,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return Parser().parsestr(archive.read(place).decode())


@pytest.mark.parametrize("minor", dict.fromkeys((OWN, *([list(offered())[-1]] if EVERY else ()))))
def test_the_wheel_runs_the_demo_and_verifies_it_outside_the_checkout(minor: str, built: Built, tmp_path: Path) -> None:
    python = installed(minor, built.wheel, tmp_path)
    where = tmp_path / "elsewhere"
    where.mkdir()
    for package in PACKAGES:
        told = run(python, "-c", f"import {package}; print({package}.__file__)", cwd=where)
        assert Path(told.strip()).is_relative_to(tmp_path)
    command = python.with_name("trucewatch")
    assert "The gate is closed: 0 of 9 regions have held 7 days." in run(command, "demo", cwd=where)
    published = where / "trucewatch-demo" / "syria-2016" / "compliance.duckdb"
    assert "no difference" in run(command, "verify", published, cwd=where)


def installed(minor: str, wheel: Path, folder: Path) -> Path:
    """Install the wheel and the runtime lock in an empty environment, and return its interpreter.

    A Python without venv, or without a wheel of some dependency, is a skip. The Python of the tests must pass.
    """
    refuse = pytest.fail if minor == OWN else pytest.skip
    base = usable(minor)
    if base is None:
        refuse(f"no Python {minor} here starts and has venv and ensurepip")
    run(base, "-m", "venv", "environment", cwd=folder)
    python = folder / "environment" / "bin" / "python"
    pip = (python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--only-binary", ":all:")
    done = attempt(*pip, "--require-hashes", "-r", ROOT / "requirements.lock", cwd=folder)
    if "No matching distribution found" in done.stderr and "Retrying" not in done.stderr:
        refuse(f"on Python {minor}, {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    run(*pip, wheel, cwd=folder)
    run(python, "-m", "pip", "check", cwd=folder)
    return python
