"""Agreement drafted as a skeleton that is valid, with every choice marked as its author's to make."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from importlib.resources import files
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
    regions = list(gazetteer.regions)
    first, last = _baseline(terms.effective.date())
    if terms.ends is None:
        ends = f"# ends = {MARK} when the last truce-day ends, written like effective; else all days since are judged"
    else:
        ends = f"ends = {terms.ends.isoformat()} # as you stated it"
    return f"""\
# Drafted by `trucewatch agreement init`. It is valid, and no finding about any truce yet: "{MARK}" marks each choice
# that only you can make. Say at each where it comes from: the article of the text, or that it is your own reading.
# docs/agreements.md explains every key; `trucewatch check-config --agreement` this file says its rules in sentences.

id = {toml_value(terms.id)}
title = {toml_value(terms.title)}
sources = [
  "The signed text", # {MARK} each document the rules come from: its name, its date, where it can be read
]
gazetteer = {toml_value(terms.gazetteer)}

# {MARK} the regions that are judged; a report of any other is refused
regions = [
{_listed(regions)}
]

# {MARK} those that must all hold at once before the gate opens: where the text applies, or where the parties face
# one another
gate_regions = [
{_listed(regions)}
]


[clock]
effective = {terms.effective.isoformat()} # local time in time_zone, as you stated it
{ends}
time_zone = {toml_value(terms.time_zone)}
# {MARK} truce-days start at the hour the truce began; for calendar days let effective and anchor be at 00:00:00
anchor = {terms.effective.time().isoformat()}
required_days = {terms.days} # MET days in a row that open the gate, as you stated it
lateness_hours = 72 # {MARK} how long after a day your feeds still report of it


[scope]
parties = ["First party", "Second party"] # {MARK} who is bound, as the text names them
outside = [] # {MARK} who is not bound, by every name your feeds write
excluded_when = "all_outside" # {MARK} or "a_side_outside", when fighting with those outside is no violation


[violence]
# A region's truce-day is BROKEN above limit = max(floor, (1 - reduction) x baseline).
reduction_percent = 80 # {MARK} how much less than before; texts seldom say
floor = 1 # {MARK} incidents a day may have, however low the baseline is
# {MARK} kinds one incident of which breaks a day: {", ".join(IncidentKind)}
severe_kinds = ["attack_on_aid"]

[violence.baseline]
# {MARK} the days violence is measured against: {_BASELINE_DAYS} before the truce. Reports of them are needed too.
first_day = {first.isoformat()}
last_day = {last.isoformat()}
measure = "mean"


[coverage]
# Silence is not peace: a day within its limit is MET only where it was watched.
min_feeds = 1 # {MARK} feeds that must watch at once
min_share_percent = 75 # {MARK} part of the day they must watch
reports_cover_the_day = false # {MARK} true, if a feed that reported one incident surely saw all of the day


[access]
regions = [] # {MARK} regions to which the parties owe access; none: access is not judged
overdue_after_hours = 72 # {MARK} from a convoy's first known step to delivery
max_gap_days = 7 # {MARK} longest time without a delivery


# Reports of two feeds that tell of one occurrence are counted once. {MARK} how far apart they may be
[linking]
minutes = 60
exact_metres = 1_000
near_metres = 3_000
district_metres = 25_000
weakest_place = "near"


# {MARK} whom reports accuse, by the names your feeds write. Take the marks of comment away, a table for each party.
# [[parties]]
# name = "First party"
# side = "First side"
# spellings = ["First army", "Army of the first"]
"""


def _baseline(effective: date) -> tuple[date, date]:
    return effective - timedelta(days=_BASELINE_DAYS), effective - timedelta(days=1)


def _listed(regions: Sequence[RegionEntry]) -> str:
    def said(region: RegionEntry) -> str:
        local = f" ({region.local})" if region.local else ""
        beside = f"; beside {', '.join(region.neighbours)}" if region.neighbours else ""
        return f"  {toml_value(region.pcode)}, # {region.english}{local}{beside}"

    return "\n".join(map(said, regions))
