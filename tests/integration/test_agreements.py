"""Several agreements on one Apache Kafka: each ledger has every report, whoever comes and goes."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from schemas.topics import Topics
from streams.cli.processes import running
from streams.engine.admin import ensure_topics
from streams.engine.producer import Outgoing
from streams.settings import Settings
from streams.verify import verify
from tests.bench.reports import running_truce
from tests.integration.test_live import ask, report
from tests.support.brokers import read_to_end, write
from tests.support.recorded_archive import wait_until
from tests.support.standbys import worker

BROKEN = [b"no JSON", b'{"feed": "field-office"}', report(place={"names": ["Atlantis"]})]


def settings_of(broker: str, prefix: str, folder: Path, name: str) -> Settings:
    """Return settings of an agreement ``name`` with all regions, or without Tartous if it is called so."""
    path = folder / f"{name}.toml"
    text = running_truce(folder).read_text().replace('id = "syria-2016"', f'id = "{name}"', 1)
    path.write_text(text.replace('"SY10", ', "", 1) if "without" in name else text)
    return Settings(
        broker=broker,
        topic_prefix=prefix,
        agreement=str(path),
        data=folder / "data",
        publish_seconds=0.5,
        log_level="warning",
    )


def batch(first: int, count: int) -> list[Outgoing]:
    """Return reports of Tartous and Homs in turn, with each broken record once in a while."""
    records: list[Outgoing] = []
    for number in range(first, first + count):
        place = {"pcode": "SY10" if number % 2 else "SY04"}
        records.append((None, report(report_id=f"r{number}", place=place), []))
        if number % 20 == 0:
            records += [(None, body, []) for body in BROKEN]
    return records


def outcomes(settings: Settings, name: str) -> tuple[int, int, int]:
    """Return the reports, rejects and reports outside that a ledger counts."""
    copy = settings.data / name / "compliance.duckdb"
    found = ask(copy, "SELECT sum(accepted), sum(rejected), sum(outside) FROM feeds")
    return tuple(int(each or 0) for each in found[0]) if found else (0, 0, 0)  # type: ignore[return-value]


def positions(broker: str, topic: str) -> Counter[tuple[bytes, ...]]:
    """Return how often the topic of rejects tells of each source record."""
    names = ("topic", "partition", "offset")
    letters = [dict(letter.headers) for letter in asyncio.run(read_to_end(broker, topic))]
    return Counter(tuple(letter[f"__streams.errors.{name}"] for name in names) for letter in letters)


def test_every_ledger_has_every_report_though_workers_die_and_an_agreement_comes_late(
    apache_kafka: str, prefix: str, tmp_path: Path
) -> None:
    topics = Topics(prefix, partitions=2)
    first, second, third = (
        settings_of(apache_kafka, prefix, tmp_path, name).model_copy(update={"partitions": 2})
        for name in ("first", "without-tartous", "late")
    )
    asyncio.run(ensure_topics(apache_kafka, topics.specs(())))
    sent = 0

    def publish() -> None:
        nonlocal sent
        for partition in range(2):
            asyncio.run(write(apache_kafka, topics.incidents, partition, batch(sent, 100)))
            sent += 100

    def expected(name: str) -> tuple[int, int, int]:
        broken = len(BROKEN) * sent // 20
        return (sent // 2, broken, sent // 2) if "without" in name else (sent, broken, 0)

    def has_all(settings: Settings, name: str) -> bool:
        return outcomes(settings, name) == expected(name)

    with ExitStack() as stack:
        stack.enter_context(running(("ledger",), first, second))
        intakes = [stack.enter_context(worker(each, "intake")) for each in (first, second)]
        publish()
        wait_until(lambda: has_all(first, "first") and has_all(second, "without-tartous"), intakes[1])
        # One is killed, with whatever it holds; another of its agreement comes, and a third agreement.
        publish()
        intakes[0].kill()
        stack.enter_context(worker(first, "intake"))
        stack.enter_context(running(("intake", "ledger"), third))
        publish()
        intakes[1].kill()
        stack.enter_context(worker(second, "intake"))
        served = ((first, "first"), (second, "without-tartous"), (third, "late"))
        wait_until(lambda: all(has_all(*each) for each in served))
        # Intake writes a reject here after the fact that the ledgers count: some may still be on their way.
        rejected = len(BROKEN) * sent // 20
        wait_until(lambda: len(positions(apache_kafka, topics.rejects)) == rejected)
    for settings, name in served:
        copy = settings.data / name / "compliance.duckdb"
        assert outcomes(settings, name) == expected(name)
        assert ask(copy, "SELECT count(DISTINCT report_id) FROM reports") == [(expected(name)[0],)]
        assert verify(copy) == []
    told = positions(apache_kafka, topics.rejects)
    assert len(told) == rejected
    assert set(told.values()) == {1}
