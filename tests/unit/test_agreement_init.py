"""``agreement init``: a skeleton that is valid, with every choice marked as its author's."""

from __future__ import annotations

import json
import tomllib
from datetime import date
from pathlib import Path

import pytest

from schemas.agreement_file import load_agreement
from schemas.plain_words import path_of
from schemas.toml_file import parse_toml
from streams.countries.agreement import MARK
from tests.support.commands import Ended, Run
from tests.support.countries import boundaries, geojson

#: What the author states, or the draft makes of it; every other value is a choice.
STATED = {"id", "title", "gazetteer", "clock.effective", "clock.ends", "clock.time_zone", "clock.required_days"}


@pytest.fixture
def highland(run: Run, tmp_path: Path) -> Path:
    """A gazetteer of a made-up country in a folder of its own."""
    (tmp_path / "names").mkdir()
    made = tmp_path / "names" / "highland.toml"
    assert run("gazetteer", "init", geojson(tmp_path / "b.geojson", boundaries("XA")), "-o", made).code == 0
    return made


def drafted(run: Run, gazetteer: Path | str, *options: str) -> Ended:
    given = ("--effective", "2026-03-01T06:00", "--days", "7", "--time-zone", "Asia/Damascus", "-o", "my-truce.toml")
    return run("agreement", "init", "--gazetteer", gazetteer, *given, *options)


def test_the_skeleton_passes_check_config_from_wherever_the_gazetteer_lies(run: Run, highland: Path) -> None:
    ended = drafted(run, highland)
    assert ended.code == 0, ended.err
    assert "my-truce.toml: agreement my-truce, 3 regions, Asia/Damascus" in ended.out
    checked = run("check-config", "--agreement", "my-truce.toml")
    assert checked.code == 0
    assert "In effect from 2026-03-01 06:00 Asia/Damascus; truce-days start at 06:00." in checked.out
    assert "The gate opens after 7 MET days in a row in XA01, XA02, XA03." in checked.out
    assert tomllib.loads(Path("my-truce.toml").read_text())["gazetteer"] == str(Path("names", "highland.toml"))


def test_a_file_that_cannot_be_written_is_called_by_its_own_name(run: Run, highland: Path) -> None:
    (highland.parent / "file").write_text("")
    for out in ("nowhere/truce.toml", highland.parent / "file" / "truce.toml"):
        ended = drafted(run, highland, "-o", str(out))
        assert (ended.code, ended.err.split("cannot be written")[0]) == (2, f"trucewatch: {out} ")


def test_it_is_what_the_author_stated(run: Run, highland: Path) -> None:
    assert drafted(run, highland, "--ends", "2026-06-01T06:00", "--title", 'The "long" truce', "--id", "long").code == 0
    made = load_agreement("my-truce.toml")
    assert (made.id, made.title, f"{made.clock.ends}") == ("long", 'The "long" truce', "2026-06-01 06:00:00")
    baseline = made.violence.baseline
    assert (baseline.first_day, baseline.last_day) == (date(2026, 2, 1), date(2026, 2, 28))


def test_every_choice_is_marked_on_its_line_or_above_it(run: Run, highland: Path) -> None:
    """A value that stood there unmarked would be taken for a finding of somebody's."""
    drafted(run, highland)
    text = Path("my-truce.toml").read_text("utf-8")
    lines = text.splitlines()
    toml = parse_toml(text.encode())
    leaves = {loc: line for loc, line in toml.lines.items() if not any(isinstance(part, int) for part in loc)}
    tables = {loc[:length] for loc in leaves for length in range(1, len(loc))}
    marked = 0
    for loc, line in leaves.items():
        if loc not in tables and path_of(loc) not in STATED:
            block = _comments_above(lines, line - 1) + _value(lines, line - 1)
            assert MARK in block, path_of(loc)
            marked += 1
    assert marked > 20
    assert MARK in lines[0]


def _comments_above(lines: list[str], at: int) -> str:
    """Return the comments above a line, across the neighbours and the header they are of too."""
    above: list[str] = []
    while at > 0 and lines[at - 1].strip():
        at -= 1
        above.append(lines[at])
    return "\n".join(line for line in above if line.lstrip().startswith("#"))


def _value(lines: list[str], at: int) -> str:
    """Return the lines of a value, which may be a list over several."""
    taken = [lines[at]]
    while "[" in taken[0].split("#")[0] and "]" not in taken[-1].split("#")[0]:
        at += 1
        taken.append(lines[at])
    return "\n".join(taken)


def test_a_country_of_one_time_zone_has_it_unasked(run: Run) -> None:
    given = ("--effective", "2026-03-01", "--days", "30", "-o", "t.toml")
    ended = run("agreement", "init", "--gazetteer", "syria", *given, "--json")
    said = json.loads(ended.out)
    assert (said["time_zone"], said["id"]) == ("Asia/Damascus", "t")
    assert said["choices"] == Path("t.toml").read_text("utf-8").count(MARK) - 1
    made = load_agreement("t.toml")
    assert (made.gazetteer, made.clock.required_days, len(made.regions)) == ("syria", 30, 14)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--time-zone", "Asia/Damscus"), "is none of the IANA database; did you mean 'Asia/Damascus'?"),
        (("--effective", "1 March"), "--effective: '1 March' is no time; write local time without an offset"),
        (("--effective", "2026-03-01T06:00Z"), "--effective: '2026-03-01T06:00Z' has an offset; write local time"),
        (("--ends", "2026-03-08T07:00"), "my-truce.toml: 1 fault\n  line 30: clock.ends: expected a time of day equal"),
        (("--id", "My Truce"), "my-truce.toml: 1 fault\n  line 5: id: expected lower-case words"),
        (("--id", "syria-2016"), "an agreement called syria-2016 is shipped; choose another id with --id"),
        (("--days", "0"), "greater than or equal to 1"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_written(
    run: Run, tmp_path: Path, highland: Path, options: tuple[str, ...], said: str
) -> None:
    ended = drafted(run, highland, *options)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert sorted(each.name for each in tmp_path.iterdir()) == ["b.geojson", "names"]


def test_a_country_of_several_time_zones_or_none_known_needs_one(run: Run, tmp_path: Path, highland: Path) -> None:
    given = ("--effective", "2026-03-01", "--days", "7", "-o", "t.toml")
    said = run("agreement", "init", "--gazetteer", highland, *given)
    assert (said.code, "none is known for the country XA; name it with --time-zone" in said.err) == (2, True)
    text = highland.read_text("utf-8").replace('country = "XA"', 'country = "CD"')
    (tmp_path / "congo.toml").write_text(text, "utf-8")
    said = run("agreement", "init", "--gazetteer", "congo.toml", *given)
    assert "a time zone is needed: CD has Africa/Kinshasa, Africa/Lubumbashi" in said.err
