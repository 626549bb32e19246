"""Agreement drafted as a skeleton that is valid, with every choice marked as its author's to make."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from importlib.resources import files
from string import Template
from typing import NamedTuple

from schemas.errors import UsageError
from schemas.gazetteer_file import GazetteerFile, RegionEntry
from schemas.plain_words import did_you_mean
from schemas.reports import IncidentKind
from schemas.time_zones import names
from streams.countries.gazetteer_text import toml_value

#: Word before each choice that the draft could not make.
MARK = "yours:"
#: Truce-days before the truce that violence is measured against, unless the author chooses others.
_BASELINE_DAYS = 28


class Terms(NamedTuple):
    """Terms that an author states at the start.

    Attributes:
        gazetteer: its name, or its path from the agreement's folder.
        effective: local time, without an offset.
    """

    id: str
    title: str
    gazetteer: str
    effective: datetime
    ends: datetime | None
    days: int
    time_zone: str


def zone_of(asked: str | None, country: str) -> str:
    """Return the time zone an author asks for, or the only one of the country.

    Raises:
        UsageError: there is no such time zone, or the country has several or none known.
    """
    if asked is not None:
        if asked not in names():
            raise UsageError(f"--time-zone: {asked!r} is none of the IANA database{did_you_mean(asked, names())}")
        return asked
    table = (files("tzdata") / "zoneinfo" / "zone.tab").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in table.splitlines() if not line.startswith("#"))
    zones = sorted(row[2] for row in rows if row[0] == country)
    if len(zones) != 1:
        known = f"{country} has {', '.join(zones)}" if zones else f"none is known for the country {country}"
        raise UsageError(f"a time zone is needed: {known}", "name it with --time-zone, such as Asia/Damascus")
    return zones[0]


def agreement_text(terms: Terms, gazetteer: GazetteerFile) -> str:
    """Return the text of an agreement's file."""
    effective = terms.effective.date()
    if terms.ends is None:
        ends = f"# ends = {MARK} when the last truce-day ends, written like effective; else all days since are judged"
    else:
        ends = f"ends = {terms.ends.isoformat()} # as you stated it"
    return Template((files("streams.countries") / "agreement.toml.in").read_text("utf-8")).substitute(
        mark=MARK,
        id=toml_value(terms.id),
        title=toml_value(terms.title),
        gazetteer=toml_value(terms.gazetteer),
        regions=_listed(gazetteer.regions),
        effective=terms.effective.isoformat(),
        ends=ends,
        time_zone=toml_value(terms.time_zone),
        anchor=terms.effective.time().isoformat(),
        days=terms.days,
        kinds=", ".join(IncidentKind),
        baseline_days=_BASELINE_DAYS,
        first_day=(effective - timedelta(days=_BASELINE_DAYS)).isoformat(),
        last_day=(effective - timedelta(days=1)).isoformat(),
    )


def _listed(regions: Sequence[RegionEntry]) -> str:
    def said(region: RegionEntry) -> str:
        local = f" ({region.local})" if region.local else ""
        beside = f"; beside {', '.join(region.neighbours)}" if region.neighbours else ""
        return f"  {toml_value(region.pcode)}, # {region.english}{local}{beside}"

    return "\n".join(map(said, regions))
