"""Small changes to a record: fields set anew, or as a person writes them, ``place.pcode=SY02``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from schemas.errors import UsageError
from schemas.json_rule import Breach, object_of


def changed(body: bytes, fields: Mapping[str, object]) -> bytes:
    """Return a report with some of its fields set, and all else byte for byte: readers of JSON round long numbers."""
    record = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    return msgspec.json.encode(
        record | {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in fields.items()}
    )


class Edit:
    """One change: the path of a field, and its new value or that it goes.

    Raises:
        UsageError: it is not written as ``KEY=VALUE``.
    """

    def __init__(self, written: str) -> None:
        key, equals, value = written.partition("=")
        self.path = key.split(".")
        if not equals or not all(self.path):
            raise UsageError(
                f"--edit {written!r} is not KEY=VALUE", "such as place.pcode=SY02, or colour= to drop a field"
            )
        self.drops = not value
        try:
            # A number, a list, true: as JSON has it. Anything else is text, which needs no quotation marks then.
            self.value: Any = _read(value) if value else None
        except Breach as fault:
            raise UsageError(f"--edit {written!r}: {fault}") from None
        except (ValueError, RecursionError):
            self.value = value


def edited(body: bytes, edits: list[Edit], name: str) -> bytes:
    """Return a record with the changes made; ``name`` is what errors call it.

    Raises:
        UsageError: the record is no JSON object, or a path leads nowhere in it.
    """
    unedited = UsageError(f"{name} is no JSON object, so no field of it can be edited", "export it and mend it as text")
    try:
        document = _read(body.decode())
    except Breach as fault:
        # Written again, it would say one of the two without a word.
        raise UsageError(f"{name}: {fault}", "export it and mend it as text") from None
    except (ValueError, RecursionError):
        raise unedited from None
    if not isinstance(document, dict):
        raise unedited
    for edit in edits:
        _make(document, edit, name)
    try:
        return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        raise unedited from None  # half of a character, or a number beyond all bounds: no JSON holds it


def _read(text: str) -> Any:
    """Read JSON with every digit of its whole numbers: faster readers round those of more than 64 bits."""
    return json.loads(text, parse_constant=_no_number, object_pairs_hook=object_of)


def _no_number(name: str) -> None:
    raise ValueError(name)


def _make(document: dict[str, Any], edit: Edit, name: str) -> None:
    nowhere = UsageError(f"{name} has no place for --edit {'.'.join(edit.path)}")
    at: Any = document
    for part in edit.path[:-1]:
        if isinstance(at, dict):
            at = at.setdefault(part, {})
        elif isinstance(at, list) and part.isdecimal() and int(part) < len(at):
            at = at[int(part)]
        else:
            raise nowhere
    last = edit.path[-1]
    if isinstance(at, dict):
        if edit.drops:
            at.pop(last, None)
        else:
            at[last] = edit.value
    elif isinstance(at, list) and last.isdecimal() and int(last) < len(at):
        at[int(last) : int(last) + 1] = [] if edit.drops else [edit.value]
    else:
        raise nowhere
