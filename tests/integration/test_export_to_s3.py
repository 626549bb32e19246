"""Export to an S3-compatible store: a real one, moto's, on loopback."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import pyarrow.fs
import pyarrow.parquet
import pytest

from schemas.errors import DependencyUnavailable, UsageError
from sinks import object_store as uploads
from sinks.reading import published
from tests.support.commands import Run, runner
from tests.support.demo import Demo
from tests.support.documents import pages
from tests.support.object_store import KEYS, object_store, told

pytestmark = [pytest.mark.broker, pytest.mark.slow]

TABLES = ("--table", "day_verdicts", "--table", "incidents")


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    with object_store() as address:
        told(address, "monitors", method="PUT")
        yield address


@pytest.fixture
def run(store: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    for name, text in {"AWS_ENDPOINT_URL": store, **KEYS}.items():
        monkeypatch.setenv(name, text)
    return runner(monkeypatch, capfd, tmp_path)


def test_an_export_is_in_the_bucket_whole_and_is_replaced_when_told_to(run: Run, store: str, demo: Demo) -> None:
    place = ("--file", demo.file, "--to", "s3://monitors/lists/september", *TABLES)
    done = run("export", *place, "--partitioned", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["folder"] == "s3://monitors/lists/september"
    there = reader(store)
    package = json.loads(there.open_input_stream("monitors/lists/september/datapackage.json").read())
    assert [each["name"] for each in package["resources"]] == ["day_verdicts", "incidents", "incidents_map"]
    days = pyarrow.parquet.read_table("monitors/lists/september/day_verdicts", filesystem=there)
    with published(demo.file) as connection:
        assert connection.execute("SELECT count(*) FROM day_verdicts").fetchall() == [(days.num_rows,)]
    done = run("export", *place)
    assert done.code == 2
    assert "s3://monitors/lists/september is there already" in done.err
    assert "--force" in done.err
    done = run("export", *place, "--force")
    assert done.code == 0, done.err
    assert names(there) == {"datapackage.json", "incidents.geojson"} | {
        f"{table}.{form}" for table in ("day_verdicts", "incidents") for form in ("csv", "parquet")
    }


def test_the_command_of_the_docs_uploads_the_demo(run: Run, store: str, demo: Demo, tmp_path: Path) -> None:
    (block,) = [each for page in pages() for each in page.blocks if each.directives.get("with") == "S3"]
    command = shlex.split(block.commands()[-1])
    demo.copied_to(tmp_path)
    done = run(*command[1:], "--table", "gate")
    assert done.out == "1 table and views with 1 row in s3://monitors/september\n", done.err
    assert names(reader(store), "september") == {"datapackage.json", "gate.csv", "gate.parquet"}


@pytest.mark.usefixtures("run")
def test_half_an_upload_has_no_package_and_may_be_replaced(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    there = reader(store)
    put, address = uploads._put, "s3://monitors/half"

    def torn(store: object, path: Path, key: str) -> None:
        if path.name == "b.csv":
            raise OSError("AWS Error SLOW_DOWN: as it may be")
        put(store, path, key)

    def upload(*, force: bool) -> None:
        with uploads.uploading(address, store, None, force=force) as folder:
            folder.mkdir()
            for name in ("a.csv", "b.csv", "datapackage.json"):
                (folder / name).write_text(name)

    for _ in range(2):
        with monkeypatch.context() as patched:
            patched.setattr(uploads, "_put", torn)
            with pytest.raises(DependencyUnavailable, match="SLOW_DOWN"):
                upload(force=True)
        assert names(there, "half") - {"b.csv"} == {"a.csv", "datapackage.json.partial"}
        with pytest.raises(UsageError, match="is there already"):
            upload(force=False)
        upload(force=True)
        assert names(there, "half") == {"a.csv", "b.csv", "datapackage.json"}


def test_a_prefix_with_other_things_is_left_as_it_is(run: Run, store: str, demo: Demo) -> None:
    told(store, "monitors/photos/mine.jpg", b"mine", "PUT")
    done = run("export", "--file", demo.file, "--to", "s3://monitors/photos", "--force", *TABLES)
    assert (done.code, "is there already; name a prefix" in done.err) == (2, True), done.err


def test_what_is_wrong_is_told_in_words(run: Run, store: str, demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    place = ("--file", demo.file, *TABLES)
    done = run("export", *place, "--to", "s3://nowhere/x")
    assert (done.code, "there is no bucket 'nowhere'" in done.err) == (2, True), done.err
    for both in (("x", "--to", "s3://monitors/x"), (), ("--lake", "--to", "s3://monitors/x")):
        assert run("export", *place, *both).code == 2
    done = run("export", *place, "--to", "monitors/x")
    assert (done.code, "it is s3://BUCKET/PREFIX" in done.err) == (2, True), done.err
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    done = run("export", *place, "--to", "s3://monitors/x")
    assert (done.code, "http://127.0.0.1:1 cannot be reached" in done.err) == (3, True), done.err
    monkeypatch.setenv("AWS_ENDPOINT_URL", store)
    told(store, "moto-api/reset-auth", b"0")
    try:
        done = run("export", *place, "--to", "s3://monitors/x")
        assert (done.code, "AWS_ACCESS_KEY_ID" in done.err) == (2, True), done.err
    finally:
        told(store, "moto-api/reset-auth", b"1000000")


def reader(store: str) -> pyarrow.fs.S3FileSystem:
    return pyarrow.fs.S3FileSystem(endpoint_override=store, region="us-east-1")


def names(there: pyarrow.fs.S3FileSystem, prefix: str = "lists/september") -> set[str]:
    """Return the names of the files below a prefix."""
    found = there.get_file_info(pyarrow.fs.FileSelector(f"monitors/{prefix}", recursive=True))
    return {each.base_name for each in found if each.is_file}
