"""SQL statements stand in ``sinks``, beside the tables they name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_STATEMENT = re.compile(
    r"\s*(SELECT|FROM|WITH|INSERT|UPDATE|DELETE|MERGE|CREATE|ALTER|DROP|COPY|ATTACH|DETACH|USE|SET|PRAGMA|CHECKPOINT|"
    r"BEGIN|COMMIT|ROLLBACK|EXPLAIN|DESCRIBE|SUMMARIZE|CALL|COMMENT ON|select .* from)\b"
)


def statements(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of every string, plain or formatted, that begins as an SQL statement does."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _STATEMENT.match(node.value):
            yield node.lineno, node.value


@pytest.mark.parametrize("package", ["schemas", "streams"])
def test_no_sql_statement_stands_outside_sinks(package: str) -> None:
    modules = sorted((ROOT / package).rglob("*.py"))
    assert modules
    found = [
        f"{module.relative_to(ROOT)}:{line}: {text}"
        for module in modules
        for line, text in statements(module.read_text("utf-8"))
    ]
    assert found == []


def test_statements_in_sinks_are_recognised() -> None:
    """A search that misses the statements of ``sinks`` would pass anything elsewhere."""
    modules = sorted((ROOT / "sinks").glob("*.py"))
    with_sql = {module.stem for module in modules for _ in statements(module.read_text("utf-8"))}
    assert with_sql >= {"bulletins", "exclusive", "queries", "reading", "recorded_facts", "rejects"}


@pytest.mark.parametrize(
    "source",
    [
        'connection.execute("SELECT 1")',
        'connection.execute(f"UPDATE {table} SET a = 1")',
        'QUERY = """\nWITH one AS (SELECT 1) FROM one\n"""',
        'sql = "select region from regions"',
    ],
)
def test_a_statement_is_found_however_it_is_written(source: str) -> None:
    assert list(statements(source))


def test_prose_is_no_statement() -> None:
    assert list(statements('"""Selects a place."""\nhint = "Update the file with a copy from the archive"')) == []
