"""``python -m tests.crash``: campaigns of faults with their figures; exit 1 when anything was lost, doubled or torn."""

from __future__ import annotations

import argparse
import random
import tempfile
import time
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path

from schemas.failpoints import STEPS
from tests.crash.campaign import intake_campaign, ledger_campaign
from tests.crash.faults import full_disks, outages, takeovers
from tests.crash.figures import Figures
from tests.crash.outboxes import outbox_campaign
from tests.crash.plan import REPORTS, Plan
from tests.support import brokers
from tests.support.absences import Absence


def main() -> int:
    """Run the campaigns asked for and print what came of each."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=0, help="deaths by kill -9; two thirds of them hit the ledger")
    parser.add_argument("--takeovers", type=int, default=0, help="ledgers that die, hang or leave beside a standby")
    parser.add_argument("--full-disks", type=int, default=0, help="disks that fill up under the ledger (as root)")
    parser.add_argument(
        "--outages", type=float, nargs="*", default=(), metavar="SECONDS", help="how long the broker is away each time"
    )
    parser.add_argument("--sender-kills", type=int, default=0, help="deaths of a feed's commands that have an outbox")
    parser.add_argument("--broker", choices=("embedded", "kafka"), default="embedded")
    parser.add_argument("--role", choices=("ledger", "intake"), help="kills: only this one's workers")
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=(), help="kills: die at these steps only")
    parser.add_argument("--reports", type=int, default=REPORTS, help="kills: how many reports are on their way")
    parser.add_argument("--seed", type=int, default=2016)
    chosen = parser.parse_args()
    if not (chosen.kills or chosen.takeovers or chosen.full_disks or chosen.outages or chosen.sender_kills):
        parser.error("say how many: --kills, --takeovers, --full-disks, --outages, --sender-kills")
    whole = True
    with tempfile.TemporaryDirectory(prefix="trucewatch-crash-") as name:
        folder = Path(name)
        campaigns = _campaigns(chosen)
        started = brokers.embedded if chosen.broker == "embedded" else brokers.apache
        for address in started(folder / "broker") if campaigns else ():
            draw = random.Random(chosen.seed)
            for title, campaign, count in campaigns:
                prefix = f"t{uuid.uuid4().hex[:10]}"
                plan = Plan(address, prefix, folder / title, count, draw, chosen.steps, chosen.reports)
                whole &= _report(chosen.broker, title, partial(campaign, plan))
        if chosen.sender_kills:
            away: Absence = "embedded hangs" if chosen.broker == "embedded" else "kafka restarts"
            drawn = random.Random(chosen.seed)
            senders = partial(outbox_campaign, away, folder / "sender", chosen.sender_kills, chosen.reports, drawn)
            whole &= _report(away, "senders", senders)
        for absence in _absences(chosen):
            whole &= _report(absence, "outages", partial(outages, absence, folder / absence, chosen.outages))
    return 0 if whole else 1


def _campaigns(chosen: argparse.Namespace) -> list[tuple[str, Callable[[Plan], Figures], int]]:
    """Return the campaigns asked for, each with its title and its number of faults."""
    campaigns: list[tuple[str, Callable[[Plan], Figures], int]] = [
        (role, campaign, chosen.kills if chosen.role else chosen.kills * share // 3)
        for role, campaign, share in (("ledger", ledger_campaign, 2), ("intake", intake_campaign, 1))
        if chosen.role in (None, role)
    ]
    campaigns += [("takeovers", takeovers, chosen.takeovers), ("full disks", full_disks, chosen.full_disks)]
    return [each for each in campaigns if each[2]]


def _absences(chosen: argparse.Namespace) -> tuple[Absence, ...]:
    if not chosen.outages:
        return ()
    return ("embedded hangs",) if chosen.broker == "embedded" else ("kafka hangs", "kafka restarts")


def _report(where: str, title: str, run: Callable[[], Figures]) -> bool:
    began = time.monotonic()
    figures = run()
    print(f"{where}, {title}: {figures.text()}\n  {time.monotonic() - began:.0f} s", flush=True)
    return figures.whole


if __name__ == "__main__":
    raise SystemExit(main())
