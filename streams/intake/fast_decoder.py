"""Fast decoder of incident reports, with msgspec structs for pydantic models.

The structs are made from pydantic's own core schema, so that the language is written down once.
They have the attributes of the models and hold the same values, in tuples where the models have
lists, and in microseconds where they have datetimes. Instants are read for many reports at once.

The decoder may only ever be narrower than the models. Pydantic decides on everything it does not
take, and explains. So ``raw`` may be nested one level deep. A constraint that is unknown here
disables the decoder as a whole; it is never passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from pydantic import BaseModel

from schemas.json_rule import keeps_the_rule
from schemas.reports.words import read_instant
from schemas.truceday import Micros, to_micros
from streams.intake.instants import micros_of

#: Takes bodies and returns the stand-in of each report, or None where pydantic has to read it.
FastDecoder = Callable[[Sequence[bytes]], list[Any]]

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
    stand_ins = _StandIns()
    kind = stand_ins.of(model.__pydantic_core_schema__)
    decode, timed = msgspec.json.Decoder(kind).decode, stand_ins.timed.get(kind, ())

    def read(body: bytes) -> Any:
        try:
            report = decode(body)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None
        # Where readers of JSON differ, pydantic has the error message.
        return report if keeps_the_rule(body) else None

    def read_all(bodies: Sequence[bytes]) -> list[Any]:
        reports = list(map(read, bodies))
        taken = [number for number, report in enumerate(reports) if report is not None]
        for each in timed:
            sound = each.read([reports[number] for number in taken])
            for number in (number for number, is_sound in zip(taken, sound, strict=True) if not is_sound):
                reports[number] = None
            taken = [number for number in taken if reports[number] is not None]
        return reports

    return read_all


def _take_nothing(bodies: Sequence[bytes]) -> list[Any]:
    """Leave every body to pydantic."""
    return [None] * len(bodies)


class _Timed(NamedTuple):
    """Instants of one part of a report, and the validator of that part.

    Attributes:
        path: attributes that lead from the report to the part.
        times: field of each instant, with the first one it may be and the end.
        check: the model's own validator, which runs once the instants are read.
    """

    path: tuple[str, ...]
    times: tuple[tuple[str, Micros, Micros], ...]
    check: _Check | None

    def read(self, reports: Sequence[Any]) -> list[bool]:
        """Read the instants of the reports; return which of these are sound."""
        parts = list(map(attrgetter(".".join(self.path)), reports)) if self.path else reports
        sound = [True] * len(parts)
        for field, first, end in self.times:
            read = micros_of(list(map(attrgetter(field), parts)), first, end)
            for part, at in zip(parts, read, strict=True):
                setattr(part, field, at)
            if None in read:
                sound = [before and at is not None for before, at in zip(sound, read, strict=True)]
        if self.check is not None:
            for number, part in enumerate(parts):
                sound[number] = sound[number] and self._passes(part)
        return sound

    def _passes(self, part: Any) -> bool:
        try:
            self.check(part)  # type: ignore[misc]  # asked for where there is one
        except (ValueError, TypeError, AttributeError):
            # The last two are of a validator that wants more of a datetime than its order: pydantic runs it.
            return False
        return True


class _StandIns:
    """Compiler of core schemas into types that msgspec reads, every model once."""

    def __init__(self) -> None:
        self._definitions: dict[str, _Schema] = {}
        self._made: dict[type, Any] = {}
        #: Of a stand-in with instants, its parts that have some, inner ones first.
        self.timed: dict[Any, tuple[_Timed, ...]] = {}
        self._makers: dict[str, Callable[[_Schema], Any]] = {
            "definitions": self._of_definitions,
            "definition-ref": lambda schema: self.of(self._definitions[_only(schema, "schema_ref")["schema_ref"]]),
            "model": self._of_model,
            "function-after": self._of_checked,
            "nullable": lambda schema: self._untimed(_only(schema, "schema")["schema"]) | None,
            "list": self._of_list,
            "dict": self._of_dict,
            "str": _of_text,
            "int": _of_number(int, "ge", "le"),
            "float": _of_number(float, "ge", "le", "allow_inf_nan"),
            "enum": lambda schema: _only(schema, "cls", "members", "sub_type")["cls"],
            "literal": lambda schema: Literal[tuple(_only(schema, "expected")["expected"])],
            # As text: instants are read by column.
            "function-before": _of_instant,
            "any": lambda schema: _only(schema) and _Raw,
        }

    def of(self, schema: _Schema) -> Any:
        """Return a type that takes no value ``schema`` refuses."""
        maker = self._makers.get(schema["type"])
        if maker is None:
            raise UnsupportedSchema(f"no fast decoder for {schema['type']}")
        return maker(schema)

    def _untimed(self, schema: _Schema) -> Any:
        """Return the type of what a report may have none or several of, and so no column of."""
        kind = self.of(schema)
        if schema["type"] == "function-before" or (isinstance(kind, type) and kind in self.timed):
            raise UnsupportedSchema("only instants that each report has once are read by column")
        return kind

    def _of_definitions(self, schema: _Schema) -> Any:
        _only(schema, "definitions", "schema")
        self._definitions.update((one["ref"], one) for one in schema["definitions"])
        return self.of(schema["schema"])

    def _of_list(self, schema: _Schema) -> Any:
        _only(schema, "items_schema", "min_length", "max_length")
        return _limited(tuple[self._untimed(schema["items_schema"]), ...], schema)  # type: ignore[misc]  # made at run time

    def _of_dict(self, schema: _Schema) -> Any:
        _only(schema, "keys_schema", "values_schema", "min_length", "max_length")
        return _limited(dict[self.of(schema["keys_schema"]), self._untimed(schema["values_schema"])], schema)  # type: ignore[misc]  # made at run time

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
        fields: list[Any] = []
        times: list[tuple[str, Micros, Micros]] = []
        timed: list[_Timed] = []
        for field, said in schema["fields"].items():
            _only(said, "schema", "validation_alias", "serialization_alias")
            inner, default = _default(said["schema"])
            kind = self._untimed(inner) if default else self.of(inner)
            if inner["type"] == "function-before":
                times.append((field, to_micros(inner["schema"]["ge"]), to_micros(inner["schema"]["lt"])))
            if isinstance(kind, type):
                timed += [each._replace(path=(field, *each.path)) for each in self.timed.get(kind, ())]
            fields.append((field, kind, msgspec.field(name=said.get("validation_alias", field), **default)))
        if times or timed:
            timed.append(_Timed((), tuple(times), check))
        early = {} if timed or check is None else {"__post_init__": check}
        # Without the garbage collector: a stand-in holds no cycle, and there are many.
        made = msgspec.defstruct(name, fields, namespace=early, forbid_unknown_fields=True, kw_only=True, gc=False)
        if timed:
            self.timed[made] = tuple(timed)
        return made


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
