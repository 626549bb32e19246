"""Plan of a run: what each peer is given, and about how long that takes on two idle cores."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tests.bench.peers.measure import BEHIND_SECONDS, SETTLE_SECONDS, WARM_UP, WARM_UP_RATE
from tests.bench.peers.peer import Peer

#: Reports a second that are drawn, published and recounted before a peer starts.
_PREPARED_A_SECOND = 25_000
#: A start, and the deletion of the topics afterwards.
_AROUND_SECONDS = 8.0


@dataclass(frozen=True)
class Planned:
    """What one peer is given.

    Attributes:
        reports: those of throughput; 0 where it is not measured.
        recovery_reports: the same of recovery.
        rates: reports a second at which latency is measured.
        seconds: about how long all of it takes.
    """

    peer: Peer
    reports: int
    recovery_reports: int
    rates: Sequence[int]
    seconds: float


def planned(
    peer: Peer, measures: Collection[str], reports: int, recovery_reports: int, rates: Sequence[int], seconds: int
) -> Planned:
    """Return what a peer is given of what was asked for."""
    # The yardstick keeps nothing that could be recovered or queried.
    keeps = peer.found is not None
    counts = [
        min(count, peer.at_most or count) if wanted else 0
        for count, wanted in (
            (reports, "throughput" in measures),
            (recovery_reports, keeps and "recovery" in measures),
        )
    ]
    timed = rates if keeps and "latency" in measures else ()
    takes = sum(
        count * (1 / peer.about_a_second + 1 / _PREPARED_A_SECOND) + _AROUND_SECONDS + 2 * SETTLE_SECONDS
        for count in counts
        if count
    )
    for rate in timed:
        behind = max(0.0, rate * seconds / peer.about_a_second - seconds)
        takes += _AROUND_SECONDS + WARM_UP / min(WARM_UP_RATE, peer.about_a_second) + seconds
        takes += min(behind, BEHIND_SECONDS)
    return Planned(peer, *counts, timed, takes)


def written(plans: Sequence[Planned]) -> str:
    """Return the plan as lines for a person."""
    lines = []
    for plan in plans:
        given = [f"{plan.reports:,} reports"] if plan.reports else []
        given += [f"a kill in {plan.recovery_reports:,}"] if plan.recovery_reports else []
        given += [f"latency at {', '.join(f'{rate:,}' for rate in plan.rates)}/s"] if plan.rates else []
        lines.append(f"{plan.seconds / 60:5.1f} min  {plan.peer.title}: {'; '.join(given)}")
    whole = sum(plan.seconds for plan in plans)
    return "\n".join([*lines, f"{whole / 60:5.1f} min  in all on two idle cores, environments already made"])
