"""Files and counts of the page on extending."""

from __future__ import annotations

import re
from itertools import groupby

import pytest

from schemas.rows import LEGS
from streams.ledger.core.legs.aggregates import Aggregates
from streams.ledger.core.legs.registry import legs_of
from streams.ledger.core.refusals import Refusals
from tests.support.documents import page
from tests.support.fact_walk import walks
from tests.support.shell import ROOT
from tests.support.worlds import TRUCE

PATH = ROOT / "docs" / "extending.md"
PAGE = page(PATH)
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for _, line in PAGE.lines if line.startswith("| ")]
#: Changes of the table by the heading of their list.
LISTS = {
    row[0].removeprefix("a ").removeprefix("an "): int(row[2].split(",")[0])
    for row in ROWS
    if len(row) == 3 and row[1][:1].isdigit()
}


def test_every_file_that_a_change_touches_exists() -> None:
    named = [span for span in PAGE.spans() if re.fullmatch(r"[\w/.]+(\.py|\.sql|\.md|/)", span) and "/" in span]
    assert len(named) > 20
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_each_list_is_as_long_as_the_table_says() -> None:
    headed = groupby(PATH.read_text("utf-8").splitlines(), key=_Heading())
    items = {name: sum(bool(re.match(r"\d+\. ", line)) for line in lines) for name, lines in headed}
    assert {name: items[name] for name in LISTS} == LISTS
    assert len(LISTS) == 5


def test_the_legs_are_those_that_have_a_column() -> None:
    assert tuple(legs_of(TRUCE, Aggregates(TRUCE), Refusals(TRUCE), lambda *_: [])) == LEGS


@pytest.mark.parametrize(("name", "walk"), walks().items())
def test_a_walk_is_no_longer_than_the_page_says(name: str, walk: tuple[list[str], int]) -> None:
    rooms, returns = next((int(row[1]), int(row[2])) for row in ROWS if row[0] == name)
    assert (len(walk[0]) <= rooms, walk[1] <= returns) == (True, True)


class _Heading:
    """Key of lines by the heading above them, without its article."""

    def __init__(self) -> None:
        self._name = ""

    def __call__(self, line: str) -> str:
        if line.startswith("## "):
            self._name = re.sub(r"^An? ", "", line[3:])
        return self._name
