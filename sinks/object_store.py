"""Upload of an export to a bucket of S3, or of a store that speaks its protocol.

The data package is written last: where it lies, the export is whole.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow.fs

from schemas.errors import DependencyUnavailable, UsageError
from sinks.exporting import PACKAGE

# pyarrow's own annotations are partial, so a strict type check cannot look into it.
fs: Any = pyarrow.fs

#: Lies beside the files of an upload that has not come to its end: a later one may take its place.
_PARTIAL = f"{PACKAGE}.partial"
#: Files sent at once: each takes a round trip of its own, however small it is.
_AT_ONCE = 8
_CONNECT_SECONDS, _REQUEST_SECONDS = 10, 60
_ERROR = re.compile(r"AWS Error (\w+)")
_REFUSED = frozenset(
    {
        "ACCESS_DENIED",
        "INVALID_ACCESS_KEY_ID",
        "INVALID_CLIENT_TOKEN_ID",
        "INVALID_SIGNATURE",
        "MISSING_AUTHENTICATION_TOKEN",
        "SIGNATURE_DOES_NOT_MATCH",
        "UNRECOGNIZED_CLIENT",
    }
)
_CREDENTIALS = (
    "credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or ~/.aws/credentials; they have to allow "
    "listing, reading, writing and deleting there"
)


@contextmanager
def uploading(address: str, endpoint: str | None, region: str | None, *, force: bool) -> Iterator[Path]:
    """Yield the path of a local folder to make, which is uploaded when the block ends well.

    Args:
        address: ``s3://BUCKET/PREFIX``.
        endpoint: address of a store other than AWS.
        region: region of the bucket; AWS is asked when None.
        force: whether to take the place of an earlier export.

    Raises:
        UsageError: there is no such bucket, it holds something there already, or the store refuses the credentials.
        DependencyUnavailable: the store does not answer, or fails.
    """
    parts = urlsplit(address)
    if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment:
        raise UsageError(f"{address!r} is no place to export to", "it is s3://BUCKET/PREFIX")
    bucket, prefix = parts.netloc, f"{parts.netloc}/{parts.path.strip('/')}".rstrip("/")
    with _told(address, endpoint):
        store = fs.S3FileSystem(
            endpoint_override=endpoint,
            # Without a region the library looks for that of the machine, for ten seconds where it is of no cloud.
            region=region or ("us-east-1" if endpoint else fs.resolve_s3_region(bucket)),
            connect_timeout=_CONNECT_SECONDS,
            request_timeout=_REQUEST_SECONDS,
            # A small file is one request.
            allow_delayed_open=True,
        )
        if store.get_file_info(bucket).type == fs.FileType.NotFound:
            raise UsageError(f"there is no bucket {bucket!r}", "make it first, or name another")
        before = _files(store, prefix)
    is_export = bool({PACKAGE, _PARTIAL} & before)
    if before and not (force and is_export):
        hint = "name a prefix below which there is nothing"
        raise UsageError(f"{address} is there already", f"{hint}, or replace it with --force" if is_export else hint)
    with tempfile.TemporaryDirectory(prefix="trucewatch-export-") as beside:
        yield (folder := Path(beside) / "export")
        with _told(address, endpoint):
            _upload(store, folder, prefix, before)


def _upload(store: Any, folder: Path, prefix: str, before: set[str]) -> None:
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    package = files.pop(PACKAGE)
    _put(store, package, f"{prefix}/{_PARTIAL}")
    if PACKAGE in before:
        store.delete_file(f"{prefix}/{PACKAGE}")
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for sent in [pool.submit(_put, store, path, f"{prefix}/{name}") for name, path in files.items()]:
            sent.result()
    for name in before - files.keys() - {PACKAGE, _PARTIAL}:
        store.delete_file(f"{prefix}/{name}")
    _put(store, package, f"{prefix}/{PACKAGE}")
    store.delete_file(f"{prefix}/{_PARTIAL}")


def _put(store: Any, path: Path, key: str) -> None:
    with path.open("rb") as source, store.open_output_stream(key) as sink:
        shutil.copyfileobj(source, sink, 1 << 20)


def _files(store: Any, prefix: str) -> set[str]:
    """Return the names of the files below a prefix."""
    found = store.get_file_info(fs.FileSelector(prefix, recursive=True, allow_not_found=True))
    return {each.path.removeprefix(f"{prefix}/") for each in found if each.type == fs.FileType.File}


@contextmanager
def _told(address: str, endpoint: str | None) -> Iterator[None]:
    """Turn the library's errors into ours."""
    try:
        yield
    except OSError as error:
        said = " ".join(str(error).split())
        code = found[1] if (found := _ERROR.search(said)) else ""
        if code in _REFUSED:
            raise UsageError(f"{address}: the store refuses access ({code})", _CREDENTIALS) from None
        if code == "NO_SUCH_BUCKET" or re.search(r"Bucket '.*' not found", said):
            raise UsageError(f"{address}: there is no such bucket", "make it first, or name another") from None
        where = endpoint or "AWS"
        hint = "AWS_ENDPOINT_URL names another store; run it again: an upload without its end is replaced with --force"
        raise DependencyUnavailable(f"{address}: {where} cannot be reached or fails: {said[:300]}", hint) from None
