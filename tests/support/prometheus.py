"""Prometheus and its promtool, where the machine has them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from streams.engine.broker import free_port

#: Generous: a loaded machine starts nothing fast.
PATIENCE = 60.0


def needed(program: str) -> str:
    """Return the path of a program; skip the test where there is none, or fail it with REQUIRE_PROMETHEUS=1."""
    found = shutil.which(program)
    if found is None and os.environ.get("REQUIRE_PROMETHEUS") == "1":
        pytest.fail(f"REQUIRE_PROMETHEUS=1, but there is no {program}")
    if found is None:
        pytest.skip(f"no {program} on this machine; Debian's package prometheus has it")
    return found


@contextmanager
def scraping(folder: Path, targets: Sequence[str]) -> Iterator[str]:
    """Run Prometheus over ``host:port`` targets for the length of a block, and yield its base address."""
    jobs = [{"job_name": "trucewatch", "static_configs": [{"targets": list(targets)}]}]
    config = folder / "prometheus.yml"
    config.write_text(json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": jobs}))  # JSON is YAML
    listen = f"127.0.0.1:{free_port()}"
    options = [f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}", f"--web.listen-address={listen}"]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen([needed("prometheus"), *options], stdout=log, stderr=log)
    try:
        yield f"http://{listen}"
    finally:
        process.terminate()
        process.wait()


def asked(base: str, query: str) -> list[dict[str, Any]]:
    """Return what Prometheus answers to a query; nothing while it is not there yet.

    Raises:
        ValueError: it refuses the query.
    """
    address = f"{base}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    try:
        with urllib.request.urlopen(address, timeout=PATIENCE) as answer:  # noqa: S310 - loopback
            return list(json.load(answer)["data"]["result"])
    except urllib.error.HTTPError as error:
        if error.code != 503:
            raise ValueError(query, error.read().decode()) from error
        return []
    except urllib.error.URLError:
        return []


def answered(base: str, query: str) -> list[dict[str, Any]]:
    """Wait until Prometheus has an answer to a query, and return it."""
    end = time.monotonic() + PATIENCE
    while not (found := asked(base, query)):
        assert time.monotonic() < end, f"nothing is found by {query}"
        time.sleep(0.2)
    return found
