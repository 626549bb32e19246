"""Places of recorded reports: located again where a shipped gazetteer can, and else as the file says they were.

The file keeps neither polygons nor a gazetteer of one's own. So where a point may have decided, or the agreement names
a gazetteer that is not shipped, the file's word is taken unless it contradicts the report.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Protocol

from msgspec.structs import replace

from schemas.agreement import Agreement
from schemas.errors import ReportRejected
from schemas.facts import Located
from schemas.rejects import RejectCode
from schemas.reports import Place, PlacePrecision
from sinks.verify.located import gazetteer_of, has_point, region_now, region_of_pcode, resolved
from sinks.verify.recorded import Record

#: A place that lies in no region anybody counts.
NOWHERE = Located("")
_PLACE_CODES = (RejectCode.UNKNOWN_PLACE, RejectCode.AMBIGUOUS_PLACE, RejectCode.OUTSIDE_AGREEMENTS)


class Locating(Protocol):
    """How the places are located that a gazetteer alone does not decide."""

    def __call__(self, place: Place, found: Located | ReportRejected | None) -> Located:
        """Return a place's region, given what the shipped gazetteer finds without polygons; raise ReportRejected."""


class RecordedPlaces:
    """Locator of one record after the other, by the gazetteer and by what the file says of the record.

    Attributes:
        untold: whether a notice or bulletin that no longer stands had a place that nobody can tell any more.
    """

    def __init__(self, agreement: Agreement) -> None:
        self._agreement = agreement
        self._gazetteer = gazetteer_of(agreement)
        self._open: Locating = _unheard
        self.untold = False

    def expect(self, open_places: Locating) -> None:
        """Ask this about the open places of the record examined next."""
        self._open = open_places

    def locate(self, place: Place) -> Located:
        """Return the region of a place.

        Raises:
            ReportRejected: it was not located, or nobody can tell.
        """
        found = resolved(self._agreement, place)
        if found is None or has_point(place):
            return self._open(place, found)
        if isinstance(found, ReportRejected):
            raise found
        return found

    def sure(self, place: Place) -> str | None:
        """Return the region of a place of which nothing else can be right; None where the file's word counts."""
        if (stated := region_of_pcode(self._agreement, place)) is not None:
            return stated
        found = resolved(self._agreement, place)
        return found.region if isinstance(found, Located) and not has_point(place) else None

    # -- what the file says

    def of_report(self, record: Record) -> Locating:
        """Take the place of an incident or convoy as the row has it, where that is possible."""

        def told(place: Place, found: Located | ReportRejected | None) -> Located:
            by, region = record.located_by or "", record.region or ""
            if isinstance(found, Located):
                says = replace(found, region=region, by=by, conflict=record.place_conflict)
                same = (region, by) == (found.region, found.by) and _adds_a_point(record.place_conflict, found.conflict)
                # A point decides unless there is a P-code.
                return says if (by == "point" and found.by != "pcode") or same else found
            if found is not None:
                if by != "point":
                    raise found
            elif not self._possible(record, place):
                return Located(region_of_pcode(self._agreement, place) or "")
            point = place.point if has_point(place) else None
            return Located(
                region,
                by,
                place.names[-1] if place.names else None,
                point.latitude if point else None,
                point.longitude if point else None,
                record.place_conflict,
                record.place_key,
                # A convoy's precision is the gazetteer's where its place is a region, an incident's where its point is
                # the middle of a town: the report need not have said so.
                record.type == "convoy" and record.place_precision == PlacePrecision.GOVERNORATE and bool(place.names),
                record.type == "incident"
                and (place.precision, record.place_precision) == (PlacePrecision.EXACT, PlacePrecision.NEAR),
            )

        return told

    def of_notice(self, told: Sequence[str], places: Sequence[Place]) -> Locating:
        """Take the places of a coverage notice that stands, each of whose regions the file tells once."""
        explained = {self.sure(place) for place in places}
        left = deque(region for region in told if region not in explained)

        def locate(place: Place, found: Located | ReportRejected | None) -> Located:
            region = region_of_pcode(self._agreement, place) or (found.region if isinstance(found, Located) else None)
            if region is not None and (region in told or not left):
                if region in left:
                    left.remove(region)
                return Located(region)
            return Located(left.popleft()) if left else NOWHERE

        return locate

    def of_bulletin(self, told: Sequence[str], places: Sequence[Place]) -> Locating:
        """Take the places of a bulletin that stands: the file tells the region of each."""
        left = deque(region for place, region in zip(places, told, strict=False) if self._is_open(place))

        def locate(place: Place, found: Located | ReportRejected | None) -> Located:
            del found
            region = left.popleft() if left else ""
            return Located(region_of_pcode(self._agreement, place) or region)

        return locate

    def of_the_past(self, place: Place, found: Located | ReportRejected | None) -> Located:
        """Locate a place of a notice or bulletin that no longer stands: the file does not tell where it is."""
        del found
        region = region_now(self._agreement, self._gazetteer, place)
        if region is None:
            # In some region of the agreement, or the report would have been outside.
            self.untold = True
            region = self._agreement.regions[0]
        return Located(region)

    def anywhere(self, place: Place, found: Located | ReportRejected | None) -> Located:
        """Locate a place of a report that the ledger does not enter: it was accepted, and changes nothing."""
        del place, found
        return Located(self._agreement.regions[0])

    def of_reject(self, record: Record) -> Locating:
        """Refuse an open place for the reason the reject tells, if that is one of places."""

        def told(place: Place, found: Located | ReportRejected | None) -> Located:
            if record.code in _PLACE_CODES and region_of_pcode(self._agreement, place) is None:
                raise ReportRejected(record.code, record.hint or "")
            if isinstance(found, Located):
                return found
            return Located(region_of_pcode(self._agreement, place) or "")

        return told

    def of_gleaning(self, regions: Sequence[str], places: Sequence[Place]) -> Locating:
        """Take the regions a reject still tells for those of its places that are open."""
        explained = {self.sure(place) for place in places}
        left = deque(region for region in regions if region not in explained and region in self._agreement.regions)

        def told(place: Place, found: Located | ReportRejected | None) -> Located:
            if (stated := region_of_pcode(self._agreement, place)) is not None:
                return Located(stated)
            if left:
                return Located(left.popleft())
            raise found if isinstance(found, ReportRejected) else ReportRejected(RejectCode.UNKNOWN_PLACE, "")

        return told

    def _is_open(self, place: Place) -> bool:
        return resolved(self._agreement, place) is None or has_point(place)

    def _possible(self, record: Record, place: Place) -> bool:
        """Whether a row can be right about a place in a gazetteer that is not shipped."""
        stated = region_of_pcode(self._agreement, place)
        if stated is not None and (record.region, record.located_by) != (stated, "pcode"):
            return False
        ways = {"pcode": place.pcode is not None, "name": bool(place.names), "point": has_point(place)}
        keyed = record.place_key is None or (record.place_key != "" and record.type == "incident" and place.names)
        return bool(ways.get(record.located_by or "", False) and keyed)


def _unheard(place: Place, found: Located | ReportRejected | None) -> Located:
    del place
    if isinstance(found, Located):
        return found
    raise found if found is not None else ReportRejected(RejectCode.UNKNOWN_PLACE, "")


def _adds_a_point(says: str | None, found: str | None) -> bool:
    """Whether a conflict tells all that names and P-code make of it, and beyond that of a point alone."""
    rest = says or ""
    for part in (found or "").split("; "):
        if part not in rest:
            return False
        rest = rest.replace(part, "", 1)
    return not rest.strip("; ") or "point" in rest
