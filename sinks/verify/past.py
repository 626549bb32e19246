"""The accepted reports with the stretch of the facts topic over which each one stood: the past at any offset.

Where nothing is linked, incidents are read one region at a time, so that memory holds those of one region; convoy
steps and coverage notices, which are few beside incidents, are held all.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date
from fractions import Fraction
from typing import Any, NamedTuple

from schemas.reports import Bulletin, ConvoyReport, CoverageNotice
from schemas.truceday import MICROS_PER_HOUR
from sinks.verify.bulletins import adds_up, bulletin_limit, day_of, is_longer, lines_of, measuring, of_days
from sinks.verify.claims import destination_of, listed_place
from sinks.verify.history import Identity, NaiveReport
from sinks.verify.incidents import NaiveIncident
from sinks.verify.linking import NOW, Linking
from sinks.verify.located import gazetteer_of, region_now
from sinks.verify.published import Published
from sinks.verify.recount import NaiveVerdict, baseline_days, is_long, judge, violence_limit
from sinks.verify.refused import NaiveReject, RefusedOfDay, by_day, rejects_of


class Stood(NamedTuple):
    """A report that was present and active from its own offset until ``replaced_at`` (None: to this day)."""

    report: NaiveReport
    replaced_at: int | None

    def stands(self, before: int) -> bool:
        """Whether it counted, knowing only the facts with an offset below ``before``."""
        return self.report.offset < before and (self.replaced_at is None or self.replaced_at >= before)


#: Between which moments a report leads an incident, and which; None where it leads none.
Led = tuple[int, int, NaiveIncident | None]

_SPINE = ("fact_offset", "feed", "report_id", "revision", "type", "occurred_from", "occurred_to", "reported_at")


class Past:
    """All a judgement at any earlier tick rests on."""

    def __init__(self, file: Published) -> None:
        self.file = file
        self._steps = _steps(file)
        self._notices, self._unclear = _notices(file)
        self._bulletins, self._unclear_bulletins = _bulletins(file)
        self._refused = by_day(rejects_of(file))

    def of(self, region: str, linking: Linking) -> RegionPast:
        """Return what concerns one region."""
        notices = self._notices.get(region, [])
        past = RegionPast(self.file, region, linking, notices, self._steps, self._unclear)
        past.take_bulletins(self._bulletins, self._unclear_bulletins)
        past.take_rejects(self._refused)
        return past


class RegionPast:
    """What concerns one region, by truce-day."""

    def __init__(
        self,
        file: Published,
        region: str,
        linking: Linking,
        notices: list[Stood],
        steps: list[Stood],
        unclear: list[Stood],
    ) -> None:
        self.file = file
        self.region = region
        self.linking = linking
        #: Reports that may lead an incident of the day: content and place come from the same one.
        self._leading: dict[date, set[Identity]] = defaultdict(set)
        #: Reports too long to be of one day, by every day judged that they touch.
        self._long: dict[date, set[Identity]] = defaultdict(set)
        longest = file.agreement.violence.surely_within_hours * MICROS_PER_HOUR
        since = self._since = file.days.start(file.agreement.clock.effective.date())
        for report in linking.by_region[region]:
            self._leading[_day(file, report)].add(report.identity)
            if report.occurred_to - report.occurred_from > longest and report.occurred_to > since:
                for day in file.days.touched(max(report.occurred_from, since), report.occurred_to):
                    self._long[day].add(report.identity)
        #: By day, each report that may lead an incident of it with the one it was last found to lead.
        self._led: dict[date, list[tuple[Identity, Led]]] = {}
        self.notices = _by_day(file, notices)
        self._notices = notices
        self._unlocated = list(unclear)
        self._unclear = _by_day(file, unclear)
        self.steps = _steps_to(region, steps)
        self._baseline = baseline_days(file.agreement, file.days)
        self._limits: list[tuple[int, int, Fraction]] = []
        self._bulletins: list[Stood] = []
        self._bulletins_by_day: dict[date, list[Stood]] = {}
        #: The monitor's bulletins for more than a day, by every day judged that they cover.
        self._longer_by_day: dict[date, list[Stood]] = defaultdict(list)
        self._bulletins_of_baseline: list[int] = []
        self._unclear_of_baseline: list[Stood] = []
        self._refused: defaultdict[date, RefusedOfDay] = defaultdict(lambda: RefusedOfDay(file.agreement, ()))

    def take_rejects(self, refused: dict[tuple[str, date], list[NaiveReject]]) -> None:
        """Take the rejects that tell of the region."""
        for (region, day), rejects in refused.items():
            if region == self.region:
                self._refused[day] = RefusedOfDay(self.file.agreement, rejects)

    def take_bulletins(self, bulletins: list[Stood], unclear: list[Stood]) -> None:
        """Take the bulletins that speak of the region, and those whose regions can no longer be told."""
        agreement, days = self.file.agreement, self.file.days
        self._bulletins = [each for each in bulletins if of_days(days, self.region, [each.report])]
        self._bulletins_by_day = _by_day(self.file, self._bulletins)
        for each in bulletins:
            begun, ended = max(each.report.occurred_from, self._since), each.report.occurred_to
            if begun < ended and is_longer(agreement, self.region, each.report):
                for day in days.touched(begun, ended):
                    self._longer_by_day[day].append(each)
        for day, group in _by_day(self.file, unclear).items():
            self._unclear[day].extend(group)
        if agreement.violence.bulletins_of:
            measured_by = [each for each in unclear if self._measures(each)]
            self._unlocated += measured_by
            self._unclear_of_baseline = [each for each in measured_by if self._of_baseline(each)]
            self._bulletins_of_baseline = sorted(_changes(filter(self._of_baseline, self._bulletins)))

    def _measures(self, stood: Stood) -> bool:
        return bool(measuring(self.file.agreement, [stood.report]))

    def _of_baseline(self, stood: Stood) -> bool:
        day = day_of(self.file.days, stood.report.occurred_from, stood.report.occurred_to)
        return self._measures(stood) and day in self._baseline

    def judge(self, day: date, now: int, before: int) -> NaiveVerdict:
        """Judge ``day`` as a tick at offset ``before`` had to, its time being ``now``."""
        notices = standing(self.notices.get(day, []), before)
        bulletins = standing(self._bulletins_by_day.get(day, []), before)
        start, horizon = self.file.days.start(day), min(self.file.days.end(day), now)
        watching = (*notices, *measuring(self.file.agreement, bulletins))
        if not any(_lies_in(told, start, horizon) for told in watching):
            # Nobody watched it so far: who had before is told. Of other days these would only be passed over.
            notices = standing(self._notices, before)
            if self.file.agreement.violence.bulletins_of:
                bulletins = standing(self._bulletins, before)
        return judge(
            self.file.agreement,
            self.file.days,
            self.region,
            day,
            now,
            self.limit(before),
            self.incidents(day, before),
            notices,
            standing(self.steps, before),
            bulletins,
            self._tellers(day, before) if not all(notice.nil for notice in notices) else (),
            self._possible(day, before),
            self._refused[day].at(before),
            standing(self._longer_by_day.get(day, []), before),
        )

    def _possible(self, day: date, before: int) -> list[NaiveIncident]:
        """Return the incidents too long to be of one day that one of the long reports of ``day`` leads."""
        if day not in self._long:
            return []
        found = [incident for _, (_, _, incident) in self._led_on(day, before) if incident is not None]
        return [each for each in found if each.content.region == self.region and is_long(self.file.agreement, each)]

    def _tellers(self, day: date, before: int) -> set[str]:
        """Return the feeds with an incident report of ``day``, knowing only facts with an offset below ``before``."""
        stood = (self.linking.standing(identity, before) for identity in self._leading.get(day, ()))
        return {
            report.feed
            for report in stood
            if report is not None and report.regions[0] == self.region and _day(self.file, report) == day
        }

    def incidents(self, day: date, before: int) -> list[NaiveIncident]:
        """Return the incidents of ``day``, knowing only the facts with an offset below ``before``."""
        region = self.region
        return [
            incident
            for _, (_, _, incident) in self._led_on(day, before)
            if incident is not None and incident.content.truce_day == day and incident.content.region == region
        ]

    def _led_on(self, day: date, before: int) -> list[tuple[Identity, Led]]:
        """Return each report that may lead an incident of ``day`` with what it leads; asked anew where that is over."""
        found = self._led.get(day)
        if found is None:
            found = self._led[day] = [
                (identity, self.linking.led_by(identity, before))
                for identity in self._leading.get(day, set()) | self._long.get(day, set())
            ]
        for number, (identity, (low, high, _)) in enumerate(found):
            if not low < before <= high:
                found[number] = identity, self.linking.led_by(identity, before)
        return found

    def forget(self, day: date) -> None:
        """Let go of what was found of a day that will not be asked about again."""
        self._led.pop(day, None)

    def unclear(self, day: date, before: int) -> bool:
        """Whether a notice or bulletin of unknown regions stood, so that ``day`` can no longer be judged again."""
        return bool(standing(self._unclear.get(day, []), before) or standing(self._unclear_of_baseline, before))

    def unlocated(self, before: int) -> bool:
        """Whether any notice or bulletin of unknown regions stood: who had watched before can no longer be told."""
        return bool(standing(self._unlocated, before))

    def limit(self, before: int) -> Fraction:
        """Return the limit as of ``before``; it is counted anew only where the baseline may have changed."""
        for low, high, limit in reversed(self._limits):
            if low < before <= high:
                return limit
        agreement, days = self.file.agreement, self.file.days
        if agreement.violence.bulletins_of:
            told = measuring(agreement, standing(self._bulletins, before))
            limit = bulletin_limit(agreement, days, self.region, self._baseline, told)
            index = bisect_left(self._bulletins_of_baseline, before)
            low, high = ([-1, *self._bulletins_of_baseline, NOW][index + end] for end in (0, 1))
        else:
            limit = violence_limit(agreement, {day: self.incidents(day, before) for day in self._baseline})
            of_baseline = [led for day in self._baseline for _, led in self._led_on(day, before)]
            low = max((led[0] for led in of_baseline), default=-1)
            high = min((led[1] for led in of_baseline), default=NOW)
        self._limits.append((low, high, limit))
        return limit

    def changes(self, day: date) -> set[int]:
        """Return the offsets at which a notice, a bulletin or a pending reject of ``day`` came or went."""
        told = [*self.notices.get(day, []), *self._bulletins_by_day.get(day, []), *self._longer_by_day.get(day, [])]
        return {*_changes(told), *self._refused[day].changes()}

    def next_change(self, day: date, before: int) -> int | None:
        """Return the offset, ``before`` or later, of the next fact that may change an incident of ``day``."""
        offset = min((high for _, (_, high, _) in self._led_on(day, before)), default=NOW)
        return offset if offset < NOW else None


def _lies_in(told: NaiveReport, start: int, end: int) -> bool:
    """Whether a notice or bulletin watches some of ``[start, end)``; one that lasts no time watches nothing."""
    return max(told.occurred_from, start) < min(told.occurred_to, end)


def _by_day(file: Published, notices: Iterable[Stood]) -> dict[date, list[Stood]]:
    by_day: dict[date, list[Stood]] = defaultdict(list)
    for stood in notices:
        for day in file.days.touched(stood.report.occurred_from, stood.report.occurred_to):
            by_day[day].append(stood)
    return by_day


def _changes(group: Iterable[Stood]) -> list[int]:
    moments = [moment for stood in group for moment in (stood.report.offset, stood.replaced_at)]
    return [moment for moment in moments if moment is not None]


def standing(group: Iterable[Stood], before: int) -> list[NaiveReport]:
    """Return the reports that counted, knowing only the facts with an offset below ``before``."""
    return [stood.report for stood in group if stood.stands(before)]


def _day(file: Published, report: NaiveReport) -> date:
    return file.days.holding_most(report.occurred_from, report.occurred_to)[0]


def _steps(file: Published) -> list[Stood]:
    steps = []
    for spine, (region, kind, precision, raw, replaced_at) in _ever_active(
        file, "region, kind, place_precision, raw, replaced_at", "type = 'convoy'", []
    ):
        told = ConvoyReport.model_validate_json(raw)
        step = spine._replace(
            regions=(region,),
            kind=kind,
            convoy_id=told.convoy_id,
            same_convoy_as=told.same_convoy_as,
            not_same_convoy_as=tuple(told.not_same_convoy_as),
            destination=destination_of(file.agreement, region, told.place.names, precision),
            place=listed_place(file.agreement, region, told.place.names[-1]) if told.place.names else None,
        )
        steps.append(Stood(step, replaced_at))
    return steps


def _steps_to(region: str, steps: list[Stood]) -> list[Stood]:
    """Return all steps of every convoy that ever went to ``region``: it counts for the region its latest step names.

    A convoy here is whatever was ever said to be one, or bound for one place, so that no join of any time is missed.
    """

    def names(step: NaiveReport) -> set[object]:
        found: set[object] = {f"{step.feed}/{step.convoy_id}", step.same_convoy_as, step.destination}
        return found - {None}

    bound: set[object] = set().union(*(names(stood.report) for stood in steps if region in stood.report.regions))
    while more := set().union(*(names(stood.report) for stood in steps if names(stood.report) & bound)) - bound:
        bound |= more
    return [stood for stood in steps if names(stood.report) & bound]


def _notices(file: Published) -> tuple[dict[str, list[Stood]], list[Stood]]:
    """Return by region every notice that ever stood, and those whose regions can no longer be told.

    The table ``coverage`` says where a notice watched that still stands. Of earlier revisions P-codes and the
    shipped gazetteer say it; what intake found by polygons, or in a gazetteer of its own, is not in the file.
    """
    located: dict[tuple[str, str], list[str]] = defaultdict(list)
    for feed, report_id, region in file.select("select feed, report_id, region from coverage order by all"):
        located[feed, report_id].append(region)
    gazetteer = gazetteer_of(file.agreement)
    notices: dict[str, list[Stood]] = defaultdict(list)
    unclear: list[Stood] = []
    for spine, (raw, present, replaced_at) in _ever_active(file, "raw, present, replaced_at", "type = 'coverage'", []):
        notice = CoverageNotice.model_validate_json(raw)
        spine, places = spine._replace(nil=notice.nil), notice.places
        told: list[str | None] = [*located[spine.feed, spine.report_id]]
        if not present:
            told = [region_now(file.agreement, gazetteer, place) for place in places]
        if None in told:
            unclear.append(Stood(spine, replaced_at))
        for region in {region for region in told if region is not None}:
            notices[region].append(Stood(spine._replace(regions=(region,)), replaced_at))
    return notices, unclear


def _bulletins(file: Published) -> tuple[list[Stood], list[Stood]]:
    """Return every bulletin that ever stood, and those whose regions can no longer be told.

    As with notices: the table tells of those that still stand, P-codes and the shipped gazetteer of the others.
    """
    located: dict[tuple[str, str], list[str | None]] = defaultdict(list)
    for feed, report_id, region in file.select(
        "select feed, report_id, region from bulletins order by feed, report_id, line"
    ):
        located[feed, report_id].append(region)
    gazetteer = gazetteer_of(file.agreement)
    bulletins: list[Stood] = []
    unclear: list[Stood] = []
    for spine, (raw, present, replaced_at) in _ever_active(file, "raw, present, replaced_at", "type = 'bulletin'", []):
        report = Bulletin.model_validate_json(raw)
        places = [tally.place for tally in report.tallies]
        told = located[spine.feed, spine.report_id]
        if not present:
            told = [region_now(file.agreement, gazetteer, place) if place else None for place in places]
            if any(place is not None and region is None for place, region in zip(places, told, strict=True)):
                unclear.append(Stood(spine, replaced_at))
        lines = lines_of(file.agreement, report, told)
        bulletin = spine._replace(lines=lines, at_least=report.at_least, adds_up=adds_up(report))
        bulletins.append(Stood(bulletin, replaced_at))
    return bulletins, unclear


def _ever_active(
    file: Published, columns: str, where: str, parameters: list[object]
) -> Iterator[tuple[NaiveReport, tuple[Any, ...]]]:
    """Yield the revisions that were present and active at some time, with further ``columns`` of theirs."""
    spine = file.columns("reports", _SPINE)
    sql = f"""
        select {spine}, {columns}
        from reports left join memory.replaced using (fact_offset)
        where not retracted and (replaced_at is null or replaced_at > fact_offset) and {where}
        order by fact_offset"""  # noqa: S608 - every part is this module's own
    rows = file.stream(sql, parameters)
    for row in rows:
        offset, feed, report_id, revision, report_type, from_, to, reported_at = row[: len(_SPINE)]
        report = NaiveReport(offset, feed, report_id, revision, True, report_type, (), from_, to, reported_at)
        yield report, row[len(_SPINE) :]
