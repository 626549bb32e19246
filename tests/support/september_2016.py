"""Figures of docs/september-2016.md, made anew from a replay.

``python -m tests.support.september_2016 COMPLIANCE.duckdb WHATIF.json`` prints them for the page.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb

REDUCTIONS = (50, 75, 80, 90)

#: Four weeks of truce-days before the truce (the agreement's baseline), its seven days, and four weeks after them.
_SPANS = """
    spans(span, low, high) AS (VALUES
        ('before', DATE '2016-08-15', DATE '2016-09-11'),
        ('truce', DATE '2016-09-12', DATE '2016-09-18'),
        ('after', DATE '2016-09-19', DATE '2016-10-16'))"""

_REGIONS = f"""
WITH {_SPANS},
per_day AS (
    SELECT pcode, name, span, high - low + 1 AS days, sum(coalesce(incidents, 0)) AS incidents
    FROM regions CROSS JOIN spans
    LEFT JOIN day_tallies t ON t.region = pcode AND t.truce_day BETWEEN low AND high
    WHERE in_gate GROUP BY ALL)
SELECT pcode || ' ' || name,
       any_value(incidents / days) FILTER (span = 'before'),
       any_value(incidents / days) FILTER (span = 'truce'),
       any_value(incidents / days) FILTER (span = 'after')
FROM per_day GROUP BY ALL ORDER BY 1
"""

_DAYS = """
PIVOT (SELECT region || ' ' || region_name AS region, strftime(truce_day, '%d') AS day, incidents
       FROM grid JOIN regions ON pcode = region AND in_gate
       WHERE truce_day BETWEEN DATE '2016-09-12' AND DATE '2016-09-18')
ON day USING first(incidents) ORDER BY region
"""


def tables(file: Path, whatif: dict[str, Any]) -> dict[str, str]:
    """Return the tables of the page in Markdown, by name.

    Args:
        file: the published copy of a replay of both data sets.
        whatif: the JSON of ``whatif`` over the truce's seven days for every one of ``REDUCTIONS``.
    """
    with closing(duckdb.connect(str(file), read_only=True)) as connection:

        def ask(query: str) -> list[tuple[Any, ...]]:
            return connection.execute(query).fetchall()

        days = [f"{day} Sep" for day in range(12, 19)]
        regions = [(name, *(f"{mean:.2f}" for mean in means)) for name, *means in ask(_REGIONS)]
        return {
            "regions": _table(["region", "before", "truce", "after"], regions),
            "days": _table(["region", *days], ask(_DAYS)),
            "reductions": _reductions(whatif),
        }


def _reductions(whatif: dict[str, Any]) -> str:
    """Of each gate region the limit and the days broken by violence, under every reduction."""
    by_region: dict[str, list[str]] = {}
    for reduction, found in zip(REDUCTIONS, whatif["alternatives"], strict=True):
        assert found["agreement"]["violence"]["reduction_percent"] == reduction
        for region in found["agreement"]["gate_regions"]:
            judged = [row for row in found["verdicts"] if row["region"] == region]
            broken = sum(row["violence"] == "BROKEN" for row in judged)
            name = f"{region} {judged[0]['region_name']}"
            by_region.setdefault(name, []).append(f"{broken} of {len(judged)} over {judged[0]['violence_limit']:.2f}")
    rows = [(name, *cells) for name, cells in by_region.items()]
    return _table(["region", *(f"{reduction} %" for reduction in REDUCTIONS)], rows)


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [header, ["---", *("---:" for _ in header[1:])], *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


if __name__ == "__main__":
    for name, table in tables(Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())).items():
        sys.stdout.write(f"<!-- {name}: begin -->\n{table}\n<!-- {name}: end -->\n\n")
