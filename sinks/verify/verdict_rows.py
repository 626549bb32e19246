"""Verdicts judged again: every version and every line of figures, from what its tick could know, and all between."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import pairwise
from typing import Any

from schemas.rows import LEGS, RECORDED, VERDICT_COLUMNS, DayVerdict
from schemas.truceday import Micros
from sinks.verify.difference import Difference, Row
from sinks.verify.linking import Linking
from sinks.verify.past import Past, RegionPast
from sinks.verify.published import Published
from sinks.verify.recount import NaiveVerdict
from sinks.verify.ticks import Ticks

#: What makes a new version whenever it changes; figures do so only once the day is FINAL.
FINDINGS = (*LEGS, "violence_limit", "evidence")
FIGURES = tuple(name for name in DayVerdict._fields if name not in {*RECORDED, *FINDINGS, "verdict", "reasons"})
#: What a judgement decides of a row.
JUDGED = ("verdict", *FINDINGS, *FIGURES)


def check_verdicts(past: Past, linking: Linking) -> Iterator[Difference]:
    """Judge every version and line of figures again at its own tick, the row in force between them, and at the last.

    A tick that no row tells of may have judged in between: what it found was what stood already.
    """
    file, ticks = past.file, Ticks(past.file)
    due = set(file.days.judged(file.agreement, file.judged_at)) if file.judged_at is not None else set()
    for region in sorted(linking.regions.intersection(file.agreement.regions)):
        of_region = past.of(region, linking)
        judged = _by_day(file, "verdict_log", DayVerdict._fields, region)
        present = _by_day(file, "day_verdicts", VERDICT_COLUMNS, region)
        for day in sorted(due ^ judged.keys()):
            yield Row("day_verdict_versions", region, day).differs(
                "", *(("a row", None) if day in judged else (None, "a row"))
            )
        for day in sorted(due & judged.keys()):
            yield from History(of_region, day, [DayVerdict(*row) for row in judged[day]]).check(ticks, present[day])
            of_region.forget(day)


class History:
    """The verdict log of a region and day: the row as it stood at any tick."""

    def __init__(self, past: RegionPast, day: date, rows: Sequence[DayVerdict]) -> None:
        self._past = past
        self._file = past.file
        self._day = day
        self._rows = rows
        self._versions = [row for row in rows if row.new_version]
        self._made = [row.tick_offset for row in rows]

    def at(self, tick: int) -> DayVerdict | None:
        """Return the row as it stood once ``tick`` was judged; None when there was none yet."""
        index = bisect_right(self._made, tick)
        return self._rows[index - 1] if index else None

    def check(self, ticks: Ticks, present: Sequence[Sequence[Any]]) -> Iterator[Difference]:
        """Judge all of it again; ``present`` are the rows of the day in ``day_verdicts``."""
        first = ticks.first_at(self._file.days.start(self._day))
        row = self._row("day_verdict_versions", "version 1")
        yield from row.claim("tick_offset", self._made[0], self._made[0] == first, first)
        for number, told in enumerate(self._rows):
            final = self._is_final(told.recorded_at)
            if told.new_version:
                row = self._row("day_verdict_versions", f"version {told.version}")
                state = self._state(self._rows[: number + 1], told.recorded_at)
                yield from row.compare(("state",), (told.state,), (state,))
            else:
                row = self._row("day_figures", f"tick {told.tick_offset}")
                state = self._file.days.state(self._day, self._file.agreement.lateness, told.recorded_at)
                yield from row.claim("state", told.state, told.state == state and not final, f"{state}, and not FINAL")
            yield from self._judged(row, told, JUDGED, told.tick_offset, told.recorded_at)
            # Before a day is final its figures move without a new version.
            yield from self._news(row, told, final=final)
        judged = {(row.tick_offset, row.recorded_at) for row in self._rows}
        for tick, now in self._moments(ticks):
            in_force = self.at(tick)
            if in_force is not None and (tick, now) not in judged:
                row = self._row("day_verdict_versions", f"version {in_force.version} at tick {tick}")
                yield from self._judged(row, in_force, JUDGED, tick, now)
        yield from self._check_present(present)

    def _row(self, table: str, *which: str) -> Row:
        return Row(table, self._past.region, self._day, *which)

    def _judged(
        self, row: Row, stored: DayVerdict, names: Sequence[str], tick: int, now: Micros
    ) -> Iterator[Difference]:
        """Compare what a row says with what a tick had to find; where a notice's regions are unknown nobody can."""
        if self._past.unclear(self._day, tick):
            return
        verdict = self._past.judge(self._day, now, tick)
        recounted = _recounted(verdict)
        for name in names:
            value = getattr(stored, name)
            yield from row.compare((name,), (_parsed(value) if name == "evidence" else value,), (recounted[name],))
        # No mere wording, whatever edition wrote it: whether a day is AMENDED hangs on it.
        nobody = verdict.reasons[0].get("told_of", True) is False
        yield from row.claim("reasons.told_of", stored.reasons, _told_of_by_nobody(stored) == nobody, not nobody)
        wanted = json.dumps(verdict.reasons, ensure_ascii=False)
        if verdict.watch_told is None or not self._past.unlocated(tick):
            yield from row.compare(("reasons",), (stored.reasons,), (wanted,))
            return
        # Who had watched before can no longer be told, and that is how the sentence ends.
        known, _, rest = wanted.partition("% needed")
        access = rest[rest.index("}") :]
        right = stored.reasons.startswith(f"{known}% needed") and stored.reasons.endswith(access)
        yield from row.claim("reasons", stored.reasons, right, f"{known}% needed ...{access}")

    def _news(self, row: Row, new: DayVerdict, *, final: bool) -> Iterator[Difference]:
        """A row is there because something moved that makes one."""
        before = self.at(new.tick_offset - 1)
        moving = ("reasons", *FIGURES) if final or not new.new_version else ()
        names = [*(FINDINGS if new.new_version else ()), *moving]
        news = before is None or any(getattr(before, name) != getattr(new, name) for name in names)
        yield from row.claim("", f"tick {new.tick_offset}", news, "nothing moved, so no row")

    def _moments(self, ticks: Ticks) -> list[tuple[int, Micros]]:
        """Return the first known tick after every fact that may have changed what the day rests on, and the last."""
        past, moments = self._past, {ticks.after(change) for change in self._past.changes(self._day)}
        change = past.next_change(self._day, 0)
        while change is not None and (tick := ticks.after(change)) is not None:
            moments.add(tick)
            change = past.next_change(self._day, tick[0])
        moments.add(ticks.told[-1] if ticks.told else None)
        return sorted(moment for moment in moments if moment is not None)

    def _check_present(self, present: Sequence[Sequence[Any]]) -> Iterator[Difference]:
        row, last = self._row("day_verdicts"), self.at(self._file.last_tick)
        yield from row.claim("", f"{len(present)} rows", len(present) == 1, "1 row")
        now = self._file.judged_at
        if last is None or now is None or not present or not self._versions:
            return
        made = self._versions[-1]
        wanted = last._replace(
            state=self._state(self._rows, now),
            recorded_at=made.recorded_at,
            tick_offset=made.tick_offset,
            cause=made.cause,
        )
        yield from row.compare(VERDICT_COLUMNS, present[0], [getattr(wanted, name) for name in VERDICT_COLUMNS])

    def _is_final(self, now: Micros) -> bool:
        return self._file.days.state(self._day, self._file.agreement.lateness, now) == "FINAL"

    def _state(self, rows: Sequence[DayVerdict], now: Micros) -> str:
        """Return the state at ``now`` of a day with these rows so far."""
        for before, after in pairwise(rows):
            if after.new_version and self._is_final(after.recorded_at) and not _told_of_by_nobody(before):
                return "AMENDED"
        return self._file.days.state(self._day, self._file.agreement.lateness, now)


def _by_day(file: Published, table: str, names: Sequence[str], region: str) -> defaultdict[date, list[Any]]:
    found: defaultdict[date, list[Any]] = defaultdict(list)
    sql = f"select {file.columns(table, names)} from {table} where region = ? order by tick_offset"  # noqa: S608
    for values in file.stream(sql, [region]):
        found[values[1]].append(values)
    return found


def _recounted(verdict: NaiveVerdict) -> dict[str, Any]:
    told = {name: getattr(verdict, name) for name in JUDGED if hasattr(verdict, name)}
    return {
        **told,
        "violence_limit": float(verdict.limit),
        "covered_share": float(verdict.share),
        "evidence": {leg: list(names) for leg, names in verdict.evidence.items()},
    }


def _told_of_by_nobody(row: DayVerdict) -> bool:
    """Whether a row says that no report, notice, bulletin or pending reject stands behind it."""
    try:
        return json.loads(row.reasons)[0]["told_of"] is False
    except (ValueError, LookupError, TypeError):
        # Texts of another form are told of where they are compared.
        return False


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text
