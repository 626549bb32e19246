"""Quix Streams that counts and sums hopping windows, in RocksDB."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from quixstreams import Application
from quixstreams.dataframe.windows.aggregations import Count, Sum
from quixstreams.models import Deserializer, IgnoreMessage, SerializationContext
from report import report_of

#: Longer than the reports reach back: none is too late.
LATENESS = timedelta(days=400)


class Reports(Deserializer):
    """Deserializer of reports that passes over what is no JSON."""

    def __call__(self, value: bytes, ctx: SerializationContext) -> dict[str, Any]:
        report = report_of(value)
        if report is None:
            raise IgnoreMessage
        at = int(report.occurred.timestamp() * 1_000)
        return {"region": report.region, "at": at, "deaths": report.deaths}


def main() -> None:
    """Run the application until it is told to end."""
    app = Application(
        broker_address=os.environ["PEER_BROKER"],
        consumer_group=os.environ["PEER_NAME"],
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        # Rows can be read once their transaction is committed.
        commit_interval=1.0,
        state_dir=Path(os.environ["PEER_FOLDER"]) / "state",
        # Static membership: after a crash the broker would else wait for the dead member's session.
        consumer_extra_config={"group.instance.id": "peer"},
        loglevel="WARNING",
    )
    reports = app.topic(
        os.environ["PEER_TOPIC"],
        value_deserializer=Reports(),
        timestamp_extractor=lambda report, headers, timestamp, kind: report["at"],  # noqa: ARG005 - theirs
    )
    rows = app.topic(os.environ["PEER_ROWS"], key_serializer="string", value_serializer="json")
    windows = (
        app.dataframe(reports)
        .group_by("region")
        .hopping_window(timedelta(days=7), timedelta(days=1), grace_ms=LATENESS)
        .agg(count=Count(), sum=Sum("deaths"))
        .current()
    )
    windows.apply(_named, metadata=True).to_topic(rows, key=lambda row: row["name"])
    app.run()


def _named(row: dict[str, Any], key: Any, *_: Any) -> dict[str, Any]:
    region = key.decode() if isinstance(key, bytes) else key
    return {**row, "name": f"{region}|{row['start']}"}


if __name__ == "__main__":
    main()
