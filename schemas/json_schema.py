"""The language as JSON Schema, for feeds that check what they send before they send it.

The schemas are closed: a property they do not name is rejected. What JSON Schema cannot say, the descriptions do:
an interval that ends before it starts is rejected.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from schemas.rejects import REPORTS_BY_TYPE, DeadLetter, RejectCode

DIALECT = GenerateJsonSchema.schema_dialect


def export() -> dict[str, dict[str, Any]]:
    """Return the JSON Schema of every report type by its ``type``, and of the reject as ``reject``.

    A reject is described by the headers of its Kafka record, as an object of header names and texts; its value is
    the rejected record's own.
    """
    schemas = {name: _schema(model) for name, model in REPORTS_BY_TYPE.items()}
    reject = _schema(DeadLetter)
    meanings = "\n".join(f"{code}: {code.meaning}" for code in RejectCode)
    reject["$defs"]["RejectCode"]["description"] = f"Why a record was rejected.\n\n{meanings}"
    return schemas | {"reject": reject}


def render(schema: dict[str, Any]) -> str:
    """Return a schema as the text of a file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema(by_alias=True, mode="validation")
    return {"$schema": DIALECT, "$id": f"urn:trucewatch:{model.__name__}:v1", **schema}
