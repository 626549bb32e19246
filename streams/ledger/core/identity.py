"""Fingerprints of identities and bodies, and the filter that remembers which identities were seen."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from schemas.facts import REPORT_FACTS, Fact, RejectFact

Hashes = npt.NDArray[np.int64]


def key_hash(feed: str, report_id: str) -> int:
    """Return the signed 64-bit fingerprint of an identity."""
    return int.from_bytes(blake2b(f"{feed}\x00{report_id}".encode(), digest_size=8).digest(), "little", signed=True)


def identity_of(fact: Fact) -> tuple[str, str] | None:
    """Return the identity whose history decides what becomes of a fact: a report's, or that of a telling reject."""
    if isinstance(fact, REPORT_FACTS):
        return fact.feed, fact.report_id
    if isinstance(fact, RejectFact) and fact.tells is not None and fact.tells.regions:
        return None if fact.feed is None or fact.report_id is None else (fact.feed, fact.report_id)
    return None


def body_digest(body: bytes) -> int:
    """Return the signed 64-bit fingerprint of a report's bytes."""
    return int.from_bytes(blake2b(body, digest_size=8).digest(), "little", signed=True)


def key_hashes(names: Iterable[tuple[str, str]]) -> Hashes:
    """Return the fingerprints of many identities."""
    return _hashes(f"{feed}\x00{report_id}".encode() for feed, report_id in names)


def body_digests(bodies: Iterable[bytes]) -> Hashes:
    """Return the fingerprints of many reports."""
    return _hashes(bodies)


def _hashes(texts: Iterable[bytes]) -> Hashes:
    return np.frombuffer(b"".join([blake2b(text, digest_size=8).digest() for text in texts]), "<i8")


class SeenFilter:
    """A Bloom filter over key hashes: "never seen" is certain, "seen" means look it up.

    Most reports are new, and asking the store about each would scan its history; a dictionary of identities would
    grow by a hundred bytes a report. This takes two, in stages that double, at one needless look-up in
    some thousands.
    """

    BITS_PER_KEY = 16
    PROBES = 6
    FIRST_STAGE = 1 << 20

    def __init__(self) -> None:
        self._stages: list[npt.NDArray[np.uint8]] = []
        self._room = 0

    def add(self, hashes: Hashes) -> None:
        """Remember every hash given."""
        while len(hashes):
            if self._room <= 0:
                keys = self.FIRST_STAGE << len(self._stages)
                self._stages.append(np.zeros(keys * self.BITS_PER_KEY // 8, dtype=np.uint8))
                self._room = keys
            taken, hashes = hashes[: self._room], hashes[self._room :]
            bits = self._positions(taken, self._stages[-1])
            np.bitwise_or.at(self._stages[-1], bits >> 3, np.uint8(1) << (bits & 7).astype(np.uint8))
            self._room -= len(taken)

    def maybe_seen(self, hashes: Hashes) -> npt.NDArray[np.bool_]:
        """Return for each hash whether it may have been added; False is certain."""
        seen = np.zeros(len(hashes), dtype=np.bool_)
        for stage in self._stages:
            bits = self._positions(hashes, stage)
            hit = (stage[bits >> 3] >> (bits & 7).astype(np.uint8)) & 1
            seen |= hit.reshape(self.PROBES, len(hashes)).all(axis=0)
        return seen

    def _positions(self, hashes: Hashes, stage: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
        size = np.uint64(len(stage) * 8 - 1)  # a power of two less one: a mask
        low = hashes.view(np.uint64)
        step = (low >> np.uint64(32)) | np.uint64(1)
        probes = np.arange(self.PROBES, dtype=np.uint64)[:, None]
        return ((low[None, :] + probes * step[None, :]) & size).astype(np.int64).ravel()
