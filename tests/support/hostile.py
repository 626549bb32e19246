"""Reports whose every free text is an attack on whoever shows it."""

from __future__ import annotations

from schemas.agreement import Agreement
from schemas.truceday import MICROS_PER_HOUR
from tests.support.judged import History, report

HOUR = MICROS_PER_HOUR
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u202e<!--banner-->=1+1"

#: Texts that a spreadsheet would take for formulas.
FORMULAS = ("=1+1", "+1", "@SUM(1)", "-1+1", '=cmd|"/c calc"!A1')


def shelling(truce: Agreement, hour: int, region: str = "SY05") -> dict[str, object]:
    """Return an incident in an hour of the truce, reported an hour later."""
    when = truce.effective + hour * HOUR
    told = {"reported_at": when + HOUR, "occurred": (when, when), "region": region, "kind": "shelling"}
    return report("incident", f"i{hour}", **told)


def hostile(truce: Agreement) -> History:
    """Return the first hours of a truce about which every text that a feed may choose is an attack."""
    sources = [
        {"name": HOSTILE, "url": "javascript:alert(1)", "title": HOSTILE},
        {"name": "n", "url": "https://a.org/x"},
    ]
    texts = {"note": HOSTILE, "sources": sources, "claimant": HOSTILE, "accused": [HOSTILE]}
    struck = shelling(truce, 1) | texts | {"place": {"pcode": "SY05", "names": [HOSTILE]}}
    declared = {"act": "start", "declared_by": HOSTILE, "effective_at": "2016-09-12T19:00:00+03:00", "note": HOSTILE}
    said = [declared, *(declared | {"declared_by": text} for text in FORMULAS)]
    told = [
        struck,
        shelling(truce, 2),
        *(report("declaration", f"d{n}", reported_at=truce.effective + HOUR, **each) for n, each in enumerate(said)),
    ]
    history = History(truce).tell(*told, f'{{"type": "{HOSTILE}'.encode())
    return history.tick(truce.effective + 3 * HOUR)
