"""``day_verdicts``, ``day_verdict_versions`` and ``day_figures``, judged again from what each of them could know."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from typing import Any

from schemas.rows import FiguresRow, VerdictRow
from schemas.truceday import Micros
from sinks.verify.difference import Difference, Row
from sinks.verify.past import Past, RegionPast
from sinks.verify.published import Published
from sinks.verify.recount import NaiveVerdict
from sinks.verify.ticks import Ticks

#: What a judgement decides of a row, in the order of ``_recounted``.
JUDGED = (
    "verdict",
    "violence",
    "access",
    "incidents",
    "incidents_out_of_scope",
    "bulletin_incidents",
    "violence_limit",
    "covered_share",
    "deaths_low",
    "deaths_best",
    "deaths_high",
    "evidence",
    "rule",
    "contested_by",
    "incidents_sure",
    "incidents_possible",
    "refused_pending",
    "incidents_without_toll",
)
#: What makes a new version whenever it changes; figures do so only once the day is FINAL.
FINDINGS = ("violence", "access", "violence_limit", "evidence")
FIGURES = (
    "incidents",
    "incidents_out_of_scope",
    "bulletin_incidents",
    "covered_share",
    "deaths_low",
    "deaths_best",
    "deaths_high",
    "rule",
    "contested_by",
    "incidents_sure",
    "incidents_possible",
    "refused_pending",
    "incidents_without_toll",
)


def check_verdicts(file: Published) -> Iterator[Difference]:
    """Judge every region and day as of the last tick; compare each number, and the row with its last version."""
    now = file.judged_at
    due = file.days.judged(file.agreement, now) if now is not None else []
    yield from _check_judged(file, "day_verdicts", due)
    yield from _check_judged(file, "day_verdict_versions", due)
    if now is None:
        return
    past = Past(file)
    for region in file.agreement.regions:
        of_region = past.of(region)
        stored = _by_day(file, "day_verdicts", region)
        versions = _by_day(file, "day_verdict_versions", region)
        figures = _figures_by_day(file, region)
        for day in sorted(stored.keys() & versions.keys()):
            held = History(versions[day], figures.get(day, []))
            yield from _check_present(file, of_region, stored[day], held, day, now)


def _check_judged(file: Published, table: str, due: list[date]) -> Iterator[Difference]:
    """Every region has every day that was due, and nothing else is there."""
    stored = set(file.select(f"select distinct region, truce_day from {table}"))  # noqa: S608
    wanted = {(region, day) for region in file.agreement.regions for day in due}
    for region, day in sorted(stored ^ wanted):
        there = "a row" if (region, day) in stored else None
        yield Row(table, region, day).differs("", there, None if there else "a row")


def _check_present(
    file: Published, past: RegionPast, rows: list[VerdictRow], held: History, day: date, now: Micros
) -> Iterator[Difference]:
    row = Row("day_verdicts", past.region, day)
    stored = rows[0]
    yield from row.claim("", f"{len(rows)} rows", len(rows) == 1, "1 row")
    recounted = past.judge(day, now, file.last_tick)
    yield from row.compare(JUDGED, _stored(stored), _recounted(recounted))
    yield from _check_texts(row, past, stored, recounted, file.last_tick)
    last = held.at(file.last_tick)
    state = _state(file, held, held.versions, day, now)
    yield from row.claim("state", stored.state, stored.state == state, state)
    if last is not None:
        same = ("version", "recorded_at", "tick_offset", "cause", "reasons", *FINDINGS, *FIGURES)
        yield from row.compare(same, (getattr(stored, name) for name in same), (getattr(last, name) for name in same))


def check_versions(file: Published) -> Iterator[Difference]:
    """Judge every version again from the facts before its tick, at its own time.

    Between two versions the finding must not have moved either: it is judged again at the first known tick after
    every incident and notice of the day, and has to be that of the version in force.
    """
    ticks = Ticks(file)
    yield from ticks.check(file)
    past = Past(file)
    for region in file.agreement.regions:
        of_region = past.of(region)
        figures = _figures_by_day(file, region)
        for day, versions in _by_day(file, "day_verdict_versions", region).items():
            held = History(versions, figures.pop(day, []))
            yield from _check_history(file, ticks, of_region, held, day)
            yield from _check_figures(file, of_region, held, day)
        for day in figures:
            yield Row("day_figures", region, day).differs("", "a row", None)


class History:
    """The versions of a region and day, and what their figures came to between: the row as it stood at any tick."""

    def __init__(self, versions: list[VerdictRow], figures: list[FiguresRow]) -> None:
        self.versions = versions
        self.figures = figures
        self._made = [version.tick_offset for version in versions]
        self._moved = [row.tick_offset for row in figures]

    def rows_at(self, tick: int) -> int:
        """Return how many versions and lines of figures ``tick`` made."""
        return self._made.count(tick) + self._moved.count(tick)

    def at(self, tick: int) -> VerdictRow | None:
        """Return the row as it stood once ``tick`` was judged; None when there was none yet."""
        index = bisect_right(self._made, tick)
        if not index:
            return None
        version = self.versions[index - 1]
        moved = bisect_right(self._moved, tick)
        if not moved or self._moved[moved - 1] <= version.tick_offset:
            return version
        last = self.figures[moved - 1]
        return version._replace(reasons=last.reasons, **{name: getattr(last, name) for name in FIGURES})


def _check_history(file: Published, ticks: Ticks, past: RegionPast, held: History, day: date) -> Iterator[Difference]:
    versions = held.versions
    numbers = [version.version for version in versions]
    row = Row("day_verdict_versions", past.region, day)
    yield from row.claim("version", numbers, numbers == list(range(1, len(numbers) + 1)), f"1 to {len(numbers)}")
    first = ticks.first_at(file.days.start(day))
    yield from row.claim("tick_offset", versions[0].tick_offset, versions[0].tick_offset == first, first)
    for number, version in enumerate(versions):
        row = Row("day_verdict_versions", past.region, day, f"version {version.version}")
        recounted = None
        if not past.unclear(day, version.tick_offset):
            recounted = past.judge(day, version.recorded_at, version.tick_offset)
            yield from row.compare(JUDGED, _stored(version), _recounted(recounted))
        yield from _check_texts(row, past, version, recounted, version.tick_offset)
        state = _state(file, held, versions[: number + 1], day, version.recorded_at)
        yield from row.claim("state", version.state, version.state == state, state)
        if number:
            before = held.at(version.tick_offset - 1) or versions[number - 1]
            yield from _check_step(file, row, before, version, day)
    yield from _check_between(ticks, past, held, day)


def _check_step(file: Published, row: Row, before: VerdictRow, version: VerdictRow, day: date) -> Iterator[Difference]:
    """A version came later than the one before, and says something new by the rule of its time."""
    yield from row.claim("tick_offset", version.tick_offset, version.tick_offset > before.tick_offset, "a later tick")
    may_be_new = (*FINDINGS, *FIGURES, "reasons") if _final(file, day, version.recorded_at) else FINDINGS
    new = [name for name in may_be_new if getattr(version, name) != getattr(before, name)]
    yield from row.claim("version", version.version, bool(new), "nothing new, so no version")


def _check_figures(file: Published, past: RegionPast, held: History, day: date) -> Iterator[Difference]:
    """Figures moved at a tick of their own, to what it had to count, and while the day was not final."""
    for figures in held.figures:
        row = Row("day_figures", past.region, day, f"tick {figures.tick_offset}")
        stood, now = held.at(figures.tick_offset), held.at(figures.tick_offset - 1)
        alone = held.rows_at(figures.tick_offset) == 1
        yield from row.claim("tick_offset", figures.tick_offset, alone, "a tick that nothing else moved the day at")
        if stood is None or now is None:
            yield row.differs("", "a row", "a version first")
            continue
        yield from row.claim("version", figures.version, figures.version == stood.version, stood.version)
        state = file.days.state(day, file.agreement.lateness, figures.recorded_at)
        yield from row.claim("state", figures.state, figures.state == state != "FINAL", f"{state}, and not FINAL")
        moved = [name for name in (*FIGURES, "reasons") if getattr(stood, name) != getattr(now, name)]
        yield from row.claim("", figures.tick_offset, bool(moved), "nothing moved, so no row")
        recounted = None
        if not past.unclear(day, figures.tick_offset):
            recounted = past.judge(day, figures.recorded_at, figures.tick_offset)
            told = dict(zip(JUDGED, _recounted(recounted), strict=True))
            yield from row.compare(FIGURES, (getattr(figures, name) for name in FIGURES), (told[n] for n in FIGURES))
        yield from _check_texts(row, past, figures, recounted, figures.tick_offset)


def _check_between(ticks: Ticks, past: RegionPast, held: History, day: date) -> Iterator[Difference]:
    """Between two rows nothing moved either: what the file holds of the day is what every tick had to find."""
    for tick in _moments(ticks, past, day):
        offset, now = tick
        in_force = held.at(offset)
        if in_force is None or past.unclear(day, offset):
            continue
        recounted = past.judge(day, now, offset)
        judged, stored = (
            dict(zip(JUDGED, values, strict=True)) for values in (_recounted(recounted), _stored(in_force))
        )
        for table, names in (("day_verdict_versions", FINDINGS), ("day_figures", FIGURES)):
            row = Row(table, past.region, day, f"version {in_force.version} at tick {offset}")
            yield from row.compare(names, (stored[name] for name in names), (judged[name] for name in names))
        yield from _check_texts(row, past, in_force, recounted, offset)


def _moments(ticks: Ticks, past: RegionPast, day: date) -> list[tuple[int, Micros]]:
    """Return the first known tick after every fact that may have changed what ``day`` rests on."""
    moments = {ticks.after(change) for change in past.changes(day)}
    change = past.next_change(day, 0)
    while change is not None and (tick := ticks.after(change)) is not None:
        moments.add(tick)
        change = past.next_change(day, tick[0])
    return sorted(moment for moment in moments if moment is not None)


def _by_day(file: Published, table: str, region: str) -> dict[date, list[VerdictRow]]:
    columns = file.columns(table, VerdictRow._fields)
    found: dict[date, list[VerdictRow]] = {}
    for values in file.stream(f"select {columns} from {table} where region = ? order by truce_day, version", [region]):  # noqa: S608
        row = VerdictRow(*values)
        found.setdefault(row.truce_day, []).append(row)
    return found


def _figures_by_day(file: Published, region: str) -> dict[date, list[FiguresRow]]:
    columns = file.columns("day_figures", FiguresRow._fields)
    found: dict[date, list[FiguresRow]] = {}
    for values in file.stream(
        f"select {columns} from day_figures where region = ? order by truce_day, tick_offset",  # noqa: S608
        [region],
    ):
        row = FiguresRow(*values)
        found.setdefault(row.truce_day, []).append(row)
    return found


def _stored(row: VerdictRow) -> tuple[Any, ...]:
    return tuple(_evidence(row.evidence) if name == "evidence" else getattr(row, name) for name in JUDGED)


def _recounted(verdict: NaiveVerdict) -> tuple[Any, ...]:
    return (
        verdict.verdict,
        verdict.violence,
        verdict.access,
        verdict.incidents,
        verdict.incidents_out_of_scope,
        verdict.bulletin_incidents,
        float(verdict.limit),
        float(verdict.share),
        verdict.deaths_low,
        verdict.deaths_best,
        verdict.deaths_high,
        {"violence": list(verdict.violence_evidence), "access": list(verdict.access_evidence)},
        verdict.rule,
        verdict.contested_by,
        verdict.incidents_sure,
        verdict.incidents_possible,
        verdict.refused_pending,
        verdict.incidents_without_toll,
    )


def _told_of_by_nobody(row: VerdictRow | FiguresRow) -> bool:
    """Whether a row says that no report, notice, bulletin or pending reject stands behind it."""
    try:
        return json.loads(row.reasons)[0]["told_of"] is False
    except (ValueError, LookupError, TypeError):
        # Texts of another form are told of where they are compared.
        return False


def _evidence(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _check_texts(
    row: Row, past: RegionPast, stored: VerdictRow | FiguresRow, recounted: NaiveVerdict | None, before: int
) -> Iterator[Difference]:
    """Both texts are JSON, and the reasons are those of the recount."""
    for column, text in (("reasons", stored.reasons), ("cause", stored.cause)):
        try:
            json.loads(text)
        except ValueError:
            yield row.differs(column, text, "JSON")
            return
    if recounted is None:
        return
    # No mere wording, whatever edition wrote it: whether a day is AMENDED hangs on it.
    nobody = recounted.reasons[0].get("told_of", True) is False
    yield from row.claim("reasons.told_of", stored.reasons, _told_of_by_nobody(stored) == nobody, not nobody)
    wanted = json.dumps(recounted.reasons, ensure_ascii=False)
    if recounted.watch_told is None or not past.unlocated(before):
        yield from row.compare(("reasons",), (stored.reasons,), (wanted,))
        return
    # Who had watched before can no longer be told, and that is how the sentence ends.
    known, _, rest = wanted.partition("% needed")
    access = rest[rest.index("}") :]
    right = stored.reasons.startswith(f"{known}% needed") and stored.reasons.endswith(access)
    yield from row.claim("reasons", stored.reasons, right, f"{known}% needed ...{access}")


def _final(file: Published, day: date, now: Micros) -> bool:
    return file.days.state(day, file.agreement.lateness, now) == "FINAL"


def _state(file: Published, held: History, versions: list[VerdictRow], day: date, now: Micros) -> str:
    """Return the state at ``now`` of a day with these versions so far."""
    for before, version in pairwise(versions):
        replaced = held.at(version.tick_offset - 1) or before
        if _final(file, day, version.recorded_at) and not _told_of_by_nobody(replaced):
            return "AMENDED"
    return file.days.state(day, file.agreement.lateness, now)
