"""Commands ``up`` and ``worker``."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from schemas.errors import UsageError
from sinks.exclusive import exclusive
from sinks.opening import LIVE
from streams import log
from streams.cli import options
from streams.cli.brokers import knock, required_broker
from streams.cli.output import news, notice, print_json_line
from streams.cli.page_process import PageProcess, serving
from streams.cli.processes import Worker, end_with_parent, running, with_own_port
from streams.cli.restarts import Say, Watched
from streams.cli.signals import until_told_to_stop
from streams.engine.broker import EmbeddedBroker
from streams.security import for_own_broker
from streams.settings import Role, Settings, load

#: How often a line about the state is printed, and how often the workers are looked at.
_STATUS_SECONDS = 30.0
_LOOK_SECONDS = 0.25


def up(
    broker: options.Broker = None,
    agreement: options.Agreements = None,
    boundaries: options.Boundaries = None,
    data: options.Data = None,
    port: Annotated[
        int | None, typer.Option("--port", min=1, max=65_535, help="Port of the own broker; a free one unless given.")
    ] = None,
    page: Annotated[
        bool, typer.Option("--page/--no-page", help="Serve the page of each agreement, on a free port.")
    ] = True,
    as_json: options.AsJson = False,
) -> None:
    """Run everything here: a broker if none is given, intake, ledger, the page, and `notify` where receivers are set.

    The own broker keeps records in memory and forgets them when it stops; what was judged stays in the DuckDB file.
    A worker that stood still and ended itself is started again, a few times, and that is said. One that dies of
    anything else ends the command with exit code 3.

    [bold]Examples[/bold]

      trucewatch up

      trucewatch up --broker kafka://kafka-1:9092 --agreement my-truce.toml --data /var/lib/trucewatch

      trucewatch up --agreement north.toml --agreement south.toml
    """
    from schemas.agreement_file import load_agreement
    from schemas.receivers import load_receivers
    from streams.ops.published import copy_path

    served = per_agreement(agreement, {"broker": broker, "boundaries": boundaries, "data": data})
    settings = next(iter(served.values()))
    # Or feeds would be given the address of a broker that is about to go. Other faults are the ledger's to tell.
    for judged, each in served.items():
        if each.notify_receivers is not None:
            load_receivers(each.notify_receivers, load_agreement(each.agreement))
        with exclusive(settings.data / judged / LIVE):
            pass
    own: EmbeddedBroker | None = None
    with ExitStack() as stack, until_told_to_stop() as told:
        changes: dict[str, object] = {}
        if for_own_broker(settings).broker is None:
            settings.data.mkdir(parents=True, exist_ok=True)
            own = stack.enter_context(EmbeddedBroker(settings.data / "broker", port))
            changes["broker"] = own.url
        else:
            knock(settings)
        if settings.log_format == "auto" and sys.stderr.isatty():
            # The workers write to a pipe, but a person reads it.
            changes["log_format"] = "text"
        if page and settings.health_address is None:
            # The page asks them how they are.
            changes["health_address"] = "127.0.0.1:0"
        of_workers = [each.model_copy(update=changes) for each in served.values()]
        address = of_workers[0].broker
        copies = [copy_path(settings.data, judged) for judged in served]
        _say(as_json, "started", f"broker for feeds: {address}", broker=address)
        for copy in copies:
            _say(as_json, "results", f"results: {copy}", file=str(copy))
        if not as_json:
            news().print(f"publish with: trucewatch publish --broker {address} FILE...\nstop with Ctrl-C")
        workers = stack.enter_context(running(("intake", "ledger"), *of_workers, echo=True))
        # Their ports for probes are those behind the workers'.
        first = 2 * len(of_workers)
        told_by = [
            with_own_port(each, first + number) for number, each in enumerate(of_workers) if each.notify_receivers
        ]
        pages = stack.enter_context(serving(of_workers if page else [], told_by))
        say = partial(_say, as_json)
        _watch(own, workers, pages, copies, say, told)
        _say(as_json, "stopping", "stopping: each ledger commits and publishes its last copy")


def per_agreement(agreements: list[str] | None, given: Mapping[str, object]) -> dict[str, Settings]:
    """Return the settings of each agreement's workers, by its id.

    Raises:
        AgreementError: an agreement cannot be read.
        UsageError: two are of one id, and would share facts and files.
    """
    from schemas.agreement_file import load_agreement

    served: dict[str, Settings] = {}
    # Without the option, the environment or the default names one.
    for named in [{"agreement": each} for each in agreements] if agreements else [{}]:
        settings = load({**given, **named})
        judged = load_agreement(settings.agreement).id
        if judged in served:
            raise UsageError(f"--agreement: {judged!r} is given twice; each agreement needs an id of its own")
        served[judged] = settings
    return served


def worker(
    role: Annotated[Role, typer.Option("--role", help="What this process does.")],
    broker: options.Broker = None,
    agreement: options.Agreements = None,
    boundaries: options.Boundaries = None,
    data: options.Data = None,
    until_eof: Annotated[bool, typer.Option("--until-eof", hidden=True, help="Stop when standard input ends.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Log JSON, on a terminal too.")] = False,
) -> None:
    """Run one worker process against a broker: any number of intakes, one ledger per agreement.

    Several agreements have a process each, started and stopped together.

    [bold]Examples[/bold]

      TRUCEWATCH_BROKER=kafka://kafka-1:9092 trucewatch worker --role ledger --agreement syria-2016

      trucewatch worker --role intake --agreement north.toml --agreement south.toml --broker kafka://kafka-1:9092
    """
    from streams.roles import run_role

    given = {"broker": broker, "boundaries": boundaries, "data": data, "log_format": "json" if as_json else None}
    served = list(per_agreement(agreement, given).values())
    settings = served[0]
    log.configure(settings)
    required_broker(settings, f"the {role} worker")
    if until_eof:
        end_with_parent()
    if len(served) > 1:
        _run_workers(role, served)
        return
    try:
        run_role(role, settings)
    finally:
        # A worker freezes its heap for speed. DuckDB's bindings print thirty lines about leaks when it stays frozen.
        gc.unfreeze()


def _run_workers(role: Role, served: Sequence[Settings]) -> None:
    """Run a worker process for each agreement, until told to stop.

    Raises:
        WorkerDied: one ended by itself; the others were stopped.
    """
    with until_told_to_stop() as told, running((role,), *served, echo=True) as workers:
        while not told:
            for each in workers:
                each.check()
            time.sleep(_LOOK_SECONDS)


def _watch(
    own: EmbeddedBroker | None,
    workers: list[Worker],
    pages: Sequence[PageProcess],
    copies: Sequence[Path],
    say: Say,
    told: list[int],
) -> None:
    """Watch the own broker, the workers and the pages, and print the status now and then, until told to stop.

    Raises:
        BrokerUnavailable: the own broker ended by itself.
        WorkerDied: a worker did, and is not to be started again.
    """
    from streams.ops.status import headline

    spoken, watched = 0.0, Watched(workers, say)
    while not told:
        # The broker first: a worker that ends with it is not the one to blame.
        if own is not None:
            own.check()
        watched.look(time.monotonic())
        for page in pages:
            page.look(say, time.monotonic())
            page.tell([each.probes for each in workers if each.probes and each.agreement == page.agreement])
        if time.monotonic() - spoken >= _STATUS_SECONDS:
            spoken = time.monotonic()
            for copy in copies:
                say("status", headline(copy))
        time.sleep(_LOOK_SECONDS)


def _say(as_json: bool, event: str, text: str, **fields: object) -> None:
    if as_json:
        print_json_line({"event": event, "text": text, **fields})
    else:
        notice(f"trucewatch: {text}")
