"""Settings of a deployment and the roles of its workers.

The command line reads the environment once and passes the settings down as values.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from schemas.errors import UsageError
from schemas.failpoints import PATTERN
from schemas.topics import Topics

PREFIX = "TRUCEWATCH_"

#: Role of a worker process.
Role = Literal["intake", "ledger"]

#: Variables with our prefix that the tests read and no command does.
_OF_THE_TESTS = frozenset(
    {
        "TRUCEWATCH_SHARED_DATA",
        "TRUCEWATCH_TEST_ABSENCES",
        "TRUCEWATCH_TEST_KILLS",
    }
)

#: A name, an address of four numbers, or one of IPv6 in brackets: nothing that a password could stand in.
_HOST = r"([\w.-]+|\[[0-9a-fA-F:.]+\])"
_ADDRESS = r"^([^/:\s]+|\[[0-9a-fA-F:]+\]):\d{1,5}$"
_BROKER = rf"^kafka://{_HOST}:\d{{1,5}}(,{_HOST}:\d{{1,5}})*$"
_ADDRESSES = re.compile(rf"{_HOST}(:\d+)?(,{_HOST}(:\d+)?)*")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


class Settings(BaseSettings):
    """Settings of a deployment.

    Each is a variable ``TRUCEWATCH_<NAME>`` or a command's option of the same name.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True)

    broker: Annotated[str, StringConstraints(pattern=_BROKER)] | None = Field(
        None,
        description="Kafka brokers, `kafka://host:port[,host:port]`; without it `up` and `replay` start their own.",
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How brokers are spoken to: `PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`."
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] | None = Field(
        None,
        description="`SCRAM-SHA-512`, `SCRAM-SHA-256`, or over TLS alone `PLAIN` and `OAUTHBEARER`.",
    )
    sasl_username: str | None = Field(None, min_length=1, description="Name of the account, for PLAIN and SCRAM.")
    sasl_password_file: Path | None = Field(None, description="File whose one line is the account's password.")
    sasl_oauth_token_file: Path | None = Field(
        None, description="File whose one line is the OAUTHBEARER token; read anew for each connection."
    )
    ssl_cafile: Path | None = Field(
        None, description="PEM file of the authorities a broker's certificate may come from; the system's unless set."
    )
    ssl_certfile: Path | None = Field(None, description="PEM file of the client's certificate, with those above it.")
    ssl_keyfile: Path | None = Field(
        None, description="PEM file of the certificate's private key, unless the certificate's file has it."
    )
    ssl_key_password_file: Path | None = Field(None, description="File whose one line is the private key's password.")
    ssl_check_hostname: bool = Field(
        True, description="Whether a broker's certificate must be for the name it is called by."
    )
    data: Path = Field(
        Path("trucewatch-data"), description="Folder of the DuckDB files, one folder per agreement in it."
    )
    agreement: str = Field(
        "syria-2016", min_length=1, description="A shipped agreement's id, or the path of an agreement file."
    )
    boundaries: Path | None = Field(
        None, description="GeoJSON of the regions' boundaries, to locate reports by coordinates."
    )
    topic_prefix: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(\.[a-z0-9]+)*$", max_length=100)] = Field(
        "truce", description="First part of every topic and consumer group name: lower case, digits, dots."
    )
    partitions: int = Field(4, ge=1, le=1_000, description="Partitions of the input topics where they are created.")
    chunk_facts: int = Field(
        4_096, ge=1, le=100_000, description="Facts that intake writes as one record of the facts topic, at most."
    )
    flush_records: int = Field(
        20_000, ge=1, le=1_000_000, description="Facts after which the ledger commits, to the end of their chunk."
    )
    flush_seconds: float = Field(
        0.03,
        gt=0,
        le=60,
        description="How long a fact waits for its commit; under load a quarter of the last, up to 25 times this.",
    )
    publish_seconds: float = Field(2.0, gt=0, le=3_600, description="Shortest time between two published copies.")
    health_address: Annotated[str, StringConstraints(pattern=_ADDRESS)] | None = Field(
        None,
        description="Serves `/livez`, `/readyz` and `/metrics` at `host:port`; port 0 is a free one. Off unless set.",
    )
    stall_seconds: float = Field(
        120.0,
        ge=1,
        le=86_400,
        description="How long a worker may stand still before it ends; more than the slowest commit or copy takes.",
    )
    stamps: Literal["clock", "archive"] = Field(
        "clock", description="What stamps a fact: intake's clock, or the archive's own reporting times in a replay."
    )
    broker_patience_seconds: float = Field(
        90.0,
        ge=0,
        le=86_400,
        description="How long `worker`, `up`, `publish`, `outbox` and `receipts`, once at work, wait for a broker; "
        "less than a worker may stand still.",
    )
    memory_limit: Annotated[str, StringConstraints(pattern=r"^\d+(\.\d+)?\s?(KB|MB|GB|TB|KiB|MiB|GiB|TiB)$")] = Field(
        "512MB", description="What DuckDB may use, e.g. `2GB`."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level logged.")
    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="`auto` is text on a terminal and JSON elsewhere."
    )

    outbox: Path | None = Field(
        None, description="Folder of a feed's outbox: `publish` keeps reports there before it sends them."
    )
    notify_receivers: Path | None = Field(
        None, description="TOML file of the receivers that `notify` tells; with it `up` runs `notify` too."
    )
    gateway_address: Annotated[str, StringConstraints(pattern=_ADDRESS)] = Field(
        "127.0.0.1:8481", description="Where `gateway` listens, `host:port`; port 0 is a free one."
    )
    gateway_tokens: Path | None = Field(
        None,
        description="File of the hashed tokens that `gateway` takes, each with its feeds; read again when changed.",
    )
    gateway_certfile: Path | None = Field(
        None, description="PEM file of the certificate of `gateway`, with those above it; read again when changed."
    )
    gateway_keyfile: Path | None = Field(
        None, description="PEM file of its private key, unless the certificate's file has it."
    )
    gateway_key_password_file: Path | None = Field(None, description="File whose one line is that key's password.")
    gateway_in_clear: bool = Field(
        False, description="Whether `gateway` may listen beyond loopback without TLS, as behind a proxy that has it."
    )
    gateway_body_bytes: int = Field(
        8_388_608, ge=1_024, le=268_435_456, description="Size of a request to `gateway`, packed or not, at most."
    )
    gateway_records: int = Field(2_000, ge=1, le=100_000, description="Records of one request to `gateway`, at most.")
    gateway_rate: int = Field(
        60_000, ge=1, le=1_000_000_000, description="Records that one token may send to `gateway` in a minute."
    )
    failpoint: Annotated[str, StringConstraints(pattern=PATTERN)] | None = Field(
        None,
        description="For crash tests: the step at which a worker kills itself, `step[:time[:kill\\|stop\\|hold]]`.",
    )

    @property
    def topics(self) -> Topics:
        """Topics of the deployment."""
        return Topics(self.topic_prefix, self.partitions)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Options first, then the environment; no file is read that nobody named."""
        return init_settings, env_settings


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return PREFIX + name.upper()


def load(options: Mapping[str, Any] | None = None) -> Settings:
    """Build the settings from the environment and the options given, which win; an option of None is not given.

    Raises:
        UsageError: a variable with our prefix is unknown, or a value is not one the setting takes.
    """
    known = [variable(name) for name in Settings.model_fields]
    for name in sorted(os.environ):
        if name.upper().startswith(PREFIX) and name.upper() not in _OF_THE_TESTS.union(known):
            # Without the prefix, which makes any two names alike.
            near = get_close_matches(
                name.upper().removeprefix(PREFIX), [each.removeprefix(PREFIX) for each in known], n=1
            )
            hint = f"did you mean {PREFIX}{near[0]}?" if near else f"there are {', '.join(known)}"
            raise UsageError(f"{name} is no setting; {hint}")
    given = {name: value for name, value in (options or {}).items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        faults = []
        for each in error.errors():
            name = str(each["loc"][0])
            source = f"--{name.replace('_', '-')}" if name in given else variable(name)
            faults.append(f"{source}: {_reason(each['msg'], name)}, not {_shown(name, str(each['input']))!r}")
        raise UsageError("; ".join(faults)) from None


def environment(settings: Settings) -> dict[str, str]:
    """Return settings as environment variables, for a worker process to read back unchanged."""
    values = settings.model_dump(mode="json")
    return {variable(name): str(value) for name, value in values.items() if value is not None}


def _shown(name: str, value: str) -> str:
    """Return a refused value; of an address only scheme, hosts and ports: a password may stand anywhere else."""
    if name not in ("broker", "health_address", "gateway_address"):
        return value
    scheme = found[0] if (found := _SCHEME.match(value)) else ""
    rest = value[len(scheme) :]
    head = re.split(r"[/?#]", rest, maxsplit=1)[0]
    before, _, hosts = head.rpartition("@")
    tail = rest[len(head) :]
    # An @ further on may be one of a query, or end a password that holds what else begins a query.
    if "@" in tail or not _ADDRESSES.fullmatch(hosts):
        return f"{scheme}***"
    return f"{scheme}{before and '***@'}{hosts}{tail and '***'}"


def _reason(message: str, name: str) -> str:
    if message.startswith("String should match pattern"):
        return {
            "broker": "should be kafka://host:port[,host:port], without a name or password",
            "health_address": "should be host:port, such as 127.0.0.1:0",
            "gateway_address": "should be host:port, such as 127.0.0.1:8481",
            "topic_prefix": "should be lower case, digits and dots",
            "memory_limit": "should be a size such as 512MB",
            "failpoint": "should be step[:time[:kill|stop|hold]]",
        }[name]
    return message[:1].lower() + message[1:]
