"""The words of the language: its enumerations, and the forms of names, references, counts and instants."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticKnownError

from schemas.instants import END, FIRST, OffsetMissing, parse_day, parse_instant

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Text = Annotated[str, StringConstraints(max_length=20_000)]
#: Feeds and report ids become keys, file names and SQL values: visible characters only, no white space at the ends.
FEED_NAME = r"^[a-z0-9][a-z0-9._-]{0,63}$"
FeedName = Annotated[str, StringConstraints(pattern=FEED_NAME)]
ReportId = Annotated[
    str, StringConstraints(pattern=r"^[^\s\x00-\x1f\x7f]([^\x00-\x1f\x7f]{0,198}[^\s\x00-\x1f\x7f])?$")
]
#: A report as another one refers to it, ``feed/report_id``, and a convoy, ``feed/convoy_id``. No feed's name holds a
#: slash, so the first one divides.
ReportReference = Annotated[
    str,
    StringConstraints(
        pattern=r"^[a-z0-9][a-z0-9._-]{0,63}/[^\s\x00-\x1f\x7f]([^\x00-\x1f\x7f]{0,198}[^\s\x00-\x1f\x7f])?$"
    ),
]
Count = Annotated[int, Field(ge=0, le=1_000_000_000)]
#: In most countries two letters and digits; in some SYR01, IQG01, MMR001D001. No two parts of it can share a character,
#: so that a hostile text takes no longer than its length.
Pcode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2,3}[0-9]{0,18}([A-Z][0-9]{1,10}){0,3}$")]


def read_instant(stated: object) -> object:
    """Return a stated instant as a datetime; what is no text is left to pydantic, which refuses it."""
    if not isinstance(stated, str):
        return stated
    try:
        return parse_instant(stated)
    except OffsetMissing:
        raise PydanticKnownError("timezone_aware") from None
    except ValueError:
        raise PydanticKnownError("datetime_parsing", {"error": "not RFC 3339"}) from None


def read_day(stated: object) -> object:
    """Return a stated day as a date; digits alone would pass for seconds since 1970."""
    if not isinstance(stated, str):
        return stated
    try:
        return parse_day(stated)
    except ValueError:
        raise PydanticKnownError("date_parsing", {"error": "not YYYY-MM-DD"}) from None


#: An instant with its offset. Years such as 1 and 9999 would overflow the calendar of truce-days.
Instant = Annotated[AwareDatetime, Field(ge=FIRST, lt=END), BeforeValidator(read_instant)]
Day = Annotated[date, BeforeValidator(read_day)]


class Status(StrEnum):
    """Whether a report still stands."""

    ACTIVE = "active"
    RETRACTED = "retracted"
    MERGED = "merged"


class TimePrecision(StrEnum):
    """How exactly the source states a time, in our words; ``source_precision`` keeps the source's own code."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    LONGER = "longer"


class PlacePrecision(StrEnum):
    """How exactly the source states a place."""

    EXACT = "exact"
    NEAR = "near"
    DISTRICT = "district"
    GOVERNORATE = "governorate"
    COUNTRY = "country"
    UNKNOWN = "unknown"


class IncidentKind(StrEnum):
    """What happened, normalised; ``kind_as_given`` keeps the source's own type and subtype."""

    AIRSTRIKE = "airstrike"
    SHELLING = "shelling"
    ARMED_CLASH = "armed_clash"
    SMALL_ARMS = "small_arms"
    EXPLOSIVE = "explosive"
    CHEMICAL = "chemical"
    ATTACK_ON_CIVILIANS = "attack_on_civilians"
    ATTACK_ON_AID = "attack_on_aid"
    ARREST = "arrest"
    TERRITORY_TAKEN = "territory_taken"
    UNSPECIFIED = "unspecified"
    OTHER = "other"


class Confidence(StrEnum):
    """How sure the claimant is of the attribution, never of the incident itself."""

    UNSTATED = "unstated"
    ALLEGED = "alleged"
    LIKELY = "likely"
    CONFIRMED = "confirmed"
    DISPUTED = "disputed"


class ConvoyStep(StrEnum):
    """The steps of an aid convoy. Only ``offloaded`` and ``distributed`` are deliveries."""

    REQUESTED = "requested"
    NO_RESPONSE = "no_response"
    DENIED = "denied"
    APPROVED_IN_PRINCIPLE = "approved_in_principle"
    APPROVED_IN_PART = "approved_in_part"
    APPROVED = "approved"
    LOADED = "loaded"
    DISPATCHED = "dispatched"
    HELD = "held"
    TURNED_BACK = "turned_back"
    ATTACKED = "attacked"
    ARRIVED = "arrived"
    OFFLOADED = "offloaded"
    DISTRIBUTED = "distributed"


class AccessConstraint(StrEnum):
    """Why aid did not get through: the nine categories of OCHA's framework for monitoring access constraints."""

    DENIAL_OF_NEEDS = "denial_of_needs"
    ENTRY_INTO_COUNTRY = "entry_into_country"
    MOVEMENT_WITHIN = "movement_within"
    HOSTILITIES = "hostilities"
    VIOLENCE_AGAINST_STAFF = "violence_against_staff"
    INTERFERENCE = "interference"
    MINES = "mines"
    ENVIRONMENT = "environment"
    ACCESS_TO_SERVICES = "access_to_services"
