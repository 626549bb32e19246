"""Rows of what became of records: rejects, redrives, and the feeds they came from."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from schemas.truceday import Micros


class RejectRow(NamedTuple):
    """One rejected record with its original bytes.

    The last five fields are what these still tell: ``regions`` of the agreement, none where they do not tell both where
    and when, and None where nobody looked.
    """

    fact_offset: int
    code: str
    hint: str
    feed: str | None
    report_id: str | None
    received_at: Micros | None
    source_topic: str | None
    source_partition: int | None
    source_offset: int | None
    source_log: str | None
    original: bytes
    original_bytes: int
    regions: tuple[str, ...] | None
    occurred_from: Micros | None
    occurred_to: Micros | None
    truce_day: date | None
    may_be_incident: bool | None


class DismissalRow(NamedTuple):
    """One dismissal of a reject: which one, why, by whom, and the record that said so."""

    fact_offset: int
    reject_topic: str
    reject_partition: int
    reject_offset: int
    reject_log: str
    reason: str
    dismissed_by: str
    received_at: Micros | None
    source_topic: str
    source_partition: int
    source_offset: int
    source_log: str


class PendingReject(NamedTuple):
    """One reject that is pending, as a ledger resumes it."""

    fact_offset: int
    feed: str | None
    report_id: str | None
    source_topic: str | None
    source_partition: int | None
    source_offset: int | None
    source_log: str | None
    regions: list[str]
    truce_day: date
    may_be_incident: bool


class RedriveRow(NamedTuple):
    """One rejected record that was published again: which reject, for which time, and what became of it."""

    fact_offset: int
    reject_topic: str
    reject_partition: int
    reject_offset: int
    reject_log: str
    number: int
    body_digest: int
    outcome: str
    received_at: Micros | None


class FeedRow(NamedTuple):
    """Health of one feed: when it last spoke, and what became of its records."""

    feed: str
    last_reported_at: Micros | None
    last_received_at: Micros | None
    accepted: int
    corrected: int
    retracted: int
    duplicate: int
    superseded: int
    rejected: int
    outside: int = 0
