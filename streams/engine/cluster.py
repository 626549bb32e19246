"""Kafka cluster, with the security its clients connect with.

Every client of Kafka is made of a :class:`Cluster`, Faust's among them.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiokafka.abc import AbstractTokenProvider

if TYPE_CHECKING:
    from faust.types.auth import CredentialsT

SCHEME = "kafka://"


@dataclass(frozen=True)
class Cluster:
    """Address of a cluster, and the protocol and credentials it is spoken to with.

    ``str()`` is the address alone, so that no message can carry a secret.

    Attributes:
        address: ``kafka://host:port``, several separated by commas.
        protocol: Kafka's name of it, from PLAINTEXT to SASL_SSL.
        mechanism: of SASL.
        username: of SASL, for PLAIN and SCRAM.
        password: of SASL, for PLAIN and SCRAM.
        tokens: provider of OAUTHBEARER tokens.
        tls: context with the trusted certificates, and with the client's own if it has one.
    """

    address: str
    protocol: str = "PLAINTEXT"
    mechanism: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tokens: AbstractTokenProvider | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return self.address

    @property
    def hosts(self) -> list[str]:
        """The ``host:port`` pairs of the address, as aiokafka takes them."""
        parts = [part.strip().removeprefix(SCHEME) for part in self.address.split(",")]
        return [part for part in parts if part]

    @property
    def urls(self) -> list[str]:
        """The ``kafka://host:port`` URLs of the address, as Faust takes them."""
        return [SCHEME + host for host in self.hosts]

    @property
    def is_authenticated(self) -> bool:
        """Whether the cluster knows who its client is, and so may have rules for it."""
        return self.protocol != "PLAINTEXT"

    @property
    def who(self) -> str:
        """The client as a person knows it."""
        if self.username is not None:
            return f"user {self.username}"
        return "the owner of the token" if self.tokens is not None else "this client"

    @property
    def connection(self) -> dict[str, Any]:
        """Keyword arguments of a connection of aiokafka's."""
        given = {
            "security_protocol": self.protocol,
            "ssl_context": self.tls,
            "sasl_mechanism": self.mechanism,
            "sasl_plain_username": self.username,
            "sasl_plain_password": self.password,
            "sasl_oauth_token_provider": self.tokens,
        }
        return {name: value for name, value in given.items() if value is not None}

    @property
    def client(self) -> dict[str, Any]:
        """Keyword arguments of every client of aiokafka's."""
        return {"bootstrap_servers": self.hosts, **self.connection}

    @property
    def credentials(self) -> CredentialsT | None:
        """The same for Faust, as its ``broker_credentials``."""
        # Not at the top: Faust takes a second to import, and a feed that publishes needs none of it.
        from faust.auth import OAuthCredentials, SASLCredentials, SSLCredentials

        if self.tokens is not None:
            return OAuthCredentials(oauth_cb=self.tokens, ssl_context=self.tls)
        if self.mechanism is not None:
            return SASLCredentials(
                username=self.username, password=self.password, ssl_context=self.tls, mechanism=self.mechanism
            )
        return None if self.tls is None else SSLCredentials(self.tls)


#: A cluster, or the address of one that is spoken to in the clear.
Broker = Cluster | str


def cluster_of(broker: Broker) -> Cluster:
    """Return the cluster at an address; one that is known already stays as it is."""
    return broker if isinstance(broker, Cluster) else Cluster(broker)
