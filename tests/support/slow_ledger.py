"""A ledger worker for tests whose disk is slow: every commit takes so many seconds longer than DuckDB needs.

The seconds are the one argument; the settings come from the environment, as for any worker.
"""

from __future__ import annotations

import sys
import time

from schemas.errors import TrucewatchError
from schemas.rows import Changes
from sinks.store import Store
from streams import log, roles
from streams.cli.leaving import described, leave
from streams.settings import load


class SlowStore(Store):
    """Commits what it is given, late."""

    seconds = 0.0

    def commit(self, changes: Changes) -> None:
        time.sleep(self.seconds)
        super().commit(changes)


def main() -> None:
    SlowStore.seconds = float(sys.argv[1])
    roles.Store = SlowStore  # type: ignore[misc]
    settings = load()
    log.configure(settings)
    roles.run_role("ledger", settings)


if __name__ == "__main__":
    try:
        main()
    except TrucewatchError as error:
        leave(described(error), error.exit_code, as_json=False)
