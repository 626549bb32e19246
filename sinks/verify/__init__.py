"""Recount of a published file from the raw reports it keeps.

It shares nothing with the ledger's code. Each check is a function from the open file to the differences it
finds. The checks build on each other: the first proves the columns of ``reports`` against the raw bytes, and
later ones may count by those columns.

A file cannot prove some things, and no check claims them: ``NOT_CHECKED`` lists their columns. Where a place was
located by a point, by polygons or by a gazetteer of one's own, and of ``cause``, only contradictions are found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from sinks.faults import mapped
from sinks.interrupts import interruptible
from sinks.verify.bookkeeping import check_about, check_feeds, check_offsets, check_rejects
from sinks.verify.by_type import (
    check_bulletins,
    check_convoy_events,
    check_convoys,
    check_coverage,
    check_declarations,
    check_joined_claims,
)
from sinks.verify.causes import check_causes
from sinks.verify.difference import Difference
from sinks.verify.linked_rows import check_incidents, check_linked_incidents, check_linked_reports
from sinks.verify.not_checked import NOT_CHECKED, SENTENCES
from sinks.verify.published import Published
from sinks.verify.pullback import check_position_findings, check_positions
from sinks.verify.redrives import check_redrives
from sinks.verify.report_rows import check_reports
from sinks.verify.shape import check_shape
from sinks.verify.silence import check_silence
from sinks.verify.sources import check_sources
from sinks.verify.standing import check_gate, check_windows
from sinks.verify.tallies import check_day_tallies, check_feed_tallies
from sinks.verify.verdict_rows import check_verdicts, check_versions

__all__ = ["NOT_CHECKED", "STEPS", "Difference", "Step", "verify"]


class Step(NamedTuple):
    """One check with the name a person sees while it runs."""

    name: str
    check: Callable[[Published], Iterator[Difference]]


STEPS: tuple[Step, ...] = (
    Step("tables, views and macros", check_shape),
    Step("the agreement, its regions and truce-days", check_about),
    Step("how far the file has read", check_offsets),
    Step("where in Kafka its records lay", check_sources),
    Step("every report against its raw bytes", check_reports),
    Step("rejected records", check_rejects),
    Step("records published again", check_redrives),
    Step("convoy steps", check_convoy_events),
    Step("coverage notices", check_coverage),
    Step("bulletins", check_bulletins),
    Step("declarations", check_declarations),
    Step("positions", check_positions),
    Step("positions against the lines", check_position_findings),
    Step("reports joined to incidents", check_linked_incidents),
    Step("why each report belongs to its incident", check_linked_reports),
    Step("counts by day", check_day_tallies),
    Step("counts by feed", check_feed_tallies),
    Step("the incidents one by one", check_incidents),
    Step("convoys", check_convoys),
    Step("why each claim belongs to its convoy", check_joined_claims),
    # Versions first: a present row is compared with its last version.
    Step("every version of every verdict", check_versions),
    Step("what each version came of", check_causes),
    Step("verdicts", check_verdicts),
    Step("windows and streaks", check_windows),
    Step("the gate and its history", check_gate),
    Step("who was silent since when", check_silence),
    Step("feeds and outcomes", check_feeds),
)


def verify(path: Path, progress: Callable[[int, int], None] | None = None, limit: int = 1) -> list[Difference]:
    """Recount a published file and return the first differences, none when the file is right.

    It stops after the first step that finds any: what is wrong there shows again in all that rests on it.

    Args:
        path: the published copy; it is opened read-only and never written.
        progress: told (steps done, steps in all) before the first step and after each; the step that runs while
            ``done`` are done is ``STEPS[done]``.
        limit: the most differences to return.

    Raises:
        StoreUnavailable: the file cannot be opened or read, or is no file of a ledger's.
        UsageError: it is of an earlier version, or was judged with time zones that cut its days otherwise.
        KeyboardInterrupt: Ctrl-C, which ends the query under way.
    """
    with closing(Published(path)) as file, interruptible(file.interrupt):
        for done, step in enumerate(STEPS):
            if progress is not None:
                progress(done, len(STEPS))
            with mapped(path):
                found = step.check(file)
                if not file.same_sentences:
                    found = (each for each in found if each.column not in SENTENCES)
                differences = list(islice(found, limit))
            if differences:
                return differences
        if progress is not None:
            progress(len(STEPS), len(STEPS))
    return []
