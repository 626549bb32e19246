"""Command ``notify``."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path
from typing import Annotated

import orjson
import typer

from schemas.agreement_file import load_agreement
from schemas.errors import UsageError
from schemas.receivers import KINDS, Receiver, Receivers, load_receivers
from streams import log
from streams.cli import options
from streams.cli.output import answer, print_json, print_json_line
from streams.cli.processes import end_with_parent
from streams.ops.published import copy_path
from streams.settings import load, variable

#: Events that `--dry-run` shows of one receiver's log.
_MOST = 1_000


def notify(
    receivers: Annotated[
        Path | None, typer.Option("--receivers", metavar="FILE", help="TOML file of the receivers.")
    ] = None,
    agreement: options.Agreement = None,
    data: options.Data = None,
    check: Annotated[bool, typer.Option("--check", help="Check the file of receivers and stop.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be sent, a line of JSON each; send and note nothing.")
    ] = False,
    until_eof: Annotated[bool, typer.Option("--until-eof", hidden=True, help="Stop when standard input ends.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Tell receivers of what happens, by signed webhooks, until Ctrl-C.

    Reads the published copy only. Each receiver is told of everything that it asks for, in order and at least once,
    however long it is down; it holds up no other. What was published before the first start is not told.

    [bold]Examples[/bold]

      trucewatch notify --receivers receivers.toml --check

      trucewatch notify --receivers receivers.toml --data trucewatch-demo --dry-run
    """
    given = {"notify_receivers": receivers, "agreement": agreement, "data": data}
    settings = load({**given, "log_format": "json" if as_json else None})
    if settings.notify_receivers is None:
        raise UsageError(f"whom to tell? give --receivers FILE or set {variable('notify_receivers')}")
    judged = load_agreement(settings.agreement)
    rules = load_receivers(settings.notify_receivers, judged)
    if check:
        _show(rules, as_json=as_json)
        return
    copy = copy_path(settings.data, judged.id)
    if dry_run:
        _show_pending(copy, rules)
        return
    log.configure(settings)
    if until_eof:
        end_with_parent()
    from streams.notify.app import run_notify
    from streams.notify.delivery import Backoff

    asyncio.run(run_notify(settings, judged.id, copy, rules, Backoff()))


def _show(rules: Receivers, *, as_json: bool) -> None:
    if as_json:
        print_json({"receivers": [_described(each) for each in rules.receivers]})
        return
    for each in rules.receivers:
        told = ", ".join(kind for kind in KINDS if kind in each.events)
        where = ", ".join(sorted(each.regions)) or "all regions"
        answer(f"{each.name}  {each.host}  {told}; {where}")


def _described(receiver: Receiver) -> dict[str, object]:
    kinds = [kind for kind in KINDS if kind in receiver.events]
    return {"name": receiver.name, "host": receiver.host, "events": kinds, "regions": sorted(receiver.regions)}


def _show_pending(copy: Path, rules: Receivers) -> None:
    """Print what waits in the log, and what the copy has that is not there yet; of no log, all of the copy."""
    from sinks.news import BEGINNING
    from sinks.notify_log import NOTIFY, NotifyLog
    from streams.notify.news import read_news

    after, known = BEGINNING, frozenset[str]()
    if copy.with_name(NOTIFY).exists():
        with closing(NotifyLog.open(copy.parent)) as noted:
            after, known = noted.position() or BEGINNING, noted.conditions()
            for each in rules.receivers:
                for event in noted.pending(each, _MOST):
                    _print(each, event.body)
    found = read_news(copy, after, rules)
    begun = [event for key, event in found.conditions.items() if key not in known]
    for told in [*found.events, *begun]:
        for each in rules.receivers:
            if each.wants(told.kind, told.region):
                _print(each, told.body)


def _print(receiver: Receiver, body: bytes) -> None:
    print_json_line({"receiver": receiver.name, "event": orjson.loads(body)})
