"""Recipes of the docs for other people's tools, each run in an environment of its own."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shlex
import shutil
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
    if block.directives.get("with", "S3") != "S3"
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
    for each in exports.iterdir():
        (tmp_path / each.name).symlink_to(each)
    if packages == ["R"]:
        if (rscript := shutil.which("Rscript")) is None:
            pytest.skip("needs R: on Debian apt install r-base-core")
        done = subprocess.run(
            [rscript, "--vanilla", "-e", block.text], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert re.search(r"^ +SY02 2016-09-14 +2 +1$", done.stdout, re.MULTILINE), done.stdout
        return
    assert f"pip install {' '.join(packages)}".replace("~=1.5.0", "").replace("~=2.0.0", "") in (
        block.text.replace('"', "") if block.language == "python" else f"pip install {' '.join(packages)}"
    )
    environment = Environment(tmp_path / "env", *packages)
    if block.language == "python":
        said = environment.said(environment.python, "-c", block.text, cwd=tmp_path)
        assert "BROKEN" in said or "days" in said, said
    else:
        (command,) = block.commands()
        program, *arguments = shlex.split(command)
        answered(environment.binaries / program, arguments, tmp_path)


def answered(program: Path, arguments: list[str], folder: Path) -> None:
    """Ask an editor of SQL in the terminal how many days there are until it shows the answer, and end it."""
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
    said, deadline, ask_at = "", time.monotonic() + 240, 0.0
    try:
        while "days: 98" not in said:
            assert process.poll() is None, said
            assert time.monotonic() < deadline, said
            if select.select([ours], [], [], 1)[0]:
                said += os.read(ours, 65_536).decode(errors="replace")
            # It shows the file's name before it takes keys. Ctrl-A takes what is there, Ctrl-J runs what replaces it.
            if "compliance" in said and time.monotonic() > ask_at:
                os.write(ours, b"\x01SELECT 'days: ' || count(*) FROM day_verdicts\n")
                ask_at = time.monotonic() + 10
    finally:
        process.kill()
        process.wait()
        os.close(ours)
