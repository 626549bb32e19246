"""DuckDB draws a bar on standard output during a long query, where commands print their JSON."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from sinks.opening import PUBLISHED, StoreLimits, connect
from sinks.reading import published
from sinks.verify.comparison import side_by_side
from sinks.verify.published import Published
from tests.support.stores import new_store

ASKED = "SELECT current_setting('enable_progress_bar')"


def test_no_connection_draws_a_progress_bar(tmp_path: Path) -> None:
    store = new_store(tmp_path / "data")
    store.publish(datetime.now(UTC))
    store.close()
    file = tmp_path / "data" / PUBLISHED
    with closing(connect(tmp_path / "new.duckdb", StoreLimits())) as live:
        assert live.execute(ASKED).fetchone() == (False,)
    with published(file) as connection:
        assert connection.execute(ASKED).fetchone() == (False,)
    with closing(Published(file)) as recorded:
        assert recorded.select(ASKED) == [(False,)]
    with side_by_side(file, file) as both:
        assert both.select(ASKED) == [(False,)]
