"""The docs tell every key, word, code, command, metric and alert there is, and none that is not."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, cast, get_args

import pytest
import yaml
from click import Context, Group
from pydantic import BaseModel, create_model
from typer.main import get_command

from schemas.agreement import Agreement
from schemas.gazetteer import GazetteerFile
from schemas.language import Language
from schemas.rejects import DeadLetter, RejectCode
from schemas.reports import REPORT_TYPES, ConvoyReport, Declaration, Report
from schemas.toml_file import parse_toml
from streams.cli.app import app
from streams.feeds.mapping.language import Expression, MappingFile
from streams.feeds.mapping.load import shipped_mappings
from streams.feeds.readers import FORMATS
from streams.gateway.problems import Problem
from tests.support.doc_tables import Document, keys_of, tables_in

ROOT = Path(__file__).parents[2]
REPORTING, AGREEMENTS, OPERATING, MAPPINGS = "reporting.md", "agreements.md", "operating.md", "mappings.md"
#: The sections of models whose key in a file is another word than their name; "@" leads to another document.
SECTIONS = {
    "Clock": "clock",
    "Scope": "scope",
    "ViolenceRules": "violence",
    "Baseline": "violence.baseline",
    "CoverageRules": "coverage",
    "LinkingRules": "linking",
    "AccessRules": "access",
    "AccessPlace": "access.places",
    "PullbackLine": "pullback",
    "Bands": "pullback.bands",
    "AgreementParty": "parties",
    "RegionEntry": "regions",
    "PlaceEntry": "places",
    "AmbiguousEntry": "ambiguous",
    "IncidentKind": "IncidentKind@reporting.md#incidentkind",
}
DOCUMENTS = {
    REPORTING: Document({"date-time": "instant"}, {}),
    AGREEMENTS: Document({"date-time": "local time", "date": "date", "time": "time of day"}, SECTIONS),
}
BASES: dict[type[BaseModel], type[BaseModel]] = dict.fromkeys(REPORT_TYPES, Report)
ALERTS = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yml").read_text("utf-8"))
COMMANDS = cast("Group", get_command(app))
METRICS = {
    name
    for file in (ROOT / "streams").glob("*/metrics.py")
    for name in re.findall(r'"(trucewatch_[a-z_]+)"', file.read_text("utf-8"))
}
#: Choices of one key alone, which have no name of their own.
CHOICES = {"ConvoyReport.mode": (ConvoyReport, "mode"), "Declaration.act": (Declaration, "act")}


def within(annotation: Any) -> Iterator[type]:
    """Yield every model and enumeration that an annotation leads to, itself included."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel | StrEnum):
        yield annotation
        if issubclass(annotation, BaseModel):
            for field in annotation.model_fields.values():
                yield from within(field.annotation)
    for part in get_args(annotation):
        yield from within(part)


REACHED = {REPORTING: {*within(tuple[REPORT_TYPES]), Report}, AGREEMENTS: {*within(Agreement), *within(GazetteerFile)}}  # type: ignore[valid-type]
MODELS = {
    document: {each.__name__: each for each in sorted(reached, key=str) if issubclass(each, BaseModel)}
    for document, reached in REACHED.items()
}
WORDS: dict[str, list[str]] = {
    each.__name__: list(each) for each in (*REACHED[REPORTING], RejectCode) if issubclass(each, StrEnum)
} | {name: list(get_args(model.model_fields[key].annotation)) for name, (model, key) in CHOICES.items()}


def text_of(document: str) -> str:
    return (ROOT / "docs" / document).read_text("utf-8")


def tables(document: str, what: str) -> dict[str, list[dict[str, str]]]:
    """Return the tables of one kind by the names in their markers; one table may be of several models."""
    return {
        name: rows
        for marker, rows in tables_in(text_of(document))
        if marker.startswith(f"{what} of: ")
        for name in marker.removeprefix(f"{what} of: ").split(", ")
    }


def code(text: str) -> str:
    return text.strip("`")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_model_has_a_table_of_its_keys(document: str) -> None:
    assert tables(document, "keys").keys() == MODELS[document].keys()


@pytest.mark.parametrize(("document", "name"), [(document, name) for document in MODELS for name in MODELS[document]])
def test_a_table_of_keys_is_what_the_model_says(document: str, name: str) -> None:
    model = MODELS[document][name]
    wanted = [key._asdict() for key in keys_of(model, DOCUMENTS[document], BASES.get(model))]
    shown = [{head: row[head] for head in wanted[0]} for row in tables(document, "keys")[name]]
    assert shown == wanted
    assert all(row["meaning"] for row in wanted)


@pytest.mark.parametrize(("document", "name"), [(document, name) for document in MODELS for name in MODELS[document]])
def test_every_example_of_a_key_is_accepted(document: str, name: str) -> None:
    """Keys that hold a table of their own need none: the examples are those of that table."""
    fields = {field.alias or key: field for key, field in MODELS[document][name].model_fields.items()}
    for row in tables(document, "keys")[name]:
        key, example = code(row["key"]), code(row["example"])
        assert example or "](#" in row["takes"], f"{name}.{key} has no example"
        if example:
            field = fields[key]
            alone = create_model("Alone", __base__=Language, value=(field.annotation, field))
            written = f'{{"{key}": {example}}}' if document == REPORTING else json_of(key, example)
            alone.model_validate_json(written.replace(f'"{key}":', f'"{field.alias or "value"}":', 1))


def test_the_acls_that_are_told_are_those_that_the_tests_run_on() -> None:
    rules = tomllib.loads((ROOT / "deploy" / "acls.toml").read_text("utf-8"))["allow"]
    listed = [
        {
            "account": f"`{rule['role']}`",
            "may": ", ".join(rule["operations"]),
            **{
                kind.replace("_", " "): ", ".join(f"`{name.format(prefix='truce')}`" for name in rule.get(kind, ()))
                for kind in ("topics", "groups", "transactional_ids")
            },
        }
        for rule in rules
    ]
    assert tables(OPERATING, "list")["acls"] == listed


def json_of(key: str, example: str) -> str:
    """Return a key of a TOML file as JSON."""
    return json.dumps(parse_toml(f"{key} = {example}".encode()).json_like())


def test_every_word_of_the_language_is_told() -> None:
    shown = tables(REPORTING, "words")
    assert {name: [code(row["word"]) for row in rows] for name, rows in shown.items()} == WORDS
    assert all(row["meaning"] for rows in shown.values() for row in rows)


def test_every_reject_code_is_told_with_its_meaning_and_what_to_do() -> None:
    shown = [(row["meaning"], row["what to do"]) for row in tables(REPORTING, "words")["RejectCode"]]
    assert shown == [(each.meaning, f"{each.hint[0].upper()}{each.hint[1:]}.") for each in RejectCode]


def test_every_problem_of_the_gateway_is_told_with_its_status_and_title() -> None:
    shown = tables("gateway.md", "list")["problems"]
    assert [(code(row["name"]), row["status"], row["title"]) for row in shown] == [
        (each, str(each.status), each.heading) for each in Problem
    ]
    assert all(row["what to do"] for row in shown)


@pytest.mark.parametrize(
    ("document", "name", "there"),
    [
        (REPORTING, "formats", list(FORMATS)),
        (MAPPINGS, "mapping", list(MappingFile.model_fields)),
        (MAPPINGS, "verbs", [field.alias or name for name, field in Expression.model_fields.items()]),
        (MAPPINGS, "mappings", list(shipped_mappings())),
        (REPORTING, "headers", [field.alias or name for name, field in DeadLetter.model_fields.items()]),
        (OPERATING, "commands", COMMANDS.list_commands(Context(COMMANDS))),
        (OPERATING, "alerts", [rule["alert"] for group in ALERTS["groups"] for rule in group["rules"]]),
        (OPERATING, "metrics", sorted(METRICS)),
    ],
)
def test_a_list_is_complete(document: str, name: str, there: list[str]) -> None:
    """Metrics are sorted: the docs group them by worker."""
    told = [re.split("[ {]", code(next(iter(row.values()))))[0] for row in tables(document, "list")[name]]
    assert (sorted(told) if name == "metrics" else told) == there
