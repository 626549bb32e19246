"""Daily report of one truce-day, as a monitor would send it out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from importlib import resources
from typing import Any, Literal

from markupsafe import Markup

from schemas.errors import UsageError
from schemas.truceday import from_micros
from sinks import reading
from sinks.migrations import software_version
from sinks.records import Cell, VerdictChange, Window, jsonable
from sinks.rolling import RollingDay
from sinks.selecting import Connection
from sinks.tables import Asked, piece_of, tables
from streams.ops.grid import cell_text, figures, mark_words, reason_text, word
from streams.ops.outlook import outlook_sentence
from streams.ops.status import Status, gate_sentence, status_in
from streams.ops.wording import local_time
from streams.page.copies import rolling_of
from streams.page.render import rendered
from streams.page.svg import HEIGHT, WIDTH, pictures

#: Rows of each list; the file has all.
_MOST = 100
#: Pages of a PDF, and how short its lists become one after the other until they fit there.
_PAGES, _SHORTER = 2, (50, 30, 20, 12, 8, 5)
#: Views that tell of the present alone, by the name of their list: a report of the past leaves them out.
_LISTS = {
    "incidents": ("incidents", {}, "deaths_best"),
    "parties": ("violations_by_party", {}, "party"),
    "silent": ("feed_silence", {}, "silent_since"),
    "convoys": ("convoys_due", {"is_owed": "true"}, "hours_overdue"),
}
_WORST_FIRST = ("deaths_best", "hours_overdue")


@dataclass(frozen=True)
class Region:
    """Region's verdict of the day, beside that of the day before."""

    window: Window
    cell: Cell
    before: Cell | None

    @property
    def turned(self) -> bool:
        """Whether the verdict is another than the day before."""
        return self.before is not None and self.before.verdict != self.cell.verdict


@dataclass(frozen=True)
class Report:
    """Report of one truce-day.

    Attributes:
        status: the status of the day and the one before, at present or at the instant asked for.
        changes: versions of verdicts that were made while the day ran.
        lists: incidents, accusations, silences and convoys of the day, by name; None in a report of the past.
        cut: names of the lists, ``changes`` among them, that hold their first rows alone: the deadliest incidents, the
            convoys longest overdue, the changes that turned a verdict.
        file_id: the file that was read.
    """

    day: date
    status: Status
    regions: list[Region]
    changes: list[VerdictChange]
    rolling: list[RollingDay]
    lists: dict[str, list[dict[str, Any]]] | None
    cut: list[str]
    file_id: str


def read_report(connection: Connection, day: date, as_of: datetime | None = None) -> Report:
    """Return the report of a truce-day, at present or as of an instant.

    Raises:
        UsageError: the day was not judged, or not by then; the hint tells which were.
    """
    status = status_in(connection, first=day - timedelta(days=1), last=day, as_of=as_of)
    cells = {(cell.region, cell.truce_day): cell for cell in status.cells}
    regions = [
        Region(window, cells[window.region, day], cells.get((window.region, day - timedelta(days=1))))
        for window in status.windows
        if (window.region, day) in cells
    ]
    if not regions:
        judged = f"judged are {status.judged[0]} to {status.judged[1]}" if status.judged else "none was judged"
        raise UsageError(f"no truce-day {day} has been judged", judged)
    calendar = status.agreement.calendar
    starts, ends = from_micros(calendar.start_of(day)), from_micros(calendar.end_of(day))
    until = ends if status.as_of is None or status.now is None else min(ends, status.now + timedelta(microseconds=1))
    lists: dict[str, list[dict[str, Any]]] = {}
    cut = []
    for name, (view, where, sort) in _LISTS.items() if as_of is None else ():
        about = tables(connection)[view]
        of_day = {"truce_day": day.isoformat()} if name != "convoys" else {}
        asked = Asked({**where, **of_day}, sort, descending=sort in _WORST_FIRST, limit=_MOST)
        piece = piece_of(connection, about, asked)
        lists[name] = [dict(zip([each.name for each in about.columns], row, strict=True)) for row in piece.rows]
        cut += [name] if piece.more else []
    return Report(
        day,
        status,
        regions,
        reading.changes_between(connection, starts, until),
        rolling_of(connection, status) if as_of is None else [],
        lists if as_of is None else None,
        cut,
        reading.file_id(connection),
    )


def shortened(report: Report, most: int) -> Report:
    """Return a report whose lists have no more than so many rows."""
    whole: dict[str, list[Any]] = {
        "changes": sorted(report.changes, key=lambda each: each.verdict == each.verdict_before)
    }
    whole |= report.lists or {}
    cut = [name for name, rows in whole.items() if name in report.cut or len(rows) > most]
    lists = {name: rows[:most] for name, rows in (report.lists or {}).items()}
    changes = whole["changes"][:most] if "changes" in cut else report.changes
    return replace(report, changes=changes, lists=lists if report.lists is not None else None, cut=cut)


def report_text(report: Report, form: Literal["html", "md"]) -> str:
    """Return a report as one HTML page without script or outside parts, or as Markdown."""
    status = report.status
    calendar, zone = status.agreement.calendar, status.agreement.clock.time_zone
    lists = report.lists or {}
    style = (resources.files("streams.page") / "static" / "page.css").read_text("utf-8") if form == "html" else ""
    return rendered(
        f"report.{form}",
        report=report,
        agreement=status.agreement,
        sentence=gate_sentence(status.gate),
        outlook=outlook_sentence(status),
        starts=local_time(from_micros(calendar.start_of(report.day)), zone),
        ends=local_time(from_micros(calendar.end_of(report.day)), zone),
        now=local_time(status.now, zone) if status.now else "no time yet",
        incidents=sorted(lists.get("incidents", []), key=lambda each: each["occurred_from"]),
        parties=_grouped(lists.get("parties", []), "party"),
        silent={
            feed: _grouped(rows, "silent_since") for feed, rows in _grouped(lists.get("silent", []), "feed").items()
        },
        zone=zone,
        drawn=pictures(report.rolling),
        size=(WIDTH, HEIGHT),
        style=Markup(style),  # noqa: S704 - our own file
        software=software_version(),
        reason=reason_text,
        shown=cell_text,
    )


def _grouped(rows: list[dict[str, Any]], name: str) -> dict[Any, list[dict[str, Any]]]:
    """Return rows by the value of a column, in the order in which each value comes first."""
    found: dict[Any, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row[name], []).append(row)
    return found


def report_pdf(report: Report) -> bytes:
    """Return a report as PDF pages, the HTML page printed; the same report gives the same bytes.

    Lists are cut, the least of them first, until there are two pages. Regions are all told: more than some fifty take
    a third page.

    Raises:
        UsageError: the library that prints is not installed.
    """
    try:
        from weasyprint import HTML
        from weasyprint.urls import URLFetcher
    except (ImportError, OSError) as error:
        # OSError: it is installed, and the system's Pango, which sets its text, is not.
        hint = "pip install 'trucewatch[pdf]', and Pango: on Debian apt install libpangoft2-1.0-0"
        raise UsageError(f"--pdf needs WeasyPrint, which cannot be loaded: {error}", hint) from None
    # The page has no outside part: nothing that a feed wrote may become one.
    fetcher = URLFetcher(allowed_protocols=())
    for shorter in (report, *(shortened(report, most) for most in _SHORTER)):
        printed = HTML(string=report_text(shorter, "html"), url_fetcher=fetcher).render()
        if len(printed.pages) <= _PAGES:
            break
    return bytes(printed.write_pdf())


def report_json(report: Report) -> dict[str, Any]:
    """Return a report as values."""
    status = report.status
    return {
        "agreement": {"id": status.agreement.id, "title": status.agreement.title},
        "truce_day": report.day.isoformat(),
        "now": jsonable(status.now),
        "as_of": jsonable(status.as_of),
        "file_id": report.file_id,
        "gate": None if status.gate is None else {**jsonable(status.gate), "sentence": gate_sentence(status.gate)},
        "regions": [
            {
                **jsonable(each.cell),
                "shown": word(each.cell),
                "figures": figures(each.cell),
                "marks": mark_words(each.cell),
                "verdict_before": each.before.verdict if each.before else None,
                "streak_days": each.window.streak_days,
            }
            for each in report.regions
        ],
        "changes": jsonable(report.changes),
        **{name: jsonable(rows) for name, rows in (report.lists or {}).items()},
        "cut": report.cut,
    }
