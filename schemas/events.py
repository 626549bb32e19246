"""Events that receivers are told of, as CloudEvents 1.0 in JSON."""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b
from typing import Annotated, Any

import msgspec

from schemas.present_verdicts import PresentGate, PresentVerdict
from schemas.receivers import Kind
from schemas.truceday import Micros, from_micros

CONTENT_TYPE = "application/cloudevents+json"


class CloudEvent(msgspec.Struct, frozen=True):
    """Event in the JSON format of CloudEvents 1.0."""

    specversion: Annotated[str, msgspec.Meta(description="1.0.")]
    id: Annotated[str, msgspec.Meta(description="Same for the same event, however often it is sent.")]
    source: Annotated[str, msgspec.Meta(description="The agreement, as urn:trucewatch:ID.")]
    type: Annotated[str, msgspec.Meta(description="trucewatch.KIND.v1; later versions add kinds.")]
    subject: Annotated[str, msgspec.Meta(description="What it is about, such as SY02/2016-09-14.")]
    time: Annotated[datetime, msgspec.Meta(description="When it came about, by the ledger's time.")]
    datacontenttype: Annotated[str, msgspec.Meta(description="application/json.")]
    data: Annotated[
        Any, msgspec.Meta(description="What is told of it, by its type.", extra_json_schema={"type": "object"})
    ]


class VerdictTurn(PresentVerdict, frozen=True):
    """Version of a verdict, with the verdict of the version before; None of a first version."""

    verdict_before: str | None


class Event(msgspec.Struct, frozen=True):
    """Event to be told, with what receivers choose by."""

    kind: Kind
    region: str | None
    id: str
    body: bytes


_encoder = msgspec.json.Encoder()


def event(
    agreement: str,
    kind: Kind,
    region: str | None,
    subject: str,
    at: Micros,
    data: dict[str, Any] | PresentVerdict | PresentGate,
    *which: object,
) -> Event:
    """Return an event; ``which`` tells it from others of its kind, and its id is made of that alone."""
    told = "\0".join(map(str, (agreement, subject, *which)))
    # A dot would end the id in what is signed.
    name = f"{kind}-{blake2b(told.encode(), digest_size=16).hexdigest()}"
    made = CloudEvent(
        "1.0",
        name,
        f"urn:trucewatch:{agreement}",
        f"trucewatch.{kind}.v1",
        subject,
        from_micros(at),
        "application/json",
        data,
    )
    return Event(kind, region, name, _encoder.encode(made))
