"""Running a target on many inputs, in a process of its own: what kills the process is a finding too."""

from __future__ import annotations

import hashlib
import random
import resource
import signal
import struct
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from tests.fuzz.mutation import inputs
from tests.fuzz.targets import Target, attempt, targets

#: CPU of one input, and time where it waits for something.
LONGEST_SECONDS, LONGEST_WAIT_SECONDS = 10.0, 120.0
MOST_MEMORY = 6 * 1024**3
#: Inputs run, findings, and the length of the input in hand.
_HEAD = struct.Struct(">QQQ")
FINDINGS = Path(__file__).parent / "findings"


class TookTooLong(BaseException):
    """An input kept its reader busy beyond ``LONGEST_SECONDS``; no ``except Exception`` may hide it."""


class Finding(NamedTuple):
    """An input and what it did."""

    data: bytes
    said: str
    trace: str

    @property
    def place(self) -> str:
        """What was raised and where: inputs that share it show one fault."""
        lines = [line for line in self.trace.splitlines() if line.lstrip().startswith("File ")]
        return self.said.partition(":")[0] + (lines[-1] if lines else "")


@contextmanager
def limited() -> Iterator[None]:
    """Bound memory for what runs within, and turn an alarm into an error."""

    def too_long(_number: int, _frame: FrameType | None) -> None:
        raise TookTooLong(f"longer than {LONGEST_SECONDS:.0f} s of CPU, or {LONGEST_WAIT_SECONDS:.0f} s in all")

    before = {number: signal.signal(number, too_long) for number in (signal.SIGPROF, signal.SIGALRM)}
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, hard))
    try:
        yield
    finally:
        _alarms(0, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _alarms(cpu: float, wait: float) -> None:
    # By CPU: on a busy machine a sound input may take any time.
    signal.setitimer(signal.ITIMER_PROF, cpu)
    signal.setitimer(signal.ITIMER_REAL, wait)


def found_by(target: Target, data: bytes) -> Finding | None:
    """Run one input; return what is wrong with how it ended."""
    _alarms(LONGEST_SECONDS, LONGEST_WAIT_SECONDS)
    try:
        attempt(target, data)
    except (Exception, TookTooLong) as error:
        return Finding(data, f"{type(error).__name__}: {error}"[:300], traceback.format_exc())
    finally:
        _alarms(0, 0)
    return None


def tried(target: Target, given: Iterator[bytes]) -> Iterator[Finding]:
    """Run inputs; yield what they found, one finding per place it was raised."""
    seen = set[str]()
    with limited():
        for data in given:
            finding = found_by(target, data)
            if finding is not None and finding.place not in seen:
                seen.add(finding.place)
                yield finding


class Diary:
    """What a process has run and found so far, in a file that outlives it."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w+b", buffering=0)
        self.inputs = self.findings = 0

    def begin(self, data: bytes) -> None:
        """Note the input in hand: it may be the last."""
        self.inputs += 1
        self._file.seek(0)
        self._file.write(_HEAD.pack(self.inputs, self.findings, len(data)) + data)

    def end(self) -> None:
        """Note that no input is in hand."""
        self._file.seek(0)
        self._file.write(_HEAD.pack(self.inputs, self.findings, 0))


def diary(path: Path) -> tuple[int, int, bytes]:
    """Return inputs and findings of a process, and the input it had in hand."""
    written = path.read_bytes() if path.exists() else bytes(_HEAD.size)
    inputs_run, findings, length = _HEAD.unpack_from(written)
    return inputs_run, findings, written[_HEAD.size : _HEAD.size + length]


def keep(target: str, finding: Finding) -> Path:
    """Write a finding's input where the tests run it for ever."""
    folder = FINDINGS / target
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / hashlib.sha256(finding.data).hexdigest()[:12]
    path.write_bytes(finding.data)
    return path


def main() -> int:
    """Run one target: ``python -m tests.fuzz.campaign TARGET SECONDS SEED DIARY``."""
    target, seconds, seed = targets()[sys.argv[1]], float(sys.argv[2]), int(sys.argv[3])
    noted, ends = Diary(Path(sys.argv[4])), time.monotonic() + seconds

    def until_the_end() -> Iterator[bytes]:
        for data in inputs(target.seeds(), random.Random(seed), target.tokens):
            if time.monotonic() > ends:
                return
            noted.begin(data)
            yield data

    for finding in tried(target, until_the_end()):
        noted.findings += 1
        print(f"{finding.said}\n{finding.trace}{keep(target.name, finding)}", file=sys.stderr)
    noted.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
