"""Daily report as PDF pages, printed in an environment that has the extra ``pdf``."""

from __future__ import annotations

import json
import re
import site
import tomllib
from pathlib import Path

import pytest

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


def test_a_report_is_two_pages_or_three_that_are_the_same_each_time(
    demo: Demo, printing: Environment, tmp_path: Path
) -> None:
    for name in ("one.pdf", "two.pdf"):
        report = ("report", "--day", "2016-09-14", "--pdf", "--out", name, "--file", demo.file)
        printing.said(printing.python, "-m", "streams", *report, cwd=tmp_path)
    assert (tmp_path / "one.pdf").read_bytes() == (tmp_path / "two.pdf").read_bytes()
    pages = json.loads(printing.said(printing.python, "-c", PAGES, "one.pdf", cwd=tmp_path))
    assert 1 <= len(pages) <= 3
    # Lines are broken within a name as well, and a hyphen at their end is told as another sign.
    text = re.sub(r"\W", "", "".join(said for _, said in pages))
    for said in (
        "The gate is closed: 0 of 9 regions have held 7 days.",
        "sohr/2016-09-15-aleppo-mashariqa",
        "silence is not peace",
        "Cite as: trucewatch",
    ):
        assert re.sub(r"\W", "", said) in text, said
    assert all(width < height for (width, height), _ in pages)
