"""Reading of files through a mapping, as the other readers of feeds read theirs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from zoneinfo import ZoneInfo

import orjson

from schemas.time_zones import time_zone as zone_of
from streams.feeds.mapping.evaluate import Evaluation
from streams.feeds.mapping.load import Mapped, load_mapping
from streams.feeds.mapping.tables import table_of
from streams.feeds.recorded import Recorded, instant_of
from streams.feeds.table import cut


@dataclass
class MappedReader:
    """Reader of files by one mapping; ``skipped`` counts the rows it left out of each file, by column and cell."""

    mapping: Mapped
    skipped: dict[str, Counter[str]] = field(default_factory=dict)

    def __call__(self, source: BinaryIO, name: str, time_zone: ZoneInfo) -> Iterator[Recorded]:
        """Yield one report per row that is not left out.

        Raises:
            InputFileError: there is no table in the file, or one without the columns of the mapping.
        """
        mapped = self.mapping
        skipped = self.skipped[name] = Counter[str]()
        own = mapped.file.time_zone
        zone = time_zone if own is None else zone_of(own)
        with table_of(source, name, mapped.file, mapped.columns) as table:
            for row in table.rows:
                if row.cells is None:
                    yield row.torn(mapped.report_type, mapped.feed)
                    continue
                evaluation = Evaluation(mapped.rules, row.cells, zone)
                if (why := evaluation.skipped()) is not None:
                    skipped[why] += 1
                    continue
                yield self._recorded(evaluation, row.line)

    def _recorded(self, evaluation: Evaluation, line: int) -> Recorded:
        report, row = evaluation.report(), evaluation.row
        cells = {
            path: {column: row.get(column, "") for column in columns} for path, columns in self.mapping.paths.items()
        }
        report_id = report.get("report_id")
        return Recorded(
            cut(orjson.dumps(report)),
            instant_of(report.get("reported_at")),
            report["type"],
            line,
            report["feed"],
            report_id if isinstance(report_id, str) else None,
            cells=cells,
            faults=tuple(evaluation.faults),
        )


def reader_of(path: Path) -> MappedReader:
    """Return the reader of a mapping in a file.

    Raises:
        MappingError: the mapping is wrong.
    """
    return MappedReader(load_mapping(path))
