"""Cache of the reports that linking asks for, in front of the store.

Memory is bounded: the blocking index, the reports met last, those that name another, and a bit a fact for whether it
is in a linked incident.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple, Protocol

from schemas.agreement import Agreement, LinkingRules
from schemas.rows import Claim, Identity, Linkable, LinkedIncident, LinkedReport, Placed, ReportRow
from schemas.truceday import Micros
from streams.ledger.core.blocking_index import ROWS_KEPT, BlockingIndex
from streams.ledger.core.cell_reports import Cell, cell_of
from streams.ledger.core.fresh import Fresh
from streams.ledger.core.identity import key_hash
from streams.ledger.core.probes import Probes, in_columns
from streams.ledger.core.recent import RecentReports

#: Reports met last, at some 800 bytes each.
REPORTS_KEPT = 50_000
#: Reports that name others are few; beyond so many the store is asked about names.
CLAIMS_KEPT = 100_000

_placed_of_linkable = itemgetter(*map(Linkable._fields.index, Placed._fields))
#: The fields of ``Linkable`` of a row.
linkable_of = itemgetter(*map(ReportRow._fields.index, Linkable._fields))
_PRESENT = Linkable._fields.index("present")


class Bounds(NamedTuple):
    """How much linking may keep in memory."""

    rows: int = ROWS_KEPT
    reports: int = REPORTS_KEPT
    claims: int = CLAIMS_KEPT


class LinkingStore(Protocol):
    """What linking asks of the store, about revisions by their place in the facts topic."""

    def cells(self, cells: Collection[Cell]) -> Iterator[list[Placed]]:
        """Yield in portions the present incident reports, merged ones apart, of some regions and UTC days."""

    def naming(self, places: Collection[int]) -> list[tuple[int, int]]:
        """Return pairs of one of ``places`` and a present incident report.

        One of each pair asserts the other, or was merged into it.
        """

    def present_at(self, wanted: Mapping[Identity, int]) -> dict[Identity, int]:
        """Return the places of the present incident revisions of identities, given with their key hashes."""

    def reports_at(self, places: Collection[int]) -> list[Linkable]:
        """Return the incident revisions at ``places``."""

    def linked_with(self, places: Collection[int]) -> tuple[list[LinkedIncident], list[LinkedReport]]:
        """Return the stored incidents that the revisions at ``places`` belong to, with all their reports."""

    def first_told(self, wanted: Mapping[Identity, int]) -> dict[Identity, Micros]:
        """Return the least time at which any known revision of each was told; identities come with their key hashes."""


class Partners(NamedTuple):
    """Pairs of reports by their places: the second may be a candidate of the first, or one of the two names the other.

    None is a candidate of a report in a crowd.
    """

    near: list[tuple[int, int]]
    naming: list[tuple[int, int]]


class Replaced(NamedTuple):
    """A revision that stood until now: where it lies, and in which cell it was, if that is known."""

    fact_offset: int
    cell: Cell | None


class ReportCache:
    """Cache of reports that answers relinking; the store is asked for what it does not hold.

    Args:
        staged: gives every row folded so far to the store, and returns the store.
    """

    def __init__(
        self, agreement: Agreement, rules: LinkingRules, staged: Callable[[], LinkingStore], bounds: Bounds
    ) -> None:
        self._blocking = BlockingIndex(rules, agreement.regions, bounds.rows)
        self._claims = _Claims(bounds.claims)
        self._linked = _Bits()
        self._staged = staged
        self._recent = RecentReports(bounds.reports)
        self._new: list[Linkable] = []
        self._fresh: Sequence[Fresh] = ()
        self._probes = self._blocking.probes(in_columns(()))

    def restore(self, cells: Iterable[Cell], claims: Sequence[Claim], linked: Sequence[int]) -> None:
        """Begin with what the store tells on resuming."""
        self._blocking.restore(cells)
        self._claims.restore(claims)
        self._linked = _Bits(min(linked, default=0))
        self._linked.set(linked)

    # -- as reports come and go

    def take_in(self, told: Sequence[tuple[Any, ...]], fresh: Sequence[Fresh], replaced: Collection[Replaced]) -> None:
        """Take in the incident reports folded since the last call, and forget the revisions they replaced.

        Args:
            told: the fields of ``Linkable`` of each.
            fresh: those that were folded by column. They name no other report, and none is among the replaced.
            replaced: the revisions that stood until then.
        """
        self._blocking.begin()
        gone = {one.fact_offset for one in replaced}
        self._recent.keep(told)
        for each in fresh:
            self._recent.keep_fresh(each)
        self._recent.replace(gone)
        for place in gone:
            self._claims.remove(place)
        self._blocking.withdraw((one.cell, one.fact_offset) for one in replaced if one.cell is not None)
        self._new = [Linkable._make(report) for report in told if report[_PRESENT] and report[0] not in gone]
        self._fresh = fresh
        placed = in_columns([_placed_of_linkable(report) for report in self._new if report.merged_into is None])
        self._probes = self._blocking.probes(placed, *(each.placed() for each in fresh))
        self._blocking.add(self._probes)
        for report in self._new:
            if report.same_as or report.merged_into is not None:
                self._claims.add(Claim(report.fact_offset, report.feed, report.merged_into, report.same_as))

    def withdraw(self, reports: Iterable[Linkable]) -> None:
        """Take replaced revisions out whose cell was not known before they were read."""
        self._blocking.withdraw((cell_of(one.region, one.occurred_from), one.fact_offset) for one in reports)

    def linked(self, dissolved: Iterable[int], formed: Iterable[int]) -> None:
        """Note which places are in a linked incident no more, and which are now."""
        self._linked.clear(dissolved)
        self._linked.set(formed)

    @property
    def has_claims(self) -> bool:
        """Whether any report that stands names another one."""
        return bool(self._claims)

    # -- answers

    def new_of(self, identities: Collection[Identity]) -> list[int]:
        """Return the places of those taken in last that stand and are of ``identities``."""
        return [row.fact_offset for row in self._new if (row.feed, row.report_id) in identities] if identities else []

    @property
    def crowded(self) -> Collection[int]:
        """The places of reports in a crowd, of those whose partners were asked for since the last were taken in."""
        return self._blocking.crowded

    def take_moved(self) -> set[int]:
        """Return the places of reports that came to a crowd or are in none any more, but for those just taken in."""
        return self._blocking.take_moved()

    def partners_of_new(self) -> Partners:
        """Return as ``partners_of`` does for all that were taken in last and stand."""
        return Partners(self._near(self._probes), self._naming(self._new, self._fresh))

    def partners_of(self, reports: Sequence[Linkable]) -> Partners:
        """Return pairs of the place of one of ``reports`` and of a present one that may have to do with it.

        Merged reports are no candidates; retracted ones may lend a name.
        """
        probes = self._blocking.probes(in_columns([_placed_of_linkable(report) for report in reports]))
        return Partners(self._near(probes), self._naming(reports))

    def _near(self, probes: Probes) -> list[tuple[int, int]]:
        return self._blocking.pairs(probes, lambda cells: self._staged().cells(cells))

    def _naming(self, reports: Sequence[Linkable], fresh: Sequence[Fresh] = ()) -> list[tuple[int, int]]:
        if not self.has_claims:
            return []
        called = [(report.fact_offset, report.name) for report in reports]
        called += chain.from_iterable(each.names() for each in fresh)
        if self._claims.too_many:
            return self._staged().naming([place for place, _ in called])
        pairs = [(place, claim) for place, name in called for claim in self._claims.on(name)]
        named = {report.fact_offset: names for report in reports if (names := _named(report))}
        if named:
            identities = {Identity(*name.split("/", 1)) for name in chain.from_iterable(named.values())}
            stand = self._staged().present_at({identity: key_hash(*identity) for identity in identities})
            at = {f"{feed}/{report_id}": place for (feed, report_id), place in stand.items()}
            pairs += [(place, at[name]) for place, names in named.items() for name in names if name in at]
        return pairs

    def reports_at(self, places: Collection[int]) -> list[Linkable]:
        """Return the incident revisions at ``places``."""
        at_hand = self._recent.find(places)
        found = [Linkable._make(report) for report in at_hand.values()]
        missing = [place for place in places if place not in at_hand]
        if missing:
            read = self._staged().reports_at(missing)
            self._recent.keep(tuple(report) for report in read)
            found += read
        return found

    def linked_with(self, places: Iterable[int]) -> tuple[list[LinkedIncident], list[LinkedReport]]:
        """Return the stored incidents that the revisions at ``places`` belong to, with all their reports."""
        wanted = [place for place in places if place in self._linked]
        return self._staged().linked_with(wanted) if wanted else ([], [])

    def first_told(self, identities: Collection[Identity]) -> dict[Identity, Micros]:
        """Return the least time at which any known revision of each was told."""
        return self._staged().first_told({identity: key_hash(*identity) for identity in identities})


def _named(report: Linkable | Claim) -> list[str]:
    """Return the reports that one asserts or was merged into, as ``feed/report_id``."""
    named = list(report.same_as or ())
    if report.merged_into is not None:
        named.append(f"{report.feed}/{report.merged_into}")
    return named


class _Claims:
    """Which present reports name which others."""

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._names: dict[int, list[str]] = {}
        self._on: dict[str, set[int]] = {}
        self.too_many = False

    def restore(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            self.add(claim)

    def add(self, claim: Claim) -> None:
        if len(self._names) >= self._kept:
            self.too_many = True
        if self.too_many:
            self._names.clear()
            self._on.clear()
            return
        names = self._names[claim.fact_offset] = _named(claim)
        for name in names:
            self._on.setdefault(name, set()).add(claim.fact_offset)

    def remove(self, place: int) -> None:
        for name in self._names.pop(place, ()):
            claims = self._on.get(name, set())
            claims.discard(place)
            if not claims:
                self._on.pop(name, None)

    def on(self, name: str) -> Collection[int]:
        """Return the places of the reports that name ``name``."""
        return self._on.get(name, ())

    def __bool__(self) -> bool:
        return self.too_many or bool(self._names)


class _Bits:
    """A set of places about ``first``, at a bit each from the least to the greatest."""

    def __init__(self, first: int = 0) -> None:
        self._first = first
        self._bytes = bytearray()

    def set(self, places: Iterable[int]) -> None:
        for place in places:
            if place < self._first:
                # A report from before all that were linked at the start; at least doubled, to move the rest seldom.
                lower = max(((self._first - place) >> 3) + 1, len(self._bytes))
                self._bytes[:0] = bytes(lower)
                self._first -= 8 * lower
            index = place - self._first
            if index >> 3 >= len(self._bytes):
                self._bytes.extend(bytes((index >> 3) + 1 - len(self._bytes)))
            self._bytes[index >> 3] |= 1 << (index & 7)

    def clear(self, places: Iterable[int]) -> None:
        for place in places:
            index = place - self._first
            self._bytes[index >> 3] &= ~(1 << (index & 7))

    def __contains__(self, place: int) -> bool:
        index = place - self._first
        return 0 <= index >> 3 < len(self._bytes) and bool(self._bytes[index >> 3] >> (index & 7) & 1)
