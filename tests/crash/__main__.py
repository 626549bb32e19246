"""``python -m tests.crash --kills 300``: a campaign of kill -9 with its figures; exit 1 when anything was lost."""

from __future__ import annotations

import argparse
import random
import tempfile
import time
import uuid
from pathlib import Path

from schemas.failpoints import STEPS
from tests.crash.campaign import intake_campaign, ledger_campaign
from tests.support import brokers


def main() -> int:
    """Run a campaign on each broker asked for and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=60, help="in all; two thirds of them hit the ledger")
    parser.add_argument("--broker", choices=("embedded", "kafka"), default="embedded")
    parser.add_argument("--role", choices=("ledger", "intake"), help="only this one's workers")
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=(), help="die at these steps only")
    parser.add_argument("--seed", type=int, default=2016)
    chosen = parser.parse_args()
    draw = random.Random(chosen.seed)
    failed = False
    with tempfile.TemporaryDirectory(prefix="trucewatch-crash-") as name:
        folder = Path(name)
        for address in (brokers.embedded if chosen.broker == "embedded" else brokers.apache)(folder / "broker"):
            for title, campaign, share in (("ledger", ledger_campaign, 2), ("intake", intake_campaign, 1)):
                if chosen.role not in (None, title):
                    continue
                began = time.monotonic()
                prefix = f"t{uuid.uuid4().hex[:10]}"
                kills = chosen.kills if chosen.role else chosen.kills * share // 3
                figures = campaign(address, prefix, folder / title, kills, draw, chosen.steps)
                print(f"{chosen.broker}, {title}: {figures.text()}\n  {time.monotonic() - began:.0f} s", flush=True)
                failed |= bool(figures.lost or figures.doubled or figures.torn)
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
