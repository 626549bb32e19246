"""Commands ``retract``, ``merge`` and ``nil``, each of which publishes one full record."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from schemas.agreement_file import load_agreement
from schemas.errors import UsageError
from schemas.gazetteer import load_gazetteer
from schemas.receipts import called_in
from sinks.outbox import Outbox
from sinks.reading import present_report
from streams.cli import options
from streams.cli.feed import send_reports
from streams.cli.outbox import keep_and_send
from streams.cli.published import published_copy
from streams.feeds.dry_run import faults
from streams.feeds.jsonl import peek
from streams.feeds.recorded import Named
from streams.feeds.short import nothing_seen, withdrawn
from streams.intake.examine import examiner_of
from streams.settings import Settings, load

_Feed = Annotated[str, typer.Argument(metavar="FEED", help="The feed that published the report.")]
_Id = Annotated[str, typer.Argument(metavar="ID", help="The feed's own name for the report.")]
_Reason = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why; it is kept as the report's note.")]
_Region = Annotated[list[str], typer.Argument(metavar="REGION...", help="P-codes or names of the regions watched.")]
_Wait = Annotated[bool, typer.Option("--wait", help="Wait for the receipt; exit with 1 when it is refused.")]


def retract(
    feed: _Feed,
    report_id: _Id,
    reason: _Reason = None,
    wait: _Wait = False,
    wait_seconds: options.WaitSeconds = 60.0,
    outbox: options.Outbox = None,
    broker: options.Broker = None,
    agreement: options.Agreement = None,
    boundaries: options.Boundaries = None,
    data: options.Data = None,
    as_json: options.AsJson = False,
) -> None:
    """Withdraw a report: its next revision says that it no longer stands.

    The record is taken from the outbox or the published copy, whichever has the higher revision.

    [bold]Example[/bold]

      trucewatch retract field-office FO-17 --reason "an accident, no attack" --broker kafka://127.0.0.1:9092
    """
    settings = _settings(outbox, broker, agreement, boundaries, data)
    body = withdrawn(_latest(settings, feed, report_id), datetime.now(UTC), reason)
    _publish(settings, body, wait_seconds if wait else None, as_json=as_json)


def merge(
    feed: _Feed,
    report_id: _Id,
    into: Annotated[str, typer.Argument(metavar="INTO", help="The report of the same feed that tells it now.")],
    reason: _Reason = None,
    wait: _Wait = False,
    wait_seconds: options.WaitSeconds = 60.0,
    outbox: options.Outbox = None,
    broker: options.Broker = None,
    agreement: options.Agreement = None,
    boundaries: options.Boundaries = None,
    data: options.Data = None,
    as_json: options.AsJson = False,
) -> None:
    """Withdraw a report in favour of another of its feed.

    The record is taken from the outbox or the published copy, whichever has the higher revision.

    [bold]Example[/bold]

      trucewatch merge field-office FO-18 FO-17 --broker kafka://127.0.0.1:9092
    """
    settings = _settings(outbox, broker, agreement, boundaries, data)
    body = withdrawn(_latest(settings, feed, report_id), datetime.now(UTC), reason, into)
    _publish(settings, body, wait_seconds if wait else None, as_json=as_json)


def nil(
    regions: _Region,
    feed: Annotated[str, typer.Option("--feed", help="The feed that watched.")],
    begin: Annotated[str, typer.Option("--from", metavar="INSTANT", help="Start, e.g. 2016-09-13T00:00+03:00.")],
    end: Annotated[str, typer.Option("--to", metavar="INSTANT", help="End, not part of the stretch.")],
    wait: _Wait = False,
    wait_seconds: options.WaitSeconds = 60.0,
    outbox: options.Outbox = None,
    broker: options.Broker = None,
    agreement: options.Agreement = None,
    boundaries: options.Boundaries = None,
    as_json: options.AsJson = False,
) -> None:
    """Say that a feed watched regions for a stretch and saw nothing: a notice that tells quiet from silence.

    [bold]Example[/bold]

      trucewatch nil SY02 SY05 --from 2016-09-13T00:00+03:00 --to 2016-09-14T00:00+03:00 --feed field-office
    """
    settings = _settings(outbox, broker, agreement, boundaries, None)
    low, high = options.instant_of(begin, "--from"), options.instant_of(end, "--to")
    if low is None or high is None:
        raise UsageError("--from and --to name the stretch that was watched")
    gazetteer = load_gazetteer(load_agreement(settings.agreement).gazetteer, settings.boundaries)
    body = nothing_seen(feed, regions, gazetteer.spellings().keys(), (low, high), datetime.now(UTC))
    _publish(settings, body, wait_seconds if wait else None, as_json=as_json)


def _settings(
    outbox: Path | None, broker: str | None, agreement: str | None, boundaries: Path | None, data: Path | None
) -> Settings:
    given = {"outbox": outbox, "broker": broker, "agreement": agreement, "boundaries": boundaries, "data": data}
    return load(given)


def _latest(settings: Settings, feed: str, report_id: str) -> bytes:
    """Return the record of a report with the highest revision, of the outbox and the published copy.

    Raises:
        UsageError: neither has it.
    """
    copy = published_copy(settings)
    found: list[bytes | None] = []
    where = []
    if settings.outbox is not None:
        kept = Outbox.open(settings.outbox)
        try:
            found.append(kept.latest(feed, report_id))
        finally:
            kept.close()
        where.append(f"the outbox {settings.outbox}")
    # A feed's own machine has an outbox, and seldom a copy.
    if settings.outbox is None or copy.exists():
        found.append(present_report(copy, feed, report_id))
        where.append(str(copy))
    bodies = [body for body in found if body is not None]
    if not bodies:
        raise UsageError(f"no report {feed}/{report_id} in {' or '.join(where)}", "--outbox or --data names another")
    return max(bodies, key=lambda body: called_in(body)[2] or 1)


def _publish(settings: Settings, body: bytes, wait_seconds: float | None, *, as_json: bool) -> None:
    """Publish one record, or keep it in the outbox, unless intake would refuse it."""
    agreement = load_agreement(settings.agreement)
    record = Named("(this command)", peek(body, 1))
    if settings.outbox is not None:
        keep_and_send(settings, agreement, iter([record]), 1, wait_seconds, as_json=as_json)
        return
    examiner = examiner_of(agreement, settings.boundaries)
    if (fault := next(faults([record], examiner))) is not None:
        raise UsageError(f"this would be rejected: {fault.code}", fault.hint)
    send_reports(settings, agreement.id, iter([record]), [], None, wait_seconds, as_json=as_json)
