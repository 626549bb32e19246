"""Recipes of the docs for other people's tools, each run in an environment of its own."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import shlex
import struct
import subprocess
import termios
import time
from pathlib import Path

import pytest

from tests.support.demo import Demo
from tests.support.documents import Block, pages
from tests.support.environments import Environment, every_alone
from tests.support.shell import trucewatch

pytestmark = [pytest.mark.broker, pytest.mark.each, every_alone]

RECIPES = [
    pytest.param(block, wanted.split(), id=f"{block} {wanted.strip()}")
    for page in pages()
    for block in page.blocks
    if "with" in block.directives
    for wanted in block.directives["with"].split(" / ")
]


@pytest.fixture(scope="module")
def exports(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the demo's result, and the exports that the page makes of it."""
    folder = tmp_path_factory.mktemp("recipes")
    demo.copied_to(folder)
    for arguments in (["september"], ["lake", "--lake"]):
        name, *options = arguments
        done = trucewatch("export", folder / name, *options, "--data", folder / demo.folder.name)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize(("block", "packages"), RECIPES)
def test_a_recipe_does_what_the_page_says(block: Block, packages: list[str], exports: Path, tmp_path: Path) -> None:
    assert f"pip install {' '.join(packages)}".replace("~=1.5.0", "").replace("~=2.0.0", "") in (
        block.text.replace('"', "") if block.language == "python" else f"pip install {' '.join(packages)}"
    )
    environment = Environment(tmp_path / "env", *packages)
    for each in exports.iterdir():
        (tmp_path / each.name).symlink_to(each)
    if block.language == "python":
        said = environment.said(environment.python, "-c", block.text, cwd=tmp_path)
        assert "BROKEN" in said or "days" in said, said
    else:
        (command,) = block.commands()
        assert "day_verdicts" in shown(
            environment.binaries / shlex.split(command)[0], shlex.split(command)[1:], tmp_path
        )


def shown(program: Path, arguments: list[str], folder: Path) -> str:
    """Return what a program of the terminal shows once it shows the file's tables, and end it."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 160, 0, 0))
    process = subprocess.Popen(
        [program, *arguments],
        cwd=folder,
        env={**os.environ, "TERM": "xterm-256color", "HOME": str(folder)},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    said, deadline = "", time.monotonic() + 120
    try:
        while "day_verdicts" not in said:
            assert process.poll() is None, said
            assert time.monotonic() < deadline, said
            if select.select([ours], [], [], 1)[0]:
                said += os.read(ours, 65_536).decode(errors="replace")
            elif "compliance" in said:
                # It stands still: open what is below in its tree of files, schemas and tables.
                os.write(ours, b"\x1b[B\r")
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    return said
