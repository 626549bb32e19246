"""Published copy of a truce that lasted several times as long.

``python -m tests.bench.longer SOURCE TARGET TIMES`` repeats each row of a file of the bench's own reports, moved
back in time. Days, offsets and names of reports differ from one repetition to the next; texts of records do not.
The last days of each repetition keep the state they have in the source. So the file is of the size and shape of a
longer truce's, and is for reading alone: ``verify`` refuses it.
"""

from __future__ import annotations

import json
import shutil
import sys
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

#: Tables of the present, and of what does not grow with time.
_PRESENT = frozenset({"about", "feeds", "ledger_state", "region_windows", "regions", "sink_offsets"})
_NUMBERS = frozenset({"fact_offset", "tick_offset", "source_offset"})
_BASELINE = ("first_day", "last_day")
_COUNTS = ("accepted", "corrected", "retracted", "duplicate", "superseded", "rejected", "outside")


def longer(source: Path, target: Path, times: int) -> None:
    """Write the copy of a truce that lasted so many times as long as that of the source."""
    shutil.copyfile(source, target)
    with duckdb.connect(target, config={"threads": 1, "memory_limit": "1GB"}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"ATTACH '{source}' AS source (READ_ONLY)")
        ((days, step),) = connection.execute(
            "SELECT (SELECT count(*) FROM source.truce_days), next_offset FROM source.ledger_state"
        ).fetchall()
        repeated = connection.execute(
            "SELECT table_name, list((column_name, data_type) ORDER BY column_index) FROM duckdb_columns() "
            "JOIN duckdb_tables() USING (database_name, table_name) WHERE database_name = 'source' GROUP BY table_name"
        ).fetchall()
        repeated = [(table, columns) for table, columns in repeated if table not in _PRESENT]
        for table, _ in repeated:
            connection.execute(f"DELETE FROM {table}")
        # Their blocks are free for the rows that follow.
        connection.execute("CHECKPOINT")
        for table, columns in repeated:
            # Days before the truce are days of it in the repetition before.
            tallied = "WHERE truce_day >= (SELECT min(truce_day) FROM source.truce_days)"
            where = tallied if table.endswith("_tallies") else ""
            for number in range(times):
                values = [_moved(*column, number * step, (times - 1 - number) * days, number) for column in columns]
                connection.execute(f"INSERT INTO {table} SELECT {', '.join(values)} FROM source.{table} {where}")
        connection.execute(f"UPDATE feeds SET {', '.join(f'{name} = {times} * {name}' for name in _COUNTS)}")
        more = (times - 1) * step
        connection.execute(
            f"UPDATE ledger_state SET next_offset = next_offset + {more}, last_tick = last_tick + {more}"
        )
        ((text,),) = connection.execute("SELECT agreement::VARCHAR FROM about").fetchall()
        agreement = earlier(json.loads(text), timedelta(days=(times - 1) * days))
        connection.execute("UPDATE about SET agreement = ?", [json.dumps(agreement)])
        connection.execute("CHECKPOINT")


def earlier(agreement: dict[str, Any], span: timedelta) -> dict[str, Any]:
    """Return an agreement that took effect so much earlier, measured against a baseline as much earlier."""
    clock, violence = agreement["clock"], agreement["violence"]
    effective = datetime.fromisoformat(clock["effective"]) - span
    baseline = {name: (date.fromisoformat(violence["baseline"][name]) - span).isoformat() for name in _BASELINE}
    return {
        **agreement,
        "clock": {**clock, "effective": effective.isoformat()},
        "violence": {**violence, "baseline": {**violence["baseline"], **baseline}},
    }


def _moved(column: str, kind: str, further: int, back: int, number: int) -> str:
    """Return the value of a column in a repetition, as SQL."""
    if kind == "DATE":
        return f"{column} - {back}"
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"{column} - INTERVAL {back} DAY"
    if column in _NUMBERS:
        return f"{column} + {further}"
    if kind in ("VARCHAR", "JSON"):
        return rf"regexp_replace({column}, '\br(\d+)\b', 'r{number}-\1', 'g')::{kind}"
    return f'"{column}"'


if __name__ == "__main__":
    longer(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
