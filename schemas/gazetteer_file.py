"""Form and reading of gazetteer files."""

from __future__ import annotations

from pydantic import Field, ValidationError

from schemas.errors import GazetteerError
from schemas.language import Language
from schemas.reports import Name, Pcode
from schemas.shipped import shipped, shipped_or_path
from schemas.toml_file import TomlSyntaxError, parse_toml

_FOLDER = "gazetteers"


class RegionEntry(Language):
    """A region with every way it is written."""

    pcode: Pcode
    english: Name
    arabic: Name
    names: list[Name] = Field(default_factory=list)
    countryside: Pcode | None = Field(None, description="The region meant by this one's name with 'Rif' or 'rural'.")


class PlaceEntry(Language):
    """A town, quarter or site, and the region it lies in."""

    name: Name
    region: Pcode
    names: list[Name] = Field(default_factory=list)
    easily_confused_with: Name | None = None


class AmbiguousEntry(Language):
    """A name that several regions share."""

    name: Name
    regions: list[Pcode] = Field(min_length=2)
    names: list[Name] = Field(default_factory=list)


class GazetteerFile(Language):
    """Gazetteer as it is written down."""

    title: Name
    sources: list[Name] = Field(min_length=1)
    country: Pcode
    country_names: list[Name] = Field(default_factory=list)
    neutral_words: list[Name] = Field(default_factory=list, description="Words that add nothing, e.g. governorate.")
    rural_words: list[Name] = Field(default_factory=list, description="Words for the country around a city.")
    regions: list[RegionEntry] = Field(min_length=1)
    places: list[PlaceEntry] = Field(default_factory=list)
    ambiguous: list[AmbiguousEntry] = Field(default_factory=list)


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
        return GazetteerFile.model_validate(toml.data)
    except TomlSyntaxError as error:
        raise GazetteerError(f"{source}: {error}") from error
    except ValidationError as error:
        faults = sorted(toml.faults(error, GazetteerFile))
        raise GazetteerError(f"{source}: {'; '.join(map(str, faults))}") from error
