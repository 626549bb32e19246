"""Pages of documentation as tests take them: what is in a block, and what a walk through a page finds wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import documents
from tests.support.commands import Run
from tests.support.documents import Page, page
from tests.support.walk import Walk

TEXT = """\
# A page, of Words!

See [the other](other.md#its-part), `code [no](link)` and [the web](https://example.org).

<!-- file: made.txt -->
```text
made
```

<!-- output of: cat made.txt -->

```text
made
```

Between.

```sh
# only a comment
trucewatch publish \\
  made.txt   # exits 2: it holds no report

make demo
```

1. A step:

   ```sql
   SELECT 1; -- one
   SELECT 2;
   ```

   ```text
   2
   ```
"""


def written(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Page:
    """Return a page with a text."""
    monkeypatch.setattr(documents, "ROOT", tmp_path)
    (tmp_path / "page.md").write_text(text, "utf-8")
    return page(tmp_path / "page.md")


@pytest.fixture
def taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Page:
    """The page above, taken apart."""
    return written(TEXT, tmp_path, monkeypatch)


def test_a_block_has_its_language_its_place_and_the_directives_before_it(taken: Page) -> None:
    assert [(str(each), each.language, each.directives) for each in taken.blocks] == [
        ("page.md:6", "text", {"file": "made.txt"}),
        ("page.md:12", "text", {"output of": "cat made.txt"}),
        ("page.md:18", "sh", {}),
        ("page.md:28", "sql", {}),
        ("page.md:33", "text", {}),
    ]


def test_a_block_that_follows_another_with_nothing_between_is_of_it(taken: Page) -> None:
    made, shown, shell, query, answer = taken.blocks
    assert (made.of, shown.of, shell.of, query.of, answer.of) == (None, made, None, None, query)


def test_commands_and_statements_are_taken_one_by_one(taken: Page) -> None:
    assert [" ".join(each.split()) for each in taken.blocks[2].commands()] == [
        "trucewatch publish made.txt # exits 2: it holds no report",
        "make demo",
    ]
    assert taken.blocks[3].statements() == ["SELECT 1", "SELECT 2"]


def test_links_headings_and_code_are_those_of_the_prose(taken: Page) -> None:
    assert taken.links() == ["other.md#its-part"]
    assert taken.spans() == ["code [no](link)"]
    assert taken.anchors() == {"a-page-of-words"}


def test_a_fence_that_is_not_closed_is_told_with_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"page\.md:3: the fence is not closed"):
        written("# Page\n\n```sh\nls\n", tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("blocks", "wrong"),
    [
        ("```sh\ntrucewatch schemas incident\n```", None),
        ("```sh\ntrucewatch schemas nothing\n```", "exit code 2"),
        ("```sh\ntrucewatch schemas nothing # exits 2\n```", None),
        ("```sh\ntrucewatch schemas incident # exits 2\n```", "exit code 0"),
        ("```sh\necho one > file; test -s file\n```", None),
        ("```sh\nfalse | cat\n```", "exit code 1"),
        ("<!-- output of: trucewatch demo -->\n```text\nfound in the demo\n...\n```", None),
        ("<!-- output of: make demo -->\n```text\nnot in it\n```", "not in the output"),
        ("<!-- file: a -->\n```text\nkafka://127.0.0.1:9092\n```\n\n```sh\ngrep -q :7 a\n```", None),
        ("```python\nprint(6 * 7)\n```\n\n```text\n42\n```", None),
        ("```python\nprint(6 * 7)\n```\n\n```text\n43\n```", "not in the output"),
        ("```python\nassert not 'wrong'\n```", "AssertionError"),
        ("<!-- from: a/file.py -->\n```python\nassert not 'run'\n```", None),
        pytest.param(
            "```sh\ntrucewatch worker --role ledger\n```\n\n```sh\nfalse\n```",
            r"worker --role ledger ended with 2: .*give --broker",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_walk_finds_what_a_page_says_wrongly(
    blocks: str, wrong: str | None, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk = Walk(written(blocks, tmp_path, monkeypatch), tmp_path, 7, run, "found in the demo\n")
    if wrong is None:
        walk.through()
    else:
        with pytest.raises(AssertionError, match=wrong):
            walk.through()


@pytest.mark.parametrize(
    ("command", "brings"),
    [("trucewatch up --port 9092", True), ("trucewatch up --broker kafka://127.0.0.1:9092", False)],
)
def test_a_page_may_start_the_broker_that_its_commands_speak_to(
    command: str, brings: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert written(f"```sh\n{command}\n```", tmp_path, monkeypatch).brings_its_broker is brings
