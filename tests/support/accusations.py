"""Accusations in reports drawn at random, and a plain recount of the views that show them."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import duckdb

PARTIES: list[dict[str, Any]] = [
    {"name": "Government", "side": "north", "spellings": ["government forces", "الحكومة", "Правительство"]},
    {"name": "Opposition", "side": "south", "spellings": ["Rébels", "فصائل المعارضة"]},
]
#: Who is accused, as written, and the parties that this means. Written down here, so that no code is shared.
MEANT: dict[tuple[str, ...], list[str]] = {
    (): [],
    ("Government",): ["Government"],
    ("  GOVERNMENT   forces ",): ["Government"],
    ("الحكومه",): ["Government"],
    ("правительство",): ["Government"],
    ("Re\u0301bels",): ["Opposition"],
    ("فصائل المعارضه", "Opposition"): ["Opposition"],
    ("Rebels or government",): ["Government", "Opposition"],
    ("Opposition", "Government"): ["Government", "Opposition"],
    ("Bandits",): ["Bandits"],
    ("bandits",): ["bandits"],
    ("Bandits / the Opposition",): ["Bandits", "Opposition"],
}
SIDES: dict[str | None, str] = {"Government": "north", "Opposition": "south"}

Key = tuple[Any, ...]


def accused(draw: random.Random, data: dict[str, Any]) -> dict[str, Any]:
    """Return a report that accuses somebody: an incident with a claimant, a bulletin line by line, in either form."""
    if data["type"] == "incident":
        told = {"accused": list(draw.choice(list(MEANT)))}
        claimant = draw.choice([None, "A teller", "B teller"])
        return data | told | ({"claimant": claimant} if claimant else {})
    if data["type"] == "bulletin":
        lines = [line | _accused(draw) if "accused" not in line else line for line in data["tallies"]]
        return data | {"tallies": lines}
    return data


def _accused(draw: random.Random) -> dict[str, Any]:
    names = list(draw.choice(list(MEANT)))
    return {"accused": names[0] if len(names) == 1 and draw.random() < 0.5 else names}


class Accusations:
    """Recount of a published file's accusations from the raw text of its reports."""

    def __init__(self, file: duckdb.DuckDBPyConnection) -> None:
        columns = ("incident_id", "region", "truce_day", "occurred_from", "occurred_to", "deaths_best")
        self.incidents = {
            row[0]: dict(zip(columns, row, strict=True))
            for row in file.execute(f"SELECT {', '.join(columns)} FROM incidents WHERE in_scope AND counted").fetchall()
        }
        ((rules,),) = file.execute("SELECT agreement FROM about").fetchall()
        violence = json.loads(rules)["violence"]
        counting, self.longest = violence["feeds"], timedelta(hours=violence["surely_within_hours"])
        told = file.execute(
            "SELECT incident_id, raw FROM incident_reports JOIN reports USING (fact_offset) WHERE standing = 'active'"
        ).fetchall()
        #: Reports of each incident that count, by the claimant and the feed.
        self.accusing: dict[str, dict[Key, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
        for name, raw in told:
            report = json.loads(raw)
            if name in self.incidents and (not counting or report["feed"] in counting):
                self.accusing[name][report.get("claimant"), report["feed"]].append(report)
        present = "present AND NOT retracted AND type = 'bulletin'"
        self.bulletins = [
            json.loads(raw) for (raw,) in file.execute(f"SELECT raw FROM reports WHERE {present}").fetchall()
        ]

    def by_party(self) -> list[Key]:
        """Return what ``violations_by_party`` is to hold."""
        rows: dict[Key, list[tuple[bool, int | None]]] = defaultdict(list)
        for name, accusing in self.accusing.items():
            incident = self.incidents[name]
            of_its_day = incident["occurred_to"] - incident["occurred_from"] <= self.longest
            for (claimant, feed), reports in accusing.items():
                parties = meant(reports)
                for party in parties or [None]:
                    key = (incident["truce_day"], incident["region"], party, SIDES.get(party), claimant, feed)
                    rows[key].append((of_its_day and len(parties) < 2, deaths_of(reports)))
        return sorted(((*key, *figures(told)) for key, told in rows.items()), key=repr)

    def since(self, instant: datetime) -> list[Key]:
        """Return what ``violations_since`` is to hold of incidents."""
        rows: dict[Key, list[tuple[bool, int | None]]] = defaultdict(list)
        for name, accusing in self.accusing.items():
            incident = self.incidents[name]
            if incident["occurred_from"] < instant and incident["occurred_to"] <= instant:
                continue
            begun = incident["occurred_from"] >= instant
            everybody = meant(report for reports in accusing.values() for report in reports)
            for party in everybody or [None]:
                rows["incidents", party, None, None].append((begun and len(everybody) < 2, incident["deaths_best"]))
            for (claimant, feed), reports in accusing.items():
                parties = meant(reports)
                for party in parties or [None]:
                    rows["accusations", party, claimant, feed].append((begun and len(parties) < 2, deaths_of(reports)))
        return sorted(((*key, *figures(told)) for key, told in rows.items()), key=repr)

    def tallied_since(self, instant: datetime) -> list[Key]:
        """Return what ``violations_since`` is to hold of bulletins, beside what is counted of their periods."""
        rows: dict[Key, list[Any]] = {}
        for bulletin in self.bulletins:
            begin, end = (datetime.fromisoformat(bulletin["occurred"][name]) for name in ("from", "to"))
            if end <= instant:
                continue
            for line in bulletin["tallies"]:
                given = line.get("accused") or []
                names = [given] if isinstance(given, str) else given
                in_scope = not names or not set(names) <= {"ISIL", "Nusra"}
                parties = MEANT.get(tuple(names), names)
                for party in parties or [None]:
                    key = ("bulletin", party, bulletin["feed"], bulletin["report_id"], in_scope)
                    row = rows.setdefault(key, [0, 0, set(), begin, end])
                    row[len(parties) > 1] += line["count"]
                    row[2].add(region_of(line.get("place")))
        return sorted(
            ((*key, sure, possible, *self._counted(key[1], *where)) for key, (sure, possible, *where) in rows.items()),
            key=repr,
        )

    def _counted(self, party: str | None, regions: set[str | None], begin: datetime, end: datetime) -> Iterable[int]:
        counts = [0, 0]
        for name, accusing in self.accusing.items():
            incident = self.incidents[name]
            everybody = meant(report for reports in accusing.values() for report in reports)
            here = None in regions or incident["region"] in regions
            if here and begin <= incident["occurred_from"] < end and party in (everybody or [None]):
                counts[len(everybody) > 1] += 1
        return counts


def region_of(place: dict[str, Any] | None) -> str | None:
    """Return the region of a drawn bulletin's line."""
    if place is None:
        return None
    return str(place.get("pcode")) if "pcode" in place else {"Aleppo": "SY02", "Idleb": "SY07"}[place["names"][0]]


def meant(reports: Iterable[dict[str, Any]]) -> list[str]:
    """Return whom reports accuse together."""
    return sorted({party for report in reports for party in MEANT[tuple(report.get("accused", []))]})


def deaths_of(reports: list[dict[str, Any]]) -> int | None:
    """Return the best estimate told last; where no report states one, the least low one."""
    told = [
        (datetime.fromisoformat(report["reported_at"]), report["report_id"], report["deaths"]["best"])
        for report in reports
        if "best" in report.get("deaths", {})
    ]
    low = [report["deaths"]["low"] for report in reports if "low" in report.get("deaths", {})]
    return max(told)[2] if told else min(low, default=None)


def figures(told: list[tuple[bool, int | None]]) -> Key:
    """Return the sure and possible incidents, then their deaths, None where no toll is stated."""
    parts = [[deaths for sure, deaths in told if sure is wanted] for wanted in (True, False)]
    stated = [[deaths for deaths in part if deaths is not None] for part in parts]
    return (*(len(part) for part in parts), *(sum(part) if part else None for part in stated))
