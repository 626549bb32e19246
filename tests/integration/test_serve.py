"""The page over published files: what it says, what it sends, and what it bears."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from aiohttp import ClientSession, web

from schemas.agreement_file import load_agreement
from schemas.truceday import MICROS_PER_HOUR
from streams.cli import page_process
from streams.engine import http
from streams.ops.explain import read_explanation, read_past
from streams.ops.explain_json import explanation_json, past_json
from streams.page import server, tables
from streams.page.asking import Reply
from streams.page.site import Site
from streams.settings import Settings
from tests.support.demo import Demo
from tests.support.hostile import FORMULAS, HOSTILE, hostile, shelling
from tests.support.judged import History
from tests.support.recorded_archive import wait_until
from tests.support.served import PATIENCE, Page, serving
from tests.support.shell import clean_environment, trucewatch

pytestmark = pytest.mark.broker

AGREEMENT = load_agreement("syria-2016")
START, HOUR = AGREEMENT.effective, MICROS_PER_HOUR
PAGES = ("/", "/feeds", "/convoys", "/parties", "/declared", "/rejects", "/tables")


def put(path: Path, content: bytes) -> None:
    """Put a file in the place of another, in one step."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(content)
    fresh.replace(path)


async def closed(reader: asyncio.StreamReader) -> bool:
    """Wait for the end of a connection."""
    try:
        return await asyncio.wait_for(reader.read(), PATIENCE) == b""
    except ConnectionError:
        return True


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hostile(AGREEMENT).judged(tmp_path_factory.mktemp("hostile") / "syria-2016")


async def test_the_overview_says_gate_grid_streaks_and_health(demo: Demo) -> None:
    async with serving(demo.file, "syria-2016") as served:
        page = await served.page("/")
    assert "The gate is closed: 0 of 9 regions have held 7 days." in page.text
    assert "Data as of" in page.text
    assert [tag for tag, _ in page.tags].count("table") >= 1
    cells = [attrs for tag, attrs in page.tags if tag == "td" and "data-word" in attrs]
    assert len(cells) == 14 * 7
    assert "/region/SY02/2016-09-14" in page.links()
    words = ("✕ BROKEN", "? UNKNOWN", "✓ MET", "contested", "ended by", "Last changes of verdict", "final days amended")
    assert [said for said in words if said not in page.text] == []
    assert sum(tag == "svg" for tag, _ in page.tags) == 14


async def test_one_click_tells_why_aleppos_streak_ended_and_on_whose_word(demo: Demo) -> None:
    async with serving(demo.file) as served:
        overview = await served.get("/")
        row = overview[overview.index('href="/region/SY02"') :]
        ended = re.search(r'ended by (\w+) on <a href="([^"]+)"', row)
        assert ended is not None
        assert ended.groups() == ("BROKEN", "/region/SY02/2016-09-18")
        day = (await served.page(ended[2])).text
    said = ("overdue", "anadolu", "Al Arabiya (AFP)", "un-ocha", "The Hindu (Reuters)", "xinhua", "held")
    assert [word for word in said if word not in day] == []


async def test_every_page_and_each_kind_of_link_answers(demo: Demo) -> None:
    async with serving(demo.file) as served:
        kinds: dict[str, str] = {}
        for path in PAGES:
            for link in (await served.page(path)).links():
                if link.startswith("/"):
                    # One of each shape: there are hundreds of days and columns.
                    kinds.setdefault(re.sub(r"SY\d\d|\d{4}-\d\d-\d\d|=[^&#]+|tables/\w+", "~", link), link)
        assert len(kinds) > 15
        for link in kinds.values():
            await served.get(link.split("#")[0])
        for name in (await served.json("/tables?format=json"))["tables"]:
            await served.get(f"/tables/{name['name']}")


async def test_a_day_tells_all_that_explain_does(demo: Demo) -> None:
    day, instant = date(2016, 9, 14), datetime(2016, 9, 16, 9, tzinfo=UTC)
    async with serving(demo.file) as served:
        told = await served.json("/region/SY02/2016-09-14?format=json")
        page = await served.page("/region/SY02/2016-09-14")
        past = await served.json("/region/SY02/2016-09-14?as_of=2016-09-16T12:00%2B03:00&format=json")
        facts = await served.get("/region/SY02/2016-09-14?format=csv")
    assert told == json.loads(json.dumps(explanation_json(read_explanation(demo.file, "SY02", day)), default=str))
    then = past_json(read_past(demo.file, "SY02", day, instant)) | {"as_of": past["as_of"]}
    assert past == json.loads(json.dumps(then, default=str))
    said = [each["text"] for each in told["verdict"]["reasons"]] + [each["text"] for each in told["would_change"]]
    said += [each["incident_id"] for each in told["incidents"]] + [each["convoy"] for each in told["convoys"]]
    said += [f"{each['feed']}/{each['report_id']}" for each in told["bulletins"]]
    assert said
    assert [each for each in said if re.sub(r"\s+", " ", each) not in page.text] == []
    assert next(csv.reader(io.StringIO(facts))) == ["fact", "value", "detail"]


async def test_hostile_text_is_text_on_every_page(attacked: Path) -> None:
    day = "/region/SY05/2016-09-12"
    tables = [f"/tables/{name}" for name in ("reports", "incidents", "rejects", "declarations", "verdict_changes")]
    async with serving(attacked) as served:
        pages = {path: await served.get(path) for path in (*PAGES, day, "/region/SY05", *tables)}
        missing = await served.get(f"/region/{HOSTILE}", 404)
        told = await served.json(f"{day}?format=json")
        odd = await served.get(f"/tables/reports?feed={HOSTILE}")
    shown = [path for path, html in pages.items() if "onerror=alert(1)" in html]
    assert {day, "/declared", "/tables/reports"} <= set(shown)
    for path, html in {**pages, "missing": missing, "odd": odd}.items():
        page = Page.of(html)
        scripts = [attrs for tag, attrs in page.tags if tag == "script"]
        assert scripts == [{"src": "/static/page.js", "type": "module"}], path
        assert "\u202e" not in html, path
        for tag, attrs in page.tags:
            assert tag != "img", path
            assert not [name for name in attrs if name.startswith("on") or name == "style"], (path, attrs)
            for name in ("href", "src", "action"):
                assert re.match(r"(/|https?://|#)", attrs.get(name) or "/"), (path, attrs)
    assert HOSTILE in [each["note"] for one in told["incidents"] for each in one["reports"]], "JSON has it as it is"
    assert "https://a.org/x" in Page.of(pages[day]).links()
    assert "javascript:alert(1)" in Page.of(pages[day]).text


async def test_a_spreadsheet_takes_no_cell_for_a_formula(attacked: Path) -> None:
    async with serving(attacked) as served:
        rows = list(csv.DictReader(io.StringIO(await served.get("/declared?format=csv&section=acts"))))
        whole = list(csv.DictReader(io.StringIO(await served.get("/tables/declarations?format=csv"))))
    assert HOSTILE in [row["declared_by"] for row in rows]
    values = {value for row in [*rows, *whole] for value in row.values()}
    assert {f"'{formula}" for formula in FORMULAS} <= values
    assert not values & set(FORMULAS)


async def test_nothing_from_elsewhere_runs_and_nothing_changes(demo: Demo) -> None:
    async with serving(demo.file) as served:
        for path in ("/", "/nowhere", "/static/page.js", "/livez"):
            async with served.client.get(served.base + path) as answer:
                policy = answer.headers["Content-Security-Policy"]
                assert "default-src 'none'" in policy
                assert "unsafe" not in policy
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            async with served.client.request(method, f"{served.base}/") as answer:
                assert answer.status == 405
        async with served.client.head(f"{served.base}/") as answer:
            assert (answer.status, await answer.read()) == (200, b"")


async def test_page_and_script_are_small(demo: Demo) -> None:
    async with serving(demo.file) as served:
        sizes = {path: len((await served.get(path)).encode()) for path in ("/", "/static/page.js", "/static/page.css")}
    assert sizes["/static/page.js"] <= 5 * 1024
    assert sum(sizes.values()) <= 60_000, sizes


async def test_json_and_csv_stand_at_the_same_address(demo: Demo) -> None:
    async with serving(demo.file) as served:
        document = await served.json("/?format=json")
        grid = list(csv.DictReader(io.StringIO(await served.get("/?format=csv"))))
        for path in PAGES[1:]:
            found = await served.json(f"{path}?format=json")
            first = next(iter(found))
            rows = list(csv.DictReader(io.StringIO(await served.get(f"{path}?format=csv"))))
            assert len(rows) == len(found[first])
        refused = await served.get("/?format=xml", 404)
    assert "there are html, json, csv" in refused
    assert document["gate"]["sentence"] == "The gate is closed: 0 of 9 regions have held 7 days."
    assert len(grid) == len(document["verdicts"]) == 14 * 7
    assert {row["verdict"] for row in grid} == {"MET", "BROKEN", "UNKNOWN"}


async def test_rows_are_sorted_filtered_and_paged_by_the_address(demo: Demo) -> None:
    async with serving(demo.file) as served:
        every = await served.json("/tables/day_verdicts?format=json")
        chosen = await served.json("/tables/day_verdicts?region=SY02&verdict=BROKEN&sort=truce_day&desc=1&format=json")
        null = await served.json("/tables/grid?contested_by=&format=json")
        page = await served.page("/tables/day_verdicts")
        (following,) = [link for link in page.links() if "offset=50" in link]
        second = await served.page(following)
        asked = "/tables/grid?sort=region&column=truce_day&is=2016-09-14"
        async with served.client.get(served.base + asked, allow_redirects=False) as answer:
            assert answer.status == 303
            assert answer.headers["Location"] == "/tables/grid?sort=region&truce_day=2016-09-14"
        for odd in ("sort=no_such", "raw=1", "offset=-1", "offset=x", "reasons=1"):
            await served.get(f"/tables/day_verdicts?{odd}", 404)
    wanted = [row for row in every["rows"] if row["region"] == "SY02" and row["verdict"] == "BROKEN"]
    assert chosen["rows"] == sorted(wanted, key=lambda row: row["truce_day"], reverse=True)
    assert len(wanted) > 3
    assert null["rows"]
    assert all(row["contested_by"] is None for row in null["rows"])
    assert "Rows 51 to" in second.text
    assert all(column["comment"] for column in every["columns"])


async def test_no_column_is_called_as_the_questions_of_an_address_are(demo: Demo) -> None:
    async with serving(demo.file) as served:
        for each in (await served.json("/tables?format=json"))["tables"]:
            told = await served.json(f"/tables/{each['name']}?format=json")
            names = {column["name"] for column in told["columns"]}
            assert not names & {"sort", "desc", "offset", "column", "is", "format", "section"}


async def test_only_the_fragment_that_changed_is_sent_and_a_page_goes_on_from_what_it_saw(tmp_path: Path) -> None:
    folder = tmp_path / "syria-2016"
    history = History(AGREEMENT).tell(shelling(AGREEMENT, 1)).tick(START + 3 * HOUR)
    path = history.judged(folder)
    async with serving(path) as served:
        page = await served.page("/")
        first = served.site.copy.version if served.site.copy else 0
        async with served.stream(first) as stream:
            number, data = await stream.message()
            assert (number, data["parts"]) == (str(first), {})
            history.tell(shelling(AGREEMENT, 2)).tick(START + 4 * HOUR)
            history.judged(folder)
            number, data = await stream.message()
        parts = data["parts"]
        assert int(number) > first
        assert {"c-SY05-2016-09-12", "banner"} - parts.keys() == {"banner"}
        assert not [name for name in parts if name.startswith("c-") and name != "c-SY05-2016-09-12"]
        assert "BROKEN" in parts["c-SY05-2016-09-12"]
        assert parts.keys() <= set(page.ids())
        # Resumed: by what the browser saw last, whatever the address says.
        async with served.stream(0, str(first)) as stream:
            assert (await stream.message())[1]["parts"] == parts
        async with served.stream(first, number) as stream:
            assert (await stream.message())[1]["parts"] == {}
        # A version of a process before this one: the whole page.
        async with served.stream(12345) as stream:
            assert (await stream.message())[1]["parts"] is None
        assert "BROKEN" in (await served.page("/")).text


async def test_a_stream_says_that_it_lives(attacked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "PING_SECONDS", 0.05)
    async with serving(attacked) as served, served.stream() as stream:
        await stream.message()
        name, _, data = await stream.next()
    assert name == "ping"
    assert abs(data["now"] - datetime.now(UTC).timestamp()) < 600


async def test_a_copy_is_read_once_however_many_look(attacked: Path) -> None:
    async with serving(attacked) as served:
        pages = await asyncio.gather(*(served.get(path) for path in ("/", "/feeds", "/region/SY05/2016-09-12") * 20))
        assert len(set(pages)) <= 6, "the banner's age alone may differ"
        assert served.site.reads == 1


async def test_a_copy_beyond_its_age_is_called_stale(attacked: Path) -> None:
    async with serving(attacked, max_age=60) as served:
        page = await served.page("/")
    (banner,) = [attrs for tag, attrs in page.tags if attrs.get("id") == "banner"]
    assert banner["class"] == "stale"
    assert "STALE" in page.text
    async with serving(attacked) as served:
        assert "STALE" not in (await served.page("/")).text


async def test_a_file_that_cannot_be_read_is_told_and_the_page_goes_on(attacked: Path, tmp_path: Path) -> None:
    path = tmp_path / "compliance.duckdb"
    async with serving(path, "syria-2016") as served:
        assert "nothing has been published" in await served.get("/", 503)
        assert await served.get("/livez") == "alive\n"
        whole = attacked.read_bytes()  # noqa: ASYNC240 - a small file
        for content in (b"no database", whole[:9_000]):
            put(path, content)
            await served.site.look()
            page = await served.page("/", 503)
            assert "Nothing can be shown" in page.text
            assert "compliance.duckdb" in page.text
        put(path, whole)
        await served.site.look()
        good = await served.page("/")
        assert "The gate is closed" in good.text
        path.unlink()
        await served.site.look()
        gone = await served.page("/")
        assert "The gate is closed" in gone.text
        assert "shown is the copy before it" in gone.text
        assert "STALE" in gone.text


async def test_a_file_of_another_agreement_is_not_shown(attacked: Path) -> None:
    async with serving(attacked, "ukraine-minsk-2015") as served:
        page = await served.page("/", 503)
    assert "is of agreement 'syria-2016', not of 'ukraine-minsk-2015'" in page.text
    assert "Hama" not in page.text


async def test_connections_without_a_request_make_room(attacked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "CONNECTIONS", 10)
    # They go to make room, and not because they were silent for long.
    monkeypatch.setattr(http, "HEAD_SECONDS", 10 * PATIENCE)
    async with serving(attacked) as served:
        host, port = served.base.removeprefix("http://").split(":")
        silent = [await asyncio.open_connection(host, int(port)) for _ in range(30)]
        assert "The gate is closed" in await served.get("/")
        assert all([await closed(reader) for reader, _ in silent[:15]])
        for _, writer in silent:
            writer.close()


async def test_an_answer_that_nobody_reads_is_let_go(attacked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "READ_SECONDS", 0.2)

    begun = asyncio.Event()

    async def large(*_: object) -> Reply:
        begun.set()
        return Reply(200, "text/plain", bytes(50_000_000))

    async with serving(attacked) as served:
        monkeypatch.setattr(served.site, "reply", large)
        host, port = served.base.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            client.settimeout(PATIENCE)
            await begun.wait()
            await asyncio.sleep(0.5)
            with pytest.raises(ConnectionResetError):
                await asyncio.to_thread(take, client, 50_000_000)


def take(client: socket.socket, size: int) -> None:
    """Take as many bytes off a line; one that ends before is reset."""
    while size > 0:
        got = len(client.recv(1_000_000))
        if not got:
            raise ConnectionResetError
        size -= got


async def test_a_copy_that_comes_while_an_event_is_on_its_way_is_sent_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "syria-2016"
    history = History(AGREEMENT).tell(shelling(AGREEMENT, 1)).tick(START + 3 * HOUR)
    path, sent = history.judged(folder), server._write
    async with serving(path) as served:
        began = served.site.version

        async def slow(request: web.BaseRequest, response: web.StreamResponse, event: bytes) -> None:
            await sent(request, response, event)
            if b"data: " in event and served.site.version == began:
                history.tell(shelling(AGREEMENT, 2)).tick(START + 4 * HOUR)
                history.judged(folder)
                await served.site.look()

        monkeypatch.setattr(server, "_write", slow)
        async with served.stream(began) as stream:
            assert (await stream.message())[1]["parts"] == {}
            number, data = await stream.message()
    assert int(number) > began
    assert "BROKEN" in data["parts"]["c-SY05-2016-09-12"]


async def test_a_turn_that_comes_with_the_end_of_its_wait_is_a_turn() -> None:
    turned = asyncio.Event()
    asyncio.get_running_loop().call_soon(turned.set)
    assert await server._set_within(turned, 0)
    assert not await server._set_within(asyncio.Event(), 0)


async def test_a_name_turned_to_this_machine_reads_nothing(attacked: Path) -> None:
    async with serving(attacked) as served:
        for path in ("/", "/live", "/livez", "/static/page.js"):
            async with served.client.get(served.base + path, headers={"Host": "rebound.example"}) as answer:
                assert (answer.status, "gate" in await answer.text()) == (421, False)


async def test_a_cut_table_names_the_rest_in_its_head(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MOST_ROWS", 3)
    async with serving(demo.file) as served:
        async with served.client.get(f"{served.base}/tables/day_verdicts?format=csv") as answer:
            link = answer.links["next"]["url"]
        async with served.client.get(link) as following:
            assert (following.status, following.content_type) == (200, "text/csv")
        async with served.client.get(f"{served.base}/tables/gate?format=csv") as whole:
            assert "Link" not in whole.headers


async def test_a_connection_that_stays_silent_is_let_go(attacked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(attacked) as served:
        host, port = served.base.removeprefix("http://").split(":")
        with monkeypatch.context() as short:
            short.setattr(http, "HEAD_SECONDS", 0.1)
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(b"GET / HT")
            assert await closed(reader)
            writer.close()
        monkeypatch.setattr(http, "HEAD_SECONDS", 1.0)
        async with served.stream() as stream:
            await stream.message()
            await asyncio.sleep(1.2)
            assert not stream.answer.content.at_eof()
            assert "gate" in await served.get("/")


def test_the_command_serves_on_loopback_until_told_to_stop(demo: Demo) -> None:
    command = [
        sys.executable,
        "-P",
        "-m",
        "streams",
        "serve",
        "--file",
        str(demo.file),
        "--listen",
        "127.0.0.1:0",
        "--json",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=clean_environment()) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        assert told["event"] == "serving"
        assert told["address"].startswith("http://127.0.0.1:")

        async def ask() -> str:
            async with ClientSession() as client, client.get(told["address"]) as answer:
                return await answer.text()

        assert "The gate is closed" in asyncio.run(ask())
        taken = trucewatch("serve", "--file", demo.file, "--listen", told["address"].removeprefix("http://"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert (taken.returncode, "the page cannot listen" in taken.stderr) == (2, True)


def test_a_page_that_dies_beside_the_workers_is_started_again_at_its_port(
    demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_process, "PAUSES", (1.0,))
    told: list[tuple[str, str]] = []

    def say(event: str, text: str, **_: object) -> None:
        told.append((event, text))

    async def ask(address: str | None) -> str:
        async with ClientSession() as client, client.get(str(address)) as answer:
            return await answer.text()

    def seen(event: str) -> bool:
        page.look(say, 0.0)
        return event in [known for known, _ in told]

    with page_process.serving([Settings(data=demo.folder)]) as (page,):
        wait_until(lambda: seen("page"))
        address = page.address
        assert told == [("page", f"page: {address}/")]
        assert "The gate is closed" in asyncio.run(ask(address))
        first = page.pid
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: seen("page_restart"))
        assert told[-1][1].startswith("the page of syria-2016 ended: signal 9")
        assert "copy_shown" in told[-1][1], "its last words"
        page.look(say, 0.9)
        assert page.pid == first
        page.look(say, 1.0)
        assert page.pid != first
        wait_until(lambda: answers(address) and "The gate is closed" in asyncio.run(ask(address)))
        os.kill(page.pid, signal.SIGKILL)
        wait_until(lambda: seen("page_ended"))
        page.look(say, 2.0)
        assert [event for event, _ in told] == ["page", "page_restart", "page_ended"]


def answers(address: str | None) -> bool:
    """Return whether somebody listens at an address."""
    host, _, port = str(address).removeprefix("http://").partition(":")
    with socket.socket() as client:
        return client.connect_ex((host, int(port))) == 0


def test_the_site_needs_no_file_to_begin(tmp_path: Path) -> None:
    async def look() -> str:
        site = Site(tmp_path / "none.duckdb", None, 60)
        await site.look()
        try:
            return (await site.reply("/", {"format": "json"})).body.decode()
        finally:
            site.close()

    assert "nothing has been published" in asyncio.run(look())
