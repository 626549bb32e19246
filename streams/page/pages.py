"""Pages other than the overview, each made from the copy that is open."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from schemas.errors import UsageError
from schemas.truceday import from_micros
from sinks import reading
from sinks.records import DayFact, DeclaredAct, DeclaredClock, PartyLine, SilentFeed, WatchedUntil
from sinks.rejects import Choice, Reject, RejectShare, reject_shares, rejects
from sinks.tables import tables
from streams.ops.counterfactual_text import both_legs
from streams.ops.explain import explanation_in, past_in
from streams.ops.explain_json import explanation_json, past_json
from streams.ops.explain_text import MOST_LISTED
from streams.ops.rejects import growth
from streams.ops.status import silence, status_in
from streams.page.answers import Answer, Field, Following, Form, Head, Section, records_section
from streams.page.copies import Copy, rolling_of
from streams.page.overview import DAYS, overview, parts_of
from streams.page.questions import Query, day_of, instant_of, number_of, only
from streams.page.render import address
from streams.page.tables import MOST_ROWS, of_sections, view_section

_LATEST_REJECTS = 200


def overview_of(copy: Copy, query: Query, form: Form) -> Answer:
    """Return the overview: of the last days, of others, or as it was held at an instant."""
    if not query:
        height = copy.outlines.height if copy.outlines else 0
        return overview(copy.status, copy.rolling, copy.changes, copy.parts, "fragments", height)
    first, last = (day_of(query[name]) if name in query else None for name in ("from", "to"))
    instant = instant_of(query)
    days = None if first or last else DAYS
    status = status_in(copy.connection, days=days, first=first, last=last, as_of=instant)
    # What a rolling window or a change was held to be at an instant is not kept: the past shows neither.
    rolling, changes = ([], []) if instant else (rolling_of(copy.connection, status), copy.changes)
    return overview(status, rolling, changes, parts_of(status, rolling, changes), "" if instant else "page")


def day(copy: Copy, query: Query, form: Form, region: str, truce_day: str) -> Answer:
    """Return all that is known of one region and truce-day."""
    asked, instant = day_of(truce_day), instant_of(query)
    context: dict[str, Any] = {"both": None, "most": MOST_LISTED}
    if instant is not None:
        told = past_json(past_in(copy.connection, region, asked, instant))
    else:
        explanation = explanation_in(copy.connection, region, asked)
        told = explanation_json(explanation)
        context["both"] = both_legs(explanation.case)
    pcode, name = told["verdict"]["region"], told["verdict"]["region_name"]
    judged = copy.status.judged
    for where, step in (("before", -1), ("after", 1)):
        other = asked + timedelta(days=step)
        there = judged is not None and judged[0] <= other <= judged[1]
        context[where] = address(f"/region/{pcode}/{other}", only(query, "as_of")) if there else None
    facts = reading.day_facts(copy.connection, pcode, asked) if form == "csv" and instant is None else []
    sections = [records_section("facts", "facts", DayFact, facts)] if instant is None else []
    return Answer(f"{name}, {asked}", "day.html", {**context, "e": told}, told, sections, "" if instant else "page")


def region(copy: Copy, query: Query, form: Form, pcode: str) -> Answer:
    """Return a region's days and streaks."""
    known = reading.region_spellings(copy.connection)
    if pcode not in known:
        raise UsageError(f"{pcode!r} is no region of {copy.agreement.id}", f"there are {', '.join(known)}")
    listed = tables(copy.connection)
    of_region = {"region": pcode}
    sections = [
        view_section(copy, form, listed["grid"], of_region, "truce_day", "Days, the latest first", descending=True),
        view_section(
            copy, form, listed["streak_history"], of_region, "first_day", "Streaks and their ends", descending=True
        ),
        view_section(copy, form, listed["access_score"], of_region, "first_day", "People reached", descending=True),
    ]
    return of_sections(f"{pcode} {known[pcode][0]}", sections)


def feeds(copy: Copy, query: Query, form: Form) -> Answer:
    """Return each feed's last report, outcomes, watches and silence."""
    status = copy.status
    health = [
        [feed.feed, feed.last_reported_at, feed.last_received_at, _hours(silence(feed, status.now))]
        + [getattr(feed, outcome) for outcome in status.outcomes]
        for feed in status.feeds
    ]
    columns = ["feed", "last_reported_at", "last_received_at", "silent_hours", *status.outcomes]
    watched = reading.watched_until(copy.connection)
    sections = [
        Section("feeds", "Feeds", [Head(name) for name in columns], health),
        records_section(
            "silent",
            "Silent about regions they had told of",
            SilentFeed,
            status.silent,
            "At the last judgement. Silence is not peace: a day that nobody watched is UNKNOWN.",
        ),
        records_section("watched", "Watched until", WatchedUntil, watched),
        _rejects_by_code(copy, Choice()),
    ]
    return of_sections("Feeds", sections)


def convoys(copy: Copy, query: Query, form: Form) -> Answer:
    """Return every convoy with its state, what is due, and the people of it."""
    listed = tables(copy.connection)
    sections = [
        view_section(copy, form, listed["convoys_due"], {}, "hours_overdue", "The most overdue first", descending=True),
        view_section(copy, form, listed["access_score"], {"span": "window"}, "region", "People reached and requested"),
        view_section(copy, form, listed["convoy_claims"], {}, "convoy", "Each feed's word"),
    ]
    return of_sections("Convoys", sections)


def parties(copy: Copy, query: Query, form: Form) -> Answer:
    """Return violations by accused party beside each monitor's own count."""
    since = from_micros(copy.agreement.effective)
    lines = reading.party_lines(copy.connection, since)
    note = (
        "Accusations are claims of their sources and never a finding. `incidents` counts each incident once, "
        "`accusations` by feed and claimant; beside a `bulletin` stands what is counted here for its own period. "
        "Of two parties accused together each is possible."
    )
    sections = [
        records_section("parties", "Since the truce took effect", PartyLine, lines, note),
        view_section(copy, form, tables(copy.connection)["unknown_accused"], {}, "name", "Names that no party has"),
    ]
    return of_sections("Parties", sections)


def declared(copy: Copy, query: Query, form: Form) -> Answer:
    """Return each party's declared clock and acts, now or as of an instant."""
    instant = instant_of(query)
    clocks = reading.declared_clocks(copy.connection, instant)
    acts = reading.declarations(copy.connection, instant)
    note = "Recorded beside the findings, never part of them."
    sections = [
        records_section("clocks", "Declared clocks", DeclaredClock, clocks, note),
        records_section("acts", "Declarations", DeclaredAct, acts),
    ]
    return of_sections("Declared clock", sections, live="" if instant else "page")


def refused(copy: Copy, query: Query, form: Form) -> Answer:
    """Return rejects, the newest first."""
    # A form sends what was left empty.
    choice = Choice(
        code=query.get("code") or None, feed=query.get("feed") or None, pending=query.get("pending") == "yes"
    )
    offset, limit = number_of(query, "offset"), _LATEST_REJECTS if form == "html" else MOST_ROWS
    found = list(rejects(copy.connection, choice, limit=limit + 1, offset=offset, with_bytes=False))
    shown = found[:limit]
    following = Following("/rejects", {**query, "offset": offset + limit}) if len(found) > limit else None
    shares = reject_shares(copy.connection, Choice())
    sections = [
        records_section(
            "rejects",
            "The newest first",
            Reject,
            shown,
            "`trucewatch rejects show` has the bytes and says how to mend or dismiss one.",
            leave_out=("source_log", "original", "original_bytes", "redrive_offset"),
            links=[("the older ones", following.as_("html"))] if following else [],
            following=following,
        ),
        _rejects_by_code(copy, choice),
    ]
    codes = sorted({share.code for share in shares})
    form_ = [
        Field("code", "code", query.get("code", ""), [("", "all"), *((code, code) for code in codes)]),
        Field("feed", "feed", query.get("feed", "")),
        Field("pending", "pending alone", query.get("pending", ""), [("", "no"), ("yes", "yes")]),
    ]
    return of_sections("Rejects", sections, growth(copy.status.reject_rates), form_)


def _rejects_by_code(copy: Copy, choice: Choice) -> Section:
    return records_section("codes", "By code and feed", RejectShare, reject_shares(copy.connection, choice))


def _hours(span: timedelta | None) -> float | None:
    return None if span is None else round(span.total_seconds() / 3600, 1)
