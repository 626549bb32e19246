"""Topic names and how they are created."""

from __future__ import annotations

import pytest

from schemas.topics import KEEP_FOR_EVER, MAX_MESSAGE_BYTES, MAX_REPORT_BYTES, THIRTY_DAYS_MS, Topics, TopicSpec


def test_a_prefix_sets_a_deployment_apart() -> None:
    assert Topics("replay7").facts("syria-2016") == "replay7.facts.syria-2016.v1"
    assert Topics().inputs == (
        "truce.incidents.v1",
        "truce.convoys.v1",
        "truce.notices.v1",
        "truce.positions.v1",
    )


@pytest.mark.parametrize(
    ("kind", "topic"),
    [
        ("incident", "truce.incidents.v1"),
        ("convoy", "truce.convoys.v1"),
        ("coverage", "truce.notices.v1"),
        ("bulletin", "truce.notices.v1"),
        ("declaration", "truce.notices.v1"),
        ("position", "truce.positions.v1"),
    ],
)
def test_a_report_goes_to_the_topic_of_its_type(kind: str, topic: str) -> None:
    assert Topics().of_type(kind) == topic


def test_facts_have_one_partition_and_are_kept_for_ever() -> None:
    facts = Topics().specs(("a", "b"))[-2:]
    assert [(spec.name, spec.partitions, spec.retention_ms) for spec in facts] == [
        ("truce.facts.a.v1", 1, KEEP_FOR_EVER),
        ("truce.facts.b.v1", 1, KEEP_FOR_EVER),
    ]


def test_inputs_are_spread_and_kept_thirty_days() -> None:
    specs = {spec.name: spec for spec in Topics(partitions=6).specs(("a",))}
    assert specs["truce.incidents.v1"].partitions == 6
    assert specs["truce.incidents.v1"].retention_ms == THIRTY_DAYS_MS
    assert specs["truce.rejects.v1"].partitions == 1
    assert "truce.archive.v1" not in specs


def test_an_archive_is_one_partition_in_place_of_the_inputs() -> None:
    specs = {spec.name: spec for spec in Topics().specs(("a",), archive=True)}
    assert specs["truce.archive.v1"].partitions == 1
    assert not specs.keys() & set(Topics().inputs)


def test_a_report_too_large_still_reaches_intake_to_be_rejected() -> None:
    assert int(TopicSpec("t", 1, 5).config["max.message.bytes"]) == MAX_MESSAGE_BYTES > MAX_REPORT_BYTES


def test_present_verdicts_alone_are_compacted() -> None:
    specs = Topics().specs(("a", "b"))
    compacted = {spec.name for spec in specs if spec.config["cleanup.policy"] == "compact"}
    assert compacted == {"truce.verdicts.a.v1", "truce.verdicts.b.v1"}
    assert all(spec.partitions == 1 and spec.config["retention.ms"] == "-1" for spec in specs if spec.compacted)
    assert not any(spec.compacted for spec in Topics().specs(("a",), archive=True))


def test_groups_are_named_after_the_deployment() -> None:
    assert Topics("replay7").intake_group("x-1") == "replay7.intake.x-1"
    assert Topics("replay7").ledger_group("syria-2016") == "replay7.ledger.syria-2016"


def test_what_is_kept_for_ever_has_no_limit_of_size_either() -> None:
    """A cluster may have one for all topics, and a ledger refuses to start on a facts topic with one."""
    specs = {spec.name: spec.config for spec in Topics().specs(("a",))}
    assert specs["truce.facts.a.v1"]["retention.bytes"] == "-1"
    assert "retention.bytes" not in specs["truce.incidents.v1"]


def test_of_three_brokers_two_must_have_a_record_before_it_counts_as_written() -> None:
    spec = Topics().specs(("a",))[-1]
    assert spec.config_on(3) == {**spec.config, "min.insync.replicas": "2"}
    assert spec.config_on(2) == spec.config_on(1) == spec.config
