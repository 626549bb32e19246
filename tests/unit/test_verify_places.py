"""Places that polygons located. The file keeps no polygons: its word is taken unless it contradicts a report."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest

from schemas.gazetteer import load_gazetteer
from streams.intake.examine import Examiner
from streams.verify import verify
from tests.support.effort import cases
from tests.support.judged import History, report
from tests.support.polygons import features, square
from tests.support.worlds import agreement, at

#: Squares around two towns, and of the other regions elsewhere.
SQUARES = [
    ({"ADM1_PCODE": "SY01"}, square(36.0, 33.0)),
    ({"ADM1_PCODE": "SY02"}, square(37.0, 36.0)),
    *(({"ADM1_PCODE": f"SY{number:02}"}, square(number, 10.0)) for number in range(3, 15)),
]
DAMASCUS: dict[str, float] = {"latitude": 33.5, "longitude": 36.5}
ALEPPO: dict[str, float] = {"latitude": 36.5, "longitude": 37.5}
AT_SEA: dict[str, float] = {"latitude": 30.0, "longitude": 30.0}


def history(folder: Path) -> History:
    """Reports of every type with a place, located by polygons, in part corrected, in part rejected."""
    boundaries = folder / "squares.json"
    boundaries.write_text(json.dumps(features(*SQUARES)), encoding="utf-8")
    told = History(agreement())
    told._examiner = Examiner([told.agreement], load_gazetteer("syria", boundaries), "archive")

    def incident(name: str, **place: Any) -> dict[str, Any]:
        spine: dict[str, Any] = {"reported_at": at(1), "occurred": (at(0.1), at(0.2)), "kind": "shelling"}
        return report("incident", name, place=place, **spine)

    def watched(revision: int, *points: dict[str, Any]) -> dict[str, Any]:
        places = [{"point": point} for point in points]
        spine: dict[str, Any] = {"reported_at": at(revision), "occurred": (at(0), at(1)), "nil": True}
        return report("coverage", "w", revision=revision, places=places, **spine)

    told.tell(
        incident("point", point=DAMASCUS, precision="exact"),
        incident("both", point=ALEPPO, names=["Damascus"], precision="exact"),
        incident("coded", pcode="SY01", point=ALEPPO),
        incident("nowhere", point=AT_SEA),
        {**incident("refused", point=ALEPPO), "kind": "sheling"},
        {**incident("far", point=AT_SEA), "kind": "sheling"},
        watched(1, DAMASCUS),
    ).tick(at(1, 1))
    tallies = [{"count": 1, "place": {"point": ALEPPO}}, {"count": 2}, {"count": 1, "place": {"pcode": "SY01"}}]
    told.tell(
        watched(2, DAMASCUS, ALEPPO),
        report("bulletin", "b", feed="monitor", reported_at=at(2), occurred=(at(0), at(1)), tallies=tallies),
        report(
            "convoy",
            "s",
            reported_at=at(2),
            occurred=(at(1), at(1)),
            place={"point": ALEPPO, "names": ["Aleppo"]},
            convoy_id="aid",
            step="offloaded",
        ),
        incident("point", point=DAMASCUS, precision="exact", names=["Damascus"]),
    )
    return told.tick(at(2, 1))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("squares")
    return history(folder).judged(folder / "judged")


def test_what_polygons_located_is_no_difference(published: Path) -> None:
    with closing(duckdb.connect(str(published), read_only=True)) as connection:
        read = "select report_id, region, located_by from reports where type in ('incident', 'convoy') order by all"
        assert connection.execute(read).fetchall() == [
            ("both", "SY02", "point"),
            ("coded", "SY01", "pcode"),
            ("point", "SY01", "point"),
            ("s", "SY02", "name"),
        ]
        told = connection.execute("select report_id, regions from rejects where len(regions) > 0").fetchall()
        assert told == [("refused", ["SY02"])]
    assert [str(found) for found in verify(published, limit=5)] == []


@pytest.mark.parametrize(
    ("change", "table"),
    cases(
        [
            ("update reports set region = 'SY02' where report_id = 'coded'", "reports"),
            # No point decides against a P-code.
            ("update reports set located_by = 'point' where report_id = 'coded'", "reports"),
            # A point that is not said to have located it has nothing else that could.
            ("update reports set located_by = 'name' where report_id = 'point'", "rejects"),
            ("update reports set place_name = 'Homs' where report_id = 'both'", "reports"),
            ("update coverage set region = 'SY14' where region = 'SY02'", "coverage"),
            ("update bulletins set region = 'SY02' where line = 3", "bulletins"),
            ("update rejects set hint = 'no idea' where code = 'bad_value'", "rejects"),
        ],
        fast=2,
    ),
)
def test_what_contradicts_a_report_is_found(change: str, table: str, published: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(published, tmp_path / "altered.duckdb"))
    with closing(duckdb.connect(str(path))) as connection:
        connection.execute(change)
    assert [found.table for found in verify(path)] == [table]
