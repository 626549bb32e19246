"""The data dictionary is complete and says what the comments in the schema say."""

from __future__ import annotations

from tests.support.dictionary import PAGE, markdown, objects


def test_the_page_is_made_from_the_comments() -> None:
    assert PAGE.read_text("utf-8") == markdown(), "make dictionary writes it anew"


def test_every_table_view_column_and_macro_has_a_comment() -> None:
    found = objects()
    assert {each.kind for each in found} == {"Views", "Tables", "Macros"}
    assert [each.name for each in found if not each.comment] == []
    assert [(each.name, column.name) for each in found for column in each.columns if not column.comment] == []
    assert [each.name for each in found if each.kind != "Macros" and not each.columns] == []
