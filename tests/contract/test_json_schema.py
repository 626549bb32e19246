"""The published JSON Schemas: unchanged unless on purpose, and true to what is accepted.

To publish a change on purpose: ``UPDATE_GOLDEN=1 pytest tests/contract/test_json_schema.py``, then review the diff.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from schemas.agreement_file import shipped_agreements
from schemas.facts import Origin, RejectFact
from schemas.gazetteer_file import shipped_gazetteers
from schemas.json_schema import export, render
from schemas.receipts import Receipt, lines_of, refusal
from schemas.rejects import REPORTS_BY_TYPE, dead_letter_headers
from schemas.reports import ANY_REPORT
from schemas.toml_file import parse_toml

GOLDEN = Path(__file__).parent / "golden"
SCHEMAS = export()
EXAMPLES = [
    json.loads(line)
    for line in (resources.files("streams.demo") / "september-2016.jsonl").read_text(encoding="utf-8").splitlines()
]
#: The shipped scenario has none: nobody published a position with its coordinates.
POSITION = {
    "type": "position",
    "feed": "observers",
    "report_id": "P-1",
    "reported_at": "2016-09-14T12:00:00+03:00",
    "occurred": {"from": "2016-09-14T09:00:00+03:00", "to": "2016-09-14T10:00:00+03:00", "precision": "hour"},
    "unit": "a battery",
    "party": "Syrian Arab Army",
    "weapon_class": "heavy",
    "point": {"latitude": 36.26, "longitude": 37.13},
    "uncertainty": {"value": 500, "unit": "yards"},
}


#: Nor a retraction by name.
RETRACTION = {
    "type": "retraction",
    "feed": "acled",
    "report_id": "SYR12345",
    "revision": 1_700_000_000,
    "reported_at": "2023-11-14T22:13:20+00:00",
}


def objects(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield schema["title"], schema
    yield from schema.get("$defs", {}).items()


def test_there_is_one_for_every_report_type_what_is_told_of_reports_and_the_files_of_a_country() -> None:
    assert list(SCHEMAS) == [
        *REPORTS_BY_TYPE,
        "reject",
        "receipt",
        "verdict",
        "gate",
        "event",
        "agreement",
        "gazetteer",
    ]


SHIPPED = [
    *(("agreement", "agreements", name) for name in shipped_agreements()),
    *(("gazetteer", "gazetteers", name) for name in shipped_gazetteers()),
]


@pytest.mark.parametrize(("schema", "folder", "name"), SHIPPED)
def test_every_shipped_file_is_valid_by_its_schema(schema: str, folder: str, name: str) -> None:
    document = parse_toml((resources.files("schemas") / folder / f"{name}.toml").read_bytes()).json_like()
    validator = Draft202012Validator(SCHEMAS[schema], format_checker=Draft202012Validator.FORMAT_CHECKER)
    assert [error.message for error in validator.iter_errors(document)] == []
    assert list(validator.iter_errors(document | {"regoins": []}))


def test_a_time_with_an_offset_is_none_of_an_agreements() -> None:
    validator = Draft202012Validator(SCHEMAS["agreement"])
    document = parse_toml((resources.files("schemas") / "agreements" / "syria-2016.toml").read_bytes()).json_like()
    document["clock"]["effective"] += "+03:00"
    assert [error.json_path for error in validator.iter_errors(document)] == ["$.clock.effective"]


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_the_one_that_was_published(name: str) -> None:
    path = GOLDEN / f"{name}.schema.json"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(render(SCHEMAS[name]), encoding="utf-8")
    assert render(SCHEMAS[name]) == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_valid_json_schema(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_object_and_every_field_is_described(name: str) -> None:
    for title, schema in objects(SCHEMAS[name]):
        assert schema.get("description"), title
        for field, described in schema.get("properties", {}).items():
            # Where it says no more than the object it leads to, it is left out.
            assert described.get("description") or "$ref" in described, f"{title}.{field}"


@pytest.mark.parametrize("name", [name for name in SCHEMAS if name != "reject"])
def test_a_schema_is_closed(name: str) -> None:
    for title, schema in objects(SCHEMAS[name]):
        if schema["type"] == "object":
            assert schema["additionalProperties"] is False, title


@pytest.mark.parametrize("name", REPORTS_BY_TYPE)
def test_real_reports_are_valid(name: str) -> None:
    validator = Draft202012Validator(SCHEMAS[name])
    examples = [example for example in [*EXAMPLES, POSITION, RETRACTION] if example["type"] == name]
    assert examples
    for example in examples:
        validator.validate(example)


@pytest.mark.parametrize(
    "change",
    [
        {"feed": "A feed"},
        {"report_id": " x"},
        {"revision": 0},
        {"kind": "shell"},
        {"unknown": 1},
        {"place": {"pcode": "SY.02"}},
        {"place": {"point": {"latitude": 91, "longitude": 0}}},
        {"deaths": {"low": -1}},
        {"type": "convoy"},
    ],
)
def test_what_the_schema_refuses_is_rejected_as_well(change: dict[str, Any]) -> None:
    example = next(example for example in EXAMPLES if example["type"] == "incident") | change
    assert not Draft202012Validator(SCHEMAS["incident"]).is_valid(example)
    with pytest.raises(ValueError, match="validation error"):
        ANY_REPORT.validate_json(json.dumps(example))


def test_lines_of_receipts_are_valid() -> None:
    validator = Draft202012Validator(SCHEMAS["receipt"])
    counted = Receipt(
        "syria-2016", "accepted", "0" * 16, "f", "r", 1, region="SY05", truce_day="2016-09-13", counted=True
    )
    for receipt in (counted, refusal("syria-2016", "rejected", b"{", "not_json", "send JSON")):
        for line in lines_of([receipt]).splitlines():
            validator.validate(json.loads(line))
            assert not validator.is_valid(json.loads(line) | {"outcome": 1})


def test_a_dead_letters_headers_are_valid() -> None:
    fact = RejectFact(origin=Origin("truce.notices.v1", 0, 3), code="not_json", hint="send JSON")
    headers = {name: (value or b"").decode() for name, value in dead_letter_headers(fact, [("ce_id", b"1")])}
    Draft202012Validator(SCHEMAS["reject"]).validate(headers)
    assert not Draft202012Validator(SCHEMAS["reject"]).is_valid(headers | {"reason-code": "because"})
