"""The workers of ``up`` under watch: one that stood still, or that found the disk full, is started again.

Standing still is a death that another start may well mend and that leaves nothing for a person to put right. A full
disk is for a person to put right, but ending with it would take along the own broker, and with that every record it
holds in memory. A broker that is gone or a fault of our own would only come back, so those end the command.
"""

from __future__ import annotations

from typing import Protocol

from schemas.errors import WorkerDied
from streams.cli.processes import Worker

#: Pauses before a worker is started again, in seconds; after as many restarts within an hour it is given up.
PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0)
FORGIVEN_SECONDS = 3_600.0
#: How long a ledger that found the disk full is left alone, again and again until there is room.
FULL_SECONDS = 5.0


class Say(Protocol):
    """Tells the person, or the program, what happens."""

    def __call__(self, event: str, text: str, **fields: object) -> None:
        """Tell one event, as a line of text or as fields."""


class Watched:
    """Looks after workers. ``workers`` is changed in place: whoever stops them stops those that run now."""

    def __init__(self, workers: list[Worker], say: Say) -> None:
        self._workers = workers
        self._say = say
        self._restarts: list[list[float]] = [[] for _ in workers]
        self._due: dict[int, float] = {}
        self._told: dict[int, str] = {}

    def look(self, now: float) -> None:
        """Look at every worker once; ``now`` is of the monotonic clock, in seconds.

        Raises:
            WorkerDied: one ended by itself, of anything but standing still or a full disk, or it stood still too often.
        """
        for place, worker in enumerate(self._workers):
            due = self._due.get(place)
            if due is None:
                self._check(place, worker, now)
            elif now >= due:
                del self._due[place]
                self._workers[place] = worker.again()

    def _check(self, place: int, worker: Worker, now: float) -> None:
        try:
            worker.check()
        except WorkerDied as death:
            if death.full:
                self._due[place] = now + FULL_SECONDS
                self._say("full", f"{death}; trying again in {FULL_SECONDS:.0f} s", role=worker.role)
                return
            past = self._restarts[place] = [at for at in self._restarts[place] if now - at < FORGIVEN_SECONDS]
            if not death.stalled or len(past) >= len(PAUSES):
                raise
            pause = PAUSES[len(past)]
            past.append(now)
            self._due[place] = now + pause
            text = f"{death}; starting it again in {pause:.0f} s ({len(past)} of {len(PAUSES)} within an hour)"
            self._say("restart", text, role=worker.role, reason=str(death), restarts=len(past), pause_seconds=pause)
            return
        if worker.probes is not None and self._told.get(place) != worker.probes:
            self._told[place] = worker.probes
            self._say(
                "probes", f"probes of the {worker.name}: {worker.probes}", role=worker.role, address=worker.probes
            )
