"""Figures before and after a version, as people read them."""

from __future__ import annotations

from typing import Any

import pytest

from streams.ops.changes_text import field_text
from streams.page.answers import Head, Section


@pytest.mark.parametrize(
    ("field", "old", "new", "said"),
    [
        ("covered_share", 0.0, 11 / 12, "covered 0 % to 92 %"),
        ("covered_share", 0.748, 0.75, "covered 74.8 % to 75 %"),
        ("covered_share", None, 1, "covered none to 100 %"),
        ("violence_limit", 2.4785714285714286, 2.4857142857142858, "limit 2.48 to 2.49"),
        ("violence_limit", 2.4857142857142858, 2.492857142857143, "limit 2.486 to 2.493"),
        ("violence_limit", 3.0, 3.2, "limit 3 to 3.2"),
        ("deaths_best", None, 3, "deaths none to 3"),
        ("is_open", False, True, "open no to yes"),
    ],
)
def test_a_figure_is_told_as_exactly_as_it_takes_to_see_the_change(field: str, old: Any, new: Any, said: str) -> None:
    assert field_text(field, old, new) == said


def test_a_page_rounds_a_fraction_and_csv_has_all_of_it() -> None:
    section = Section("days", "Days", [Head("covered_share"), Head("incidents")], [(11 / 12, 3)])
    assert [[each.text for each in row] for row in section.shown()] == [["0.9167", "3"]]
    assert section.objects() == [{"covered_share": 11 / 12, "incidents": 3}]
