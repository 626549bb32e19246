"""A peer: what it is started with, how its progress is seen, and what it must have found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tests.bench.peers.job import Job
from tests.bench.peers.processes import Command
from tests.bench.peers.recount import Recount, Row, WindowKey, differing
from tests.bench.peers.watches import Watch

#: Rows a peer has in the end. It is asked once its processes have ended, with the watch that saw them.
Found = Callable[[Job, Watch], dict[WindowKey, Row]]


class Work(StrEnum):
    """What a peer does with the reports."""

    READS = "decodes each record"
    COUNTS = "counts and sums windows"
    EQUAL = "equal job"
    JUDGES = "judges"


@dataclass(frozen=True)
class Peer:
    """A program that reads the reports.

    Attributes:
        name: what ``PEERS=`` calls it.
        title: what tables call it.
        keeps: what it promises of its rows.
        versions: what it is made of, for the page.
        about_a_second: records a second it may take, for the plan alone.
        commands: makes its environment on first use.
        found: None where it keeps nothing.
        at_most: reports it is given, where more would take it hours.
        counts_unreadable: whether its progress counts records that are no JSON.
        links: whether the truce it judges links reports.
    """

    name: str
    title: str
    work: Work
    keeps: str
    versions: Callable[[], dict[str, str]]
    commands: Callable[[Job], Sequence[Command]]
    watch: Callable[[Job], Watch]
    about_a_second: int
    found: Found | None = None
    at_most: int | None = None
    counts_unreadable: bool = False
    links: bool = False

    def target(self, recount: Recount) -> int:
        """Return the progress at which it is through."""
        return recount.records if self.counts_unreadable else recount.readable

    def differing(self, job: Job, watch: Watch, recount: Recount) -> int | None:
        """Return how many of its windows differ from the recount; None where it keeps none."""
        if self.found is None:
            return None
        expected = recount.counted() if self.work is Work.COUNTS else recount.judged()
        return differing(self.found(job, watch), expected)
