"""The language as JSON Schema, for feeds that check what they send, and for editors of TOML files.

The schemas are closed: a property they do not name is rejected. What JSON Schema cannot say, the descriptions do:
an interval that ends before it starts is rejected.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from schemas.agreement import Agreement
from schemas.events import CloudEvent
from schemas.gazetteer_file import GazetteerFile
from schemas.present_verdicts import PresentGate, PresentVerdict
from schemas.receipts import Receipt
from schemas.rejects import REPORTS_BY_TYPE, DeadLetter, RejectCode

DIALECT = GenerateJsonSchema.schema_dialect
#: Local times as ISO 8601, by the format that JSON Schema would name.
LOCAL_TIMES = {"date-time": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}$", "time": r"^\d{2}:\d{2}:\d{2}$"}


def export() -> dict[str, dict[str, Any]]:
    """Return the JSON Schemas by name: of every report type, what is told of reports and days, and a country's files.

    A reject is described by the headers of its Kafka record, as an object of header names and texts; its value is
    the rejected record's own. A receipt is one line of its record's value.
    """
    schemas = {name: _schema(model) for name, model in REPORTS_BY_TYPE.items()}
    reject = _schema(DeadLetter)
    meanings = "\n".join(f"{code}: {code.meaning}" for code in RejectCode)
    reject["$defs"]["RejectCode"]["description"] = f"Why a record was rejected.\n\n{meanings}"
    files = {"agreement": _file_schema(Agreement), "gazetteer": _file_schema(GazetteerFile)}
    told: dict[str, type[msgspec.Struct]] = {
        "receipt": Receipt,
        "verdict": PresentVerdict,
        "gate": PresentGate,
        "event": CloudEvent,
    }
    return schemas | {"reject": reject} | {name: _told_schema(each) for name, each in told.items()} | files


def render(schema: dict[str, Any]) -> str:
    """Return a schema as the text of a file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _told_schema(model: type[msgspec.Struct]) -> dict[str, Any]:
    _, defined = msgspec.json.schema_components([model])
    schema: dict[str, Any] = _headed(model) | defined[model.__name__] | {"additionalProperties": False}
    return schema


def _file_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the schema of a TOML file, whose times are local: JSON Schema's own formats ask for an offset."""
    schema: dict[str, Any] = _with_local_times(_schema(model))
    return schema


def _with_local_times(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_local_times(one) for one in value]
    if not isinstance(value, dict):
        return value
    if value.get("format") in LOCAL_TIMES:
        return {key: one for key, one in value.items() if key != "format"} | {"pattern": LOCAL_TIMES[value["format"]]}
    return {key: _with_local_times(one) for key, one in value.items()}


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema(by_alias=True, mode="validation")
    return _headed(model) | schema


def _headed(model: type) -> dict[str, Any]:
    return {"$schema": DIALECT, "$id": f"urn:trucewatch:{model.__name__}:v1"}
