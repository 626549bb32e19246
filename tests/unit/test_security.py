"""TLS and SASL: what settings make of every client of Kafka, and which of them are refused in words."""

from __future__ import annotations

import ast
import asyncio
import json
import logging
import subprocess
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from aiokafka import errors
from aiokafka.errors import AuthenticationFailedError
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

from schemas.errors import BrokerRefused, UsageError
from schemas.topics import Topics
from streams import log
from streams.engine.access import READ, WRITE, check_topics
from streams.engine.cluster import Cluster, cluster_of
from streams.engine.kafka_errors import our_error
from streams.engine.metadata import KnownTopic
from streams.security import TokenFile, cluster, for_own_broker, without_security
from streams.settings import Settings
from tests.support.certificates import authority
from tests.support.commands import Run
from tests.support.shell import ROOT

SECRET = "s3cret"  # noqa: S105 - of this test
SCRAM = {"security_protocol": "SASL_SSL", "sasl_mechanism": "SCRAM-SHA-512", "sasl_username": "intake"}
SCRAM |= {"sasl_password_file": "password"}
TOKEN = {"security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER", "sasl_oauth_token_file": "password"}


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An authority, and certificates it issued."""
    return authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("password").write_text(f"{SECRET}\n")
    Path("empty").write_text("\n")
    Path("lines").write_text(f"{SECRET}\nanother\n")
    Path("binary").write_bytes(b"\xff\xfe")
    Path("folder").mkdir()


def of(**given: Any) -> Cluster:
    return cluster(Settings.model_validate({"broker": "kafka://h:1,g:2", **given}))


@pytest.mark.parametrize(
    ("given", "connection"),
    [
        ({}, {"security_protocol": "PLAINTEXT"}),
        ({"security_protocol": "SSL"}, {"security_protocol": "SSL"}),
        (
            SCRAM,
            {"security_protocol": "SASL_SSL", "sasl_mechanism": "SCRAM-SHA-512"}
            | {"sasl_plain_username": "intake", "sasl_plain_password": SECRET},
        ),
        (
            SCRAM | {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "SCRAM-SHA-256"},
            {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "SCRAM-SHA-256"}
            | {"sasl_plain_username": "intake", "sasl_plain_password": SECRET},
        ),
        (
            SCRAM | {"sasl_mechanism": "PLAIN"},
            {"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN"}
            | {"sasl_plain_username": "intake", "sasl_plain_password": SECRET},
        ),
        (TOKEN, {"security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER"}),
    ],
)
def test_faust_connects_as_every_other_client_does(given: dict[str, Any], connection: dict[str, Any]) -> None:
    made = of(**given)
    told = dict(made.connection)
    assert (told.pop("ssl_context", None) is not None) == made.protocol.endswith("SSL")
    assert (told.pop("sasl_oauth_token_provider", None) is not None) == (made.mechanism == "OAUTHBEARER")
    assert told == connection
    assert made.client == {"bootstrap_servers": ["h:1", "g:2"], **made.connection}
    by_faust = credentials_to_aiokafka_auth(made.credentials)
    assert {name: value for name, value in by_faust.items() if value is not None} == made.connection


def test_every_client_of_kafka_is_made_of_a_cluster() -> None:
    """One that names bootstrap servers by itself would speak in the clear."""
    calls = [
        (file.name, call)
        for file in (ROOT / "streams").rglob("*.py")
        for call in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(call, ast.Call) and ast.unparse(call.func).startswith("AIOKafka")
    ]
    assert len(calls) >= 6
    for name, call in calls:
        assert any(
            each.arg is None and ast.unparse(each.value).endswith((".client", ".connection")) for each in call.keywords
        ), name


def test_an_address_alone_is_a_cluster_in_the_clear() -> None:
    assert cluster_of("kafka://h:1") == Cluster("kafka://h:1")
    assert cluster_of(of(**SCRAM)).username == "intake"


def test_host_names_are_checked_unless_told_otherwise(issued: Any) -> None:
    given = {"security_protocol": "SSL", "ssl_cafile": issued.authority}
    assert [of(**given).tls.check_hostname, of(**given, ssl_check_hostname="false").tls.check_hostname] == [True, False]  # type: ignore[union-attr]
    assert of(**given, ssl_check_hostname=False).tls.verify_mode.name == "CERT_REQUIRED"  # type: ignore[union-attr]


def test_an_authority_of_ones_own_is_trusted_alone(issued: Any) -> None:
    context = of(security_protocol="SSL", ssl_cafile=issued.authority).tls
    assert context is not None
    assert context.cert_store_stats()["x509"] == 1


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            {"security_protocol": "SASL_SSL"},
            "is SASL_SSL, but TRUCEWATCH_SASL_MECHANISM is not set; set it to SCRAM-SHA-",
        ),
        (
            SCRAM | {"security_protocol": "PLAINTEXT"},
            "is PLAINTEXT, which takes none; set TRUCEWATCH_SECURITY_PROTOCOL=",
        ),
        (
            SCRAM | {"security_protocol": "SSL"},
            "TRUCEWATCH_SASL_MECHANISM is set, and TRUCEWATCH_SECURITY_PROTOCOL is SSL",
        ),
        ({"ssl_cafile": "ca.pem"}, "TRUCEWATCH_SSL_CAFILE is set, and TRUCEWATCH_SECURITY_PROTOCOL is PLAINTEXT"),
        ({"ssl_certfile": "me.pem"}, "TRUCEWATCH_SSL_CERTFILE is set, and TRUCEWATCH_SECURITY_PROTOCOL is PLAINTEXT"),
        (
            SCRAM | {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN"},
            "PLAIN would send its secret in the clear; set TRUCEWATCH_SECURITY_PROTOCOL=SASL_SSL",
        ),
        (TOKEN | {"security_protocol": "SASL_PLAINTEXT"}, "OAUTHBEARER would send its secret in the clear"),
        (SCRAM | {"sasl_username": None}, "is SCRAM-SHA-512, which needs TRUCEWATCH_SASL_USERNAME"),
        (SCRAM | {"sasl_password_file": None}, "is SCRAM-SHA-512, which needs TRUCEWATCH_SASL_PASSWORD_FILE"),
        (TOKEN | {"sasl_oauth_token_file": None}, "is OAUTHBEARER, which needs TRUCEWATCH_SASL_OAUTH_TOKEN_FILE"),
        (
            TOKEN | {"sasl_username": "me"},
            "TRUCEWATCH_SASL_USERNAME is set, and TRUCEWATCH_SASL_MECHANISM is OAUTHBEARER",
        ),
        (
            SCRAM | {"sasl_oauth_token_file": "password"},
            "TRUCEWATCH_SASL_OAUTH_TOKEN_FILE is set, and TRUCEWATCH_SASL_",
        ),
        (
            {"security_protocol": "SSL", "ssl_keyfile": "password"},
            "TRUCEWATCH_SSL_KEYFILE is set, but TRUCEWATCH_SSL_CERT",
        ),
        (
            {"security_protocol": "SSL", "ssl_key_password_file": "password"},
            "TRUCEWATCH_SSL_KEY_PASSWORD_FILE is set, but",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused_with_what_to_set(given: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError) as refused:
        of(**given)
    assert told in f"{refused.value}; {refused.value.hint}"


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("nothere", "cannot be read: no such file or directory"),
        (SECRET, "cannot be read: no such file or directory"),
        ("nul\0byte", "cannot be read: not the name of a file"),
        ("folder", "cannot be read: is a directory"),
        ("empty", "does not hold one line of text, the secret"),
        ("lines", "does not hold one line of text, the secret"),
        ("binary", "does not hold one line of text, the secret"),
        ("/dev/zero", "does not hold one line of text, the secret"),
    ],
)
@pytest.mark.parametrize("given", [SCRAM, TOKEN])
def test_a_file_that_holds_no_secret_is_told_by_its_setting_alone(given: dict[str, Any], file: str, told: str) -> None:
    """Who writes the secret itself where its file belongs must not find it in a log."""
    name = next(name for name in given if name.endswith("_file"))
    with pytest.raises(UsageError) as refused:
        of(**given | {name: file})
    assert str(refused.value) == f"the file that TRUCEWATCH_{name.upper()} names {told}"
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_secret_is_its_line_without_the_end_and_with_its_blanks(ending: str) -> None:
    Path("password").write_bytes(f" pass word {ending}".encode())
    assert " pass word " in of(**SCRAM).connection.values()


def test_a_token_is_read_anew_and_one_that_went_missing_is_no_end_of_the_client() -> None:
    tokens = TokenFile(Path("password"))
    Path("password").write_text("fresh\n")
    assert asyncio.run(tokens.token()) == "fresh"
    Path("password").unlink()
    with pytest.raises(AuthenticationFailedError, match="TRUCEWATCH_SASL_OAUTH_TOKEN_FILE names cannot be read"):
        asyncio.run(tokens.token())


def test_files_of_tls_are_each_told_as_what_they_are_not(issued: Any, tmp_path: Path) -> None:
    mine, other, key = issued.folder / "client.pem", issued.folder / "broker.key", tmp_path / "locked.key"
    command = ["openssl", "pkey", "-in", str(issued.folder / "client.key"), "-aes256", "-passout", f"pass:{SECRET}"]
    subprocess.run([*command, "-out", str(key)], check=True, capture_output=True)
    wrong = tmp_path / "wrong"
    wrong.write_text("not that\n")
    cases: list[tuple[dict[str, Any], str]] = [
        ({"ssl_cafile": "nothere.pem"}, "TRUCEWATCH_SSL_CAFILE: nothere.pem: no such file or directory"),
        ({"ssl_cafile": "password"}, "TRUCEWATCH_SSL_CAFILE: password holds no certificate"),
        ({"ssl_certfile": "nothere.pem"}, "TRUCEWATCH_SSL_CERTFILE: nothere.pem: no such file or directory"),
        ({"ssl_certfile": "password"}, "TRUCEWATCH_SSL_CERTFILE: password holds no certificate and private key"),
        ({"ssl_certfile": mine, "ssl_keyfile": "nothere.key"}, "TRUCEWATCH_SSL_KEYFILE: nothere.key: no such file"),
        (
            {"ssl_certfile": mine, "ssl_keyfile": other},
            "TRUCEWATCH_SSL_KEYFILE: not the private key of the certificate",
        ),
        ({"ssl_certfile": mine, "ssl_keyfile": key}, "the private key is encrypted"),
        (
            {"ssl_certfile": mine, "ssl_keyfile": key, "ssl_key_password_file": wrong},
            "TRUCEWATCH_SSL_KEY_PASSWORD_FILE: not the password of the private key",
        ),
    ]
    for given, told in cases:
        with pytest.raises(UsageError) as refused:
            of(security_protocol="SSL", **given)
        assert told in str(refused.value)
    given = {"ssl_certfile": mine, "ssl_keyfile": key, "ssl_key_password_file": "password"}
    assert of(security_protocol="SSL", **given).tls
    assert of(security_protocol="SSL", ssl_certfile=mine).tls


def test_security_without_a_broker_is_refused_for_a_broker_of_our_own_has_none() -> None:
    settings = Settings.model_validate(SCRAM)
    with pytest.raises(UsageError, match="TRUCEWATCH_SECURITY_PROTOCOL is set, but no broker is named"):
        for_own_broker(settings)
    assert for_own_broker(without_security(settings)) == Settings()


def test_a_secret_is_in_no_description_of_a_cluster() -> None:
    for given in (SCRAM, TOKEN):
        assert SECRET not in f"{of(**given)!r} {of(**given)} {of(**given).credentials!r}"


def test_requests_are_logged_at_no_level_for_they_hold_the_password() -> None:
    client = logging.getLogger("aiokafka.conn")
    before = logging.root.level, logging.root.handlers[:], client.level
    try:
        log.configure(Settings(log_level="debug"))
        assert logging.getLogger("aiokafka.client").isEnabledFor(logging.DEBUG)
        assert not client.isEnabledFor(logging.DEBUG)
    finally:
        logging.root.setLevel(before[0])
        logging.root.handlers = before[1]
        client.setLevel(before[2])


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            errors.TopicAuthorizationFailedError({"b", "a"}),
            "does not let user intake use topic a, b: an ACL is missing",
        ),
        (errors.TopicAuthorizationFailedError("a"), "does not let user intake use topic a: an ACL is missing"),
        (errors.GroupAuthorizationFailedError("g"), "does not let user intake use consumer group g: an ACL is missing"),
        (
            errors.TransactionalIdAuthorizationFailed("t"),
            "does not let user intake use transactional id t: an ACL is missing",
        ),
        (
            errors.ClusterAuthorizationFailedError("x"),
            "does not let user intake administer the cluster: an ACL is missing",
        ),
        (errors.SaslAuthenticationFailed("x"), "no longer takes user intake"),
        (errors.AuthenticationFailedError("x"), "no longer takes user intake"),
    ],
)
def test_a_refusal_of_a_client_at_work_names_account_and_resource(error: errors.KafkaError, told: str) -> None:
    ours = our_error(error, of(**SCRAM))
    assert isinstance(ours, BrokerRefused)
    assert str(ours) == f"the Kafka broker at kafka://h:1,g:2 {told}"


def test_a_topic_that_tells_no_operations_is_one_that_was_not_asked() -> None:
    topic = KnownTopic("t", UUID(int=0), 1, ready=True)
    check_topics(of(), [topic], READ)
    check_topics(of(**SCRAM), [replace(topic, operations=1 << READ)], READ)
    with pytest.raises(BrokerRefused, match="does not let user intake write to topic t: an ACL is missing"):
        check_topics(of(**SCRAM), [replace(topic, operations=1 << READ)], WRITE)


def test_topics_are_made_by_whoever_may_and_listed(
    run: Run, monkeypatch: pytest.MonkeyPatch, embedded_broker: str, prefix: str
) -> None:
    monkeypatch.setenv("TRUCEWATCH_TOPIC_PREFIX", prefix)
    shipped = (resources.files("schemas") / "agreements" / "syria-2016.toml").read_text("utf-8")
    Path("second.toml").write_text(shipped.replace('id = "syria-2016"', 'id = "second"', 1))
    told = run(
        "topics", "--broker", embedded_broker, "-a", "syria-2016", "-a", str(Path("second.toml").resolve()), "--json"
    )
    again = run("topics", "--broker", embedded_broker)
    names = [topic["name"] for topic in json.loads(told.out)["topics"]]
    assert names == [spec.name for spec in Topics(prefix).specs(("syria-2016", "second"))]
    assert f"{prefix}.facts.syria-2016.v1  1 partitions, kept for ever" in again.out
    assert f"{prefix}.incidents.v1  4 partitions, kept 30 days" in again.out
