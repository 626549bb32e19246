"""The one list of the legs."""

from __future__ import annotations

from schemas.agreement import Agreement
from streams.ledger.core.legs.access import AccessLeg
from streams.ledger.core.legs.aggregates import Aggregates
from streams.ledger.core.legs.leg import Leg
from streams.ledger.core.legs.violence import EarliestOf, ViolenceLeg
from streams.ledger.core.refusals import Refusals


def legs_of(agreement: Agreement, aggregates: Aggregates, refusals: Refusals, earliest: EarliestOf) -> dict[str, Leg]:
    """Return the legs of an agreement by name, in the order of ``schemas.rows.LEGS``."""
    legs: tuple[Leg, ...] = (ViolenceLeg(agreement, aggregates, refusals, earliest), AccessLeg(agreement))
    return {leg.name: leg for leg in legs}
