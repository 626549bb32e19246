"""Tokens of the gateway, each of which stands for feeds.

A line of the file is one token, its SHA-256 in hexadecimal digits and then its feeds. ``#`` begins a
comment. A token holds 256 random bits, so its hash needs no salt and cannot be tried out.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from secrets import token_urlsafe
from time import monotonic
from typing import NamedTuple

import structlog

from schemas.errors import UsageError
from schemas.reports import FEED_NAME
from streams.gateway.watched import state

log = structlog.get_logger(__name__)

#: How often the file is looked at, at most.
LOOK_SECONDS = 1.0
#: What secret scanners know a token by.
_BEGINS = "trucewatch_"
_TOKEN_BYTES = 32
#: Some ten thousand tokens.
_FILE_BYTES = 1_048_576
_HASH = re.compile(r"[0-9a-f]{64}").fullmatch
_FEED = re.compile(FEED_NAME).fullmatch
_HELP = "`trucewatch gateway token FEED...` writes such a line"


class Holder(NamedTuple):
    """Whoever holds a token. ``name`` is the beginning of the token's hash, which tells nothing of the token."""

    name: str
    feeds: frozenset[str]


class Tokens:
    """Tokens of a file, which is read again when it changes.

    A change that cannot be used is logged, and the tokens of before hold on.

    Raises:
        UsageError: the file cannot be used, or others may write or read it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._state = state(path)
        self._known = _read(path)
        self._looked_at = monotonic()
        self._fault = ""

    def holder(self, token: str) -> Holder | None:
        """Return the holder of a token; None of one that is unknown."""
        if monotonic() - self._looked_at >= LOOK_SECONDS:
            self._look()
        given = sha256(token.encode(errors="replace")).digest()
        found = None
        # To the end: the time it takes must not tell how far a guess came.
        for digest, holder in self._known:
            if compare_digest(digest, given):
                found = holder
        return found

    def _look(self) -> None:
        self._looked_at = monotonic()
        found = state(self._path)
        if found == self._state:
            self._fault = ""
            return
        try:
            self._known = _read(self._path)
        except UsageError as error:
            # Tried again until it succeeds, and told once: a token that was taken back must not live on.
            if str(error) != self._fault:
                log.warning("tokens_not_read", reason=str(error), hint="the tokens read before hold on")
            self._fault = str(error)
        else:
            self._state, self._fault = found, ""
            log.info("tokens_read", tokens=len(self._known))


def make(path: Path, feeds: Sequence[str]) -> str:
    """Return a new token for feeds, its hash added to the file, which is made where there is none.

    Raises:
        UsageError: a name is none of a feed, or the file cannot be used.
    """
    for feed in feeds:
        _check_feed(feed, "FEED")
    if path.exists():
        _read(path)
    token = _BEGINS + token_urlsafe(_TOKEN_BYTES)
    line = f"{sha256(token.encode()).hexdigest()} {' '.join(feeds)}  # made {datetime.now(UTC):%Y-%m-%d}\n"
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(file, "r+b") as kept:
            # An editor may have left the last line without its end.
            ended = kept.read()[-1:] in (b"", b"\n")
            kept.write(line.encode() if ended else b"\n" + line.encode())
            kept.flush()
            os.fsync(file)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error
    return token


def _read(path: Path) -> list[tuple[bytes, Holder]]:
    try:
        with path.open("rb") as file:
            _check_guarded(path, os.fstat(file.fileno()))
            content = file.read(_FILE_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path}: {(error.strerror or str(error)).lower()}", _HELP) from error
    if len(content) > _FILE_BYTES:
        raise UsageError(f"{path}: longer than {_FILE_BYTES:,} bytes, so no file of tokens")
    try:
        lines = content.decode().splitlines()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8, so no file of tokens") from error
    return list(_holders(path, lines))


def _holders(path: Path, lines: Sequence[str]) -> Iterator[tuple[bytes, Holder]]:
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if not _HASH(words[0]) or len(words) == 1:
            # Not the line itself: a token may stand there in the clear.
            raise UsageError(f"{path}, line {number}: should be a SHA-256 and the names of feeds", _HELP)
        for feed in words[1:]:
            _check_feed(feed, f"{path}, line {number}")
        yield bytes.fromhex(words[0]), Holder(words[0][:8], frozenset(words[1:]))


def _check_feed(feed: str, where: str) -> None:
    if _FEED(feed) is None:
        raise UsageError(f"{where}: {feed!r} is no name of a feed", f"such a name matches {FEED_NAME}")


def _check_guarded(path: Path, found: os.stat_result) -> None:
    """Refuse a file that somebody else may change, or everybody may read."""
    if found.st_mode & (stat.S_IWGRP | stat.S_IRWXO) or found.st_uid not in (0, os.geteuid()):
        raise UsageError(
            f"{path}: others may write it or read it (mode {stat.S_IMODE(found.st_mode):04o}, owner {found.st_uid})",
            f"`chmod 600 {path}`, and let the gateway's user or root own it",
        )
