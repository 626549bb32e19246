"""Form and reading of gazetteer files."""

from __future__ import annotations

import json
from typing import Annotated

from pydantic import Field, ValidationError

from schemas.errors import GazetteerError
from schemas.language import Language
from schemas.reports import Name, Pcode
from schemas.shipped import shipped, shipped_or_path
from schemas.toml_file import TomlSyntaxError, parse_toml

_FOLDER = "gazetteers"
_Latitude = Annotated[float, Field(ge=-89, le=89, allow_inf_nan=False)]
_Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
Middle = tuple[_Latitude, _Longitude]


class RegionEntry(Language):
    """A region with every way it is written."""

    pcode: Pcode = Field(description="OCHA P-code of the region, such as SY02, NG001 or MMR001.")
    english: Name = Field(description="English name; the one that is shown.")
    local: Name | None = Field(None, description="Name in the country's own script or language.")
    names: list[Name] = Field(default_factory=list, description="Other spellings of the region's name.")
    countryside: Pcode | None = Field(None, description="The region meant by this one's name with 'Rif' or 'rural'.")
    middle: Middle | None = Field(
        None, description="Middle of the town that is called like it, as [latitude, longitude]."
    )
    centre: Middle | None = Field(
        None, description="A point well inside the region, as [latitude, longitude]; boundaries are held to it."
    )
    neighbours: list[Pcode] = Field(default_factory=list, description="Regions it shares a border with.")

    @property
    def spellings(self) -> tuple[str, ...]:
        """Every name, the English one first."""
        return (self.english, *([] if self.local is None else [self.local]), *self.names)


class PlaceEntry(Language):
    """A town, quarter or site, and the region it lies in."""

    name: Name = Field(description="The spelling that stands for all others when places are compared.")
    region: Pcode = Field(description="The region it lies in.")
    names: list[Name] = Field(default_factory=list, description="Other spellings.")
    easily_confused_with: Name | None = Field(
        None, description="A like-sounding place elsewhere; the report is marked for a person to check."
    )
    middle: Middle | None = Field(None, description="Its middle as [latitude, longitude], where it is a town.")


class AmbiguousEntry(Language):
    """A name that several regions share."""

    name: Name = Field(description="The name that is shared.")
    regions: list[Pcode] = Field(min_length=2, description="The regions it may stand for.")
    names: list[Name] = Field(default_factory=list, description="Other spellings of it.")


class GazetteerFile(Language):
    """Gazetteer as it is written down."""

    title: Name = Field(description="What the gazetteer is of.")
    sources: list[Name] = Field(min_length=1, description="Where its names come from.")
    country: Pcode = Field(description="P-code of the whole country, which is no region.")
    country_names: list[Name] = Field(default_factory=list, description="Names of the whole country.")
    neutral_words: list[Name] = Field(default_factory=list, description="Words that add nothing, e.g. northern.")
    region_words: list[Name] = Field(
        default_factory=list, description="Words that make a name a region's alone, e.g. governorate."
    )
    town_words: list[Name] = Field(default_factory=list, description="Words that make a name a town's, e.g. city.")
    rural_words: list[Name] = Field(default_factory=list, description="Words for the country around a city.")
    regions: list[RegionEntry] = Field(min_length=1, description="Every region with its names.")
    places: list[PlaceEntry] = Field(default_factory=list, description="Towns, quarters and sites.")
    ambiguous: list[AmbiguousEntry] = Field(default_factory=list, description="Names that several regions share.")


def shipped_gazetteers() -> list[str]:
    """Return the names of the gazetteers that come with the program."""
    return shipped(_FOLDER)


def gazetteer_bytes(name_or_path: str) -> bytes:
    """Return the text of a shipped gazetteer by name, or of a file.

    Raises:
        GazetteerError: the file cannot be read.
    """
    try:
        return shipped_or_path(_FOLDER, name_or_path).read_bytes()
    except OSError as error:
        names = ", ".join(shipped_gazetteers())
        raise GazetteerError(
            f"{name_or_path}: cannot be read: {error.strerror}; shipped gazetteers: {names}"
        ) from error


def parse_gazetteer(source: str, body: bytes) -> GazetteerFile:
    """Parse the text of a gazetteer; ``source`` names it in errors.

    Raises:
        GazetteerError: one line that says what is wrong, and where.
    """
    try:
        toml = parse_toml(body)
        return GazetteerFile.model_validate_json(json.dumps(toml.json_like()))
    except TomlSyntaxError as error:
        raise GazetteerError(f"{source}: {error}") from error
    except ValidationError as error:
        faults = sorted(toml.faults(error, GazetteerFile))
        raise GazetteerError(f"{source}: {'; '.join(map(str, faults))}") from error
