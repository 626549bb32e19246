"""An agreement: one truce and its test, as data. Nothing about one truce is in code."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from fractions import Fraction
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from schemas.language import Language
from schemas.parties import AgreementParty, PartyNames, unusable_names
from schemas.placenames import parts_of, words_of
from schemas.pullback import PullbackLine
from schemas.reports import Day, FeedName, IncidentKind, Name, Pcode
from schemas.truceday import Micros, TruceCalendar

AgreementId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
ZoneName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$")]


class Clock(Language):
    """When the truce took effect and how its days are cut."""

    effective: datetime = Field(
        description="Local wall-clock time in time_zone, without an offset; must fall on the anchor."
    )
    ends: datetime | None = Field(
        None, description="When the last truce-day ends, written like effective; left out while there is no end."
    )
    time_zone: ZoneName = Field(description="Zone of the wall clock that cuts the truce-days.")
    anchor: time = Field(description="Local time at which every truce-day starts.")
    required_days: int = Field(ge=1, le=366, description="MET truce-days in a row that open the gate.")
    lateness_hours: int = Field(ge=0, le=24 * 366, description="How long after its end a truce-day stays PROVISIONAL.")


class Scope(Language):
    """Who is bound. An incident outside the scope is counted apart and breaks nothing."""

    parties: list[Name] = Field(min_length=1, description="Parties bound by the agreement, for the record.")
    outside: list[Name] = Field(default_factory=list, description="Parties not covered, by every name reports use.")
    excluded_when: Literal["all_outside", "a_side_outside"] = Field(
        "all_outside",
        description="An incident leaves the scope when all its parties are outside, or already when one whole side is.",
    )


class Baseline(Language):
    """The period violence is measured against, as local dates of truce-days, last included."""

    first_day: Day = Field(description="First truce-day of the period.")
    last_day: Day = Field(description="Last truce-day of the period; it lies before clock.effective.")
    measure: Literal["mean", "median"] = Field("mean", description="What is taken of the period's daily counts.")

    @model_validator(mode="after")
    def _runs_forward(self) -> Self:
        if self.last_day < self.first_day:
            raise PydanticCustomError("baseline_backwards", "last_day lies before first_day")
        return self


class ViolenceRules(Language):
    """limit = max(floor, (1 - reduction) x baseline); a truce-day with more incidents in scope is BROKEN."""

    reduction_percent: int = Field(ge=0, le=100, description="How much less than the baseline a day must have.")
    floor: int = Field(ge=0, le=1_000_000, description="Incidents a day may always have; no limit is lower.")
    baseline: Baseline = Field(description="The period violence is measured against.")
    severe_kinds: list[IncidentKind] = Field(
        default_factory=list, description="Kinds one incident of which breaks the day."
    )
    feeds: list[Name] = Field(
        default_factory=list, description="Feeds whose incidents count, in baseline and truce alike; empty for all."
    )
    bulletins_of: FeedName | None = Field(
        None, description="The feed whose bulletins are held against the limit in place of incidents."
    )
    surely_within_hours: int = Field(
        26,
        ge=1,
        le=9600,
        description="Longest interval of an incident that surely happened on its truce-day; a longer one is possible "
        "on every day it touches.",
    )

    @model_validator(mode="after")
    def _measures_one_thing(self) -> Self:
        if self.bulletins_of is not None and self.feeds:
            raise PydanticCustomError(
                "two_measures", "violence is measured by bulletins_of or by the incidents of feeds, not by both"
            )
        return self


class CoverageRules(Language):
    """How much of a truce-day must have been watched before silence counts as peace."""

    min_feeds: int = Field(ge=1, le=100, description="Feeds that must watch at the same time.")
    min_share_percent: int = Field(ge=0, le=100, description="Part of the truce-day they must have watched.")
    reports_cover_the_day: bool = Field(
        False,
        description="Whether a feed that reported an incident of the region and day counts as watching all of it.",
    )
    contested: Literal["unknown", "ignore"] = Field(
        "unknown",
        description="A day within its limit of which a bulletin counts more than that: UNKNOWN, or as if it did not.",
    )
    refused: Literal["mark", "unknown"] = Field(
        "mark",
        description="A day within its limit that pending rejects may lift above it: marked alone, or UNKNOWN.",
    )


class AccessPlace(Language):
    """A place aid cannot freely reach, for the days it was one; a change of status or people is another line."""

    name: Name = Field(description="What the place is called wherever it is shown.")
    names: list[Name] = Field(default_factory=list, description="Other names reports use.")
    region: Pcode = Field(description="The region it lies in; one of regions.")
    status: Literal["besieged", "hard_to_reach"] = Field(description="How aid is kept from it.")
    by: Name | None = Field(None, description="The side that besieges it.")
    people: int | None = Field(None, ge=0, le=1_000_000_000, description="People inside; left out when not known.")
    first_day: Day | None = Field(None, description="First day the line holds; left out when it always did.")
    last_day: Day | None = Field(None, description="Last day the line holds; left out while it does.")
    source: Name = Field(description="Where this line comes from.")

    @model_validator(mode="after")
    def _runs_forward(self) -> Self:
        if self.first_day is not None and self.last_day is not None and self.last_day < self.first_day:
            raise PydanticCustomError("place_backwards", "last_day lies before first_day")
        return self


class AccessRules(Language):
    """Where access is owed, and when its absence breaks a day."""

    regions: list[Pcode] = Field(description="Regions access is owed to, each one of regions; may be empty.")
    overdue_after_hours: int = Field(ge=1, description="From a convoy's first known step to delivery.")
    max_gap_days: int = Field(
        ge=1, description="Longest allowed time since the last delivery, or since the truce took effect."
    )
    same_convoy_hours: int | None = Field(
        None,
        ge=0,
        le=168,
        description="How far apart claims of different feeds to one place may lie and be one convoy; left out: never.",
    )
    places: list[AccessPlace] = Field(
        default_factory=list, max_length=10_000, description="Besieged and hard-to-reach places; they decide no day."
    )


class LinkingRules(Language):
    """When reports of different feeds tell of one occurrence; docs/judging.md, "Linking". Without them none do."""

    minutes: int = Field(ge=0, le=1440, description="Longest gap between times stated to the minute or hour.")
    exact_metres: int = Field(ge=0, le=1_000_000, description="How far off a place of precision exact may lie.")
    near_metres: int = Field(ge=0, le=1_000_000, description="How far off a place of precision near may lie.")
    district_metres: int = Field(ge=0, le=1_000_000, description="How far off a place of precision district may lie.")
    weakest_place: Literal["exact", "near", "named", "district", "governorate"] = Field(
        description="The coarsest place of a pair of reports that may still be linked; named is one by its name alone."
    )
    repeating_feeds: list[FeedName] = Field(
        default_factory=list, description="Feeds that publish several reports of one occurrence."
    )
    toll_ratio: int | None = Field(
        None, ge=1, le=1000, description="Tolls more than so many times, and more than 3, apart part two reports."
    )


class Agreement(Language):
    """One truce and its test."""

    id: AgreementId = Field(description="Names the folder of its results, its facts topic and its ledgers' group.")
    title: Name = Field(description="What the agreement is called wherever it is shown.")
    sources: list[Name] = Field(min_length=1, description="The documents its rules come from.")
    gazetteer: Name = Field("syria", description="A shipped gazetteer, or a path beside the agreement file.")
    clock: Clock = Field(description="When the truce took effect and how its days are cut.")
    regions: list[Pcode] = Field(
        min_length=1, max_length=5_000, description="Regions that are judged; a report of any other is refused."
    )
    gate_regions: list[Pcode] = Field(
        min_length=1, description="Regions the gate needs, each one of regions; all must hold at once."
    )
    scope: Scope = Field(description="Who is bound.")
    violence: ViolenceRules = Field(description="When violence breaks a day.")
    coverage: CoverageRules = Field(description="When silence counts as peace.")
    access: AccessRules = Field(description="Where access is owed, and when its absence breaks a day.")
    linking: LinkingRules | None = Field(None, description="When left out every report is an incident of its own.")
    pullback: list[PullbackLine] = Field(
        default_factory=list, max_length=100, description="Lines units keep away from; shown beside the verdicts."
    )
    parties: list[AgreementParty] = Field(
        default_factory=list, max_length=1000, description="Parties that reports accuse; they decide no day."
    )

    @cached_property
    def calendar(self) -> TruceCalendar:
        """The truce-days of this agreement."""
        return TruceCalendar(self.clock.time_zone, self.clock.anchor)

    @cached_property
    def first_day(self) -> date:
        """The first truce-day judged."""
        return self.clock.effective.date()

    @cached_property
    def last_day(self) -> date | None:
        """The last truce-day judged; None while the agreement states no end."""
        return None if self.clock.ends is None else self.clock.ends.date() - timedelta(days=1)

    def newest_day(self, now: Micros) -> date:
        """Return the last truce-day judged at ``now``: the running one, or the agreement's last."""
        running = self.calendar.day_at(now)
        return running if self.last_day is None else min(running, self.last_day)

    @cached_property
    def effective(self) -> Micros:
        """The instant the truce took effect."""
        return self.calendar.start_of(self.first_day)

    @property
    def lateness(self) -> timedelta:
        """How long after its end a truce-day stays PROVISIONAL."""
        return timedelta(hours=self.clock.lateness_hours)

    @cached_property
    def baseline_days(self) -> frozenset[date]:
        """The truce-days violence is measured against."""
        period = self.violence.baseline
        return frozenset(self.calendar.days_between(period.first_day, period.last_day))

    @cached_property
    def allowed_share(self) -> Fraction:
        """The part of the baseline a day may still have: 1 - reduction, exactly."""
        return Fraction(100 - self.violence.reduction_percent, 100)

    def in_scope(self, sides: tuple[tuple[str, ...], ...]) -> bool:
        """Whether an incident between these sides is the agreement's concern.

        An incident that names nobody is in scope: not knowing who did it is no excuse.
        """
        outside = self._outside
        excluded = [all(party in outside for party in side) for side in sides if side]
        if not excluded:
            return True
        return not (any(excluded) if self.scope.excluded_when == "a_side_outside" else all(excluded))

    def accused_parties(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Return whom one accusation may mean, sorted; a name that no party has stands for itself."""
        return self.party_names.accused(names)

    @cached_property
    def party_names(self) -> PartyNames:
        """The names of the parties."""
        return PartyNames(self.parties)

    def place_named(self, name: str | None, region: str) -> str | None:
        """Return the one listed place of ``region`` that bears ``name``; None when none does, or two do."""
        if name is None:
            return None
        found = {place for part in parts_of(name).names for place in self._places.get((region, words_of(part)), ())}
        return next(iter(found)) if len(found) == 1 else None

    @cached_property
    def _places(self) -> dict[tuple[str, tuple[str, ...]], set[str]]:
        places: dict[tuple[str, tuple[str, ...]], set[str]] = {}
        for place in self.access.places:
            for name in (place.name, *place.names):
                places.setdefault((place.region, words_of(name)), set()).add(place.name)
        return places

    @cached_property
    def _outside(self) -> frozenset[str]:
        return frozenset(self.scope.outside)

    @model_validator(mode="after")
    def _tells_parties_apart(self) -> Self:
        for _, name, fault in unusable_names(self.parties):
            raise PydanticCustomError("party_name", "parties: {name} {fault}", {"name": repr(name), "fault": fault})
        return self

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        known = set(self.regions)
        in_places = [place.region for place in self.access.places]
        for key, listed in (
            ("gate_regions", self.gate_regions),
            ("access.regions", self.access.regions),
            ("access.places", in_places),
        ):
            strangers = sorted(set(listed) - known)
            if strangers:
                raise PydanticCustomError(
                    "unknown_region",
                    "{key} names {strangers}, not among regions",
                    {"key": key, "strangers": ", ".join(strangers)},
                )
        lines = [line.id for line in self.pullback]
        if len(set(lines)) < len(lines):
            raise PydanticCustomError("line_twice", "two lines of pullback have the same id")
        for key, instant in (("effective", self.clock.effective), ("ends", self.clock.ends)):
            if instant is None:
                continue
            if instant.tzinfo is not None:
                raise PydanticCustomError(
                    f"{key}_offset", f"clock.{key} is local time in time_zone: write it without an offset"
                )
            if instant.time() != self.clock.anchor:
                raise PydanticCustomError(f"{key}_anchor", f"clock.{key} must fall on clock.anchor")
        if self.clock.ends is not None and self.clock.ends <= self.clock.effective:
            raise PydanticCustomError("ends_early", "clock.ends must lie after clock.effective")
        if self.violence.baseline.last_day >= self.clock.effective.date():
            raise PydanticCustomError("baseline_overlap", "violence.baseline must end before clock.effective")
        return self
