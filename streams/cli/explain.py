"""Command ``explain``."""

from __future__ import annotations

from typing import Annotated

import typer

from streams.cli import options
from streams.cli.output import answers, print_json
from streams.cli.published import published_file
from streams.ops.explain import read_explanation, read_past
from streams.ops.explain_json import explanation_json, past_json
from streams.ops.explain_text import show_explanation, show_past
from streams.settings import load


def explain(
    region: Annotated[str, typer.Argument(metavar="REGION", help="P-code, or a name: SY02, Aleppo.")],
    day: Annotated[str, typer.Argument(metavar="DAY", help="The date on which the truce-day starts: 2016-09-19.")],
    agreement: options.Agreement = None,
    data: options.Data = None,
    file: options.Published = None,
    as_of: options.AsOf = None,
    as_json: options.AsJson = False,
) -> None:
    """Explain one region and truce-day: findings, limit, coverage, reports, versions, and what would change it.

    Reads the published copy only. With --as-of it tells what was held then, and on which reports.

    [bold]Examples[/bold]

      trucewatch explain SY02 2016-09-18

      trucewatch explain Hama 2016-09-14 --as-of 2016-09-16T12:00+03:00
    """
    truce_day, instant = options.day_of(day), options.instant_of(as_of)
    file = published_file(file, load({"agreement": agreement, "data": data}))
    if instant is not None:
        past = read_past(file, region, truce_day, instant)
        if as_json:
            print_json(past_json(past))
        else:
            show_past(answers(), past)
        return
    explanation = read_explanation(file, region, truce_day)
    if as_json:
        print_json(explanation_json(explanation))
    else:
        show_explanation(answers(), explanation)
