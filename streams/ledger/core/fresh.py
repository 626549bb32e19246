"""Incidents told for the first time, folded by column: most of what is ever told.

Adding up goes by region and truce-day, feed or hour. Only what a verdict may name is looked at report by report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from heapq import nsmallest
from typing import Any

import numpy as np
import numpy.typing as npt

from schemas.agreement import Agreement
from schemas.chunks import Incidents, Numbers
from schemas.rows import Evidence, Linkable, Placed
from schemas.truceday import MICROS_PER_HOUR, Micros
from streams.ledger.core.legs.tally import EVIDENCE_KEPT, Sums
from streams.ledger.core.watchers import CAUSES_SHOWN

Flags = npt.NDArray[np.bool_]
Sides = tuple[tuple[str, ...], ...]

#: Stands for a toll or a stamp that is not stated.
_NONE = -1
_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class Fresh:
    """Incidents of consecutive facts, each told for the first time and of no day but its own.

    Attributes:
        incidents: what intake found.
        numbers: the number of each fact.
        key_hashes: of each identity.
        digests: of each report's bytes.
        days: the truce-day of each, as an ordinal.
        uncertain: whether the interval touches another truce-day as well.
        in_scope: whether it is the agreement's concern.
        parties: whom it accuses, by the agreement.
    """

    incidents: Incidents
    numbers: Numbers
    key_hashes: Numbers
    digests: Numbers
    days: Numbers
    uncertain: Flags
    in_scope: Flags
    names_parties: Flags
    parties: list[tuple[str, ...] | None]

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def first(self) -> int:
        """Number of the first fact."""
        return int(self.numbers[0])

    def computed(self) -> dict[str, Any]:
        """Return the columns of ``reports`` that the ledger works out; the others are those of ``incidents``."""
        return {
            "fact_offset": self.numbers,
            "key_hash": self.key_hashes,
            "present": np.ones(len(self), np.bool_),
            "type": ["incident"] * len(self),
            "truce_day": (self.days - _EPOCH).astype(np.int32),
            "time_uncertain": self.uncertain,
            "in_scope": self.in_scope,
            "names_parties": self.names_parties,
            "body_digest": self.digests,
            "accused_parties": self.parties,
        }

    def placed(self) -> tuple[Any, ...]:
        """Return them in columns, in the order of the fields of ``Placed``."""
        given = self.incidents
        times = {name: given.numbers(name) for name in ("occurred_from", "occurred_to")}
        known = {"fact_offset": self.numbers, **times}
        return tuple(known[name] if name in known else given.values(name) for name in Placed._fields)

    def linkable(self, rows: Numbers, present: Flags) -> Iterator[tuple[Any, ...]]:
        """Yield those of some rows as the fields of ``Linkable``, given which of them still stand."""
        given = self.incidents.take(rows)
        told = {
            **{name: given.values(name) for name in Linkable._fields if name in given.names},
            "fact_offset": self.numbers[rows].tolist(),
            "present": present.tolist(),
            "truce_day": [date.fromordinal(day) for day in self.days[rows].tolist()],
            "in_scope": self.in_scope[rows].tolist(),
            "names_parties": self.names_parties[rows].tolist(),
        }
        for name in ("same_as", "not_same_as", "origins"):
            told[name] = [value or None for value in told[name]]
        return zip(*(told[name] for name in Linkable._fields), strict=True)

    def names(self) -> Iterator[tuple[int, str]]:
        """Yield the number of each with what other reports call it by."""
        told = zip(self.incidents.values("feed"), self.incidents.values("report_id"), strict=True)
        return zip(self.numbers.tolist(), map("/".join, told), strict=True)


def plain(agreement: Agreement, incidents: Incidents) -> Flags:
    """Return which incidents stand, name no other report, and touch no day but their own."""
    low, high = incidents.numbers("occurred_from"), incidents.numbers("occurred_to")
    sure = high - low <= agreement.violence.surely_within_hours * MICROS_PER_HOUR
    known = np.fromiter(map(frozenset(agreement.regions).__contains__, incidents.values("region")), np.bool_)
    days, _ = agreement.calendar.days_of(low, high)
    baseline = np.fromiter((day.toordinal() for day in agreement.baseline_days), np.int64)
    found: Flags = sure & known & ~np.isin(days, baseline)
    for name in ("retracted", "merged_into", "same_as", "not_same_as"):
        if incidents.array(name) is not None:
            found &= ~np.fromiter(map(bool, incidents.values(name)), np.bool_)
    return found


def fresh(
    agreement: Agreement,
    incidents: Incidents,
    numbers: Numbers,
    key_hashes: Numbers,
    digests: Numbers,
    in_scope: Callable[[Sides], bool],
) -> Fresh:
    """Return incidents that are plain and told for the first time, with what the ledger works out of each."""
    days, uncertain = agreement.calendar.days_of(incidents.numbers("occurred_from"), incidents.numbers("occurred_to"))
    sides = incidents.values("sides")
    return Fresh(
        incidents,
        numbers,
        key_hashes,
        digests,
        days,
        uncertain,
        np.fromiter(map(in_scope, sides), np.bool_, len(sides)),
        np.fromiter(map(bool, sides), np.bool_, len(sides)),
        [agreement.accused_parties(names) or None for names in incidents.values("accused")],
    )


class Groups:
    """Fresh incidents by region and truce-day, feed and hour."""

    def __init__(self, told: Fresh, severe_kinds: frozenset[str], feeds: frozenset[str]) -> None:
        incidents = told.incidents
        self._numbers = told.numbers
        self._feeds = incidents.values("feed")
        self._ids = incidents.values("report_id")
        self._revisions = incidents.values("revision")
        self._low = incidents.numbers("occurred_from")
        self._reported = incidents.numbers("reported_at")
        self._received = incidents.numbers("received_at", _NONE)
        self._region_names, self._regions = _coded(incidents.values("region"))
        self._feed_names, self._feed = _coded(self._feeds)
        self._days = told.days
        self._keys = (self._regions << 32) + told.days
        kinds = incidents.values("kind")
        self._severe = np.fromiter(map(severe_kinds.__contains__, kinds), np.bool_, len(kinds))
        counted = np.fromiter((not feeds or name in feeds for name in self._feed_names), np.bool_)[self._feed]
        self._scope = np.flatnonzero(told.in_scope & counted)
        self._outside = self._keys[~told.in_scope & counted]
        self._tolls, self._stated = _added_tolls(incidents)

    def _bucket(self, key: int) -> tuple[str, date]:
        return self._region_names[key >> 32], date.fromordinal(key & 0xFFFFFFFF)

    def out_of_scope(self) -> Iterator[tuple[tuple[str, date], int]]:
        """Yield the regions and days with the number of those out of scope that count."""
        keys, counts = np.unique(self._outside, return_counts=True)
        yield from zip(map(self._bucket, keys.tolist()), counts.tolist(), strict=True)

    def in_scope(self) -> Iterator[tuple[tuple[str, date], Sums]]:
        """Yield the regions and days with what those in scope that count add up to."""
        rows = self._scope[np.lexsort((self._low[self._scope], self._keys[self._scope]))]
        keys = self._keys[rows]
        parts = [*_segments(keys)]
        tolls = zip(*(_sums(each[rows], parts) for each in self._tolls), strict=True)
        stated = _sums(self._stated[rows].astype(np.int64), parts)
        for (first, end), toll, with_toll in zip(parts, tolls, stated, strict=True):
            of_day = rows[first:end]
            severe = of_day[self._severe[of_day]]
            earliest, earliest_severe = self._earliest(of_day), self._earliest(severe)
            sums = Sums(len(of_day), earliest, len(severe), earliest_severe, toll, len(of_day) - with_toll)
            yield self._bucket(int(keys[first])), sums

    def _earliest(self, rows: Numbers) -> list[Evidence]:
        """Return the earliest of rows that are in order of time."""
        if len(rows) > EVIDENCE_KEPT:
            rows = rows[self._low[rows] <= self._low[rows[EVIDENCE_KEPT - 1]]]
        found = (Evidence(low, self._feeds[row], self._ids[row]) for low, row in self._timed(rows))
        return nsmallest(EVIDENCE_KEPT, found)

    def _timed(self, rows: Numbers) -> Iterator[tuple[Micros, int]]:
        return zip(self._low[rows].tolist(), rows.tolist(), strict=True)

    def by_feed(self, *, counted: bool) -> Iterator[tuple[tuple[str, date], str, int]]:
        """Yield regions and days with a feed and how many it tells of: all, or those in scope that count."""
        rows = self._scope if counted else slice(None)
        keys, feeds = self._keys[rows], self._feed[rows]
        order = np.lexsort((feeds, keys))
        both = np.stack((keys[order], feeds[order]))
        for first, end in _segments(both):
            yield self._bucket(int(both[0, first])), self._feed_names[both[1, first]], end - first

    def by_hour(self) -> Iterator[tuple[str, Micros, int, int, int]]:
        """Yield regions with a clock hour, the number in scope that began in it, their deaths, and those of no toll."""
        rows = self._scope
        hours = self._low[rows] // MICROS_PER_HOUR * MICROS_PER_HOUR
        order = np.lexsort((hours, self._regions[rows]))
        rows, both = rows[order], np.stack((self._regions[rows][order], hours[order]))
        parts = [*_segments(both)]
        deaths, stated = _sums(self._tolls[1][rows], parts), _sums(self._stated[rows].astype(np.int64), parts)
        for (first, end), dead, with_toll in zip(parts, deaths, stated, strict=True):
            yield self._region_names[both[0, first]], int(both[1, first]), end - first, dead, end - first - with_toll

    def first_told(self) -> Iterator[tuple[tuple[str, date], list[tuple[int, str]], int]]:
        """Yield the regions and days with the first few told of each, after their numbers, and how many there are."""
        order = np.argsort(self._keys, kind="stable")
        keys = self._keys[order]
        for first, end in _segments(keys):
            named = [
                (int(self._numbers[row]), f"{self._feeds[row]}/{self._ids[row]}@{self._revisions[row]}")
                for row in order[first : min(end, first + CAUSES_SHOWN)].tolist()
            ]
            yield self._bucket(int(keys[first])), named, end - first

    def feeds(self) -> Iterator[tuple[str, int, Micros, Micros | None]]:
        """Yield each feed with how many it told, and the last times it told and was heard."""
        order = np.argsort(self._feed, kind="stable")
        for first, end in _segments(self._feed[order]):
            rows = order[first:end]
            received = int(self._received[rows].max())
            yield (
                self._feed_names[self._feed[rows[0]]],
                end - first,
                int(self._reported[rows].max()),
                None if received == _NONE else received,
            )


def _coded(texts: Sequence[str]) -> tuple[list[str], Numbers]:
    """Return the distinct texts, and the place of each text among them."""
    codes: dict[str, int] = {}
    places = np.fromiter((codes.setdefault(text, len(codes)) for text in texts), np.int64, len(texts))
    return list(codes), places


def _segments(ordered: Numbers) -> Iterator[tuple[int, int]]:
    """Yield the first and the end of each run of columns that are alike."""
    count = ordered.shape[-1]
    if not count:
        return
    apart = np.diff(ordered, axis=-1) != 0
    ends = [*(np.flatnonzero(apart.any(axis=0) if ordered.ndim > 1 else apart) + 1).tolist(), count]
    yield from zip([0, *ends], ends, strict=False)


def _sums(values: Numbers, parts: list[tuple[int, int]]) -> list[int]:
    """Return the sum of each part."""
    sums: list[int] = np.add.reduceat(values, [first for first, _ in parts]).tolist() if parts else []
    return sums


def _added_tolls(incidents: Incidents) -> tuple[tuple[Numbers, Numbers, Numbers], Flags]:
    """Return what each adds to the sums of low, best and high deaths, as ``added_toll``, and which state a toll."""
    low, best, high = (incidents.numbers(f"deaths_{name}", _NONE) for name in ("low", "best", "high"))
    known = np.where(best == _NONE, low, best)
    low, high = np.where(low == _NONE, known, low), np.where(high == _NONE, known, high)
    stated = high != _NONE
    return (np.maximum(low, 0) * stated, np.maximum(known, 0) * stated, np.maximum(high, 0)), stated
