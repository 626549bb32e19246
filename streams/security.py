"""From settings to a :class:`Cluster`, with every fault of them named before anything connects.

A secret is read from the file its setting names. A message names the setting and never what it
holds, since a secret may stand where the name of its file belongs.
"""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import AuthenticationFailedError

from schemas.errors import UsageError
from streams.engine.cluster import Cluster
from streams.settings import Settings, variable

#: A password or token is shorter. A device that never ends is not read to the end.
_SECRET_BYTES = 65_536
#: Mechanisms that send the secret itself, which only TLS may carry.
_OPEN_MECHANISMS = ("PLAIN", "OAUTHBEARER")
_SASL_SETTINGS = ("sasl_mechanism", "sasl_username", "sasl_password_file", "sasl_oauth_token_file")
_TLS_SETTINGS = ("ssl_cafile", "ssl_certfile", "ssl_keyfile", "ssl_key_password_file")
_SETTINGS = ("security_protocol", *_SASL_SETTINGS, *_TLS_SETTINGS)


def cluster(settings: Settings) -> Cluster:
    """Return the cluster that settings name, with its secrets read.

    Raises:
        UsageError: the settings contradict each other, or name a file that cannot be used.
    """
    _refuse_contradictions(settings)
    password, token = settings.sasl_password_file, settings.sasl_oauth_token_file
    return Cluster(
        settings.broker or "",
        settings.security_protocol,
        settings.sasl_mechanism,
        settings.sasl_username,
        None if password is None else _secret(password, "sasl_password_file"),
        None if token is None else TokenFile(token),
        tls_context(settings) if settings.security_protocol.endswith("SSL") else None,
    )


def for_own_broker(settings: Settings) -> Settings:
    """Return settings; without a broker they are for our own, which speaks PLAINTEXT.

    Raises:
        UsageError: they name none and ask for security, so that a cluster must have been meant.
    """
    for name in _SETTINGS if settings.broker is None else ():
        if getattr(settings, name) not in (None, "PLAINTEXT"):
            raise UsageError(
                f"{variable(name)} is set, but no broker is named",
                f"set {variable('broker')}, or unset the former: the own broker speaks PLAINTEXT",
            )
    return settings


def without_security(settings: Settings) -> Settings:
    """Return settings that ask for no security."""
    return settings.model_copy(update={**dict.fromkeys(_SETTINGS), "security_protocol": "PLAINTEXT"})


class TokenFile(AbstractTokenProvider):
    """OAUTHBEARER tokens from a file, read anew for each connection.

    Raises:
        UsageError: the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read()

    async def token(self) -> str:
        """Return the token that is in the file now."""
        try:
            return await asyncio.to_thread(self._read)
        except UsageError as error:
            # The client goes on with errors of its own kind alone, and may try again.
            raise AuthenticationFailedError(str(error)) from error

    def _read(self) -> str:
        return _secret(self._path, "sasl_oauth_token_file")


def tls_context(settings: Settings) -> ssl.SSLContext:
    """Return the TLS context of settings; the broker's certificate is always checked.

    Raises:
        UsageError: a file cannot be used.
    """
    context = ssl.create_default_context()
    if settings.ssl_cafile is not None:
        # Not beside the system's authorities: a cluster of one's own is trusted by its own alone.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _load(context, settings.ssl_cafile)
    context.check_hostname = settings.ssl_check_hostname
    if settings.ssl_certfile is not None:
        load_identity(context, settings, "ssl_")
    return context


def _load(context: ssl.SSLContext, path: Path) -> None:
    name = variable("ssl_cafile")
    try:
        context.load_verify_locations(path)
    except ssl.SSLError as error:
        raise UsageError(f"{name}: {path} holds no certificate", "give certificates in PEM format") from error
    except OSError as error:
        raise UsageError(f"{name}: {path}: {_why(error)}") from error


def load_identity(context: ssl.SSLContext, settings: Settings, prefix: str) -> None:
    """Load the certificate and key that the settings with this prefix name.

    Raises:
        UsageError: a file cannot be used.
    """
    of_certificate, of_key, of_password = (f"{prefix}{name}" for name in ("certfile", "keyfile", "key_password_file"))
    certificate, key_file = getattr(settings, of_certificate), getattr(settings, of_key)
    password_file = getattr(settings, of_password)
    for setting, path in ((of_certificate, certificate), (of_key, key_file)):
        if path is not None:
            try:
                path.open("rb").close()
            except OSError as error:
                raise UsageError(f"{variable(setting)}: {path}: {_why(error)}") from error
    password = None if password_file is None else _secret(password_file, of_password)
    asked: list[bool] = []

    def answer() -> str:
        # Without an answer of ours OpenSSL asks at the terminal, and waits.
        asked.append(True)
        return password or ""

    try:
        context.load_cert_chain(certificate, key_file, answer)
    except ssl.SSLError as error:
        if asked and password is None:
            wanted = variable(of_password)
            raise UsageError("the private key is encrypted", f"set {wanted} to a file with its password") from error
        if asked:
            raise UsageError(f"{variable(of_password)}: not the password of the private key") from error
        if error.reason == "KEY_VALUES_MISMATCH":
            raise UsageError(f"{variable(of_key)}: not the private key of the certificate {certificate}") from error
        key = f"with {variable(of_key)} " if key_file else ""
        raise UsageError(
            f"{variable(of_certificate)}: {certificate} {key}holds no certificate and private key",
            f"give both in PEM format; the key may have a file of its own, {variable(of_key)}",
        ) from error


def _refuse_contradictions(settings: Settings) -> None:
    """Refuse settings that would be ignored, that lack another one, or that send a secret in the clear."""
    protocol, mechanism = settings.security_protocol, settings.sasl_mechanism
    sasl, tls = protocol.startswith("SASL"), protocol.endswith("SSL")
    if sasl and mechanism is None:
        raise UsageError(
            f"{variable('security_protocol')} is {protocol}, but {variable('sasl_mechanism')} is not set",
            "set it to SCRAM-SHA-512, SCRAM-SHA-256, PLAIN or OAUTHBEARER",
        )
    needed: tuple[str, ...] = ()
    if sasl:
        needed = ("sasl_oauth_token_file",) if mechanism == "OAUTHBEARER" else ("sasl_username", "sasl_password_file")
    taken = (*needed, *(["sasl_mechanism"] if sasl else []), *(_TLS_SETTINGS if tls else []))
    _refuse_idle(settings, taken)
    if mechanism in _OPEN_MECHANISMS and not tls:
        raise UsageError(
            f"{variable('security_protocol')} is {protocol}: {mechanism} would send its secret in the clear",
            f"set {variable('security_protocol')}=SASL_SSL",
        )
    for name in needed:
        if getattr(settings, name) is None:
            raise UsageError(f"{variable('sasl_mechanism')} is {mechanism}, which needs {variable(name)}")
    for name in ("ssl_keyfile", "ssl_key_password_file"):
        if getattr(settings, name) is not None and settings.ssl_certfile is None:
            raise UsageError(f"{variable(name)} is set, but {variable('ssl_certfile')} is not")


def _refuse_idle(settings: Settings, taken: tuple[str, ...]) -> None:
    """Refuse settings that are not among those the protocol and the mechanism take."""
    protocol, mechanism = settings.security_protocol, settings.sasl_mechanism
    for name in _SETTINGS[1:]:
        if getattr(settings, name) is None or name in taken:
            continue
        if protocol.startswith("SASL") and name in _SASL_SETTINGS:
            raise UsageError(
                f"{variable(name)} is set, and {variable('sasl_mechanism')} is {mechanism}, which takes none",
                "unset the one, or change the other",
            )
        raise UsageError(
            f"{variable(name)} is set, and {variable('security_protocol')} is {protocol}, which takes none",
            f"set {variable('security_protocol')}=SASL_SSL"
            + ("" if name in _SASL_SETTINGS else ", or SSL for a cluster without accounts"),
        )


def _secret(path: Path, name: str) -> str:
    """Return the one line of a file that a setting names."""
    try:
        with path.open("rb") as file:
            found = file.read(_SECRET_BYTES + 1)
    except (OSError, ValueError) as error:
        raise UsageError(f"the file that {variable(name)} names cannot be read: {_why(error)}") from None
    try:
        secret = found.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        secret = ""
    if not secret or len(found) > _SECRET_BYTES or not secret.isprintable():
        raise UsageError(f"the file that {variable(name)} names does not hold one line of text, the secret")
    return secret


def _why(error: Exception) -> str:
    return (getattr(error, "strerror", None) or "not the name of a file").lower()
