"""What a feed publishes: one pydantic model per kind of report.

Every report carries the same spine: who says it (``feed``, ``report_id``, ``revision``, ``status``), when it
was said (``reported_at``), and, verbatim, the source's own row (``raw``), so that no column of an ACLED or UCDP
row is lost. Unknown fields and wrong types are refused; every time must state its offset.

Identity is ``(feed, report_id)``. A higher ``revision`` replaces a lower one in whatever order they arrive;
``status = "retracted"`` withdraws the report, ``status = "merged"`` withdraws it in favour of another of the feed's.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AwareDatetime,
    Field,
    StringConstraints,
    TypeAdapter,
    model_validator,
)
from pydantic_core import PydanticCustomError

from schemas.language import Language
from schemas.lengths import Length, Uncertainty

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
Pcode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}[0-9]{0,10}$")]
#: An instant with its offset. Below 1971 lies what the parser makes of a compact date such as 20160912 (seconds
#: since 1970); years such as 1 and 9999 would overflow the calendar of truce-days.
Instant = Annotated[AwareDatetime, Field(ge=datetime(1971, 1, 1, tzinfo=UTC), lt=datetime(2200, 1, 1, tzinfo=UTC))]


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


class Interval(Language):
    """A stated stretch of time, half-open ``[from, to)``; ``from`` equal to ``to`` is an instant."""

    from_: Instant = Field(alias="from", description="Start, part of the stretch; ISO 8601 with an offset.")
    to: Instant = Field(description="End, not part of the stretch; equal to 'from' for an instant.")
    precision: TimePrecision = Field(description="How exactly the source states the time.")
    source_precision: Name | None = Field(
        None, description="The source's own precision with its scheme, e.g. 'ucdp date_prec 2'."
    )

    @model_validator(mode="after")
    def _runs_forward(self) -> Self:
        if self.to < self.from_:
            raise PydanticCustomError("interval_backwards", "ends before it starts")
        return self


class Point(Language):
    """A position in WGS 84 degrees."""

    latitude: float = Field(ge=-90, le=90, allow_inf_nan=False, description="Degrees north of the equator.")
    longitude: float = Field(ge=-180, le=180, allow_inf_nan=False, description="Degrees east of Greenwich.")


class Place(Language):
    """Where, as the source states it. At least one of ``pcode``, ``names`` and ``point`` must be given."""

    pcode: Pcode | None = Field(None, description="OCHA P-code, e.g. SY02; a deeper code counts as its governorate.")
    names: list[Name] = Field(
        default_factory=list, max_length=20, description="Names as written, from the region down to the site."
    )
    point: Point | None = Field(None, description="Coordinates as the source states them.")
    wkt: Text | None = Field(None, description="The source's own geometry, verbatim.")
    precision: PlacePrecision = Field(PlacePrecision.UNKNOWN, description="How exactly the source states the place.")
    source_precision: Name | None = Field(
        None, description="The source's own precision with its scheme, e.g. 'ucdp where_prec 4'."
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.pcode is None and not self.names and self.point is None:
            raise PydanticCustomError("place_empty", "needs at least one of pcode, names and point")
        return self


class Toll(Language):
    """A toll as the source gives it; ``best`` may lie outside the range, as real data sets have it."""

    low: Count | None = Field(None, description="Lowest figure given; never above 'high'.")
    best: Count | None = Field(None, description="The figure the source prefers, or its only one.")
    high: Count | None = Field(None, description="Highest figure given.")
    by_side: dict[Name, Count] = Field(
        default_factory=dict, max_length=20, description="Figures by side, as the source names the sides."
    )

    @model_validator(mode="after")
    def _low_is_not_above_high(self) -> Self:
        if self.low is not None and self.high is not None and self.low > self.high:
            raise PydanticCustomError("toll_out_of_order", "low is above high")
        return self


class Party(Language):
    """An actor as named. ``slot`` is the source's column, which implies no direction: not who attacked whom."""

    name: Name = Field(description="The actor as the source names it.")
    slot: Name | None = Field(None, description="The source's column, e.g. side_a; parties of one slot are one side.")
    party_id: Name | None = Field(None, description="The source's own id of the actor.")
    kind: Name | None = Field(None, description="The source's own class of actor.")


class Source(Language):
    """Where the report comes from: an outlet, an office, a page. ``origin`` names the first teller, if known."""

    name: Name = Field(description="Outlet, office or data set.")
    origin: Name | None = Field(None, description="Who told it first, when this source repeats another.")
    published: Name | None = Field(None, description="Date as the source writes it.")
    title: Text | None = Field(None, description="Headline or document number.")
    url: Text | None = Field(None, description="Address of the page.")


class Report(Language):
    """The spine every report shares."""

    feed: FeedName = Field(description="Who says it: lower-case letters, digits, '.', '_' and '-'.")
    report_id: ReportId = Field(description="The feed's own name for this report; its corrections keep it.")
    revision: int = Field(1, ge=1, le=1_000_000, description="Counts up from 1; a higher one replaces a lower one.")
    status: Status = Field(
        Status.ACTIVE, description="'retracted' withdraws the report; 'merged' says that merged_into tells it now."
    )
    merged_into: ReportId | None = Field(
        None, description="The feed's own name for the report this one went into; with status 'merged' and only then."
    )
    agreement: Name | None = Field(None, description="Id of the agreement this is about; by region when left out.")
    reported_at: Instant = Field(description="When the feed said it; not when it happened.")
    sources: list[Source] = Field(default_factory=list, max_length=200, description="Where the feed has it from.")
    note: Text | None = Field(None, description="Anything a reader of the evidence should know.")
    raw: dict[str, Any] = Field(default_factory=dict, description="The source's own row, verbatim.")

    @model_validator(mode="after")
    def _merged_into_another(self) -> Self:
        if self.merged_into is None:
            if self.status is Status.MERGED:
                raise PydanticCustomError("merged_into_nothing", "status 'merged' needs merged_into")
        elif self.status is not Status.MERGED:
            raise PydanticCustomError("merged_into_unmerged", "merged_into needs status 'merged'")
        elif self.merged_into == self.report_id:
            raise PydanticCustomError("merged_into_itself", "merged_into names the report itself")
        return self


class IncidentReport(Report):
    """One report of one occurrence of violence."""

    type: Literal["incident"] = Field(description="Which kind of report this is.")
    occurred: Interval = Field(description="When it happened, as exactly as the source says.")
    place: Place = Field(description="Where it happened.")
    kind: IncidentKind = Field(description="What happened, in our words.")
    kind_as_given: Name | None = Field(None, description="The source's own type and subtype.")
    parties: list[Party] = Field(default_factory=list, max_length=50, description="Actors named, without direction.")
    accused: list[Name] = Field(default_factory=list, max_length=20, description="Who is said to have done it.")
    claimant: Name | None = Field(None, description="Who says so.")
    confidence: Confidence = Field(Confidence.UNSTATED, description="How sure the claimant is of who did it.")
    deaths: Toll | None = Field(None, description="People killed.")
    injured: Toll | None = Field(None, description="People wounded.")
    same_as: list[ReportReference] = Field(
        default_factory=list,
        max_length=20,
        description="Reports, as feed/report_id, that tell of this very occurrence: they are linked to this one.",
    )
    not_same_as: list[ReportReference] = Field(
        default_factory=list,
        max_length=20,
        description="Reports, as feed/report_id, that tell of another occurrence: never linked to this one.",
    )


class ConvoyReport(Report):
    """One report of one step of an aid convoy."""

    type: Literal["convoy"] = Field(description="Which kind of report this is.")
    convoy_id: ReportId = Field(description="The feed's own name for the convoy; steps of one convoy share it.")
    same_convoy_as: ReportReference | None = Field(
        None, description="'feed/convoy_id' of another feed's name for this convoy: claims of both are one convoy's."
    )
    step: ConvoyStep = Field(description="How far the convoy had come; only offloaded and distributed are deliveries.")
    occurred: Interval = Field(description="When it was at this step.")
    place: Place = Field(description="The destination: the region access is owed to.")
    reached_place: Name | None = Field(None, description="Where the convoy was at this step, as written.")
    mode: Literal["cross_line", "cross_border", "airdrop", "unstated"] = Field(
        "unstated", description="Across a front line, across a border, or by air."
    )
    operator: list[Name] = Field(default_factory=list, max_length=20, description="Who runs the convoy.")
    trucks: Count | None = Field(None, description="Trucks of the convoy.")
    trucks_hit: Count | None = Field(None, description="Trucks damaged or destroyed.")
    people_requested: Count | None = Field(None, description="People aid was asked for.")
    people_approved: Count | None = Field(None, description="People aid was approved for.")
    people_reached: Count | None = Field(None, description="People the aid reached.")
    items_removed: list[Name] = Field(
        default_factory=list, max_length=100, description="What was taken off the load, chiefly medical supplies."
    )
    blocker: Name | None = Field(None, description="Who stood in the way.")
    reason: Text | None = Field(None, description="The reason given.")
    constraint: AccessConstraint | None = Field(
        None, description="What stood in the way, by OCHA's nine categories of access constraints."
    )
    accused: list[Name] = Field(default_factory=list, max_length=20, description="Who is said to have attacked it.")
    claimant: Name | None = Field(None, description="Who says so.")
    confidence: Confidence = Field(Confidence.UNSTATED, description="How sure the claimant is of who did it.")
    deaths: Toll | None = Field(None, description="People killed.")


class CoverageNotice(Report):
    """ "We watched these regions from a to b": what turns silence into a finding. ``nil`` says nothing was seen."""

    type: Literal["coverage"] = Field(description="Which kind of report this is.")
    occurred: Interval = Field(description="The stretch that was watched.")
    places: list[Place] = Field(min_length=1, max_length=100, description="The regions that were watched.")
    nil: bool = Field(description="True when the feed had nothing to report for the stretch.")
    basis: Text | None = Field(None, description="What the claim to have watched rests on, and what it leaves out.")


class Tally(Language):
    """One line of a bulletin: how many violations, where, by whom, in the monitor's own words."""

    place: Place | None = Field(None, description="None for the whole country.")
    accused: Name | None = Field(None, description="Who is said to have done it.")
    kind_as_given: Name | None = Field(None, description="What the monitor counts, in its words.")
    count: Count = Field(description="How many.")


class Bulletin(Report):
    """A monitor's own tally for a period. Shown beside the incident count, never added to it."""

    type: Literal["bulletin"] = Field(description="Which kind of report this is.")
    occurred: Interval = Field(description="The period the monitor counted.")
    tallies: list[Tally] = Field(min_length=1, max_length=500, description="The lines of the tally.")
    total: Count | None = Field(
        None, description="The total the monitor states, whether or not the parts add up to it."
    )
    at_least: bool = Field(False, description="True when the monitor says 'no less than'.")


class Declaration(Report):
    """What a party declares of the truce. Recorded beside the computed streak; never changes it."""

    type: Literal["declaration"] = Field(description="Which kind of report this is.")
    act: Literal["start", "extension", "suspension", "reset", "end"] = Field(description="What was declared.")
    declared_by: Name = Field(description="The party that declares it.")
    effective_at: Instant = Field(description="From when it is to hold.")
    until: Instant | None = Field(None, description="Until when, if the declaration says.")


class PositionReport(Report):
    """Where a unit stood: what a pull-back from a line is measured by."""

    type: Literal["position"] = Field(description="Which kind of report this is.")
    occurred: Interval = Field(description="When it stood there.")
    unit: Name = Field(description="The unit, or the weapon, as the source names it.")
    party: Name = Field(description="The party it belongs to, as the source names it.")
    weapon_class: Name = Field(
        description="What it has, in the agreement's words, such as heavy; any other is kept, and bound by nothing."
    )
    point: Point = Field(description="Where it stood.")
    names: list[Name] = Field(
        default_factory=list, max_length=20, description="Names of the place as written, from the region to the site."
    )
    uncertainty: Uncertainty | None = Field(
        None,
        description="How far the true position may lie from the point; without it no finding is possible.",
    )
    stated_distance: Length | None = Field(
        None, description="The source's own word on the distance to the line; shown beside the one computed."
    )


AnyReport = Annotated[
    IncidentReport | ConvoyReport | CoverageNotice | Bulletin | Declaration | PositionReport,
    Field(discriminator="type"),
]
REPORT_TYPES: tuple[type[Report], ...] = (
    IncidentReport,
    ConvoyReport,
    CoverageNotice,
    Bulletin,
    Declaration,
    PositionReport,
)
ANY_REPORT: TypeAdapter[AnyReport] = TypeAdapter(AnyReport)
