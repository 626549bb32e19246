"""Agreements shipped as examples: their sources, their scope, and names as reports of their countries write them."""

from __future__ import annotations

import re
from importlib import resources

import pytest

from schemas.agreement import Agreement
from schemas.agreement_file import load_agreement, shipped_agreements
from schemas.gazetteer import load_gazetteer
from schemas.gazetteer_file import gazetteer_bytes, parse_gazetteer, shipped_gazetteers
from schemas.instants import parse_instant
from schemas.reports import Place
from schemas.truceday import to_micros

AGREEMENTS = {name: load_agreement(name) for name in shipped_agreements()}
#: Keys whose numbers somebody chose; each says on its line or above it where it comes from.
CHOSEN = re.compile(
    r"^(required_days|lateness_hours|reduction_percent|floor|first_day|last_day|overdue_after_hours|max_gap_days) = "
)


def test_four_agreements_are_shipped_each_with_a_gazetteer() -> None:
    assert list(AGREEMENTS) == ["ethiopia-tigray-2022", "syria-2016", "ukraine-minsk-2015", "yemen-hodeidah-2018"]
    assert sorted(each.gazetteer for each in AGREEMENTS.values()) == shipped_gazetteers()


@pytest.mark.parametrize("name", AGREEMENTS)
def test_every_number_says_where_it_comes_from(name: str) -> None:
    text = (resources.files("schemas") / "agreements" / f"{name}.toml").read_text("utf-8")
    lines = text.split("[[access.places]]")[0].split("[[pullback]]")[0].splitlines()
    for at, line in enumerate(lines):
        if CHOSEN.match(line):
            above = next(i for i in range(at, -1, -1) if not lines[i] or lines[i].startswith("["))
            assert "#" in "".join([*lines[above:at], line]), line


@pytest.mark.parametrize("name", [name for name in AGREEMENTS if name != "syria-2016"])
def test_an_example_says_that_it_is_one_and_what_is_our_reading(name: str) -> None:
    text = (resources.files("schemas") / "agreements" / f"{name}.toml").read_text("utf-8")
    head = " ".join(text.split("id = ")[0].replace("#", "").split())
    assert "An example to learn from" in head
    assert "no finding about anybody" in head
    assert text.count("ours") > 8


@pytest.mark.parametrize("name", shipped_gazetteers())
def test_middles_of_towns_lie_within_some_degrees_of_one_another(name: str) -> None:
    """Swapped figures, or a slip of a digit, would lie elsewhere."""
    file = parse_gazetteer(name, gazetteer_bytes(name))
    middles = [each.middle for each in (*file.regions, *file.places) if each.middle]
    for axis in (0, 1):
        assert max(each[axis] for each in middles) - min(each[axis] for each in middles) < 7


@pytest.mark.parametrize(
    ("gazetteer", "names", "region"),
    [
        ("ukraine-east", ["Дебальцево, Донецкая область"], "UA14"),
        ("ukraine-east", ["Luhansk region", "Stanytsia Luhanska"], "UA44"),
        ("ukraine-east", ["Станица Луганская"], "UA44"),
        ("ethiopia-north", ["መቐለ"], "ET01"),
        ("ethiopia-north", ["Amhara Region", "Kobo town"], "ET03"),
        ("yemen-west", ["محافظة الحديدة", "الدريهمي"], "YE18"),
        ("yemen-west", ["Hudaydah governorate", "At-Tuhayta district"], "YE18"),
    ],
)
def test_names_lead_to_regions_in_every_script(gazetteer: str, names: list[str], region: str) -> None:
    located = load_gazetteer(gazetteer).locate(Place.model_validate({"names": names}))
    assert (located.region, located.conflict) == (region, None)


def sides(*names: str) -> tuple[tuple[str, ...], ...]:
    return tuple((name,) for name in names)


@pytest.mark.parametrize(
    ("agreement", "between", "bound"),
    [
        ("ukraine-minsk-2015", sides("Government of Ukraine", "DPR"), True),
        ("ethiopia-tigray-2022", sides("Government of Ethiopia", "TPLF"), True),
        ("ethiopia-tigray-2022", sides("Government of Eritrea", "TPLF"), True),
        ("ethiopia-tigray-2022", sides("Government of Ethiopia", "Fano"), False),
        ("yemen-hodeidah-2018", sides("Government of Yemen", "AQAP"), False),
    ],
)
def test_who_is_bound(agreement: str, between: tuple[tuple[str, ...], ...], bound: bool) -> None:
    assert AGREEMENTS[agreement].in_scope(between) is bound


@pytest.mark.parametrize(
    ("agreement", "written", "party"),
    [
        ("ukraine-minsk-2015", "ВСУ", "Ukrainian troops"),
        ("ethiopia-tigray-2022", "Tigray Defense Forces", "Tigray People's Liberation Front"),
        ("yemen-hodeidah-2018", "الحوثيون", "Ansar Allah"),
    ],
)
def test_parties_are_known_as_feeds_write_them(agreement: str, written: str, party: str) -> None:
    assert AGREEMENTS[agreement].accused_parties((written,)) == (party,)


def test_one_is_over_and_two_have_an_open_end() -> None:
    def newest(agreement: Agreement) -> str:
        return f"{agreement.newest_day(to_micros(parse_instant('2024-02-29T12:00Z')))}"

    assert newest(AGREEMENTS["ukraine-minsk-2015"]) == "2022-02-21"
    assert newest(AGREEMENTS["yemen-hodeidah-2018"]) == newest(AGREEMENTS["ethiopia-tigray-2022"]) == "2024-02-29"
