"""Errors whose text is made of more than one part."""

from __future__ import annotations

from schemas.errors import BrokerUnavailable, TopicReplaced, WorkerStalled


def test_a_further_hint_stands_behind_the_first() -> None:
    error = BrokerUnavailable("no broker answers")
    error.also("start one")
    assert error.hint == "start one"
    error.also("3 reports acknowledged before this")
    assert error.hint == "start one; 3 reports acknowledged before this"


def test_topics_that_were_replaced_are_named() -> None:
    error = TopicReplaced(["truce.convoys.v1", "truce.notices.v1"])
    assert str(error).startswith("topic truce.convoys.v1 and truce.notices.v1 was deleted, or made anew")
    assert error.topics == ("truce.convoys.v1", "truce.notices.v1")
    assert error.exit_code == 3


def test_a_stall_is_known_by_the_first_word_of_its_line() -> None:
    assert str(WorkerStalled("no record was committed")) == (
        "stalled: no record was committed (the limit is TRUCEWATCH_STALL_SECONDS)"
    )
