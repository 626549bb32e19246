"""Every error trucewatch raises on purpose, as one tree.

::

    TrucewatchError
    ├── ReportRejected        the record becomes a reject with a code and a hint; the stream goes on
    ├── Refusal               an HTTP request is answered with a problem (streams.gateway.problems); the next is served
    ├── UsageError            the person asked for something that cannot be done; exit 2
    │   ├── FaultyFile        a TOML file is wrong; every fault is listed at once
    │   │   ├── AgreementError    an agreement
    │   │   └── MappingError      a mapping of a feed's columns
    │   ├── GazetteerError    a gazetteer or boundary file is wrong
    │   ├── BrokerRefused     a Kafka broker answers, and refuses this client: TLS, credentials or an ACL
    │   ├── RecordTooLarge    a topic takes no record of this size
    │   └── InputFileError    a file to read is missing or is not what it claims to be
    ├── DependencyUnavailable something outside is missing; the process stops, nothing is half-written; exit 3
    │   ├── BrokerUnavailable the Kafka broker cannot be reached or refuses
    │   ├── StoreUnavailable  the DuckDB file cannot be opened: unwritable, out of memory
    │   │   ├── StoreInUse    another process has it open for writing
    │   │   └── StoreDamaged  its content cannot be read; it is set aside where nothing is lost by that
    │   └── StoreFull         the disk took no more; the transaction is rolled back
    ├── LedgerStopped         going on would lose or double a record; the process stops
    │   ├── LogMismatch       stored offsets do not belong to the topic that is there
    │   │   └── TopicReplaced a topic was deleted, or made anew, while it was read
    │   └── FactUnreadable    the facts topic holds a record that no intake of ours wrote
    ├── WorkerStalled         records wait and nothing moves; the process ends, to be started again; exit 3
    ├── WorkerDied            a worker process ended by itself; its message and exit code are passed on
    └── ResultIncomplete      a replay came to its end and its counts do not add up; exit 70

A late report and a duplicate are outcomes, not errors.
"""

from __future__ import annotations

from collections.abc import Sequence


class TrucewatchError(Exception):
    """Base of all errors raised on purpose; ``str()`` is one line that says what is wrong.

    ``hint`` says what can be done about it, where that is not plain from the line; it is shown behind it.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint

    def also(self, hint: str) -> None:
        """Say one more thing behind the hint."""
        self.hint = f"{self.hint}; {hint}" if self.hint else hint


class ReportRejected(TrucewatchError):
    """A record that cannot be accepted, with the reason its feed can act on."""

    def __init__(self, code: str, hint: str) -> None:
        super().__init__(f"{code}: {hint}")
        self.code = code
        self.hint: str = hint


class UsageError(TrucewatchError):
    """The request itself is wrong."""

    exit_code = 2


class FaultyFile(UsageError):
    """A TOML file that a person wrote is wrong. ``faults`` lists every fault found, in file order."""

    def __init__(self, source: str, faults: list[str]) -> None:
        lines = "\n".join(f"  {fault}" for fault in faults)
        noun = "fault" if len(faults) == 1 else "faults"
        super().__init__(f"{source}: {len(faults)} {noun}\n{lines}")
        self.source = source
        self.faults = faults


class AgreementError(FaultyFile):
    """An agreement file is wrong."""


class MappingError(FaultyFile):
    """A mapping is wrong."""


class GazetteerError(UsageError):
    """A gazetteer or boundary file is wrong."""


class BrokerRefused(UsageError):
    """A Kafka broker that answers does not take this client, and waiting mends nothing.

    The protocol, a certificate, the credentials or an ACL is wrong, on one side or the other.
    """


class RecordTooLarge(UsageError):
    """A record is larger than its topic takes; ``value`` is the record's, where it is known."""

    def __init__(self, message: str, value: bytes | None = None) -> None:
        super().__init__(message)
        self.value = value


class InputFileError(UsageError):
    """A file to read is missing, unreadable, or not in the stated format."""


class DependencyUnavailable(TrucewatchError):
    """Something outside the process is missing or refuses."""

    exit_code = 3


class BrokerUnavailable(DependencyUnavailable):
    """The Kafka broker cannot be reached or refuses."""


class StoreUnavailable(DependencyUnavailable):
    """The DuckDB file cannot be opened or read."""


class StoreInUse(StoreUnavailable):
    """Another process has the DuckDB file open for writing; a standby waits for its end.

    ``holder`` is its process id, where that is known.
    """

    def __init__(self, message: str, holder: int | None = None) -> None:
        super().__init__(message)
        self.holder = holder


class StoreDamaged(StoreUnavailable):
    """The DuckDB file was read and is not what was written."""


class StoreFull(DependencyUnavailable):
    """The disk took no more; the open transaction was rolled back. Starting again helps as soon as there is room."""

    #: Words of every such line: whoever runs a worker knows by them that it may be started again.
    SIGN = "the disk took no more"


class LedgerStopped(TrucewatchError):
    """Going on would lose or double a record."""

    exit_code = 3


class LogMismatch(LedgerStopped):
    """Stored offsets do not belong to the topic that is there."""


class TopicReplaced(LogMismatch):
    """Topics were deleted or created anew while they were read."""

    def __init__(self, topics: Sequence[str]) -> None:
        super().__init__(
            f"topic {' and '.join(topics)} was deleted, or made anew, while it was read",
            hint="start the worker again: it reads the new one from its beginning, or says why it cannot",
        )
        self.topics = tuple(topics)


class FactUnreadable(LedgerStopped):
    """The facts topic holds a record that no intake of ours wrote."""


class WorkerStalled(TrucewatchError):
    """A worker does nothing though there is something to do. What it committed stays: another run goes on there."""

    exit_code = 3
    #: How its line begins: the one death of a worker after which ``up`` starts it again.
    SAID = "stalled: "
    #: The setting that says how long a worker may stand still.
    LIMIT = "TRUCEWATCH_STALL_SECONDS"

    def __init__(self, message: str) -> None:
        super().__init__(f"{self.SAID}{message} (the limit is {self.LIMIT})")


class WorkerDied(TrucewatchError):
    """A worker process ended by itself; ``exit_code`` is its own.

    ``stalled`` is that it stood still, ``full`` that it found the disk full.
    """

    def __init__(self, message: str, exit_code: int, *, stalled: bool = False, full: bool = False) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.stalled = stalled
        self.full = full


class ResultIncomplete(TrucewatchError):
    """What came out of a replay is not what went in, though every step said that all is well."""

    exit_code = 70
