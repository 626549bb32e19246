"""What is fuzzed: every reader of bytes from outside, with seeds it accepts and what must hold of its answer."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from schemas import chunks, facts
from schemas.agreement_file import load_agreement
from schemas.boundaries import load_boundaries
from schemas.errors import TrucewatchError
from schemas.facts import Redrive
from schemas.gazetteer import load_gazetteer
from schemas.rejects import DeadLetter, dead_letter_headers, redrive_headers, redrive_in
from schemas.toml_file import TomlSyntaxError, parse_toml
from sinks.recorded_facts import RecordedFacts
from streams.feeds import compiled, ged, syrian_archive
from streams.feeds.jsonl import peek, read_jsonl
from streams.feeds.readers import read
from streams.feeds.recorded import Recorded
from streams.intake.examine import TICK_HEADER, Examiner
from streams.ops.explain import read_explanation
from streams.ops.status import read_status
from streams.verify import verify
from streams.whatif.judge import judge
from tests.support.judged import History, report
from tests.support.worlds import HOUR, TRUCE, agreement, at, origin

DAMASCUS = ZoneInfo("Asia/Damascus")
#: Well after every time a seed states.
READ_AT = at(2_000)
GAZETTEER = load_gazetteer("syria")
EXAMINERS = tuple(Examiner([TRUCE], GAZETTEER, stamps) for stamps in ("clock", "archive"))
#: What a reader's output is handed on to.
INTAKE = EXAMINERS[1]
#: Two of them in an input part a body from the name and value of a header.
PARTED = b"\x00\x00"


@dataclass(frozen=True)
class Target:
    """One thing to fuzz.

    Attributes:
        run: given an input; returns, or raises an error of ours.
        tokens: words of the format, to be put in anywhere.
        share: how many inputs to run where a quick target runs one: slow ones run fewer.
        guided: whether coverage can lead the way: what DuckDB does with a file is not seen by it.
    """

    name: str
    run: Callable[[bytes], object]
    seeds: Callable[[], Sequence[bytes]]
    tokens: Sequence[bytes] = ()
    share: float = 1.0
    guided: bool = True


# -- intake


def examine(data: bytes) -> None:
    """Intake takes or rejects a record, never raises, and what it writes the ledger can read."""
    body, *header = data.split(PARTED)
    headers = [(header[0].decode("latin-1"), PARTED.join(header[1:]))] if header else []
    for examiner in EXAMINERS:
        examined = examiner.examine(body or None, headers, origin(0), READ_AT)
        for _, fact in examined.facts:
            if facts.decode(facts.encode(fact)) != fact:
                raise AssertionError(f"another fact was read back: {fact}")
        if examined.rejected is not None:
            reasons = dead_letter_headers(examined.rejected, headers)
            DeadLetter.model_validate({name: (value or b"").decode() for name, value in reasons[len(headers) :]})


def letter(data: bytes) -> None:
    """A dead letter's reasons are one set, whatever headers the record came with, and can be published again."""
    pieces = data.split(PARTED)
    headers: list[tuple[str, bytes | None]] = [
        (name.decode("utf-8", "replace"), value or None) for name, value in zip(pieces[::2], pieces[1::2], strict=False)
    ]
    rejected = INTAKE.examine(b"{", (), origin(0), READ_AT).rejected
    if rejected is None:
        raise AssertionError("a torn record was taken")
    redrive_in(headers)
    reasons = dead_letter_headers(rejected, headers)
    names = [name for name, _ in reasons]
    if any(names.count(name) > 1 for name in ("attempt", "hint", "reason-code")):
        raise AssertionError(f"two sets of reasons: {names}")
    again = dead_letter_headers(rejected, redrive_headers(reasons, Redrive(origin(1), 1)))
    first, second = (int(dict(found)["attempt"] or b"0") for found in (reasons, again))
    if second not in (first + 1, 1):
        raise AssertionError(f"attempt went from {first} to {second}")


def fact(data: bytes) -> None:
    """A text is a fact or unreadable; what was read is written back the same."""
    found = facts.decode(data)
    if facts.decode(facts.encode(found)) != found:
        raise AssertionError(f"another fact was read back: {found}")


def chunk(data: bytes) -> None:
    """A record is a chunk of facts or unreadable; what was read is written back the same."""
    found = chunks.decode(data)
    if found and chunks.decode(chunks.encode(found)) != found:
        raise AssertionError(f"other facts were read back: {found}")


# -- files people write


def with_file(read_file: Callable[[Path], object], name: str) -> Callable[[bytes], object]:
    """Return what reads an input as a file."""
    folder = _folder()

    def run(data: bytes) -> object:
        path = folder / name
        path.write_bytes(data)
        return read_file(path)

    return run


def toml(data: bytes) -> None:
    """A text is TOML, with a line for every key, or a fault with a line."""
    try:
        parsed = parse_toml(data)
    except TomlSyntaxError as error:
        if error.fault.line < 1:
            raise AssertionError(f"no line: {error}") from error
        return
    json.dumps(parsed.json_like(), default=str)


# -- recorded reports


def records(reader: Callable[[BinaryIO, str, ZoneInfo], Iterable[Recorded]]) -> Callable[[bytes], object]:
    """Return what reads an input as a recorded file and hands every report to intake."""

    def run(data: bytes) -> None:
        _examined(reader(io.BytesIO(data), "file", DAMASCUS))

    return run


def _examined(found: Iterable[Recorded]) -> None:
    for number, each in enumerate(found):
        INTAKE.examine(each.value, (), origin(number), READ_AT)


def peeked(data: bytes) -> None:
    """What is read of a line's spine is of the kind it is said to be."""
    found = peek(data, 1)
    for text in (found.feed, found.report_id, found.report_type):
        if text is not None:
            text.encode("utf-8")


# -- published files


def published(read_file: Callable[[Path], object]) -> Callable[[bytes], object]:
    """Return what reads a published file bent as an input says.

    The file itself is too long to be drawn: an input is places (4 bytes each, of the file's length) with what to put
    there, 4 bytes of each; an odd first byte cuts the file at the first place.
    """
    folder = _folder()

    def run(data: bytes) -> object:
        whole = bytearray(_published())
        for at_, put in ((data[n : n + 4], data[n + 4 : n + 8]) for n in range(1, len(data) - 4, 8)):
            place = int.from_bytes(at_, "big") % len(whole)
            if data[0] % 2:
                del whole[place:]
                break
            whole[place : place + len(put)] = put
        path = folder / "compliance.duckdb"
        path.write_bytes(whole)
        return read_file(path)

    return run


def _whatif(path: Path) -> None:
    with closing(RecordedFacts(path)) as found:
        judge(found, found.agreement, moment=found.last_judged(), progress=lambda _done, _total: None)


def _explained(path: Path) -> None:
    read_explanation(path, "SY02", date(2016, 9, 12))


@cache
def _published() -> bytes:
    reports = [
        report(
            "incident", f"i{n}", reported_at=at(1), occurred=(at(0, n), at(0, n + 1)), region="SY02", kind="shelling"
        )
        for n in range(12)
    ]
    watched = report("coverage", "c", reported_at=at(1), occurred=(at(0), at(1)), nil=True, places=[{"pcode": "SY02"}])
    with tempfile.TemporaryDirectory() as folder:
        return History(agreement()).tell(*reports, watched, b"{").tick(at(1) + HOUR).judged(Path(folder)).read_bytes()


# -- seeds


def _reports() -> list[bytes]:
    spine = {"feed": "feed-a", "report_id": "r-1", "reported_at": "2016-09-20T12:00:00+03:00"}
    seen = {"from": "2016-09-20T09:00:00+03:00", "to": "2016-09-20T09:30:00+03:00", "precision": "minute"}
    place = {"pcode": "SY02", "names": ["Aleppo"], "point": {"latitude": 36.2, "longitude": 37.1}}
    kinds: list[dict[str, Any]] = [
        {"type": "incident", "occurred": seen, "place": place, "kind": "shelling", "revision": 2, "status": "merged",
         "merged_into": "r-0", "deaths": {"low": 1, "best": 2, "high": 3}, "raw": {"a": [1, None, "b"]},
         "parties": [{"name": "Government of Syria", "slot": "a"}, {"name": "IS", "slot": "b"}]},
        {"type": "incident", "occurred": seen, "place": {"pcode": "SY02"}, "kind": "airstrike"},
        {"type": "convoy", "occurred": seen, "place": place, "convoy_id": "aid-1", "step": "dispatched", "trucks": 31},
        {"type": "coverage", "occurred": seen, "places": [{"pcode": "SY02"}, {"names": ["Hama"]}], "nil": True},
        {"type": "bulletin", "occurred": seen, "tallies": [{"count": 4, "place": {"pcode": "SY02"}}], "total": 4},
        {"type": "declaration", "act": "start", "declared_by": "a party", "effective_at": "2016-09-12T19:00:00+03:00"},
        {"type": "position", "occurred": seen, "unit": "u", "party": "Government of Syria", "weapon_class": "heavy",
         "point": {"latitude": 36.2, "longitude": 37.1}},
    ]  # fmt: skip
    return [json.dumps(spine | kind, ensure_ascii=False).encode() for kind in kinds]


def _bodies() -> list[bytes]:
    tick = PARTED.join((b"", TICK_HEADER.encode(), b"1473696000000000"))
    return [*_reports(), tick, b"", b"null", b"[]"]


def _facts() -> list[bytes]:
    return [facts.encode(found) for found, _ in _told()]


def _chunks() -> list[bytes]:
    told = _told()
    return [chunks.encode(some) for some in (told, told * 20, *([each] for each in told))]


def _told() -> list[chunks.Told]:
    bodies = [*_reports(), b"{"]
    made = [(found, body) for body in bodies for _, found in INTAKE.examine(body, (), origin(7), READ_AT).facts]
    return [*made, (facts.TickFact(stamp=at(1)), b"")]


def _letters() -> list[bytes]:
    return [
        PARTED.join((b"attempt", b"3", b"hint", b"mend it", b"x-original-topic", b"a")),
        PARTED.join((b"traceparent", b"00-1", b"attempt", b"", b"attempt", b"999999")),
    ]


def _table(columns: Sequence[str], **cells: str) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="NA")
    writer.writeheader()
    writer.writerows([cells, cells])
    return text.getvalue().encode()


def _ged() -> list[bytes]:
    return [
        _table(
            ged.REQUIRED, id="1", type_of_violence="1", side_a="Government of Syria", side_b="IS", where_prec="2",
            source_office="a;b", source_date="2016-09-14;2016-09-15", source_headline="a raid;shelling", best="4",
            adm_1="Idlib Governorate", latitude="35.4", longitude="36.8", date_prec="1", date_start="2016-09-13",
            date_end="2016-09-13", deaths_a="1", deaths_b="1", deaths_civilians="1", deaths_unknown="1", low="3",
        )
    ]  # fmt: skip


def _videos() -> list[bytes]:
    return [
        _table(
            syrian_archive.REQUIRED, City="ALEPPO", Neighborhood="Anadan", Latitude="36.3", Longitude="37.0",
            Violation_Type="Other", Recording_Date="2016-09-20", Recording_Hour="9.0", Recording_Minute="48.0",
            Description="a town was targeted", Database_ID="17",
        )
    ]  # fmt: skip


def _convoys() -> list[bytes]:
    return [
        _table(
            compiled.CONVOY_COLUMNS, row="3", date="2016-09-22/2016-09-24", date_basis="stated", location="A town",
            adm1_pcode="SY03", convoy_type="inter-agency cross-line", trucks="25", people_intended="40000",
            status="delivered", quote="aid was delivered",
        )
    ]  # fmt: skip


def _tallies() -> list[bytes]:
    return [
        _table(
            compiled.TALLY_COLUMNS, published="2016-09-15", covers="2016-09-14", monitor="SNHR", violations="8",
            accused_party="a party", province_as_written="Hama", report_total="12",
        )
    ]  # fmt: skip


def _boundaries() -> list[bytes]:
    def square(region: str, west: float) -> dict[str, Any]:
        ring = [[west, 33.0], [west + 1, 33.0], [west + 1, 34.0], [west, 34.0], [west, 33.0]]
        geometry = {"type": "Polygon", "coordinates": [ring]}
        return {"type": "Feature", "properties": {"ADM1_PCODE": region}, "geometry": geometry}

    features = [square("SY01", 36.0), square("SY02", 37.0)]
    return [json.dumps({"type": "FeatureCollection", "features": features}).encode()]


def _bounded(path: Path) -> None:
    found = load_boundaries(path, {"SY01": "Damascus", "SY02": "Aleppo"}, "SY")
    for latitude, longitude in ((33.5, 36.5), (0.0, 0.0), (90.0, 180.0)):
        found.at(latitude, longitude)
        found.outside(latitude, longitude)


def _shipped(folder: str, name: str) -> Callable[[], Sequence[bytes]]:
    return lambda: [(resources.files("schemas") / folder / name).read_bytes()]


def _small_toml() -> list[bytes]:
    return [
        b'a = 1\n[b]\nc = "x"\nd = [1, 2,\n 3]\n[[e]]\nf = {g = 1}\n[[e]]\n"h i" = """\nmany\n"""\n',
        b"at = 2016-09-12T19:00:00\nday = 2016-09-12\nhour = 19:00:00\nx.y.'z' = 0x1f\n",
    ]


def _packed() -> list[bytes]:
    lines = b"\n".join(_reports())
    return [lines, gzip.compress(lines, mtime=0)]


def _bends() -> list[bytes]:
    return [bytes([kind, *place.to_bytes(4, "big"), 1, 2, 3, 4]) for kind in (0, 1) for place in (4_096, 400_000)]


@cache
def _folder() -> Path:
    held = tempfile.TemporaryDirectory(prefix="trucewatch-fuzz-")
    _held.append(held)
    return Path(held.name)


#: Folders that go when the process does.
_held: list[tempfile.TemporaryDirectory[str]] = []

_WORDS = (
    b'"type"',
    b'"occurred"',
    b'"place"',
    b'"point"',
    b'"raw"',
    b'"revision"',
    b'"parties"',
    b"SY02",
    b"retracted",
)
_TOML_WORDS = (b"[[", b"]]", b'"""', b"'''", b"\n[clock]\n", b"\n[violence]\n", b"2016-09-12T19:00:00", b"= {", b"SY99")


@cache
def targets() -> dict[str, Target]:
    """Return every target by its name."""
    every = (
        Target("examine", examine, _bodies, _WORDS),
        Target("fact", fact, _facts, _WORDS),
        Target("chunk", chunk, _chunks, (b"\xff\xff\xff\xff", b"fact", b"report")),
        Target("dead-letter", letter, _letters, (PARTED, b"attempt", b"hint", b"__streams.errors.topic")),
        Target("peek", peeked, _reports, _WORDS),
        Target("toml", toml, _small_toml, _TOML_WORDS),
        Target("jsonl", records(lambda source, name, _: read_jsonl(source, name)), _packed, _WORDS),
        Target("ged", records(ged.read_ged), _ged),
        Target("syrian-archive", records(syrian_archive.read_syrian_archive), _videos),
        Target("syrian-archive-places", lambda data: syrian_archive.read_places(io.BytesIO(data), "file"), _videos),
        Target("compiled-convoys", records(compiled.read_convoys), _convoys),
        Target("compiled-tallies", records(compiled.read_tallies), _tallies),
        Target("gzip", with_file(lambda path: _examined(read(path, "jsonl", DAMASCUS)), "reports"), _packed, share=0.2),
        Target(
            "agreement", with_file(lambda path: load_agreement(str(path)), "truce.toml"),
            _shipped("agreements", "syria-2016.toml"), _TOML_WORDS, share=0.02,
        ),
        Target(
            "gazetteer", with_file(lambda path: load_gazetteer(str(path)), "places.toml"),
            _shipped("gazetteers", "syria.toml"), _TOML_WORDS, share=0.02,
        ),
        Target(
            "boundaries", with_file(_bounded, "boundaries.geojson"),
            _boundaries, (b'"MultiPolygon"', b'"Point"'), share=0.2,
        ),
        Target("status", published(lambda path: read_status(path, days=7)), _bends, share=0.01, guided=False),
        Target("explain", published(_explained), _bends, share=0.01, guided=False),
        Target("verify", published(verify), _bends, share=0.005, guided=False),
        Target("whatif", published(_whatif), _bends, share=0.003, guided=False),
    )  # fmt: skip
    return {each.name: each for each in every}


def attempt(target: Target, data: bytes) -> None:
    """Run one input; errors of ours are answers, any other is a finding.

    Raises:
        BaseException: the finding.
    """
    try:
        target.run(data)
    except TrucewatchError:
        return
