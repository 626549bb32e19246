"""Status that follows the published copy: redrawn on a terminal, a line a change elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from rich.live import Live
from rich.text import Text

from schemas.errors import TrucewatchError
from sinks.publishing import Signature, signature_of
from streams.cli.output import SafeConsole, answer, answers, notice, print_json_line
from streams.cli.signals import until_told_to_stop
from streams.ops.screen import show_screen
from streams.ops.status import Status, freshness, gate_sentence, is_stale, refused_sentence
from streams.ops.status_text import status_json
from streams.ops.wording import counted, local_time

#: How often the copy is looked at, and how often its age is drawn anew.
_LOOK_SECONDS, _AGE_SECONDS = 0.25, 1.0

Read = Callable[[], Status]


class _Copy:
    """Published copy that is read again when it is replaced.

    Attributes:
        status: of the last copy that could be read.
        fault: why there is none, or not the newest.
    """

    def __init__(self, path: Path, read: Read) -> None:
        self.status: Status | None = None
        self.fault: str | None = None
        self._path = path
        self._read = read
        self._seen: Signature | None = None

    def look(self) -> bool:
        """Read the copy if it is another one; return whether there is something new to show."""
        signature = signature_of(self._path)
        if signature == self._seen and (signature is not None or self.fault is not None):
            return False
        before, self._seen = self.fault, signature
        try:
            self.status, self.fault = self._read(), None
        except TrucewatchError as error:
            self.fault = str(error)
            return self.fault != before
        return True


def watch(path: Path, read: Read, max_age: int | None, *, as_json: bool) -> None:
    """Follow a published copy until told to stop.

    A copy that cannot be read is said, and tried again when another one is there.
    """
    copy, console = _Copy(path, read), answers()
    with until_told_to_stop() as told:
        if as_json or not console.is_terminal:
            _lines(copy, told, as_json=as_json)
        else:
            _screens(copy, console, max_age, told)


def _lines(copy: _Copy, told: list[int], *, as_json: bool) -> None:
    last: object = None
    while not told:
        if copy.look():
            if copy.fault is not None:
                notice(copy.fault)
            elif copy.status is not None and (state := _state(copy.status)) != last:
                last = state
                if as_json:
                    print_json_line(status_json(copy.status))
                else:
                    answer(_line(copy.status))
        time.sleep(_LOOK_SECONDS)


def _screens(copy: _Copy, console: SafeConsole, max_age: int | None, told: list[int]) -> None:
    drawn = 0.0
    # Of a terminal that is too low the end is cut off: the gate stands first.
    with Live(console=console, screen=True, auto_refresh=False, vertical_overflow="crop") as live:
        while not told:
            if copy.look() or time.monotonic() - drawn >= _AGE_SECONDS:
                live.update(_drawn(copy, max_age), refresh=True)
                drawn = time.monotonic()
            time.sleep(_LOOK_SECONDS)


def _drawn(copy: _Copy, max_age: int | None) -> Text:
    # Of its own: what is printed to a console that is live has the screen before behind it.
    found, console = copy.status, answers()
    with console.capture() as captured:
        if copy.fault is not None:
            console.print(Text(copy.fault, style="bold"))
        if found is not None:
            if is_stale(found, max_age):
                console.print(Text(f"STALE: {freshness(found.published_at)}", style="bold"))
            show_screen(console, found)
    return Text.from_ansi(captured.get())


def _state(status: Status) -> object:
    """Return what of a status makes a line when it changes: ages and the time do not."""
    cells = [(cell.region, cell.truce_day, cell.verdict, cell.state, cell.incidents) for cell in status.cells]
    gate = status.gate and (status.gate.is_open, status.gate.reason)
    return cells, gate, status.outcomes, status.refused


def _line(status: Status) -> str:
    zone = status.agreement.clock.time_zone
    at = "not published" if status.published_at is None else local_time(status.published_at, zone)
    records = counted(sum(status.outcomes.values()), "record")
    return f"{at}  {' '.join(filter(None, (gate_sentence(status.gate), refused_sentence(status.refused), records)))}"
