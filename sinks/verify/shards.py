"""Recount of incidents, verdicts and windows, by shards of regions.

Two reports are related by lying in one region, or by one naming the other. A shard holds all regions that reports
naming each other tie together, so that nothing outside it can change an incident within. Memory is bounded by the
largest shards. Where there are many reports two shards are recounted at once, beside whatever else is checked. The
rules know nothing of it.
"""

from __future__ import annotations

import gc
import os
import signal
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from itertools import islice
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import cast

from schemas.errors import StoreUnavailable
from sinks.verify.difference import Difference, Row
from sinks.verify.history import Identity
from sinks.verify.incident_rows import read_raw, revisions
from sinks.verify.linked_rows import check_linked_incidents, check_linked_reports
from sinks.verify.linking import Linking, identity_named
from sinks.verify.past import Past
from sinks.verify.published import Published
from sinks.verify.standing import check_windows
from sinks.verify.verdict_rows import check_verdicts

#: Reports from which on shards are worth a process each.
MANY = 200_000
PROCESSES = 2
_SPAWN = get_context("spawn")
#: What the queries of each may take, beside its reports.
MEMORY = "2GB"
#: Differences of one check and shard that are kept: one more than any caller asks for.
MOST_KEPT = 1_001

Regions = tuple[str, ...]
#: What each check of a shard found.
Found = dict[str, list[Difference]]

#: Reports that may name others. A letter of a field's name is written otherwise by an escape alone.
_NAMING = """
select feed, report_id, raw from reports
where type = 'incident' and (contains(raw, 'same_as') or contains(raw, 'merged_into') or contains(raw, '\\u'))
"""
_OF_NO_INCIDENT = """
select l.incident_feed, l.incident_report_id, l.feed, l.report_id from linked_reports l anti join linked_incidents i
on i.feed = l.incident_feed and i.report_id = l.incident_report_id order by all
"""


def check_each(name: str) -> Callable[[ShardRecount], Iterator[Difference]]:
    """Return the check called ``name``, of all shards."""
    return lambda recount: iter(recount.found()[name])


class ShardRecount:
    """Recount of a file's shards, which the first check that asks for it waits for."""

    def __init__(self, file: Published) -> None:
        self.file = file
        self._beside: ShardProcesses | None = None
        self._found: Found | None = None

    def begin(self) -> None:
        """Begin it beside what else is done, if there is enough to recount."""
        if self.file.select("select count(*) from reports")[0][0] >= MANY and len(of_all := shards(self.file)) > 1:
            self._beside = ShardProcesses(self.file, of_all)

    def go_on(self) -> None:
        """Let it go on: to be called now and then once it has begun, as ``ShardProcesses.go_on`` raises."""
        if self._beside is not None:
            self._beside.go_on()

    def close(self) -> None:
        """End what still runs."""
        if self._beside is not None:
            self._beside.close()

    def found(self) -> Found:
        """Return what is found in any shard, by check, after what lies in none."""
        if self._found is None:
            found = self._found = {name: [] for name in OF_A_SHARD}
            for name, difference in islice(_in_no_shard(self.file), MOST_KEPT):
                found[name].append(difference)
            for each in self._here() if self._beside is None else self._beside.found():
                for name, differences in each.items():
                    found[name] += differences
        return self._found

    def _here(self) -> Iterator[Found]:
        past = Past(self.file)
        for regions in shards(self.file):
            yield recount_shard(past, regions)


def shards(file: Published) -> list[Regions]:
    """Return the agreement's regions, those together that reports naming each other tie together."""
    tied = {region: {region} for region in file.agreement.regions}
    if file.agreement.linking is not None:
        for regions in _tied(file):
            together: set[str] = set().union(*(tied.get(region, {region}) for region in regions))
            tied |= dict.fromkeys(together, together)
    groups = {id(tied[region]): tied[region] for region in file.agreement.regions}
    return [tuple(sorted(group)) for group in groups.values()]


def _tied(file: Published) -> Iterator[set[str]]:
    """Yield the regions of any revision of two reports one of which names the other."""
    names: set[tuple[Identity, Identity]] = set()
    for feed, report_id, raw in file.stream(_NAMING):
        told = read_raw(file, raw)
        named = [identity_named(name) for name in getattr(told, "same_as", ())]
        if (into := getattr(told, "merged_into", None)) is not None:
            named.append((feed, into))
        names |= {((feed, report_id), other) for other in named}
    wanted = {identity for pair in names for identity in pair}
    lying: dict[Identity, set[str]] = defaultdict(set)
    if wanted:
        for feed, report_id, region in file.stream(
            "select distinct feed, report_id, region from reports where type = 'incident'"
        ):
            if (feed, report_id) in wanted:
                lying[feed, report_id].add(region)
    for one, other in names:
        yield lying[one] | lying[other]


def _in_no_shard(file: Published) -> Iterator[tuple[str, Difference]]:
    """Yield, with the check it belongs to, each row of a region that is none of the agreement's, or of no incident."""
    linked, reports, _, windows = OF_A_SHARD
    elsewhere = "region is null or region not in (select unnest($1::varchar[])) order by all"
    for check, table, key in ((linked, "linked_incidents", "feed, report_id"), (windows, "region_windows", "as_of")):
        sql = f"select {key}, region from {table} where {elsewhere}"  # noqa: S608
        for *row, region in file.select(sql, [list(file.agreement.regions)]):
            yield check, Row(table, *row).differs("region", region, "a region of the agreement")
    for names in file.select(_OF_NO_INCIDENT):
        yield reports, Row("linked_reports", *names).differs("", "a row", None)


def recount_shard(past: Past, regions: Regions) -> Found:
    """Return what is found in one shard; checks after the first that finds anything rest on what is wrong."""
    file = past.file
    linking = Linking(file.agreement, file.days, revisions(file, regions), regions)
    found: Found = {}
    for name, check in OF_A_SHARD.items():
        found[name] = list(islice(check(past, linking), MOST_KEPT))
        if found[name]:
            break
    return found


OF_A_SHARD: dict[str, Callable[[Past, Linking], Iterator[Difference]]] = {
    "reports joined to incidents": check_linked_incidents,
    "why each report belongs to its incident": check_linked_reports,
    "every version of every verdict": check_verdicts,
    "windows and streaks": check_windows,
}


class ShardProcesses:
    """Recount of shards in a process each, some at a time: the memory of a shard ends with its process.

    Args:
        of_all: the shards; the first ones begin at once.
    """

    def __init__(self, file: Published, of_all: list[Regions]) -> None:
        self._file = file
        self._ahead = deque(of_all)
        self._running: dict[Connection, SpawnProcess] = {}
        self._found: list[Found] = []
        self.go_on()

    def go_on(self, wait_seconds: float | None = 0.0) -> None:
        """Take what has been found, and begin the next shards.

        Args:
            wait_seconds: how long to wait for a shard to be done; None for as long as it takes.

        Raises:
            StoreUnavailable: a process ended by itself.
            Exception: whatever was raised in one.
        """
        for answer in wait(list(self._running), wait_seconds) if self._running else ():
            self._take(cast("Connection", answer))
        while self._ahead and len(self._running) < min(PROCESSES, os.cpu_count() or 1):
            self._begin(self._ahead.popleft())

    def found(self) -> list[Found]:
        """Wait for all shards and return what is found in each, as ``go_on`` raises."""
        while self._running:
            self.go_on(None)
        return self._found

    def close(self) -> None:
        """End the processes that still run."""
        for process in self._running.values():
            process.terminate()
            process.join()
        self._running.clear()

    def _begin(self, regions: Regions) -> None:
        answer, told = _SPAWN.Pipe(duplex=False)
        process = _SPAWN.Process(target=_run, args=(self._file.path, self._file.held, regions, told), daemon=True)
        process.start()
        # Held here as well, the end of the process would not show.
        told.close()
        self._running[answer] = process

    def _take(self, answer: Connection) -> None:
        process = self._running.pop(answer)
        try:
            found: Found | Exception = answer.recv()
        except EOFError:
            raise StoreUnavailable(f"the recount of {self._file.path} ended by itself: was there memory?") from None
        finally:
            answer.close()
            process.join()
        if isinstance(found, Exception):
            raise found
        self._found.append(found)


def _run(path: Path, held: Path, regions: Regions, told: Connection) -> None:
    # Ctrl-C reaches every process of a terminal; the first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()
    try:
        file = Published(path, held)
        file.select(f"set memory_limit = '{MEMORY}'")
        told.send(recount_shard(Past(file), regions))
    except Exception as error:
        told.send(error)
    finally:
        # Nothing is left to write, and to free a million reports one by one takes seconds.
        told.close()
        os._exit(0)
