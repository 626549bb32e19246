"""The docs tell every key, word, code, command, metric and alert there is, and none that is not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel, create_model

from schemas.agreement import Agreement
from schemas.gazetteer import GazetteerFile
from schemas.language import Language
from schemas.rejects import RejectCode
from schemas.reports import REPORT_TYPES, ConvoyReport, Declaration, Report
from schemas.toml_file import parse_toml
from streams.cli.app import _COMMANDS
from streams.feeds.readers import FORMATS
from tests.support.doc_tables import Document, anchor, keys_of, tables_in

ROOT = Path(__file__).parents[2]
REPORTING, AGREEMENTS, OPERATING = "reporting.md", "agreements.md", "operating.md"
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
    document: {each.__name__: each for each in reached if issubclass(each, BaseModel)}
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


def json_of(key: str, example: str) -> str:
    """Return a key of a TOML file as JSON."""
    from json import dumps

    return dumps(parse_toml(f"{key} = {example}".encode()).json_like())


def test_every_word_of_the_language_is_told() -> None:
    shown = tables(REPORTING, "words")
    assert {name: [code(row["word"]) for row in rows] for name, rows in shown.items()} == WORDS
    assert all(row["meaning"] for rows in shown.values() for row in rows)


def test_every_reject_code_is_told_with_its_meaning_and_what_to_do() -> None:
    shown = [(row["meaning"], row["what to do"]) for row in tables(REPORTING, "words")["RejectCode"]]
    assert shown == [(each.meaning, f"{each.hint[0].upper()}{each.hint[1:]}.") for each in RejectCode]


def test_every_format_of_files_is_told() -> None:
    (rows,) = (rows for marker, rows in tables_in(text_of(REPORTING)) if marker == "words of: formats")
    assert [code(row["word"]) for row in rows] == list(FORMATS)


def test_every_command_is_told() -> None:
    (rows,) = (rows for marker, rows in tables_in(text_of(OPERATING)) if marker == "words of: commands")
    assert [code(row["word"]).split()[0] for row in rows] == list(_COMMANDS)


def test_every_metric_is_told() -> None:
    figures = [ROOT / "streams" / folder / "figures.py" for folder in ("engine", "intake", "ledger")]
    made = {name for file in figures for name in re.findall(r'"(trucewatch_[a-z_]+)"', file.read_text("utf-8"))}
    (rows,) = (rows for marker, rows in tables_in(text_of(OPERATING)) if marker == "words of: metrics")
    assert {code(row["word"]).partition("{")[0] for row in rows} == made


def test_every_alert_is_told() -> None:
    groups = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yml").read_text("utf-8"))["groups"]
    (rows,) = (rows for marker, rows in tables_in(text_of(OPERATING)) if marker == "words of: alerts")
    assert [code(row["word"]) for row in rows] == [rule["alert"] for group in groups for rule in group["rules"]]


DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("file", DOCS, ids=lambda file: file.name)
def test_every_link_within_the_house_leads_somewhere(file: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", file.read_text("utf-8")):
        path, _, fragment = target.partition("#")
        if "://" in target:
            continue
        to = (file.parent / path).resolve() if path else file
        assert to.exists(), target
        if fragment:
            headings = re.findall(r"^#+ (.+)$", to.read_text("utf-8"), re.MULTILINE)
            assert fragment in map(anchor, headings), target
