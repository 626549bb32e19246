"""The ``trucewatch`` command: its commands, and how errors become one line and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, NoReturn

import typer

from schemas.errors import TrucewatchError, UsageError
from sinks.faults import is_interrupted
from streams.cli import check, explain, feed, rejects, replay, run, schemas_command, status, verify, whatif
from streams.cli.leaving import OWN_FAULT, asks_for_json, described, leave, misused
from streams.settings import variable

_INTERRUPTED = 130

app = typer.Typer(
    name="trucewatch",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Does the truce hold, where, and on what evidence?\n\nStart with [bold]trucewatch demo[/bold]. "
    "Exit codes: 0 fine, 1 the answer is no, 2 bad usage or configuration, 3 a dependency is unavailable.",
)
app.command("demo")(replay.demo)
app.command("up")(run.up)
app.command("worker")(run.worker)
app.command("publish")(feed.publish_command)
app.command("replay")(replay.replay)
app.command("status")(status.status)
app.command("explain")(explain.explain)
app.command("verify")(verify.verify_command)
app.add_typer(rejects.app, name="rejects")
app.command("whatif")(whatif.whatif)
app.command("check-config")(check.check_config)
app.command("schemas")(schemas_command.schemas)


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
