"""What a verdicts topic holds, and what it should by the views of the ledger's file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
from jsonschema import Draft202012Validator

from schemas.json_schema import export
from schemas.present_verdicts import PresentGate, PresentVerdict

VALID = {name: Draft202012Validator(schema) for name, schema in export().items() if name in ("verdict", "gate")}


def on_file(file: Path) -> dict[str, dict[str, Any]]:
    """Return what the topic should hold, from the views of a ledger's file."""
    with duckdb.connect(str(file), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        wanted: dict[str, dict[str, Any]] = {}
        for view, columns in (
            ("day_verdicts", PresentVerdict.__struct_fields__),
            ("gate", PresentGate.__struct_fields__),
        ):
            chosen = ", ".join(columns[1:])
            for row in connection.execute(f"SELECT {chosen} FROM {view}").fetchall():
                values = dict(zip(columns[1:], row, strict=True))
                for name in {"reasons", "evidence", "cause"} & values.keys():
                    values[name] = json.loads(values[name])
                if "truce_day" in values:
                    values["truce_day"] = values["truce_day"].isoformat()
                wanted["gate" if view == "gate" else f"{values['region']}/{values['truce_day']}"] = values
    return wanted


def on_topic(values: Mapping[bytes, bytes], agreement: str) -> dict[str, dict[str, Any]]:
    """Return what the topic holds of each key; every message is valid by its schema."""
    found = {}
    for key, value in values.items():
        message = json.loads(value)
        VALID["gate" if key == b"gate" else "verdict"].validate(message)
        assert message.pop("agreement") == agreement
        found[key.decode()] = message | {"recorded_at": datetime.fromisoformat(message["recorded_at"])}
    return found
