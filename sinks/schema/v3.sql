-- Tables of the store. Applied once, in one transaction; later versions are files of their own beside it.
-- The first that a release ships is version 3: files of versions before it are refused.
-- A column has the name of its row's field in schemas/rows. Instants are TIMESTAMPTZ, days are DATE.
-- No CREATE INDEX: after a crash and a replay of the write-ahead log a checkpoint can drop index entries.

CREATE TABLE about (
    schema_version   INTEGER NOT NULL,
    agreement_id     VARCHAR NOT NULL,
    title            VARCHAR NOT NULL,
    agreement        JSON NOT NULL,
    software_version VARCHAR NOT NULL,
    published_at     TIMESTAMPTZ,
    definitions      VARCHAR,
    tzdata           VARCHAR,
    calendar         JSON,
    file_id          VARCHAR,
    rules            INTEGER,
    sentences        INTEGER
);
COMMENT ON TABLE about IS 'What this file is: one row.';
COMMENT ON COLUMN about.schema_version IS 'Version of the tables; a file of a newer one is refused by older software.';
COMMENT ON COLUMN about.agreement_id IS 'Id of the agreement the file judges.';
COMMENT ON COLUMN about.title IS 'Title of the agreement.';
COMMENT ON COLUMN about.agreement IS 'The whole agreement as JSON: every number a verdict rests on.';
COMMENT ON COLUMN about.software_version IS 'Version of trucewatch that last opened the file for writing.';
COMMENT ON COLUMN about.published_at IS 'When this copy was published; NULL in a file never published.';
COMMENT ON COLUMN about.definitions IS 'Fingerprint of the SQL that made the views, macros and comments of this file.';
COMMENT ON COLUMN about.tzdata IS 'Release of the IANA time zones that truce-days were last cut by, such as 2026f.';
COMMENT ON COLUMN about.calendar IS 'Start of the first truce-day of 1971 in seconds since 1970, and the length in seconds of every truce-day until 2199 that is no 24 hours long.';
COMMENT ON COLUMN about.file_id IS 'Drawn when the file was made; copies of it have the same. Macros know by it whether their own file is in use.';
COMMENT ON COLUMN about.rules IS 'Edition of the rules of docs/judging.md that the whole file was judged by. Software of another edition refuses it.';
COMMENT ON COLUMN about.sentences IS 'Edition of the sentences in which the whole file gives its reasons and hints; NULL where versions of trucewatch with different ones wrote it.';

CREATE TABLE regions (
    pcode       VARCHAR PRIMARY KEY,
    name        VARCHAR NOT NULL,
    in_gate     BOOLEAN NOT NULL,
    access_owed BOOLEAN NOT NULL,
    spellings   VARCHAR[]
);
COMMENT ON TABLE regions IS 'Regions of the agreement.';
COMMENT ON COLUMN regions.pcode IS 'OCHA P-code, e.g. SY02.';
COMMENT ON COLUMN regions.name IS 'Name in the gazetteer; the P-code itself when it has none.';
COMMENT ON COLUMN regions.in_gate IS 'Whether the gate needs this region.';
COMMENT ON COLUMN regions.access_owed IS 'Whether humanitarian access is owed to this region.';
COMMENT ON COLUMN regions.spellings IS 'Every name of the region in the gazetteer, the one that is shown first. folded(name) compares them.';

CREATE TABLE truce_days (
    truce_day DATE PRIMARY KEY,
    starts_at TIMESTAMPTZ NOT NULL,
    ends_at   TIMESTAMPTZ NOT NULL,
    final_at  TIMESTAMPTZ NOT NULL
);
COMMENT ON TABLE truce_days IS 'Truce-days that have a verdict, as instants: half-open, 23 or 25 hours where clocks change.';
COMMENT ON COLUMN truce_days.truce_day IS 'Local date on which the truce-day starts.';
COMMENT ON COLUMN truce_days.starts_at IS 'First instant of the truce-day.';
COMMENT ON COLUMN truce_days.ends_at IS 'First instant after the truce-day; until then it is OPEN.';
COMMENT ON COLUMN truce_days.final_at IS 'End plus the lateness of the agreement; until then it is PROVISIONAL.';

CREATE TABLE reports (
    fact_offset      BIGINT NOT NULL,
    key_hash         BIGINT NOT NULL,
    feed             VARCHAR NOT NULL,
    report_id        VARCHAR NOT NULL,
    revision         BIGINT NOT NULL,
    present          BOOLEAN NOT NULL,
    retracted        BOOLEAN NOT NULL,
    type             VARCHAR NOT NULL,
    region           VARCHAR,
    truce_day        DATE,
    time_uncertain   BOOLEAN,
    occurred_from    TIMESTAMPTZ,
    occurred_to      TIMESTAMPTZ,
    time_precision   VARCHAR,
    reported_at      TIMESTAMPTZ NOT NULL,
    received_at      TIMESTAMPTZ,
    kind             VARCHAR,
    in_scope         BOOLEAN,
    names_parties    BOOLEAN,
    accused          VARCHAR[],
    claimant         VARCHAR,
    confidence       VARCHAR,
    deaths_low       INTEGER,
    deaths_best      INTEGER,
    deaths_high      INTEGER,
    latitude         DOUBLE,
    longitude        DOUBLE,
    place_precision  VARCHAR,
    place_name       VARCHAR,
    place_key        VARCHAR,
    located_by       VARCHAR,
    place_conflict   VARCHAR,
    merged_into      VARCHAR,
    same_as          VARCHAR[],
    not_same_as      VARCHAR[],
    origins          VARCHAR[],
    source_topic     VARCHAR NOT NULL,
    source_partition INTEGER NOT NULL,
    source_offset    BIGINT NOT NULL,
    body_digest      BIGINT NOT NULL,
    -- Left to choose, DuckDB takes dict_fsst here: three times the work of a checkpoint and five times the size.
    raw              VARCHAR NOT NULL USING COMPRESSION zstd,
    toll_flaw        VARCHAR,
    source_log       VARCHAR,
    accused_parties  VARCHAR[]
);
COMMENT ON TABLE reports IS 'Every accepted report revision. Rows are only added; nothing but the column present ever changes.';
COMMENT ON COLUMN reports.fact_offset IS 'Number of the fact along the facts topic, from 0: the order in which the ledger learned things. Counted on when the topic is made anew.';
COMMENT ON COLUMN reports.key_hash IS 'Hash of feed and report_id, for lookups; compare the two names as well.';
COMMENT ON COLUMN reports.feed IS 'Who said it.';
COMMENT ON COLUMN reports.report_id IS 'The feed''s own name for the report.';
COMMENT ON COLUMN reports.revision IS 'Counts up from 1; a higher one replaces a lower one, whatever the order of arrival.';
COMMENT ON COLUMN reports.present IS 'Whether this is the highest revision known of its report.';
COMMENT ON COLUMN reports.retracted IS 'Whether this revision withdraws the report, or merges it into another.';
COMMENT ON COLUMN reports.type IS 'incident, convoy, coverage, bulletin, declaration, position or retraction.';
COMMENT ON COLUMN reports.region IS 'P-code of the region; NULL where a report has none or several.';
COMMENT ON COLUMN reports.truce_day IS 'Truce-day holding the largest part of the stated interval; incidents, convoys and positions only.';
COMMENT ON COLUMN reports.time_uncertain IS 'Whether the stated interval touches more than one truce-day.';
COMMENT ON COLUMN reports.occurred_from IS 'Start of the stated interval.';
COMMENT ON COLUMN reports.occurred_to IS 'End of the stated interval, not part of it.';
COMMENT ON COLUMN reports.time_precision IS 'How exactly an incident''s time is stated: minute, hour, day, week, month or longer.';
COMMENT ON COLUMN reports.reported_at IS 'When the feed said it.';
COMMENT ON COLUMN reports.received_at IS 'When intake received it; in a replay the archive''s own reporting time.';
COMMENT ON COLUMN reports.kind IS 'Normalised kind of an incident, step of a convoy, act of a declaration, or weapon class of a position.';
COMMENT ON COLUMN reports.in_scope IS 'Whether the incident is the agreement''s concern.';
COMMENT ON COLUMN reports.names_parties IS 'Whether the incident report names any party: one that names none says nothing of the scope.';
COMMENT ON COLUMN reports.accused IS 'Who is said to have done it, as written; a claim, not a finding. NULL when nobody is.';
COMMENT ON COLUMN reports.claimant IS 'Who says so.';
COMMENT ON COLUMN reports.confidence IS 'How sure the claimant is of the attribution.';
COMMENT ON COLUMN reports.deaths_low IS 'Low estimate of deaths; NULL when not given.';
COMMENT ON COLUMN reports.deaths_best IS 'Best estimate of deaths as the source gives it; NULL when not given.';
COMMENT ON COLUMN reports.deaths_high IS 'High estimate of deaths; NULL when not given.';
COMMENT ON COLUMN reports.latitude IS 'WGS 84 degrees.';
COMMENT ON COLUMN reports.longitude IS 'WGS 84 degrees.';
COMMENT ON COLUMN reports.place_precision IS 'How exactly the place of an incident or convoy is stated: exact, near, district, governorate, country or unknown. Of an incident near when its exact point is the middle of the named town. Of a convoy governorate when its most exact name is a region''s.';
COMMENT ON COLUMN reports.place_name IS 'Place as the source writes it.';
COMMENT ON COLUMN reports.place_key IS 'What an incident''s place is compared by when it is linked by name: one for all known spellings of a place. NULL where the name is none, a region''s or left open.';
COMMENT ON COLUMN reports.located_by IS 'What the region was found by: P-code, name or point.';
COMMENT ON COLUMN reports.place_conflict IS 'What the finding disagrees with, if anything.';
COMMENT ON COLUMN reports.merged_into IS 'The feed''s own name for the report that tells this occurrence now; NULL unless merged, and then retracted is true.';
COMMENT ON COLUMN reports.same_as IS 'Reports, as feed/report_id, that tell of the same occurrence, says this one; NULL when none.';
COMMENT ON COLUMN reports.not_same_as IS 'Reports, as feed/report_id, that tell of another occurrence, says this one; NULL when none.';
COMMENT ON COLUMN reports.origins IS 'First tellers of an incident by its sources, in lower case; NULL when it states no source.';
COMMENT ON COLUMN reports.source_topic IS 'Kafka topic the feed published to.';
COMMENT ON COLUMN reports.source_partition IS 'Kafka partition of the source record.';
COMMENT ON COLUMN reports.source_offset IS 'Kafka offset of the source record.';
COMMENT ON COLUMN reports.body_digest IS 'Digest of the body: tells a duplicate from a contradiction under one revision.';
COMMENT ON COLUMN reports.raw IS 'The report as JSON, byte for byte as the feed sent it; use raw::JSON to query it.';
COMMENT ON COLUMN reports.toll_flaw IS 'Why the stated toll of deaths counts nothing, and is left out here: its low figure is above its high one.';
COMMENT ON COLUMN reports.source_log IS 'Which log source_offset is an offset of, as in sink_offsets: a topic made anew has another.';
COMMENT ON COLUMN reports.accused_parties IS 'Parties the accused are by the agreement, sorted: one accusation of them all. A name that no party has stands for itself. NULL when nobody is accused.';

CREATE TABLE linked_incidents (
    feed                VARCHAR NOT NULL,
    report_id           VARCHAR NOT NULL,
    region              VARCHAR NOT NULL,
    truce_day           DATE NOT NULL,
    occurred_from       TIMESTAMPTZ NOT NULL,
    occurred_to         TIMESTAMPTZ NOT NULL,
    kind                VARCHAR NOT NULL,
    in_scope            BOOLEAN NOT NULL,
    counted             BOOLEAN NOT NULL,
    deaths_low          INTEGER,
    deaths_best         INTEGER,
    deaths_high         INTEGER,
    reports             INTEGER NOT NULL,
    feeds               VARCHAR[] NOT NULL,
    independent_origins INTEGER NOT NULL,
    certainty           VARCHAR
);
COMMENT ON TABLE linked_incidents IS 'One incident that several reports belong to. A report that belongs to none of these is an incident of its own.';
COMMENT ON COLUMN linked_incidents.feed IS 'Feed of the report the incident is called by.';
COMMENT ON COLUMN linked_incidents.report_id IS 'That report''s name.';
COMMENT ON COLUMN linked_incidents.region IS 'P-code of the region, by the report that tells the time most exactly.';
COMMENT ON COLUMN linked_incidents.truce_day IS 'Truce-day it counts for, by the same report.';
COMMENT ON COLUMN linked_incidents.occurred_from IS 'Start of that report''s interval.';
COMMENT ON COLUMN linked_incidents.occurred_to IS 'End of that report''s interval, not part of it.';
COMMENT ON COLUMN linked_incidents.kind IS 'Normalised kind: a severe one if a report tells one.';
COMMENT ON COLUMN linked_incidents.in_scope IS 'Whether the incident is the agreement''s concern.';
COMMENT ON COLUMN linked_incidents.counted IS 'Whether one of its reports is of a feed the agreement counts.';
COMMENT ON COLUMN linked_incidents.deaths_low IS 'Least of the low estimates, a best one standing for one not given; NULL when none is given.';
COMMENT ON COLUMN linked_incidents.deaths_best IS 'Best estimate of the report last told that gives one, else the low one; NULL when there is neither.';
COMMENT ON COLUMN linked_incidents.deaths_high IS 'Greatest of the high estimates, a best or low one standing for one not given; NULL when no toll is stated.';
COMMENT ON COLUMN linked_incidents.reports IS 'Number of its active reports.';
COMMENT ON COLUMN linked_incidents.feeds IS 'Their feeds, sorted.';
COMMENT ON COLUMN linked_incidents.independent_origins IS 'Number of distinct first tellers behind them.';
COMMENT ON COLUMN linked_incidents.certainty IS 'asserted, good or doubtful: that of its least certain link; NULL when only one report is active.';

CREATE TABLE linked_reports (
    incident_feed      VARCHAR NOT NULL,
    incident_report_id VARCHAR NOT NULL,
    feed               VARCHAR NOT NULL,
    report_id          VARCHAR NOT NULL,
    revision           BIGINT NOT NULL,
    fact_offset        BIGINT NOT NULL,
    standing           VARCHAR NOT NULL,
    linked_to          VARCHAR,
    why                VARCHAR NOT NULL,
    seconds            BIGINT,
    metres             BIGINT,
    certainty          VARCHAR
);
COMMENT ON TABLE linked_reports IS 'One report of a linked incident, and why it belongs to it.';
COMMENT ON COLUMN linked_reports.incident_feed IS 'With incident_report_id the name of the incident, as in linked_incidents.';
COMMENT ON COLUMN linked_reports.incident_report_id IS 'With incident_feed the name of the incident.';
COMMENT ON COLUMN linked_reports.feed IS 'Who said it.';
COMMENT ON COLUMN linked_reports.report_id IS 'The feed''s own name for the report.';
COMMENT ON COLUMN linked_reports.revision IS 'Revision that stands.';
COMMENT ON COLUMN linked_reports.fact_offset IS 'Number of that revision along the facts topic, as in reports.';
COMMENT ON COLUMN linked_reports.standing IS 'active; retracted and merged reports belong to the incident without counting in it.';
COMMENT ON COLUMN linked_reports.linked_to IS 'The report, as feed/report_id, that it is linked to first; NULL when it is the only active one.';
COMMENT ON COLUMN linked_reports.why IS 'same_as: one of the two says so. closest: each is the nearest to the other of its feed. same_name: likewise, by the name of the place and not by points. repeating_feed: one feed tells an occurrence several times. merged_into: the feed says so. alone: the only active one, and nothing is said of a link.';
COMMENT ON COLUMN linked_reports.seconds IS 'Seconds between the two stated intervals; 0 when they overlap.';
COMMENT ON COLUMN linked_reports.metres IS 'Metres between the two points; NULL when one is not located within its district.';
COMMENT ON COLUMN linked_reports.certainty IS 'How sure the link is: asserted; good when both places are exact, or both are near or called the same and both times stated to the minute or hour, or both are called the same and both kinds say with what, with no other report like one of the two; otherwise doubtful.';

CREATE TABLE convoys (
    feed                   VARCHAR NOT NULL,
    convoy_id              VARCHAR NOT NULL,
    claims                 INTEGER NOT NULL,
    region                 VARCHAR NOT NULL,
    place                  VARCHAR,
    state                  VARCHAR NOT NULL,
    since                  TIMESTAMPTZ NOT NULL,
    first_known            TIMESTAMPTZ NOT NULL,
    delivered_at           TIMESTAMPTZ,
    attacked_at            TIMESTAMPTZ,
    trucks                 INTEGER,
    trucks_least           INTEGER,
    trucks_most            INTEGER,
    trucks_hit             INTEGER,
    trucks_hit_least       INTEGER,
    trucks_hit_most        INTEGER,
    people_requested       INTEGER,
    people_requested_least INTEGER,
    people_requested_most  INTEGER,
    people_approved        INTEGER,
    people_approved_least  INTEGER,
    people_approved_most   INTEGER,
    people_reached         INTEGER,
    people_reached_least   INTEGER,
    people_reached_most    INTEGER,
    items_removed          JSON NOT NULL,
    steps                  INTEGER NOT NULL,
    steps_flagged          INTEGER NOT NULL
);
COMMENT ON TABLE convoys IS 'One convoy with its present state, folded from the steps of all its claims in the order they happened.';
COMMENT ON COLUMN convoys.feed IS 'Feed of the claim the convoy is called after, the one told first.';
COMMENT ON COLUMN convoys.convoy_id IS 'That feed''s own name for the convoy.';
COMMENT ON COLUMN convoys.claims IS 'Number of claims: names under which feeds tell of it.';
COMMENT ON COLUMN convoys.region IS 'P-code of the destination, by the latest step that counts.';
COMMENT ON COLUMN convoys.place IS 'Besieged or hard-to-reach place it is bound for, as the agreement calls it; NULL when none is recognised.';
COMMENT ON COLUMN convoys.state IS 'The latest step that counts; only offloaded and distributed are deliveries.';
COMMENT ON COLUMN convoys.since IS 'When that step happened.';
COMMENT ON COLUMN convoys.first_known IS 'When the first known step happened.';
COMMENT ON COLUMN convoys.delivered_at IS 'When the first delivery to its region that counts began; NULL until then.';
COMMENT ON COLUMN convoys.attacked_at IS 'When it was first attacked, by anyone''s word; NULL if it was not.';
COMMENT ON COLUMN convoys.trucks IS 'Trucks, as last stated.';
COMMENT ON COLUMN convoys.trucks_least IS 'Trucks, the least ever stated.';
COMMENT ON COLUMN convoys.trucks_most IS 'Trucks, the most ever stated.';
COMMENT ON COLUMN convoys.trucks_hit IS 'Trucks damaged or destroyed, as last stated.';
COMMENT ON COLUMN convoys.trucks_hit_least IS 'Trucks damaged or destroyed, the least ever stated.';
COMMENT ON COLUMN convoys.trucks_hit_most IS 'Trucks damaged or destroyed, the most ever stated.';
COMMENT ON COLUMN convoys.people_requested IS 'People aid was requested for, as last stated.';
COMMENT ON COLUMN convoys.people_requested_least IS 'People aid was requested for, the least ever stated.';
COMMENT ON COLUMN convoys.people_requested_most IS 'People aid was requested for, the most ever stated.';
COMMENT ON COLUMN convoys.people_approved IS 'People aid was approved for, as last stated.';
COMMENT ON COLUMN convoys.people_approved_least IS 'People aid was approved for, the least ever stated.';
COMMENT ON COLUMN convoys.people_approved_most IS 'People aid was approved for, the most ever stated.';
COMMENT ON COLUMN convoys.people_reached IS 'People reached, as last stated.';
COMMENT ON COLUMN convoys.people_reached_least IS 'People reached, the least ever stated.';
COMMENT ON COLUMN convoys.people_reached_most IS 'People reached, the most ever stated.';
COMMENT ON COLUMN convoys.items_removed IS 'List of everything that was ever said to be taken off the load.';
COMMENT ON COLUMN convoys.steps IS 'Number of steps known, of all claims.';
COMMENT ON COLUMN convoys.steps_flagged IS 'How many of them are not legal or are contradicted.';

CREATE TABLE convoy_events (
    feed               VARCHAR NOT NULL,
    report_id          VARCHAR NOT NULL,
    convoy_id          VARCHAR NOT NULL,
    convoy             VARCHAR NOT NULL,
    region             VARCHAR NOT NULL,
    place              VARCHAR,
    step               VARCHAR NOT NULL,
    legal              BOOLEAN NOT NULL,
    counts             BOOLEAN NOT NULL,
    flaw               VARCHAR,
    occurred_from      TIMESTAMPTZ NOT NULL,
    occurred_to        TIMESTAMPTZ NOT NULL,
    reported_at        TIMESTAMPTZ NOT NULL,
    mode               VARCHAR NOT NULL,
    trucks             INTEGER,
    trucks_hit         INTEGER,
    people_requested   INTEGER,
    people_approved    INTEGER,
    people_reached     INTEGER,
    items_removed      JSON NOT NULL,
    blocker            VARCHAR,
    reason             VARCHAR,
    access_constraint  VARCHAR,
    reached_place      VARCHAR,
    same_convoy_as     VARCHAR,
    not_same_convoy_as VARCHAR[],
    town               VARCHAR
);
COMMENT ON TABLE convoy_events IS 'One present, active convoy report: one step of one convoy, and what it counts for.';
COMMENT ON COLUMN convoy_events.feed IS 'Who said it.';
COMMENT ON COLUMN convoy_events.report_id IS 'The feed''s own name for the report.';
COMMENT ON COLUMN convoy_events.convoy_id IS 'The feed''s own name for the convoy.';
COMMENT ON COLUMN convoy_events.convoy IS 'The convoy this is a step of, as feed/convoy_id of the claim it is called after; joins convoys.';
COMMENT ON COLUMN convoy_events.region IS 'P-code of the destination.';
COMMENT ON COLUMN convoy_events.place IS 'Besieged or hard-to-reach place it is bound for, as the agreement calls it; NULL when none is recognised.';
COMMENT ON COLUMN convoy_events.step IS 'What happened: requested, approved, dispatched, offloaded and so on.';
COMMENT ON COLUMN convoy_events.legal IS 'Whether the step may come after the state before it.';
COMMENT ON COLUMN convoy_events.counts IS 'Whether the step moves the convoy''s state.';
COMMENT ON COLUMN convoy_events.flaw IS 'Why the step is not legal or does not count, in words; NULL when nothing is wrong with it.';
COMMENT ON COLUMN convoy_events.occurred_from IS 'Start of the stated interval.';
COMMENT ON COLUMN convoy_events.occurred_to IS 'End of the stated interval, not part of it.';
COMMENT ON COLUMN convoy_events.reported_at IS 'When the feed said it.';
COMMENT ON COLUMN convoy_events.mode IS 'cross_line, cross_border, airdrop or unstated.';
COMMENT ON COLUMN convoy_events.trucks IS 'Trucks stated at this step.';
COMMENT ON COLUMN convoy_events.trucks_hit IS 'Trucks damaged or destroyed.';
COMMENT ON COLUMN convoy_events.people_requested IS 'People aid was requested for.';
COMMENT ON COLUMN convoy_events.people_approved IS 'People aid was approved for.';
COMMENT ON COLUMN convoy_events.people_reached IS 'People reached.';
COMMENT ON COLUMN convoy_events.items_removed IS 'List of what was taken off the load at this step, chiefly medical supplies.';
COMMENT ON COLUMN convoy_events.blocker IS 'Who is said to have stood in the way.';
COMMENT ON COLUMN convoy_events.reason IS 'Reason given for a refusal, a hold or a return.';
COMMENT ON COLUMN convoy_events.access_constraint IS 'What stood in the way, by OCHA''s nine categories of access constraints.';
COMMENT ON COLUMN convoy_events.reached_place IS 'Where the convoy was at this step, as written.';
COMMENT ON COLUMN convoy_events.same_convoy_as IS 'feed/convoy_id of another claim the report says is this convoy''s.';
COMMENT ON COLUMN convoy_events.not_same_convoy_as IS 'feed/convoy_id of claims the report says are another convoy''s; NULL when none.';
COMMENT ON COLUMN convoy_events.town IS 'Most exact name of the destination, as names are compared; NULL when there is none, or only a region''s.';

CREATE TABLE joined_claims (
    feed          VARCHAR NOT NULL,
    convoy_id     VARCHAR NOT NULL,
    convoy        VARCHAR NOT NULL,
    joined_to     VARCHAR NOT NULL,
    why           VARCHAR NOT NULL,
    seconds_apart INTEGER,
    certainty     VARCHAR NOT NULL
);
COMMENT ON TABLE joined_claims IS 'One claim of a convoy that several feeds, or names, tell of, and what joined it. A claim that is a convoy of its own is not here.';
COMMENT ON COLUMN joined_claims.feed IS 'Who tells of it.';
COMMENT ON COLUMN joined_claims.convoy_id IS 'The feed''s own name for the convoy.';
COMMENT ON COLUMN joined_claims.convoy IS 'The convoy, as feed/convoy_id of the claim it is called after.';
COMMENT ON COLUMN joined_claims.joined_to IS 'The claim, as feed/convoy_id, that it is joined to first.';
COMMENT ON COLUMN joined_claims.why IS 'same_convoy_as: a report says so. same_place_and_time: each is the closest of its feed to the other, bound for one place.';
COMMENT ON COLUMN joined_claims.seconds_apart IS 'Seconds between what the two tell of the road; 0 when that overlaps, NULL when a report says so.';
COMMENT ON COLUMN joined_claims.certainty IS 'asserted, or doubtful: place and time cannot tell a second convoy of the day from it.';

CREATE TABLE coverage (
    feed          VARCHAR NOT NULL,
    report_id     VARCHAR NOT NULL,
    region        VARCHAR NOT NULL,
    occurred_from TIMESTAMPTZ NOT NULL,
    occurred_to   TIMESTAMPTZ NOT NULL,
    nil           BOOLEAN NOT NULL
);
COMMENT ON TABLE coverage IS 'One present, active coverage notice for one region: this feed watched it from then to then.';
COMMENT ON COLUMN coverage.feed IS 'Who watched.';
COMMENT ON COLUMN coverage.report_id IS 'The feed''s own name for the notice.';
COMMENT ON COLUMN coverage.region IS 'P-code of the region watched.';
COMMENT ON COLUMN coverage.occurred_from IS 'Start of the watch.';
COMMENT ON COLUMN coverage.occurred_to IS 'End of the watch, not part of it.';
COMMENT ON COLUMN coverage.nil IS 'Whether the feed had nothing to report for the stretch.';

CREATE TABLE bulletins (
    feed            VARCHAR NOT NULL,
    report_id       VARCHAR NOT NULL,
    line            INTEGER NOT NULL,
    truce_day       DATE,
    region          VARCHAR,
    accused         VARCHAR[],
    in_scope        BOOLEAN NOT NULL,
    kind_as_given   VARCHAR,
    incidents       INTEGER NOT NULL,
    total           INTEGER,
    adds_up         BOOLEAN NOT NULL,
    at_least        BOOLEAN NOT NULL,
    occurred_from   TIMESTAMPTZ NOT NULL,
    occurred_to     TIMESTAMPTZ NOT NULL,
    period_as_given VARCHAR,
    reported_at     TIMESTAMPTZ NOT NULL,
    accused_parties VARCHAR[]
);
COMMENT ON TABLE bulletins IS 'One line of one present, active bulletin: a monitor''s own tally, never added to the incident count or to another bulletin.';
COMMENT ON COLUMN bulletins.feed IS 'The monitor.';
COMMENT ON COLUMN bulletins.report_id IS 'The monitor''s own name for the bulletin.';
COMMENT ON COLUMN bulletins.line IS 'Number of the line within the bulletin, from 1.';
COMMENT ON COLUMN bulletins.truce_day IS 'Truce-day holding the largest part of the period; NULL when the period is longer than 25 hours.';
COMMENT ON COLUMN bulletins.region IS 'P-code; NULL for the whole country.';
COMMENT ON COLUMN bulletins.accused IS 'Whom the monitor holds responsible, as written; a claim. NULL when it names nobody.';
COMMENT ON COLUMN bulletins.in_scope IS 'Whether one of those is not among whom the agreement names as outside; true when none is named.';
COMMENT ON COLUMN bulletins.kind_as_given IS 'Kind in the monitor''s own words.';
COMMENT ON COLUMN bulletins.incidents IS 'The monitor''s count.';
COMMENT ON COLUMN bulletins.total IS 'Total the bulletin states, whether or not its lines add up to it.';
COMMENT ON COLUMN bulletins.adds_up IS 'Whether all lines of the bulletin come to that total; true when it states none.';
COMMENT ON COLUMN bulletins.at_least IS 'Whether the monitor says ''no less than''.';
COMMENT ON COLUMN bulletins.occurred_from IS 'Start of the bulletin''s period.';
COMMENT ON COLUMN bulletins.occurred_to IS 'End of the bulletin''s period, its cut-off; not part of it.';
COMMENT ON COLUMN bulletins.period_as_given IS 'What the source says of the period and its cut-off, in its words.';
COMMENT ON COLUMN bulletins.reported_at IS 'When the monitor said it.';
COMMENT ON COLUMN bulletins.accused_parties IS 'Parties the accused are by the agreement, sorted: one accusation of them all. A name that no party has stands for itself. NULL when nobody is accused.';

CREATE TABLE declarations (
    feed         VARCHAR NOT NULL,
    report_id    VARCHAR NOT NULL,
    revision     BIGINT NOT NULL,
    retracted    BOOLEAN NOT NULL,
    act          VARCHAR NOT NULL,
    declared_by  VARCHAR NOT NULL,
    effective_at TIMESTAMPTZ NOT NULL,
    until        TIMESTAMPTZ,
    reported_at  TIMESTAMPTZ NOT NULL
);
COMMENT ON TABLE declarations IS 'What parties declare of the truce, in every revision. Recorded beside the computed streak; never changes it. Rows are only added; declared_acts has those that stand.';
COMMENT ON COLUMN declarations.feed IS 'Who said it.';
COMMENT ON COLUMN declarations.report_id IS 'The feed''s own name for the report.';
COMMENT ON COLUMN declarations.revision IS 'Counts up from 1; as of an instant the highest one reported by then is what was declared.';
COMMENT ON COLUMN declarations.retracted IS 'Whether this revision withdraws the declaration.';
COMMENT ON COLUMN declarations.act IS 'start, extension, suspension, reset or end.';
COMMENT ON COLUMN declarations.declared_by IS 'Who declares.';
COMMENT ON COLUMN declarations.effective_at IS 'From when.';
COMMENT ON COLUMN declarations.until IS 'Until when; NULL when open-ended.';
COMMENT ON COLUMN declarations.reported_at IS 'When the feed said it.';

CREATE TABLE positions (
    feed                   VARCHAR NOT NULL,
    report_id              VARCHAR NOT NULL,
    unit                   VARCHAR NOT NULL,
    party                  VARCHAR NOT NULL,
    weapon_class           VARCHAR NOT NULL,
    truce_day              DATE NOT NULL,
    occurred_from          TIMESTAMPTZ NOT NULL,
    occurred_to            TIMESTAMPTZ NOT NULL,
    reported_at            TIMESTAMPTZ NOT NULL,
    latitude               DOUBLE NOT NULL,
    longitude              DOUBLE NOT NULL,
    place_name             VARCHAR,
    uncertainty            DOUBLE,
    uncertainty_unit       VARCHAR,
    uncertainty_metres     DOUBLE,
    stated_distance        DOUBLE,
    stated_distance_unit   VARCHAR,
    stated_distance_metres DOUBLE
);
COMMENT ON TABLE positions IS 'One present, active position report: where a unit stood, as the feed says. Two reports of one unit are two rows.';
COMMENT ON COLUMN positions.feed IS 'Who said it.';
COMMENT ON COLUMN positions.report_id IS 'The feed''s own name for the report.';
COMMENT ON COLUMN positions.unit IS 'Unit or weapon, as the source names it.';
COMMENT ON COLUMN positions.party IS 'Party it belongs to, as the source names it.';
COMMENT ON COLUMN positions.weapon_class IS 'What it has, in the agreement''s words; any other word is bound by nothing.';
COMMENT ON COLUMN positions.truce_day IS 'Truce-day holding the largest part of the stated interval.';
COMMENT ON COLUMN positions.occurred_from IS 'Start of the stated interval.';
COMMENT ON COLUMN positions.occurred_to IS 'End of the stated interval, not part of it.';
COMMENT ON COLUMN positions.reported_at IS 'When the feed said it.';
COMMENT ON COLUMN positions.latitude IS 'WGS 84 degrees.';
COMMENT ON COLUMN positions.longitude IS 'WGS 84 degrees.';
COMMENT ON COLUMN positions.place_name IS 'Most exact name of the place, as the source writes it.';
COMMENT ON COLUMN positions.uncertainty IS 'How far the true position may lie from the point, in the unit it was given in; NULL when not stated.';
COMMENT ON COLUMN positions.uncertainty_unit IS 'Unit of uncertainty: metres, kilometres, yards, feet or miles.';
COMMENT ON COLUMN positions.uncertainty_metres IS 'The same in metres.';
COMMENT ON COLUMN positions.stated_distance IS 'Distance to the line as the source states it, in the unit it was given in; decides nothing.';
COMMENT ON COLUMN positions.stated_distance_unit IS 'Unit of stated_distance.';
COMMENT ON COLUMN positions.stated_distance_metres IS 'The same in metres.';

CREATE TABLE position_findings (
    feed               VARCHAR NOT NULL,
    report_id          VARCHAR NOT NULL,
    line               VARCHAR NOT NULL,
    finding            VARCHAR NOT NULL,
    rule               VARCHAR NOT NULL,
    side               VARCHAR,
    distance_metres    DOUBLE,
    uncertainty_metres DOUBLE,
    limit_metres       INTEGER
);
COMMENT ON TABLE position_findings IS 'What is found of one position and one line of the agreement. Shown beside the verdicts; part of none.';
COMMENT ON COLUMN position_findings.feed IS 'Who said it.';
COMMENT ON COLUMN position_findings.report_id IS 'The feed''s own name for the report.';
COMMENT ON COLUMN position_findings.line IS 'Id of the line in the agreement.';
COMMENT ON COLUMN position_findings.finding IS 'VIOLATION, INDETERMINATE, COMPLIANT, NOT_BOUND, OUT_OF_REACH or NOT_IN_FORCE. Only VIOLATION is one.';
COMMENT ON COLUMN position_findings.rule IS 'What it rests on: band, limit_in_doubt, no_uncertainty, side_unclear, no_band, out_of_reach or not_in_force.';
COMMENT ON COLUMN position_findings.side IS 'Side of the line, as the agreement calls it; NULL when the uncertainty spans the line or is not stated.';
COMMENT ON COLUMN position_findings.distance_metres IS 'Geodesic distance to the line, to the decimetre; NULL beyond 50 km.';
COMMENT ON COLUMN position_findings.uncertainty_metres IS 'Uncertainty of the position plus that of the line; NULL when the report states none.';
COMMENT ON COLUMN position_findings.limit_metres IS 'Least distance it was held against; NULL when no band binds it, or the sides it may be on have different ones.';

CREATE TABLE day_tallies (
    region                 VARCHAR NOT NULL,
    truce_day              DATE NOT NULL,
    incidents              INTEGER NOT NULL,
    incidents_out_of_scope INTEGER NOT NULL,
    severe_incidents       INTEGER NOT NULL,
    deaths_low             BIGINT,
    deaths_best            BIGINT,
    deaths_high            BIGINT,
    incidents_without_toll INTEGER,
    PRIMARY KEY (region, truce_day)
);
COMMENT ON TABLE day_tallies IS 'Incident counts of one region and truce-day, judged or not (the baseline period is here too).';
COMMENT ON COLUMN day_tallies.region IS 'P-code of the region.';
COMMENT ON COLUMN day_tallies.truce_day IS 'Local date on which the truce-day starts.';
COMMENT ON COLUMN day_tallies.incidents IS 'Incidents in scope.';
COMMENT ON COLUMN day_tallies.incidents_out_of_scope IS 'Incidents outside the scope; they break nothing.';
COMMENT ON COLUMN day_tallies.severe_incidents IS 'Incidents in scope of a kind that breaks the day alone.';
COMMENT ON COLUMN day_tallies.deaths_low IS 'Sum of low estimates, in scope; NULL where no incident states a toll.';
COMMENT ON COLUMN day_tallies.deaths_best IS 'Sum of best estimates, in scope; NULL where no incident states a toll.';
COMMENT ON COLUMN day_tallies.deaths_high IS 'Sum of high estimates, in scope; NULL where no incident states a toll.';
COMMENT ON COLUMN day_tallies.incidents_without_toll IS 'Incidents in scope of which no toll is stated; they add nothing to the sums of deaths.';

CREATE TABLE feed_tallies (
    region    VARCHAR NOT NULL,
    truce_day DATE NOT NULL,
    feed      VARCHAR NOT NULL,
    incidents INTEGER NOT NULL,
    PRIMARY KEY (region, truce_day, feed)
);
COMMENT ON TABLE feed_tallies IS 'Incidents in scope of one region and truce-day by one feed.';
COMMENT ON COLUMN feed_tallies.region IS 'P-code of the region.';
COMMENT ON COLUMN feed_tallies.truce_day IS 'Local date on which the truce-day starts.';
COMMENT ON COLUMN feed_tallies.feed IS 'Who reported them.';
COMMENT ON COLUMN feed_tallies.incidents IS 'Incidents in scope.';

CREATE TABLE verdict_log (
    region                 VARCHAR NOT NULL,
    truce_day              DATE NOT NULL,
    version                INTEGER NOT NULL,
    verdict                VARCHAR NOT NULL,
    state                  VARCHAR NOT NULL,
    violence               VARCHAR NOT NULL,
    access                 VARCHAR NOT NULL,
    incidents              INTEGER NOT NULL,
    incidents_out_of_scope INTEGER NOT NULL,
    bulletin_incidents     INTEGER,
    violence_limit         DOUBLE NOT NULL,
    covered_share          DOUBLE NOT NULL,
    deaths_low             BIGINT,
    deaths_best            BIGINT,
    deaths_high            BIGINT,
    reasons                JSON NOT NULL,
    evidence               JSON NOT NULL,
    recorded_at            TIMESTAMPTZ NOT NULL,
    tick_offset            BIGINT NOT NULL,
    cause                  JSON NOT NULL,
    rule                   VARCHAR NOT NULL,
    contested_by           VARCHAR,
    incidents_sure         INTEGER NOT NULL,
    incidents_possible     INTEGER NOT NULL,
    refused_pending        BIGINT NOT NULL,
    incidents_without_toll INTEGER,
    new_version            BOOLEAN NOT NULL
);
COMMENT ON TABLE verdict_log IS 'Every judgement of a region and truce-day that said something new: its versions, and between them what their figures came to. Rows are only added. Internal: read day_verdicts, day_verdict_versions and day_figures.';
COMMENT ON COLUMN verdict_log.region IS 'P-code of the region.';
COMMENT ON COLUMN verdict_log.truce_day IS 'Local date on which the truce-day starts.';
COMMENT ON COLUMN verdict_log.version IS 'Number of the version, from 1; rows of one version differ in their figures.';
COMMENT ON COLUMN verdict_log.verdict IS 'BROKEN if any leg is, else UNKNOWN if any is, else MET.';
COMMENT ON COLUMN verdict_log.state IS 'State of the day at that tick.';
COMMENT ON COLUMN verdict_log.violence IS 'Finding of the violence leg: MET, BROKEN or UNKNOWN.';
COMMENT ON COLUMN verdict_log.access IS 'Finding of the access leg: MET, BROKEN, UNKNOWN or NOT_OWED.';
COMMENT ON COLUMN verdict_log.incidents IS 'Incidents in scope.';
COMMENT ON COLUMN verdict_log.incidents_out_of_scope IS 'Incidents outside the scope; they break nothing.';
COMMENT ON COLUMN verdict_log.bulletin_incidents IS 'Count of the bulletin held against the limit, where the agreement measures by a monitor''s bulletins; NULL where it does not, or there is none.';
COMMENT ON COLUMN verdict_log.violence_limit IS 'Incidents allowed; more of them break the day.';
COMMENT ON COLUMN verdict_log.covered_share IS 'Share of the truce-day that enough feeds watched, 0 to 1.';
COMMENT ON COLUMN verdict_log.deaths_low IS 'Sum of low estimates of deaths, in scope; NULL where no incident states a toll.';
COMMENT ON COLUMN verdict_log.deaths_best IS 'Sum of best estimates of deaths, in scope; NULL where no incident states a toll.';
COMMENT ON COLUMN verdict_log.deaths_high IS 'Sum of high estimates of deaths, in scope; NULL where no incident states a toll.';
COMMENT ON COLUMN verdict_log.reasons IS 'Why, as JSON.';
COMMENT ON COLUMN verdict_log.evidence IS 'Ids of the reports that decided it, as JSON.';
COMMENT ON COLUMN verdict_log.recorded_at IS 'The ledger''s time at the tick that made this row.';
COMMENT ON COLUMN verdict_log.tick_offset IS 'That tick''s number along the facts topic: the facts before it are what the row rests on.';
COMMENT ON COLUMN verdict_log.cause IS 'What changed, as JSON.';
COMMENT ON COLUMN verdict_log.rule IS 'Rule that decided the verdict, as in reasons; that of the violence leg where both legs did.';
COMMENT ON COLUMN verdict_log.contested_by IS 'Feeds whose bulletins count more than the limit of a day whose violence leg is UNKNOWN by rule contested; NULL of any other day.';
COMMENT ON COLUMN verdict_log.incidents_sure IS 'Incidents in scope that surely happened on this day, their interval being short enough.';
COMMENT ON COLUMN verdict_log.incidents_possible IS 'Incidents in scope of longer intervals that touch this day; each is possible on several days, and adds up over none.';
COMMENT ON COLUMN verdict_log.refused_pending IS 'Reports of the region and day that were refused and are pending: not accepted since, nor dismissed. In no count of incidents.';
COMMENT ON COLUMN verdict_log.incidents_without_toll IS 'Incidents in scope of which no toll is stated.';
COMMENT ON COLUMN verdict_log.new_version IS 'Whether this row made its version; else it tells what the figures of that version came to.';

CREATE TABLE region_windows (
    region                 VARCHAR PRIMARY KEY,
    as_of                  TIMESTAMPTZ NOT NULL,
    first_day              DATE NOT NULL,
    last_day               DATE NOT NULL,
    days_met               INTEGER NOT NULL,
    days_broken            INTEGER NOT NULL,
    days_unknown           INTEGER NOT NULL,
    incidents              INTEGER NOT NULL,
    incidents_out_of_scope INTEGER NOT NULL,
    deaths_best            BIGINT,
    incidents_168h         INTEGER NOT NULL,
    deaths_best_168h       BIGINT,
    streak_days            INTEGER NOT NULL,
    streak_ended_day       DATE,
    streak_ended_by        VARCHAR
);
COMMENT ON TABLE region_windows IS 'A region''s last seven truce-days, the running one included, and its trailing 168 hours.';
COMMENT ON COLUMN region_windows.region IS 'P-code of the region.';
COMMENT ON COLUMN region_windows.as_of IS 'The ledger''s time when the window was computed.';
COMMENT ON COLUMN region_windows.first_day IS 'First truce-day of the window.';
COMMENT ON COLUMN region_windows.last_day IS 'Last truce-day of the window: the running one.';
COMMENT ON COLUMN region_windows.days_met IS 'Truce-days MET.';
COMMENT ON COLUMN region_windows.days_broken IS 'Truce-days BROKEN.';
COMMENT ON COLUMN region_windows.days_unknown IS 'Truce-days UNKNOWN.';
COMMENT ON COLUMN region_windows.incidents IS 'Incidents in scope over the window''s truce-days.';
COMMENT ON COLUMN region_windows.incidents_out_of_scope IS 'Incidents outside the scope over the same days.';
COMMENT ON COLUMN region_windows.deaths_best IS 'Sum of best estimates of deaths over the same days, in scope; NULL where no incident states a toll.';
COMMENT ON COLUMN region_windows.incidents_168h IS 'Incidents in scope that began in the last 168 hours.';
COMMENT ON COLUMN region_windows.deaths_best_168h IS 'Sum of best estimates of deaths of those; NULL where none states a toll.';
COMMENT ON COLUMN region_windows.streak_days IS 'MET truce-days in a row, ending with the last completed one.';
COMMENT ON COLUMN region_windows.streak_ended_day IS 'Truce-day that ended the streak before; NULL if none did.';
COMMENT ON COLUMN region_windows.streak_ended_by IS 'What ended it.';

CREATE TABLE gate_history (
    recorded_at     TIMESTAMPTZ NOT NULL,
    tick_offset     BIGINT NOT NULL,
    is_open         BOOLEAN NOT NULL,
    required_days   INTEGER NOT NULL,
    shortest_streak INTEGER NOT NULL,
    regions_holding INTEGER NOT NULL,
    regions_needed  INTEGER NOT NULL,
    reason          VARCHAR NOT NULL
);
COMMENT ON TABLE gate_history IS 'Every change of the gate. Rows are only added.';
COMMENT ON COLUMN gate_history.recorded_at IS 'The ledger''s time at the tick that judged it.';
COMMENT ON COLUMN gate_history.tick_offset IS 'That tick''s number along the facts topic.';
COMMENT ON COLUMN gate_history.is_open IS 'Whether the test of the agreement held.';
COMMENT ON COLUMN gate_history.required_days IS 'MET truce-days in a row the agreement asks for.';
COMMENT ON COLUMN gate_history.shortest_streak IS 'The shortest streak among the regions the gate needs.';
COMMENT ON COLUMN gate_history.regions_holding IS 'How many of them had a long enough streak.';
COMMENT ON COLUMN gate_history.regions_needed IS 'How many regions the gate needs.';
COMMENT ON COLUMN gate_history.reason IS 'Why it was open or closed, in one line.';

CREATE TABLE rejects (
    fact_offset      BIGINT NOT NULL,
    code             VARCHAR NOT NULL,
    hint             VARCHAR NOT NULL,
    feed             VARCHAR,
    report_id        VARCHAR,
    received_at      TIMESTAMPTZ,
    source_topic     VARCHAR,
    source_partition INTEGER,
    source_offset    BIGINT,
    source_log       VARCHAR,
    original         BLOB NOT NULL,
    original_bytes   BIGINT NOT NULL,
    regions          VARCHAR[],
    occurred_from    TIMESTAMPTZ,
    occurred_to      TIMESTAMPTZ,
    truce_day        DATE,
    may_be_incident  BOOLEAN
);
COMMENT ON TABLE rejects IS 'Every rejected record with its original bytes. Rows are only added.';
COMMENT ON COLUMN rejects.fact_offset IS 'Number of the fact along the facts topic, counted as in reports; names the reject.';
COMMENT ON COLUMN rejects.code IS 'What is wrong, as a code.';
COMMENT ON COLUMN rejects.hint IS 'What the feed can do about it.';
COMMENT ON COLUMN rejects.feed IS 'Who sent it, when the record was readable enough to tell.';
COMMENT ON COLUMN rejects.report_id IS 'Its id, when the record was readable enough to tell.';
COMMENT ON COLUMN rejects.received_at IS 'When intake received it.';
COMMENT ON COLUMN rejects.source_topic IS 'Kafka topic of the source record.';
COMMENT ON COLUMN rejects.source_partition IS 'Kafka partition of the source record.';
COMMENT ON COLUMN rejects.source_offset IS 'Kafka offset of the source record.';
COMMENT ON COLUMN rejects.source_log IS 'Beginning of that topic''s id: a topic made anew has another. Empty when not known.';
COMMENT ON COLUMN rejects.original IS 'The record exactly as it came; of one too large to be passed on, its beginning.';
COMMENT ON COLUMN rejects.original_bytes IS 'Length of the record as it came.';
COMMENT ON COLUMN rejects.regions IS 'Regions of the agreement that its bytes still tell; none where they do not tell both where and when. NULL of a contradiction, and where intake of a version before 3 read it.';
COMMENT ON COLUMN rejects.occurred_from IS 'Start of the interval its bytes still tell; NULL where regions has none.';
COMMENT ON COLUMN rejects.occurred_to IS 'End of the interval its bytes still tell; NULL where regions has none.';
COMMENT ON COLUMN rejects.truce_day IS 'Truce-day that holds the largest part of that interval; NULL where regions has none.';
COMMENT ON COLUMN rejects.may_be_incident IS 'Whether it may be an incident report that stands; NULL where regions has none.';

CREATE TABLE redrives (
    fact_offset      BIGINT NOT NULL,
    reject_topic     VARCHAR NOT NULL,
    reject_partition INTEGER NOT NULL,
    reject_offset    BIGINT NOT NULL,
    reject_log       VARCHAR NOT NULL,
    number           INTEGER NOT NULL,
    body_digest      BIGINT NOT NULL,
    outcome          VARCHAR NOT NULL,
    received_at      TIMESTAMPTZ
);
COMMENT ON TABLE redrives IS 'Every rejected record that was published again. One that came twice is there once. Rows are only added.';
COMMENT ON COLUMN redrives.fact_offset IS 'Number of the fact along the facts topic, counted as in reports: names the report, or the new reject, that came of it.';
COMMENT ON COLUMN redrives.reject_topic IS 'Kafka topic of the rejected record; with the next three columns it names the reject.';
COMMENT ON COLUMN redrives.reject_partition IS 'Kafka partition of the rejected record.';
COMMENT ON COLUMN redrives.reject_offset IS 'Kafka offset of the rejected record.';
COMMENT ON COLUMN redrives.reject_log IS 'Which log that offset belongs to, as in rejects.source_log.';
COMMENT ON COLUMN redrives.number IS 'For which time it was published again, counted from 1.';
COMMENT ON COLUMN redrives.body_digest IS 'Fingerprint of the bytes published, original or edited.';
COMMENT ON COLUMN redrives.outcome IS 'accepted, corrected, retracted, duplicate, superseded, outside, or rejected once more.';
COMMENT ON COLUMN redrives.received_at IS 'When intake received it.';

CREATE TABLE dismissals (
    fact_offset      BIGINT NOT NULL,
    reject_topic     VARCHAR NOT NULL,
    reject_partition INTEGER NOT NULL,
    reject_offset    BIGINT NOT NULL,
    reject_log       VARCHAR NOT NULL,
    reason           VARCHAR NOT NULL,
    dismissed_by     VARCHAR NOT NULL,
    received_at      TIMESTAMPTZ,
    source_topic     VARCHAR NOT NULL,
    source_partition INTEGER NOT NULL,
    source_offset    BIGINT NOT NULL,
    source_log       VARCHAR NOT NULL
);
COMMENT ON TABLE dismissals IS 'Every dismissal of a reject: it is pending no longer. Of several of one reject the first counts. Rows are only added.';
COMMENT ON COLUMN dismissals.fact_offset IS 'Number of the fact along the facts topic, counted as in reports.';
COMMENT ON COLUMN dismissals.reject_topic IS 'Kafka topic of the rejected record; with the next three columns it names the reject.';
COMMENT ON COLUMN dismissals.reject_partition IS 'Kafka partition of the rejected record.';
COMMENT ON COLUMN dismissals.reject_offset IS 'Kafka offset of the rejected record.';
COMMENT ON COLUMN dismissals.reject_log IS 'Which log that offset belongs to, as in rejects.source_log.';
COMMENT ON COLUMN dismissals.reason IS 'Why no report has to be accepted in its place.';
COMMENT ON COLUMN dismissals.dismissed_by IS 'Who says so.';
COMMENT ON COLUMN dismissals.received_at IS 'When intake received it.';
COMMENT ON COLUMN dismissals.source_topic IS 'Kafka topic of the dismissal''s own record.';
COMMENT ON COLUMN dismissals.source_partition IS 'Kafka partition of the dismissal''s own record.';
COMMENT ON COLUMN dismissals.source_offset IS 'Kafka offset of the dismissal''s own record.';
COMMENT ON COLUMN dismissals.source_log IS 'Which log source_offset is an offset of, as in sink_offsets.';

CREATE TABLE feeds (
    feed             VARCHAR PRIMARY KEY,
    last_reported_at TIMESTAMPTZ,
    last_received_at TIMESTAMPTZ,
    accepted         BIGINT NOT NULL,
    corrected        BIGINT NOT NULL,
    retracted        BIGINT NOT NULL,
    duplicate        BIGINT NOT NULL,
    superseded       BIGINT NOT NULL,
    rejected         BIGINT NOT NULL,
    outside          BIGINT DEFAULT 0
);
COMMENT ON TABLE feeds IS 'Health of each feed: when it last spoke, and what became of its records.';
COMMENT ON COLUMN feeds.feed IS 'Name of the feed.';
COMMENT ON COLUMN feeds.last_reported_at IS 'Latest time the feed itself gave.';
COMMENT ON COLUMN feeds.last_received_at IS 'Latest time intake received something of it.';
COMMENT ON COLUMN feeds.accepted IS 'Records accepted as a first revision.';
COMMENT ON COLUMN feeds.corrected IS 'Records that replaced a lower revision.';
COMMENT ON COLUMN feeds.retracted IS 'Records that withdrew a report.';
COMMENT ON COLUMN feeds.duplicate IS 'Records that said the same again.';
COMMENT ON COLUMN feeds.superseded IS 'Records that arrived after a higher revision.';
COMMENT ON COLUMN feeds.rejected IS 'Records rejected.';
COMMENT ON COLUMN feeds.outside IS 'Reports of no region of this agreement, or that name another one. Their bytes are not kept here.';

CREATE TABLE sink_offsets (
    topic        VARCHAR NOT NULL,
    partition    INTEGER NOT NULL,
    role         VARCHAR NOT NULL,
    next_offset  BIGINT NOT NULL,
    log_identity VARCHAR NOT NULL,
    last_digest  BIGINT,
    PRIMARY KEY (topic, partition, log_identity)
);
COMMENT ON TABLE sink_offsets IS 'How far this file has got, written in the same transaction as everything else in it.';
COMMENT ON COLUMN sink_offsets.topic IS 'Kafka topic.';
COMMENT ON COLUMN sink_offsets.partition IS 'Kafka partition.';
COMMENT ON COLUMN sink_offsets.role IS 'facts: the ledger reads on from here. source: records before this have been counted.';
COMMENT ON COLUMN sink_offsets.next_offset IS 'The first offset, as the broker counts, that is not yet in this file. A record of the facts topic is a chunk of facts.';
COMMENT ON COLUMN sink_offsets.log_identity IS 'Which log the offsets belong to; a topic made anew has another. For sources the beginning of the topic''s id; empty when not known.';
COMMENT ON COLUMN sink_offsets.last_digest IS 'Fingerprint of the record before next_offset, by which a topic that lost records is recognised. NULL for sources and before the first record.';

CREATE TABLE ledger_state (
    next_offset BIGINT NOT NULL,
    log_start   BIGINT NOT NULL,
    now         TIMESTAMPTZ,
    last_tick   BIGINT NOT NULL,
    pending     JSON NOT NULL,
    term        BIGINT NOT NULL,
    writer      VARCHAR NOT NULL
);
COMMENT ON TABLE ledger_state IS 'What the ledger needs to go on where it stopped: one row. Internal.';
COMMENT ON COLUMN ledger_state.next_offset IS 'The fact_offset the next fact will get.';
COMMENT ON COLUMN ledger_state.log_start IS 'The fact_offset at which the present log begins: 0 unless the facts topic was made anew.';
COMMENT ON COLUMN ledger_state.now IS 'The ledger''s time: the highest stamp of a tick it has read. NULL before the first.';
COMMENT ON COLUMN ledger_state.last_tick IS 'fact_offset of the last tick judged; -1 before the first.';
COMMENT ON COLUMN ledger_state.pending IS 'What changed since the last tick and has not been judged yet, as JSON.';
COMMENT ON COLUMN ledger_state.term IS 'Number of the last ledger whose ticks count; ticks of a lower one are read over. 0 before the first tick of a ledger.';
COMMENT ON COLUMN ledger_state.writer IS 'The ledger that has that number. Empty before the first.';
