"""Text and JSON of a status."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from rich.console import Console
from rich.text import Text

from sinks.records import DeclaredClock, jsonable
from streams.ledger.core.feeds import Outcome
from streams.ops.changes_text import cause_text, moved_text, turn_text
from streams.ops.grid import LEGEND, cell_text, reason_text, show_grids, streak_text, worst_day
from streams.ops.rejects import growth
from streams.ops.status import (
    AMENDED_LATELY,
    Status,
    ago,
    freshness,
    gate_sentence,
    longer_bulletins,
    refused_sentence,
    silence,
)
from streams.ops.tables import plain_table
from streams.ops.wording import local_time, one_line

#: Amended days listed in text; JSON has all.
_MOST_AMENDED = 10
_MOST_LONGER = 3
_ENDINGS = {"until": "ran out", "end": "ended", "suspension": "suspended", "reset": "reset"}
_FLAGS = {
    "ends_before_it_starts": "ends before it starts: changes nothing",
    "nothing_in_force": "nothing was in force: changes nothing",
    "extends_nothing": "extends no truce of its own",
}


def show_grid(console: Console, status: Status, asked: tuple[date | None, date | None] = (None, None)) -> None:
    """Print the grid of regions and truce-days with its legend; ``asked`` are the first and last day asked for."""
    if not status.days:
        console.print(Text(f"\n{no_days(status, asked)}"))
        return
    console.print()
    show_grids(console, status)
    console.print(Text(f"\n{LEGEND}", style="grey50"))


def show_gate(console: Console, status: Status) -> None:
    """Print streaks with what ended them, a reason from the days shown, and whether the test holds."""
    required = status.agreement.clock.required_days
    if status.as_of is not None and not status.windows:
        console.print(Text("\nThe gate had not been judged by then.", style="bold"))
        return
    at = f" at {_at(status.now, status)}" if status.now else ""
    console.print(Text(f"\nStreaks{at} of the regions the gate needs", style="bold"))
    for region in status.windows:
        if region.in_gate:
            console.print(Text(f"  {region.region} {region.region_name}: {streak_text(region, required)}"))
            if (against := worst_day(status.cells, region.region)) is not None:
                console.print(
                    Text(
                        f"    first day shown that is {against.verdict}: {against.truce_day}, {reason_text(against)}",
                        style="grey50",
                    )
                )
    console.print(Text(f"\n{gate_sentence(status.gate)}", style="bold"))
    if (refused := refused_sentence(status.refused)) is not None:
        console.print(Text(f"  {refused}"))
        console.print(Text("  `trucewatch rejects list --pending` lists them.", style="grey50"))
    opened = [turn for turn in status.turns if turn.is_open]
    if not opened and status.gate is not None:
        console.print(Text("  It has not been open at any time."))
    for turn in status.turns:
        if turn.is_open or opened:
            console.print(Text(f"  {_at(turn.recorded_at, status)}  {'opened' if turn.is_open else 'closed'}"))


def show_as_of(console: Console, status: Status, instant: datetime) -> None:
    """Print the heading of a status of the past: below it stands the knowledge of then, not of now."""
    console.print(Text(status.agreement.title))
    console.print(Text(f"as held at {_at(instant, status)}, from the verdicts and figures of then", style="bold"))
    if status.now is not None and status.now < instant:
        console.print(Text(f"  the ledger's time has come to {_at(status.now, status)} only: that is what is shown"))


def show_amended(console: Console, status: Status) -> None:
    """Print the final days amended in the last seven days: the change, its reports and its time."""
    if not status.days:
        return
    console.print(Text(f"\nFinal days amended in the last {AMENDED_LATELY.days} days", style="bold"))
    if not status.amended:
        console.print(Text("  none"))
    for each in status.amended[:_MOST_AMENDED]:
        head = f"{each.region} {each.region_name} {each.truce_day}: {turn_text(each)}"
        console.print(Text(f"  {head}, {_at(each.recorded_at, status)}"))
        console.print(Text(f"    {moved_text(each)}; {cause_text(each)}", style="grey50"))
    if len(status.amended) > _MOST_AMENDED:
        console.print(Text(f"  ... and {len(status.amended) - _MOST_AMENDED:,} more; --json tells all"))


def show_to_check(console: Console, status: Status) -> None:
    """Print how many place names wait for a person to look at them, and what lists them."""
    if status.to_check is None:
        return
    waiting = status.to_check
    doubt = f"{waiting.ambiguous:,} in doubt (the view ambiguous_places)"
    refused = f"{waiting.refused:,} refused (trucewatch rejects list --code ambiguous_place; the view refused_places)"
    none = not waiting.ambiguous and not waiting.refused
    console.print(Text(f"place names to check: {'none' if none else f'{doubt}, {refused}'}"))


def show_outcomes(console: Console, status: Status) -> None:
    """Print the outcomes of all records, and rejects by code."""
    counted = ", ".join(f"{count:,} {name}" for name, count in status.outcomes.items() if count or name == "accepted")
    console.print(Text(f"{status.agreement.title}\nrecords: {counted}"))
    for each in status.rejects:
        console.print(Text(f"  rejected: {each.records:,} {each.code}, such as: {one_line(each.hint)}"))
    if (grows := growth(status.reject_rates)) is not None:
        console.print(Text(f"  {grows}; `trucewatch rejects list` tells which", style="bold"))


def show_feeds(console: Console, status: Status) -> None:
    """Print each feed with how long it has been silent."""
    if not status.feeds:
        return
    table = plain_table(("feed", "last heard", "silent for"), Outcome)
    for feed in status.feeds:
        heard = feed.last_received_at or feed.last_reported_at
        silent = silence(feed, status.now)
        table.add_row(
            Text(feed.feed),
            _at(heard, status) if heard else "never",
            ago(silent) if silent is not None else "",
            *(f"{getattr(feed, outcome):,}" for outcome in Outcome),
        )
    console.print()
    console.print(table)


def show_silent(console: Console, status: Status) -> None:
    """Print the feeds that had told of regions and were silent about them at the last judgement."""
    if not status.silent:
        return
    console.print(Text("\nSilent about regions they had told of (the view feed_silence)", style="bold"))
    for each in status.silent:
        console.print(Text(f"  {each.feed}: {', '.join(each.regions)}, since {_at(each.silent_since, status)}"))


def show_windows(console: Console, status: Status) -> None:
    """Print each region's incidents of the trailing 168 hours."""
    if not status.days:
        return
    busy = sorted((-region.incidents_168h, region.region_name) for region in status.windows if region.incidents_168h)
    counts = ", ".join(f"{name} {-negative:,}" for negative, name in busy)
    console.print(Text(f"\nIncidents in scope in the last 168 h: {counts or 'none in any region'}"))


def show_freshness(console: Console, status: Status) -> None:
    """Print how old the published copy is and how far the ledger's time has come."""
    now = f"; the ledger's time is {_at(status.now, status)}" if status.now else ""
    console.print(Text(f"{freshness(status.published_at)}{now}"))


def show_declared(console: Console, status: Status) -> None:
    """Print each party's declared clock and declarations, which change nothing that is computed."""
    if not status.declared:
        return
    console.print(Text("\nWhat the parties declared (recorded beside the findings, never part of them)", style="bold"))
    for clock in status.declared_clocks:
        console.print(Text(f"  {one_line(clock.declared_by)}: {_clock_text(clock, status)}"))
    for line in status.declared:
        until = f", until {_at(line.until, status)}" if line.until else ""
        flag = f" ({_FLAGS[line.flag]})" if line.flag else ""
        act = f"{line.act} by {one_line(line.declared_by)}{until}{flag}"
        console.print(Text(f"    {_at(line.effective_at, status)}  {act}", style="grey50"))


def _clock_text(clock: DeclaredClock, status: Status) -> str:
    """Return whether a party's truce is declared to be in force, for how long, and the findings of that time."""
    if clock.since is None:
        return "declared no truce of its own"
    until = _at(clock.until, status) if clock.until is not None else "open end"
    span = f"{_at(clock.since, status)} to {until}"
    if not clock.in_force and clock.ended_by is None:
        return f"announced: {span}"
    ended = f", {_ENDINGS[clock.ended_by]}" if clock.ended_by else ""
    exact = f" ({clock.held})" if clock.held != clock.held_rounded else ""
    return (
        f"{'in force' if clock.in_force else 'over'}: {span}{ended}, {clock.held_rounded}{exact}; "
        f"computed: {clock.truce_days_met} of {clock.truce_days} truce-days MET in every gate region"
    )


def show_bulletins(console: Console, status: Status) -> None:
    """Print monitors' tallies beside the incidents counted here; the two are never added."""
    if not status.bulletins:
        return
    console.print(
        Text("\nMonitors' own tallies, and the incidents in scope counted here for the same time", style="bold")
    )
    table = plain_table(("monitor", "from", "to"), ("it says", "counted here"))
    for line in status.bulletins:
        said = f"{'≥ ' if line.at_least else ''}{line.total:,}" + ("" if line.adds_up else f" (lines: {line.lines:,})")
        start, end = _at(line.occurred_from, status), _at(line.occurred_to, status)
        table.add_row(Text(line.feed), start, end, said, f"{line.counted:,}")
    console.print(table)


def show_longer_bulletins(console: Console, status: Status) -> None:
    """Print the monitor's bulletins that cover more than a day, where the agreement measures by its bulletins."""
    found = longer_bulletins(status)
    if found:
        periods = ", ".join(
            f"{_at(each.occurred_from, status)} to {_at(each.occurred_to, status)}" for each in found[:_MOST_LONGER]
        )
        more = f" and {len(found) - _MOST_LONGER:,} more" if len(found) > _MOST_LONGER else ""
        console.print(
            Text(f"\nBulletins of {found[0].feed} for more than a day, which count for none: {periods}{more}")
        )


def status_json(status: Status) -> dict[str, Any]:
    """Return everything the text shows as values: dates, instants in UTC, spans in seconds."""
    agreement = status.agreement
    gate = status.gate
    silent = {feed.feed: silence(feed, status.now) for feed in status.feeds}
    return {
        "agreement": {"id": agreement.id, "title": agreement.title, "required_days": agreement.clock.required_days},
        "published_at": jsonable(status.published_at),
        "now": jsonable(status.now),
        "as_of": jsonable(status.as_of),
        "gate": None if gate is None else {**jsonable(gate), "sentence": gate_sentence(gate)},
        "gate_turns": jsonable(status.turns),
        "truce_days": jsonable(status.days),
        "windows": jsonable(status.windows),
        "verdicts": [{**jsonable(cell), "text": cell_text(cell)} for cell in status.cells],
        "outcomes": status.outcomes,
        "rejects": jsonable(status.rejects),
        "rejects_growing": growth(status.reject_rates),
        "silent": jsonable(status.silent),
        "feeds": [
            {**jsonable(feed), "silent_seconds": None if span is None else span.total_seconds()}
            for feed, span in zip(status.feeds, silent.values(), strict=True)
        ],
        "amended": jsonable(status.amended),
        "places_to_check": jsonable(status.to_check),
        "refused_pending": jsonable(status.refused),
        "declared": jsonable(status.declared),
        "declared_clocks": jsonable(status.declared_clocks),
        "bulletins": jsonable(status.bulletins),
        "longer_bulletins": jsonable(longer_bulletins(status)),
        "pullback_days": jsonable(status.pullback_days),
        "positions": jsonable(status.positions),
    }


def no_days(status: Status, asked: tuple[date | None, date | None]) -> str:
    """Say that none of the days asked for was judged, and which were."""
    if status.judged is None and status.as_of is not None:
        return f"No truce-day had been judged by then: the agreement's first is {status.agreement.first_day}."
    if status.judged is None:
        return f"No truce-day has been judged yet: the agreement's first is {status.agreement.first_day}."
    first, last = asked
    if first and last:
        span = f"between {first} and {last}"
    elif first:
        span = f"from {first} on"
    else:
        span = f"up to {last}" if last else "among those asked for"
    return f"No judged truce-day {span}; judged are {status.judged[0]} to {status.judged[1]}."


def _at(instant: datetime, status: Status) -> str:
    """Return an instant in the agreement's own time, with its offset."""
    return local_time(instant, status.agreement.clock.time_zone)
