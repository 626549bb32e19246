"""File of the receivers that are told of what happens: `[[notify]]` entries in TOML."""

from __future__ import annotations

import binascii
from base64 import b64decode
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from schemas.agreement import Agreement
from schemas.errors import FaultyFile
from schemas.plain_words import did_you_mean
from schemas.toml_file import Fault, TomlFile, TomlSyntaxError, parse_toml

Kind = Literal["gate", "verdict", "amendment", "silence", "overdue_convoy", "rejects_rising", "stalled"]
KINDS: tuple[Kind, ...] = get_args(Kind)
#: Standard Webhooks: a secret is base64 of 24 to 64 bytes, behind this word.
SECRET_PREFIX = "whsec_"  # noqa: S105 - a prefix
_SECRET_BYTES = range(24, 65)
_A_SECRET = f"{SECRET_PREFIX} and base64 of 24 to 64 bytes, as `echo {SECRET_PREFIX}$(openssl rand -base64 32)` makes"


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Entry(_Closed):
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
    url: str
    secret: str | None = Field(None, repr=False)
    secret_file: str | None = None
    events: list[Kind] = Field(list(KINDS), min_length=1)
    regions: list[str] = Field([], min_length=0)


class _File(_Closed):
    notify: list[_Entry] = Field(min_length=1)
    stalled_seconds: int = Field(180, ge=10, le=604_800)
    silence_hours: int = Field(24, ge=1, le=8_760)


@dataclass(frozen=True)
class Receiver:
    """Receiver of events.

    Attributes:
        name: what its position is kept by.
        key: what events are signed with.
        regions: regions it is told of; all when empty. What is of no region it is told of anyhow.
    """

    name: str
    url: str = field(repr=False)
    key: bytes = field(repr=False)
    events: frozenset[Kind] = frozenset(KINDS)
    regions: frozenset[str] = frozenset()

    def wants(self, kind: str, region: str | None) -> bool:
        """Return whether it is told of such an event."""
        return kind in self.events and (not self.regions or region is None or region in self.regions)

    @property
    def host(self) -> str:
        """Host and port of its address: the rest of it may be a secret."""
        split = urlsplit(self.url)
        return split.hostname or "" if split.port is None else f"{split.hostname}:{split.port}"


@dataclass(frozen=True)
class Receivers:
    """What a file of receivers says.

    Attributes:
        stalled_seconds: age from which a published copy counts as stalled.
        silence_hours: how long a feed says nothing of a region until that is told.
    """

    receivers: tuple[Receiver, ...]
    stalled_seconds: int
    silence_hours: int


def load_receivers(path: Path, agreement: Agreement) -> Receivers:
    """Load a file of receivers; a file of a secret is looked for beside it.

    Raises:
        FaultyFile: with every fault of the file, in file order.
    """
    try:
        toml = parse_toml(path.read_bytes())
    except OSError as error:
        raise FaultyFile(str(path), [f"cannot be read: {error.strerror or error}"]) from error
    except TomlSyntaxError as error:
        raise FaultyFile(str(path), [str(error)]) from error
    try:
        given = _File.model_validate(toml.data)
    except ValidationError as error:
        raise FaultyFile(str(path), [str(fault) for fault in sorted(toml.faults(error, _File))]) from None
    faults: list[Fault] = []
    found = [_receiver(toml, number, each, path.parent, agreement, faults) for number, each in enumerate(given.notify)]
    names = [each.name for each in given.notify]
    for number, name in enumerate(names):
        if name in names[:number]:
            faults.append(toml.fault(("notify", number, "name"), f"{name!r} is given twice; each needs its own"))
    if faults:
        raise FaultyFile(str(path), [str(fault) for fault in sorted(faults)])
    return Receivers(tuple(found), given.stalled_seconds, given.silence_hours)


def _receiver(
    toml: TomlFile, number: int, entry: _Entry, folder: Path, agreement: Agreement, faults: list[Fault]
) -> Receiver:
    def fault(key: str, text: str, *more: int) -> None:
        faults.append(toml.fault(("notify", number, key, *more), text))

    key, wrong_secret = _secret_of(entry, folder)
    if wrong_secret is not None:
        fault("secret" if entry.secret_file is None else "secret_file", wrong_secret)
    if (wrong := _wrong_with(entry.url)) is not None:
        fault("url", wrong)
    for at, region in enumerate(entry.regions):
        if region not in agreement.regions:
            guess = did_you_mean(region, agreement.regions)
            fault("regions", f"{region!r} is no region of {agreement.id}{guess}", at)
    return Receiver(entry.name, entry.url, key, frozenset(entry.events), frozenset(entry.regions))


def _secret_of(entry: _Entry, folder: Path) -> tuple[bytes, str | None]:
    """Return the key of an entry's secret, and what is wrong with it."""
    if (entry.secret is None) == (entry.secret_file is None):
        return b"", "give secret or secret_file, one of them"
    try:
        given = entry.secret or (folder / str(entry.secret_file)).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        return b"", f"cannot be read: {getattr(error, 'strerror', None) or error}"
    key = _key_of(given)
    return key, None if key else f"expected {_A_SECRET}"


def _wrong_with(url: str) -> str | None:
    """Say what is wrong with an address; it is not repeated, because it may hold a secret."""
    try:
        split = urlsplit(url)
        port = split.port
    except ValueError:
        return "expected an address such as https://example.org/hook"
    if split.scheme not in ("http", "https") or not split.hostname or port == 0 or not url.isprintable() or " " in url:
        return "expected an address such as https://example.org/hook"
    if "@" in split.netloc:
        return "leave name and password out of the address: requests are signed"
    return "leave out the part from # on: it is never sent" if split.fragment else None


def _key_of(secret: str) -> bytes:
    """Return the key of a secret; empty when it is none."""
    if not secret.startswith(SECRET_PREFIX):
        return b""
    try:
        key = b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return b""
    return key if len(key) in _SECRET_BYTES else b""
