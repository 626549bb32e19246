"""Stock Faust that counts and sums in two hopping tables."""

import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import faust
from report import report_of

#: Tables expire by the wall clock: longer than the reports reach back.
LATENESS = timedelta(days=400)

app = faust.App(
    os.environ["PEER_NAME"],
    broker=f"kafka://{os.environ['PEER_BROKER']}",
    datadir=str(Path(os.environ["PEER_FOLDER"]) / "state"),
    store="memory://",
    topic_partitions=4,
    topic_replication_factor=1,
    web_enabled=False,
)


class Death(faust.Record):
    """What a window needs of a report."""

    region: str
    at: float
    deaths: int


raw = app.topic(os.environ["PEER_TOPIC"], value_type=bytes, value_serializer="raw", partitions=4)
by_region = app.topic(os.environ["PEER_BETWEEN"], key_type=str, value_type=Death, partitions=4)


def table(name: str) -> faust.types.tables.WindowWrapperT:
    """Return a table of seven-day windows, one beginning each day, by the time of the occurrence."""
    plain = app.Table(name, default=int, partitions=4)
    return plain.hopping(timedelta(days=7), timedelta(days=1), expires=LATENESS).relative_to_field(Death.at)


counts = table("counts")
sums = table("sums")


@app.agent(raw)
async def spread(records: AsyncIterator[bytes]) -> None:
    """Send each report on by its region, as a table must be written by the partition of its key."""
    async for record in records:
        report = report_of(record)
        if report is not None:
            death = Death(region=report.region, at=report.occurred.timestamp(), deaths=report.deaths)
            await by_region.send(key=report.region, value=death)


@app.agent(by_region)
async def count(deaths: AsyncIterator[Death]) -> None:
    """Add each report to its seven windows."""
    async for death in deaths:
        counts[death.region] += 1
        sums[death.region] += death.deaths


if __name__ == "__main__":
    app.main()
