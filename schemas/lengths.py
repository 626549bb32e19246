"""Lengths with the unit they were given in, kept as given: 500 yards are 457.2 metres, and were never 500 metres."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from fractions import Fraction
from typing import Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from schemas.language import Language

#: An uncertainty above this says nothing of any line: it is in the wrong unit, or of a place known by country.
WIDEST_UNCERTAINTY = 1_000_000


class LengthUnit(StrEnum):
    """Units of length; yards, feet and miles are the international ones of 1959."""

    METRES = "metres"
    KILOMETRES = "kilometres"
    YARDS = "yards"
    FEET = "feet"
    MILES = "miles"


_METRES: Mapping[str, Fraction] = {
    LengthUnit.METRES: Fraction(1),
    LengthUnit.KILOMETRES: Fraction(1_000),
    LengthUnit.YARDS: Fraction("0.9144"),
    LengthUnit.FEET: Fraction("0.3048"),
    LengthUnit.MILES: Fraction("1609.344"),
}


def in_metres(value: float, unit: str) -> Fraction:
    """Return a length in metres, exactly, ``value`` being the decimal number that was written."""
    return Fraction(repr(value)) * _METRES[unit]


class Length(Language):
    """A length as a source gives it."""

    value: float = Field(ge=0, le=1e9, allow_inf_nan=False, description="How many of the unit.")
    unit: LengthUnit = Field(description="The unit it is given in; it is kept.")


class Uncertainty(Length):
    """How far the true position may lie from the one given: more than nothing, and no more than 1,000 km."""

    @model_validator(mode="after")
    def _is_believable(self) -> Self:
        if not 0 < in_metres(self.value, self.unit) <= WIDEST_UNCERTAINTY:
            raise PydanticCustomError(
                "uncertainty_absurd",
                "expected more than nothing and at most 1,000 km; leave it out when it is not known",
            )
        return self
