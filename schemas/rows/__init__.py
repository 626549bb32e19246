"""The rows that cross from the ledger's core to a sink, and back when a ledger resumes.

The core returns these and never meets a sink; a sink writes them and never judges. Instants are microseconds
since the epoch, days are dates, and a field's name is its column's name.
"""

from __future__ import annotations

from schemas.rows.changes import Changes, FreshReports, Resumed, Withdrawal
from schemas.rows.incidents import (
    Claim,
    Contribution,
    Linkable,
    LinkedIncident,
    LinkedReport,
    Placed,
    Prior,
    UncertainIncident,
)
from schemas.rows.records import DismissalRow, FeedRow, PendingReject, RedriveRow, RejectRow
from schemas.rows.reports import (
    BulletinRow,
    ConvoyRow,
    ConvoyStepRow,
    CoverageRow,
    DeclarationRow,
    Identity,
    JoinedClaimRow,
    PositionFindingRow,
    PositionRow,
    ReportRow,
)
from schemas.rows.verdicts import (
    LEGS,
    RECORDED,
    VERDICT_COLUMNS,
    Amendment,
    DayTallyRow,
    DayVerdict,
    Evidence,
    FeedTallyRow,
    GateRow,
    Hour,
    WindowRow,
)

__all__ = [
    "LEGS",
    "RECORDED",
    "VERDICT_COLUMNS",
    "Amendment",
    "BulletinRow",
    "Changes",
    "Claim",
    "Contribution",
    "ConvoyRow",
    "ConvoyStepRow",
    "CoverageRow",
    "DayTallyRow",
    "DayVerdict",
    "DeclarationRow",
    "DismissalRow",
    "Evidence",
    "FeedRow",
    "FeedTallyRow",
    "FreshReports",
    "GateRow",
    "Hour",
    "Identity",
    "JoinedClaimRow",
    "Linkable",
    "LinkedIncident",
    "LinkedReport",
    "PendingReject",
    "Placed",
    "PositionFindingRow",
    "PositionRow",
    "Prior",
    "RedriveRow",
    "RejectRow",
    "ReportRow",
    "Resumed",
    "UncertainIncident",
    "WindowRow",
    "Withdrawal",
]
