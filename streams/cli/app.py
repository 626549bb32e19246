"""The ``trucewatch`` command: its commands, and how errors become one line and an exit code."""

from __future__ import annotations

import os
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, NoReturn

import typer

from schemas.errors import TrucewatchError
from streams.cli import check, feed, replay, run, schemas_command, status
from streams.settings import variable

_OWN_FAULT = 70
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
app.command("verify")(status.verify_command)
app.command("check-config")(check.check_config)
app.command("schemas")(schemas_command.schemas)


def main() -> NoReturn:
    """Run the command line and exit with its code; nothing raised on purpose shows a traceback."""
    try:
        app(prog_name="trucewatch")
    except TrucewatchError as error:
        _leave(str(error), error.exit_code)
    except SystemExit as leaving:
        if leaving.code == _INTERRUPTED:
            _leave("stopped", _INTERRUPTED)
        raise
    except OSError as error:
        # A folder that may not be written, a full disk: the person can act on it, and it is no fault of the code.
        what = f"{error.filename}: " if error.filename else ""
        _leave(f"{what}{error.strerror or error}", 3)
    except Exception as error:
        if os.environ.get(variable("log_level"), "").lower() == "debug":
            raise
        # Not 1, which says that the answer is no: a script must not take a fault of ours for a closed gate.
        _leave(
            f"a fault of trucewatch itself: {type(error).__name__}: {error}; {variable('log_level')}=debug shows where",
            _OWN_FAULT,
        )
    sys.exit(0)


def _leave(message: str, code: int) -> NoReturn:
    sys.stderr.write(f"trucewatch: {message}\n")
    sys.stderr.flush()
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
