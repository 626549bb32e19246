"""README and docs: every command of every page does what the page says, run in order as a reader would."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from streams.engine.broker import EmbeddedBroker, free_port
from tests.support.commands import runner
from tests.support.demo import Demo
from tests.support.documents import Page, pages
from tests.support.walk import Walk

pytestmark = pytest.mark.broker

PAGES = [page for page in pages() if any(block.runs for block in page.blocks)]


@pytest.mark.each
@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_command_of_a_page_does_what_the_page_says(
    page: Page, demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    demo.copied_to(tmp_path)
    # A terminal as wide as what the pages show.
    monkeypatch.setenv("COLUMNS", "200")
    run = runner(monkeypatch, capfd, tmp_path)
    with ExitStack() as stack:
        port = free_port()
        if not page.brings_its_broker:
            stack.enter_context(EmbeddedBroker(tmp_path / "broker", port))
        Walk(page, tmp_path, port, run, demo.said).through()
