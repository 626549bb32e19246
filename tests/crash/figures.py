"""Figures of a campaign of faults.

They count rows lost, rows doubled and copies torn. Each finished file is held against an undisturbed one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from streams.verify import verify

#: Rows shown of each table that differs.
EXAMPLES = 3
Tables = Mapping[str, Sequence[tuple[Any, ...]]]


@dataclass
class Figures:
    """Figures of one kind of fault.

    Lost, doubled and torn count rows or files, and must be zero.

    Attributes:
        faults: how often each fault was met, by name.
        seconds: how long it took to be over it, by what is timed.
    """

    faults: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    rounds: int = 0
    recounts: int = 0
    lost: int = 0
    doubled: int = 0
    torn: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def met(self) -> int:
        """All faults met."""
        return self.faults.total()

    @property
    def whole(self) -> bool:
        """Whether nothing was lost, doubled or torn."""
        return (self.lost, self.doubled, self.torn) == (0, 0, 0)

    def timed(self, what: str, seconds: float) -> None:
        """Note how long something took."""
        self.seconds.setdefault(what, []).append(seconds)

    def headline(self) -> str:
        """Say how much was survived."""
        return f"{self.met} survived"

    def text(self) -> str:
        """All of it on some lines."""
        faults = ", ".join(f"{fault} {count}" for fault, count in sorted(self.faults.items()))
        found = f"{self.recounts} recounts; lost {self.lost}, doubled {self.doubled}, torn {self.torn}"
        lines = [f"{self.headline()}, in {self.rounds} rounds; {found}", faults]
        for what, each in self.seconds.items():
            ordered = sorted(each)
            median = ordered[len(ordered) // 2]
            lines.append(f"{what}: {ordered[0]:.1f} to {ordered[-1]:.1f} s, median {median:.1f} s")
        return "\n  ".join(lines + self.examples)

    def compare(self, found: Tables, whole: Tables) -> None:
        """Count the rows of the undisturbed tables that are missing, and the rows beyond them."""
        for name, rows in whole.items():
            there, wanted = Counter(map(repr, found[name])), Counter(map(repr, rows))
            lost, more = wanted - there, there - wanted
            self.lost += lost.total()
            self.doubled += more.total()
            for what, which in (("lost", lost), ("more", more)):
                self.examples += [f"{what} in {name}: {row}" for row in list(which)[:EXAMPLES]]

    def recount(self, copy: Path) -> None:
        """Recount a finished file."""
        differences = verify(copy, limit=EXAMPLES)
        self.recounts += 1
        self.lost += len(differences)
        self.examples += [f"recount: {difference}" for difference in differences]

    def look_at(self, copy: Path) -> None:
        """Open a copy as an analyst would at this moment; one that is torn is counted and deleted."""
        if is_torn(copy):
            self.torn += 1
            copy.unlink()


def is_torn(copy: Path) -> bool:
    """Whether an analyst who opened the copy at this moment would find it damaged or half of something."""
    if not copy.exists():
        return False
    try:
        with duckdb.connect(str(copy), read_only=True) as connection:
            sums = "SELECT (SELECT count(*) FROM reports) + (SELECT sum(incidents) FROM day_tallies)"
            return bool(connection.execute(sums).fetchall()[0][0] is None)
    except duckdb.Error:
        return True
