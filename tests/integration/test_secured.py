"""Apache Kafka with TLS, SASL and ACLs: each role at work with its own account, and each wrong set-up named."""

from __future__ import annotations

import base64
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from streams import log
from streams.cli.processes import Worker
from streams.engine.cluster import Cluster
from streams.security import cluster
from streams.settings import Settings, variable
from streams.verify import verify
from tests.crash.campaign import Kills, intake_campaign, ledger_campaign
from tests.crash.plan import Plan
from tests.support.brokers import topic_of, write
from tests.support.commands import Run, runner
from tests.support.gateways import gateway
from tests.support.lanes import Remembering, app_of, running, until
from tests.support.recorded_archive import PATIENCE, wait_until
from tests.support.secured import STRANGER, SecuredKafka
from tests.support.shell import ROOT, clean_environment
from tests.support.standbys import copy_of, worker

pytestmark = pytest.mark.kafka

INCIDENT = {
    "type": "incident",
    "feed": "field-office",
    "report_id": "FO-17",
    "reported_at": "2016-09-13T12:00:00+03:00",
    "occurred": {"from": "2016-09-13T09:00:00+03:00", "to": "2016-09-13T09:30:00+03:00", "precision": "minute"},
    "place": {"pcode": "SY02"},
    "kind": "shelling",
}
Secured = SecuredKafka


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Run]:
    """Run a command in an empty folder and without settings of the machine's."""
    (tmp_path / "reports.jsonl").write_text(json.dumps(INCIDENT))
    yield runner(monkeypatch, capfd, tmp_path)
    # A worker that ran in this process has set up its logging here, to a stream that is closed by now.
    log.configure(Settings(log_level="warning"), sys.__stderr__)


@pytest.fixture
def acting(monkeypatch: pytest.MonkeyPatch, secured_kafka: Secured, prefix: str) -> Callable[..., None]:
    """Set the settings of an account, with changes; None unsets one."""
    secured_kafka.allow(prefix)

    def act(account: str, **changes: Any) -> None:
        for name, value in {**secured_kafka.settings(account), "topic_prefix": prefix, **changes}.items():
            if value is None:
                monkeypatch.delenv(variable(name), raising=False)
            else:
                monkeypatch.setenv(variable(name), str(value))

    return act


# -- each role does its work with an account that may do no more


def test_every_role_does_its_work_with_an_account_of_its_own(
    run: Run, acting: Callable[..., None], secured_kafka: Secured, prefix: str, tmp_path: Path
) -> None:
    """Nobody but the operator makes topics; the file that comes of it is recounted."""
    acting("ops")
    assert run("topics").code == 0
    acting("feed")
    reports = [INCIDENT, INCIDENT | {"report_id": "FO-18", "place": {"pcode": "SY99"}}]
    (tmp_path / "reports.jsonl").write_text("\n".join(map(json.dumps, reports)))
    assert json.loads(run("publish", "reports.jsonl", "--json").out)["published"] == 2
    given = {**secured_kafka.settings("ops"), "topic_prefix": prefix, "data": tmp_path / "data", "publish_seconds": 0.2}
    settings = Settings.model_validate(given)
    outcomes = "SELECT accepted, rejected FROM feeds"
    with worker(settings, "intake") as intake, worker(settings) as ledger:
        for each in (intake, ledger):
            assert each._settings.sasl_username == each.role
        wait_until(lambda: _found(settings, outcomes) == [(1, 1)], ledger)
        acting("ops", data=tmp_path / "data")
        assert run("rejects", "redrive", "--all", "--edit", "place.pcode=SY02").code == 0
        wait_until(lambda: _found(settings, outcomes) == [(2, 1)], ledger)
        # A feed reads its receipts, and no file of the ledger's.
        acting("feed", data=tmp_path / "nothing")
        told = run("publish", "reports.jsonl", "--wait", "--wait-seconds", "200")
        assert (told.code, "a duplicate" in told.out, "rejected, unknown_place" in told.out) == (1, True, True)
        (tmp_path / "more.jsonl").write_text(json.dumps(INCIDENT | {"report_id": "FO-19"}))
        kept = run("publish", "more.jsonl", "--outbox", "outbox", "--wait", "--wait-seconds", "200")
        assert (kept.code, "field-office/FO-19@1  counted in Aleppo" in kept.out) == (0, True), kept.err
        # So does a gateway, by the same account.
        of_feed = {**secured_kafka.settings("feed"), "topic_prefix": prefix, "data": tmp_path / "nothing"}
        with gateway(Settings.model_validate(of_feed), tmp_path) as over_http:
            sent = over_http.post(json.dumps(INCIDENT | {"report_id": "FO-20"}).encode())
            assert sent.status == 202, sent
            (follow,) = sent.body["follow"]
            wait_until(lambda: '"FO-20"' in json.dumps(over_http.ask("GET", follow).body), ledger)
        _ended_in_peace(intake, ledger)
    assert verify(copy_of(settings)) == []


def test_an_operator_replays_on_the_cluster(secured_kafka: Secured, prefix: str, tmp_path: Path) -> None:
    secured_kafka.allow(prefix)
    (tmp_path / "reports.jsonl").write_text(json.dumps(INCIDENT))
    given = {**secured_kafka.variables("ops"), "TRUCEWATCH_TOPIC_PREFIX": prefix}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "streams", "replay", "reports.jsonl", "--json"],
        cwd=tmp_path,
        env={**clean_environment(), "PYTHONPATH": str(ROOT), **given},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["replay"]["reports"] == 1


@pytest.mark.parametrize(
    ("account", "command", "told"),
    [
        ("feed", ("topics",), "does not let user feed use topic {prefix}."),
        ("feed", ("worker", "--role", "intake"), "does not let user feed use topic {prefix}."),
        ("intake", ("worker", "--role", "ledger"), "use topic {prefix}.verdicts.syria-2016.v1"),
        ("ledger", ("worker", "--role", "intake"), "does not let user ledger use topic {prefix}."),
        ("ledger", ("publish", "reports.jsonl"), "does not let user ledger use topic {prefix}."),
        (STRANGER, ("up",), "does not let user stranger use topic {prefix}."),
    ],
)
def test_an_account_that_does_the_work_of_another_is_told_what_it_may_not(
    run: Run, acting: Callable[..., None], prefix: str, account: str, command: tuple[str, ...], told: str
) -> None:
    acting("ops")
    assert run("topics").code == 0
    acting(account)
    ended = run(*command)
    assert ended.code == 2
    assert told.format(prefix=prefix) in ended.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("role", "lacks", "told"),
    [
        ("intake", ("Read", "topics", "incidents"), "use topic {prefix}.incidents.v1"),
        ("intake", ("Read", "topics", "rejects"), "read topic {prefix}.rejects.v1"),
        ("intake", ("Write", "topics", "rejects"), "write to topic {prefix}.rejects.v1"),
        ("intake", ("Write", "transactional_ids", "rejects"), "use transactional id {prefix}.rejects.v1"),
        ("intake", ("Write", "topics", "receipts"), "use topic {prefix}.receipts.v1"),
        ("intake", ("Write", "topics", "facts"), "use topic {prefix}.facts.syria-2016.v1"),
        ("intake", ("Read", "groups", "intake"), "use consumer group {prefix}.intake.syria-2016"),
        ("intake", ("DescribeConfigs", "topics", "facts"), "use topic {prefix}.facts.syria-2016.v1"),
        ("ledger", ("Read", "topics", "facts"), "read topic {prefix}.facts.syria-2016.v1"),
        ("ledger", ("Write", "topics", "facts"), "write to topic {prefix}.facts.syria-2016.v1"),
        ("ledger", ("Write", "topics", "receipts"), "use topic {prefix}.receipts.v1"),
        ("ledger", ("Read", "groups", "ledger"), "use consumer group {prefix}.ledger.syria-2016"),
    ],
)
def test_each_acl_of_a_worker_is_needed_and_named_when_it_is_missing(
    run: Run,
    acting: Callable[..., None],
    secured_kafka: Secured,
    prefix: str,
    role: str,
    lacks: tuple[str, str, str],
    told: str,
) -> None:
    """So the list grants no more than is needed, and nothing waits for ever for what it may not do."""
    *what, name = lacks
    granted = [
        acl for acl in secured_kafka.acls(prefix, role) if [acl.operation, acl.kind] != what or name not in acl.name
    ]
    secured_kafka.grant(acl._replace(role=STRANGER) for acl in granted)
    acting("ops")
    assert run("topics").code == 0
    acting(STRANGER)
    ended = run("worker", "--role", role)
    assert ended.code == 2
    said = ended.err.splitlines()[-1]
    assert f"user {STRANGER} {told.format(prefix=prefix)}: an ACL is missing" in said


def test_a_missing_topic_that_may_not_be_made_is_told_with_who_may(run: Run, acting: Callable[..., None]) -> None:
    acting("feed")
    ended = run("publish", "reports.jsonl")
    assert ended.code == 2
    assert "user feed create topic" in ended.err
    assert "run `trucewatch topics`" in ended.err


# -- each way to connect, for every kind of client


def _scram(kafka: Secured, _: Path) -> dict[str, Any]:
    return kafka.settings("ops") | {"sasl_mechanism": "SCRAM-SHA-256"}


def _plain(kafka: Secured, _: Path) -> dict[str, Any]:
    return kafka.settings("ops") | {"sasl_mechanism": "PLAIN"}


def _token(kafka: Secured, folder: Path) -> dict[str, Any]:
    (folder / "token").write_text(f"{_unsigned('ops', time.time() + 3_600)}\n")
    return {
        "broker": kafka.address,
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "OAUTHBEARER",
        "sasl_oauth_token_file": folder / "token",
        "ssl_cafile": kafka.security.authority,
    }


def _certificate(kafka: Secured, _: Path) -> dict[str, Any]:
    return {
        "broker": f"kafka://localhost:{kafka.node.internal},127.0.0.1:{kafka.node.internal}",
        "security_protocol": "SSL",
        "ssl_cafile": kafka.security.authority,
        "ssl_certfile": kafka.security.folder / "ops.pem",
    }


def _unsigned(subject: str, until: float) -> str:
    """Return a token as Kafka takes it where no validator is configured."""
    claims = {"sub": subject, "iat": time.time(), "exp": until}
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in ({"alg": "none"}, claims)]
    return ".".join(part.rstrip("=") for part in parts) + "."


@pytest.mark.parametrize("way", [_scram, _plain, _token, _certificate])
async def test_producer_admin_metadata_and_faust_connect_by(
    way: Callable[[Secured, Path], dict[str, Any]], secured_kafka: Secured, prefix: str, tmp_path: Path
) -> None:
    secured_kafka.allow(prefix)
    broker: Cluster = cluster(Settings.model_validate(way(secured_kafka, tmp_path)))
    topic = await topic_of(broker, f"{prefix}.any")
    await write(broker, topic, 0, [(None, b"written", [])])
    handler = Remembering()
    async with running(app_of(broker, f"{prefix}.group", (topic,), handler)):
        await until(lambda: [record.value for record in handler.records] == [b"written"])


# -- wrong set-ups


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"security_protocol": None, "sasl_mechanism": None, "sasl_username": None, "sasl_password_file": None}
            | {"ssl_cafile": None},
            "speaks TLS at this port, and TRUCEWATCH_SECURITY_PROTOCOL is PLAINTEXT; set it to SASL_SSL or SSL",
        ),
        (
            {"security_protocol": "SASL_PLAINTEXT", "ssl_cafile": None},
            "speaks TLS at this port, and TRUCEWATCH_SECURITY_PROTOCOL is SASL_PLAINTEXT; set it to SASL_SSL or SSL",
        ),
        (
            {"security_protocol": "SSL", "sasl_mechanism": None, "sasl_username": None, "sasl_password_file": None},
            "hung up on a client without SASL, and TRUCEWATCH_SECURITY_PROTOCOL is SSL; set it to SASL_SSL",
        ),
        ({"sasl_username": "nobody"}, "does not take user nobody with this password by SCRAM-SHA-512; check"),
        ({"ssl_cafile": None}, "is not trusted: unable to get local issuer certificate; set TRUCEWATCH_SSL_CAFILE"),
    ],
)
def test_a_client_that_the_node_does_not_take_is_told_why_at_once(
    run: Run, acting: Callable[..., None], changes: dict[str, Any], told: str
) -> None:
    acting("ops", **changes)
    for command in (("check-config",), ("publish", "reports.jsonl"), ("worker", "--role", "ledger")):
        ended = run(*command)
        assert ended.code == 2
        assert ended.err.startswith("trucewatch: the")
        assert told in ended.err
        assert ended.err.count("\n") == 1


def test_a_wrong_password_is_told_and_not_shown(run: Run, acting: Callable[..., None], tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3cret-and-wrong\n")
    for mechanism in ("SCRAM-SHA-256", "PLAIN"):
        acting("ops", sasl_mechanism=mechanism, sasl_password_file=tmp_path / "password", log_level="debug")
        for command in (("check-config",), ("worker", "--role", "ledger")):
            ended = run(*command)
            assert (ended.code, "s3cret" in ended.out + ended.err) == (2, False)
            assert f"does not take user ops with this password by {mechanism}" in ended.err


def test_a_token_that_has_expired_is_told_and_not_shown(
    run: Run, acting: Callable[..., None], secured_kafka: Secured, tmp_path: Path
) -> None:
    token = _unsigned("ops", time.time() - 3_600)
    given = _token(secured_kafka, tmp_path)
    (tmp_path / "token").write_text(token)
    acting("ops", **given | {"sasl_username": None, "sasl_password_file": None})
    ended = run("check-config")
    assert (ended.code, token in ended.err) == (2, False)
    assert "does not take the token; put a token that is valid now into the file" in ended.err


def test_a_listener_that_asks_for_a_certificate_says_so(
    run: Run, acting: Callable[..., None], secured_kafka: Secured, tmp_path: Path
) -> None:
    given = _certificate(secured_kafka, tmp_path) | {"ssl_certfile": None}
    acting("ops", **given | {"sasl_mechanism": None, "sasl_username": None, "sasl_password_file": None})
    ended = run("check-config")
    assert ended.code == 2
    assert "does not accept the client's certificate, or asks for one; set TRUCEWATCH_SSL_CERTFILE" in ended.err


def test_a_client_with_tls_is_told_that_a_plain_listener_has_none(
    run: Run, acting: Callable[..., None], embedded_broker: str
) -> None:
    acting("ops", broker=embedded_broker)
    ended = run("check-config")
    assert ended.code == 2
    assert "does not speak TLS at this port, and TRUCEWATCH_SECURITY_PROTOCOL is SASL_SSL" in ended.err


def test_a_client_with_an_account_is_told_that_a_listener_has_none(
    run: Run, acting: Callable[..., None], secured_kafka: Secured, tmp_path: Path
) -> None:
    given = _certificate(secured_kafka, tmp_path)
    acting("ops", broker=given["broker"], ssl_certfile=given["ssl_certfile"])
    ended = run("check-config")
    assert ended.code == 2
    assert "uses no SASL at this port, and TRUCEWATCH_SECURITY_PROTOCOL is SASL_SSL; set it to SSL" in ended.err


# -- kill -9


@pytest.mark.crash
@pytest.mark.parametrize(("campaign", "kills"), [(ledger_campaign, 3), (intake_campaign, 2)])
def test_workers_killed_on_a_secured_cluster_lose_and_double_nothing(
    campaign: Callable[[Plan], Kills], kills: int, secured_kafka: Secured, prefix: str, tmp_path: Path
) -> None:
    secured_kafka.allow(prefix, f"{prefix}.whole", *(f"{prefix}.r{number}" for number in range(1, kills + 1)))
    plan = Plan(secured_kafka.cluster(), prefix, tmp_path, kills, random.Random(prefix), reports=400)
    figures = campaign(plan)
    assert figures.whole, figures.text()
    assert figures.recounts >= 1


def _found(settings: Settings, query: str) -> list[tuple[Any, ...]]:
    if not copy_of(settings).exists():
        return []
    with duckdb.connect(str(copy_of(settings)), read_only=True) as connection:
        return connection.execute(query).fetchall()


def _ended_in_peace(*workers: Worker) -> None:
    for each in workers:
        each.ask_to_stop()
    for each in workers:
        each.join(time.monotonic() + PATIENCE)
