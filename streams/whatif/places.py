"""What intake found out about places when the records were new, so that boundaries need not be there again."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from schemas.errors import GazetteerError, ReportRejected
from schemas.facts import Located
from schemas.gazetteer import Gazetteer, load_gazetteer
from schemas.pcodes import region_of
from schemas.rejects import RejectCode
from schemas.reports import CoverageNotice, Place

#: A place of an accepted record that lies in no region anybody counts.
NOWHERE = Located("")


class RecordedPlaces:
    """Locates places as the file says they were located.

    A report of one place has its region in the file. A coverage notice that stands has all of its regions there,
    though not which place gave which, and only those of the recorded agreement: the gazetteer says the others. Of a
    notice that no longer stands the gazetteer alone can say.

    Args:
        gazetteer: name or path of the recorded agreement's gazetteer, which need not be there any more: then only
            places with P-codes can be told where the file does not tell.
        regions: the recorded agreement's regions.
    """

    def __init__(self, gazetteer: str, regions: Iterable[str]) -> None:
        self._regions = frozenset(regions)
        self._gazetteer = _gazetteer(gazetteer)
        self._answers: deque[Located] = deque()
        self._accepted = False

    def expect(self, found: Iterable[Located]) -> None:
        """Give these answers, in this order, to the places of the record examined next, which was accepted."""
        self._answers = deque(found)
        self._accepted = True

    def expect_nothing(self) -> None:
        """The record examined next was rejected: the file tells nothing of its places."""
        self._answers.clear()
        self._accepted = False

    def expect_notice(self, body: bytes, watched: Sequence[str] | None) -> None:
        """Give answers for a coverage notice that was accepted.

        Args:
            watched: the regions the file says it watches; None when it does not say because the notice does not stand.
        """
        told = [self._told(place) for place in CoverageNotice.model_validate_json(body).places]
        if watched is None:
            self.expect(Located(region) if region else NOWHERE for region in told)
            return
        sure = [region if region in watched or region not in self._regions else None for region in told]
        unexplained = deque(region for region in watched if region not in sure)
        self.expect(
            Located(region) if region else Located(unexplained.popleft()) if unexplained else NOWHERE for region in sure
        )

    def locate(self, place: Place) -> Located:
        """Return the region a place was found in; where the file does not tell, the one it is found in now.

        Raises:
            ReportRejected: nobody can tell, and the record was rejected before.
        """
        if self._answers:
            return self._answers.popleft()
        region = self._told(place)
        if region is None:
            if self._accepted:
                # Refused now, it would leave its earlier revision standing.
                return NOWHERE
            raise ReportRejected(RejectCode.UNKNOWN_PLACE, "the file does not say where it is")
        return Located(region)

    def _told(self, place: Place) -> str | None:
        if self._gazetteer is None:
            return None if place.pcode is None else region_of(place.pcode, self._regions)
        try:
            return self._gazetteer.locate(place).region
        except ReportRejected:
            return None


def _gazetteer(name: str) -> Gazetteer | None:
    try:
        return load_gazetteer(name)
    except GazetteerError:
        return None
