"""Columns of which neither reports nor agreement tell what they should hold."""

from __future__ import annotations

from typing import NamedTuple


class NotChecked(NamedTuple):
    """Columns of one table with the reason why no recount can know them."""

    table: str
    columns: tuple[str, ...]
    why: str


#: Columns that say something to people, in the words of the software that wrote the row.
SENTENCES = ("reasons", "reason", "hint")

_CLOCK = "intake's clock, which no report tells"
_LOG = "of Kafka, and not of the reports"
NOT_CHECKED = (
    NotChecked(
        "about",
        ("software_version", "published_at", "tzdata", "sentences"),
        "told by the ledger that wrote the file",
    ),
    NotChecked("every table", SENTENCES, "where about.sentences is no edition, or another one than this software's"),
    NotChecked("reports", ("received_at",), _CLOCK),
    NotChecked("rejects", ("received_at",), _CLOCK),
    NotChecked(
        "redrives",
        ("reject_topic", "reject_partition", "reject_offset", "reject_log", "number"),
        "told by the record's headers, which are not kept",
    ),
    NotChecked(
        "dismissals",
        (
            *("reject_topic", "reject_partition", "reject_offset", "reject_log"),
            *("reason", "dismissed_by", "received_at"),
        ),
        "told by the record, which is not kept",
    ),
    NotChecked("day_figures", ("recorded_at",), "a tick's, of which no other row may tell"),
    NotChecked("feeds", ("duplicate", "outside"), "such records leave no row; in all no more than were read"),
    NotChecked("feeds", ("last_received_at",), "exact for a feed without such records, else not too early"),
    NotChecked("sink_offsets", ("next_offset",), "exact in a file without such records, else not too low"),
    NotChecked("sink_offsets", ("log_identity", "last_digest"), _LOG),
    NotChecked("ledger_state", ("pending", "term", "writer"), "the ledger's own, to go on from"),
)
