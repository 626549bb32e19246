"""Verification of a published file: rebuilt from its own records and compared, then recounted.

The rebuild goes through intake and ledger once more, and finds whatever was altered. The recount shares no code with
them, and finds whatever they do wrong. Each step yields the differences it finds.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from sinks.faults import mapped
from sinks.interrupts import interruptible
from sinks.opening import StoreLimits
from sinks.verify import RECOUNT, Check
from sinks.verify.bounds import check_feeds, check_offsets, check_sources
from sinks.verify.comparison import Comparison, side_by_side
from sinks.verify.difference import Difference
from sinks.verify.not_rebuilt import NOT_REBUILT, SENTENCES
from sinks.verify.published import Published, hold
from sinks.verify.rebuilt import check_shape
from sinks.verify.shards import ShardRecount
from streams.verify.rebuild import rebuild

__all__ = ["NOT_REBUILT", "STEPS", "Difference", "Step", "verify"]

#: Told how many steps are done, and what goes on.
Progress = Callable[[int, str], None]


class Verification:
    """One verification under way: the recorded file, and from the second step on the rebuilt one."""

    def __init__(
        self, file: Published, folder: Path, stack: ExitStack, memory: str, note: Callable[[str], None]
    ) -> None:
        self.file = file
        self.recount = stack.enter_context(closing(ShardRecount(file)))
        self._stack = stack
        self._memory = memory
        self._note = note
        self._folder = folder
        self._past = True
        self._both: Comparison | None = None

    def rebuilt(self) -> Comparison:
        """Return both files side by side, rebuilding the one at the first call."""
        if self._both is None:
            made = rebuild(self.file, self._folder, self._folded, self._memory)
            self._past = not made.untold
            self._both = self._stack.enter_context(side_by_side(self.file.held, made.path))
        return self._both

    def rebuilding(self) -> Iterator[Difference]:
        """Rebuild the file, which finds nothing yet, and begin to recount its shards beside that."""
        self.recount.begin()
        self.rebuilt()
        yield from ()

    def tables(self) -> Iterator[Difference]:
        """Yield how the first table differs that does."""
        for table in self.rebuilt().tables():
            found = self.rebuilt().of_table(
                table, software=self.file.of_this_software, sentences=self.file.same_sentences, past=self._past
            )
            if (first := next(found, None)) is not None:
                yield first
                yield from found
                return

    def interrupt(self) -> None:
        """End the queries under way, with an error; any thread may ask."""
        self.file.interrupt()
        if self._both is not None:
            self._both.interrupt()

    def _folded(self, records: int) -> None:
        self._note(f"{records:,} records")
        self.recount.go_on()


class Step(NamedTuple):
    """One step with the name a person sees while it runs."""

    name: str
    check: Callable[[Verification], Iterator[Difference]]


def _counted(check: Check) -> Callable[[Verification], Iterator[Difference]]:
    return lambda run: check(run.recount)


STEPS: tuple[Step, ...] = (
    Step("tables, views and macros", lambda run: check_shape(run.file)),
    Step("which offsets its records have", lambda run: check_offsets(run.file)),
    Step("rebuilding it from its records", Verification.rebuilding),
    Step("every table against the rebuilt one", Verification.tables),
    Step("feeds and outcomes", lambda run: check_feeds(run.file, run.rebuilt())),
    Step("how far its sources were read", lambda run: check_sources(run.file, run.rebuilt())),
    *(Step(name, _counted(check)) for name, check in RECOUNT),
)


def verify(
    path: Path, progress: Progress | None = None, limit: int = 1, memory: str = StoreLimits.memory
) -> list[Difference]:
    """Rebuild and recount a published file and return the first differences, none when the file is right.

    It stops after the first step that finds any: what is wrong there shows again in all that rests on it.

    Args:
        path: the published copy; it is opened read-only and never written.
        progress: told how many steps are done, and which one runs: before the first and after each.
        limit: the most differences to return.
        memory: the most the rebuilt file's store may take.

    Raises:
        StoreFull: there is no room for the rebuilt file.
        StoreUnavailable: the file cannot be opened or read, or is no file of a ledger's.
        UsageError: it is of an earlier version, or was judged with time zones that cut its days otherwise.
        KeyboardInterrupt: Ctrl-C, which ends the query under way.
    """
    told = progress or (lambda *_: None)
    with ExitStack() as stack:
        stack.enter_context(_without_collector())
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="trucewatch-verify-")))
        # A ledger that runs puts newer copies in its place.
        file = stack.enter_context(closing(Published(path, hold(path, folder))))
        (rebuilt := folder / "rebuilt").mkdir()
        done = 0
        run = Verification(file, rebuilt, stack, memory, lambda text: told(done, f"{STEPS[done].name}: {text}"))
        stack.enter_context(interruptible(run.interrupt))
        for done, step in enumerate(STEPS):
            told(done, step.name)
            with mapped(path):
                found = step.check(run)
                if not file.same_sentences:
                    found = (each for each in found if each.column not in SENTENCES)
                differences = list(islice(found, limit))
            if differences:
                return differences
        told(len(STEPS), "")
    return []


@contextmanager
def _without_collector() -> Iterator[None]:
    """Keep the collector of reference cycles from looking through millions of reports that all stay: a fifth."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
