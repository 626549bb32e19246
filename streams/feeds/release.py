"""A newer release of a living data set, told as corrections of the earlier one.

A yearly data set is published whole each time: most rows are as they were, some are corrected, a few are gone. What
stood before is read from the earlier release's file or from a published copy. Of the new one's rows

- one that says the same is sent as it was sent before, whatever columns were added: a duplicate;
- one that says something else is sent as a higher revision;
- one that is gone can be withdrawn, where the new file's own feed and period would hold it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any, NamedTuple
from zoneinfo import ZoneInfo

import orjson
from pydantic_core import from_json

from schemas.errors import UsageError
from schemas.topics import MAX_REPORT_BYTES
from streams.feeds.editing import changed
from streams.feeds.readers import FORMATS, Release, Stated, format_of, read
from streams.feeds.recorded import Named, Recorded, instant_of

_COPY_ENDING = ".duckdb"


class _Stood(NamedTuple):
    """A report as it stood before: its revision, what it says, and where its body lies in the spool."""

    revision: int
    says: bytes
    offset: int
    length: int
    file: int


@dataclass
class _Period:
    """The feeds of one file, the time it tells of, and when it told last."""

    feeds: set[str] = field(default_factory=set)
    begins: str = ""
    ends: str = ""
    reported_at: str = ""
    names: set[tuple[str, str]] = field(default_factory=set)

    def holds(self, report: dict[str, Any]) -> bool:
        """Whether the file would tell of what another report tells of."""
        occurred = report.get("occurred", {})
        begins, ends = instant_of(occurred.get("from")), instant_of(occurred.get("to"))
        first, last = instant_of(self.begins), instant_of(self.ends)
        if begins is None or ends is None or first is None or last is None:
            return False
        return report["feed"] in self.feeds and first <= begins and ends <= last

    def add(self, report: dict[str, Any]) -> None:
        """Take a report of the file into account."""
        occurred = report.get("occurred")
        if not isinstance(occurred, dict):
            return
        self.feeds.add(report["feed"])
        self.begins = _extreme(self.begins, occurred.get("from"), latest=False)
        self.ends = _extreme(self.ends, occurred.get("to"), latest=True)
        self.reported_at = _extreme(self.reported_at, report.get("reported_at"), latest=True)


def read_release(paths: Sequence[Path], stated: Stated, time_zone: ZoneInfo, release: Release) -> Iterator[Named]:
    """Yield the reports of files as releases of one data set.

    Raises:
        UsageError: a file is JSON Lines, whose reports state their own revisions, or an earlier one cannot be read.
        InputFileError: a file is missing, damaged, or not in the format.
    """
    for path in (*paths, *(path for path in release.against if path.suffix != _COPY_ENDING)):
        if format_of(path, stated) is FORMATS["jsonl"]:
            raise UsageError(f"{path}: a release is a table; reports in JSON Lines state their own revisions")
    with tempfile.TemporaryFile(prefix="trucewatch-release-") as spool:
        known = _Known(spool)
        for path in release.against:
            known.take(_copied(path) if path.suffix == _COPY_ENDING else read(path, stated, time_zone))
        for number, path in enumerate(paths, start=1 - len(paths)):
            least = None if release.number is None else max(1, release.number + number)
            for report in known.told_by(read(path, stated, time_zone), least, withdraw=release.withdraw):
                yield Named(str(path), report)


class _Known:
    """What stood before each report of the files still to be read."""

    def __init__(self, spool: IO[bytes]) -> None:
        self._spool = spool
        self._stood: dict[tuple[str, str], _Stood] = {}
        self._file = 0

    def take(self, reports: Iterator[Recorded]) -> None:
        """Learn the reports of an earlier release."""
        for recorded in reports:
            report = _read(recorded)
            if report is not None:
                self._keep(recorded.value, report)

    def told_by(self, reports: Iterator[Recorded], least: int | None, *, withdraw: bool) -> Iterator[Recorded]:
        """Yield the reports of one file as corrections of what stood before, and then what it withdraws."""
        self._file += 1
        period = _Period()
        line = 0
        for recorded in reports:
            line = recorded.line
            if recorded.feed is not None and recorded.report_id is not None:
                # Also of a row that will be rejected: the release holds it.
                period.names.add((recorded.feed, recorded.report_id))
            report = _read(recorded)
            if report is None:
                yield recorded
                continue
            period.add(report)
            yield recorded._replace(value=self._corrected(report, recorded.value, least or report["revision"]))
        for report, body in self._gone(period) if withdraw else ():
            withdrawal = {
                "revision": max(least or 1, report["revision"] + 1),
                "status": "retracted",
                "reported_at": _extreme(report["reported_at"], period.reported_at, latest=True),
                "note": "withdrawn: a newer release of the data set does not hold it",
            }
            value = changed(body, withdrawal)
            self._keep(value, report | withdrawal)
            at = instant_of(withdrawal["reported_at"])
            yield Recorded(value, at, report["type"], line, report["feed"], report["report_id"])

    def _corrected(self, report: dict[str, Any], value: bytes, least: int) -> bytes:
        stood = self._stood.get((report["feed"], report["report_id"]))
        if stood is None:
            revision = least
        elif stood.file == self._file:
            # Told twice in one file: which of the two holds is not for a reader to say.
            revision = stood.revision
        elif stood.says == _says(report):
            return self._body(stood)
        else:
            revision = max(least, stood.revision + 1)
        if revision != report["revision"]:
            report["revision"] = revision
            value = orjson.dumps(report)
        if stood is None or stood.file != self._file:
            self._keep(value, report)
        return value

    def _gone(self, period: _Period) -> Iterator[tuple[dict[str, Any], bytes]]:
        for name, stood in list(self._stood.items()):
            if name not in period.names:
                body = self._body(stood)
                report = from_json(body)
                if report.get("status", "active") == "active" and period.holds(report):
                    yield {"revision": 1, **report}, body

    def _keep(self, value: bytes, report: dict[str, Any]) -> None:
        offset = self._spool.seek(0, 2)
        self._spool.write(value)
        name = report["feed"], report["report_id"]
        self._stood[name] = _Stood(report.get("revision", 1), _says(report), offset, len(value), self._file)

    def _body(self, stood: _Stood) -> bytes:
        self._spool.seek(stood.offset)
        return self._spool.read(stood.length)


def _copied(path: Path) -> Iterator[Recorded]:
    """Yield the reports that stand in a published copy."""
    # Every other command starts the faster for not reading it.
    from sinks.reading import present_reports

    for raw, kind, feed, report_id in present_reports(path):
        yield Recorded(raw.encode(), None, kind, 0, feed, report_id)


def _read(recorded: Recorded) -> dict[str, Any] | None:
    """Return what a record says; None of one that names no report, or travels as its beginning only."""
    if recorded.feed is None or recorded.report_id is None or len(recorded.value) > MAX_REPORT_BYTES:
        return None
    # A copy may hold numbers that orjson refuses: earlier versions accepted them.
    report: dict[str, Any] = from_json(recorded.value)
    return report


def _says(report: dict[str, Any]) -> bytes:
    """Return a fingerprint of what a report says: not of its number, nor of columns that make no part of it."""
    content = {name: value for name, value in report.items() if name not in ("revision", "raw")}
    return blake2b(orjson.dumps(content, option=orjson.OPT_SORT_KEYS), digest_size=16).digest()


def _extreme(one: str, other: object, *, latest: bool) -> str:
    """Return the later or the earlier of two stated instants; an unreadable one is neither."""
    first, second = instant_of(one), instant_of(other)
    if second is None or not isinstance(other, str):
        return one
    return other if first is None or (second > first) is latest else one
