"""``schemas``: the published JSON Schemas of what crosses a boundary."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated

import typer

from schemas.errors import UsageError
from schemas.json_schema import export
from streams.cli import options
from streams.cli.output import answer, print_json


def schemas(
    name: Annotated[str | None, typer.Argument(help="Print this one; without it, list them.")] = None,
    as_json: options.AsJson = False,
) -> None:
    """List the JSON Schemas of reports, rejects, receipts, agreements and gazetteers, or print one.

    [bold]Examples[/bold]

      trucewatch schemas

      trucewatch schemas incident > incident.schema.json

      trucewatch schemas agreement > agreement.schema.json
    """
    published = export()
    if name is None:
        if as_json:
            print_json(published)
            return
        for each, schema in published.items():
            answer(f"{each:12} {schema['description'].splitlines()[0].replace('``', '')}")
        return
    if name not in published:
        near = get_close_matches(name, published, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(published)}"
        raise UsageError(f"no schema is called {name!r}; {hint}")
    print_json(published[name])
