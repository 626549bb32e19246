"""Explanation of one verdict by its facts, rules and counterfactuals."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from difflib import get_close_matches
from fractions import Fraction
from pathlib import Path
from typing import Any

from schemas.agreement import Agreement
from schemas.errors import GazetteerError, ReportRejected, UsageError
from schemas.gazetteer import load_gazetteer
from schemas.placenames import words_of
from schemas.reports import Place
from schemas.rows import ConvoyStepRow
from schemas.truceday import Micros, to_micros
from sinks import reading
from sinks.day_detail import day_detail, evidence_reports, verdict_of, versions
from sinks.day_records import Change, DayDetail, ReportDetail, Step, VerdictVersion, Watch
from sinks.migrations import check_current
from sinks.selecting import Connection
from streams.ledger.core.convoy import Convoy
from streams.ledger.core.findings import Finding
from streams.ledger.core.legs.limit import baseline_of, limit_of
from streams.ops.case import Case, CountedIncident
from streams.ops.counterfactuals import Counterfactual, counterfactuals
from streams.ops.published import opened_copy
from streams.ops.watching import Stretch, stretches
from streams.ops.wording import local_time


@dataclass(frozen=True)
class Explanation:
    """Explanation of the present verdict of a region and truce-day."""

    agreement: Agreement
    detail: DayDetail
    case: Case
    convoys: list[Convoy]
    watched: list[Stretch]
    changes: list[Counterfactual]
    unexplained: tuple[str, ...]


@dataclass(frozen=True)
class PastExplanation:
    """Verdict version held at an instant, with its history and evidence."""

    agreement: Agreement
    as_of: datetime
    judged: VerdictVersion
    versions: list[Change]
    reports: list[ReportDetail]


def read_explanation(path: Path, region: str, day: date) -> Explanation:
    """Explain a region's truce-day from a published file.

    Raises:
        StoreUnavailable: nothing has been published there yet, or the file cannot be read.
        UsageError: no such region or day was judged; the hint lists what there is.
    """
    with opened_copy(path) as connection:
        check_current(connection, reading.schema_version(connection), path)
        return explanation_in(connection, region, day)


def explanation_in(connection: Connection, region: str, day: date) -> Explanation:
    """Explain a region's truce-day from a published copy that is open.

    Raises:
        UsageError: no such region or day was judged; the hint lists what there is.
    """
    agreement = reading.about(connection).agreement
    pcode = _region(connection, agreement, region)
    found = verdict_of(connection, pcode, day) or _no_such_day(connection, day)
    return _explained(agreement, day_detail(connection, found, agreement.violence, agreement.baseline_days))


def read_past(path: Path, region: str, day: date, as_of: datetime) -> PastExplanation:
    """Return the verdict of a region's truce-day that was held at an instant.

    Raises:
        StoreUnavailable: nothing has been published there yet, or the file cannot be read.
        UsageError: no such region or day was judged, or not by then.
    """
    with opened_copy(path) as connection:
        check_current(connection, reading.schema_version(connection), path)
        return past_in(connection, region, day, as_of)


def past_in(connection: Connection, region: str, day: date, as_of: datetime) -> PastExplanation:
    """Return the verdict held at an instant from a published copy that is open.

    Raises:
        UsageError: no such region or day was judged, or not by then.
    """
    agreement = reading.about(connection).agreement
    pcode = _region(connection, agreement, region)
    present = verdict_of(connection, pcode, day) or _no_such_day(connection, day)
    found = verdict_of(connection, pcode, day, as_of)
    if found is None:
        first = versions(connection, present)[0].recorded_at
        raise UsageError(
            f"{pcode} on {day} had not been judged by then",
            f"its first judgement was at {local_time(first, agreement.clock.time_zone)}",
        )
    return PastExplanation(agreement, as_of, found, versions(connection, found), evidence_reports(connection, found))


def _region(connection: Connection, agreement: Agreement, given: str) -> str:
    """Return the P-code of a region given by P-code, by a name of its, or by one the gazetteer knows to lie in it."""
    spellings = reading.region_spellings(connection)
    if given.upper() in spellings:
        return given.upper()
    shown = {pcode: f"{pcode} {names[0]}" for pcode, names in spellings.items()}
    meant = [pcode for pcode, names in spellings.items() if words_of(given) in map(words_of, names)]
    if len(meant) > 1:
        raise UsageError(f"{given!r} may be {' and '.join(shown[pcode] for pcode in meant)}", "ask by the P-code")
    found = meant[0] if meant else _located(agreement, given)
    if found in spellings:
        return str(found)
    near = get_close_matches(given, [names[0] for names in spellings.values()], n=1)
    guess = f"did you mean {near[0]}? " if near else ""
    raise UsageError(f"{given!r} is no region of {agreement.id}", f"{guess}there are {', '.join(shown.values())}")


def _located(agreement: Agreement, given: str) -> str | None:
    try:
        return load_gazetteer(agreement.gazetteer).locate(Place.model_validate({"names": [given]})).region
    except (GazetteerError, ReportRejected):
        # The file may be read far from the gazetteer it was made with: its own names of regions are enough then.
        return None


def _no_such_day(connection: Connection, day: date) -> VerdictVersion:
    days = reading.judged_days(connection)
    if days is None:
        raise UsageError("no truce-day has been judged yet")
    raise UsageError(f"no truce-day {day} has been judged", f"judged are {days[0]} to {days[1]}")


def _explained(agreement: Agreement, known: DayDetail) -> Explanation:
    start, end = to_micros(known.judged.starts_at), to_micros(known.judged.ends_at)
    all_day = {feed for feed, incidents in known.feeds if incidents and agreement.coverage.reports_cover_the_day}
    unexplained = {watch.feed for watch in known.watches if watch.nil is False} - known.tellers - all_day
    watching = [watch for watch in known.watches if watch.nil is not False or watch.feed not in unexplained]
    notices = _stretches_of(watching)
    baseline = baseline_of([incidents for _, incidents in known.baseline], agreement.violence.baseline.measure)
    # A monitor's baseline is of its bulletins: the limit stands in the verdict.
    limit = (
        limit_of(agreement, baseline)
        if agreement.violence.bulletins_of is None
        else Fraction(known.judged.violence_limit)
    )
    held = [each for each in known.incidents if each.within_count]
    case = Case(
        agreement=agreement,
        region=known.judged.region,
        start=start,
        end=end,
        horizon=min(end, to_micros(known.judged_at)),
        now=to_micros(known.judged_at),
        incidents=[CountedIncident(each.incident_id, each.severe) for each in held if each.sure],
        possible=[CountedIncident(each.incident_id, each.severe) for each in held if not each.sure],
        limit=limit,
        bulletin=known.judged.bulletin_incidents,
        contesting=_contesting(agreement, known, limit),
        refused=_refused(agreement, known),
        notices=notices,
        nil_notices=_stretches_of(watch for watch in watching if watch.nil is not False),
        all_day=frozenset(all_day),
        steps=[_row(step) for step in known.steps],
        others={
            reason["leg"]: Finding(reason["finding"])
            for reason in known.judged.reasons
            if reason["leg"] not in ("violence", "access")
        },
    )
    return Explanation(
        agreement=agreement,
        detail=known,
        case=case,
        convoys=case.convoys(),
        watched=stretches(notices, all_day, start, end),
        changes=counterfactuals(case),
        unexplained=tuple(sorted(unexplained)),
    )


def _stretches_of(watches: Iterable[Watch]) -> dict[str, list[tuple[Micros, Micros]]]:
    """Return by feed the stretches of some notices."""
    found: dict[str, list[tuple[Micros, Micros]]] = {}
    for watch in watches:
        found.setdefault(watch.feed, []).append((to_micros(watch.occurred_from), to_micros(watch.occurred_to)))
    return found


def _contesting(agreement: Agreement, known: DayDetail, limit: Fraction) -> tuple[str, ...]:
    """Return the bulletins of the day that count more than the limit, where these contest a day."""
    if agreement.violence.bulletins_of is not None or agreement.coverage.contested == "ignore":
        return ()
    counts: dict[str, int] = {}
    for line in known.bulletins:
        if line.of_the_day and line.region is not None and line.in_scope:
            name = f"{line.feed}/{line.report_id}"
            counts[name] = counts.get(name, 0) + line.incidents
    return tuple(name for name, incidents in counts.items() if incidents > limit)


def _refused(agreement: Agreement, known: DayDetail) -> tuple[str, ...]:
    """Return the pending reports that may be incidents, by name, where the agreement minds them."""
    if agreement.violence.bulletins_of is not None or agreement.coverage.refused == "mark":
        return ()
    feeds = agreement.violence.feeds
    counting = (each for each in known.refused if each.may_be_incident)
    return tuple(sorted({each.name for each in counting if not feeds or each.feed is None or each.feed in feeds}))


def _row(step: Step) -> ConvoyStepRow:
    known: dict[str, Any] = {name: getattr(step, name, None) for name in ConvoyStepRow._fields}
    instants = {name: to_micros(known[name]) for name in ("occurred_from", "occurred_to", "reported_at")}
    # What follows from all steps of a convoy is worked out anew; figures change no finding. Whose step it is the file
    # says: claims of other regions, which are not here, had a say in that.
    known["same_convoy_as"] = step.convoy
    return ConvoyStepRow(**{**known, **instants, "mode": "unstated", "legal": True, "items_removed": "[]"})
