"""``check-config``: what would be in force, and everything that is wrong with it, without starting anything."""

from __future__ import annotations

import os
from collections.abc import Mapping

import typer

from schemas.agreement import Agreement
from schemas.agreement_file import load_agreement
from schemas.gazetteer import load_gazetteer
from schemas.receivers import load_receivers
from schemas.truceday import LONGEST_BULLETIN, MICROS_PER_HOUR
from streams.cli import options
from streams.cli.brokers import knock
from streams.cli.output import answer, print_json
from streams.ops.wording import counted
from streams.security import for_own_broker
from streams.settings import Settings, load, variable


def check_config(
    agreement: options.Agreement = None,
    boundaries: options.Boundaries = None,
    broker: options.Broker = None,
    data: options.Data = None,
    as_json: options.AsJson = False,
) -> None:
    """Check settings, agreement, gazetteer, boundaries and, if one is set, the broker; start nothing.

    [bold]Example[/bold]

      trucewatch check-config --agreement my-truce.toml
    """
    given = {"agreement": agreement, "boundaries": boundaries, "broker": broker, "data": data}
    settings = load(given)
    judged = load_agreement(settings.agreement)
    gazetteer = load_gazetteer(judged.gazetteer, settings.boundaries)
    if settings.notify_receivers is not None:
        load_receivers(settings.notify_receivers, judged)
    notes = gazetteer.boundary_notes()
    strangers = names_of_no_party(judged)
    unnamed = [region for region in judged.regions if region not in gazetteer.names()]
    if for_own_broker(settings).broker is not None:
        knock(settings)
    origins = _origins(settings, given)
    if as_json:
        values = settings.model_dump(mode="json")
        print_json(
            {
                "settings": {name: {"value": values[name], "from": origin} for name, origin in origins.items()},
                "agreement": judged.model_dump(mode="json"),
                "regions_without_a_name": unnamed,
                "names_of_no_party": strangers,
                "boundary_notes": list(notes),
            }
        )
        raise typer.Exit(0)
    answer("Settings", style="bold")
    for name, origin in origins.items():
        value = getattr(settings, name)
        answer(f"  {name:16} {'none' if value is None else value}  ({origin})")
    answer(f"\nAgreement {judged.id}", style="bold")
    for line in rules_in_words(judged):
        answer(f"  {line}")
    if unnamed:
        answer(f"  Regions the gazetteer does not know: {', '.join(unnamed)}")
    if strangers:
        answer(f"  Named by the agreement, and by none of its parties: {', '.join(strangers)}")
    if notes:
        answer("\nBoundaries", style="bold")
    for note in notes:
        answer(f"  {note}")
    answer("\nAll of it is in order.")


def rules_in_words(agreement: Agreement) -> list[str]:
    """Say an agreement's rules in sentences, for whoever wrote it to recognise or not."""
    clock, violence, coverage, access = agreement.clock, agreement.violence, agreement.coverage, agreement.access
    baseline = violence.baseline
    effect = f"{clock.effective:%Y-%m-%d %H:%M}" + (f" to {clock.ends:%Y-%m-%d %H:%M}" if clock.ends else "")
    parties = [f"{each.name} ({each.side}, {counted(len(each.names), 'name')})" for each in agreement.parties]
    hours = LONGEST_BULLETIN // MICROS_PER_HOUR
    measured_by = f"the bulletins of {violence.bulletins_of}" if violence.bulletins_of else "incidents in scope"
    return [
        agreement.title,
        f"In effect from {effect} {clock.time_zone}; truce-days start at {clock.anchor:%H:%M}.",
        f"The gate opens after {clock.required_days} MET days in a row in {', '.join(agreement.gate_regions)}.",
        f"A day stays provisional for {clock.lateness_hours} h after its end.",
        (
            f"Violence: at most {100 - violence.reduction_percent} % of the {baseline.measure} of "
            f"{baseline.first_day} to {baseline.last_day}, or {violence.floor} a day where that is more, "
            f"by {measured_by}."
        ),
        *(
            [f"A bulletin of {violence.bulletins_of} for more than {hours} h is of no one day: it counts for none."]
            if violence.bulletins_of
            else []
        ),
        f"Coverage: {counted(coverage.min_feeds, 'feed')} or more for {coverage.min_share_percent} % of a day.",
        (
            f"Access is owed to {', '.join(access.regions) or 'no region'}: convoys delivered within "
            f"{access.overdue_after_hours} h, no gap of {access.max_gap_days} days."
        ),
        f"Outside its scope: {', '.join(agreement.scope.outside) or 'nobody'}.",
        *([f"Parties: {'; '.join(parties)}."] if parties else []),
    ]


def names_of_no_party(agreement: Agreement) -> list[str]:
    """Return the names in an agreement's rules that none of its parties has; none where it lists no parties."""
    if not agreement.parties:
        return []
    bound = [party for line in agreement.pullback for band in line.bands for party in band.parties]
    named = [*agreement.scope.parties, *agreement.scope.outside, *bound]
    return [name for name in dict.fromkeys(named) if not agreement.party_names.knows(name)]


def _origins(settings: Settings, given: Mapping[str, object]) -> dict[str, str]:
    def origin(name: str) -> str:
        if given.get(name) is not None:
            return f"--{name}"
        return variable(name) if os.environ.get(variable(name)) else "default"

    return {name: origin(name) for name in type(settings).model_fields}
