"""Commands ``up`` and ``worker``."""

from __future__ import annotations

import gc
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from sinks.exclusive import exclusive
from sinks.opening import LIVE
from streams import log
from streams.cli import options
from streams.cli.brokers import knock, required_broker
from streams.cli.output import news, print_json_line
from streams.cli.processes import end_with_parent, running
from streams.cli.restarts import Watched
from streams.engine.broker import EmbeddedBroker
from streams.security import for_own_broker
from streams.settings import Role, load

#: How often a line about the state is printed, and how often the workers are looked at.
_STATUS_SECONDS = 30.0
_LOOK_SECONDS = 0.25


def up(
    broker: options.Broker = None,
    agreement: options.Agreement = None,
    boundaries: options.Boundaries = None,
    data: options.Data = None,
    port: Annotated[
        int | None, typer.Option("--port", min=1, max=65_535, help="Port of the own broker; a free one unless given.")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Run everything here: a broker if none is given, intake and ledger, until Ctrl-C.

    The own broker keeps records in memory and forgets them when it stops; what was judged stays in the DuckDB file.
    A worker that stood still and ended itself is started again, a few times, and that is said. One that dies of
    anything else ends the command with exit code 3.

    [bold]Examples[/bold]

      trucewatch up

      trucewatch up --broker kafka://kafka-1:9092 --agreement my-truce.toml --data /var/lib/trucewatch
    """
    from schemas.agreement_file import load_agreement
    from streams.ops.published import copy_path

    settings = load({"broker": broker, "agreement": agreement, "boundaries": boundaries, "data": data})
    judged = load_agreement(settings.agreement)
    # Or feeds would be given the address of a broker that is about to go. Other faults are the ledger's to tell.
    with exclusive(settings.data / judged.id / LIVE):
        pass
    own: EmbeddedBroker | None = None
    with ExitStack() as stack, _until_told_to_stop() as told:
        if for_own_broker(settings).broker is None:
            settings.data.mkdir(parents=True, exist_ok=True)
            own = stack.enter_context(EmbeddedBroker(settings.data / "broker", port))
            settings = settings.model_copy(update={"broker": own.url})
        else:
            knock(settings)
        if settings.log_format == "auto" and sys.stderr.isatty():
            # The workers write to a pipe, but a person reads it.
            settings = settings.model_copy(update={"log_format": "text"})
        copy = copy_path(settings.data, judged.id)
        _say(as_json, "started", f"broker for feeds: {settings.broker}", broker=settings.broker)
        _say(as_json, "results", f"results: {copy}", file=str(copy))
        if not as_json:
            news().print(f"publish with: trucewatch publish --broker {settings.broker} FILE...\nstop with Ctrl-C")
        workers = stack.enter_context(running(("intake", "ledger"), settings, echo=True))
        watched = Watched(workers, lambda event, text, **fields: _say(as_json, event, text, **fields))
        _watch(own, watched, copy, as_json=as_json, told=told)
        _say(as_json, "stopping", "stopping: the ledger commits and publishes its last copy")


def worker(
    role: Annotated[Role, typer.Option("--role", help="What this process does.")],
    broker: options.Broker = None,
    agreement: options.Agreement = None,
    boundaries: options.Boundaries = None,
    data: options.Data = None,
    until_eof: Annotated[bool, typer.Option("--until-eof", hidden=True, help="Stop when standard input ends.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Log JSON, on a terminal too.")] = False,
) -> None:
    """Run one worker process against a broker: any number of intakes, one ledger per agreement.

    [bold]Example[/bold]

      TRUCEWATCH_BROKER=kafka://kafka-1:9092 trucewatch worker --role ledger --agreement syria-2016
    """
    from streams.roles import run_role

    settings = load(
        {
            "broker": broker,
            "agreement": agreement,
            "boundaries": boundaries,
            "data": data,
            "log_format": "json" if as_json else None,
        }
    )
    log.configure(settings)
    required_broker(settings, f"the {role} worker")
    if until_eof:
        end_with_parent()
    try:
        run_role(role, settings)
    finally:
        # A worker freezes its heap for speed. DuckDB's bindings print thirty lines about leaks when it stays frozen.
        gc.unfreeze()


def _watch(own: EmbeddedBroker | None, workers: Watched, copy: Path, *, as_json: bool, told: list[int]) -> None:
    """Watch the own broker and the workers, and print the status now and then, until told to stop.

    Raises:
        BrokerUnavailable: the own broker ended by itself.
        WorkerDied: a worker did, and is not to be started again.
    """
    from streams.ops.status import headline

    spoken = 0.0
    while not told:
        # The broker first: a worker that ends with it is not the one to blame.
        if own is not None:
            own.check()
        workers.look(time.monotonic())
        if time.monotonic() - spoken >= _STATUS_SECONDS:
            spoken = time.monotonic()
            line = headline(copy)
            _say(as_json, "status", line)
        time.sleep(_LOOK_SECONDS)


def _say(as_json: bool, event: str, text: str, **fields: object) -> None:
    if as_json:
        print_json_line({"event": event, "text": text, **fields})
    else:
        news().print(Text(f"trucewatch: {text}"))


@contextmanager
def _until_told_to_stop() -> Iterator[list[int]]:
    """Turn Ctrl-C and SIGTERM into a note, so that the workers are stopped in order rather than by an exception."""
    told: list[int] = []

    def note(number: int, _frame: object) -> None:
        if told:
            # A second Ctrl-C means now.
            raise KeyboardInterrupt
        told.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.stdout.flush()
