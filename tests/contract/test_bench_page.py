"""The page of speed: written by the bench, with all that is needed to judge a figure."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.page import FIGURES, PACKAGES, Bench, Span, machine, markdown, rewritten
from tests.support.effort import EVERY
from tests.support.shell import ROOT

PAGE = ROOT / "docs" / "speed.md"


def bench(broker: str, linking: str, rate: float) -> Bench:
    """Return a bench that went through end to end at a rate, with a bare consumer at 100,000."""
    spans = [Span(1_000, 250.4, 700.0, 480.0, 90.0)]
    return Bench(broker, linking, 1_000, 100_000.0, {"end to end": rate}, spans, [float(ms) for ms in range(1, 101)])


def test_rates_stand_beside_those_of_a_bare_consumer_without_linking_and_with_it() -> None:
    made = markdown([bench("embedded", "without", 15_000), bench("embedded", "with", 7_400)], machine())
    assert "| end to end | 15,000 | 0.15 | 7,400 | 0.07 |" in made
    assert "| bare consumer with orjson | 100,000 | 1.00 | 100,000 | 1.00 |" in made
    assert "| without | 1,000 | 250 | 700 | 480 | 90 |" in made
    assert "with linking: p50 51 ms, p99 100 ms, at most 100 ms." in " ".join(made.split())


def test_each_broker_has_a_table_and_all_have_one_machine() -> None:
    made = markdown([bench("embedded", "with", 1), bench("kafka", "with", 1)], machine())
    assert re.findall(r"^### (Embedded|Apache)", made, re.MULTILINE) == ["Embedded", "Apache"]
    assert len(re.findall("at commit `([0-9a-f]{7,}(-dirty)?|unknown)`", made)) == 1
    assert all(name in made for name in PACKAGES)


def test_figures_written_again_replace_the_earlier_ones_and_nothing_else() -> None:
    page = PAGE.read_text("utf-8")
    once = rewritten(page, "first\n")
    assert rewritten(once, "second\n") == rewritten(page, "second\n") == once.replace("first\n", "second\n")
    begin, end = FIGURES
    assert once.split(begin)[0] == page.split(begin)[0]
    assert once.split(end)[1] == page.split(end)[1]


@pytest.mark.parametrize("page", ["", FIGURES[0], "\n".join(reversed(FIGURES))])
def test_a_page_without_a_place_for_figures_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match="no place for figures"):
        rewritten(page, "figures\n")


@pytest.mark.slow
@pytest.mark.broker
@pytest.mark.skipif(not EVERY, reason="make test-every runs it; it measures for half a minute")
def test_the_bench_measures_the_pipeline_and_writes_what_it_found(tmp_path: Path) -> None:
    page = tmp_path / "speed.md"
    page.write_text("\n".join(FIGURES))
    few = ["--reports", "12000", "--whole", "--broker", "embedded", "--linking", "with", "--latency-seconds", "2"]
    command = [sys.executable, "-m", "tests.bench", *few, "--recount", "--write", page]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    written = page.read_text("utf-8")
    assert done.stdout in written
    (rate,) = re.findall(r"^\| end to end \| ([\d,]+) \|", written, re.MULTILINE)
    assert int(rate.replace(",", "")) > 0
    assert "0 rows differ" in written
    assert "p99" in written
