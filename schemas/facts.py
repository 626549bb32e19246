"""Facts, which intake writes and the ledger reads.

A fact is the finding of intake about one record: type, identity, stamp, region and the numbers the
ledger counts. It travels beside the record's own bytes, in a chunk (:mod:`schemas.chunks`). So the
ledger never parses a report, and a reader of the topic sees the original.

Reports, rejects and ticks share the topic, so that one number orders everything the ledger knows.
Ticks make time data: judging happens at a tick and nowhere else.

Facts are msgspec structs, because the ledger makes one of each report: 1 microsecond, where pydantic
takes 9.
"""

from __future__ import annotations

from typing import get_args

import msgspec

from schemas.errors import FactUnreadable
from schemas.truceday import Micros


class Origin(msgspec.Struct, array_like=True, frozen=True):
    """Place of the source record in Kafka.

    A redelivery is recognised by it.

    ``log`` tells one topic of that name from another one created later; empty when that is not known.
    """

    topic: str
    partition: int
    offset: int
    log: str = ""


class Redrive(msgspec.Struct, array_like=True, frozen=True):
    """Redrive of a rejected record, by its identity and number.

    Redrives of one record are counted from 1.
    """

    of: Origin
    number: int


class Header(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"):
    """Fields of every fact.

    ``stamp`` is when intake received it; None when an archive gives no time.
    """

    origin: Origin | None = None
    stamp: Micros | None = None
    redrive: Redrive | None = None


class ReportHeader(Header, frozen=True, kw_only=True, omit_defaults=True):
    """Spine of a report.

    A ``retracted`` report no longer stands, merged or not.
    """

    feed: str
    report_id: str
    revision: int = 1
    retracted: bool = False
    reported_at: Micros


class Located(msgspec.Struct, frozen=True, omit_defaults=True):
    """Place resolved to a region, with the resolution and its conflict.

    ``key`` is the most exact name as places are compared by name; None when it names none within its region.
    ``names_region`` says that ``name`` is that of a region itself, and so of no place in it. ``middle`` says that a
    point stated as exact is only the middle of the town that ``name`` names.
    """

    region: str
    by: str = "pcode"
    name: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    conflict: str | None = None
    key: str | None = None
    names_region: bool = False
    middle: bool = False


class IncidentFact(ReportHeader, frozen=True, kw_only=True, omit_defaults=True, tag="incident"):
    """Incident report after intake.

    ``sides`` groups the parties by the source's slot, without direction.

    ``same_as`` and ``not_same_as`` name reports as ``feed/report_id``. ``merged_into`` is a report of the same feed;
    a report that has it is ``retracted`` too. ``origins`` are the distinct first tellers of its sources in lower case,
    none when it states no source. ``toll_flaw`` says why a stated toll counts nothing; its figures are left out then.
    ``place_precision`` is the stated one, and ``near`` where an exact point is the middle of the named town.
    """

    place: Located
    from_: Micros = msgspec.field(name="from")
    to: Micros
    kind: str
    sides: tuple[tuple[str, ...], ...] = ()
    accused: tuple[str, ...] = ()
    claimant: str | None = None
    confidence: str = "unstated"
    deaths_low: int | None = None
    deaths_best: int | None = None
    deaths_high: int | None = None
    toll_flaw: str | None = None
    time_precision: str = "minute"
    place_precision: str = "unknown"
    same_as: tuple[str, ...] = ()
    not_same_as: tuple[str, ...] = ()
    merged_into: str | None = None
    origins: tuple[str, ...] = ()


class ConvoyFact(ReportHeader, frozen=True, kw_only=True, omit_defaults=True, tag="convoy"):
    """Convoy report after intake, which is one step of one convoy.

    ``place_precision`` is the stated one, and ``governorate`` where the most exact name is a region's own.
    """

    place: Located
    from_: Micros = msgspec.field(name="from")
    to: Micros
    convoy_id: str
    step: str
    mode: str = "unstated"
    trucks: int | None = None
    people_requested: int | None = None
    people_approved: int | None = None
    people_reached: int | None = None
    reason: str | None = None
    trucks_hit: int | None = None
    items_removed: tuple[str, ...] = ()
    blocker: str | None = None
    constraint: str | None = None
    reached_place: str | None = None
    same_convoy_as: str | None = None
    not_same_convoy_as: tuple[str, ...] = ()
    place_precision: str = "unknown"


class CoverageFact(ReportHeader, frozen=True, kw_only=True, omit_defaults=True, tag="coverage"):
    """Coverage notice after intake.

    ``feed`` watched every region of ``regions`` over ``[from, to)``.
    """

    regions: tuple[str, ...]
    from_: Micros = msgspec.field(name="from")
    to: Micros
    nil: bool


class CountLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """Line of a bulletin; ``region`` is None for the whole country.

    ``accused`` names those held responsible, as written: one accusation of them all.
    """

    count: int
    region: str | None = None
    accused: tuple[str, ...] = ()
    kind_as_given: str | None = None


class BulletinFact(ReportHeader, frozen=True, kw_only=True, omit_defaults=True, tag="bulletin"):
    """Bulletin after intake.

    ``period_as_given`` is the period's cut-off in the source's words.
    """

    from_: Micros = msgspec.field(name="from")
    to: Micros
    tallies: tuple[CountLine, ...]
    total: int | None = None
    at_least: bool = False
    period_as_given: str | None = None


class DeclarationFact(ReportHeader, frozen=True, kw_only=True, omit_defaults=True, tag="declaration"):
    """A declaration after intake."""

    act: str
    declared_by: str
    effective_at: Micros
    until: Micros | None = None


class GivenLength(msgspec.Struct, frozen=True, array_like=True):
    """A length as the source gives it, in its own unit."""

    value: float
    unit: str


class PositionFact(ReportHeader, frozen=True, kw_only=True, omit_defaults=True, tag="position"):
    """A position report after intake; its point is in WGS 84 degrees."""

    from_: Micros = msgspec.field(name="from")
    to: Micros
    unit: str
    party: str
    weapon_class: str
    latitude: float
    longitude: float
    place_name: str | None = None
    uncertainty: GivenLength | None = None
    stated_distance: GivenLength | None = None


class RetractionFact(ReportHeader, frozen=True, kw_only=True, omit_defaults=True, tag="retraction"):
    """Retraction by name alone after intake; always ``retracted``."""


class Tells(msgspec.Struct, frozen=True, omit_defaults=True):
    """Regions and time that the bytes of a reject still tell; no region where they do not tell both.

    ``incident`` is whether the record may be an incident report that stands.
    """

    regions: tuple[str, ...] = ()
    from_: Micros = msgspec.field(name="from", default=0)
    to: Micros = 0
    incident: bool = False


class RejectFact(Header, frozen=True, kw_only=True, omit_defaults=True, tag="reject"):
    """Record that intake could not accept.

    The fact's value keeps its original bytes.

    ``feed`` and ``report_id`` are filled in when the record was readable enough to tell. ``size`` is the length of a
    record of which the value keeps only the beginning, in bytes. ``tells`` is None for
    the topic of rejects.
    """

    code: str
    hint: str
    feed: str | None = None
    report_id: str | None = None
    size: int | None = None
    tells: Tells | None = None


class DismissalFact(Header, frozen=True, kw_only=True, omit_defaults=True, tag="dismissal"):
    """Dismissal of a reject, by its origin, with the reason and the name of who dismisses it."""

    of: Origin
    reason: str
    by: str


class OutsideFact(Header, frozen=True, kw_only=True, omit_defaults=True, tag="outside"):
    """Report of another agreement, or of no region of this one.

    The ledger counts it. Its record has no value, or a broker of many agreements would keep every report once for each.
    """

    feed: str


class TickFact(Header, frozen=True, kw_only=True, omit_defaults=True, tag="tick"):
    """Tick of time.

    The ledger judges at each tick, on all facts before it.

    ``writer`` is the ledger that wrote it and ``term`` the number under which it leads: higher than that of the one
    before. An archive's ticks have neither.
    """

    term: int = 0
    writer: str = ""


ReportFact = IncidentFact | ConvoyFact | CoverageFact | BulletinFact | DeclarationFact | PositionFact | RetractionFact
#: The same for ``isinstance``, which takes a tuple four times as fast as a union.
REPORT_FACTS: tuple[type[ReportFact], ...] = get_args(ReportFact)
#: Facts of one place.
PLACED_FACTS = (IncidentFact, ConvoyFact)
Fact = ReportFact | RejectFact | DismissalFact | OutsideFact | TickFact

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Fact] = msgspec.json.Decoder(Fact)

encode = _encoder.encode


def decode(text: bytes) -> Fact:
    """Read a fact that is JSON.

    Raises:
        FactUnreadable: the text is no fact of ours. The ledger stops: guessing would lose a record.
    """
    try:
        return _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FactUnreadable(f"an unreadable fact: {error}") from error
