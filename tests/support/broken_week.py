"""Week of September 2016 in which something breaks each day, to be published day by day."""

from __future__ import annotations

from schemas.agreement_file import load_agreement
from schemas.truceday import MICROS_PER_HOUR
from tests.support.judged import History, report

REGIONS, DAYS = ("SY01", "SY02", "SY03", "SY04"), 7


def broken_week() -> tuple[History, list[int]]:
    """Return a week in which four regions break each day, and how many facts there are after each day."""
    history, ends = History(load_agreement("syria-2016")), []
    for day in range(DAYS):
        began = history.agreement.effective + 24 * day * MICROS_PER_HOUR
        for region in REGIONS:
            for hour in range(3):
                low, high = began + hour * MICROS_PER_HOUR, began + (hour + 1) * MICROS_PER_HOUR
                name = f"{region}-{day}-{hour}"
                told = {"kind": "shelling", "region": region, "occurred": (low, high), "reported_at": high}
                history.tell(report("incident", name, **told))
        history.tick(began + 12 * MICROS_PER_HOUR)
        ends.append(len(history.facts))
    return history, ends
