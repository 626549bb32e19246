"""Security of a local Apache Kafka node: certificates, accounts and ACLs, all made where it runs.

Needs openssl, and nothing of this project. Clients speak SASL_SSL with SCRAM, one account for each
role of ../acls.toml. The node itself, and whoever holds its certificate, speaks TLS on a listener
of its own, and may do anything.
"""

from __future__ import annotations

import secrets
import socket
import ssl
import struct
import subprocess
import time
import tomllib
from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

ACLS = Path(__file__).resolve().parent.parent / "acls.toml"
MECHANISMS = ("SCRAM-SHA-256", "SCRAM-SHA-512")
DAYS = "3650"

#: Added to the properties of a node; later lines win.
PROPERTIES = """\
listeners=SASL_SSL://127.0.0.1:{{port}},SSL://127.0.0.1:{{internal}},CONTROLLER://127.0.0.1:{{controller}}
advertised.listeners=SASL_SSL://127.0.0.1:{{port}},SSL://127.0.0.1:{{internal}}
listener.security.protocol.map=SASL_SSL:SASL_SSL,SSL:SSL,CONTROLLER:SSL
inter.broker.listener.name=SSL
listener.name.ssl.ssl.client.auth=required
listener.name.controller.ssl.client.auth=required
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={authority}
ssl.principal.mapping.rules=RULE:^CN=([^,]+).*$/$1/
sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:broker
"""

#: Extensions of the certificates: one authority, which issues all others.
OPENSSL = """\
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[issued]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth,clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = $ENV::NAMES
"""

#: Numbers of Kafka's protocol.
OPERATIONS = {"Read": 3, "Write": 4, "Create": 5, "Delete": 6, "Alter": 7, "Describe": 8, "DescribeConfigs": 10}
RESOURCES = {"topics": 2, "groups": 3, "transactional_ids": 5}
DESCRIBE_ACLS, CREATE_ACLS = 29, 30
ANY, LITERAL, PREFIXED, ALLOW = 1, 3, 4, 3
#: How long ACLs may take to hold.
HELD_SECONDS = 30.0


class Acl(NamedTuple):
    """One thing that one account may do to one resource, or to all whose names begin with it."""

    role: str
    operation: str
    kind: str
    name: str
    prefixed: bool


def acls(prefix: str = "truce", roles: Iterable[str] | None = None) -> list[Acl]:
    """Return what acls.toml allows to ``roles``, or to all, under a topic prefix."""
    rules = tomllib.loads(ACLS.read_text())["allow"]
    return [
        Acl(rule["role"], operation, kind, name.format(prefix=prefix).removesuffix("*"), name.endswith("*"))
        for rule in rules
        for kind in RESOURCES
        for name in rule.get(kind, ())
        for operation in rule["operations"]
        if roles is None or rule["role"] in roles
    ]


class Security:
    """Certificates, passwords and settings of a node's accounts, kept under one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.granted = acls()
        self.accounts = tuple(dict.fromkeys(acl.role for acl in self.granted))
        self.more_properties = ""

    @property
    def authority(self) -> Path:
        """The certificate that clients are to trust."""
        return self.folder / "ca.pem"

    def properties(self) -> str:
        """Return lines of properties, with the ports still to be filled in."""
        return PROPERTIES.format(keystore=self.folder / "broker.pem", authority=self.authority) + self.more_properties

    def make(self) -> None:
        """Make what is not there yet."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        if not self.authority.exists():
            (self.folder / "openssl.cnf").write_text(OPENSSL)
            self._certificate("ca", "kafka-local authority", ["-extensions", "authority"])
        for name in ("broker", *self.accounts):
            if not (self.folder / f"{name}.pem").exists():
                self.issue(name)
        for account in self.accounts:
            password = self.folder / f"{account}.password"
            if not password.exists():
                password.write_text(f"{secrets.token_urlsafe(24)}\n")

    def issue(self, name: str, names: str = "IP:127.0.0.1,DNS:localhost") -> Path:
        """Issue a certificate and return its file, which holds the private key too."""
        issuer = ["-CA", str(self.authority), "-CAkey", str(self.folder / "ca.key"), "-extensions", "issued"]
        certificate, key = self._certificate(name, name, issuer, names), self.folder / f"{name}.key"
        certificate.write_text(key.read_text() + certificate.read_text())
        return certificate

    def scram(self) -> list[str]:
        """Return arguments of Kafka's `format` that make the accounts."""
        return [
            f"--add-scram={mechanism}=[name={account},password={self.password(account)}]"
            for account in self.accounts
            for mechanism in MECHANISMS
        ]

    def password(self, account: str) -> str:
        """Return the password of an account."""
        return (self.folder / f"{account}.password").read_text().strip()

    def settings(self, account: str, address: str) -> dict[str, str]:
        """Return the settings that connect as an account."""
        return {
            "TRUCEWATCH_BROKER": address,
            "TRUCEWATCH_SECURITY_PROTOCOL": "SASL_SSL",
            "TRUCEWATCH_SASL_MECHANISM": "SCRAM-SHA-512",
            "TRUCEWATCH_SASL_USERNAME": account,
            "TRUCEWATCH_SASL_PASSWORD_FILE": str(self.folder / f"{account}.password"),
            "TRUCEWATCH_SSL_CAFILE": str(self.authority),
        }

    def write_settings(self, address: str) -> None:
        """Write the settings of each account into a file that a shell can read."""
        for account in self.accounts:
            lines = [f"{name}={value}\n" for name, value in self.settings(account, address).items()]
            (self.folder / f"{account}.env").write_text("".join(lines))

    def context(self) -> ssl.SSLContext:
        """Return the TLS context of the node itself."""
        context = ssl.create_default_context(cafile=self.authority)
        context.load_cert_chain(self.folder / "broker.pem")
        return context

    def allow(self, internal: int, wanted: Sequence[Acl]) -> None:
        """Grant ACLs, through the node's own listener; one that is there already stays.

        They hold when this returns: a node grants first and follows its own log later.

        Raises:
            OSError: one was not granted, or does not hold after ``HELD_SECONDS``.
        """
        rules = [
            struct.pack(">b", RESOURCES[acl.kind])
            + _text(acl.name)
            + struct.pack(">b", PREFIXED if acl.prefixed else LITERAL)
            + _text(f"User:{acl.role}")
            + _text("*")
            + struct.pack(">bb", OPERATIONS[acl.operation], ALLOW)
            for acl in wanted
        ]
        answer = self._ask(internal, CREATE_ACLS, struct.pack(">i", len(rules)) + b"".join(rules))
        answer.read(4)
        for acl in wanted[: _number(answer, ">i")]:
            code, said = _number(answer, ">h"), _said(answer)
            if code:
                raise OSError(f"{acl} was not granted: {said or code}")
        deadline = time.monotonic() + HELD_SECONDS
        while missing := set(rules) - self._held(internal):
            if time.monotonic() > deadline:
                raise OSError(f"{len(missing)} of {len(wanted)} ACLs were granted and do not hold")
            time.sleep(0.05)

    def _held(self, internal: int) -> set[bytes]:
        """Return the ACLs that hold, as they are asked for."""
        everything = struct.pack(">bhbhhbb", ANY, -1, ANY, -1, -1, ANY, ANY)
        answer = self._ask(internal, DESCRIBE_ACLS, everything)
        answer.read(4)
        code, said = _number(answer, ">h"), _said(answer)
        if code:
            raise OSError(f"the node does not tell its ACLs: {said or code}")
        held = set()
        for _ in range(_number(answer, ">i")):
            kind, name, pattern = answer.read(1), _said(answer), answer.read(1)
            for _ in range(_number(answer, ">i")):
                who, host, what = _said(answer), _said(answer), answer.read(2)
                held.add(kind + _text(name) + pattern + _text(who) + _text(host) + what)
        return held

    def _ask(self, internal: int, key: int, body: bytes) -> BytesIO:
        """Send a request in its version 1; return what follows the correlation id."""
        request = struct.pack(">hhih", key, 1, 1, -1) + body
        raw = socket.create_connection(("127.0.0.1", internal), timeout=30)
        with self.context().wrap_socket(raw, server_hostname="127.0.0.1") as node, node.makefile("rwb") as wire:
            wire.write(struct.pack(">i", len(request)) + request)
            wire.flush()
            return BytesIO(wire.read(struct.unpack(">i", wire.read(4))[0])[4:])

    def _certificate(self, file: str, name: str, arguments: list[str], names: str = "DNS:unused") -> Path:
        certificate, key = self.folder / f"{file}.pem", self.folder / f"{file}.key"
        command = ["openssl", "req", "-x509", "-config", str(self.folder / "openssl.cnf"), "-subj", f"/CN={name}"]
        command += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", DAYS]
        command += ["-keyout", str(key), "-out", str(certificate), *arguments]
        try:
            subprocess.run(
                command, check=True, capture_output=True, text=True, env={"NAMES": names, "PATH": "/usr/bin:/bin"}
            )
        except subprocess.CalledProcessError as failure:
            raise OSError(f"openssl failed: {failure.stderr.strip()}") from failure
        return certificate


def _text(value: str) -> bytes:
    return struct.pack(">h", len(value.encode())) + value.encode()


def _number(answer: BytesIO, form: str) -> int:
    value: int = struct.unpack(form, answer.read(struct.calcsize(form)))[0]
    return value


def _said(answer: BytesIO) -> str:
    return answer.read(max(0, _number(answer, ">h"))).decode()
