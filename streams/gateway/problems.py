"""Problem details (RFC 9457), the one shape of every answer that refuses."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Any

import msgspec
from aiohttp import web

from schemas.errors import TrucewatchError

CONTENT_TYPE = "application/problem+json"
#: What ``type`` begins with. docs/gateway.md tells each.
_URN = "urn:trucewatch:problem:"


class Problem(StrEnum):
    """Kind of a refusal, with its HTTP status and its title."""

    status: int
    heading: str

    def __new__(cls, value: str, status: int, heading: str) -> Problem:
        """Make a member of its name, status and heading."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.status = status
        member.heading = heading
        return member

    BAD_REQUEST = "bad-request", 400, "The request cannot be read."
    BODY_BROKEN = "body-broken", 400, "The body is damaged, or was cut off."
    NOT_JSON = "not-json", 400, "The body is no JSON."
    TOKEN_MISSING = "token-missing", 401, "The request carries no token."
    TOKEN_UNKNOWN = "token-unknown", 401, "The token is not known."
    FEED_NOT_ALLOWED = "feed-not-allowed", 403, "The token is not for this feed."
    NOT_FOUND = "not-found", 404, "There is nothing at this path."
    METHOD_NOT_ALLOWED = "method-not-allowed", 405, "The path does not take this method."
    BODY_LATE = "body-late", 408, "The body did not come in time."
    TOO_LARGE = "too-large", 413, "The request is too large."
    RECORD_TOO_LARGE = "record-too-large", 413, "A record is larger than its topic takes."
    WRONG_CONTENT_TYPE = "wrong-content-type", 415, "The body is of a type or a packing that is not taken."
    REFUSED = "refused", 422, "Records were refused."
    TOO_OFTEN = "too-often", 429, "The token asks for too much."
    OWN_FAULT = "own-fault", 500, "A fault of the gateway itself."
    BROKER_REFUSED = "broker-refused", 502, "The broker does not let the gateway publish."
    BUSY = "busy", 503, "The gateway is busy."
    BROKER_AWAY = "broker-away", 503, "The broker did not take the records."


class Refusal(TrucewatchError):
    """Request that is refused.

    Args:
        problem: its kind.
        detail: what is wrong with this request, and what to do.
        retry_after: seconds until it may be tried again.
        headers: of the answer.
        more: members beside those of RFC 9457.
    """

    def __init__(
        self,
        problem: Problem,
        detail: str,
        retry_after: float | None = None,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(detail)
        self.problem = problem
        self._detail = detail
        self._retry_after = retry_after
        self._headers = headers or {}
        self._more = more

    def answer(self) -> web.Response:
        """Return the answer that tells it."""
        problem, again = self.problem, self._retry_after
        headers = self._headers if again is None else {**self._headers, "Retry-After": str(math.ceil(again))}
        body = {
            "type": _URN + problem,
            "title": problem.heading,
            "status": problem.status,
            "detail": self._detail,
            **self._more,
        }
        return web.Response(
            status=problem.status, body=msgspec.json.encode(body), content_type=CONTENT_TYPE, headers=headers
        )
