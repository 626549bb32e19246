"""What a feed publishes: one pydantic model per kind of report.

Every report carries the same spine: who says it (``feed``, ``report_id``, ``revision``, ``status``), when it
was said (``reported_at``), and, verbatim, the source's own row (``raw``), so that no column of an ACLED or UCDP
row is lost. Unknown fields and wrong types are refused; every time must state its offset.

Identity is ``(feed, report_id)``. A higher ``revision`` replaces a lower one in whatever order they arrive;
``status = "retracted"`` withdraws the report, ``status = "merged"`` withdraws it in favour of another of the feed's.
"""

from __future__ import annotations

from schemas.reports.kinds import (
    ANY_REPORT,
    REPORT_TYPES,
    AnyReport,
    Bulletin,
    ConvoyReport,
    CoverageNotice,
    Declaration,
    IncidentReport,
    PositionReport,
    Report,
    Retraction,
)
from schemas.reports.parts import Interval, Party, Place, Point, Source, Toll
from schemas.reports.words import (
    FEED_NAME,
    ConvoyStep,
    Day,
    FeedName,
    IncidentKind,
    Instant,
    Name,
    Pcode,
    PlacePrecision,
    ReportId,
    ReportReference,
    Status,
    TimePrecision,
)

__all__ = [
    "ANY_REPORT",
    "FEED_NAME",
    "REPORT_TYPES",
    "AnyReport",
    "Bulletin",
    "ConvoyReport",
    "ConvoyStep",
    "CoverageNotice",
    "Day",
    "Declaration",
    "FeedName",
    "IncidentKind",
    "IncidentReport",
    "Instant",
    "Interval",
    "Name",
    "Party",
    "Pcode",
    "Place",
    "PlacePrecision",
    "Point",
    "PositionReport",
    "Report",
    "ReportId",
    "ReportReference",
    "Retraction",
    "Source",
    "Status",
    "TimePrecision",
    "Toll",
]
