"""Beginning of a rebuilt file, which has the name of the recorded one."""

from __future__ import annotations

from contextlib import closing
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from schemas.agreement import Agreement
from sinks.faults import mapped
from sinks.migrations import migrate
from sinks.opening import LIVE, StoreLimits, connect
from sinks.verify.published import Published


def begin(folder: Path, file: Published) -> Path:
    """Make an empty store of a file's agreement, under that file's name: its macros bear it.

    Raises:
        StoreFull, StoreUnavailable: it cannot be made.
    """
    ((file_id,),) = file.select("select file_id from about")
    path = folder / LIVE
    with mapped(path):
        path.write_bytes(_empty(file.agreement.model_dump_json(), file_id))
    return path


@lru_cache(maxsize=2)
def _empty(agreement: str, file_id: str) -> bytes:
    """Return the bytes of an empty store: its two hundred views are made once for files of one name."""
    with TemporaryDirectory(prefix="trucewatch-verify-") as folder:
        path = Path(folder) / LIVE
        with closing(connect(path, StoreLimits())) as connection:
            migrate(connection, 0, Agreement.model_validate_json(agreement), file_id)
        return path.read_bytes()
