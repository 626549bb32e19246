"""How a command that failed leaves: one line on standard error for people, or one JSON object there for programs.

Errors go to standard error with ``--json`` too, so that standard output holds a whole answer or nothing::

    {"error": {"code": "usage_error", "message": "...", "hint": "..."}}

``code`` is the name of the error in ``schemas/errors.py`` in lower case, or ``own_fault``, ``system``, ``interrupted``.
``hint`` is there when something can be said about what to do, ``faults`` when there are several.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import NoReturn

import orjson

from schemas.errors import FaultyFile, TrucewatchError
from streams.ops.wording import escaped_json, visible

#: The exit code of a fault in trucewatch itself.
OWN_FAULT = 70


def asks_for_json(arguments: Sequence[str]) -> bool:
    """Return whether a command line asks for JSON; what follows ``--`` are names of files."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in options


def leave(error: dict[str, object], exit_code: int, *, as_json: bool) -> NoReturn:
    """Say what is wrong and exit."""
    if as_json:
        line = escaped_json(orjson.dumps({"error": _encodable(error)}).decode())
    else:
        line = visible(f"trucewatch: {error['message']}" + (f"; {error['hint']}" if "hint" in error else ""))
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
    sys.exit(exit_code)


def _encodable(value: object) -> object:
    """Return a value without the halves of characters that a file's name may hold, and no JSON can."""
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, dict):
        return {name: _encodable(each) for name, each in value.items()}
    return [_encodable(each) for each in value] if isinstance(value, list) else value


def described(error: TrucewatchError) -> dict[str, object]:
    """Return an error raised on purpose as the fields of its JSON object."""
    fields: dict[str, object] = {
        "code": re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(error).__name__).lower(),
        "message": str(error),
    }
    if error.hint is not None:
        fields["hint"] = error.hint
    if isinstance(error, FaultyFile):
        fields["faults"] = error.faults
    return fields


def misused(error: Exception) -> str | None:
    """Return what the command line's parser finds wrong with it; None when the error is not the parser's.

    Typer carries its own copy of click or uses the one installed, by its version: the error is told by what it can do.
    """
    tell = getattr(error, "format_message", None)
    return str(tell()) if callable(tell) else None
