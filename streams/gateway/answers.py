"""Answers to requests, path by path."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from typing import NamedTuple
from urllib.parse import quote

import msgspec
import structlog
from aiohttp import HttpVersion11, web
from aiohttp.http_exceptions import HttpProcessingError

from streams.engine.http import send
from streams.gateway.body import Record, is_lines, records_in, too_large, unpacked
from streams.gateway.carrier import Carrier
from streams.gateway.checks import checking, parted, receipt, told
from streams.gateway.limits import Places, Rate
from streams.gateway.metrics import GatewayMetrics
from streams.gateway.problems import Problem, Refusal
from streams.gateway.receipts import Pages
from streams.gateway.tokens import Holder, Tokens
from streams.gateway.turns import Turns
from streams.intake.examine import Examiner

log = structlog.get_logger(__name__)

#: How long a body may take, and how long its next piece. A slow line is no fault, a silent one is.
BODY_SECONDS, PIECE_SECONDS = 300.0, 20.0
#: Not which versions run here, and nothing that a proxy may keep.
_OF_EVERY_ANSWER = {"Server": "trucewatch", "Cache-Control": "no-store"}
#: What a sender must know of an answer of 202.
PUBLISHED = "published, not yet judged: the receipts tell what became of each record"


Respond = Callable[[web.BaseRequest, Holder], Awaitable[web.Response]]


class Limits(NamedTuple):
    """Limits of one request."""

    body_bytes: int
    records: int


class Answers:
    """Handler of requests.

    Args:
        examiners: one for each agreement.
        turns: at the thread where bodies are unpacked and records checked. The loop goes on meanwhile.
    """

    def __init__(
        self,
        tokens: Tokens,
        rate: Rate,
        limits: Limits,
        examiners: Sequence[Examiner],
        carrier: Carrier,
        pages: Pages,
        metrics: GatewayMetrics,
        turns: Turns,
    ) -> None:
        self._tokens = tokens
        self._rate = rate
        self._limits = limits
        self._examiners = examiners
        self._carrier = carrier
        self._pages = pages
        self._metrics = metrics
        self._turns = turns
        self._places = Places()
        self._paths: dict[str, tuple[str, Respond]] = {
            "/v1/reports": ("POST", self._reports),
            "/v1/receipts": ("GET", self._receipts),
        }

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request, and see the answer off.

        Raises:
            ConnectionError: the client is gone, or does not read its answer.
        """
        try:
            # A place is held until the answer is read, which is in memory as the body was.
            with ExitStack() as place:
                response = await self._response(request, place)
                return await send(request, self._finished(response))
        except ConnectionError:
            self._metrics.cut_off()
            raise

    async def _response(self, request: web.BaseRequest, place: ExitStack) -> web.Response:
        try:
            respond = self._found(request)
            holder = self._holder(request)
            self._rate.take(holder, 1)
            place.enter_context(self._places.one(holder))
            return await respond(request, holder)
        except Refusal as refusal:
            return refusal.answer()
        except OSError as error:
            # Of the connection: nothing else is read or written here.
            raise ConnectionResetError(str(error)) from error
        except Exception:
            log.exception("not_answered", path=request.path)
            return _own_fault().answer()

    def _found(self, request: web.BaseRequest) -> Respond:
        if request.path not in self._paths:
            raise Refusal(Problem.NOT_FOUND, f"there are {' and '.join(self._paths)}")
        method, respond = self._paths[request.path]
        if request.method != method:
            raise Refusal(Problem.METHOD_NOT_ALLOWED, f"{request.path} takes {method}", headers={"Allow": method})
        return respond

    def _holder(self, request: web.BaseRequest) -> Holder:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        asks = {"WWW-Authenticate": 'Bearer realm="trucewatch"'}
        if scheme.lower() != "bearer" or not token.strip():
            raise Refusal(Problem.TOKEN_MISSING, "send the header `Authorization: Bearer TOKEN`", headers=asks)
        holder = self._tokens.holder(token.strip())
        if holder is None:
            raise Refusal(Problem.TOKEN_UNKNOWN, "ask whoever runs the gateway for a token", headers=asks)
        return holder

    def excuse(self, status: int) -> web.Response:
        """Return the answer to what is no HTTP, or to a request that failed here."""
        if status >= 500:
            refusal = _own_fault()
        else:
            refusal = Refusal(Problem.BAD_REQUEST, "the request line, a header or a chunk is no HTTP, or too long")
        return self._finished(refusal.answer())

    def _finished(self, response: web.Response) -> web.Response:
        self._metrics.answered(response.status)
        response.headers.update(_OF_EVERY_ANSWER)
        return response

    async def _reports(self, request: web.BaseRequest, holder: Holder) -> web.Response:
        encoding = request.headers.get("Content-Encoding", "").strip().lower()
        lines = is_lines(request.content_type, request.charset, encoding)
        body = await self._body(request)
        records = await self._turns.once(holder, lambda: self._records(body, encoding == "gzip", lines))
        self._rate.take(holder, len(records), taken=1)
        found = parted(await self._turns.through(holder, checking(records, self._examiners)), holder.feeds)
        # From before they are published: the broker's end may have moved past the first receipts afterwards.
        begin = self._carrier.receipts_end
        published = []
        if found.sound:
            acknowledged = await self._carrier.publish(found.sound)
            self._metrics.records("published", len(acknowledged))
            published = [
                receipt(each, slip.topic, slip.partition, slip.offset)
                for each, slip in zip(found.sound, acknowledged, strict=True)
            ]
        for fault in found.faults:
            self._metrics.records(fault.code)
        where = sorted({f"/v1/receipts?feed={quote(each.report.feed or '')}" for each in found.sound})
        links = [f"{each}&from={begin}" for each in where]
        if found.faults:
            total = len(found.sound) + len(found.faults)
            raise Refusal(
                Problem.REFUSED,
                f"{len(found.faults):,} of {total:,} records were refused and {len(published):,} published; "
                "mend the others, or send all again: what was published counts once",
                published=len(published),
                refused=len(found.faults),
                faults=[told(fault) for fault in found.faults],
                receipts=published,
                follow=links,
            )
        answer = {"published": len(published), "note": PUBLISHED, "receipts": published, "follow": links}
        return _json(answer, status=202)

    def _records(self, body: bytes, packed: bool, lines: bool) -> list[Record]:
        if packed:
            body = unpacked(body, self._limits.body_bytes)
        return records_in(body, self._limits.records, lines=lines)

    async def _body(self, request: web.BaseRequest) -> bytes:
        most = self._limits.body_bytes
        if (request.content_length or 0) > most:
            raise too_large(most)
        pieces, size = list[bytes](), 0
        try:
            async with asyncio.timeout(BODY_SECONDS):
                await _go_on(request)
                while piece := await _next_piece(request):
                    pieces.append(piece)
                    size += len(piece)
                    if size > most:
                        raise too_large(most)
        except TimeoutError as error:
            raise Refusal(
                Problem.BODY_LATE, f"the body was not whole after {BODY_SECONDS:g} s; pack it, or send it in parts"
            ) from error
        except (web.RequestPayloadError, HttpProcessingError) as error:
            raise Refusal(Problem.BODY_BROKEN, "the body breaks the rules of its transfer coding") from error
        return b"".join(pieces)

    async def _receipts(self, request: web.BaseRequest, holder: Holder) -> web.Response:
        feed = request.query.get("feed") or (next(iter(holder.feeds)) if len(holder.feeds) == 1 else "")
        if feed not in holder.feeds:
            raise Refusal(Problem.FEED_NOT_ALLOWED, f"say ?feed= with one of {', '.join(sorted(holder.feeds))}")
        start = request.query.get("from", "0")
        if not (start.isascii() and start.isdigit() and len(start) < 19):
            raise Refusal(Problem.BAD_REQUEST, "from= is an offset, as `next` and `follow` of earlier answers give it")
        return _json(await self._pages.page(feed, int(start)))


def _own_fault() -> Refusal:
    return Refusal(Problem.OWN_FAULT, "the gateway's log has more; sending again is harmless")


async def _go_on(request: web.BaseRequest) -> None:
    """Tell a client that asked first to send its body."""
    if request.version == HttpVersion11 and request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # aiohttp takes an answer for begun that has written anything.
        request.writer.output_size = 0


async def _next_piece(request: web.BaseRequest) -> bytes:
    try:
        async with asyncio.timeout(PIECE_SECONDS):
            return await request.content.readany()
    except TimeoutError as error:
        raise Refusal(Problem.BODY_LATE, f"nothing came for {PIECE_SECONDS:g} s; send all of it again") from error


def _json(answer: object, status: int = 200) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(answer), content_type="application/json")
