"""What reports are made of: intervals, places, tolls, parties, sources."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from schemas.language import Language
from schemas.reports.words import Count, Instant, Name, Pcode, PlacePrecision, Text, TimePrecision


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
    """A toll as the source gives it, errors included.

    ``best`` may lie outside the range. A toll with ``low`` above ``high`` is flagged, and counted by nothing.
    """

    low: Count | None = Field(None, description="Lowest figure given; a toll with one above 'high' counts nothing.")
    best: Count | None = Field(None, description="The figure the source prefers, or its only one.")
    high: Count | None = Field(None, description="Highest figure given.")
    by_side: dict[Name, Count] = Field(
        default_factory=dict, max_length=20, description="Figures by side, as the source names the sides."
    )


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
