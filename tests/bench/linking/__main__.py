"""Precision and recall of linking on pairs of reports that people labelled.

``python -m tests.bench.linking`` replays the two real data sets and prints how the pairs of ``labelled.csv`` came out,
and apart from them those of ``held_out.csv``, which no rule was tried on.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from sinks import open_published
from tests.support.shared_data import find_shared_data
from tests.support.shell import trucewatch

LABELLED, HELD_OUT = (Path(__file__).with_name(name) for name in ("labelled.csv", "held_out.csv"))
#: Without them a video that states a point and no place is refused.
BOUNDARIES = "cod_ab_syria/syr_adm1_simplified_0.01deg.geojson"
EVENTS = "ucdp_ged_syria/ged_syria_2016_2019.csv.gz"
VIDEOS, PLACES = "syrian_archive_videos/violations.csv.gz", "syrian_archive_videos/syrian_places.csv"
#: From the surest to the least sure; two that hang together by others are as sure as the least sure link.
_CERTAINTIES = ("asserted", "good", "doubtful")


class Label(NamedTuple):
    """One labelled pair, with the word that stands, and both readings where there were two."""

    event: str
    video: str
    stratum: str
    label: str
    reason: str
    first: str = ""
    second: str = ""


class Found(NamedTuple):
    """What linking made of one pair. ``certainty`` is None where the two are in no one incident."""

    label: Label
    certainty: str | None
    place: str

    @property
    def kinds(self) -> str:
        """The pair of feeds."""
        return " and ".join(name.partition("/")[0] for name in (self.label.event, self.label.video))


class Score(NamedTuple):
    """Links and true pairs of one group."""

    right: int
    wrong: int
    missed: int

    @property
    def precision(self) -> float | None:
        """Share of links that hold."""
        return self.right / (self.right + self.wrong) if self.right + self.wrong else None

    @property
    def recall(self) -> float | None:
        """Share of true pairs that are linked."""
        return self.right / (self.right + self.missed) if self.right + self.missed else None


def labels(file: Path = LABELLED) -> list[Label]:
    """Return the labelled pairs."""
    with file.open(encoding="utf-8", newline="") as lines:
        return [Label(**row) for row in csv.DictReader(lines)]


def outcome(copy: Path, pairs: Iterable[Label]) -> list[Found]:
    """Return what a published copy makes of the pairs."""
    with closing(open_published(copy)) as connection:
        members = connection.execute(
            "SELECT feed || '/' || report_id, incident_id, linked_to, certainty FROM incident_reports"
            " WHERE standing = 'active'"
        ).fetchall()
        places = dict(
            connection.execute(
                "SELECT feed || '/' || report_id, CASE WHEN latitude IS NULL THEN 'no point' ELSE place_precision END"
                " FROM reports WHERE type = 'incident' AND present"
            ).fetchall()
        )
    incident = {name: of for name, of, _, _ in members}
    own = {(name, to): certainty for name, _, to, certainty in members}
    least: dict[str, str] = {}
    for _, of, _, certainty in members:
        if certainty is not None:
            least[of] = max(least.get(of, certainty), certainty, key=_CERTAINTIES.index)
    found = []
    for pair in pairs:
        of = incident.get(pair.event)
        together = of is not None and of == incident.get(pair.video)
        certainty = own.get((pair.video, pair.event), least.get(of)) if together else None
        where = " and ".join(places.get(name, "refused") for name in (pair.event, pair.video))
        found.append(Found(pair, certainty, where))
    return found


def score(found: Iterable[Found], certainty: str | None = None) -> Score:
    """Return how many links hold, and how many pairs are missed; of one certainty when it is given."""
    counted = Counter(
        (one.label.label == "yes", one.certainty is not None and certainty in (None, one.certainty)) for one in found
    )
    return Score(counted[True, True], counted[False, True], counted[True, False])


def table(found: list[Found], name: str = "pairs") -> Iterator[str]:
    """Yield the lines of a table of all groups."""
    yield f"| {name} | links right | links wrong | missed | precision | recall |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    yield _line("all", score(found))
    for certainty in _CERTAINTIES[1:]:
        yield _line(f"`{certainty}` links", score(found, certainty)._replace(missed=0), recall=False)
    for feeds in sorted({one.kinds for one in found}):
        yield _line(feeds, score([one for one in found if one.kinds == feeds]))
    for place in sorted({one.place for one in found}):
        yield _line(f"points: {place}", score([one for one in found if one.place == place]))
    for stratum in dict.fromkeys(sorted(one.label.stratum for one in found)):
        yield _line(f"drawn: {stratum}", score([one for one in found if one.label.stratum == stratum]))


def _line(name: str, counted: Score, *, recall: bool = True) -> str:
    shares = (counted.precision, counted.recall if recall else None)
    said = " | ".join("" if share is None else f"{share:.2f}" for share in shares)
    return f"| {name} | {counted.right} | {counted.wrong} | {counted.missed if recall else ''} | {said} |"


def main(arguments: list[str] | None = None) -> int:
    """Replay, count and print; 0 when done, and when the data are not there."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.linking", description=__doc__)
    parser.add_argument("--copy", type=Path, help="a published copy of these two data sets, to replay nothing")
    parser.add_argument("--pairs", action="store_true", help="name every pair that came out wrong")
    options = parser.parse_args(arguments)
    if options.copy is not None:
        return _print(options.copy, pairs=options.pairs)
    files = [find_shared_data(name) for name in (EVENTS, VIDEOS, PLACES, BOUNDARIES)]
    absent = [str(file) for file in files if not file.exists()]
    if absent:
        print(f"skipped: shared data is absent: {absent[0]}; set TRUCEWATCH_SHARED_DATA")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        done = trucewatch("replay", *files[:2], "--boundaries", files[3], "--data", folder)
        if done.returncode not in (0, 1):
            print(done.stderr, file=sys.stderr)
            return done.returncode
        return _print(Path(folder) / "syria-2016" / "compliance.duckdb", pairs=options.pairs)


def _print(copy: Path, *, pairs: bool) -> int:
    for file, name in ((LABELLED, "labelled pairs"), (HELD_OUT, "held-out pairs")):
        found = outcome(copy, labels(file))
        print(*table(found, name), "", sep="\n")
        for one in found if pairs else ():
            if (one.certainty is not None) != (one.label.label == "yes"):
                came_out = one.certainty or "not linked"
                print(f"{one.label.event} {one.label.video}: {came_out}; {one.label.label}, {one.label.reason}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
