"""Tables of the docs, and the rows that the models ask of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from schemas.plain_words import PATTERNS

#: What the docs call a text of this form; each is explained once, above the tables.
FORMS = {
    "1 to 64 lower-case letters, digits, '.', '_' or '-', the first a letter or digit": "feed name",
    "1 to 200 visible characters without white space at the ends": "id",
    "a report as feed/report_id, such as field-office/FO-17": "reference",
    "an OCHA P-code, such as SY02": "P-code",
    "lower-case words and numbers joined by '-', such as syria-2016": "words joined by `-`",
    "a time zone, such as Asia/Damascus": "IANA time zone",
}
NAME_LENGTH, TEXT_LENGTH = 200, 20_000
_MARKED = re.compile(r"^<!-- ((?:keys|words|list) of: .+) -->\n+((?:\|.*\n)+)", re.MULTILINE)

Json = Mapping[str, Any]


class Key(NamedTuple):
    """One key of a model; ``default`` is "required", or empty where leaving the key out says nothing."""

    key: str
    takes: str
    default: str
    meaning: str


class Document(NamedTuple):
    """How one document writes times, and where it explains what a key may hold."""

    times: Mapping[str, str]
    sections: Mapping[str, str]

    def link(self, model: str) -> str:
        """Return a link to the section of a model: its own, or that of another document."""
        heading = self.sections.get(model, model)
        label, _, target = heading.partition("@")
        return f"[{label}]({target or '#' + anchor(label)})"


def anchor(heading: str) -> str:
    """Return the fragment under which GitHub shows a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def keys_of(model: type[BaseModel], document: Document, base: type[BaseModel] | None = None) -> list[Key]:
    """Return the keys of a model without those of ``base``."""
    schema = model.model_json_schema(by_alias=True)
    shared = set(base.model_fields) if base else set()
    words = _Words(document, schema.get("$defs", {}))
    return [
        Key(
            f"`{(written := field.alias or name)}`",
            words.taken(schema["properties"][written]),
            _default(field.get_default(call_default_factory=True)),
            field.description or "",
        )
        for name, field in model.model_fields.items()
        if name not in shared
    ]


def tables_in(text: str) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Yield every table under a marker such as ``<!-- keys of: Place -->``, its cells by their column's heading."""
    for marker, table in _MARKED.findall(text):
        heads, _, *rows = ([cell.strip() for cell in line[1:-1].split("|")] for line in table.splitlines())
        yield marker, [dict(zip(heads, row, strict=True)) for row in rows]


class _Words(NamedTuple):
    """The values a key takes, in words."""

    document: Document
    defs: Json

    def taken(self, schema: Json, *, several: bool = False) -> str:
        schema = schema["anyOf"][0] if "anyOf" in schema else schema
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            word = f"word{'s' * several} of " if "enum" in self.defs[name] else ""
            return f"{word}{self.document.link(name)}"
        if words := schema.get("enum") or ([schema["const"]] if "const" in schema else []):
            return " or ".join(f"`{word}`" for word in words)
        return self._of_type(schema, several=several)

    def _of_type(self, schema: Json, *, several: bool) -> str:
        match schema["type"]:
            case "string":
                return self._text(schema) + "s" * several
            case "boolean":
                return "`true` or `false`"
            case "array" if "prefixItems" in schema:
                return f"[{', '.join(map(_number, schema['prefixItems']))}]"
            case "array":
                return f"list of {_bounds(schema, 'Items')}{self.taken(schema['items'], several=True)}"
            case "object" if schema["additionalProperties"] is True:
                return "object"
            case "object":
                return f"{_bounds(schema, 'Properties')}names, each with {self.taken(schema['additionalProperties'])}"
        return _number(schema)

    def _text(self, schema: Json) -> str:
        if "format" in schema:
            return self.document.times[schema["format"]]
        if "pattern" in schema:
            return FORMS[PATTERNS[schema["pattern"]]]
        return {NAME_LENGTH: "name", TEXT_LENGTH: "text"}[schema["maxLength"]]


def _number(schema: Json) -> str:
    least, most = (schema.get(bound) for bound in ("minimum", "maximum"))
    return f"{least:,.0f} or more" if most is None else f"{least:,.0f} to {most:,.0f}"


def _bounds(schema: Json, of: str) -> str:
    least, most = schema.get(f"min{of}"), schema.get(f"max{of}")
    if least is None:
        return f"up to {most:,} " if most else ""
    return f"{least:,} to {most:,} " if most else f"{least:,} or more "


def _default(value: Any) -> str:
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, bool):
        return f"`{value}`".lower()
    return f"`{value}`" if value not in (None, [], {}) else ""
