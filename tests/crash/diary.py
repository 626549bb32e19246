"""What a feed writes down day by day, and the fate that each of its reports must meet.

Beside the reports of a month there are those that are hard on an outbox: lines told again, later revisions before
earlier ones, lines that are refused before they are kept, and names that another machine of the feed used first.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from schemas.receipts import KEPT, called_in
from tests.support.month import BROKEN, month

#: What a first revision meets, and how many of a hundred do.
_MEETS = {"unknown place": 2, "contradiction": 2, "abroad": 1, "rival": 2, "twice": 2, "again": 10}
#: How many of a hundred corrections come too early, by how many lines, and how many lines later a line is told again.
_EARLY, _LINES_EARLY, _LINES_LATER = 20, 600, 60

Revision = tuple[str | None, str | None, int | None]


class Diary(NamedTuple):
    """Lines of a feed by the file that holds them.

    Attributes:
        elsewhere: what another machine of the feed sent before.
        files: one for each day. The last holds new incidents alone, all of which are kept.
        fates: the state in which the outbox must end up with each report that it keeps.
        present: body of each revision that the ledger must have, from whichever machine.
        outcomes: how often the ledger must count each outcome that only a report's first coming has.
        refused: lines that are refused before they are kept.
    """

    elsewhere: list[bytes]
    files: list[list[bytes]]
    fates: dict[bytes, str]
    present: dict[Revision, bytes]
    outcomes: Counter[str]
    refused: frozenset[bytes]


def written(count: int, days: int, draw: random.Random) -> Diary:
    """Return a diary of about ``count`` lines over some days."""
    lines, elsewhere, refused = _lines(month(count, draw.randrange(1_000)), draw)
    size = -(-len(lines) // days)
    files = [lines[start : start + size] for start in range(0, len(lines), size)]
    files.append([_altered(_first(lines), report_id=f"last-{number}") for number in range(20)])
    fates: dict[bytes, str] = {}
    known: dict[tuple[str | None, str | None], dict[int, bytes]] = {}
    for line in elsewhere:
        _fate(line, known)
    outcomes = Counter(accepted=len(elsewhere))
    for line in (line for lines_ in files for line in lines_ if line not in refused):
        if line not in fates:
            fates[line] = _fate(line, known)
            outcomes[fates[line]] += fates[line] in KEPT
    present = {(*name, number): body for name, each in known.items() for number, body in each.items()}
    return Diary(elsewhere, files, fates, present, outcomes, refused)


def _lines(reports: Sequence[bytes], draw: random.Random) -> tuple[list[bytes], list[bytes], frozenset[bytes]]:
    """Return the lines in their order, what another machine sent of them, and those to be refused."""
    lines: list[bytes] = []
    elsewhere: list[bytes] = []
    refused = {BROKEN}
    later: dict[int, bytes] = {}
    for number, line in enumerate(reports):
        lines += filter(None, [later.pop(number, None)])
        revision = called_in(line)[2] or 0
        early = revision > 1 and draw.randrange(100) < _EARLY
        lines.insert(max(0, len(lines) - _LINES_EARLY) if early else len(lines), line)
        if revision != 1 or line == BROKEN:
            continue
        (meets,) = draw.choices([*_MEETS, None], [*_MEETS.values(), 100 - sum(_MEETS.values())])
        match meets:
            case "unknown place":
                lines.append(_altered(line, report_id=f"lost-{number}", place={"pcode": "SY99"}))
                refused.add(lines[-1])
            case "contradiction":
                later[number + _LINES_LATER] = _altered(line, note="told otherwise")
                refused.add(later[number + _LINES_LATER])
            case "abroad":
                lines.append(_altered(_first(lines), report_id=f"abroad-{number}", place={"pcode": "IQ01"}))
            case "rival":
                elsewhere.append(_altered(line, note="told by another machine"))
            case "twice":
                elsewhere.append(line)
            case "again":
                later[number + _LINES_LATER] = line
            case _:
                pass  # it meets nothing of note
    return lines, elsewhere, frozenset(refused)


def _fate(line: bytes, known: dict[tuple[str | None, str | None], dict[int, bytes]]) -> str:
    """Return what becomes of a report that comes next, and note the revision that a ledger keeps of it."""
    feed, report_id, revision = called_in(line)
    if b'"IQ01"' in line or revision is None:
        return "outside"
    revisions = known.setdefault((feed, report_id), {})
    if revision in revisions:
        return "duplicate" if revisions[revision] == line else "rejected"
    highest = max(revisions, default=0)
    revisions[revision] = line
    if highest > revision:
        return "superseded"
    if json.loads(line).get("status") == "retracted":
        return "retracted"
    return "corrected" if highest else "accepted"


def _first(lines: Sequence[bytes]) -> bytes:
    """Return the first incident told."""
    return next(line for line in lines if b'"type": "incident"' in line)


def _altered(line: bytes, **changes: object) -> bytes:
    return json.dumps(json.loads(line) | changes).encode()
