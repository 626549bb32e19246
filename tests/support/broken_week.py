"""Days of September 2016 in which everything breaks."""

from __future__ import annotations

from pathlib import Path

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


def bad_day(folder: Path) -> Path:
    """Return a file whose first truce-day has ten incidents in each region, ``i13x9`` of them the deadliest."""
    history = History(load_agreement("syria-2016"))
    for number, region in enumerate(history.agreement.regions):
        for which in range(10):
            low = history.agreement.effective + (which * 2 + 1) * MICROS_PER_HOUR
            told = {"kind": "shelling", "region": region, "occurred": (low, low), "reported_at": low + MICROS_PER_HOUR}
            more = {"accused": ["Government of Syria"], "deaths": {"best": number * 10 + which}}
            history.tell(report("incident", f"i{number}x{which}", **told, **more))
            history.tick(low + MICROS_PER_HOUR)
    return history.tick(history.agreement.effective + 25 * MICROS_PER_HOUR).judged(folder / history.agreement.id)
