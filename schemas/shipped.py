"""TOML files that come with the package, named by folder and stem."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path


def shipped(folder: str) -> list[str]:
    """Return the names of the shipped files of a folder, in order."""
    return sorted(file.name.removesuffix(".toml") for file in _in(folder).iterdir() if file.name.endswith(".toml"))


def shipped_or_path(folder: str, name_or_path: str) -> Traversable:
    """Return the shipped file of that name, or else the file at that path, which need not exist."""
    return _in(folder) / f"{name_or_path}.toml" if name_or_path in shipped(folder) else Path(name_or_path)


def _in(folder: str) -> Traversable:
    return resources.files("schemas") / folder
