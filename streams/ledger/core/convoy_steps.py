"""The steps of a convoy as a state machine: which may follow which, as data."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from schemas.reports import ConvoyStep

_S = ConvoyStep

#: Only these are deliveries; arriving, be it at a border or at a town, is none.
DELIVERIES = frozenset({_S.OFFLOADED, _S.DISTRIBUTED})
#: They count even where they do not follow: to leave one out would keep an older, better state alive.
SETBACKS = frozenset({_S.DENIED, _S.HELD, _S.TURNED_BACK, _S.ATTACKED})
#: Told by another feed, they contradict a delivery. An attack does not: trucks are hit while they are unloaded.
CONTRADICTIONS = frozenset({_S.DENIED, _S.HELD, _S.TURNED_BACK})
#: In these a convoy is on no way to anywhere. It is owed all the same, until another delivery makes it good.
CLOSED = frozenset({_S.DENIED, _S.TURNED_BACK, _S.ATTACKED})

_ANSWERS = frozenset({_S.DENIED, _S.APPROVED_IN_PRINCIPLE, _S.APPROVED_IN_PART, _S.APPROVED})
#: What tells that trucks were loaded and where they were from then on.
ROAD = frozenset({_S.LOADED, _S.DISPATCHED, _S.HELD, _S.TURNED_BACK, _S.ATTACKED, _S.ARRIVED})

#: What may come after each step, besides the step itself. Feeds leave steps out, so going forward over what may have
#: gone unreported is legal; a delivery without a road, a road after a refusal and going back are not.
MAY_FOLLOW: Mapping[str, frozenset[ConvoyStep]] = MappingProxyType(
    {
        _S.REQUESTED: _ANSWERS | ROAD | {_S.NO_RESPONSE},
        _S.NO_RESPONSE: _ANSWERS | ROAD | {_S.REQUESTED},
        _S.DENIED: _ANSWERS | {_S.REQUESTED, _S.NO_RESPONSE},
        _S.APPROVED_IN_PRINCIPLE: ROAD | {_S.NO_RESPONSE, _S.DENIED, _S.APPROVED_IN_PART, _S.APPROVED},
        _S.APPROVED_IN_PART: ROAD | {_S.DENIED, _S.APPROVED},
        _S.APPROVED: ROAD | {_S.DENIED, _S.APPROVED_IN_PART},
        _S.LOADED: ROAD | {_S.DENIED},
        _S.DISPATCHED: DELIVERIES | {_S.HELD, _S.TURNED_BACK, _S.ATTACKED, _S.ARRIVED},
        _S.HELD: ROAD | DELIVERIES | {_S.DENIED},
        _S.TURNED_BACK: _ANSWERS | {_S.REQUESTED, _S.NO_RESPONSE, _S.LOADED, _S.DISPATCHED},
        _S.ATTACKED: DELIVERIES | {_S.HELD, _S.TURNED_BACK, _S.DISPATCHED, _S.ARRIVED},
        _S.ARRIVED: DELIVERIES | {_S.HELD, _S.TURNED_BACK, _S.ATTACKED},
        _S.OFFLOADED: frozenset({_S.TURNED_BACK, _S.ATTACKED, _S.DISTRIBUTED}),
        _S.DISTRIBUTED: frozenset(),
    }
)


def is_legal(step: str, before: str | None) -> bool:
    """Whether ``step`` may come when ``before`` is the state; anything may come first, and anything twice."""
    return before is None or step == before or step in MAY_FOLLOW[before]
