"""Rejected records that were published again: each redrive counts once, however often it comes."""

from __future__ import annotations

from hashlib import blake2b

from schemas.facts import Origin, Redrive
from schemas.rows import RedriveRow
from schemas.truceday import Micros


class Redrives:
    """Which redrives were taken in.

    Two are the same when they are of one reject, for the same time, with the same bytes: the person pressed twice, or
    two of them did at once, or the sending was interrupted and begun again. With other bytes it is another record.
    """

    def __init__(self) -> None:
        # Fingerprints: a feed that sent its whole history in a wrong format has all of it published again.
        self._seen: set[int] = set()

    def restore(self, rows: list[RedriveRow]) -> None:
        """Take up what the rows tell."""
        for row in rows:
            of = Origin(row.reject_topic, row.reject_partition, row.reject_offset, row.reject_log)
            self._seen.add(_fingerprint(Redrive(of, row.number), row.body_digest))

    def came_before(self, redrive: Redrive, digest: int) -> bool:
        """Whether this redrive was entered already."""
        return _fingerprint(redrive, digest) in self._seen

    def enter(self, redrive: Redrive, digest: int, offset: int, outcome: str, received_at: Micros | None) -> RedriveRow:
        """Remember a redrive and return its row."""
        self._seen.add(_fingerprint(redrive, digest))
        of = redrive.of
        return RedriveRow(
            offset, of.topic, of.partition, of.offset, of.log, redrive.number, digest, outcome, received_at
        )


def _fingerprint(redrive: Redrive, digest: int) -> int:
    of = redrive.of
    text = f"{of.topic}/{of.partition}/{of.offset}/{of.log}/{redrive.number}/{digest}"
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")
