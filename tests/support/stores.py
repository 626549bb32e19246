"""New stores for tests that are not about opening one: the file a first opening makes, copied."""

from __future__ import annotations

import tempfile
from contextlib import closing
from functools import lru_cache
from pathlib import Path

from schemas.agreement import Agreement
from sinks.opening import StoreLimits, connect
from sinks.store import LIVE, Store
from tests.support.worlds import TRUCE


def begin_store(directory: Path, truce: Agreement = TRUCE) -> None:
    """Make ``directory`` with the live file of a store that was opened and closed.

    Whoever opens it names the regions and the log, as at any opening.
    """
    directory.mkdir(parents=True, exist_ok=True)
    (directory / LIVE).write_bytes(_new_file(truce.model_dump_json()))


@lru_cache(maxsize=32)
def _new_file(truce_json: str) -> bytes:
    """Return the file of an agreement: the test agreement's by a real opening, any other's by changing its row."""
    truce = Agreement.model_validate_json(truce_json)
    with tempfile.TemporaryDirectory() as folder:
        live = Path(folder) / LIVE
        if truce == TRUCE:
            Store.open(live.parent, truce, {}, facts_topic="", log_identity="", new_log_allowed=False).close()
        else:
            live.write_bytes(_new_file(TRUCE.model_dump_json()))
            with closing(connect(live, StoreLimits())) as connection:
                connection.execute(
                    "UPDATE about SET agreement_id = ?, title = ?, agreement = ?", [truce.id, truce.title, truce_json]
                )
                connection.execute("DELETE FROM regions")
        return live.read_bytes()
