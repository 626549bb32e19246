"""Rows of what became of records: rejects, redrives, and the feeds they came from."""

from __future__ import annotations

from typing import NamedTuple

from schemas.truceday import Micros


class RejectRow(NamedTuple):
    """One rejected record with its original bytes."""

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
