"""Pages of the documentation, taken apart: fenced blocks with their directives, prose, links and headings.

A directive is an HTML comment before a block, ``<!-- name: value -->``; it says what a test is to make of the block.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from tests.support.shell import ROOT

#: Languages of fences. A block in another one would be shown without being tried.
LANGUAGES = ("sh", "sql", "json", "jsonl", "python", "text", "toml", "yaml", "csv", "r")
#: Directives before a block: files of the shared data its commands read, the file it is written to, the file it is an
#: excerpt of, the command whose output it is, the code it is refused with, a query that finds no row in the demo, and
#: the packages of an environment of its own (``tests/integration/test_recipes.py``).
DIRECTIVES = ("data", "file", "from", "output of", "refused", "finds nothing", "with")
#: The ports of broker and gateway on every page; a walk through the page puts those the system chose in their place.
PORT, GATEWAY_PORT = "9092", "8481"

_FENCE = re.compile(r"^( *)(```+)(.*)$")
_COMMENT = re.compile(r"^ *<!-- ([a-z ]+?)(?:: (.*?))? -->$")
_HEADING = re.compile(r"^#+ +(.*?) *$")
_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_LINK = re.compile(r"(?<!\\)\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        line: number of the line its fence begins at.
        directives: by name, the value; empty where a directive has none.
        of: the block right before it, when nothing but blank lines and directives lie between.
    """

    page: str
    line: int
    language: str
    text: str
    directives: dict[str, str] = field(default_factory=dict)
    of: Block | None = None

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def runs(self) -> bool:
        """Whether something is to be run for it: it is code, or the output of a command."""
        is_code = self.language in ("sh", "python") and not {"from", "with"} & self.directives.keys()
        return is_code or "output of" in self.directives

    def commands(self) -> list[str]:
        """Return the commands of a shell block, each on one line."""
        whole = self.text.replace("\\\n", " ").splitlines()
        return [line.strip() for line in whole if line.strip() and not line.lstrip().startswith("#")]

    def statements(self) -> list[str]:
        """Return the statements of an SQL block."""
        return [each.strip() for each in re.split(r";[ \t]*(?:--.*)?$", self.text, flags=re.MULTILINE) if each.strip()]


@dataclass(frozen=True)
class Page:
    """A page of the documentation.

    Attributes:
        name: path under the repository.
        lines: its lines outside of fenced blocks, with their numbers.
    """

    name: str
    blocks: tuple[Block, ...]
    lines: tuple[tuple[int, str], ...]

    def __str__(self) -> str:
        return self.name

    @property
    def brings_its_broker(self) -> bool:
        """Whether a command of the page starts the broker that the others speak to."""
        return any(f"--port {PORT}" in command for block in self.blocks for command in block.commands())

    @cached_property
    def prose(self) -> str:
        """Its text without blocks."""
        return "\n".join(line for _, line in self.lines)

    def spans(self) -> list[str]:
        """Return its inline code."""
        return [" ".join(code.split()) for _, code in _SPAN.findall(self.prose)]

    def links(self) -> list[str]:
        """Return the targets of its links into the repository."""
        targets = _LINK.findall(_SPAN.sub("", self.prose))
        return [target for target in targets if not re.match(r"[a-z]+:", target)]

    def anchors(self) -> set[str]:
        """Return what a link may name after ``#``: its headings, as GitHub spells them."""
        found: set[str] = set()
        for _, line in self.lines:
            if heading := _HEADING.match(line):
                plain = re.sub(r"[^\w\- ]", "", heading[1].lower()).replace(" ", "-")
                found.add(plain)
        return found


def pages() -> list[Page]:
    """Return the README and the pages of ``docs``; decisions, which tell of the past, are left out."""
    return [page(path) for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))]


def page(path: Path) -> Page:
    """Take a page apart.

    Raises:
        ValueError: a fence is not closed.
    """
    name = path.relative_to(ROOT).as_posix()
    blocks: list[Block] = []
    lines: list[tuple[int, str]] = []
    directives: dict[str, str] = {}
    before: Block | None = None
    numbered = iter(enumerate(path.read_text("utf-8").splitlines(), 1))
    for number, line in numbered:
        if fence := _FENCE.match(line):
            text = _fenced(numbered, fence, f"{name}:{number}")
            before = Block(name, number, fence[3].strip(), text, directives, before)
            blocks.append(before)
            directives = {}
            continue
        lines.append((number, line))
        if comment := _COMMENT.match(line):
            directives[comment[1]] = comment[2] or ""
        elif line.strip():
            directives, before = {}, None
    return Page(name, tuple(blocks), tuple(lines))


def _fenced(numbered: Iterator[tuple[int, str]], fence: re.Match[str], where: str) -> str:
    indent, ticks = fence[1], fence[2]
    kept: list[str] = []
    for _, line in numbered:
        if line.strip() == ticks:
            return "\n".join(kept) + "\n"
        kept.append(line.removeprefix(indent))
    raise ValueError(f"{where}: the fence is not closed")
