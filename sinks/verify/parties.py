"""Parties that one accusation may mean: docs/judging.md, "Parties", sentence by sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from schemas.agreement import Agreement
from schemas.placenames import parts_of, words_of
from sinks.verify.difference import Difference, Row
from sinks.verify.published import Published

_ACCUSED = """
select 'reports', 'offset ' || min(fact_offset), accused, accused_parties from reports where accused is not null
group by accused, accused_parties
union all
select 'bulletins', feed || '/' || report_id || ', ' || line, accused, accused_parties from bulletins
where accused is not null
"""


def check_accused(file: Published) -> Iterator[Difference]:
    """Check which parties each report and each line of a bulletin may mean."""
    # Millions of reports accuse the same few.
    meant = lru_cache(maxsize=10_000)(lambda accused: meant_parties(file.agreement, accused))
    for table, key, accused, parties in file.stream(_ACCUSED):
        yield from Row(table, key).compare(("accused_parties",), (parties,), (meant(tuple(accused)),))


def meant_parties(agreement: Agreement, accused: Sequence[str]) -> list[str] | None:
    """Return whom those ``accused`` together may be, each once and sorted; None when nobody is accused."""
    if not accused:
        return None
    spelled = tuple((party.name, name) for party in agreement.parties for name in [party.name, *party.spellings])
    meant: list[str] = []
    for name in accused:
        meant += _meant(spelled, name)
    return sorted(set(meant))


def _meant(spelled: tuple[tuple[str, str], ...], name: str) -> list[str]:
    for party, spelling in spelled:
        if words_of(spelling) == words_of(name):
            return [party]
    either = parts_of(name)
    if not either.alternatives:
        return [name]
    return [
        next((party for party, spelling in spelled if words_of(spelling) == words_of(part)), part)
        for part in either.names
    ]
