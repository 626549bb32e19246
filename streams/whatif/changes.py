"""``--set key=value,value``: other agreements made from the recorded one by changing some keys."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

from schemas.agreement import Agreement
from schemas.agreement_file import changed_agreement
from schemas.errors import UsageError
from schemas.toml_file import TomlSyntaxError, parse_toml

#: Every combination of values is a run of its own over all facts.
MOST_ALTERNATIVES = 100

_KEY = re.compile(r"[A-Za-z_]+(\.[A-Za-z_]+)*")
#: Text a shell leaves without its quotes, such as median or Asia/Damascus.
_WORD = re.compile(r"[A-Za-z][\w./+-]*")


@dataclass(frozen=True)
class Alternative:
    """Another agreement to judge by, and what to call it."""

    name: str
    agreement: Agreement


def alternatives(recorded: Agreement, given: Sequence[str]) -> list[Alternative]:
    """Return one alternative for every combination of the values given, in the order they were given.

    Args:
        given: ``key=value`` or ``key=value,value``, keys with dots and values as TOML writes them; words that need
            no quotes in a shell need none here.

    Raises:
        UsageError: an argument is not of that form, a key is given twice, or the combinations are too many.
        AgreementError: with every fault the changes make in the agreement.
    """
    values: dict[str, list[Any]] = {}
    for argument in given:
        key, equals, text = argument.partition("=")
        key = key.strip()
        if not equals or not _KEY.fullmatch(key) or not text.strip():
            raise UsageError(f"--set takes key=value, such as violence.reduction_percent=50, not {argument!r}")
        if key in values:
            raise UsageError(f"--set {key} is given twice; several values go together: {key}=value,value")
        values[key] = _values(key, text)
    combinations = prod(map(len, values.values()))
    if combinations > MOST_ALTERNATIVES:
        raise UsageError(f"--set gives {combinations:,} combinations of values; at most {MOST_ALTERNATIVES} are judged")
    return [_alternative(recorded, dict(zip(values, chosen, strict=True))) for chosen in product(*values.values())]


def differing_keys(recorded: Agreement, other: Agreement) -> list[tuple[str, Any, Any]]:
    """Return every key in which two agreements differ, with the value of each, as JSON has it."""
    return list(_differing("", recorded.model_dump(mode="json"), other.model_dump(mode="json")))


def _alternative(recorded: Agreement, values: dict[str, Any]) -> Alternative:
    name = ", ".join(f"{key}={_shown(value)}" for key, value in values.items())
    changes = {tuple(key.split(".")): value for key, value in values.items()}
    return Alternative(name, changed_agreement(recorded, changes, f"--set {name}"))


def _values(key: str, text: str) -> list[Any]:
    try:
        return _toml(text)
    except TomlSyntaxError as error:
        # Only now: true, dates and numbers are words as well, and TOML knows them better.
        words = [part.strip() for part in text.split(",")]
        if all(_WORD.fullmatch(word) for word in words):
            return list(words)
        raise UsageError(
            f"--set {key}: {text!r} is not a value as TOML writes it, such as 50, \"text\" or ['SY01', 'SY02']"
        ) from error


def _toml(text: str) -> list[Any]:
    if "\n" in text or "#" in text:
        raise UsageError(f"--set takes one line without comments, not {text!r}")
    values: list[Any] = parse_toml(f"values = [{text}]".encode()).data["values"]
    return values


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else str(value).replace("'", '"')


def _differing(path: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys([*before, *after]):
            yield from _differing(f"{path}.{key}" if path else key, before.get(key), after.get(key))
    elif before != after:
        yield path, before, after
