"""Lines a truce pulls units back from, and how far: part of an agreement, as data."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from schemas.language import Language
from schemas.reports import Day, Name

#: Distances are proven to the decimetre up to here, so no band may ask for more.
REACH_METRES = 50_000

LineId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
Latitude = Annotated[float, Field(ge=-89, le=89, allow_inf_nan=False)]
Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
LinePoint = tuple[Latitude, Longitude]
LeastDistance = Annotated[int, Field(ge=1, le=REACH_METRES)]
Side = Literal["left", "right"]


class Pulled(StrEnum):
    """What is found of a position and a line, from worst to best. Only VIOLATION is one."""

    VIOLATION = "VIOLATION"
    INDETERMINATE = "INDETERMINATE"
    COMPLIANT = "COMPLIANT"
    NOT_BOUND = "NOT_BOUND"
    OUT_OF_REACH = "OUT_OF_REACH"
    NOT_IN_FORCE = "NOT_IN_FORCE"


class PullbackRule(StrEnum):
    """What a finding rests on."""

    BAND = "band"
    LIMIT_IN_DOUBT = "limit_in_doubt"
    NO_UNCERTAINTY = "no_uncertainty"
    SIDE_UNCLEAR = "side_unclear"
    NO_BAND = "no_band"
    OUT_OF_REACH = "out_of_reach"
    NOT_IN_FORCE = "not_in_force"


def _moves_on(points: list[LinePoint]) -> list[LinePoint]:
    """Refuse what has no direction: two points in one place, one after the other."""
    for number, (here, there) in enumerate(pairwise(points)):
        if here == there:
            raise PydanticCustomError(
                "line_stands", "points {here} and {there} are the same", {"here": number, "there": number + 1}
            )
        # A degree of latitude is 111 km, one of longitude no more: a piece this short is below 20 km.
        if abs(here[0] - there[0]) > 0.12 or abs(here[1] - there[1]) > 0.12:
            raise PydanticCustomError(
                "line_leaps",
                "points {here} and {there} lie more than 0.12 degrees apart; put points between them",
                {"here": number, "there": number + 1},
            )
    return points


class Bands(Language):
    """Least distances of some parties in metres, by weapon class and side of the line."""

    parties: list[Name] = Field(
        default_factory=list, description="Parties bound, by every name reports use; empty for every party."
    )
    left: dict[Name, LeastDistance] = Field(default_factory=dict, description="By weapon class, left of the line.")
    right: dict[Name, LeastDistance] = Field(default_factory=dict, description="By weapon class, right of the line.")

    def on(self, side: Side) -> dict[Name, LeastDistance]:
        """Return the least distances on one side."""
        return self.left if side == "left" else self.right


class PullbackLine(Language):
    """One line, such as a road, and who must keep how far from it."""

    id: LineId = Field(description="Names the line in findings; no two lines share one.")
    name: Name = Field(description="What the line is called wherever it is shown.")
    source: Name = Field(description="Where the line and its distances come from.")
    points: Annotated[list[LinePoint], AfterValidator(_moves_on)] = Field(
        min_length=2,
        max_length=1_000,
        description="The line as [latitude, longitude] in WGS 84, in its direction.",
    )
    uncertainty_metres: int = Field(ge=0, le=REACH_METRES, description="How far the line itself may be off.")
    left: Name = Field(description="What the side left of its direction is called, e.g. north.")
    right: Name = Field(description="What the side right of its direction is called.")
    first_day: Day = Field(description="First truce-day it holds for.")
    last_day: Day | None = Field(None, description="Last truce-day it holds for; open when left out.")
    bands: list[Bands] = Field(
        min_length=1, description="Who must keep how far; the largest distance that binds holds."
    )

    def in_force(self, truce_day: date) -> bool:
        """Whether the line holds for a truce-day."""
        return self.first_day <= truce_day and (self.last_day is None or truce_day <= self.last_day)

    def limit(self, side: Side, party: str, weapon_class: str) -> int | None:
        """Return the least distance in metres, the largest where several bind; None when nothing does."""
        return max(
            (
                bands.on(side)[weapon_class]
                for bands in self.bands
                if weapon_class in bands.on(side) and (not bands.parties or party in bands.parties)
            ),
            default=None,
        )

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if self.left == self.right:
            raise PydanticCustomError("sides_alike", "left and right are called the same")
        if self.last_day is not None and self.last_day < self.first_day:
            raise PydanticCustomError("line_backwards", "last_day lies before first_day")
        return self
