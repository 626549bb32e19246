"""The formats recorded reports come in, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO
from zoneinfo import ZoneInfo

from schemas.errors import InputFileError, UsageError
from streams.feeds import compiled, ged, syrian_archive
from streams.feeds.cells import VERSION_COLUMNS
from streams.feeds.json_document import read_json
from streams.feeds.jsonl import read_jsonl
from streams.feeds.mapping.language import MappingFile
from streams.feeds.mapping.load import Mapped, shipped_mappings
from streams.feeds.mapping.read import MappedReader, Notes, reader_of
from streams.feeds.mapping.tables import table_of
from streams.feeds.recorded import PACKED, STDIN, Named, Recorded, opened


@dataclass(frozen=True)
class Format:
    """A file format: what tells it, a file's ending or its column names or both, and how one is read.

    ``companion`` names a file that is read as well where it lies beside; ``alone`` says what is lost without it.
    """

    name: str
    summary: str
    read: Callable[[BinaryIO, str, ZoneInfo], Iterator[Recorded]]
    endings: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    companion: str | None = None
    alone: str = ""


@dataclass(frozen=True)
class Release:
    """Which release of a data set the last of some files is, and what it is compared with.

    The files before it are earlier releases, in their order. ``number`` is the least revision of a row that is new or
    corrected; None leaves that to a version column. ``against`` names earlier releases and published copies.
    """

    number: int | None = None
    against: Sequence[Path] = ()
    withdraw: bool = False


#: A format by its name, or as it is; None leaves it to the file.
Stated = str | Format | None

#: Tables whose columns tell the format.
_TABLES = (".csv", ".tsv", ".xlsx", ".xls", ".ods", ".json", ".geojson", ".parquet")
#: How a mapping reads a file of which nothing else is known.
_UNSTATED = MappingFile.model_validate({"report": {}})


def _mapped(mapping: Mapped) -> Format:
    return Format(mapping.name, mapping.file.summary or "a mapping", MappedReader(mapping), columns=mapping.columns)


FORMATS = {
    each.name: each
    for each in (
        Format(
            "jsonl",
            "one report per line, as `trucewatch schemas` describes them",
            lambda source, name, _: read_jsonl(source, name),
            endings=(".jsonl", ".ndjson"),
        ),
        Format(
            "json",
            "such reports in a JSON document: one, or a list of them, over any number of lines",
            lambda source, name, _: read_json(source, name),
            endings=(".json",),
            columns=("type", "feed", "report_id"),
        ),
        Format("ged", "UCDP GED events, 41 or 49 columns", ged.read_ged, columns=ged.REQUIRED),
        Format(
            "ged-candidate",
            "UCDP GED candidate events of the current year, which have the columns of ged",
            partial(ged.read_ged, feed=ged.CANDIDATE_FEED),
        ),
        Format(
            "syrian-archive",
            "the Syrian Archive's videos of violations; its list of places is read where it lies beside the file",
            syrian_archive.read_syrian_archive,
            columns=syrian_archive.REQUIRED,
            companion=syrian_archive.PLACES_FILE,
            alone="videos without coordinates of their own have no point, and fewer of them are linked",
        ),
        Format(
            "compiled-convoys",
            "convoys of 2016 compiled from published pages",
            compiled.read_convoys,
            columns=compiled.CONVOY_COLUMNS,
        ),
        Format(
            "compiled-tallies",
            "monitors' violation counts of 2016 compiled from published pages, as bulletins",
            compiled.read_tallies,
            columns=compiled.TALLY_COLUMNS,
        ),
        *map(_mapped, shipped_mappings().values()),
    )
}


def format_by(mapping: str) -> Format:
    """Return the format that a mapping makes, one that comes with the package or one in a file.

    Raises:
        MappingError: the mapping is wrong, or there is none.
    """
    if mapping in shipped_mappings():
        return FORMATS[mapping]
    reader = reader_of(Path(mapping))
    return Format(mapping, reader.mapping.file.summary or "a mapping", reader, columns=reader.mapping.columns)


def notes_on(paths: Sequence[Path], stated: Stated) -> dict[str, Notes]:
    """Return the notes that mappings have on files that were read."""
    found = {}
    for path in paths:
        reader = format_of(path, stated).read
        if isinstance(reader, MappedReader) and (notes := reader.notes.get(str(path))):
            found[str(path)] = notes
    return found


def check_there(paths: Sequence[Path]) -> None:
    """Refuse files that are not there, before anything is asked of a broker.

    Raises:
        InputFileError: one is missing.
    """
    for path in paths:
        if path != STDIN and not path.exists():
            raise InputFileError(f"{path}: no such file")


def format_of(path: Path, stated: Stated) -> Format:
    """Return the stated format, or the one the file's name tells, or for CSV its column names.

    Raises:
        UsageError: there is no such format, or the file does not tell.
        InputFileError: it is a folder, or a CSV file that cannot be opened or is of another encoding or separator.
    """
    if isinstance(stated, Format):
        return stated
    if stated is not None:
        if stated not in FORMATS:
            raise UsageError(f"no format is called {stated!r}; there are {', '.join(FORMATS)}")
        return FORMATS[stated]
    if path == STDIN:
        return FORMATS["jsonl"]
    plain = path.name.removesuffix(path.suffix) if path.suffix in PACKED else path.name
    for each in FORMATS.values():
        if plain.endswith(each.endings) and not each.columns:
            return each
    if plain.endswith(_TABLES) or path.suffix == ".zip":
        told = _told_by_columns(path, plain)
        if told is not None:
            return told
    if path.is_dir():
        raise InputFileError(f"{path}: is a folder; name the files in it")
    does_not_tell = "the columns do" if plain.endswith(_TABLES) else "the name does"
    raise UsageError(
        f"{path}: {does_not_tell} not tell the format; say --format {' or --format '.join(FORMATS)}"
        ", or --map FILE with a mapping of its columns, which `trucewatch mapping suggest` drafts"
    )


def _told_by_columns(path: Path, plain: str) -> Format | None:
    by_columns = [each for each in FORMATS.values() if each.columns and plain.endswith(each.endings or "")]
    with opened(path) as source, table_of(source, str(path), _UNSTATED) as table:
        told = [each for each in by_columns if set(each.columns) <= set(table.columns)]
        # Of two formats the one that knows more of the columns.
        return max(told, key=lambda each: len(each.columns), default=None)


def name_their_releases(paths: Sequence[Path], stated: Stated) -> bool:
    """Whether several tables follow each other whose columns say which release of a data set each is."""
    return len(paths) > 1 and all(map(_names_release, paths, [stated] * len(paths)))


def _names_release(path: Path, stated: Stated) -> bool:
    # A pipe can be read but once.
    if not path.is_file() or not format_of(path, stated).columns:
        return False
    with opened(path) as source, table_of(source, str(path), _UNSTATED) as table:
        return not set(VERSION_COLUMNS).isdisjoint(table.columns)


def missing_companions(paths: Sequence[Path], stated: Stated) -> list[str]:
    """Say of each file whose companion is not beside it what that costs: the results differ, without an error.

    Raises:
        UsageError: the format of one is unknown.
        InputFileError: a CSV file cannot be opened.
    """
    return [
        f"{path}: no {chosen.companion} beside it: {chosen.alone}"
        for path in paths
        if (chosen := format_of(path, stated)).companion and not path.with_name(chosen.companion).is_file()
    ]


def read(path: Path, stated: Stated, time_zone: ZoneInfo) -> Iterator[Recorded]:
    """Yield the reports of one file, plain or gzipped, or of standard input for ``-``.

    ``time_zone`` places calendar days of formats that state no offset.

    Raises:
        UsageError: the format is unknown.
        InputFileError: the file is missing, damaged, or not in the format.
    """
    chosen = format_of(path, stated)
    with opened(path) as source:
        yield from chosen.read(source, str(path), time_zone)


def read_all(paths: Sequence[Path], stated: Stated, time_zone: ZoneInfo) -> Iterator[Named]:
    """Yield the reports of several files, one after the other, each with its file's name."""
    for path in paths:
        for report in read(path, stated, time_zone):
            yield Named(str(path), report)
