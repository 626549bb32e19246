"""Receiver of webhooks, a process that keeps what it is sent and dies where it is told to.

``python -m tests.support.webhook_receiver PORT FILE DIE_AT before|after``: at its request DIE_AT it kills itself,
before it keeps the event or after, in both cases without an answer; 0 is never.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any


class _Handler(BaseHTTPRequestHandler):
    file: Path
    die_at: int
    moment: str
    requests = 0

    def do_POST(self) -> None:
        """Keep one event."""
        body = self.rfile.read(int(self.headers["content-length"]))
        _Handler.requests += 1
        dies = _Handler.requests == self.die_at
        if dies and self.moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        with self.file.open("a") as out:
            kept = {"headers": dict(self.headers), "body": body.decode()}
            out.write(json.dumps(kept) + "\n")
            out.flush()
            os.fsync(out.fileno())
        if dies:
            os.kill(os.getpid(), signal.SIGKILL)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def main() -> None:
    """Receive until killed."""
    port, file, die_at, moment = sys.argv[1:]
    _Handler.file, _Handler.die_at, _Handler.moment = Path(file), int(die_at), moment
    HTTPServer(("127.0.0.1", int(port)), _Handler).serve_forever()


if __name__ == "__main__":
    main()
