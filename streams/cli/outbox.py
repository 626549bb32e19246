"""Commands of ``outbox``, and ``publish`` into one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice, tee
from typing import Annotated

import typer

from schemas import failpoints
from schemas.agreement import Agreement
from schemas.agreement_file import load_agreement
from schemas.errors import BrokerUnavailable, UsageError
from schemas.gazetteer import load_gazetteer
from schemas.receipts import REJECTED, Receipt, called_in
from schemas.rejects import RejectCode
from sinks.outbox import Entering, Kept, Outbox
from streams.cli import options
from streams.cli.brokers import required_broker
from streams.cli.faults import json_of, show_faults
from streams.cli.output import answer, notice, print_json, print_json_line
from streams.feeds.dry_run import Fault, faults
from streams.feeds.outbox import send, watch
from streams.feeds.receipts import in_words
from streams.feeds.recorded import Named
from streams.intake.examine import Examiner, examiner_of
from streams.ops.wording import counted
from streams.settings import Settings, load, variable

app = options.group("List, send, watch and send again the reports that `publish --outbox` kept.")

#: Reports checked and kept by one transaction.
KEPT_AT_ONCE = 500
_State = Annotated[list[str] | None, typer.Option("--state", help="Only those in this state. Repeatable.")]
_Numbers = Annotated[list[int] | None, typer.Argument(metavar="[NUMBER]...", help="Reports, as `list` gives them.")]


@app.command("list")
def list_command(
    state: _State = None,
    outbox: options.Outbox = None,
    agreement: options.Agreement = None,
    as_json: options.AsJson = False,
) -> None:
    """List kept reports in their order: draft, sent, or what became of each and why."""
    settings = load({"outbox": outbox, "agreement": agreement})
    with _opened(settings) as kept:
        found, counts = kept.listed(state), kept.counts()
    if as_json:
        print_json({"reports": [_json_of(each) for each in found], "by_state": counts})
        return
    show = _shower(settings)
    for each in found:
        show(each)
    _say_counts(counts)


@app.command("send")
def send_command(outbox: options.Outbox = None, broker: options.Broker = None, as_json: options.AsJson = False) -> None:
    """Send every draft. What a broken line or a kill left unsure is sent again, and counts once."""
    settings = load({"outbox": outbox, "broker": broker})
    with _opened(settings) as kept:
        sent = _send(settings, kept)
    if as_json:
        print_json({"sent": sent})
    else:
        notice(f"{counted(sent, 'report')} sent; `trucewatch outbox watch` tells what became of them")


@app.command("watch")
def watch_command(
    wait: Annotated[bool, typer.Option("--wait", help="Until the fate of all that was sent is known.")] = False,
    wait_seconds: options.WaitSeconds = 60.0,
    outbox: options.Outbox = None,
    broker: options.Broker = None,
    agreement: options.Agreement = None,
    as_json: options.AsJson = False,
) -> None:
    """Read receipts, show what became of the reports that were sent, and keep it. Exits with 1 if any is refused."""
    settings = load({"outbox": outbox, "broker": broker, "agreement": agreement})
    with _opened(settings) as kept:
        _watch(settings, kept, wait_seconds if wait else None, as_json=as_json)


@app.command("retry")
def retry_command(numbers: _Numbers = None, outbox: options.Outbox = None, as_json: options.AsJson = False) -> None:
    """Make reports drafts again: those named, or all that were sent and that nobody told of. `send` sends them.

    Reports that were accepted stay as they are.
    """
    with _opened(load({"outbox": outbox})) as kept:
        again = kept.again(numbers or None)
    if as_json:
        print_json({"drafts": again})
    else:
        notice(f"{counted(again, 'report')} to be sent again by `trucewatch outbox send`")


def keep_and_send(
    settings: Settings,
    agreement: Agreement,
    reports: Iterator[Named],
    at_once: int,
    wait_seconds: float | None,
    *,
    as_json: bool,
) -> None:
    """Check and keep reports, then send what is kept if there is a broker that answers.

    Raises:
        Exit: a report would be refused and was not kept, or was sent and refused.
        StoreFull, StoreUnavailable: the outbox keeps those before.
    """
    examiner = examiner_of(agreement, settings.boundaries)
    refused: list[Fault] = []
    with _opened(settings) as outbox:
        new = 0
        checked = _checked(reports, examiner, outbox, agreement.id, refused.append)
        while some := list(islice(checked, at_once)):
            new += outbox.keep(some, agreement.id)
        sent = _send_if_possible(settings, outbox)
        if as_json:
            print_json_line({"kept": new, "sent": sent, "refused": list(map(json_of, refused))})
        else:
            _say_kept(new, sent, refused)
        if sent is not None and wait_seconds is not None:
            _watch(settings, outbox, wait_seconds, as_json=as_json)
    if refused:
        raise typer.Exit(1)


def _checked(
    reports: Iterator[Named], examiner: Examiner, outbox: Outbox, agreement: str, refuse: Callable[[Fault], None]
) -> Iterator[Entering]:
    """Yield the reports that intake will accept, and that contradict no report kept before."""
    reports, examined = tee(reports)
    for (file, report), fault in zip(reports, faults(examined, examiner), strict=True):
        if report.redrive is not None:
            raise UsageError(f"{file}, line {report.line}: names a reject", "publish exported rejects without --outbox")
        if fault is not None:
            refuse(fault)
            continue
        feed, report_id, revision = called_in(report.value)
        entering = Entering(report.value, feed, report_id, revision, report.report_type, file, report.line)
        if (other := outbox.other_body(entering, agreement)) is None:
            yield entering
            continue
        told = f"{other.file}, line {other.line} told revision {revision} with another body"
        hint = f"{told}, number {other.number} of the outbox; publish the change as a higher revision"
        refuse(Fault(file, report.line, feed, report_id, str(RejectCode.CONFLICTING_BODY), hint))


def _send_if_possible(settings: Settings, outbox: Outbox) -> int | None:
    """Send the drafts; None where no broker is named, or none answers."""
    if settings.broker is None:
        return None
    try:
        return _send(settings, outbox)
    except BrokerUnavailable as error:
        notice(f"trucewatch: {error}")
        return None


def _send(settings: Settings, outbox: Outbox) -> int:
    broker = required_broker(settings, "outbox send")
    with outbox.sending():
        return asyncio.run(send(outbox, broker, settings.topics, settings.broker_patience_seconds))


def _watch(settings: Settings, outbox: Outbox, wait_seconds: float | None, *, as_json: bool) -> None:
    broker = required_broker(settings, "outbox watch")
    shown = _shower(settings)
    refused = 0

    def show(told: Kept) -> None:
        nonlocal refused
        refused += told.state == REJECTED
        if as_json:
            print_json_line(_json_of(told))
        else:
            shown(told)

    asyncio.run(watch(outbox, broker, settings.topics, show, wait_seconds, settings.broker_patience_seconds))
    if not as_json:
        _say_counts(outbox.counts())
    if refused:
        raise typer.Exit(1)


@contextmanager
def _opened(settings: Settings) -> Iterator[Outbox]:
    if settings.outbox is None:
        raise UsageError(f"which outbox? give --outbox DIR or set {variable('outbox')}")
    failpoints.arm(settings.failpoint)
    outbox = Outbox.open(settings.outbox)
    try:
        yield outbox
    finally:
        outbox.close()


def _shower(settings: Settings) -> Callable[[Kept], None]:
    """Return a function that prints a report of an outbox as one line."""
    names = load_gazetteer(load_agreement(settings.agreement).gazetteer, settings.boundaries).names()

    def show(kept: Kept) -> None:
        name = f"{kept.feed}/{kept.report_id}@{kept.revision}"
        answer(f"{kept.number:>5}  {name}  {_fate(kept, names.get(kept.region or '', kept.region))}")

    return show


def _fate(kept: Kept, region: str | None) -> str:
    if kept.state in ("draft", "sent"):
        return {"draft": "draft, not sent yet", "sent": "sent, not told of yet"}[kept.state]
    receipt = Receipt(
        kept.agreement,
        kept.state,
        kept.digest,
        code=kept.code,
        hint=kept.hint,
        truce_day=kept.truce_day,
        counted=kept.counted,
    )
    return in_words(receipt, region)


def _json_of(kept: Kept) -> dict[str, object]:
    return {name: value for name, value in kept._asdict().items() if name != "value"}


def _say_counts(counts: dict[str, int]) -> None:
    notice(", ".join(f"{count:,} {state}" for state, count in counts.items()) or "the outbox is empty")


def _say_kept(new: int, sent: int | None, refused: list[Fault]) -> None:
    show_faults(refused)
    left = f"; {len(refused):,} left out that intake would refuse" if refused else ""
    notice(f"{counted(new, 'report')} kept that {'was' if new == 1 else 'were'} not there before{left}")
    if sent is None:
        notice("nothing was sent; `trucewatch outbox send` does it when the line is up")
    else:
        notice(f"{counted(sent, 'report')} sent and acknowledged, which is not yet accepted: `outbox watch` tells")
