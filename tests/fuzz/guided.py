"""The same targets led by coverage: libFuzzer through atheris, where there is a wheel of it."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

from tests.fuzz.campaign import LONGEST_SECONDS, MOST_MEMORY, Diary, found_by, keep


def what_is_missing() -> str | None:
    """Return why there can be no guided fuzzing here; None where there can."""
    return None if find_spec("atheris") else "atheris is not installed; it has wheels for some Pythons on Linux only"


def main() -> None:
    """Run one target: ``python -m tests.fuzz.guided TARGET SECONDS SEED DIARY``; libFuzzer ends the process itself."""
    import atheris

    name, seconds, seed, noted = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), Diary(Path(sys.argv[4]))
    with atheris.instrument_imports(include=["schemas", "streams", "tomllib", "csv"], enable_loader_override=False):
        from tests.fuzz.targets import targets
    target = targets()[name]
    corpus = Path(sys.argv[4]).with_name("corpus")
    corpus.mkdir()
    for number, each in enumerate(target.seeds()):
        (corpus / str(number)).write_bytes(each)
    places = set[str]()

    def one(data: bytes) -> None:
        noted.begin(data)
        finding = found_by(target, data)
        if finding is not None and finding.place not in places:
            places.add(finding.place)
            noted.findings += 1
            print(f"{finding.said}\n{finding.trace}{keep(name, finding)}", file=sys.stderr)

    limits = [f"-rss_limit_mb={MOST_MEMORY >> 20}", f"-timeout={2 * LONGEST_SECONDS:.0f}", "-max_len=16384"]
    atheris.Setup([sys.argv[0], str(corpus), f"-max_total_time={seconds:.0f}", f"-seed={seed}", *limits], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
