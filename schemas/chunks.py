"""Chunks of facts, the values of records on the facts topic.

A chunk is an Arrow IPC stream of one batch with a row for each fact, in order. The column ``report``
holds what the feed sent, byte for byte. Incident reports stand in columns, under the names of the
table ``reports``. Any other fact stands in the column ``fact`` as JSON, and so does each of a few.

A column whose values are all its default is left out. One with a single value is a dictionary. Any
Arrow reader opens a chunk. The record's one header, ``facts``, counts its facts, so that a reader
counts along the topic without opening chunks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow

from schemas import facts
from schemas.errors import FactUnreadable
from schemas.facts import Fact, IncidentFact, Located, Origin

# pyarrow's own annotations are partial, so a strict type check cannot look into it.
pa: Any = pyarrow

HEADER = "facts"
#: Header of a fact that versions before chunks wrote, one to a record.
OLD_HEADER = "fact"
#: Facts and bytes of one chunk, at most. A larger fact has a chunk of its own.
MOST_FACTS = 4_096
MOST_BYTES = 4 * 1_048_576
#: Bytes of reports that mostly fit into a chunk beside the columns.
_REPORT_BYTES = 3 * 1_048_576
#: Fewer incidents take less room and time as JSON.
_WORTH_COLUMNS = 64

Numbers = npt.NDArray[np.int64]
#: An incident as its values in the order of the columns: what intake makes of most reports, and no fact is made for.
Row = tuple[Any, ...]
#: A fact, with the bytes of its report.
Told = tuple[Fact, bytes]
#: The same as a chunk is made of it, where an incident may be a row.
Given = tuple[Fact | Row, bytes]
#: Key, value and headers of a record.
Record = tuple[None, bytes, list[tuple[str, bytes]]]


class _Column(NamedTuple):
    """Column of a chunk.

    ``attribute`` is where the value stands in an incident, and ``default`` the value of a column left out.
    """

    name: str
    type: Any
    attribute: str
    default: Any = None
    required: bool = False


_TEXT, _NUMBER, _FLAG = pa.string(), pa.int64(), pa.bool_()
_TEXTS, _TIME = pa.list_(_TEXT), pa.timestamp("us", tz="UTC")
#: An incident's own fields, then those of its place and of its origin, in the order of their classes.
_COLUMNS = (
    _Column("feed", _TEXT, "feed", required=True),
    _Column("report_id", _TEXT, "report_id", required=True),
    _Column("revision", _NUMBER, "revision", 1),
    _Column("retracted", _FLAG, "retracted", False),
    _Column("reported_at", _TIME, "reported_at", required=True),
    _Column("received_at", _TIME, "stamp"),
    _Column("occurred_from", _TIME, "from_", required=True),
    _Column("occurred_to", _TIME, "to", required=True),
    _Column("kind", _TEXT, "kind", required=True),
    _Column("sides", pa.list_(_TEXTS), "sides", ()),
    _Column("accused", _TEXTS, "accused", ()),
    _Column("claimant", _TEXT, "claimant"),
    _Column("confidence", _TEXT, "confidence", "unstated"),
    _Column("deaths_low", _NUMBER, "deaths_low"),
    _Column("deaths_best", _NUMBER, "deaths_best"),
    _Column("deaths_high", _NUMBER, "deaths_high"),
    _Column("toll_flaw", _TEXT, "toll_flaw"),
    _Column("time_precision", _TEXT, "time_precision", "minute"),
    _Column("place_precision", _TEXT, "place_precision", "unknown"),
    _Column("same_as", _TEXTS, "same_as", ()),
    _Column("not_same_as", _TEXTS, "not_same_as", ()),
    _Column("merged_into", _TEXT, "merged_into"),
    _Column("origins", _TEXTS, "origins", ()),
    _Column("region", _TEXT, "place.region", required=True),
    _Column("located_by", _TEXT, "place.by", "pcode"),
    _Column("place_name", _TEXT, "place.name"),
    _Column("latitude", pa.float64(), "place.latitude"),
    _Column("longitude", pa.float64(), "place.longitude"),
    _Column("place_conflict", _TEXT, "place.conflict"),
    _Column("place_key", _TEXT, "place.key"),
    _Column("names_region", _FLAG, "place.names_region", False),
    _Column("point_is_middle", _FLAG, "place.middle", False),
    _Column("source_topic", _TEXT, "origin.topic", required=True),
    _Column("source_partition", _NUMBER, "origin.partition", required=True),
    _Column("source_offset", _NUMBER, "origin.offset", required=True),
    _Column("source_log", _TEXT, "origin.log", ""),
)
_OWN = tuple(column.attribute for column in _COLUMNS if "." not in column.attribute)
_OF_PLACE, _OF_ORIGIN = slice(len(_OWN), -4), slice(-4, None)
_row_of = attrgetter(*(column.attribute for column in _COLUMNS))
_NO_ROW = (None,) * len(_COLUMNS)
_BY_NAME = {column.name: column for column in _COLUMNS}
_FACT, _REPORT = "fact", "report"


def records_of(told: Iterable[Given], most_facts: int = MOST_FACTS) -> Iterator[Record]:
    """Yield the records of facts, cut into chunks of at most so many."""
    waiting: list[Given] = []
    waiting_bytes = 0
    for each in told:
        if waiting and (len(waiting) == most_facts or waiting_bytes + len(each[1]) > _REPORT_BYTES):
            yield from _fitting(waiting)
            waiting, waiting_bytes = [], 0
        waiting.append(each)
        waiting_bytes += len(each[1])
    if waiting:
        yield from _fitting(waiting)


def _fitting(told: Sequence[Given]) -> Iterator[Record]:
    """Yield the record of a chunk, or those of its halves where it is too large."""
    value = encode(told)
    if len(value) <= MOST_BYTES or len(told) == 1:
        yield None, value, [(HEADER, b"%d" % len(told))]
    else:
        yield from _fitting(told[: len(told) // 2])
        yield from _fitting(told[len(told) // 2 :])


def encode(told: Sequence[Given]) -> bytes:
    """Return a chunk of at least one fact."""
    rows = [_row_in(fact) for fact, _ in told]
    missing = rows.count(_NO_ROW)
    fields, arrays = [], []
    if len(told) - missing < _WORTH_COLUMNS:
        rows, missing = [_NO_ROW] * len(told), len(told)
    if missing:
        said = [_said(fact) if row is _NO_ROW else None for row, (fact, _) in zip(rows, told, strict=True)]
        arrays.append(pa.array(said, pa.binary()).cast(_TEXT))
        fields.append(pa.field(_FACT, _TEXT))
    for column, values in zip(_COLUMNS, zip(*rows, strict=True), strict=True) if missing < len(told) else ():
        array = _array_of(column, values, missing)
        if array is not None:
            arrays.append(array)
            fields.append(pa.field(column.name, array.type))
    arrays.append(pa.array([report for _, report in told], pa.binary()))
    fields.append(pa.field(_REPORT, pa.binary()))
    sink = pa.BufferOutputStream()
    batch = pa.record_batch(arrays, schema=pa.schema(fields))
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    value: bytes = sink.getvalue().to_pybytes()
    return value


def _row_in(fact: Fact | Row) -> Row:
    if type(fact) is tuple:
        return fact
    return _row_of(fact) if type(fact) is IncidentFact and fact.redrive is None and fact.origin is not None else _NO_ROW


def _said(fact: Fact | Row) -> bytes:
    return facts.encode(incident_of(fact) if isinstance(fact, tuple) else fact)


def _array_of(column: _Column, values: Sequence[Any], missing: int) -> Any:
    """Return the values as an array, ``missing`` of them of no row; None where each of a row is the default."""
    first = next((value for value in values if value is not None), None)
    if first is None:
        return None
    # Of most columns the last value is another one, which spares counting.
    if values[-1] not in (first, None) or values.count(first) + missing < len(values):
        return pa.array(values, column.type)
    if first == column.default:
        return None
    indices = pa.array([None if value is None else 0 for value in values], pa.int8())
    return pa.DictionaryArray.from_arrays(indices, pa.array([first], column.type))


def count_of(headers: Iterable[tuple[str, bytes | None]]) -> int:
    """Return how many facts a record holds by its header; 1 where it has none of ours."""
    said = next((value for name, value in headers if name == HEADER), None)
    return int(said) if said is not None and said.isdigit() else 1


def read(value: bytes | None, headers: Sequence[tuple[str, bytes | None]]) -> list[Told]:
    """Return the facts of a record, as ``chunk_of`` does, one by one."""
    return chunk_of(value, headers).told()


def chunk_of(value: bytes | None, headers: Sequence[tuple[str, bytes | None]]) -> Chunk:
    """Return the facts of a record.

    Raises:
        FactUnreadable: the record is no chunk of ours. The ledger stops, because guessing would lose a fact.
    """
    names = [name for name, _ in headers]
    if HEADER not in names and OLD_HEADER in names:
        raise FactUnreadable(
            "a fact of an earlier version, which wrote one to a record",
            "let the version that wrote the topic read it to its end, with every intake stopped, and then upgrade; or "
            "begin with another topic prefix and an empty data folder, and let the feeds publish again",
        )
    if HEADER not in names:
        raise FactUnreadable(f"no {HEADER!r} header: who wrote it?")
    chunk = Chunk(value or b"")
    if len(chunk) != count_of(headers):
        raise FactUnreadable(f"{len(chunk)} facts under a header that counts {count_of(headers)}")
    return chunk


def decode(value: bytes) -> list[Told]:
    """Return the facts of a chunk.

    Raises:
        FactUnreadable: the bytes are no chunk, or one with columns that are unknown here.
    """
    return Chunk(value).told()


class Chunk:
    """Facts of a record, incidents in columns and the others one by one.

    Attributes:
        said: the fact of each row that is not in columns, None for the others.
        bodies: the bytes of each row's report.

    Raises:
        FactUnreadable: the bytes are no chunk, or one with columns that are unknown here.
    """

    def __init__(self, value: bytes) -> None:
        try:
            with pa.ipc.open_stream(value) as stream:
                (batch,) = stream
            batch.validate(full=True)
            columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        except (pa.ArrowException, OSError, ValueError) as error:
            raise FactUnreadable(f"an unreadable chunk of facts: {error}") from None
        if len(columns) < batch.num_columns:
            raise FactUnreadable("a chunk of facts with a column that stands twice")
        reports = columns.pop(_REPORT, None)
        said = columns.pop(_FACT, None)
        if reports is None or reports.type != pa.binary() or (said is not None and said.type != _TEXT):
            raise FactUnreadable("a chunk of facts without the reports they are of")
        in_columns = len(batch) if said is None else said.null_count
        self._columns = {
            column.name: _checked(column, columns.pop(column.name, None), in_columns) for column in _COLUMNS
        }
        if columns or reports.null_count:
            raise FactUnreadable(f"a chunk of facts with columns that are unknown here: {', '.join(columns)}")
        self._columns["raw"] = reports
        self.bodies: list[bytes] = reports.to_pylist()
        texts = [None] * len(batch) if said is None else said.to_pylist()
        self.said = [None if text is None else facts.decode(text.encode()) for text in texts]

    def __len__(self) -> int:
        return len(self.bodies)

    def incidents(self, rows: Sequence[int] | Numbers) -> Incidents:
        """Return the incidents of some rows, each of which has to be in columns."""
        return Incidents(self._columns, len(self), None if len(rows) == len(self) else np.asarray(rows, np.int64))

    def told(self, rows: Sequence[int] | None = None) -> list[Told]:
        """Return some facts, or all, one by one."""
        wanted = range(len(self)) if rows is None else rows
        in_columns = [row for row in wanted if self.said[row] is None]
        made = iter(self.incidents(in_columns).facts() if in_columns else ())
        return [(self.said[row] or next(made), self.bodies[row]) for row in wanted]


class Incidents:
    """Incidents in columns, under the names of the table ``reports``.

    Args:
        columns: the arrays of a chunk, None for one whose values are all the default.
        count: how many rows they have.
        rows: which rows of them, all where it is None. Only columns that are asked for are copied.
    """

    def __init__(self, columns: dict[str, Any], count: int, rows: Numbers | None = None) -> None:
        self._columns = columns
        #: Rows that stay in memory with it: the arrays are those of the whole chunk.
        self.held = count
        self._count = count if rows is None else len(rows)
        self._rows = rows

    def __len__(self) -> int:
        return self._count

    def take(self, rows: Numbers) -> Incidents:
        """Return those of some rows."""
        return Incidents(self._columns, self.held, rows if self._rows is None else self._rows[rows])

    @property
    def chunk(self) -> int:
        """Identity of the chunk in memory, while it is there."""
        return id(self._columns)

    @property
    def names(self) -> AbstractSet[str]:
        """Names of the columns; ``raw`` holds the report's own bytes."""
        return self._columns.keys()

    def values(self, name: str) -> Sequence[Any]:
        """Return the values of a column, as an incident has them."""
        column, array = _BY_NAME[name], self._columns[name]
        if array is None:
            return [column.default] * len(self)
        if pa.types.is_dictionary(array.type) and len(array.dictionary) == 1 and not array.null_count:
            return _plain_values(column, array.dictionary) * len(self)
        return _plain_values(column, self.array(name))

    def numbers(self, name: str, missing: int = 0) -> Numbers:
        """Return the values of a column of numbers or instants; ``missing`` where there is none."""
        array = self.array(name)
        if array is None:
            default = _BY_NAME[name].default
            return np.full(len(self), missing if default is None else default, np.int64)
        found: Numbers = array.cast(_NUMBER).fill_null(missing).to_numpy(zero_copy_only=False)
        return found

    def array(self, name: str) -> Any:
        """Return a column as an Arrow array; None where all values are the default."""
        array = self._columns[name]
        if array is None:
            return None
        if pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        return array if self._rows is None else array.take(pa.array(self._rows))

    def default(self, name: str) -> Any:
        """Return the value of a column that is left out."""
        return _BY_NAME[name].default

    def facts(self) -> Iterator[IncidentFact]:
        """Yield the incidents one by one."""
        return map(incident_of, zip(*(self.values(column.name) for column in _COLUMNS), strict=True))


def _checked(column: _Column, array: Any, count: int) -> Any:
    """Return a column's array, of which ``count`` values are of incidents, if it is what was written."""
    if array is None:
        if column.required and count:
            raise FactUnreadable(f"a chunk of facts without the column {column.name}")
        return None
    is_dictionary = pa.types.is_dictionary(array.type)
    if (array.type.value_type if is_dictionary else array.type) != column.type:
        raise FactUnreadable(f"a chunk of facts with another type of the column {column.name}")
    if (column.required or column.default is not None) and array.null_count != len(array) - count:
        raise FactUnreadable(f"a chunk of facts with gaps in the column {column.name}")
    return array


def _plain_values(column: _Column, array: Any) -> list[Any]:
    if column.type is _TIME:
        array = array.view(_NUMBER)
    values: list[Any] = array.to_pylist()
    if column.type is _TEXTS:
        return [tuple(value) if value else () for value in values]
    if column.default == ():
        return [tuple(map(tuple, value)) if value else () for value in values]
    return values


def incident_of(row: Row) -> IncidentFact:
    """Return the incident of one row, its values in the order of the columns."""
    own = dict(zip(_OWN, row, strict=False))
    return IncidentFact(place=Located(*row[_OF_PLACE]), origin=Origin(*row[_OF_ORIGIN]), **own)
