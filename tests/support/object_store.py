"""S3-compatible store on loopback, a process of its own at a port that the system gives."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.shell import clean_environment

_SERVING = re.compile(r"Running on (http://127\.0\.0\.1:\d+)")
KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}


@contextmanager
def object_store() -> Iterator[str]:
    """Yield the address of a store, which takes whatever credentials it is given."""
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
        env=clean_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        said = ""
        while not (serving := _SERVING.search(said)):
            line = process.stderr.readline()
            assert line, f"the store ended: {said}"
            said += line
        # It tells of each request, and would wait for a reader.
        threading.Thread(target=process.stderr.read, daemon=True).start()
        yield serving[1]
    finally:
        process.terminate()
        process.wait(timeout=30)
        process.stderr.close()


def told(store: str, path: str, body: bytes = b"", method: str = "POST") -> None:
    """Send the store a request of no client of S3."""
    headers = {"Content-Type": "application/octet-stream"}
    request = urllib.request.Request(f"{store}/{path}", data=body, headers=headers, method=method)  # noqa: S310
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - on loopback
        assert answer.status == 200
