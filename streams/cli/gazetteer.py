"""Commands of ``gazetteer``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from schemas.gazetteer import load_gazetteer
from schemas.time_zones import time_zone
from streams.cli import options
from streams.cli.output import answer, print_json
from streams.cli.writing import write_new
from streams.countries.areas import Wanted, read_country
from streams.countries.columns import Named
from streams.countries.gazetteer import draft_gazetteer
from streams.countries.gazetteer_text import gazetteer_text
from streams.ops.wording import counted

app = options.group("Draft the gazetteer of another country.")


@app.callback()
def _group() -> None:
    """Keep ``init`` a word of its own: a Typer of one command would be that command."""


@app.command("init")
def init(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="GeoJSON of boundaries, or an XLSX of P-codes.")],
    out: options.Out,
    country: Annotated[
        str | None, typer.Option("--country", help="Code or name of the country, where the file holds several.")
    ] = None,
    level: Annotated[int, typer.Option("--level", min=1, max=4, help="Level of the areas that become regions.")] = 1,
    places: Annotated[
        int | None,
        typer.Option(
            "--places",
            min=0,
            max=5,
            help="Level of the areas whose names become places; 0 for none.",
            show_default="the next level",
        ),
    ] = None,
    code_column: Annotated[
        str | None, typer.Option("--code-column", help="Column of the regions' P-codes.", show_default="ADM1_PCODE")
    ] = None,
    name_column: Annotated[
        list[str] | None,
        typer.Option(
            "--name-column",
            help="Column of the regions' names, the shown ones first; give it once for each.",
            show_default="ADM1_EN",
        ),
    ] = None,
    force: options.Force = False,
    as_json: options.AsJson = False,
) -> None:
    """Draft a gazetteer from boundaries or a list of P-codes: regions, names in every script, neighbours, centres.

    [bold]Examples[/bold]

      trucewatch gazetteer init eth_admbnda_adm2.geojson -o ethiopia.toml

      trucewatch gazetteer init horn.geojson --country ET -o ethiopia.toml

      trucewatch gazetteer init lby_adminboundaries_tabulardata.xlsx --level 2 -o libya.toml
    """
    named = Named(code_column, name_column or [])
    areas = read_country(file, Wanted(country, level, level + 1 if places is None else places, named))
    today = datetime.now(time_zone("UTC")).date()
    draft = draft_gazetteer(areas, file.name, today)
    write_new(out, gazetteer_text(draft.file), force=force, check=load_gazetteer)
    if as_json:
        print_json({"written": str(out), "gazetteer": draft.file.model_dump(mode="json"), "notes": draft.notes})
        return
    made = draft.file
    kinds = [counted(len(made.regions), "region"), counted(len(made.places), "place")]
    answer(f"{out}: {made.country}, {', '.join(kinds)}")
    for region in made.regions:
        local = f" ({region.local})" if region.local else ""
        beside = f", beside {', '.join(region.neighbours)}" if region.neighbours else ""
        answer(f"  {region.pcode} {region.english}{local}{beside}")
    for note in draft.notes:
        answer(f"  {note}")
    answer(f"  then: trucewatch agreement init --gazetteer {out} --effective TIME --days N -o FILE")
