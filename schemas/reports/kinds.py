"""The kinds of report, and the spine they share."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BeforeValidator, Field, TypeAdapter, model_validator
from pydantic_core import PydanticCustomError

from schemas.language import Language
from schemas.lengths import Length, Uncertainty
from schemas.reports.parts import Interval, Party, Place, Point, Source, Toll
from schemas.reports.words import (
    AccessConstraint,
    Confidence,
    ConvoyStep,
    Count,
    FeedName,
    IncidentKind,
    Instant,
    Name,
    ReportId,
    ReportReference,
    Status,
    Text,
)

#: The largest whole number that every reader of JSON holds exactly; seconds since 1970 and their thousandths fit.
MOST_REVISION = 2**53 - 1


class Report(Language):
    """The spine every report shares."""

    feed: FeedName = Field(description="Who says it: lower-case letters, digits, '.', '_' and '-'.")
    report_id: ReportId = Field(description="The feed's own name for this report; its corrections keep it.")
    revision: int = Field(1, ge=1, le=MOST_REVISION, description="Counts up from 1; a higher one replaces a lower one.")
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
    not_same_convoy_as: list[ReportReference] = Field(
        default_factory=list,
        max_length=20,
        description="'feed/convoy_id' of claims that are another convoy's: never joined to this one.",
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
    """Statement of a feed that it watched some regions for a stretch.

    Without one, silence is no finding. ``nil`` says that nothing was seen.
    """

    type: Literal["coverage"] = Field(description="Which kind of report this is.")
    occurred: Interval = Field(description="The stretch that was watched.")
    places: list[Place] = Field(min_length=1, max_length=100, description="The regions that were watched.")
    nil: bool = Field(description="True when the feed had nothing to report for the stretch.")
    basis: Text | None = Field(None, description="What the claim to have watched rests on, and what it leaves out.")


def _listed(given: Any) -> Any:
    """Return one name as a list of it: what bulletins gave before they could accuse several."""
    if isinstance(given, str):
        return [given]
    return [] if given is None else given


Accused = Annotated[
    list[Name],
    Field(max_length=20),
    BeforeValidator(_listed, json_schema_input_type=Annotated[list[Name], Field(max_length=20)] | Name | None),
]


class Tally(Language):
    """One line of a bulletin: how many violations, where, by whom, in the monitor's own words."""

    place: Place | None = Field(None, description="None for the whole country.")
    accused: Accused = Field(
        default_factory=list, description="Who is said to have done it: a name, or a list of them."
    )
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


class Retraction(Report):
    """Withdrawal of a report of whatever type by its name alone, for a feed that has its content no longer."""

    type: Literal["retraction"] = Field(description="Which kind of report this is.")
    status: Literal["retracted"] = Field("retracted", description="Always 'retracted'.")  # type: ignore[assignment]


_Reports = IncidentReport | ConvoyReport | CoverageNotice | Bulletin | Declaration | PositionReport | Retraction
REPORT_TYPES: tuple[type[Report], ...] = get_args(_Reports)
AnyReport = Annotated[_Reports, Field(discriminator="type")]
ANY_REPORT: TypeAdapter[AnyReport] = TypeAdapter(AnyReport)
