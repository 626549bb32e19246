"""Fast decoder of incident reports, with msgspec structs for pydantic models.

The structs are made from pydantic's own core schema, so that the language is written down once.
They have the attributes of the models and hold the same values, in tuples where the models have
lists.

The decoder may only ever be narrower than the models. Pydantic decides on everything it does not
take, and explains. So ``raw`` may be nested one level deep. A constraint that is unknown here
disables the decoder as a whole; it is never passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from pydantic import BaseModel

from schemas.instants import parse_instant
from schemas.json_rule import keeps_the_rule
from schemas.reports.words import read_instant

#: Takes a body and returns the stand-in of a report, or None where pydantic has to read it.
FastDecoder = Callable[[bytes], Any]

#: No deeper, because pydantic refuses deep nesting at a depth that msgspec does not share.
_Scalar = str | int | float | bool | None
_Raw = str | int | float | bool | list[_Scalar] | dict[str, _Scalar] | None
#: Keys without a say in validity.
_NOTES = frozenset({"type", "metadata", "ref"})

_Schema = Mapping[str, Any]
_Check = Callable[[Any], Any]


class UnsupportedSchema(TypeError):
    """A model has a constraint that is unknown here.

    Pydantic reads all of its bodies then.
    """


def decoder_for(model: type[BaseModel]) -> FastDecoder:
    """Return the fast decoder of ``model``, if its schema is supported.

    Otherwise return one that takes nothing.
    """
    try:
        return compiled_decoder(model)
    except UnsupportedSchema:
        return _take_nothing


def compiled_decoder(model: type[BaseModel]) -> FastDecoder:
    """Return the fast decoder of ``model``.

    Raises:
        UnsupportedSchema: the model has a constraint that is unknown here.
    """
    decode = msgspec.json.Decoder(_StandIns().of(model.__pydantic_core_schema__)).decode

    def read(body: bytes) -> Any:
        try:
            report = decode(body)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None
        # Where readers of JSON differ, pydantic has the error message.
        return report if keeps_the_rule(body) else None

    return read


def _take_nothing(_body: bytes) -> None:
    """Leave every body to pydantic."""


class _StandIns:
    """Compiler of core schemas into types that msgspec reads, every model once."""

    def __init__(self) -> None:
        self._definitions: dict[str, _Schema] = {}
        self._made: dict[type, Any] = {}
        self._makers: dict[str, Callable[[_Schema], Any]] = {
            "definitions": self._of_definitions,
            "definition-ref": lambda schema: self.of(self._definitions[_only(schema, "schema_ref")["schema_ref"]]),
            "model": self._of_model,
            "function-after": self._of_checked,
            "nullable": lambda schema: self.of(_only(schema, "schema")["schema"]) | None,
            "list": self._of_list,
            "dict": self._of_dict,
            "str": _of_text,
            "int": _of_number(int, "ge", "le"),
            "float": _of_number(float, "ge", "le", "allow_inf_nan"),
            "enum": lambda schema: _only(schema, "cls", "members", "sub_type")["cls"],
            "literal": lambda schema: Literal[tuple(_only(schema, "expected")["expected"])],
            # As text, which the language's own parser of instants reads.
            "function-before": _of_instant,
            "any": lambda schema: _only(schema) and _Raw,
        }

    def of(self, schema: _Schema) -> Any:
        """Return a type that takes no value ``schema`` refuses."""
        maker = self._makers.get(schema["type"])
        if maker is None:
            raise UnsupportedSchema(f"no fast decoder for {schema['type']}")
        return maker(schema)

    def _of_definitions(self, schema: _Schema) -> Any:
        _only(schema, "definitions", "schema")
        self._definitions.update((one["ref"], one) for one in schema["definitions"])
        return self.of(schema["schema"])

    def _of_list(self, schema: _Schema) -> Any:
        _only(schema, "items_schema", "min_length", "max_length")
        return _limited(tuple[self.of(schema["items_schema"]), ...], schema)  # type: ignore[misc]  # made at run time

    def _of_dict(self, schema: _Schema) -> Any:
        _only(schema, "keys_schema", "values_schema", "min_length", "max_length")
        return _limited(dict[self.of(schema["keys_schema"]), self.of(schema["values_schema"])], schema)  # type: ignore[misc]  # made at run time

    def _of_checked(self, schema: _Schema) -> Any:
        _only(schema, "function", "schema")
        if schema["schema"]["type"] != "model" or schema["function"]["type"] != "no-info":
            raise UnsupportedSchema("only validators of whole models have a fast decoder")
        return self._of_model(schema["schema"], schema["function"]["function"])

    def _of_model(self, schema: _Schema, check: _Check | None = None) -> Any:
        _only(schema, "cls", "config", "custom_init", "root_model", "schema")
        model, config = schema["cls"], schema["config"]
        if model not in self._made:
            if not (config.get("strict") and config.get("extra_fields_behavior") == "forbid"):
                raise UnsupportedSchema(f"{model.__name__} is not strict")
            if schema["custom_init"] or schema["root_model"] or schema["schema"].get("computed_fields"):
                raise UnsupportedSchema(f"{model.__name__} is more than its fields")
            self._made[model] = self._struct(model.__name__, schema["schema"], check)
        return self._made[model]

    def _struct(self, name: str, schema: _Schema, check: _Check | None) -> Any:
        _only(schema, "fields", "computed_fields", "model_name")
        fields, times = [], []
        for field, said in schema["fields"].items():
            _only(said, "schema", "validation_alias", "serialization_alias")
            inner, default = _default(said["schema"])
            if inner["type"] == "function-before":
                times.append((field, inner["schema"]["ge"], inner["schema"]["lt"]))
            fields.append((field, self.of(inner), msgspec.field(name=said.get("validation_alias", field), **default)))
        # Without the garbage collector: a stand-in holds no cycle, and there are many.
        return msgspec.defstruct(
            name, fields, namespace=_afterwards(times, check), forbid_unknown_fields=True, kw_only=True, gc=False
        )


def _afterwards(times: list[tuple[str, datetime, datetime]], check: _Check | None) -> dict[str, Any]:
    """Return the ``__post_init__`` of a stand-in.

    It reads the times, then runs the model's own validator.
    """
    if not times and check is None:
        return {}

    def read_times(self: Any) -> None:
        for field, first, end in times:
            at = parse_instant(getattr(self, field))
            # A year off both ends lies within, whatever the offset: comparing years is the cheaper half.
            if not first.year < at.year < end.year - 1 and not first <= at < end:
                raise ValueError(at)
            setattr(self, field, at)
        if check is not None:
            check(self)

    return {"__post_init__": read_times if times else check}


def _of_instant(schema: _Schema) -> Any:
    _only(schema, "function", "schema")
    if schema["function"] != {"type": "no-info", "function": read_instant} or schema["schema"]["type"] != "datetime":
        raise UnsupportedSchema("only instants are read before their check")
    _only(schema["schema"], "ge", "lt", "tz_constraint", "microseconds_precision")
    return str


def _default(schema: _Schema) -> tuple[_Schema, dict[str, Any]]:
    """Return the schema of a field, and its default for msgspec."""
    if schema["type"] != "default":
        return schema, {}
    _only(schema, "schema", "default", "default_factory", "default_factory_takes_data")
    if "default" in schema:
        return schema["schema"], {"default": schema["default"]}
    factory = schema["default_factory"]
    return schema["schema"], {"default_factory": tuple if factory is list else factory}


def _of_text(schema: _Schema) -> Any:
    _only(schema, "min_length", "max_length", "pattern")
    pattern = schema.get("pattern")
    if pattern is None:
        return _limited(str, schema)
    if not (pattern.startswith("^") and pattern.endswith("$")) or "$" in pattern[:-1]:
        raise UnsupportedSchema(f"the pattern {pattern} does not say where it begins and ends")
    # The pattern's own end is the end of the text; Python's "$" would let a line break follow.
    return Annotated[_limited(str, schema), msgspec.Meta(pattern=f"{pattern[:-1]}\\Z")]


def _of_number(kind: type, *known: str) -> Callable[[_Schema], Any]:
    def make(schema: _Schema) -> Any:
        _only(schema, *known)
        return Annotated[kind, msgspec.Meta(ge=schema.get("ge"), le=schema.get("le"))]

    return make


def _limited(kind: Any, schema: _Schema) -> Any:
    low, high = schema.get("min_length"), schema.get("max_length")
    return kind if low is None and high is None else Annotated[kind, msgspec.Meta(min_length=low, max_length=high)]


def _only(schema: _Schema, *known: str) -> _Schema:
    """Return ``schema`` if all its keys are known."""
    unknown = schema.keys() - _NOTES - set(known)
    if unknown:
        raise UnsupportedSchema(f"no fast decoder for {schema['type']} with {', '.join(sorted(unknown))}")
    return schema
