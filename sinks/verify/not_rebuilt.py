"""Columns that no rebuild can know, each with the reason."""

from __future__ import annotations

from typing import NamedTuple


class NotRebuilt(NamedTuple):
    """Columns of one table with the reason why a rebuild takes them as told, or leaves them out."""

    table: str
    columns: tuple[str, ...]
    why: str


#: Columns that say something to people, in the words of the software that wrote the row.
SENTENCES = ("reasons", "reason", "hint")

_CLOCK = "intake's clock, which no report tells"
_LOG = "of Kafka, and not of the reports"
_TICK = "a tick's, of which no other row may tell"
#: Compared, but the rebuilt value is the recorded one.
_TOLD = (
    NotRebuilt("reports", ("received_at",), _CLOCK),
    NotRebuilt("rejects", ("received_at",), _CLOCK),
    NotRebuilt(
        "redrives",
        ("reject_topic", "reject_partition", "reject_offset", "reject_log", "number"),
        "told by the record's headers, which are not kept",
    ),
    NotRebuilt(
        "dismissals",
        (
            *("reject_topic", "reject_partition", "reject_offset", "reject_log"),
            *("reason", "dismissed_by", "received_at"),
        ),
        "told by the record, which is not kept",
    ),
    NotRebuilt("verdict_log", ("recorded_at", "tick_offset"), _TICK),
    NotRebuilt("gate_history", ("recorded_at", "tick_offset"), _TICK),
    NotRebuilt("ledger_state", ("next_offset", "log_start", "last_tick", "now"), "where the rebuild begins and ends"),
)
#: Not compared; of some there are bounds.
LEFT_OUT = (
    NotRebuilt(
        "about",
        ("software_version", "published_at", "tzdata", "sentences"),
        "told by the ledger that wrote the file",
    ),
    NotRebuilt("about", ("agreement",), "everything is judged again by it"),
    NotRebuilt("feeds", ("duplicate", "outside"), "such records leave no row; in all no more than were read"),
    NotRebuilt("feeds", ("last_received_at",), "exact for a feed without such records, else not too early"),
    NotRebuilt(
        "sink_offsets",
        ("next_offset",),
        "exact of sources without such records, else not too low; of the facts topic not too high",
    ),
    NotRebuilt("sink_offsets", ("log_identity", "last_digest"), _LOG),
    NotRebuilt("ledger_state", ("pending", "term", "writer"), "the ledger's own, to go on from"),
)
NOT_REBUILT = (
    *LEFT_OUT[:2],
    NotRebuilt("every table", SENTENCES, "where about.sentences is no edition, or another one than this software's"),
    *_TOLD,
    *LEFT_OUT[2:],
)
#: Columns that hang on ticks which left no row: the recount checks them as far as they are known.
RECOUNTED = (
    NotRebuilt("verdict_log", ("cause",), "a tick that changed nothing leaves no row, and parts what came before it"),
)
#: Tables of what was judged at earlier ticks. The recount alone checks them where a notice no longer tells its regions.
OF_THE_PAST = ("verdict_log", "gate_history")
