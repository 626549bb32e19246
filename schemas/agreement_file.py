"""Agreement files, read with every fault at once.

Each fault has its line, so that a file is mended in one round.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from schemas import time_zones
from schemas.agreement import Agreement
from schemas.errors import AgreementError, GazetteerError
from schemas.gazetteer import load_gazetteer
from schemas.gazetteer_file import shipped_gazetteers
from schemas.parties import AgreementParty, unusable_names
from schemas.pcodes import region_of
from schemas.plain_words import Loc, found
from schemas.shipped import shipped, shipped_or_path
from schemas.toml_file import Fault, TomlFile, TomlSyntaxError, parse_toml

_FOLDER = "agreements"
_PARTIES = TypeAdapter(list[AgreementParty])

#: Where the faults belong that pydantic finds in the agreement as a whole.
_WHERE: dict[str, Loc] = {
    "effective_offset": ("clock", "effective"),
    "effective_anchor": ("clock", "effective"),
    "ends_offset": ("clock", "ends"),
    "ends_anchor": ("clock", "ends"),
    "ends_early": ("clock", "ends"),
    "baseline_overlap": ("violence", "baseline", "last_day"),
    "two_measures": ("violence", "bulletins_of"),
    "baseline_backwards": ("violence", "baseline", "last_day"),
    "line_twice": ("pullback",),
    "party_name": ("parties",),
}


def shipped_agreements() -> list[str]:
    """Return the ids of the agreements that come with the program."""
    return shipped(_FOLDER)


def load_agreement(name_or_path: str) -> Agreement:
    """Load a shipped agreement by id, or one from a file named by its path.

    A gazetteer named by a path is looked for beside the agreement file, and comes back as a path that can be opened.

    Raises:
        AgreementError: with every fault of the file, in file order.
    """
    path = shipped_or_path(_FOLDER, name_or_path)
    try:
        body = path.read_bytes()
    except OSError as error:
        raise AgreementError(name_or_path, [_not_there(name_or_path, error)]) from error
    try:
        toml = parse_toml(body)
    except TomlSyntaxError as error:
        raise AgreementError(name_or_path, [str(error)]) from error
    beside = path.parent if isinstance(path, Path) else Path()
    gazetteer = _gazetteer_beside(toml.data.get("gazetteer", "syria"), beside)
    return _agreement_of(toml, gazetteer, name_or_path).model_copy(update={"gazetteer": gazetteer})


def changed_agreement(agreement: Agreement, changes: Mapping[tuple[str, ...], Any], source: str) -> Agreement:
    """Return ``agreement`` with some keys changed, held to all that a file is held to.

    Args:
        changes: new values by key, a value as TOML gives it: ``("violence", "reduction_percent")`` to 50. A gazetteer
            named by a path is looked for from where the program runs.
        source: what the error calls the changes.

    Raises:
        AgreementError: with every fault the changes make.
    """
    data: dict[str, Any] = agreement.model_dump(mode="python")
    for keys, value in changes.items():
        table = data
        for key in keys[:-1]:
            inner = table.get(key)
            table[key] = inner = inner if isinstance(inner, dict) else {}
            table = inner
        table[keys[-1]] = value
    # Where nothing asks for the gazetteer again, its file need not be there any more.
    touched = {keys[0] for keys in changes} & {"gazetteer", "regions"}
    return _agreement_of(TomlFile(data, {}), data.get("gazetteer") if touched else None, source)


def _agreement_of(toml: TomlFile, gazetteer: object, source: str) -> Agreement:
    """Return the agreement a text holds; regions are looked up in ``gazetteer`` if that is a name."""
    faults = {fault.loc: fault for fault in _own_faults(toml, gazetteer)}
    agreement: Agreement | None = None
    try:
        agreement = Agreement.model_validate_json(json.dumps(toml.json_like()))
    except ValidationError as error:
        for fault, one in zip(toml.faults(error, Agreement), error.errors(include_url=False), strict=True):
            at = _WHERE.get(one["type"], fault.loc)
            if one["type"] == "unknown_region":
                at = tuple(one["ctx"]["key"].split("."))
            # Said more exactly already, with the entry it is about.
            if not any(known[: len(at)] == at for known in faults):
                faults[at] = toml.fault(at, fault.text if at == fault.loc else one["msg"])
    if faults or agreement is None:
        raise AgreementError(source, [str(fault) for fault in sorted(faults.values())])
    return agreement


def _not_there(name: str, error: OSError) -> str:
    if name.endswith(".toml") or "/" in name:
        return f"cannot be read: {error.strerror}"
    known = shipped_agreements()
    close = get_close_matches(name, known, n=1, cutoff=0.5)
    guess = f"; did you mean {close[0]!r}?" if close else ""
    return f"no such agreement{guess} (shipped: {', '.join(known)}; a file is named by its path, ending in .toml)"


def _gazetteer_beside(name: object, folder: Path) -> Any:
    if not isinstance(name, str) or name in shipped_gazetteers():
        return name
    return str(folder / name)


def _own_faults(toml: TomlFile, gazetteer: object) -> Iterator[Fault]:
    """Find what no single value shows. Values of the wrong type are left to the model, which says so."""
    yield from _clock(toml)
    yield from _baseline(toml)
    yield from _regions(toml, gazetteer)
    yield from _parties(toml)
    repeating: set[str] = set()
    for index, feed in _entries(toml, "linking", "repeating_feeds"):
        if feed in repeating:
            yield toml.fault(("linking", "repeating_feeds", index), f"{found(feed)} is listed twice")
        repeating.add(feed)
    outside = dict(_entries(toml, "scope", "outside"))
    for index, party in _entries(toml, "scope", "parties"):
        if party in outside.values():
            yield toml.fault(("scope", "parties", index), f"{found(party)} is also listed in scope.outside")


def _parties(toml: TomlFile) -> Iterator[Fault]:
    try:
        parties = _PARTIES.validate_python(_at(toml, "parties") or [])
    except ValidationError:
        return
    for loc, name, fault in unusable_names(parties):
        yield toml.fault(("parties", *loc), f"{found(name)} {fault}")


def _clock(toml: TomlFile) -> Iterator[Fault]:
    zone, anchor = (_at(toml, "clock", key) for key in ("time_zone", "anchor"))
    if isinstance(zone, str) and zone not in time_zones.names():
        close = get_close_matches(zone, time_zones.names(), n=1)
        guess = f"; did you mean {close[0]!r}?" if close else ""
        yield toml.fault(
            ("clock", "time_zone"), f"expected a time zone of the IANA database, found {found(zone)}{guess}"
        )
    effective, ends = (_at(toml, "clock", key) for key in ("effective", "ends"))
    local = []
    for key, instant in (("effective", effective), ("ends", ends)):
        if not isinstance(instant, datetime):
            continue
        if instant.tzinfo is not None:
            text = f"expected local time in time_zone, without an offset, found {instant.isoformat()}"
            yield toml.fault(("clock", key), text)
        elif isinstance(anchor, time) and instant.time() != anchor:
            text = f"expected a time of day equal to clock.anchor, {anchor.isoformat()}, found {instant.isoformat()}"
            yield toml.fault(("clock", key), text)
        else:
            local.append(instant)
    if len(local) > 1 and local[1] <= local[0]:
        text = f"expected a time after clock.effective, {local[0].isoformat()}, found {local[1].isoformat()}"
        yield toml.fault(("clock", "ends"), text)


def _baseline(toml: TomlFile) -> Iterator[Fault]:
    first, last = (_at(toml, "violence", "baseline", key) for key in ("first_day", "last_day"))
    effective = _at(toml, "clock", "effective")
    here = ("violence", "baseline", "last_day")
    if _is_day(first) and _is_day(last) and last < first:
        yield toml.fault(here, f"expected a day not before first_day, {first}, found {last}")
    elif _is_day(last) and isinstance(effective, datetime) and last >= effective.date():
        yield toml.fault(here, f"expected a day before clock.effective, {effective.date()}, found {last}")


def _is_day(value: object) -> bool:
    return isinstance(value, date) and not isinstance(value, datetime)


def _regions(toml: TomlFile, gazetteer: object) -> Iterator[Fault]:
    listed = _entries(toml, "regions")
    known = {code for _, code in listed}
    for loc in (("regions",), ("gate_regions",), ("access", "regions")):
        seen: set[str] = set()
        for index, code in _entries(toml, *loc):
            if code in seen:
                yield toml.fault((*loc, index), f"{found(code)} is listed twice")
            elif listed and code not in known:
                yield toml.fault((*loc, index), f"{found(code)} is not among regions")
            seen.add(code)
    for index, code in _places_in(toml):
        if listed and code not in known:
            yield toml.fault(("access", "places", index, "region"), f"{found(code)} is not among regions")
    if isinstance(gazetteer, str):
        yield from _strangers(toml, listed, gazetteer)


def _strangers(toml: TomlFile, listed: list[tuple[int, str]], gazetteer: str) -> Iterator[Fault]:
    """Yield a fault for each region unknown to the gazetteer, or one for the gazetteer."""
    try:
        names = load_gazetteer(gazetteer).names()
    except GazetteerError as error:
        yield toml.fault(("gazetteer",), str(error))
        return
    for index, code in listed:
        if code not in names:
            within = region_of(code, names)
            known_as = f": no report could reach it, its codes count as {within}" if within else ""
            yield toml.fault(("regions", index), f"{found(code)} is not in the gazetteer{known_as}")


def _places_in(toml: TomlFile) -> list[tuple[int, str]]:
    places = _at(toml, "access", "places")
    regions = [place.get("region") if isinstance(place, dict) else None for place in places or ()]
    return [(index, region) for index, region in enumerate(regions) if isinstance(region, str)]


def _at(toml: TomlFile, *loc: str) -> Any:
    value: Any = toml.data
    for key in loc:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _entries(toml: TomlFile, *loc: str) -> list[tuple[int, str]]:
    value = _at(toml, *loc)
    return [(i, one) for i, one in enumerate(value) if isinstance(one, str)] if isinstance(value, list) else []
