"""Recount of incidents, verdicts and windows, one shard of regions after the other.

Two reports are related by lying in one region, or by one naming the other. A shard holds all regions that reports
naming each other tie together, so that nothing outside it can change an incident within. Memory is bounded by the
largest shards, and two are recounted at once. The rules know nothing of it.
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


def check_each(name: str) -> Callable[[Published], Iterator[Difference]]:
    """Return the check called ``name``, of all shards; the first that is asked recounts them."""

    def check(file: Published) -> Iterator[Difference]:
        if file.recounted is None:
            file.recounted = _recounted(file)
        yield from file.recounted[name]

    return check


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


def _recounted(file: Published) -> Found:
    """Return what is found in any shard, by check, after what lies in none."""
    found: Found = {name: [] for name in OF_A_SHARD}
    for name, difference in islice(_in_no_shard(file), MOST_KEPT):
        found[name].append(difference)
    of_all = shards(file)
    many = file.select("select count(*) from reports")[0][0] >= MANY and len(of_all) > 1
    past = Past(file)
    for each in in_processes(file, of_all) if many else (recount_shard(past, regions) for regions in of_all):
        for name, differences in each.items():
            found[name] += differences
    return found


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


def in_processes(file: Published, of_all: list[Regions]) -> Iterator[Found]:
    """Yield what is found in each shard, each in a process of its own: its memory ends with it.

    Raises:
        StoreUnavailable: a process ended by itself.
        Exception: whatever was raised in one.
    """
    spawn, ahead = get_context("spawn"), deque(of_all)
    running: dict[Connection, SpawnProcess] = {}
    try:
        while ahead or running:
            while ahead and len(running) < min(PROCESSES, os.cpu_count() or 1):
                answer, told = spawn.Pipe(duplex=False)
                process = spawn.Process(target=_run, args=(file.path, file.held, ahead.popleft(), told), daemon=True)
                process.start()
                # Held here as well, the end of the process would not show.
                told.close()
                running[answer] = process
            ready = wait(list(running))
            for answer in [each for each in running if each in ready]:
                process = running.pop(answer)
                try:
                    found: Found | Exception = answer.recv()
                except EOFError:
                    raise StoreUnavailable(f"the recount of {file.path} ended by itself: was there memory?") from None
                finally:
                    answer.close()
                    process.join()
                if isinstance(found, Exception):
                    raise found
                yield found
    finally:
        for process in running.values():
            process.terminate()
            process.join()


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
