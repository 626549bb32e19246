"""Recount of a published file from the raw reports it keeps.

It shares nothing with the ledger's code. Each check is a function from the open file to the differences it finds.
Those that rest on incidents run shard by shard, all with the first of them.
``streams.verify`` runs them over a file whose rows were rebuilt and compared before: they hold the rules of
docs/judging.md, and not once more how a row is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sinks.verify.causes import check_causes
from sinks.verify.convoy_rows import check_convoys, check_joined_claims
from sinks.verify.difference import Difference
from sinks.verify.parties import check_accused
from sinks.verify.published import Published
from sinks.verify.pullback import check_position_findings
from sinks.verify.refused import check_refused
from sinks.verify.shards import check_each
from sinks.verify.standing import check_gate

Check = Callable[[Published], Iterator[Difference]]

#: Steps of the recount, each with the name a person sees while it runs.
RECOUNT: tuple[tuple[str, Check], ...] = (
    ("what refused reports tell", check_refused),
    ("who is accused", check_accused),
    ("positions against the lines", check_position_findings),
    *((name, check_each(name)) for name in ("reports joined to incidents", "why each report belongs to its incident")),
    ("convoys", check_convoys),
    ("why each claim belongs to its convoy", check_joined_claims),
    ("what each version came of", check_causes),
    *((name, check_each(name)) for name in ("every version of every verdict", "windows and streaks")),
    ("the gate and its history", check_gate),
)
