"""``publish``: reports from files or a pipe to the input topics; with ``--dry-run`` what intake would say of them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Annotated

import orjson
import typer
from rich.progress import MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn

from schemas.agreement import Agreement
from schemas.agreement_file import load_agreement
from schemas.errors import TrucewatchError, UsageError
from schemas.receipts import REJECTED
from streams.cli import options
from streams.cli.bars import bars
from streams.cli.brokers import required_broker
from streams.cli.faults import json_of, say_notes, say_unread, show_faults
from streams.cli.outbox import KEPT_AT_ONCE, keep_and_send
from streams.cli.output import answer, notice, print_json, print_json_line, reader_gone, say_missing
from streams.cli.receipts import shower
from streams.feeds.dry_run import Fault, faults
from streams.feeds.fates import Fates, publish_and_wait
from streams.feeds.mapping.read import Notes
from streams.feeds.publish import Acknowledgement, publish
from streams.feeds.readers import check_there, missing_companions, notes_on, read_all
from streams.feeds.recorded import STDIN, Named
from streams.feeds.release import read_release
from streams.feeds.summary import Summary
from streams.intake.examine import examiner_of
from streams.ops.published import copy_path
from streams.ops.wording import counted
from streams.settings import Settings, load

#: Names of one count in the summary that are printed; the rest are counted.
_MOST_COUNTED = 12


def publish_command(
    files: options.Files,
    file_format: options.FileFormat = None,
    mapping: options.Map = None,
    broker: options.Broker = None,
    agreement: options.Agreement = None,
    boundaries: options.Boundaries = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Send nothing; say which reports would be rejected, where and why.")
    ] = False,
    receipts: Annotated[
        Path | None,
        typer.Option(
            "--receipts", help="Write one JSON line per acknowledged report to this file; - is standard output."
        ),
    ] = None,
    wait: Annotated[
        bool,
        typer.Option("--wait", help="Show what becomes of each report; exit with 1 when any is refused."),
    ] = False,
    wait_seconds: options.WaitSeconds = 60.0,
    outbox: options.Outbox = None,
    release: options.ReleaseNumber = None,
    against: options.Against = None,
    withdraw_missing: options.WithdrawMissing = False,
    as_json: options.AsJson = False,
) -> None:
    """Publish reports. Each is acknowledged by the broker before it is counted; sending one again is harmless.

    Acknowledged is not yet accepted: --wait shows what becomes of each report, and so does `receipts`.

    Broken reports are sent too: intake rejects them with a reason and keeps them. --dry-run finds them before, and
    exits with 1 if there are any.

    [bold]Examples[/bold]

      trucewatch publish reports.jsonl --dry-run

      trucewatch publish incidents.csv --map incidents.toml --dry-run

      trucewatch publish reports.jsonl --broker kafka://127.0.0.1:9092 --receipts sent.jsonl

      trucewatch publish reports.jsonl --wait

      trucewatch publish reports.jsonl --outbox outbox

      tail -f reports.jsonl | trucewatch publish -

      trucewatch publish ged-2.csv --release 2 --against ged-1.csv --withdraw-missing
    """
    settings = load({"broker": broker, "agreement": agreement, "boundaries": boundaries, "outbox": outbox})
    stated = options.stated(file_format, mapping)
    check_there(files)
    missing = missing_companions(files, stated)
    if not as_json:
        say_missing(missing)
    judged = load_agreement(settings.agreement)
    told = options.release_of(release, against, withdraw_missing, files, stated)
    time_zone = judged.calendar.time_zone
    reports = read_release(files, stated, time_zone, told) if told else read_all(files, stated, time_zone)
    if dry_run:
        _try(settings, judged, reports, partial(notes_on, files, stated), as_json=as_json)
        return
    if settings.outbox is not None and receipts is not None:
        raise UsageError("--receipts writes acknowledgements, which an outbox keeps itself", "leave one out")
    waited = wait_seconds if wait else None
    try:
        if settings.outbox is None:
            send_reports(settings, judged.id, reports, files, receipts, waited, as_json=as_json)
        else:
            at_once = 1 if STDIN in files else KEPT_AT_ONCE
            keep_and_send(settings, judged, reports, at_once, waited, as_json=as_json)
    finally:
        # Also where a receipt says that a report was refused.
        if not as_json:
            say_notes(notes_on(files, stated))


def _try(
    settings: Settings,
    agreement: Agreement,
    reports: Iterator[Named],
    notes: Callable[[], Mapping[str, Notes]],
    *,
    as_json: bool,
) -> None:
    examiner = examiner_of(agreement, settings.boundaries)
    found: list[Fault] = []
    checked = 0
    summary = _summary(copy_path(settings.data, agreement.id))
    with _counting("checked") as count:
        for fault in faults(reports, examiner, summary):
            checked += 1
            count(checked)
            if fault is not None:
                found.append(fault)
    for of in notes().values():
        summary.skipped.update(of.skipped)
        summary.formulas.update(of.formulas)
    if not checked:
        raise UsageError("there is no report to check")
    if as_json:
        listed = list(map(json_of, found))
        print_json({"checked": checked, "would_reject": len(found), "faults": listed, "summary": summary.as_json()})
    else:
        _show(found, checked, summary)
        for file, of in notes().items():
            say_unread(file, of)
    if found:
        raise typer.Exit(1)


def _summary(copy: Path) -> Summary:
    """Return a summary that knows what is published, where a copy says it."""
    if not copy.exists():
        return Summary()
    # Every other command starts the faster for not reading it.
    from sinks.reading import present_revisions

    return Summary(known=present_revisions(copy), copies=True)


def _show(found: list[Fault], checked: int, summary: Summary) -> None:
    show_faults(found)
    for what, counts in summary.parts():
        listed = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
        more = f", and {len(listed) - _MOST_COUNTED:,} more" if len(listed) > _MOST_COUNTED else ""
        answer(f"{what}: " + ", ".join(f"{n:,} {name}" for name, n in listed[:_MOST_COUNTED]) + more)
    if summary.unwatched:
        answer(f"feeds without a watch in these files: {', '.join(summary.unwatched)}")
    answer(f"{counted(checked, 'report')} checked, {len(found):,} would be rejected. Nothing was sent.")


def send_reports(
    settings: Settings,
    agreement: str,
    reports: Iterator[Named],
    files: list[Path],
    receipts: Path | None,
    wait_seconds: float | None,
    *,
    as_json: bool,
) -> None:
    """Publish reports, and wait for the receipts of an agreement where a time for the next one is given.

    Raises:
        Exit: a report was refused.
    """
    fates = None if wait_seconds is None else Fates(shower(settings, as_json=as_json), agreement, wait_seconds)
    _check_receipts(files, receipts)
    broker = required_broker(settings, "publish")
    topics = settings.topics
    sent = 0
    with ExitStack() as stack:
        out = _receipts(stack, receipts)
        count = stack.enter_context(_counting("published"))

        def acknowledged(receipt: Acknowledgement) -> None:
            nonlocal sent
            sent += 1
            count(sent)
            if out is not None:
                out.write(orjson.dumps(receipt._asdict()) + b"\n")

        try:
            if fates is None:
                done = asyncio.run(publish(broker, topics, reports, acknowledged, settings.broker_patience_seconds))
            else:
                waiting = publish_and_wait(
                    broker, topics, reports, acknowledged, fates, settings.broker_patience_seconds
                )
                done = asyncio.run(waiting)
        except TrucewatchError as error:
            error.also(f"{counted(sent, 'report')} acknowledged before this; sending again is harmless")
            raise
        except BrokenPipeError:
            reader_gone()
    if not as_json:
        spread = ", ".join(f"{count:,} to {topic}" for topic, count in sorted(done.by_topic.items()))
        notice(f"{counted(done.reports, 'report')} published and acknowledged{': ' + spread if spread else ''}")
    if fates is not None:
        _say_fates(fates, as_json=as_json)
    elif not as_json:
        notice("acknowledged is not yet accepted: --wait, or `trucewatch receipts FEED`, tells what became of them")
    elif receipts != STDIN:
        print_json({"published": done.reports, "by_topic": dict(done.by_topic)})


def _say_fates(fates: Fates, *, as_json: bool) -> None:
    if as_json:
        print_json_line({"outcomes": dict(fates.outcomes)})
    else:
        told = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(fates.outcomes.items()))
        notice(told or "nothing was sent, so there is nothing to wait for")
    if fates.outcomes[REJECTED]:
        raise typer.Exit(1)


def _check_receipts(files: list[Path], receipts: Path | None) -> None:
    """Refuse to write receipts over the reports they are of."""
    if receipts is not None and any(each.exists() and receipts.exists() and each.samefile(receipts) for each in files):
        raise UsageError(f"--receipts {receipts}: is one of the files to publish", "give another name")


def _receipts(stack: ExitStack, path: Path | None) -> IO[bytes] | None:
    """Open where receipts go; each is there as soon as its report was acknowledged."""
    if path is None:
        return None
    target = sys.stdout.fileno() if path == STDIN else path
    return stack.enter_context(open(target, "wb", buffering=0, closefd=path != STDIN))


@contextmanager
def _counting(verb: str) -> Iterator[Callable[[int], None]]:
    """A count that runs on a terminal while reports pass."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    with bars(*columns) as progress:
        task = progress.add_task(verb, total=None)
        yield lambda done: progress.update(task, completed=done)
