"""Settings: read once, checked at once, and told in docs/operating.md as they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from schemas.errors import UsageError
from streams.settings import Settings, environment, load, variable

OPERATING = Path(__file__).parents[2] / "docs" / "operating.md"


@pytest.fixture(autouse=True)
def _no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(variable(name), raising=False)


def test_without_anything_said_the_defaults_hold() -> None:
    settings = load()
    assert (settings.broker, settings.agreement, settings.stamps) == (None, "syria-2016", "clock")
    assert settings.data == Path("trucewatch-data")


def test_an_option_wins_over_the_environment_and_none_is_no_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUCEWATCH_AGREEMENT", "from-environment")
    assert load({"agreement": None}).agreement == "from-environment"
    assert load({"agreement": "from-option"}).agreement == "from-option"


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUCEWATCH_BROKER", "")
    assert load().broker is None


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        load().agreement = "other"  # type: ignore[misc]


def test_an_unknown_variable_is_an_error_that_guesses_what_was_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUCEWATCH_BROKR", "kafka://127.0.0.1:9092")
    with pytest.raises(UsageError, match="TRUCEWATCH_BROKR is no setting; did you mean TRUCEWATCH_BROKER"):
        load()


@pytest.mark.parametrize("name", ["QQQQQQQQQQQQQQQQQ", "FOO", "X"])
def test_an_unknown_variable_like_none_of_ours_gets_the_whole_list(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"TRUCEWATCH_{name}", "1")
    with pytest.raises(UsageError, match="there are TRUCEWATCH_BROKER, TRUCEWATCH_SECURITY_PROTOCOL"):
        load()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("broker", "localhost:9092", r"TRUCEWATCH_BROKER: should be kafka://host:port"),
        ("partitions", "0", "TRUCEWATCH_PARTITIONS: input should be greater than or equal to 1, not '0'"),
        ("flush_seconds", "soon", "TRUCEWATCH_FLUSH_SECONDS: .*number"),
        ("stamps", "sometimes", "TRUCEWATCH_STAMPS: input should be 'clock' or 'archive'"),
        ("topic_prefix", "Truce_1", "TRUCEWATCH_TOPIC_PREFIX: should be lower case"),
        ("memory_limit", "a lot", "TRUCEWATCH_MEMORY_LIMIT: should be a size such as 512MB"),
    ],
)
def test_a_wrong_value_names_its_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str) -> None:
    monkeypatch.setenv(variable(name), value)
    with pytest.raises(UsageError, match=message):
        load()


def test_a_wrong_option_is_named_as_the_option_it_is() -> None:
    with pytest.raises(UsageError, match=r"--broker: should be kafka://host:port"):
        load({"broker": "nonsense"})


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("kafka://h:9092?password=s3cret", "kafka://h:9092***"),
        ("kafka://h:9092?password=s3cret:1", "kafka://h:9092***"),
        ("kafka://h:9092/s3cret", "kafka://h:9092***"),
        ("kafka://h:9092#s3cret", "kafka://h:9092***"),
        ("kafka://h:9092?a=b@s3cret", "kafka://***"),
        ("kafka://h:9092?a=b,s3cret:1", "kafka://h:9092***"),
        ("kafka://me:s3cret@h:9092", "kafka://***@h:9092"),
        ("kafka://me:a@s3cret@h:9092,g:9093", "kafka://***@h:9092,g:9093"),
        ("kafka://me:1,s3cret:2@h:9092", "kafka://***@h:9092"),
        ("kafka://me:s3/cret@h:9092", "kafka://***"),
        ("kafka://me:s3?cret#s3cret@h:9092", "kafka://***"),
        ("kafka://h:s3cret", "kafka://***"),
        ("me:s3cret@h:9092", "***@h:9092"),
        ("sasl.password=s3cret", "***"),
        ("SASL+SSL://me:s3cret@h:9092?password=s3cret", "SASL+SSL://***@h:9092***"),
        ("https://h:9092", "https://h:9092"),
        ("kafka://[::1]:9092?s3cret", "kafka://[::1]:9092***"),
        ("localhost", "localhost"),
    ],
)
@pytest.mark.parametrize("name", ["broker", "health_address"])
def test_of_a_refused_address_only_scheme_hosts_and_ports_are_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, address: str, shown: str
) -> None:
    for given in ({name: address}, {}):
        if not given:
            monkeypatch.setenv(variable(name), address)
        with pytest.raises(UsageError) as refused:
            load(given)
        assert "s3" not in str(refused.value)
        assert "cret" not in str(refused.value)
        assert str(refused.value).endswith(f", not {shown!r}")


@pytest.mark.parametrize("address", ["kafka://h:1", "kafka://h:1,g.example-1.org:65535,[::1]:9092,127.0.0.1:9"])
def test_addresses_of_every_kind_are_taken(address: str) -> None:
    assert load({"broker": address}).broker == address


def test_a_worker_reads_back_the_settings_it_was_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = load({"broker": "kafka://127.0.0.1:9092", "data": tmp_path, "stamps": "archive", "flush_seconds": 0.5})
    for name, value in environment(given).items():
        monkeypatch.setenv(name, value)
    assert load() == given


def test_the_docs_tell_every_setting_as_it_is() -> None:
    lines = ["<!-- settings: begin -->", "| variable | default | meaning |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else f"`{field.default}`"
        lines.append(f"| `{variable(name)}` | {default} | {field.description} |")
    table = "\n".join([*lines, "<!-- settings: end -->", ""])
    assert table in OPERATING.read_text("utf-8"), f"docs/operating.md is to hold:\n{table}"
