"""Named steps of intake and ledger at which a process can be made to die or to stand still.

The guarantee that ``kill -9`` at any instant changes nothing is only as good as the instants that were tried; these
are the ones between which something outside the process changes. A deployment arms none, and then a step costs one
comparison.
"""

from __future__ import annotations

import os
import re
import signal
from typing import Literal, NamedTuple, cast, get_args

from schemas.errors import UsageError

Step = Literal[
    "intake.read",  # a batch was read, nothing was made of it
    "intake.examined",  # its facts are in memory
    "intake.produced",  # one topic has its facts, others may not
    "intake.acknowledged",  # all facts are written, the offset is not committed
    "intake.committed",
    "ledger.read",  # a batch waits to be flushed
    "ledger.decoded",  # a flush has begun
    "ledger.asked",  # the store answered which reports it knows
    "ledger.folded",  # everything is judged, nothing is written
    "ledger.told",  # committed, and Kafka's group offset with it
    "receipts.refused",  # receipts of refused reports are written, rejects may not be
    "receipts.kept",  # the flush's receipts are in their file, its rows are not committed
    "receipts.told",  # the receipts are written, their file is still there
    "verdicts.told",  # the verdicts topic has what the flush changed
    "outbox.keeping",  # checked reports are numbered, not committed
    "outbox.kept",
    "outbox.sent",  # the broker has reports, the outbox does not say so
    "outbox.noting",
    "outbox.noted",
    "outbox.read",  # receipts are in memory
    "outbox.telling",
    "outbox.told",
    "notify.noting",  # events and position are written, not committed
    "notify.noted",
    "notify.delivered",  # a receiver has an event, the log does not say so
    "notify.taken",
    "store.migrating",  # the tables are made, not committed
    "store.migrated",
    "store.viewing",  # views, macros and comments are made anew, not committed
    "store.settling",  # the log was compared, not committed
    "store.opened",
    "store.staged",  # rows are written in the open transaction, for the court to ask about
    "store.written",  # all rows and offsets are written, not committed
    "store.committed",
    "store.checkpointing",  # about to fold the write-ahead log into the file
    "store.checkpointed",
    "copy.half",  # the new copy is begun
    "copy.written",  # the new copy is beside the old one, not yet on disk for certain
    "copy.synced",
    "copy.kept",  # the old copy has the name of the earlier one as well
    "copy.replaced",  # it has taken the old one's place
]
STEPS: tuple[Step, ...] = get_args(Step)

#: ``step``, ``step:3`` for the third time it is reached; ``step:3:stop`` to be stopped there instead of dying,
#: ``step:3:hold`` to stand still in a call that lets no other thread of Python run.
PATTERN = r"^[a-z]+\.[a-z]+(:[1-9][0-9]*(:(kill|stop|hold))?)?$"
Act = Literal["kill", "stop", "hold"]


class Armed(NamedTuple):
    """What is to happen, where, and at which time of getting there."""

    step: str
    time: int
    act: Act


class _State:
    armed: Armed | None = None
    times = 0


def arm(text: str | None) -> None:
    """Arm one step as a setting writes it; None disarms.

    Raises:
        UsageError: there is no such step, or it is not written so.
    """
    _State.times = 0
    if text is None:
        _State.armed = None
        return
    if re.match(PATTERN, text) is None:
        raise UsageError(f"a failpoint is written step[:time[:kill|stop|hold]], not {text!r}")
    step, _, rest = text.partition(":")
    time, _, act = rest.partition(":")
    if step not in STEPS:
        raise UsageError(f"there is no step {step!r}; there are {', '.join(STEPS)}")
    _State.armed = Armed(step, int(time or 1), cast("Act", act or "kill"))


def reached(step: Step) -> None:
    """Note that ``step`` was reached: where it is armed for this time, the process meets its end there."""
    armed = _State.armed
    if armed is None or armed.step != step:
        return
    _State.times += 1
    if _State.times != armed.time:
        return
    if armed.act == "hold":
        # Takes longer than the world is old, in C and with the interpreter's lock held.
        re.match("(a*)*b", "a" * 100)
    else:
        os.kill(os.getpid(), signal.SIGKILL if armed.act == "kill" else signal.SIGSTOP)
