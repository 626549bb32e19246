"""Commands of ``rejects``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from schemas.agreement_file import load_agreement
from schemas.errors import TrucewatchError, UsageError
from schemas.rejects import MOST_NAME, MOST_REASON, Dismissal
from schemas.time_zones import time_zone
from sinks.reading import about
from sinks.rejects import Choice, Reject, reject_rates, reject_shares, rejects
from sinks.selecting import Connection
from streams.cli import options
from streams.cli.brokers import required_broker
from streams.cli.options import instant_of
from streams.cli.output import answer, answers, notice, print_json
from streams.cli.published import published_copy
from streams.cli.receipts import show_refusals
from streams.engine.cluster import Broker
from streams.feeds.dismiss import dismiss
from streams.feeds.editing import Edit, edited
from streams.feeds.exported import wrap
from streams.feeds.readers import FORMATS
from streams.feeds.recorded import opened
from streams.feeds.redrive import Letter, origin_of, redrive
from streams.intake.examine import examiner_of
from streams.ops.published import opened_copy
from streams.ops.rejects import listing_json, reject_json, show_reject, show_rejects
from streams.ops.wording import counted
from streams.settings import Settings, load

app = options.group("List, show, export, publish again and dismiss what was rejected.")

_EXPORTED_AT_ONCE = 100
_UTC = time_zone("UTC")

_Code = Annotated[str | None, typer.Option("--code", help="Only rejects with this code, such as unknown_place.")]
_Feed = Annotated[str | None, typer.Option("--feed", help="Only rejects of this feed.")]
_Since = Annotated[
    str | None, typer.Option("--since", metavar="INSTANT", help="Only those received since, e.g. 2026-05-01T00:00Z.")
]


@app.command("list")
def list_command(
    code: _Code = None,
    feed: _Feed = None,
    since: _Since = None,
    pending: Annotated[
        bool, typer.Option("--pending", help="Only those that tell a region and a day, and are not settled yet.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="The most that are listed.")] = 20,
    broker: Annotated[
        str | None,
        typer.Option(
            "--broker", "-b", metavar="kafka://HOST:PORT", help="Read receipts of refused reports, not the file."
        ),
    ] = None,
    agreement: options.Agreement = None,
    data: options.Data = None,
    as_json: options.AsJson = False,
) -> None:
    """List rejects, newest first, with a summary by code and feed of all that were chosen.

    [bold]Examples[/bold]

      trucewatch rejects list --code unknown_place

      trucewatch rejects list --feed field-office --since 2026-05-01T00:00Z --json

      trucewatch rejects list --feed field-office --broker kafka://127.0.0.1:9092
    """
    if broker is not None:
        if pending or since:
            raise UsageError("--pending and --since choose from the file: leave --broker out")
        show_refusals(load({"broker": broker, "agreement": agreement}), code, feed, as_json=as_json)
        return
    choice = Choice(None, code, feed, instant_of(since, "--since"), pending)
    with opened_copy(published_copy(load({"agreement": agreement, "data": data}))) as connection:
        listed = list(rejects(connection, choice, limit=limit, with_bytes=False))
        shares, rates = reject_shares(connection, choice), reject_rates(connection)
        zone = about(connection).agreement.clock.time_zone
    if as_json:
        print_json(listing_json(listed, shares, rates))
    else:
        show_rejects(answers(), listed, shares, rates, zone)


@app.command("show")
def show_command(
    reject: Annotated[int, typer.Argument(metavar="ID", help="As `list` gives it.")],
    agreement: options.Agreement = None,
    data: options.Data = None,
    as_json: options.AsJson = False,
) -> None:
    """Show all that is known of one reject: the reason, the record itself, where it came from, what to do."""
    with opened_copy(published_copy(load({"agreement": agreement, "data": data}))) as connection:
        found = _named(connection, (reject,))[0]
        zone = about(connection).agreement.clock.time_zone
    if as_json:
        print_json(reject_json(found, with_bytes=True))
    else:
        show_reject(answers(), found, zone)


@app.command("export")
def export_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write; one that exists is refused.")],
    code: _Code = None,
    feed: _Feed = None,
    since: _Since = None,
    agreement: options.Agreement = None,
    data: options.Data = None,
    as_json: options.AsJson = False,
) -> None:
    """Write rejects to a file to mend, oldest first: one JSON line each, the reason beside the record.

    Mend what stands under report, or text, and `trucewatch publish FILE`: it sends the records alone. Those that were
    published again already, or dismissed, are left out.

    [bold]Examples[/bold]

      trucewatch rejects export mend.jsonl --feed field-office
    """
    choice = Choice(None, code, feed, instant_of(since, "--since"))
    written = cut = 0
    with opened_copy(published_copy(load({"agreement": agreement, "data": data}))) as connection:
        every = list(rejects(connection, choice, with_bytes=False))
        waiting = [one for one in every if one.dismissed_by is None]
        ids = [one.id for one in waiting if not one.redrives]
        before, dismissed = len(waiting) - len(ids), len(every) - len(waiting)
        try:
            out = file.open("xb")
        except FileExistsError:
            raise UsageError(f"{file}: is there already", "give another name: mended records may be in it") from None
        try:
            with out:
                for one in _one_by_one(connection, sorted(ids)):
                    if one.whole:
                        out.write(wrap(one) + b"\n")
                        written += 1
                    else:
                        cut += 1
        except BaseException:
            # Cut short it would pass for all there are, and stand in the way of the next try.
            file.unlink(missing_ok=True)
            raise
    if as_json:
        counts = {"exported": written, "not_whole": cut, "redriven_before": before, "dismissed": dismissed}
        print_json({"file": str(file), **counts})
    else:
        left = f"; {counted(cut, 'record')} too large to be kept whole left out" if cut else ""
        left += f"; {before:,} left out that had been published again before" if before else ""
        left += f"; {dismissed:,} left out that were dismissed" if dismissed else ""
        answer(f"{counted(written, 'reject')} written to {file}{left}")


@app.command("redrive")
def redrive_command(
    ids: Annotated[list[int] | None, typer.Argument(metavar="[ID]...", help="Rejects, as `list` gives them.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All that were neither published again nor dismissed.")
    ] = False,
    code: _Code = None,
    feed: _Feed = None,
    since: _Since = None,
    edits: Annotated[
        list[str] | None,
        typer.Option(
            "--edit", metavar="KEY=VALUE", help="Change a field, such as place.pcode=SY02; KEY= drops it. Repeatable."
        ),
    ] = None,
    mended: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="An exported file with the mended records.")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Also rejects that were published again before, or came of that.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Send nothing; say what would be rejected again; exit with 1 if any.")
    ] = False,
    broker: options.Broker = None,
    agreement: options.Agreement = None,
    boundaries: options.Boundaries = None,
    data: options.Data = None,
    as_json: options.AsJson = False,
) -> None:
    """Publish rejects again, as they came or edited, to the topic they came from.

    A reject is published again once: one that was is refused without --again. Interrupted, run it again: what was
    sent twice counts once.

    [bold]Examples[/bold]

      trucewatch rejects redrive 1041 --edit place.pcode=SY02 --broker kafka://127.0.0.1:9092

      trucewatch rejects redrive --all --code unknown_place --dry-run
    """
    if sum((bool(ids), everything, mended is not None)) != 1:
        raise UsageError("say which: IDs, or --all, or --from FILE")
    if not everything and (code or feed or since):
        raise UsageError("--code, --feed and --since choose among --all")
    if mended is not None and edits:
        raise UsageError("--edit changes records as they came, --from has them mended: give one of them")
    changes = [Edit(written) for written in edits or ()]
    settings = load({"broker": broker, "agreement": agreement, "boundaries": boundaries, "data": data})
    with opened_copy(published_copy(settings)) as connection:
        if mended is not None:
            letters, left_out = _mended(connection, mended), 0
        else:
            choice = Choice(tuple(ids) if ids else None, code, feed, instant_of(since, "--since"))
            letters, left_out = _chosen(connection, choice, changes, again=again)
        _refuse(letters, again=again)
    if dry_run:
        _try(settings, letters, as_json=as_json)
    else:
        _send(required_broker(settings, "rejects redrive"), letters, left_out, as_json=as_json)


def _chosen(connection: Connection, choice: Choice, changes: list[Edit], *, again: bool) -> tuple[list[Letter], int]:
    """Return the letters to send, oldest first, and how many of --all were left out."""
    if choice.ids is not None:
        found, left_out = _named(connection, choice.ids), 0
    else:
        every = list(rejects(connection, choice))
        # One that came of a redrive was tried already: --all twice must not send everything twice.
        found = [
            one
            for one in every
            if one.whole and one.dismissed_by is None and (again or not (one.redrives or one.of_redrive))
        ]
        left_out = len(every) - len(found)
    found.sort(key=lambda one: one.id)
    letters = [
        Letter(one, edited(one.original, changes, f"reject {one.id}") if changes else one.original) for one in found
    ]
    return letters, left_out


def _mended(connection: Connection, file: Path) -> list[Letter]:
    """Return the records of an exported file with the rejects they were made of."""
    known = {origin_of(one): one for one in rejects(connection, Choice()) if one.source_topic is not None}
    letters = []
    with opened(file) as source:
        for report in FORMATS["jsonl"].read(source, str(file), _UTC):
            where = f"{file}, line {report.line}"
            if report.redrive is None:
                raise UsageError(f"{where}: does not name a reject", "`trucewatch publish` sends plain reports")
            reject = known.get(report.redrive.of)
            if reject is None:
                raise UsageError(f"{where}: names a reject that is not in the published file")
            letters.append(Letter(reject, report.value))
    return letters


def _refuse(letters: list[Letter], *, again: bool) -> None:
    """Refuse what would be sent twice by accident, or in part."""
    before = [letter.reject for letter in letters if letter.reject.redrives]
    if before and not again:
        told = ", ".join(f"{one.id} ({one.redrive_outcome})" for one in before[:5])
        more = f" and {len(before) - 5:,} more" if len(before) > 5 else ""
        raise UsageError(f"published again before: {told}{more}", "--again sends them once more")
    for letter in letters:
        origin_of(letter.reject)
        if not letter.reject.whole and letter.body == letter.reject.original:
            raise UsageError(f"of reject {letter.reject.id} only the beginning is kept", "publish it from its source")


def _try(settings: Settings, letters: list[Letter], *, as_json: bool) -> None:
    agreement = load_agreement(settings.agreement)
    examiner = examiner_of(agreement, settings.boundaries)
    read_at = time.time_ns() // 1_000
    faults = []
    for letter in letters:
        refused = examiner.examine(letter.body, (), origin_of(letter.reject), read_at).rejected
        if refused is not None:
            faults.append({"id": letter.reject.id, "code": str(refused.code), "hint": refused.hint})
    if as_json:
        print_json({"checked": len(letters), "would_reject": len(faults), "faults": faults})
    else:
        for fault in faults:
            answer(f"{fault['id']}: {fault['code']}\n  {fault['hint']}")
        told = f"{counted(len(letters), 'reject')} checked, {len(faults):,} would be rejected again. Nothing was sent."
        answer(told)
    if faults:
        raise typer.Exit(1)


def _send(broker: Broker, letters: list[Letter], left_out: int, *, as_json: bool) -> None:
    sent: list[Letter] = []
    try:
        asyncio.run(redrive(broker, letters, sent.append))
    except TrucewatchError as error:
        error.also(f"{counted(len(sent), 'reject')} sent before this; run it again: those count once")
        raise
    if as_json:
        print_json({"sent": [letter.reject.id for letter in sent], "left_out": left_out})
        return
    left = (
        f"; {left_out:,} left out that were published again before, were dismissed, or are not kept whole"
        if left_out
        else ""
    )
    answer(f"{counted(len(sent), 'reject')} published again{left}")
    if sent:
        notice("`trucewatch rejects list` tells what became of them")


@app.command("dismiss")
def dismiss_command(
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why no report has to take its place.")],
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who says so.")],
    ids: Annotated[list[int] | None, typer.Argument(metavar="[ID]...", help="Rejects, as `list` gives them.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that are pending.")] = False,
    code: _Code = None,
    feed: _Feed = None,
    since: _Since = None,
    broker: options.Broker = None,
    agreement: options.Agreement = None,
    data: options.Data = None,
    as_json: options.AsJson = False,
) -> None:
    """Set rejects aside for good: they are pending no longer, and the file keeps who said why.

    A dismissal is a record on the topic the reject came from, and judged like any other. Nothing takes it back.
    Interrupted, run it again: those dismissed before are left out.

    [bold]Examples[/bold]

      trucewatch rejects dismiss 1041 --reason "a test of the form" --by "A. Haddad" --broker kafka://127.0.0.1:9092

      trucewatch rejects dismiss --all --feed training --reason "exercise of 12 May" --by desk
    """
    if bool(ids) == everything:
        raise UsageError("say which: IDs, or --all")
    if not everything and (code or feed or since):
        raise UsageError("--code, --feed and --since choose among --all")
    dismissal = _dismissal(reason, by)
    settings = load({"broker": broker, "agreement": agreement, "data": data})
    with opened_copy(published_copy(settings)) as connection:
        if everything:
            choice = Choice(None, code, feed, instant_of(since, "--since"), pending=True)
            found = list(rejects(connection, choice, with_bytes=False))
        else:
            found = _named(connection, tuple(ids or ()))
    waiting = sorted((one for one in found if one.dismissed_by is None), key=lambda one: one.id)
    before = [one for one in found if one.dismissed_by is not None]
    if before and not waiting:
        told = ", ".join(f"{one.id} (by {one.dismissed_by}: {one.dismissal_reason})" for one in before[:5])
        more = f" and {len(before) - 5:,} more" if len(before) > 5 else ""
        raise UsageError(f"dismissed before: {told}{more}", "a dismissal is never taken back, nor needed twice")
    _send_dismissals(required_broker(settings, "rejects dismiss"), waiting, dismissal, len(before), as_json=as_json)


def _dismissal(reason: str, by: str) -> Dismissal:
    """Return what is said with a dismissal; intake would refuse a blank or an endless one as well."""
    for option, text, most in (("--reason", reason, MOST_REASON), ("--by", by, MOST_NAME)):
        if not text.strip():
            raise UsageError(f"{option} says nothing", "the file keeps who dismissed a reject, and why")
        if len(text) > most:
            raise UsageError(f"{option} has {len(text):,} characters; at most {most:,} are kept")
    return Dismissal(reason, by)


def _send_dismissals(
    broker: Broker, waiting: list[Reject], dismissal: Dismissal, before: int, *, as_json: bool
) -> None:
    sent: list[Reject] = []
    try:
        asyncio.run(dismiss(broker, waiting, dismissal, sent.append))
    except TrucewatchError as error:
        error.also(f"{counted(len(sent), 'reject')} dismissed before this; run it again for the others")
        raise
    if as_json:
        print_json({"dismissed": [one.id for one in sent], "dismissed_before": before})
        return
    left = f"; {before:,} left out that were dismissed before" if before else ""
    answer(f"{counted(len(sent), 'reject')} dismissed{left}")


def _named(connection: Connection, ids: tuple[int, ...]) -> list[Reject]:
    found = {one.id: one for one in rejects(connection, Choice(ids))}
    missing = [str(number) for number in dict.fromkeys(ids) if number not in found]
    if missing:
        raise UsageError(f"there is no reject {', '.join(missing)}", "`trucewatch rejects list` shows what there is")
    return list(found.values())


def _one_by_one(connection: Connection, ids: list[int]) -> Iterator[Reject]:
    """Yield rejects with their bytes in the order given, some at a time."""
    for start in range(0, len(ids), _EXPORTED_AT_ONCE):
        yield from sorted(
            rejects(connection, Choice(tuple(ids[start : start + _EXPORTED_AT_ONCE]))), key=lambda one: one.id
        )
