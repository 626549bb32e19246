"""Reading of files through a mapping, as the other readers of feeds read theirs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from schemas.plain_words import did_you_mean
from schemas.time_zones import time_zone as zone_of
from streams.feeds.mapping.evaluate import Evaluator
from streams.feeds.mapping.load import Mapped, load_mapping
from streams.feeds.mapping.tables import table_of
from streams.feeds.recorded import CellFault, Recorded, instant_of
from streams.feeds.table import cut, written

_HALF_OF_A_CHARACTER = re.compile("[\ud800-\udfff]").search


@dataclass
class Notes:
    """Notes of a reader on one file, beside its reports.

    Attributes:
        skipped: rows left out, by column and cell.
        formulas: cells whose formula has no stored result, by column.
        lacking: columns that the mapping names and the file lacks, each with a guess at what was meant, or none.
    """

    skipped: Counter[str] = field(default_factory=Counter)
    formulas: Counter[str] = field(default_factory=Counter)
    lacking: Mapping[str, str] = field(default_factory=dict)

    @property
    def misspelt(self) -> list[str]:
        """Lacking columns that the file seems to spell otherwise."""
        return [f"{column!r}{guess}" for column, guess in self.lacking.items() if guess]


@dataclass
class MappedReader:
    """Reader of files by one mapping, with notes on each."""

    mapping: Mapped
    notes: dict[str, Notes] = field(default_factory=dict)

    def __call__(self, source: BinaryIO, name: str, time_zone: ZoneInfo) -> Iterator[Recorded]:
        """Yield one report per row that is not left out.

        Raises:
            InputFileError: there is no table in the file, or one without the columns of the mapping.
        """
        mapped = self.mapping
        notes = self.notes[name] = Notes()
        own = mapped.file.time_zone
        evaluator = Evaluator(mapped.rules, time_zone if own is None else zone_of(own))
        with table_of(source, name, mapped.file, mapped.columns) as table:
            free = [column for column in table.columns if column not in mapped.named]
            absent = (column for column in mapped.named if column not in table.columns)
            notes.lacking = {column: did_you_mean(column, free) for column in absent}
            notes.formulas = table.formulas
            for row in table.rows:
                if row.cells is None:
                    yield row.torn(mapped.report_type, mapped.feed)
                    continue
                if (why := evaluator.skipped(row.cells)) is not None:
                    notes.skipped[why] += 1
                    continue
                yield self._recorded(*evaluator.report(row.cells), row.cells, row.line)

    def _recorded(
        self, report: dict[str, Any], faults: Sequence[CellFault], row: Mapping[str, str], line: int
    ) -> Recorded:
        cells = {
            path: {column: row.get(column, "") for column in columns} for path, columns in self.mapping.paths.items()
        }
        report_id = report.get("report_id")
        return Recorded(
            cut(written(report)),
            instant_of(report.get("reported_at")),
            report["type"],
            line,
            report["feed"],
            report_id if isinstance(report_id, str) and not _HALF_OF_A_CHARACTER(report_id) else None,
            cells=cells,
            faults=tuple(faults),
        )


def reader_of(path: Path) -> MappedReader:
    """Return the reader of a mapping in a file.

    Raises:
        MappingError: the mapping is wrong.
    """
    return MappedReader(load_mapping(path))
