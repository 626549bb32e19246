"""Certificate and key of the gateway, and whether it needs them."""

from __future__ import annotations

import asyncio
import ssl
from ipaddress import ip_address

import structlog

from schemas.errors import UsageError
from streams.gateway.watched import state
from streams.security import load_identity
from streams.settings import Settings, variable

log = structlog.get_logger(__name__)

#: How often the files are looked at.
_LOOK_SECONDS = 30.0
_PREFIX = "gateway_"
_FILES = ("gateway_certfile", "gateway_keyfile", "gateway_key_password_file")


class Identity:
    """Certificate and key, loaded again when one of their files changes.

    Attributes:
        context: of connections to come.

    Raises:
        UsageError: a file cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._paths = [path for each in _FILES if (path := getattr(settings, each)) is not None]
        self._states = self._found()
        self._fault = ""
        self.context = self._loaded()

    async def watch(self) -> None:
        """Look at the files until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self.look()

    def look(self) -> None:
        """Load what has changed; what cannot be used leaves the context as it was."""
        found = self._found()
        if found == self._states:
            self._fault = ""
            return
        try:
            # Into a context of its own: a key that does not fit would take the certificate from the one in use.
            self.context = self._loaded()
        except UsageError as error:
            # Tried again, for a certificate and its key are seldom replaced in one moment.
            if str(error) != self._fault:
                log.warning("certificate_not_read", reason=str(error), hint="the one read before holds on")
            self._fault = str(error)
        else:
            self._states, self._fault = found, ""
            log.info("certificate_read")

    def _found(self) -> list[tuple[int, ...] | None]:
        return [state(each) for each in self._paths]

    def _loaded(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        load_identity(context, self._settings, _PREFIX)
        return context


def identity_of(settings: Settings) -> Identity | None:
    """Return the certificate and key of the server; None where it speaks in the clear.

    Raises:
        UsageError: it would do so beyond loopback and nobody said so, or a file cannot be used.
    """
    if settings.gateway_certfile is not None:
        return Identity(settings)
    for name in _FILES[1:]:
        if getattr(settings, name) is not None:
            raise UsageError(f"{variable(name)} is set, but {variable('gateway_certfile')} is not")
    if not settings.gateway_in_clear and not _is_loopback(settings.gateway_address):
        raise UsageError(
            f"the gateway would send tokens in the clear at {settings.gateway_address}",
            f"set {variable('gateway_certfile')}, listen on 127.0.0.1, or give --in-clear behind a proxy with TLS",
        )
    return None


def _is_loopback(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
