"""The ``trucewatch`` command: its commands, and how errors become one line and an exit code."""

from __future__ import annotations

import inspect
import os
import re
import sys
import traceback
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup
from typer.main import get_command

from schemas.errors import TrucewatchError, UsageError
from sinks.faults import is_interrupted
from streams.cli.leaving import OWN_FAULT, asks_for_json, described, leave, misused
from streams.settings import variable

_INTERRUPTED = 130

#: Each command's module and what it is called there. One is loaded when it is asked for: all together take a second
#: longer than most commands have to do.
_COMMANDS = {
    "demo": ("replay", "demo"),
    "up": ("run", "up"),
    "worker": ("run", "worker"),
    "topics": ("topics", "topics"),
    "facts": ("facts", "facts"),
    "publish": ("feed", "publish_command"),
    "receipts": ("receipts", "receipts"),
    "gateway": ("gateway", "app"),
    "outbox": ("outbox", "app"),
    "retract": ("short", "retract"),
    "merge": ("short", "merge"),
    "nil": ("short", "nil"),
    "replay": ("replay", "replay"),
    "status": ("status", "status"),
    "explain": ("explain", "explain"),
    "serve": ("serve", "serve"),
    "notify": ("notify", "notify"),
    "verify": ("verify", "verify_command"),
    "mapping": ("mapping", "app"),
    "rejects": ("rejects", "app"),
    "whatif": ("whatif", "whatif"),
    "report": ("report", "report"),
    "sql": ("sql", "sql"),
    "export": ("export", "export"),
    "check-config": ("check", "check_config"),
    "gazetteer": ("gazetteer", "app"),
    "agreement": ("agreement", "app"),
    "schemas": ("schemas_command", "schemas"),
}
#: What holds for all of them.
_SETTINGS: dict[str, Any] = {
    "add_completion": False,
    "pretty_exceptions_enable": False,
    "rich_markup_mode": "rich",
    "context_settings": {"help_option_names": ["-h", "--help"]},
}


def _unwrapped(text: str) -> str:
    """Return help whose paragraphs are one line each: a docstring's own breaks fall anywhere on a terminal."""
    return re.sub(r"(?<=\S)\n(?=[^\s-])", " ", inspect.cleandoc(text))


class _Commands(TyperGroup):
    """The commands, each loaded when its name or its help is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names in the order of the help."""
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Load a command; None where there is none of that name."""
        if cmd_name in _COMMANDS and cmd_name not in self.commands:
            module, name = _COMMANDS[cmd_name]
            found = getattr(import_module(f"streams.cli.{module}"), name)
            if not isinstance(found, typer.Typer):
                # A Typer of one command stands for that command.
                found, function = typer.Typer(**_SETTINGS), found
                found.command(cmd_name)(function)
            self.commands[cmd_name] = command = get_command(found)
            command.name = cmd_name
            for each in (command, *getattr(command, "commands", {}).values()):
                each.help = each.help and _unwrapped(each.help)
        if cmd_name not in _COMMANDS:
            # The error offers the names near to it, out of the commands that are there.
            for each in _COMMANDS:
                self.get_command(ctx, each)
        return self.commands.get(cmd_name)


app = typer.Typer(
    name="trucewatch",
    cls=_Commands,
    no_args_is_help=True,
    help="Does the truce hold, where, and on what evidence?\n\nStart with [bold]trucewatch demo[/bold]. "
    "Exit codes: 0 fine, 1 the answer is no, 2 bad usage or configuration, 3 a dependency is unavailable.",
    **_SETTINGS,
)


def main() -> NoReturn:
    """Run the command line and exit with its code; nothing raised on purpose shows a traceback."""
    as_json = asks_for_json(sys.argv[1:])
    try:
        # The parser's own words are for people: for programs its errors come here and leave as the others do.
        code = app(prog_name="trucewatch", standalone_mode=not as_json)
    except TrucewatchError as error:
        leave(described(error), error.exit_code, as_json=as_json)
    except SystemExit as leaving:
        code = leaving.code
    except OSError as error:
        # A folder that may not be written, a full disk: the person can act on it, and it is no fault of the code.
        what = f"{error.filename}: " if error.filename else ""
        leave({"code": "system", "message": f"{what}{error.strerror or error}"}, 3, as_json=as_json)
    except Exception as error:
        if is_interrupted(error):
            leave({"code": "interrupted", "message": "stopped"}, _INTERRUPTED, as_json=as_json)
        if (wrong := misused(error)) is not None:
            leave({"code": "usage_error", "message": wrong}, UsageError.exit_code, as_json=as_json)
        if os.environ.get(variable("log_level"), "").lower() == "debug":
            traceback.print_exc()
        # Not 1, which says that the answer is no: a script must not take a fault of ours for a closed gate.
        message = f"a fault of trucewatch itself: {type(error).__name__}: {error}"
        hint = f"{variable('log_level')}=debug shows where"
        leave({"code": "own_fault", "message": message, "hint": hint}, OWN_FAULT, as_json=as_json)
    if code == _INTERRUPTED:
        leave({"code": "interrupted", "message": "stopped"}, _INTERRUPTED, as_json=as_json)
    sys.exit(code)


def _version(asked: bool) -> None:
    if asked:
        try:
            number = version("trucewatch")
        except PackageNotFoundError:
            number = "(run from its source, not installed)"
        typer.echo(f"trucewatch {number}")
        raise typer.Exit


@app.callback()
def _common(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options before the command."""
