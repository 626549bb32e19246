"""README and docs: every query, record and link of every page is right, and every command spoken of is there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from typer.main import get_command

from streams.cli.app import app
from streams.ledger.core.feeds import Outcome
from streams.ledger.core.findings import Finding, State
from tests.support.commands import Run, runner
from tests.support.demo import Demo
from tests.support.documents import DIRECTIVES, LANGUAGES, Block, Page, page, pages
from tests.support.shell import ROOT

PAGES = pages()
BLOCKS = [block for page in PAGES for block in page.blocks]
README_LINES, WIDTH = 130, 100


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run a command in an empty folder and without settings of the machine's."""
    return runner(monkeypatch, capfd, tmp_path)


def of(*languages: str) -> list[Block]:
    """Return the blocks in a language that are not what a command says."""
    return [block for block in BLOCKS if block.language in languages and "output of" not in block.directives]


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_block_says_what_it_is_written_in_and_nothing_unknown_of_what_it_is_for(block: Block) -> None:
    assert block.language in LANGUAGES
    assert set(block.directives) <= set(DIRECTIVES)
    assert block.language != "csv" or "file" in block.directives, "a table is tried by a command that reads it"


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_no_block_is_made_by_indenting_it(page: Page) -> None:
    """It would say nothing of its language, and nobody would try it."""
    before = ""
    for number, line in page.lines:
        assert before.strip() or not line.startswith("    "), f"line {number}"
        before = line


@pytest.mark.parametrize("page", [*PAGES, *map(page, sorted((ROOT / "docs/adr").glob("*.md")))], ids=str)
def test_prose_is_wrapped(page: Page) -> None:
    wide = [
        number
        for number, line in page.lines
        if len(line) > WIDTH and not line.startswith(("|", "<!--")) and " " in line.strip()
    ]
    assert not wide, f"lines of more than {WIDTH} characters"


def test_the_readme_is_read_in_one_sitting() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= README_LINES


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_link_leads_to_a_file_of_the_repository_and_to_a_heading_of_it(page: Page) -> None:
    known = {each.name: each for each in PAGES}
    for target in page.links():
        file, _, anchor = target.partition("#")
        path = (ROOT / page.name).parent / file if file else ROOT / page.name
        assert path.exists(), target
        name = path.resolve().relative_to(ROOT).as_posix()
        if anchor and name in known:
            assert anchor in known[name].anchors(), target


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_command_that_is_spoken_of_is_one(page: Page) -> None:
    for span in page.spans():
        if span.startswith("trucewatch "):
            check_command(span)
        elif span.startswith("make "):
            check_target(span)


def test_the_glossary_has_every_word_of_a_verdict_and_every_outcome() -> None:
    words = set(re.findall(r"\w+", (ROOT / "docs" / "glossary.md").read_text("utf-8")))
    assert {*Finding, *State, *Outcome} - words == set()


@pytest.mark.parametrize("block", of("sh"), ids=str)
def test_every_target_of_make_is_one(block: Block) -> None:
    for command in block.commands():
        if command.startswith("make "):
            check_target(command)


#: The page of a country of its own, whose commands try its boundaries and reports by its own agreement.
ANOTHER_COUNTRY = "docs/another-country.md"


@pytest.mark.parametrize("block", [each for each in of("json", "jsonl") if each.page != ANOTHER_COUNTRY], ids=str)
def test_a_record_is_accepted_or_refused_as_the_page_says(block: Block, run: Run, tmp_path: Path) -> None:
    records = list(values(block.text)) if block.language == "json" else block.text.splitlines()
    (tmp_path / "shown.jsonl").write_text("".join(f"{record}\n" for record in records), "utf-8")
    done = run("publish", "shown.jsonl", "--dry-run", "--json")
    found = json.loads(done.out)
    codes = {fault["code"] for fault in found["faults"]}
    assert found["checked"] == len(records) > 0
    assert codes == ({block.directives["refused"]} if "refused" in block.directives else set()), found["faults"]


@pytest.mark.parametrize("block", [block for block in BLOCKS if "from" in block.directives], ids=str)
def test_an_excerpt_stands_in_its_file(block: Block) -> None:
    source = [line.strip() for line in (ROOT / block.directives["from"]).read_text("utf-8").splitlines()]
    shown = [line.strip() for line in block.text.splitlines()]
    assert any(source[start : start + len(shown)] == shown for start in range(len(source)))


@pytest.mark.parametrize("block", of("toml", "yaml"), ids=str)
def test_a_piece_of_configuration_can_be_read(block: Block) -> None:
    assert (tomllib.loads if block.language == "toml" else yaml.safe_load)(block.text)


@pytest.mark.broker
@pytest.mark.parametrize("block", of("sql"), ids=str)
def test_a_query_finds_what_the_page_shows_on_the_oldest_duckdb_it_names(
    block: Block, demo: Demo, tmp_path: Path
) -> None:
    said = [box(statement, demo, tmp_path) for statement in block.statements()]
    found = [out.count("\n│") > 1 for out in said]
    assert found
    assert found == ["finds nothing" not in block.directives] * len(found), "\n".join(said)
    for shown in BLOCKS:
        if shown.of is block and shown.language == "text":
            assert shown.text.rstrip() == "\n".join(said).rstrip()


def check_command(span: str) -> None:
    """Check that a command spoken of is there, with the options named."""
    words = [word.strip("…,[]") for word in span.split()[1:]]
    command: Any = get_command(app)
    context = click.Context(command)
    while hasattr(command, "get_command") and words and re.fullmatch(r"[a-z][a-z-]*", words[0]):
        command = command.get_command(context, words.pop(0))
        assert command is not None, span
    options = {option for parameter in command.params for option in parameter.opts} | {"--help", "-h", "--version"}
    named = {word.split("=")[0] for word in words if word.startswith("-")}
    assert named <= options, span


def check_target(command: str) -> None:
    """Check that a target of make is in the Makefile."""
    target = command.split()[1]
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE), command


def values(text: str) -> Iterator[str]:
    """Return the JSON values of a text, one after the other, each on one line."""
    decoder, rest = json.JSONDecoder(), text.strip()
    while rest:
        end = decoder.raw_decode(rest)[1]
        yield rest[:end].replace("\n", " ")
        rest = rest[end:].lstrip()


def box(statement: str, demo: Demo, folder: Path) -> str:
    """Return what DuckDB's own command says to a statement, asked of the demo's result."""
    shell = Path(sys.executable).with_name("duckdb")
    asked = ["-readonly", "-box", "-c", ".maxrows 1000", "-c", "SET TimeZone = 'UTC'", "-c", statement, demo.file]
    done = subprocess.run([shell, *asked], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
