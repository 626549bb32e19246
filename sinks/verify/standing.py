"""Windows, streaks and the gate, counted again from verdicts that were themselves judged again before."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from datetime import date

from schemas.rows import VERDICT_COLUMNS, DayVerdict, GateRow, WindowRow
from schemas.truceday import Micros
from sinks.verify.difference import Difference, Row
from sinks.verify.linking import Linking
from sinks.verify.past import Past
from sinks.verify.published import Published
from sinks.verify.recount import NaiveStreak, completed, oldest_trailing, streak, trailing, window
from sinks.verify.wording import gate_reason

#: What makes a new line of the gate's history.
GATE_CHANGES = GateRow._fields[2:]


def check_windows(past: Past, linking: Linking) -> Iterator[Difference]:
    """Check each region's last seven days, trailing 168 hours and streak as of the last tick."""
    file, names, now = past.file, WindowRow._fields, past.file.judged_at
    regions = sorted(linking.regions.intersection(file.agreement.regions))
    recounted = {}
    if now is not None:
        verdicts = _verdicts(file)
        for region in regions:
            row = _window(file, linking, verdicts.get(region, {}), region, now)
            recounted[row[:1]] = row[1:]
    where = "region in (select unnest($1::varchar[]))"
    yield from file.compare("region_windows", names, 1, recounted, where, [regions])


def _window(file: Published, linking: Linking, verdicts: dict[date, DayVerdict], region: str, now: Micros) -> WindowRow:
    days = window(file.agreement, file.days, now)
    rows = [verdicts[day] for day in days if day in verdicts]
    tolls = [row.deaths_best for row in rows if row.deaths_best is not None]
    since = oldest_trailing(now)
    begun = {report.identity for report in linking.by_region[region] if report.occurred_from >= since}
    led = [linking.led_by(identity, file.last_tick)[2] for identity in begun]
    incidents_168h, deaths_168h = trailing([each for each in led if each and each.content.region == region], now)
    ended = streak((day, verdicts[day].verdict) for day in completed(file.agreement, file.days, now) if day in verdicts)
    return WindowRow(
        region=region,
        as_of=now,
        first_day=days[0],
        last_day=days[-1],
        days_met=sum(row.verdict == "MET" for row in rows),
        days_broken=sum(row.verdict == "BROKEN" for row in rows),
        days_unknown=sum(row.verdict == "UNKNOWN" for row in rows),
        incidents=sum(row.incidents for row in rows),
        incidents_out_of_scope=sum(row.incidents_out_of_scope for row in rows),
        deaths_best=sum(tolls) if tolls else None,
        incidents_168h=incidents_168h,
        deaths_best_168h=deaths_168h,
        streak_days=ended.days,
        streak_ended_day=ended.ended_day,
        streak_ended_by=ended.ended_by,
    )


def check_gate(file: Published) -> Iterator[Difference]:
    """Check every line of the gate's history at its own tick, the last also at the last tick, and the gate with it."""
    columns = file.columns("gate_history", GateRow._fields)
    history = [GateRow(*row) for row in file.select(f"select {columns} from gate_history order by tick_offset")]  # noqa: S608
    gates = [GateRow(*row) for row in file.select(f"select {columns} from gate")]  # noqa: S608
    yield from Row("gate", "the gate").claim("", gates, gates == history[-1:], history[-1:])
    if not history:
        yield from Row("gate_history", "").claim("", None, file.judged_at is None, "a line")
        return
    verdicts = Verdicts(file)
    for before, line in zip([None, *history], history, strict=False):
        row = Row("gate_history", f"tick {line.tick_offset}")
        yield from _check_line(file, verdicts, row, line, line.recorded_at, line.tick_offset)
        news = before is None or any(getattr(before, name) != getattr(line, name) for name in GATE_CHANGES)
        yield from row.claim("", line, news, "nothing new, so no line")
    if file.judged_at is not None:
        yield from _check_line(file, verdicts, Row("gate", "the gate"), history[-1], file.judged_at, file.last_tick)


class Verdicts:
    """Every gate region's verdict of every day as of any tick, from the versions."""

    def __init__(self, file: Published) -> None:
        self._made: dict[tuple[str, date], tuple[list[int], list[str]]] = {}
        for region, day, offset, verdict in file.stream(
            "select region, truce_day, tick_offset, verdict from day_verdict_versions order by all"
        ):
            offsets, verdicts = self._made.setdefault((region, day), ([], []))
            offsets.append(offset)
            verdicts.append(verdict)

    def at(self, region: str, day: date, tick: int) -> str | None:
        """Return the verdict in force at ``tick``, None where none had been made."""
        offsets, verdicts = self._made.get((region, day), ([], []))
        index = bisect_right(offsets, tick)
        return verdicts[index - 1] if index else None


def _check_line(
    file: Published, verdicts: Verdicts, row: Row, line: GateRow, now: Micros, tick: int
) -> Iterator[Difference]:
    days = completed(file.agreement, file.days, now)
    streaks: list[NaiveStreak] = []
    for region in file.agreement.gate_regions:
        told = ((day, verdicts.at(region, day, tick)) for day in days)
        streaks.append(streak((day, verdict) for day, verdict in told if verdict is not None))
    required = file.agreement.clock.required_days
    holding = sum(found.days >= required for found in streaks)
    recounted = {
        "is_open": holding == len(streaks),
        "required_days": required,
        "shortest_streak": min(found.days for found in streaks),
        "regions_holding": holding,
        "regions_needed": len(streaks),
        "reason": gate_reason(required, dict(zip(file.agreement.gate_regions, map(_told, streaks), strict=True))),
    }
    yield from row.compare(recounted, (getattr(line, name) for name in recounted), recounted.values())


def _told(streak: NaiveStreak) -> tuple[int, str | None]:
    return streak.days, f"{streak.ended_by} on {streak.ended_day}" if streak.ended_day else None


def _verdicts(file: Published) -> dict[str, dict[date, DayVerdict]]:
    columns = file.columns("day_verdicts", VERDICT_COLUMNS)
    found: dict[str, dict[date, DayVerdict]] = {}
    for values in file.stream(f"select {columns} from day_verdicts"):  # noqa: S608
        row = DayVerdict(**dict(zip(VERDICT_COLUMNS, values, strict=True)), new_version=True)
        found.setdefault(row.region, {})[row.truce_day] = row
    return found
