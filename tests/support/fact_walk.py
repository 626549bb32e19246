"""Walk of one fact through the ledger's core, counted by a trace.

``python -m tests.support.fact_walk`` prints it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from tests.support.worlds import TRUCE, World, at, incident, tick

_CORE = Path("streams") / "ledger" / "core"


class FactWalk(NamedTuple):
    """Rooms of the core, each a module or a folder, in the order of the first visit; and calls back into one."""

    rooms: list[str]
    returns: int


def traced(action: Callable[[], object]) -> FactWalk:
    """Run ``action``; return its walk. A call from one room into another enters it, or returns to it."""
    rooms: list[str] = []
    returns = 0

    def note(frame: FrameType, event: str, _: object) -> None:
        nonlocal returns
        room, caller = _room(frame), None if frame.f_back is None else _room(frame.f_back)
        if event != "call" or room is None or room == caller:
            return
        if room not in rooms:
            rooms.append(room)
        elif caller is not None:
            returns += 1

    sys.setprofile(note)
    try:
        action()
    finally:
        sys.setprofile(None)
    return FactWalk(rooms, returns)


def _room(frame: FrameType) -> str | None:
    _, within, name = frame.f_code.co_filename.rpartition(f"{_CORE}/")
    return name.partition("/")[0].removesuffix(".py") if within else None


def walks() -> dict[str, FactWalk]:
    """Return the walks of a fresh incident and of its correction, each with the tick that judges its one day."""
    world = World(TRUCE.model_copy(update={"regions": ["SY01"], "gate_regions": ["SY01"]}))
    now = at(0, 20)
    world.tell(tick(now))
    return {
        f"{step} of {name}": traced(partial(world.tell, fact))
        for name, report in (("a fresh incident", incident("i1")), ("a correction", incident("i1", revision=2)))
        for step, fact in (("folding", report), ("judging", tick(now)))
    }


if __name__ == "__main__":
    for name, walk in walks().items():
        print(f"{name}: {len(walk.rooms)} rooms, {walk.returns} returns: {', '.join(walk.rooms)}")
