"""What an incident is, once its reports are known: its name, its content, its certainty; docs/judging.md, "Linking"."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import NamedTuple

from schemas.agreement import Agreement
from schemas.truceday import Micros
from sinks.verify.candidates import TIMES, Pair, are_surely_one, names_of
from sinks.verify.days import Days
from sinks.verify.history import Identity, NaiveReport

#: From certain to doubtful.
CERTAINTIES = ("asserted", "good", "doubtful")


class NaiveLink(NamedTuple):
    """Two reports held to be of one occurrence; ``pair`` is None unless they were found to be so by being close.

    ``why`` is ``same_as``, ``closest``, ``same_name``, ``repeating_feed`` or ``merged_into``.
    """

    one: NaiveReport
    other: NaiveReport
    why: str
    pair: Pair | None = None

    @classmethod
    def found(cls, pair: Pair) -> NaiveLink:
        """Return the link that two candidates have."""
        why = "same_name" if pair.by_name else "closest"
        return cls(pair.one, pair.other, "repeating_feed" if pair.one.feed == pair.other.feed else why, pair)

    @property
    def names(self) -> tuple[str, str]:
        """The two names, the smaller first."""
        return names_of(self.one, self.other)

    @property
    def certainty(self) -> str:
        """``asserted``, ``good`` or ``doubtful``."""
        if self.pair is None:
            return "asserted"
        return "good" if are_surely_one(self.pair) else "doubtful"

    def beside(self, identity: Identity) -> NaiveReport:
        """Return the report at the other end."""
        return self.other if self.one.identity == identity else self.one


class Member(NamedTuple):
    """One report of an incident; ``standing`` is ``active``, ``retracted`` or ``merged``, and only the first counts.

    ``told_first`` is the least time at which any revision of it was reported. ``link`` is the one it is shown with,
    None when it is the only active one.
    """

    report: NaiveReport
    standing: str
    told_first: Micros
    link: NaiveLink | None


class Content(NamedTuple):
    """What happened, as the reports that count tell it, or, when ``counted`` is false, all others.

    ``lead`` is the report that places it, ``feeds`` are those of the reports it is made from.
    """

    lead: NaiveReport
    region: str
    truce_day: date
    occurred_from: Micros
    occurred_to: Micros
    kind: str
    in_scope: bool
    deaths_low: int | None
    deaths_best: int | None
    deaths_high: int | None
    feeds: frozenset[str]
    counted: bool


class NaiveIncident(NamedTuple):
    """One occurrence, as all that is known tells it. ``feed`` and ``report_id`` are those of the report it is named by.

    ``links`` are those that joined its active reports, ``certainty`` that of the least certain of them, None when there
    is none. ``origins`` are the distinct first tellers of its active reports.
    """

    feed: str
    report_id: str
    members: tuple[Member, ...]
    links: tuple[NaiveLink, ...]
    certainty: str | None
    origins: frozenset[str]
    content: Content

    @property
    def name(self) -> str:
        """The incident as evidence names it."""
        return f"{self.feed}/{self.report_id}"


def incident_of(
    agreement: Agreement, days: Days, members: Sequence[Member], links: Sequence[NaiveLink]
) -> NaiveIncident:
    """Return the incident that ``members`` make, of which at least one is active; ``links`` are those that joined."""
    named_by = min((member.told_first, *member.report.identity) for member in members)
    active = [member.report for member in members if member.standing == "active"]
    return NaiveIncident(
        feed=named_by[1],
        report_id=named_by[2],
        members=tuple(members),
        links=tuple(links),
        certainty=max((link.certainty for link in links), key=CERTAINTIES.index, default=None),
        origins=frozenset(teller.casefold() for report in active for teller in report.tellers or (report.feed,)),
        content=_content(agreement, days, active),
    )


def counts(agreement: Agreement, report: NaiveReport) -> bool:
    """Whether a report is in any count at all: the agreement may name the feeds it goes by."""
    return not agreement.violence.feeds or report.feed in agreement.violence.feeds


def _content(agreement: Agreement, days: Days, active: list[NaiveReport]) -> Content:
    of_counted_feeds = [report for report in active if counts(agreement, report)]
    counting = sorted(of_counted_feeds or active, key=_leading)
    lead = counting[0]
    severe = [report for report in counting if report.kind in agreement.violence.severe_kinds]
    naming = [report for report in counting if report.names_parties]
    low = min(_known(_first(report.deaths_low, report.deaths_best) for report in counting), default=None)
    high = max(
        _known(_first(report.deaths_high, report.deaths_best, report.deaths_low) for report in counting), default=None
    )
    bests = [report for report in counting if report.deaths_best is not None]
    told_last = max(bests, key=lambda report: (report.reported_at, *report.identity), default=None)
    return Content(
        lead=lead,
        region=lead.regions[0],
        truce_day=days.holding_most(lead.occurred_from, lead.occurred_to)[0],
        occurred_from=lead.occurred_from,
        occurred_to=lead.occurred_to,
        kind=(severe or counting)[0].kind,
        in_scope=not naming or any(report.in_scope for report in naming),
        deaths_low=low,
        deaths_best=told_last.deaths_best if told_last else low,
        deaths_high=high,
        feeds=frozenset(report.feed for report in counting),
        counted=bool(of_counted_feeds),
    )


def toll_sums(contents: Sequence[Content]) -> tuple[int | None, int | None, int | None, int]:
    """Return low, best and high deaths of incidents, and how many of them state no toll.

    The sums are None where none of them states one.
    """
    without = sum(content.deaths_high is None for content in contents)
    if without == len(contents):
        return None, None, None, without
    return (
        sum(content.deaths_low or 0 for content in contents),
        sum(content.deaths_best or 0 for content in contents),
        sum(content.deaths_high or 0 for content in contents),
        without,
    )


def _first(*stated: int | None) -> int | None:
    return next(_known(stated), None)


def _known(stated: Iterable[int | None]) -> Iterator[int]:
    return (number for number in stated if number is not None)


def _leading(report: NaiveReport) -> tuple[int, Micros, Micros, str, str]:
    length = report.occurred_to - report.occurred_from
    return TIMES.index(report.time_precision), length, report.occurred_from, *report.identity
