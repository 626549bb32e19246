"""Recount of a published file from the raw reports it keeps.

It shares nothing with the ledger's code. Each check yields the differences it finds.
Those that rest on incidents are of the recount of shards, which may be under way beside the others.
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
from sinks.verify.shards import ShardRecount, check_each
from sinks.verify.standing import check_gate

Check = Callable[[ShardRecount], Iterator[Difference]]


def _of_file(check: Callable[[Published], Iterator[Difference]]) -> Check:
    return lambda recount: check(recount.file)


#: Steps of the recount, each with the name a person sees while it runs.
RECOUNT: tuple[tuple[str, Check], ...] = (
    ("what refused reports tell", _of_file(check_refused)),
    ("who is accused", _of_file(check_accused)),
    ("positions against the lines", _of_file(check_position_findings)),
    *((name, check_each(name)) for name in ("reports joined to incidents", "why each report belongs to its incident")),
    ("convoys", _of_file(check_convoys)),
    ("why each claim belongs to its convoy", _of_file(check_joined_claims)),
    ("what each version came of", _of_file(check_causes)),
    *((name, check_each(name)) for name in ("every version of every verdict", "windows and streaks")),
    ("the gate and its history", _of_file(check_gate)),
)
