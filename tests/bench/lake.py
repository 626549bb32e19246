"""Cost of a lake of five agreements: the export, and questions to one view over all of them.

``python -m tests.bench.lake --from trucewatch-demo/syria-2016/compliance.duckdb --rows 20000000``. Each agreement is
that file with its reports repeated over two years of truce-days. Their raw text is shortened to an empty document.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb

from sinks.exporting import export_to_lake
from sinks.reading import published

AGREEMENTS = 5
DAYS = 730
_RENAMED = """
UPDATE about SET agreement_id = $id,
    agreement = replace(agreement::VARCHAR, '"' || agreement_id || '"', '"' || $id || '"')::JSON
"""
_REPEATED = """
INSERT INTO reports BY NAME
SELECT * EXCLUDE (n) REPLACE (
    $base + n * $step + fact_offset AS fact_offset, report_id || '-' || n AS report_id, '{}' AS raw,
    truce_day + (hash(n, fact_offset) % $days)::INTEGER AS truce_day
)
FROM (FROM reports WHERE fact_offset < $base), range($times) AS t(n)
"""
#: Questions to the view ``reports``, by what they ask.
QUESTIONS = {
    "all rows": "SELECT count(*) FROM reports",
    "deaths by agreement and day": "SELECT agreement, truce_day, sum(deaths_best) FROM reports GROUP BY ALL",
    "one day of one agreement": "SELECT kind, count(*) FROM reports WHERE agreement = 'bench-3' "
    "AND truce_day = (SELECT min(truce_day) + 30 FROM reports WHERE agreement = 'bench-3') GROUP BY ALL",
    "feeds of one region": "SELECT agreement, feed, count(*) FROM reports WHERE region = 'SY02' GROUP BY ALL",
}


def main() -> None:
    """Make the lake, ask it, and print what each took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="source", type=Path, required=True, help="a published copy with reports")
    parser.add_argument("--rows", type=int, default=20_000_000, help="rows of all agreements together")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measured(asked.source, asked.rows, Path(folder)), indent=2))


def measured(source: Path, rows: int, folder: Path) -> dict[str, object]:
    """Return seconds and sizes by what was done."""
    lake, costs = folder / "lake", dict[str, float]()
    for number in range(AGREEMENTS):
        file = folder / "one.duckdb"
        shutil.copy(source, file)
        grow(file, f"bench-{number}", rows // AGREEMENTS)
        with published(file) as connection:
            costs[f"export of bench-{number}, s"] = timed(lambda of=connection: export_to_lake(of, lake, ["reports"]))
    connection = duckdb.connect()
    connection.execute(f"CREATE VIEW reports AS FROM read_parquet('{lake}/agreement=*/reports/**/*.parquet')")
    (found,) = connection.execute(QUESTIONS["all rows"]).fetchone() or (0,)
    for name, sql in QUESTIONS.items():
        costs[f"{name}, s"] = timed(lambda sql=sql: connection.execute(sql).fetchall())
    files = list(lake.rglob("*.parquet"))
    size = sum(each.stat().st_size for each in files) / 2**20
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"rows": found, "files": len(files), "MiB": round(size), "most memory, MiB": round(most), **costs}


def grow(file: Path, agreement: str, rows: int) -> None:
    """Make a file one of another agreement that holds so many reports, or a few more."""
    with duckdb.connect(str(file)) as connection:
        connection.execute(_RENAMED, {"id": agreement})
        ((held, highest),) = connection.execute("SELECT count(*), max(fact_offset) + 1 FROM reports").fetchall()
        terms = {"base": highest, "step": highest, "days": DAYS, "times": rows // held}
        connection.execute(_REPEATED, terms)


def timed(work: Callable[[], object]) -> float:
    """Return how many seconds something took."""
    began = time.perf_counter()
    work()
    return round(time.perf_counter() - began, 2)


if __name__ == "__main__":
    main()
