"""Site over a published copy, read anew when another copy takes its place."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import structlog
from markupsafe import Markup

from schemas.errors import DependencyUnavailable, GazetteerError, StoreUnavailable, TrucewatchError, UsageError
from sinks.publishing import Signature, signature_of
from streams.ops.status import Status, ago, freshness
from streams.ops.wording import local_time
from streams.page.addresses import NAV, View, form_of, view_at
from streams.page.answers import Form, csv_of, following_of, forms_of, json_of
from streams.page.asking import Answers, Reply
from streams.page.copies import Copy, open_copy
from streams.page.live import Changes
from streams.page.outlines import Outlines, read_outlines
from streams.page.render import address, rendered
from streams.page.workers import Workers

log = structlog.get_logger(__name__)

#: How often the path is looked at, and how often a file that cannot be read is tried again.
_LOOK_SECONDS, _AGAIN_SECONDS = 0.5, 5.0
#: Stand where each answer has its own banner and workers; no text from a report can hold them unescaped.
_BANNER, _WORKERS = Markup("<!--banner-->"), Markup("<!--workers-->")


class Site:
    """Pages of one published copy.

    One thread opens a new copy, while another answers questions to the copy that is shown.

    Args:
        path: the published copy.
        agreement: id of the agreement it must be of; any when None.
        max_age: seconds after which a copy is stale.
        now: the reader's clock.
        workers: those whose health the overview tells.
        boundaries: GeoJSON of the regions, of which the overview has a map.

    Attributes:
        copy: the copy that is shown; None until one was read.
        problem: why the file that lies there now cannot be read.
        turned: set, and replaced, when the copy or the problem is another.
        reads: copies read so far.
    """

    def __init__(
        self,
        path: Path,
        agreement: str | None,
        max_age: float,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        workers: Workers | None = None,
        boundaries: Path | None = None,
    ) -> None:
        self._path = path
        self._agreement = agreement
        self._max_age = max_age
        self._workers = workers or Workers()
        self._now = now
        self._boundaries = boundaries
        self._outlines: Outlines | None = None
        self._opener = ThreadPoolExecutor(1, "open-copy")
        self._answers = Answers()
        self._signature: Signature | None = None
        self._tried = 0.0
        self._changes = Changes()
        self._parts: dict[int, orjson.Fragment] = {}
        self.copy: Copy | None = None
        self.problem: TrucewatchError | None = None
        self.turned = asyncio.Event()
        self.reads = 0

    @property
    def version(self) -> int:
        """Version of the copy that is shown; 0 until one was read."""
        return self.copy.version if self.copy else 0

    async def watch(self) -> None:
        """Follow the path and the workers until cancelled."""
        async with asyncio.TaskGroup() as following:
            following.create_task(self._workers.watch())
            while True:
                await self.look()
                await asyncio.sleep(_LOOK_SECONDS)

    async def look(self) -> None:
        """Read the file if another one lies there, or try again one that could not be read."""
        signature = signature_of(self._path)
        due = self.problem is not None and time.monotonic() - self._tried >= _AGAIN_SECONDS
        if signature == self._signature and not due and (self.copy or self.problem):
            return
        self._tried, self._signature = time.monotonic(), signature
        after = self.version
        before = str(self.problem)
        try:
            copy = await asyncio.get_running_loop().run_in_executor(
                self._opener, open_copy, self._path, self._agreement, after, self._draw
            )
        except TrucewatchError as error:
            self.problem = error
            if str(error) == before:
                return
            log.warning("copy_unreadable", file=str(self._path), reason=str(error))
        except Exception as error:
            # A copy that nobody foresaw must not take the page of the one before along.
            self.problem = StoreUnavailable(f"{self._path}: a fault of trucewatch itself, {type(error).__name__}")
            if str(self.problem) == before:
                return
            log.exception("copy_failed", file=str(self._path))
        else:
            self._show(copy)
        self._parts.clear()
        turned, self.turned = self.turned, asyncio.Event()
        turned.set()

    def _draw(self, status: Status) -> Outlines | None:
        """Return the outlines of the map, drawn once: an agreement's regions stay."""
        if self._boundaries is not None and self._outlines is None:
            names = {window.region: window.region_name for window in status.windows}
            try:
                self._outlines = read_outlines(self._boundaries, names)
            except GazetteerError as error:
                log.warning("no_map", reason=str(error))
                self._boundaries = None
        return self._outlines

    def close(self) -> None:
        """Let go of the file."""
        self._opener.shutdown()
        if self.copy is not None:
            self._answers.forget(self.copy)
        self._answers.close()

    async def reply(self, path: str, query: Mapping[str, str]) -> Reply:
        """Return what stands at an address, in the form it asks for."""
        form: Form = "html"
        try:
            form, section, asked = form_of(query)
            view, arguments = view_at(path, asked)
            copy = self.copy
            if copy is None:
                raise self.problem or DependencyUnavailable(f"{self._path} is being read")
            key = (path, tuple(sorted(asked.items())), form, section)
            # The overview was read with its copy.
            apart = path == "/" and not asked
            reply = await self._answers.ask(
                copy, key, lambda: _made(copy, view, arguments, path, asked, form, section), apart=apart
            )
        except TrucewatchError as error:
            reply = self._refusal(error, path, form)
        if reply.kind != "text/html":
            return reply
        body = reply.body.replace(_BANNER.encode(), self.banner().encode(), 1)
        return reply._replace(body=body.replace(_WORKERS.encode(), self._workers.shown.encode(), 1))

    def banner(self) -> str:
        """Return the line that says how old the data is."""
        copy = self.copy
        published = None if copy is None else copy.status.published_at
        age = None if published is None else self._now() - published
        said, problem = "No copy has been read yet. ", ""
        if copy is not None:
            now = copy.status.now
            as_of = f"Data as of {local_time(now, copy.agreement.clock.time_zone)}, published " if now else "Published "
            said = as_of if published else "This file was never published. "
        if self.problem is not None:
            shown = "; shown is the copy before it" if copy is not None else ""
            problem = f". The file cannot be read: {self.problem}{shown}."
        return rendered(
            "banner.html",
            stale=age is None or age.total_seconds() > self._max_age or self.problem is not None,
            broken=self.problem is not None,
            published=None if published is None else published.timestamp(),
            limit=self._max_age,
            said=said,
            age="" if age is None else f"{ago(age)} ago",
            problem=problem,
        )

    def event(self, since: int) -> bytes:
        """Return the event that leads a page from a version to the present one.

        All pages of one version share its parts. Time and banner are of this moment, or a page that comes late would
        be told an age of long ago. A page whose version nobody remembers is told to take the whole page anew: its
        parts are null.
        """
        # Whoever makes versions up shares one answer, or each would stay in memory.
        since = since if self._changes.knows(since) else 0
        if since not in self._parts:
            self._parts[since] = orjson.Fragment(orjson.dumps(self._changes.since(since)))
        told = {"version": self.version, "now": self._now().timestamp(), "banner": self.banner()}
        return b"id: %d\ndata: %b\n\n" % (self.version, orjson.dumps({**told, "parts": self._parts[since]}))

    def ping(self) -> bytes:
        """Return an event that says that the server lives, its time, and how the workers are."""
        told = {"now": self._now().timestamp(), "workers": self._workers.shown}
        return b"event: ping\ndata: %b\n\n" % orjson.dumps(told)

    def _show(self, copy: Copy) -> None:
        if self.copy is not None:
            self._answers.forget(self.copy)
        self.copy, self.problem = copy, None
        self.reads += 1
        self._changes.update(copy.version, copy.parts)
        log.info("copy_shown", file=str(self._path), published=freshness(copy.status.published_at, self._now()))

    def _refusal(self, error: TrucewatchError, path: str, form: Form) -> Reply:
        status = 404 if isinstance(error, UsageError) and error is not self.problem else 503
        if form != "html":
            body = {"error": {"message": str(error), "hint": error.hint}}
            return Reply(status, "application/json", orjson.dumps(body))
        title = "There is nothing here" if status == 404 else "Nothing can be shown"
        told: dict[str, Any] = {
            "title": title,
            "said": str(error),
            "hint": error.hint,
            "live": "page",
            # A page that is not there is so in this copy. One that could not be made is of none.
            "version": self.version if status == 404 else 0,
            "forms": [],
        }
        return Reply(status, "text/html", _bytes(rendered("problem.html", **told, **_frame(self.copy, path))))


def _made(
    copy: Copy,
    view: View,
    arguments: tuple[str, ...],
    path: str,
    query: Mapping[str, str],
    form: Form,
    section: str | None,
) -> Reply:
    answer = view(copy, query, form, *arguments)
    if form == "json":
        return Reply(200, "application/json", json_of(answer), following_of(answer.sections, form))
    if form == "csv":
        found = [each for each in answer.sections if section in (None, each.key)][:1]
        if not found:
            raise UsageError("there is no such table at this address as CSV")
        return Reply(200, "text/csv", csv_of(found[0]), following_of(found, form))
    text = rendered(
        answer.template,
        **answer.context,
        title=answer.title,
        live=answer.live,
        version=copy.version,
        forms=forms_of(path, query, answer),
        zone=copy.agreement.clock.time_zone,
        **_frame(copy, path),
    )
    return Reply(200, "text/html", _bytes(text))


def _frame(copy: Copy | None, path: str) -> dict[str, Any]:
    named = "" if copy is None else copy.agreement.title
    return {"agreement": named, "nav": NAV, "here": address(path), "banner": _BANNER, "workers": _WORKERS}


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")
