"""Apache Kafka with TLS, accounts and ACLs, and the settings of each account."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streams.engine.cluster import Broker, Cluster
from streams.security import cluster
from streams.settings import PREFIX, Settings
from tests.support.brokers import need_kafka
from tests.support.kafka import local_security, secured_node

#: An account that is granted nothing but what a test grants it.
STRANGER = "stranger"
#: Beside SCRAM, whose accounts are made when the log is formatted.
MECHANISMS = """\
sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512,PLAIN,OAUTHBEARER
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
  user_ops="%s";
listener.name.sasl_ssl.oauthbearer.sasl.jaas.config=\
  org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";
"""


@dataclass(frozen=True)
class AsOps(Cluster):
    """The cluster as its operator's account has it, with the settings that say so."""

    settings: tuple[tuple[str, str], ...] = ()


class SecuredKafka:
    """A node that runs, with the accounts it has."""

    def __init__(self, node: Any, address: str) -> None:
        self.node = node
        self.security = node.security
        self.address = address

    def settings(self, account: str) -> dict[str, str]:
        """Return the settings of an account, as fields of Settings."""
        found: dict[str, str] = self.security.settings(account, self.address)
        return {name.removeprefix(PREFIX).lower(): value for name, value in found.items()}

    def variables(self, account: str) -> dict[str, str]:
        """Return the settings of an account, as environment variables."""
        return dict(self.security.settings(account, self.address))

    def cluster(self, account: str = "ops") -> AsOps:
        """Return the cluster as an account has it."""
        given = self.settings(account)
        known = cluster(Settings.model_validate(given))
        return AsOps(**vars(known), settings=tuple(given.items()))

    def allow(self, *prefixes: str) -> None:
        """Grant each role what it needs under topic prefixes."""
        self.grant(acl for prefix in prefixes for acl in self.acls(prefix))

    def acls(self, prefix: str, *roles: str) -> list[Any]:
        """Return what deploy/acls.toml allows."""
        return list(local_security().acls(prefix, roles or None))

    def grant(self, acls: Iterable[Any]) -> None:
        """Grant ACLs."""
        self.security.allow(self.node.internal, list(acls))


def secured(directory: Path) -> Iterator[SecuredKafka]:
    """Run a node for as long as the generator lives; skip as the other brokers do."""
    need_kafka()
    node = secured_node(directory)
    node.security.accounts += (STRANGER,)
    node.security.make()
    node.security.more_properties = MECHANISMS % node.security.password("ops")
    try:
        yield SecuredKafka(node, node.start(0))
    finally:
        node.stop()


def connection_of(broker: Broker) -> dict[str, str]:
    """Return the settings that lead to a broker, as fields of Settings."""
    return dict(broker.settings) if isinstance(broker, AsOps) else {"broker": str(broker)}


def as_role(settings: Settings, role: str) -> Settings:
    """Return settings with the account of a role, where there are accounts."""
    if settings.sasl_password_file is None:
        return settings
    password = settings.sasl_password_file.with_name(f"{role}.password")
    return settings.model_copy(update={"sasl_username": role, "sasl_password_file": password})
