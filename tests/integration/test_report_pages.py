"""Daily report as PDF pages, printed in an environment that has the extra ``pdf``."""

from __future__ import annotations

import json
import re
import site
import tomllib
from pathlib import Path

import pytest

from tests.support.broken_week import bad_day
from tests.support.demo import Demo
from tests.support.environments import Environment, every_alone
from tests.support.shell import ROOT

pytestmark = [pytest.mark.broker, every_alone]

#: Pages of a PDF: their sizes in points and their text, and each as a picture beside it.
PAGES = """
import json, sys
import pypdfium2
pages = []
for number, page in enumerate(pypdfium2.PdfDocument(sys.argv[1]), 1):
    page.render(scale=1.5).to_pil().save(f"{sys.argv[1]}.{number}.png")
    pages.append([page.get_size(), page.get_textpage().get_text_bounded()])
print(json.dumps(pages))
"""


@pytest.fixture(scope="module")
def printing(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with the extra, and whatever else the tests' own has."""
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]["pdf"]
    environment = Environment(tmp_path_factory.mktemp("printing") / "env", *wanted, "pypdfium2")
    (packages,) = (environment.binaries.parent / "lib").glob("python*/site-packages")
    (packages / "ours.pth").write_text("\n".join([*site.getsitepackages(), str(ROOT)]), "utf-8")
    return environment


def printed(printing: Environment, file: Path, day: str, folder: Path) -> list[str]:
    """Return the text of each page of a report, without what is no letter.

    Lines are broken within a name as well, and a hyphen at their end is told as another sign.
    """
    report = ("report", "--day", day, "--pdf", "--out", f"{day}.pdf", "--force", "--file", file)
    printing.said(printing.python, "-m", "streams", *report, cwd=folder)
    pages = json.loads(printing.said(printing.python, "-c", PAGES, f"{day}.pdf", cwd=folder))
    assert all(width < height for (width, height), _ in pages)
    return [re.sub(r"\W", "", said) for _, said in pages]


@pytest.mark.parametrize("day", [f"2016-09-{day}" for day in range(12, 19)])
def test_a_report_is_two_pages_at_most_that_are_the_same_each_time(
    day: str, demo: Demo, printing: Environment, tmp_path: Path
) -> None:
    pages = printed(printing, demo.file, day, tmp_path)
    assert 1 <= len(pages) <= 2
    for said in ("The gate is closed: 0 of 9 regions have held 7 days.", "silence is not peace", "Cite as: trucewatch"):
        assert re.sub(r"\W", "", said) in "".join(pages), said
    assert "leftout" not in "".join(pages)
    if day == "2016-09-14":
        assert re.sub(r"\W", "", "sohr/2016-09-15-aleppo-mashariqa") in "".join(pages)
        once = (tmp_path / f"{day}.pdf").read_bytes()
        printed(printing, demo.file, day, tmp_path)
        assert (tmp_path / f"{day}.pdf").read_bytes() == once


def test_a_day_worse_than_two_pages_can_hold_keeps_to_them_and_to_its_deadliest(
    printing: Environment, tmp_path: Path
) -> None:
    pages = printed(printing, bad_day(tmp_path), "2016-09-12", tmp_path)
    assert len(pages) == 2
    text = "".join(pages)
    assert "Othersareleftouthere" in text
    assert "Otherswithnogreatertollareleftouthere" in text
    assert "i13x9" in text
    assert "i2x5" not in text
    assert "Citeastrucewatch" in pages[-1]
