"""Agreement of the two lock files with each other and with pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.shell import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
LOCKS = ("requirements.lock", "requirements-dev.lock")
RUNTIME, DEVELOPMENT = ((ROOT / name).read_text("utf-8") for name in LOCKS)


def pins(lock: str) -> Iterator[Requirement]:
    """Yield the pinned packages of a lock file, with their markers."""
    return map(Requirement, re.findall(r"^([a-z0-9][^\\\n]*)", lock, flags=re.MULTILINE))


def unmet(wanted: list[str], lock: str) -> list[str]:
    """Return the requirements that no pin, or a pin out of range, stands for."""
    pinned: dict[str, list[str]] = {}
    for pin in pins(lock):
        pinned.setdefault(canonicalize_name(pin.name), []).extend(each.version for each in pin.specifier)
    asked = {text: Requirement(text) for text in wanted}
    versions = {text: pinned.get(canonicalize_name(each.name), []) for text, each in asked.items()}
    return [text for text, each in asked.items() if not any(each.specifier.contains(found) for found in versions[text])]


def test_every_package_of_the_runtime_lock_is_pinned_alike_in_the_development_lock() -> None:
    runtime, development = set(map(str, pins(RUNTIME))), set(map(str, pins(DEVELOPMENT)))
    assert len(runtime) > 20
    assert runtime - development == set()


def test_the_runtime_lock_holds_every_dependency_of_the_project_within_its_range() -> None:
    assert unmet(PROJECT["project"]["dependencies"], RUNTIME) == []


def test_the_development_lock_holds_every_tool_within_its_range() -> None:
    assert unmet(PROJECT["dependency-groups"]["dev"], DEVELOPMENT) == []


def test_no_tool_is_in_the_runtime_lock() -> None:
    tools = {canonicalize_name(Requirement(text).name) for text in PROJECT["dependency-groups"]["dev"]}
    assert tools & {canonicalize_name(pin.name) for pin in pins(RUNTIME)} == set()


@pytest.mark.parametrize("lock", [RUNTIME, DEVELOPMENT], ids=LOCKS)
def test_every_pin_of_a_lock_is_one_version_with_hashes(lock: str) -> None:
    assert [str(pin) for pin in pins(lock) if [each.operator for each in pin.specifier] != ["=="]] == []
    blocks = re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE)[1:]
    assert [block for block in blocks if "--hash=sha256:" not in block] == []


def test_a_pin_out_of_range_is_found() -> None:
    assert unmet(["numpy>=2.0", "numpy<1", "absent"], RUNTIME) == ["numpy<1", "absent"]
