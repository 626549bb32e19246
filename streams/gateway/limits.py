"""Limits of what one holder of a token may ask for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from streams.gateway.problems import Problem, Refusal
from streams.gateway.tokens import Holder

#: Requests at work at once, of one holder and of all. Each may hold a body in memory.
MOST_OF_ONE, MOST_OF_ALL = 8, 32
#: When a request that met too many others may come again.
_BUSY_SECONDS = 1


class Rate:
    """Bucket of each holder, which fills by so many records a minute, and holds no more."""

    def __init__(self, a_minute: int, clock: Callable[[], float] = monotonic) -> None:
        self._most = float(a_minute)
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, holder: Holder, records: int, taken: int = 0) -> None:
        """Take as many as a request has records.

        Args:
            taken: how many of them were taken before, when nobody knew how many there are.

        Raises:
            Refusal: the bucket holds fewer; none is taken, and those taken before are given back.
        """
        now = self._clock()
        left, since = self._left.get(holder.name, (self._most, now))
        left = min(self._most, left + taken + (now - since) * self._most / 60)
        # A request of more than a bucket holds would never pass.
        wanted = min(float(records), self._most)
        if left < wanted:
            self._left[holder.name] = left, now
            raise Refusal(
                Problem.TOO_OFTEN,
                f"this token may send {self._most:,.0f} records a minute",
                retry_after=(wanted - left) * 60 / self._most,
            )
        self._left[holder.name] = left - wanted, now


class Places:
    """Places for requests at work."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()

    @contextmanager
    def one(self, holder: Holder) -> Iterator[None]:
        """Hold a place for the length of the block.

        Raises:
            Refusal: none is free.
        """
        if self._taken[holder.name] >= MOST_OF_ONE:
            raise Refusal(Problem.TOO_OFTEN, f"{MOST_OF_ONE} requests of this token are at work", _BUSY_SECONDS)
        if self._taken.total() >= MOST_OF_ALL:
            raise Refusal(Problem.BUSY, f"{MOST_OF_ALL} requests are at work", _BUSY_SECONDS)
        self._taken[holder.name] += 1
        try:
            yield
        finally:
            self._taken[holder.name] -= 1
