"""The verbs of a mapping, as models of its TOML file."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from schemas.language import Language
from schemas.time_zones import names
from streams.feeds.mapping.words import canonical, folded

Column = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(canonical)]
Conversion = Literal["text", "integer", "number", "boolean", "date", "time", "unix"]
#: Times of day that a calendar day stands for.
At = Annotated[str, StringConstraints(pattern=r"^(start|end|([01][0-9]|2[0-3]):[0-5][0-9])$")]
Value = str | int | float | bool

#: Key of ``values`` for every other cell.
ANY_OTHER = "*"


def _folded(values: dict[str, Value]) -> dict[str, Value]:
    return {folded(cell): value for cell, value in values.items()}


class Expression(Language):
    """How a field is made of cells. The verbs are applied in the order in which they stand here."""

    column: Column | None = Field(None, description="The column whose cell it is.")
    columns: list[Column] | None = Field(
        None, min_length=1, max_length=50, description="Several columns; a field of one value takes the first filled."
    )
    template: str | None = Field(None, max_length=1_000, description="Text with columns in braces: 'row-{number}'.")
    missing: list[str] = Field(default_factory=list, max_length=100, description="Cells that hold no value.")
    join: str | None = Field(None, description="What stands between the cells of several columns in one text.")
    split: str | None = Field(None, min_length=1, description="What stands between several values in one cell.")
    values: Annotated[dict[str, Value], AfterValidator(_folded)] | None = Field(
        None, description="Cells and what they mean; '*' is any other cell."
    )
    as_: Conversion = Field("text", alias="as", description="What the cell holds.")
    formats: list[str] = Field(default_factory=list, max_length=20, description="Forms of dates, as strptime has them.")
    at: At = Field("start", description="The time of day a day stands for: 'start', 'end', or '14:30'.")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        sources = [name for name in ("column", "columns", "template") if getattr(self, name) is not None]
        if len(sources) != 1:
            raise PydanticCustomError("mapping_source", "needs one of column, columns and template")
        if self.join is not None and self.columns is None:
            raise PydanticCustomError("mapping_join", "join needs columns")
        if self.formats and self.as_ not in ("date", "time"):
            raise PydanticCustomError("mapping_formats", 'formats need as = "date" or as = "time"')
        if "at" in self.model_fields_set and self.as_ not in ("date", "time"):
            raise PydanticCustomError("mapping_at", 'at needs as = "date" or as = "time"')
        return self


class MappingFile(Language):
    """A mapping: how the file is read, and what its columns mean."""

    summary: str | None = Field(None, max_length=200, description="What the mapping is for.")
    requires: list[Column] = Field(
        default_factory=list, max_length=200, description="Columns a file must have; without it all that are named."
    )
    delimiter: str | None = Field(None, min_length=1, max_length=1, description="What separates cells.")
    encoding: str | None = Field(None, description="Encoding of a text file, such as cp1252.")
    time_zone: str | None = Field(None, description="Time zone of times without an offset.")
    sheet: str | None = Field(None, description="Sheet of a workbook; the first one without it.")
    skip_rows: int = Field(0, ge=0, le=1_000, description="Rows above the line of column names.")
    missing: list[str] = Field(default_factory=list, max_length=100, description="Cells that hold no value.")
    report: dict[str, Any] = Field(description="Fields of the report, by their path.")
    skip: dict[Column, list[str]] = Field(default_factory=dict, description="Rows that are left out, and counted.")
    retract: dict[Column, list[str]] = Field(default_factory=dict, description="Rows that withdraw their report.")

    @model_validator(mode="after")
    def _can_be_read(self) -> Self:
        if self.time_zone is not None and self.time_zone not in names():
            raise PydanticCustomError("mapping_zone", f"no time zone is called {self.time_zone!r}")
        if self.encoding is not None:
            try:
                "".encode(self.encoding)
            except LookupError:
                raise PydanticCustomError("mapping_encoding", f"no encoding is called {self.encoding!r}") from None
        return self


#: Keys that tell an expression from a table of fields.
VERBS = frozenset(field.alias or name for name, field in Expression.model_fields.items())
