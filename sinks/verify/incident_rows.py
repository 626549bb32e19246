"""The incident reports of a file, joined to incidents; what linking goes by is read from their raw bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic_core import from_json

from schemas.missing import is_missing
from sinks.verify.history import NaiveReport
from sinks.verify.incidents import NaiveIncident
from sinks.verify.linking import Linking
from sinks.verify.published import Published

_COLUMNS = (
    *("fact_offset", "feed", "report_id", "revision", "retracted", "type", "region", "occurred_from", "occurred_to"),
    *("reported_at", "kind", "in_scope", "deaths_low", "deaths_best", "deaths_high"),
    *("place_key", "place_precision"),
)


def linking_of(file: Published, region: str) -> Linking:
    """Return the incidents of a file, at least those of ``region``.

    Without linking each region is read when it is asked for; with it a report may be linked to one of any region,
    and all of them are read once.
    """
    if file.agreement.linking is None:
        return Linking(file.agreement, file.days, _revisions(file, region))
    if file.linking is None:
        file.linking = Linking(file.agreement, file.days, _revisions(file))
    return file.linking


def incidents_now(file: Published) -> list[NaiveIncident]:
    """Return every incident of a file with linking, as all its reports make them."""
    return linking_of(file, "").incidents()


def _revisions(file: Published, region: str | None = None) -> Iterator[NaiveReport]:
    """Yield every revision, whatever it became, of the reports that once told an incident (in ``region``)."""
    linked = file.agreement.linking is not None
    told = "select feed, report_id from reports where type = 'incident' and (?::varchar is null or region = ?)"
    columns = file.columns("reports", _COLUMNS)
    raw = "case when type = 'incident' then raw end" if linked else "null"
    sql = f"select {columns}, {raw} from reports semi join ({told}) using (feed, report_id) order by fact_offset"  # noqa: S608
    for *values, text in file.stream(sql, [region, region]):
        offset, feed, report_id, revision, retracted, type_, of, from_, to, reported_at, kind, scope, *deaths = values
        low, best, high, place_key, precision = deaths
        report = NaiveReport(
            offset=offset,
            feed=feed,
            report_id=report_id,
            revision=revision,
            active=not retracted,
            type=type_,
            regions=(of,),
            occurred_from=from_,
            occurred_to=to,
            reported_at=reported_at,
            kind=kind,
            in_scope=scope,
            deaths_low=low,
            deaths_best=best,
            deaths_high=high,
            place_key=place_key,
            place_precision=precision or "unknown",
        )
        yield report if text is None else report._replace(**raw_fields(from_json(text)))


def raw_fields(told: dict[str, Any]) -> dict[str, Any]:
    """Return what of an incident report's JSON concerns linking and no column."""
    place = told["place"]
    point = place.get("point")
    return {
        "time_precision": told["occurred"]["precision"],
        "point": None if point is None else (point["latitude"], point["longitude"]),
        "names_parties": bool(told.get("parties")),
        "tellers": tuple(teller for source in told.get("sources", ()) for teller in _told_by(source)),
        "same_as": tuple(told.get("same_as", ())),
        "not_same_as": tuple(told.get("not_same_as", ())),
        "merged_into": told.get("merged_into"),
    }


def _told_by(source: dict[str, Any]) -> list[str]:
    """Return the first teller of a source, none where it writes that nobody is known."""
    named = [name for name in (source.get("origin"), source["name"]) if name is not None and not is_missing(name)]
    return named[:1]
