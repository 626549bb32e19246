"""Pages of a site over a small file, asked without a server; pictures and changes by themselves."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
import tempfile
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from pathlib import Path
from urllib.parse import parse_qsl

import duckdb
import pytest

import sinks.tables
from schemas.agreement_file import load_agreement
from schemas.errors import DependencyUnavailable
from schemas.truceday import MICROS_PER_HOUR
from sinks.reading import open_published
from sinks.rolling import RollingDay
from streams.page import asking, pages, tables
from streams.page import site as site_module
from streams.page.answers import Head, Section, csv_of
from streams.page.hosts import Hosts
from streams.page.live import Changes
from streams.page.render import safe_link, text_of
from streams.page.site import Site
from streams.page.svg import HEIGHT, WIDTH, pictures
from tests.support.judged import History, report

AGREEMENT = load_agreement("syria-2016")
START, HOUR = AGREEMENT.effective, MICROS_PER_HOUR
DAY = 24 * HOUR
ADDRESSES = (
    "/",
    "/?from=2016-09-12&to=2016-09-12",
    "/?as_of=2016-09-13T12:00Z",
    "/region/SY05",
    "/region/SY05/2016-09-12",
    "/region/Hama/2016-09-12?as_of=2016-09-13T20:00 03:00",
    "/feeds",
    "/convoys",
    "/parties",
    "/declared",
    "/declared?as_of=2016-09-13T12:00Z",
    "/rejects",
    "/rejects?code=not_json&feed=&pending=yes",
    "/tables",
    "/tables/day_verdicts",
    "/tables/day_verdicts?verdict=BROKEN&sort=region&desc=1&offset=1",
    "/tables/rejects",
)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hama breaks the first day; a bulletin, a declaration, a convoy and a reject beside."""
    struck = [
        report(
            "incident",
            f"i{n}",
            reported_at=START + 5 * HOUR,
            region="SY05",
            occurred=(START + n * HOUR,) * 2,
            kind="shelling",
            accused=["a party"],
        )
        for n in range(3)
    ]
    watched = report(
        "coverage", "c", reported_at=START + DAY, occurred=(START, START + DAY), places=[{"pcode": "SY05"}], nil=False
    )
    tally = report(
        "bulletin",
        "b",
        feed="monitor",
        reported_at=START + DAY,
        occurred=(START, START + DAY),
        tallies=[{"count": 14, "place": {"pcode": "SY02"}}],
    )
    convoy = report(
        "convoy",
        "v",
        reported_at=START + HOUR,
        convoy_id="v",
        step="requested",
        people_requested=100,
        occurred=(START, START + HOUR),
        destination={"pcode": "SY02"},
    )
    said = report(
        "declaration",
        "d",
        reported_at=START + HOUR,
        act="start",
        declared_by="a party",
        effective_at="2016-09-12T19:00:00+03:00",
    )
    history = History(AGREEMENT).tell(*struck, watched, tally, convoy, said, b"garbage", b"rubbish")
    return history.tick(START + DAY, START + DAY + HOUR).judged(tmp_path_factory.mktemp("page") / "syria-2016")


@pytest.fixture
async def site(copy: Path) -> AsyncIterator[Site]:
    site = Site(copy, "syria-2016", 60, lambda: datetime(2016, 10, 1, 0, 0, 30, tzinfo=UTC))
    await site.look()
    yield site
    site.close()


async def asked(site: Site, address: str, **more: str) -> tuple[int, str]:
    """Return status and body of what stands at an address."""
    path, _, query = address.partition("?")
    pairs = dict(pair.split("=", 1) for pair in query.split("&") if pair)
    reply = await site.reply(path, pairs | more)
    return reply.status, reply.body.decode()


@pytest.mark.parametrize("address", ADDRESSES)
async def test_an_address_answers_as_page_as_json_and_as_csv(site: Site, address: str) -> None:
    status, page = await asked(site, address)
    assert status == 200, page
    assert "</html>" in page
    assert "published 30 s ago" in " ".join(page.replace('<span id="age">', "").split())
    status, document = await asked(site, address, format="json")
    assert (status, bool(json.loads(document))) == (200, True)
    status, rows = await asked(site, address, format="csv")
    past_day = "as_of" in address and "/region" in address
    assert (status, "," in rows) == (404 if past_day else 200, True)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("/nowhere", "there is no such page"),
        ("/?days=3", "/ takes no days"),
        ("/region/SY99", "is no region of syria-2016"),
        ("/region/SY05/2017-01-01", "no truce-day 2017-01-01 has been judged"),
        ("/region/SY05/yesterday", "is no date"),
        ("/?as_of=2016-09-13", "is no time with an offset"),
        ("/tables/about_us", "there is no table"),
        ("/tables/gate?offset=many", "is no number"),
        ("/tables/gate?reason_why=x", "is not sorted or filtered by"),
        ("/feeds?format=pdf", "is no form"),
        ("/feeds?format=csv&section=none", "no such table"),
    ],
)
async def test_what_is_not_there_is_told(site: Site, address: str, said: str) -> None:
    status, page = await asked(site, address)
    assert (status, said in page.replace("&#39;", "'")) == (404, True), page


async def test_the_overview_says_what_broke_and_what_needs_attention(site: Site) -> None:
    _, page = await asked(site, "/")
    for said in (
        "The gate is closed",
        "✕ BROKEN",
        "3/1",
        "provisional",
        "contested",
        "Rejects by reason",
        "What needs attention",
        "1 day of those shown contested",
        "It can open no more by days to come",
    ):
        assert said in page, said
    assert 'id="c-SY05-2016-09-12"' in page
    assert 'class="OPEN today"' in page


async def test_a_question_that_takes_too_long_is_given_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    assert site.copy is not None
    connection = site.copy.connection

    def endless() -> asking.Reply:
        # Late before its query begins: an interrupt finds nothing to end.
        time.sleep(0.3)
        connection.execute("SELECT sum(sqrt(range)) FROM range(10_000_000_000_000)").fetchall()
        raise AssertionError

    made: list[str] = []

    def behind() -> asking.Reply:
        made.append("too late")
        return asking.Reply(200, "", b"")

    answers = asking.Answers()
    with monkeypatch.context() as short:
        short.setattr(asking, "ANSWER_SECONDS", 0.05)
        found = await asyncio.gather(
            answers.ask(site.copy, "endless", endless),
            answers.ask(site.copy, "behind it", behind),
            return_exceptions=True,
        )
    assert [str(each) for each in found] == ["the answer takes longer than 0 s"] * 2
    assert (await answers.ask(site.copy, "next", lambda: asking.Reply(200, "", b""))).status == 200
    assert made == [], "nobody waits for it any more"
    answers.close()


async def test_the_overview_waits_for_no_question(site: Site) -> None:
    held, begun = threading.Event(), threading.Event()
    assert site.copy is not None
    connection = site.copy.connection

    class Slow:
        """Connection whose queries wait."""

        def __getattr__(self, name: str) -> object:
            begun.set()
            held.wait(60)
            return getattr(connection, name)

    whole = site.copy
    site.copy = replace(whole, connection=Slow())  # type: ignore[arg-type] - a query that lasts
    slow = asyncio.ensure_future(asked(site, "/convoys"))
    await asyncio.to_thread(begun.wait, 60)
    assert (await asked(site, "/"))[0] == 200
    assert not slow.done()
    held.set()
    assert (await slow)[0] == 200
    site.copy = whole


async def test_time_and_banner_of_an_event_are_of_its_moment(copy: Path) -> None:
    now = datetime(2016, 10, 1, 0, 0, 30, tzinfo=UTC)
    site = Site(copy, "syria-2016", 60, lambda: now)
    await site.look()
    try:
        early = json.loads(site.event(0).split(b"data: ")[1])
        now += timedelta(hours=3)
        late = json.loads(site.event(0).split(b"data: ")[1])
    finally:
        site.close()
    assert (early["now"], "STALE" in early["banner"]) == ((now - timedelta(hours=3)).timestamp(), False)
    assert (late["now"], "STALE" in late["banner"], late["parts"]) == (now.timestamp(), True, early["parts"])


async def test_a_copy_that_nobody_foresaw_leaves_the_one_before(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(site_module, "open_copy", fails)
    monkeypatch.setattr(site_module, "signature_of", lambda _: (0, 0, 0))
    await site.look()
    assert "a fault of trucewatch itself, ZeroDivisionError" in site.banner()
    status, page = await asked(site, "/")
    assert (status, "The gate is closed" in page, "shown is the copy before it" in page) == (200, True, True)


@pytest.mark.parametrize(
    ("address", "key"),
    [("/region/SY05", "grid"), ("/tables/day_verdicts?region=SY05", "rows"), ("/rejects", "rejects")],
)
async def test_programs_are_told_where_the_rows_go_on(
    site: Site, monkeypatch: pytest.MonkeyPatch, address: str, key: str
) -> None:
    whole = json.loads((await asked(site, address, format="json"))[1])[key]
    for module in (tables, pages):
        monkeypatch.setattr(module, "MOST_ROWS", 1)
    rows: list[list[str]] = []
    following = (f"{address}{'&' if '?' in address else '?'}format=csv",)
    while following:
        path, _, query = following[0].partition("?")
        reply = await site.reply(path, dict(parse_qsl(query)))
        assert (reply.status, reply.kind) == (200, "text/csv")
        rows += list(csv.reader(io.StringIO(reply.body.decode())))[1:]
        following = reply.following
    assert len(rows) == len(whole) > 1
    assert [row[0] for row in rows] == [text_of(next(iter(each.values()))) for each in whole]


async def test_a_page_alone_cuts_long_texts(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "WIDTH", 4)
    _, document = await asked(site, "/parties", format="json")
    _, rows = await asked(site, "/parties", format="csv", section="unknown_accused")
    _, page = await asked(site, "/parties")
    assert {each["name"] for each in json.loads(document)["unknown_accused"]} == {"a party"}
    assert {each["name"] for each in csv.DictReader(io.StringIO(rows))} == {"a party"}
    assert '<td dir="auto">a par</td>' in page


def test_a_piece_ends_with_its_characters_and_fetches_no_more(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sinks.tables, "_MOST_CHARACTERS", 1_000)
    connection = open_published(copy, "256MB")
    fetched: list[object] = []

    class Counting:
        """Connection that counts the rows fetched."""

        def execute(self, *query: object) -> Counting:
            connection.execute(*query)  # type: ignore[arg-type] - handed on
            return self

        def fetchone(self) -> object:
            fetched.append(row := connection.fetchone())
            return row

    about = sinks.tables.tables(connection)["day_verdicts"]
    piece = sinks.tables.piece_of(Counting(), about, sinks.tables.Asked(limit=5_000))  # type: ignore[arg-type]
    assert piece.more
    assert 0 < len(piece.rows) < 10
    assert len(fetched) == len(piece.rows) + 1
    # An unread rest is in nobody's way.
    whole = sinks.tables.piece_of(connection, sinks.tables.tables(connection)["gate"], sinks.tables.Asked())
    assert (len(whole.rows), whole.more) == (1, False)
    connection.close()


def test_a_reader_leaves_nothing_in_the_working_directory(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A query beyond its memory: a page writes nothing, a command to the folder of temporary files."""
    here, temporary = tmp_path / "here", tmp_path / "temporary"
    here.mkdir()
    temporary.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    large = "SELECT range, md5(range::VARCHAR) || md5((range + 1)::VARCHAR) AS text FROM range(400_000) ORDER BY text"
    with open_published(copy, "20MB") as page, pytest.raises(duckdb.OutOfMemoryException):
        page.execute(large).fetchone()
    assert list(temporary.iterdir()) == []
    with open_published(copy) as command:
        command.execute("SET threads = 1")
        command.execute("SET memory_limit = '20MB'")
        assert command.execute(large).fetchone() is not None
        assert len(list(temporary.iterdir())) == 1
    assert (list(here.iterdir()), list(temporary.iterdir())) == ([], [])


@pytest.mark.parametrize(
    ("listen", "given", "host", "allowed"),
    [
        ("127.0.0.1", (), "127.0.0.1:8480", True),
        ("127.0.0.1", (), "localhost", True),
        ("127.0.0.1", (), "[::1]:8480", True),
        ("[::1]", (), "LocalHost.:1", True),
        ("127.0.0.1", (), None, True),
        ("127.0.0.1", (), "rebound.example:8480", False),
        ("127.0.0.1", (), "127.0.0.1.rebound.example", False),
        ("127.0.0.1", (), "", False),
        ("127.0.0.1", (), "[", False),
        ("127.0.0.1", ("page.example",), "Page.example", True),
        ("127.0.0.1", ("page.example",), "other.example", False),
        ("0.0.0.0", (), "any.example", True),  # noqa: S104 - an address to listen at
        ("0.0.0.0", ("page.example",), "any.example", False),  # noqa: S104
        ("page.local", ("page.example",), "page.local:80", True),
    ],
)
def test_a_page_on_loopback_answers_to_no_name_from_elsewhere(
    listen: str, given: tuple[str, ...], host: str | None, allowed: bool
) -> None:
    assert Hosts(listen, given).allow(host) is allowed


async def test_no_more_questions_wait_than_are_allowed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "WAITING", 1)
    assert site.copy is not None
    answers, held = asking.Answers(), threading.Event()

    def waits() -> asking.Reply:
        held.wait(60)
        return asking.Reply(200, "", b"")

    first = asyncio.ensure_future(answers.ask(site.copy, "first", waits))
    await asyncio.sleep(0)
    with pytest.raises(DependencyUnavailable, match="too many ask at once"):
        await answers.ask(site.copy, "second", waits)
    # One that is under way is shared.
    shared = asyncio.ensure_future(answers.ask(site.copy, "first", waits))
    await asyncio.sleep(0)
    held.set()
    assert (await first) is (await shared)
    answers.close()


async def test_answers_beyond_their_room_are_made_anew(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "KEPT_BYTES", 10)
    assert site.copy is not None
    answers, made = asking.Answers(), []

    def question(name: str) -> asking.Reply:
        made.append(name)
        return asking.Reply(200, "", b"12345678")

    for name in ("a", "a", "b", "b", "a"):
        await answers.ask(site.copy, name, lambda name=name: question(name))
        await asyncio.sleep(0)
    assert made == ["a", "b", "a"]
    answers.close()


def test_fragments_that_changed_since_a_version_are_those_alone() -> None:
    changes = Changes()
    changes.update(10, {"gate": "closed", "cell": "MET"})
    changes.update(20, {"gate": "closed", "cell": "BROKEN"})
    changes.update(30, {"gate": "open", "cell": "BROKEN"})
    assert changes.since(10) == {"cell": "BROKEN", "gate": "open"}
    assert changes.since(20) == {"gate": "open"}
    assert changes.since(30) == {}
    assert changes.since(11) is None
    # Another row: whoever has the page without it takes it anew.
    changes.update(40, {"gate": "open", "cell": "BROKEN", "row": "new"})
    assert changes.since(30) is None
    assert changes.since(40) == {}


def test_pictures_share_one_scale_and_say_what_they_show() -> None:
    first = date(2016, 9, 12)
    rolling = [
        RollingDay(region, first + timedelta(days=n), 1, int(region == "SY02"), 0, high * n)
        for region, high in (("SY01", 1), ("SY02", 5))
        for n in range(3)
    ]
    drawn = pictures(rolling)
    assert drawn["SY02"].line == "M0 37H60V20h60V3h60"
    assert drawn["SY01"].line == "M0 37H60V33.6h60V30.2h60"
    assert (WIDTH, HEIGHT) == (180, 40)
    assert (drawn["SY01"].broken, drawn["SY02"].broken[:8]) == ("", "M0 40h60")
    assert "0 to 10 incidents" in drawn["SY02"].text
    assert pictures([]) == {}


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://a.org/?b", True),
        ("http://a", True),
        ("javascript:alert(1)", False),
        ("//a.org", False),
        ("data:text/html,x", False),
        ("http://[", False),
        ("", False),
    ],
)
def test_only_addresses_of_the_web_are_links(url: str, safe: bool) -> None:
    assert (safe_link(url) == url) is safe


def test_values_are_written_as_a_machine_reads_them() -> None:
    at = datetime(2016, 9, 12, 16, tzinfo=UTC)
    assert [text_of(value) for value in (None, True, 3, at, ["أ", None], {"a": at})] == [
        "",
        "true",
        "3",
        "2016-09-12T16:00:00Z",
        '["أ", null]',
        '{"a": "2016-09-12T16:00:00Z"}',
    ]


def test_a_text_that_begins_a_formula_is_quoted_in_csv_and_a_number_is_not() -> None:
    section = Section("s", "s", [Head("a"), Head("b")], [["=1+1", -1], ["@x", "plain"]])
    assert list(csv.reader(io.StringIO(csv_of(section).decode()))) == [["a", "b"], ["'=1+1", "-1"], ["'@x", "plain"]]


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour, as WCAG 2 defines it."""
    digits = colour.removeprefix("#")
    parts = [int(2 * each, 16) for each in digits] if len(digits) == 3 else list(bytes.fromhex(digits))
    linear = [each / 255 / 12.92 if each <= 10 else ((each / 255 + 0.055) / 1.055) ** 2.4 for each in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_ink_on_hatching_has_the_contrast_that_axe_cannot_see_there() -> None:
    style = (resources.files("streams.page") / "static" / "page.css").read_text("utf-8")
    # Light, dark; the palette of paper names the ground alone.
    for block in re.findall(r":root \{(.*?)\}", style, re.DOTALL)[:2]:
        colours = dict(re.findall(r"--([\w-]+): (#\w+)", block))
        stripes = [name for name in colours if name.endswith("-line")]
        assert stripes == ["broken-line", "unknown-line"]
        for ground in (*stripes, "broken", "unknown", "met"):
            ink = colours[f"{ground.removesuffix('-line')}-ink"]
            light, dark = sorted((luminance(ink), luminance(colours[ground])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (ground, ink)
