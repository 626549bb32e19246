-- Views and macros on reports, days and windows.

CREATE OR REPLACE MACRO words_of(name) AS string_split(trim(regexp_replace(regexp_replace(
    translate(replace(lower(strip_accents(translate(name, '''’‘`´ʼ′', ''))), 'ß', 'ss'), 'ةىٱکی', 'هياكي'),
    '[\p{Mn}\p{Me}\p{Lm}\p{Cf}]', '', 'g'), '[^\p{L}\p{N}]+', ' ', 'g')), ' ');
COMMENT ON MACRO words_of IS 'Words of a name without case, accents, apostrophes and punctuation; letters that Arabic writers use for one another are one.';

CREATE OR REPLACE MACRO folded(name) AS array_to_string(coalesce(nullif(list_transform(
    list_filter(words_of(name), lambda word: NOT list_contains([@articles@], word)),
    lambda word: regexp_replace(word, '^ال(.{3,})$', '\1')
), []), words_of(name)), ' ');
COMMENT ON MACRO folded IS 'A name as the gazetteer compares it: its words without articles; one of articles only keeps them.';

CREATE OR REPLACE VIEW incidents AS
WITH counting AS (SELECT agreement ->> '$.violence.feeds[*]' AS feeds FROM about),
-- Kept in memory, it would be all reports, whoever asks for one day.
standing AS NOT MATERIALIZED (
    SELECT reports.*, len(counting.feeds) = 0 OR list_contains(counting.feeds, feed) AS counted
    FROM reports
    CROSS JOIN counting
    -- A correction may have moved a report out of the agreement: it is kept, and is no incident of its.
    JOIN regions ON pcode = region
    WHERE present AND NOT retracted AND type = 'incident'
), members AS (
    -- Of the reports whose interval is the incident's, the first that states it most exactly leads it: by what it says
    -- the incident is placed.
    SELECT
        l.incident_feed, l.incident_report_id, i.region AS of_region, i.truce_day AS of_day, i.occurred_from AS began, r.*,
        row_number() OVER (
            -- Named by the first two. With the others, who asks for a region or a day has its members alone made.
            PARTITION BY l.incident_feed, l.incident_report_id, of_region, of_day, began
            ORDER BY (r.counted, r.region, r.occurred_from, r.occurred_to)
                <> (i.counted, i.region, i.occurred_from, i.occurred_to),
                list_position(['minute', 'hour', 'day', 'week', 'month', 'longer'], r.time_precision), r.feed, r.report_id
        ) = 1 AS leads
    FROM linked_reports l
    JOIN linked_incidents i ON i.feed = l.incident_feed AND i.report_id = l.incident_report_id
    JOIN standing r USING (fact_offset)
    WHERE l.standing = 'active'
), told AS (
    SELECT
        feed, report_id, region, truce_day, time_uncertain, occurred_from, occurred_to, reported_at, received_at, kind,
        in_scope, counted, 1 AS reports, [feed] AS feeds, greatest(len(origins), 1) AS independent_origins,
        NULL::VARCHAR AS certainty, accused, claimant, confidence,
        coalesce(deaths_low, deaths_best) AS deaths_low, coalesce(deaths_best, deaths_low) AS deaths_best,
        coalesce(deaths_high, deaths_best, deaths_low) AS deaths_high, latitude,
        longitude, place_name, fact_offset
    FROM standing
    WHERE fact_offset NOT IN (SELECT fact_offset FROM linked_reports)
    UNION ALL
    SELECT
        i.feed, i.report_id, i.region, i.truce_day, bool_or(m.time_uncertain) FILTER (m.leads), i.occurred_from,
        i.occurred_to, min(m.reported_at), min(m.received_at), i.kind, i.in_scope, i.counted, i.reports, i.feeds,
        i.independent_origins, i.certainty, nullif(list_sort(list_distinct(flatten(list(coalesce(m.accused, []))))), []),
        string_agg(DISTINCT m.claimant, '; ' ORDER BY m.claimant), min(m.confidence) FILTER (m.leads), i.deaths_low,
        i.deaths_best, i.deaths_high, min(m.latitude) FILTER (m.leads), min(m.longitude) FILTER (m.leads),
        min(m.place_name) FILTER (m.leads), min(m.fact_offset) FILTER (m.leads)
    FROM linked_incidents i
    JOIN members m ON m.incident_feed = i.feed AND m.incident_report_id = i.report_id
        AND m.of_region = i.region AND m.of_day = i.truce_day AND m.began = i.occurred_from
    GROUP BY ALL
)
SELECT
    feed || '/' || report_id AS incident_id,
    feed,
    report_id,
    region,
    regions.name AS region_name,
    told.* EXCLUDE (feed, report_id, region)
FROM told
JOIN regions ON pcode = region;
COMMENT ON VIEW incidents IS 'Incidents as they stand now, each however many reports tell of it. A day''s count is of those that are counted and in_scope. incident_reports says which reports those are.';
COMMENT ON COLUMN incidents.incident_id IS 'Name of the incident: feed/report_id of one of its reports, the one told first.';
COMMENT ON COLUMN incidents.feed IS 'Feed of the report the incident is called by.';
COMMENT ON COLUMN incidents.report_id IS 'That report''s name.';
COMMENT ON COLUMN incidents.region IS 'P-code of the region.';
COMMENT ON COLUMN incidents.region_name IS 'Name of the region.';
COMMENT ON COLUMN incidents.truce_day IS 'Truce-day holding the largest part of the stated interval.';
COMMENT ON COLUMN incidents.time_uncertain IS 'Whether the stated interval touches more than one truce-day.';
COMMENT ON COLUMN incidents.occurred_from IS 'Start of the stated interval, by the report that tells the time most exactly.';
COMMENT ON COLUMN incidents.occurred_to IS 'End of the stated interval, not part of it.';
COMMENT ON COLUMN incidents.reported_at IS 'When the first of its standing reports said it.';
COMMENT ON COLUMN incidents.received_at IS 'When intake received the first of them.';
COMMENT ON COLUMN incidents.kind IS 'Normalised kind.';
COMMENT ON COLUMN incidents.in_scope IS 'Whether the incident is the agreement''s concern.';
COMMENT ON COLUMN incidents.counted IS 'Whether the agreement counts what one of its feeds reports: its violence.feeds name the feed, or no feed.';
COMMENT ON COLUMN incidents.reports IS 'Number of its active reports.';
COMMENT ON COLUMN incidents.feeds IS 'Feeds that tell of it.';
COMMENT ON COLUMN incidents.independent_origins IS 'Number of distinct first tellers: ten outlets that repeat one agency are one.';
COMMENT ON COLUMN incidents.certainty IS 'How sure it is that its reports tell of one occurrence: asserted, good or doubtful; NULL for one report.';
COMMENT ON COLUMN incidents.accused IS 'Who is said to have done it, by any of its reports, as written; claims, not a finding. NULL when nobody is.';
COMMENT ON COLUMN incidents.claimant IS 'Who says so.';
COMMENT ON COLUMN incidents.confidence IS 'How sure the claimant is of the attribution, by the report that tells the time most exactly.';
COMMENT ON COLUMN incidents.deaths_low IS 'Deaths, low estimate: the least low or, of a report that gives none, best one of its reports; NULL when none gives either.';
COMMENT ON COLUMN incidents.deaths_best IS 'Deaths, best estimate: that of the report last told that gives one, else the low one; NULL when there is neither.';
COMMENT ON COLUMN incidents.deaths_high IS 'Deaths, high estimate: the greatest high or, of a report that gives none, best or low one of its reports; NULL when none states a toll.';
COMMENT ON COLUMN incidents.latitude IS 'WGS 84 degrees.';
COMMENT ON COLUMN incidents.longitude IS 'WGS 84 degrees.';
COMMENT ON COLUMN incidents.place_name IS 'Place as the source writes it.';
COMMENT ON COLUMN incidents.fact_offset IS 'Number along the facts topic of the report that tells the time most exactly.';

CREATE OR REPLACE VIEW incident_reports AS
SELECT
    incident_feed || '/' || incident_report_id AS incident_id,
    feed,
    report_id,
    revision,
    standing,
    linked_to,
    why,
    seconds,
    metres,
    certainty,
    fact_offset
FROM linked_reports
UNION ALL
SELECT feed || '/' || report_id, feed, report_id, reports.revision, 'active', NULL, 'alone', NULL, NULL, NULL, fact_offset
FROM incidents
JOIN reports USING (fact_offset, feed, report_id)
WHERE fact_offset NOT IN (SELECT fact_offset FROM linked_reports);
COMMENT ON VIEW incident_reports IS 'Which reports belong to an incident, and why. Join reports on fact_offset for the raw report.';
COMMENT ON COLUMN incident_reports.incident_id IS 'Incident, as in incidents.';
COMMENT ON COLUMN incident_reports.feed IS 'Who said it.';
COMMENT ON COLUMN incident_reports.report_id IS 'The feed''s own name for the report.';
COMMENT ON COLUMN incident_reports.revision IS 'Revision that stands.';
COMMENT ON COLUMN incident_reports.standing IS 'active; retracted and merged reports belong to the incident without counting in it.';
COMMENT ON COLUMN incident_reports.linked_to IS 'The report it is linked to first, as feed/report_id; NULL when it is the only active one.';
COMMENT ON COLUMN incident_reports.why IS 'same_as: one of the two says so. closest: each is the nearest to the other of its feed. same_name: likewise, by the name of the place and not by points. repeating_feed: one feed tells an occurrence several times. merged_into: the feed says so. alone: no other active report.';
COMMENT ON COLUMN incident_reports.seconds IS 'Seconds between the two stated intervals; 0 when they overlap.';
COMMENT ON COLUMN incident_reports.metres IS 'Metres between the two points; NULL when one is not located within its district.';
COMMENT ON COLUMN incident_reports.certainty IS 'How sure the link is: asserted; good when both places are exact, or both are near or called the same and both times stated to the minute or hour, or both are called the same and both kinds say with what, with no other report like one of the two; otherwise doubtful.';
COMMENT ON COLUMN incident_reports.fact_offset IS 'Number of the standing revision along the facts topic.';

CREATE OR REPLACE VIEW grid AS
SELECT
    region,
    coalesce(regions.name, region) AS region_name,
    truce_day,
    starts_at,
    ends_at,
    verdict,
    state,
    violence,
    access,
    incidents,
    bulletin_incidents,
    violence_limit,
    covered_share,
    version,
    rule,
    contested_by,
    incidents_sure,
    incidents_possible,
    refused_pending
FROM day_verdicts
JOIN truce_days USING (truce_day)
LEFT JOIN regions ON pcode = region;
COMMENT ON VIEW grid IS 'Regions by truce-days with their verdicts. PIVOT grid ON truce_day USING first(verdict) GROUP BY region_name draws it.';
COMMENT ON COLUMN grid.region IS 'P-code of the region.';
COMMENT ON COLUMN grid.region_name IS 'Name of the region.';
COMMENT ON COLUMN grid.truce_day IS 'Local date on which the truce-day starts.';
COMMENT ON COLUMN grid.starts_at IS 'First instant of the truce-day.';
COMMENT ON COLUMN grid.ends_at IS 'First instant after the truce-day.';
COMMENT ON COLUMN grid.verdict IS 'BROKEN if any leg is, else UNKNOWN if any is, else MET.';
COMMENT ON COLUMN grid.state IS 'OPEN, PROVISIONAL, FINAL or AMENDED.';
COMMENT ON COLUMN grid.violence IS 'Finding of the violence leg.';
COMMENT ON COLUMN grid.access IS 'Finding of the access leg.';
COMMENT ON COLUMN grid.incidents IS 'Incidents in scope.';
COMMENT ON COLUMN grid.bulletin_incidents IS 'Count of the bulletin held against the limit; NULL where the agreement measures by incidents, or there is none.';
COMMENT ON COLUMN grid.violence_limit IS 'Incidents allowed; more of them break the day.';
COMMENT ON COLUMN grid.covered_share IS 'Share of the truce-day that enough feeds watched, 0 to 1.';
COMMENT ON COLUMN grid.version IS 'Number of the present version.';
COMMENT ON COLUMN grid.rule IS 'Rule that decided the verdict.';
COMMENT ON COLUMN grid.incidents_sure IS 'Incidents in scope that surely happened on this day.';
COMMENT ON COLUMN grid.incidents_possible IS 'Incidents in scope of longer intervals that touch this day.';
COMMENT ON COLUMN grid.contested_by IS 'Feeds whose bulletins count more than the limit of a day whose violence leg is UNKNOWN by rule contested; NULL of any other day.';
COMMENT ON COLUMN grid.refused_pending IS 'Reports of the region and day that were refused and are pending: not accepted since, nor dismissed.';

CREATE OR REPLACE VIEW last_seven AS
SELECT
    w.region,
    coalesce(regions.name, w.region) AS region_name,
    w.first_day,
    w.last_day,
    list(v.verdict ORDER BY v.truce_day) FILTER (v.verdict IS NOT NULL) AS verdicts,
    w.streak_days,
    w.incidents,
    w.incidents_168h
FROM region_windows w
LEFT JOIN day_verdicts v ON v.region = w.region AND v.truce_day BETWEEN w.first_day AND w.last_day
LEFT JOIN regions ON pcode = w.region
GROUP BY ALL;
COMMENT ON VIEW last_seven IS 'Each region''s window in one row, its verdicts as a list from the first day to the running one.';
COMMENT ON COLUMN last_seven.region IS 'P-code of the region.';
COMMENT ON COLUMN last_seven.region_name IS 'Name of the region.';
COMMENT ON COLUMN last_seven.first_day IS 'First truce-day of the window.';
COMMENT ON COLUMN last_seven.last_day IS 'Last truce-day of the window: the running one.';
COMMENT ON COLUMN last_seven.verdicts IS 'Verdicts in the order of the days.';
COMMENT ON COLUMN last_seven.streak_days IS 'MET truce-days in a row, ending with the last completed one.';
COMMENT ON COLUMN last_seven.incidents IS 'Incidents in scope over the window''s truce-days.';
COMMENT ON COLUMN last_seven.incidents_168h IS 'Incidents in scope that began in the last 168 hours.';

CREATE OR REPLACE VIEW verdict_changes AS
WITH replaced AS (
    -- Each version as it stood last. Its figures may have moved since it was made, and no later report is to blame.
    SELECT * FROM verdict_log
    QUALIFY row_number() OVER (PARTITION BY region, truce_day, version ORDER BY tick_offset DESC) = 1
), paired AS (
    -- That a day ended or settled is nobody's doing: its state before is what time had made of it.
    SELECT later, earlier,
           CASE
               WHEN later.recorded_at < d.ends_at THEN 'OPEN'
               WHEN later.recorded_at < d.final_at THEN 'PROVISIONAL'
               WHEN earlier.state = 'AMENDED' THEN 'AMENDED'
               ELSE 'FINAL'
           END AS state_before,
           (@later@) IS NOT DISTINCT FROM (@earlier@)
               AS only_reasons
    FROM day_verdict_versions later
    JOIN truce_days d USING (truce_day)
    LEFT JOIN replaced earlier
        ON earlier.region = later.region AND earlier.truce_day = later.truce_day AND earlier.version = later.version - 1
)
SELECT
    later.region,
    coalesce(regions.name, later.region) AS region_name,
    later.truce_day,
    later.version,
    later.recorded_at,
    later.tick_offset,
    later.verdict,
    later.state,
    earlier.verdict AS verdict_before,
    list_filter(
        [
            {'field': 'verdict', 'old': to_json(earlier.verdict), 'new': to_json(later.verdict)},
            {'field': 'state', 'old': to_json(state_before), 'new': to_json(later.state)},
            @moved@,
            -- The sentences tell the figures too: they are worth telling where nothing else moved.
            {'field': 'reasons', 'old': to_json(earlier.reasons ->> '$[*].text'), 'new': to_json(later.reasons ->> '$[*].text')}
        ],
        lambda each: earlier.version IS NOT NULL AND each.old IS DISTINCT FROM each.new AND (each.field <> 'reasons' OR only_reasons)
            -- Where every incident is sure, their number has been told.
            AND (each.field <> 'incidents_sure' OR (earlier.incidents_sure, later.incidents_sure) <> (earlier.incidents, later.incidents))
    ) AS changed,
    flatten([@evidence_added@]) AS evidence_added,
    flatten([@evidence_removed@]) AS evidence_removed,
    later.cause ->> '$.reports[*]' AS reports,
    coalesce((later.cause ->> '$.more')::INTEGER, 0) AS more_reports
FROM paired
LEFT JOIN regions ON pcode = later.region;
COMMENT ON VIEW verdict_changes IS 'Every version of every verdict with what it changed of the row it replaced, and the reports that caused it.';
COMMENT ON COLUMN verdict_changes.region IS 'P-code of the region.';
COMMENT ON COLUMN verdict_changes.region_name IS 'Name of the region.';
COMMENT ON COLUMN verdict_changes.truce_day IS 'Local date on which the truce-day starts.';
COMMENT ON COLUMN verdict_changes.version IS 'Number of the version, from 1.';
COMMENT ON COLUMN verdict_changes.recorded_at IS 'The ledger''s time at the tick that made this version.';
COMMENT ON COLUMN verdict_changes.tick_offset IS 'That tick''s number along the facts topic.';
COMMENT ON COLUMN verdict_changes.verdict IS 'Verdict of this version.';
COMMENT ON COLUMN verdict_changes.state IS 'State of the day when the version was made.';
COMMENT ON COLUMN verdict_changes.verdict_before IS 'Verdict of the version before; NULL for version 1.';
COMMENT ON COLUMN verdict_changes.changed IS 'Fields that differ from the row it replaced, the version before with the figures it had last, each with its old and new value as JSON; empty for version 1.';
COMMENT ON COLUMN verdict_changes.evidence_added IS 'Incidents and convoys that decide the day now and did not before, as feed/name.';
COMMENT ON COLUMN verdict_changes.evidence_removed IS 'Those that decided it before and no longer do.';
COMMENT ON COLUMN verdict_changes.reports IS 'Reports that came since the day was last judged, as feed/report_id@revision: the first ten. Empty when it was only time.';
COMMENT ON COLUMN verdict_changes.more_reports IS 'How many more of them there were.';

CREATE OR REPLACE VIEW feed_silence AS
WITH heard AS (@heard@), so_far AS (
    SELECT region, feed, occurred_from,
           max(occurred_to) OVER (PARTITION BY region, feed ORDER BY occurred_from) AS heard_until
    FROM heard
), asked AS (
    SELECT region, truce_day, feed, least(ends_at, as_of) AS silent_until
    FROM region_windows
    JOIN (SELECT DISTINCT region, feed FROM heard) USING (region)
    CROSS JOIN truce_days
)
SELECT asked.region, truce_day, asked.feed, heard_until AS silent_since, silent_until
FROM asked
-- Of what began before: with as many reports as days, a join on that alone would take minutes.
ASOF JOIN so_far ON so_far.region = asked.region AND so_far.feed = asked.feed AND so_far.occurred_from < silent_until
WHERE heard_until < silent_until;
COMMENT ON VIEW feed_silence IS 'Feeds that had told of a region and were silent when a truce-day ended, or at the last judgement while it runs.';
COMMENT ON COLUMN feed_silence.region IS 'P-code of the region.';
COMMENT ON COLUMN feed_silence.truce_day IS 'Local date on which the truce-day starts.';
COMMENT ON COLUMN feed_silence.feed IS 'Who is silent.';
COMMENT ON COLUMN feed_silence.silent_since IS 'End of the last time of which it told anything: by its notices, incident reports, convoy steps and bulletins of the region.';
COMMENT ON COLUMN feed_silence.silent_until IS 'End of the truce-day, or the last judgement while it runs.';

CREATE OR REPLACE VIEW convoy_claims AS
SELECT
    convoy,
    feed,
    convoy_id,
    last(region ORDER BY occurred_from, reported_at, report_id) AS region,
    last(place ORDER BY occurred_from, reported_at, report_id) AS place,
    last(step ORDER BY occurred_from, reported_at, report_id) AS latest_step,
    last(occurred_from ORDER BY occurred_from, reported_at, report_id) AS since,
    last(counts ORDER BY occurred_from, reported_at, report_id) AS counts,
    last(flaw ORDER BY occurred_from, reported_at, report_id) AS flaw,
    last(reached_place ORDER BY occurred_from, reported_at, report_id) AS reached_place,
    last(trucks ORDER BY occurred_from, reported_at, report_id) FILTER (trucks IS NOT NULL) AS trucks,
    last(trucks_hit ORDER BY occurred_from, reported_at, report_id) FILTER (trucks_hit IS NOT NULL) AS trucks_hit,
    last(people_requested ORDER BY occurred_from, reported_at, report_id) FILTER (people_requested IS NOT NULL) AS people_requested,
    last(people_approved ORDER BY occurred_from, reported_at, report_id) FILTER (people_approved IS NOT NULL) AS people_approved,
    last(people_reached ORDER BY occurred_from, reported_at, report_id) FILTER (people_reached IS NOT NULL) AS people_reached,
    max(reported_at) AS last_reported_at,
    count(*) AS steps,
    count(flaw) AS steps_flagged,
    any_value(joined_to) AS joined_to,
    any_value(why) AS why,
    any_value(seconds_apart) AS seconds_apart,
    any_value(certainty) AS certainty
FROM convoy_events
LEFT JOIN joined_claims USING (convoy, feed, convoy_id)
GROUP BY convoy, feed, convoy_id;
COMMENT ON VIEW convoy_claims IS 'Convoys side by side as each feed tells them: its latest step, and the figures it stated last.';
COMMENT ON COLUMN convoy_claims.convoy IS 'The convoy, as feed/convoy_id of the claim it is called after.';
COMMENT ON COLUMN convoy_claims.feed IS 'Who tells of it.';
COMMENT ON COLUMN convoy_claims.convoy_id IS 'The feed''s own name for the convoy.';
COMMENT ON COLUMN convoy_claims.region IS 'P-code of the destination, as this feed has it last.';
COMMENT ON COLUMN convoy_claims.place IS 'Besieged or hard-to-reach place it is bound for, as this feed has it last.';
COMMENT ON COLUMN convoy_claims.latest_step IS 'The feed''s latest step, whether it counts or not.';
COMMENT ON COLUMN convoy_claims.since IS 'When that step happened.';
COMMENT ON COLUMN convoy_claims.counts IS 'Whether that step moves the convoy''s state.';
COMMENT ON COLUMN convoy_claims.flaw IS 'Why that step is not legal or does not count; NULL when nothing is wrong with it.';
COMMENT ON COLUMN convoy_claims.reached_place IS 'Where the convoy was at that step, as written.';
COMMENT ON COLUMN convoy_claims.trucks IS 'Trucks, as this feed stated last.';
COMMENT ON COLUMN convoy_claims.trucks_hit IS 'Trucks damaged or destroyed, as this feed stated last.';
COMMENT ON COLUMN convoy_claims.people_requested IS 'People aid was requested for, as this feed stated last.';
COMMENT ON COLUMN convoy_claims.people_approved IS 'People aid was approved for, as this feed stated last.';
COMMENT ON COLUMN convoy_claims.people_reached IS 'People reached, as this feed stated last.';
COMMENT ON COLUMN convoy_claims.last_reported_at IS 'When the feed last spoke of it.';
COMMENT ON COLUMN convoy_claims.steps IS 'Number of steps the feed tells of.';
COMMENT ON COLUMN convoy_claims.steps_flagged IS 'How many of them are not legal or are contradicted.';
COMMENT ON COLUMN convoy_claims.joined_to IS 'The claim, as feed/convoy_id, that it is joined to first; NULL when it is a convoy of its own.';
COMMENT ON COLUMN convoy_claims.why IS 'same_convoy_as: a report says so. same_place_and_time: each is the closest of its feed to the other, bound for one place.';
COMMENT ON COLUMN convoy_claims.seconds_apart IS 'Seconds between what the two tell of the road; 0 when that overlaps, NULL when a report says so.';
COMMENT ON COLUMN convoy_claims.certainty IS 'asserted, or doubtful: place and time cannot tell a second convoy of the day from it.';

CREATE OR REPLACE VIEW access_constraints AS
SELECT
    region,
    coalesce(regions.name, region) AS region_name,
    access_constraint,
    count(*) AS steps,
    count(DISTINCT convoy) AS convoys,
    count(DISTINCT feed) AS feeds,
    min(occurred_from) AS first_at,
    max(occurred_from) AS last_at
FROM convoy_events
LEFT JOIN regions ON pcode = region
WHERE access_constraint IS NOT NULL
GROUP BY ALL;
COMMENT ON VIEW access_constraints IS 'What stood in the way of convoys, by region and OCHA''s nine categories of access constraints.';
COMMENT ON COLUMN access_constraints.region IS 'P-code of the destination.';
COMMENT ON COLUMN access_constraints.region_name IS 'Name of the region.';
COMMENT ON COLUMN access_constraints.access_constraint IS 'The category.';
COMMENT ON COLUMN access_constraints.steps IS 'Number of steps that name it.';
COMMENT ON COLUMN access_constraints.convoys IS 'Number of convoys it stood in the way of.';
COMMENT ON COLUMN access_constraints.feeds IS 'Number of feeds that name it.';
COMMENT ON COLUMN access_constraints.first_at IS 'When it was first met.';
COMMENT ON COLUMN access_constraints.last_at IS 'When it was last met.';

CREATE OR REPLACE VIEW ambiguous_places AS
SELECT
    feed,
    report_id,
    revision,
    type,
    region,
    regions.name AS region_name,
    located_by,
    place_name,
    place_conflict,
    latitude,
    longitude,
    occurred_from,
    fact_offset
FROM reports
LEFT JOIN regions ON pcode = region
WHERE present AND NOT retracted AND place_conflict IS NOT NULL;
COMMENT ON VIEW ambiguous_places IS 'Standing reports whose place contradicts itself or is easily taken for another: for a person to look at.';
COMMENT ON COLUMN ambiguous_places.feed IS 'Who said it.';
COMMENT ON COLUMN ambiguous_places.report_id IS 'The feed''s own name for the report.';
COMMENT ON COLUMN ambiguous_places.revision IS 'Revision that stands.';
COMMENT ON COLUMN ambiguous_places.type IS 'incident or convoy.';
COMMENT ON COLUMN ambiguous_places.region IS 'P-code of the region decided for.';
COMMENT ON COLUMN ambiguous_places.region_name IS 'Name of that region.';
COMMENT ON COLUMN ambiguous_places.located_by IS 'What decided: pcode, name or point.';
COMMENT ON COLUMN ambiguous_places.place_name IS 'Place as the source writes it.';
COMMENT ON COLUMN ambiguous_places.place_conflict IS 'What disagrees with the decision.';
COMMENT ON COLUMN ambiguous_places.latitude IS 'WGS 84 degrees.';
COMMENT ON COLUMN ambiguous_places.longitude IS 'WGS 84 degrees.';
COMMENT ON COLUMN ambiguous_places.occurred_from IS 'Start of the stated interval.';
COMMENT ON COLUMN ambiguous_places.fact_offset IS 'Number of the standing revision along the facts topic.';

CREATE OR REPLACE VIEW places AS
SELECT
    place ->> '$.name' AS place,
    place ->> '$.names[*]' AS names,
    place ->> '$.region' AS region,
    coalesce(regions.name, place ->> '$.region') AS region_name,
    place ->> '$.status' AS status,
    place ->> '$.by' AS besieged_by,
    (place ->> '$.people')::BIGINT AS people,
    (place ->> '$.first_day')::DATE AS first_day,
    (place ->> '$.last_day')::DATE AS last_day,
    place ->> '$.source' AS source
FROM (SELECT unnest(agreement -> '$.access.places[*]') AS place FROM about)
LEFT JOIN regions ON pcode = place ->> '$.region';
COMMENT ON VIEW places IS 'Besieged and hard-to-reach places as the agreement lists them, each line for the days it holds.';
COMMENT ON COLUMN places.place IS 'Name of the place.';
COMMENT ON COLUMN places.names IS 'Other names reports use.';
COMMENT ON COLUMN places.region IS 'P-code of its region.';
COMMENT ON COLUMN places.region_name IS 'Name of its region.';
COMMENT ON COLUMN places.status IS 'besieged or hard_to_reach.';
COMMENT ON COLUMN places.besieged_by IS 'The side that besieges it.';
COMMENT ON COLUMN places.people IS 'People inside; NULL when not known.';
COMMENT ON COLUMN places.first_day IS 'First day the line holds; NULL when it always did.';
COMMENT ON COLUMN places.last_day IS 'Last day the line holds; NULL while it does.';
COMMENT ON COLUMN places.source IS 'Where the line comes from.';

CREATE OR REPLACE MACRO places_as_of(of_day) AS TABLE
SELECT places.* FROM @own_file@, places
WHERE in_use AND coalesce(first_day <= CAST(of_day AS DATE), true) AND coalesce(last_day >= CAST(of_day AS DATE), true);
COMMENT ON MACRO TABLE places_as_of IS 'The besieged and hard-to-reach places of a day.';

CREATE OR REPLACE MACRO besieged_people_as_of(of_day) AS (
    SELECT coalesce(sum(people), 0)::BIGINT FROM @own_file@, places_as_of(of_day) WHERE in_use AND status = 'besieged'
);
COMMENT ON MACRO besieged_people_as_of IS 'People in besieged places on a day, as far as their number is known.';

CREATE OR REPLACE VIEW access_score AS
WITH spans AS (
    SELECT 'day' AS span, truce_day AS first_day, truce_day AS last_day, starts_at, ends_at FROM truce_days
    UNION ALL
    SELECT DISTINCT 'window', w.first_day, w.last_day, opening.starts_at, closing.ends_at
    FROM region_windows w
    JOIN truce_days opening ON opening.truce_day = w.first_day
    JOIN truce_days closing ON closing.truce_day = w.last_day
), besieged AS (
    SELECT span, spans.first_day, spans.last_day, region, place, max(people) AS people
    FROM spans
    JOIN places ON status = 'besieged' AND coalesce(places.first_day <= spans.last_day, true)
        AND coalesce(places.last_day >= spans.last_day, true)
    GROUP BY ALL
), inside AS (
    SELECT span, first_day, last_day, region, sum(people)::BIGINT AS people FROM besieged GROUP BY ALL
), due AS (
    -- What was known by the end and, before the start, neither delivered nor, once it was closed, made good by another
    -- delivery: whoever is reached was asked for, and a refusal takes nobody out of those who were.
    SELECT span, first_day, last_day, region, place, people_requested,
           coalesce(delivered_at < ends_at, false) AS delivered,
           CASE WHEN delivered_at < ends_at THEN people_reached END AS people_reached
    FROM spans
    JOIN convoys asked ON first_known < ends_at AND coalesce(delivered_at >= starts_at, true)
        AND (delivered_at IS NOT NULL OR state NOT IN ('denied', 'turned_back', 'attacked') OR since >= starts_at
            OR NOT EXISTS (
                SELECT 1 FROM convoys other
                WHERE other.region = asked.region AND (asked.place IS NULL OR other.place = asked.place)
                    AND other.delivered_at >= asked.since AND other.delivered_at < starts_at
            ))
)
SELECT
    span,
    first_day,
    last_day,
    region,
    name AS region_name,
    count(delivered) AS convoys,
    count(*) FILTER (delivered) AS convoys_delivered,
    sum(people_requested)::BIGINT AS people_requested,
    sum(people_reached)::BIGINT AS people_reached,
    sum(people_reached) FILTER (people_requested IS NOT NULL) / nullif(sum(people_requested), 0) AS reached_share,
    any_value(inside.people) AS people_besieged,
    sum(people_reached) FILTER (besieged.place IS NOT NULL)::BIGINT AS besieged_reached,
    sum(people_reached) FILTER (besieged.place IS NOT NULL) / nullif(any_value(inside.people), 0) AS besieged_share
FROM (SELECT span, first_day, last_day, pcode AS region, name FROM spans CROSS JOIN regions)
LEFT JOIN due USING (span, first_day, last_day, region)
LEFT JOIN besieged USING (span, first_day, last_day, region, place)
LEFT JOIN inside USING (span, first_day, last_day, region)
GROUP BY span, first_day, last_day, region, name;
COMMENT ON VIEW access_score IS 'People reached over people requested, by region, for each truce-day and for the window: of the convoys known by the end of it and, before its start, neither delivered nor, where they were denied, turned back or attacked, made good by another delivery.';
COMMENT ON COLUMN access_score.span IS 'day or window.';
COMMENT ON COLUMN access_score.first_day IS 'First truce-day of the span.';
COMMENT ON COLUMN access_score.last_day IS 'Last truce-day of the span.';
COMMENT ON COLUMN access_score.region IS 'P-code of the destination.';
COMMENT ON COLUMN access_score.region_name IS 'Name of the region.';
COMMENT ON COLUMN access_score.convoys IS 'Convoys due in the span.';
COMMENT ON COLUMN access_score.convoys_delivered IS 'How many of them were delivered in it.';
COMMENT ON COLUMN access_score.people_requested IS 'People aid was requested for by those that state it; NULL when none does.';
COMMENT ON COLUMN access_score.people_reached IS 'People reached by those delivered, as far as stated.';
COMMENT ON COLUMN access_score.reached_share IS 'People reached over people requested, of convoys that state the request; NULL when none does.';
COMMENT ON COLUMN access_score.people_besieged IS 'People in the region''s besieged places on the last day, as far as known; NULL when there is none.';
COMMENT ON COLUMN access_score.besieged_reached IS 'People reached in besieged places.';
COMMENT ON COLUMN access_score.besieged_share IS 'Those over the people in besieged places.';

CREATE OR REPLACE MACRO region_of(given) AS TABLE
WITH meant AS (
    SELECT pcode, pcode || ' ' || name AS shown, lower(pcode) = lower(given) AS by_pcode
    FROM regions
    WHERE by_pcode OR list_contains(list_transform(spellings, lambda each: folded(each)), folded(given))
    QUALIFY by_pcode OR NOT bool_or(by_pcode) OVER ()
), asked AS (
    SELECT count(*) AS regions_meant, any_value(pcode) AS found, string_agg(shown, ' and ' ORDER BY pcode) AS shown FROM meant
)
SELECT CASE
    WHEN in_use AND regions_meant = 0 THEN error(
        coalesce('''' || given || '''', 'NULL') || ' is no region of @agreement@; there are '
        || (SELECT string_agg(pcode || ' ' || name, ', ' ORDER BY pcode) FROM regions)
    )
    WHEN in_use AND regions_meant > 1 THEN error(
        '''' || given || ''' may be ' || shown || ' of @agreement@: ask by the P-code'
    )
    ELSE found
END AS region
FROM @own_file@, asked
WHERE in_use;
COMMENT ON MACRO TABLE region_of IS 'P-code of a region given by its P-code or by any name that regions.spellings has, compared as the gazetteer compares names. An error for any other, and for a name of two regions: an empty answer would look like peace.';

CREATE OR REPLACE MACRO window_as_of(of_region, t) AS TABLE
WITH held AS (
    -- Every day up to the running one is judged at every tick: the last day held is the one that ran at the last tick
    -- before the instant, and the others were over. The agreement's last day has none after it that tells.
    SELECT *, max(truce_day) OVER () AS last_day,
        truce_day < max(truce_day) OVER ()
            OR coalesce(truce_day = (agreement ->> '$.clock.ends')::DATE - 1, false) AND state <> 'OPEN' AS completed
    -- Kept by the outer join, an unknown region is an error even where nothing was judged by then.
    FROM (SELECT region AS asked FROM region_of(of_region))
    LEFT JOIN verdicts_as_of(t) ON region = asked
    CROSS JOIN about
), last_miss AS (
    SELECT max(truce_day) AS miss, arg_max(verdict, truce_day) AS missed_by FROM held WHERE completed AND verdict <> 'MET'
)
SELECT
    region,
    region_name,
    min(truce_day) FILTER (truce_day > last_day - 7) AS first_day,
    max(truce_day) AS last_day,
    count(*) FILTER (truce_day > last_day - 7 AND verdict = 'MET') AS days_met,
    count(*) FILTER (truce_day > last_day - 7 AND verdict = 'BROKEN') AS days_broken,
    count(*) FILTER (truce_day > last_day - 7 AND verdict = 'UNKNOWN') AS days_unknown,
    coalesce(sum(incidents) FILTER (truce_day > last_day - 7), 0)::BIGINT AS incidents,
    coalesce(sum(incidents_out_of_scope) FILTER (truce_day > last_day - 7), 0)::BIGINT AS incidents_out_of_scope,
    sum(deaths_best) FILTER (truce_day > last_day - 7)::BIGINT AS deaths_best,
    count(*) FILTER (completed AND (miss IS NULL OR truce_day > miss)) AS streak_days,
    any_value(miss) AS streak_ended_day,
    any_value(missed_by) AS streak_ended_by
FROM @own_file@, held, last_miss
WHERE in_use
GROUP BY region, region_name
HAVING count(region) > 0;
COMMENT ON MACRO TABLE window_as_of IS 'A region''s seven truce-days and streak as held at an instant, from the verdicts and figures as they stood then.';

CREATE OR REPLACE MACRO utc_text(instant) AS strftime(instant AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%SZ');
COMMENT ON MACRO utc_text IS 'An instant as ISO 8601 text in UTC, whatever the session''s time zone.';

CREATE OR REPLACE MACRO explain_day(of_region, of_day) AS TABLE
WITH asked_of AS (
    SELECT region AS pcode FROM region_of(of_region)
), verdict AS (
    SELECT * FROM day_verdicts WHERE region = (SELECT pcode FROM asked_of) AND truce_day = CAST(of_day AS DATE)
), span AS (
    SELECT * FROM truce_days WHERE truce_day = CAST(of_day AS DATE)
), named AS (
    SELECT split_part(id, '/', 1) AS feed, substr(id, strpos(id, '/') + 1) AS name, id, leg, place
    FROM (
        @evidence_named@
    )
), told AS (
    SELECT 1 AS part, 0 AS place, 'region' AS fact, name AS value, pcode AS detail FROM regions WHERE pcode = (SELECT pcode FROM asked_of)
    UNION ALL SELECT 2, 0, 'truce-day', strftime(truce_day, '%Y-%m-%d'), utc_text(starts_at) || ' to ' || utc_text(ends_at) FROM span
    UNION ALL SELECT 3, 0, 'verdict', verdict, state || ', version ' || version || ' of ' || utc_text(recorded_at) FROM verdict
    @findings_told@
    UNION ALL SELECT 5, 1, 'incidents', incidents::VARCHAR, 'in scope' FROM verdict
    UNION ALL SELECT 5, 8, 'possible incidents', incidents_possible::VARCHAR, 'of intervals that touch other days as well; ' || incidents_sure || ' surely of this day' FROM verdict
        WHERE incidents_possible > 0
    UNION ALL SELECT 5, 2, 'limit', violence_limit::VARCHAR, 'incidents allowed' FROM verdict
    UNION ALL SELECT 5, 3, 'out of scope', incidents_out_of_scope::VARCHAR, 'incidents that break nothing' FROM verdict
    UNION ALL SELECT 5, 4, 'deaths', deaths_best::VARCHAR, coalesce('best estimates, in scope; low ' || deaths_low || ', high ' || deaths_high, 'nobody states a toll')
        || CASE WHEN incidents_without_toll > 0 AND deaths_high IS NOT NULL THEN '; incidents without a toll: ' || incidents_without_toll ELSE '' END FROM verdict
    UNION ALL SELECT 5, 6, 'bulletin count', bulletin_incidents::VARCHAR, 'held against the limit in place of incidents' FROM verdict
        WHERE bulletin_incidents IS NOT NULL
    UNION ALL SELECT 5, 7, 'contested by', contested_by, 'their bulletins count more than the limit' FROM verdict
        WHERE contested_by IS NOT NULL
    UNION ALL SELECT 5, 9, 'refused pending', refused_pending::VARCHAR, 'refused reports, not accepted since nor dismissed' FROM verdict
        WHERE refused_pending > 0
    UNION ALL SELECT 5, 5, 'covered share', covered_share::VARCHAR, 'of the truce-day, by enough feeds' FROM verdict
    UNION ALL
    SELECT 6, place, 'reason: ' || (reason ->> 'leg'), reason ->> 'rule', reason ->> 'text'
    FROM (SELECT unnest(reasons -> '$[*]') AS reason, generate_subscripts(reasons -> '$[*]', 1) AS place FROM verdict)
    UNION ALL
    SELECT 7, place * 1000 + row_number() OVER (ORDER BY place, l.standing, l.feed, l.report_id),
           'evidence: violence',
           named.id || CASE WHEN l.feed IS NULL THEN '' ELSE ': ' || l.standing || ' ' || l.feed || '/' || l.report_id
               || coalesce(', ' || l.why || ' ' || l.linked_to, '') || coalesce(', ' || l.certainty, '') END,
           reports.raw
    FROM named
    LEFT JOIN linked_reports l ON l.incident_feed = named.feed AND l.incident_report_id = named.name
    LEFT JOIN reports ON reports.feed = coalesce(l.feed, named.feed) AND reports.report_id = coalesce(l.report_id, named.name)
        AND reports.present
    WHERE leg = 'violence'
    UNION ALL
    SELECT 8, named.place * 1000 + row_number() OVER (ORDER BY named.place, steps.occurred_from, steps.reported_at, steps.feed, steps.report_id),
           'evidence: ' || leg, named.id || coalesce(': ' || steps.step || ' at ' || utc_text(steps.occurred_from), ''), reports.raw
    FROM named
    LEFT JOIN convoy_events steps ON leg = 'access' AND steps.convoy = named.id
    LEFT JOIN reports ON reports.feed = steps.feed AND reports.report_id = steps.report_id AND reports.present
    WHERE leg <> 'violence'
    UNION ALL
    SELECT 9, row_number() OVER (ORDER BY feed), 'feed', feed, incidents || ' incidents in scope'
    FROM feed_tallies
    WHERE region = (SELECT pcode FROM asked_of) AND truce_day = CAST(of_day AS DATE)
    UNION ALL
    SELECT 10, row_number() OVER (ORDER BY c.occurred_from, c.feed, c.report_id), 'watched', c.feed || '/' || c.report_id,
           utc_text(c.occurred_from) || ' to ' || utc_text(c.occurred_to) || CASE WHEN c.nil THEN ', nothing to report' ELSE '' END
    FROM coverage c, span
    WHERE c.region = (SELECT pcode FROM asked_of) AND c.occurred_from < span.ends_at AND c.occurred_to > span.starts_at
    UNION ALL
    SELECT 11, row_number() OVER (ORDER BY b.occurred_from, b.feed, b.report_id, b.line), 'bulletin', b.feed || '/' || b.report_id,
           CASE WHEN b.at_least THEN 'at least ' ELSE '' END || b.incidents || coalesce(' ' || b.kind_as_given, '')
               || coalesce(', accused: ' || array_to_string(b.accused, '; '), '') || CASE WHEN b.in_scope THEN '' ELSE ' (out of scope)' END
               || ', ' || utc_text(b.occurred_from) || ' to ' || utc_text(b.occurred_to)
               || CASE WHEN b.adds_up THEN '' ELSE ', the lines do not add up to the stated total of ' || b.total END
    FROM bulletins b, span
    WHERE b.region = (SELECT pcode FROM asked_of) AND b.occurred_from < span.ends_at AND b.occurred_to > span.starts_at
    UNION ALL
    SELECT 12, row_number() OVER (ORDER BY feed), 'silent', feed, 'since ' || utc_text(silent_since)
    FROM feed_silence
    WHERE region = (SELECT pcode FROM asked_of) AND truce_day = CAST(of_day AS DATE)
    UNION ALL
    SELECT 13, version, 'version ' || version, verdict,
           utc_text(recorded_at)
               || coalesce(': ' || nullif(array_to_string(
                      list_transform(changed, lambda each: each.field || ' ' || each.old || ' to ' || each.new), ', '), ''), '')
               || coalesce('; by ' || nullif(array_to_string(reports, ', '), '')
                      || CASE WHEN more_reports > 0 THEN ' and ' || more_reports || ' more' ELSE '' END, '; by the passing of time')
    FROM verdict_changes
    WHERE region = (SELECT pcode FROM asked_of) AND truce_day = CAST(of_day AS DATE)
)
SELECT fact, value, detail FROM @own_file@, told WHERE in_use ORDER BY part, place;
COMMENT ON MACRO TABLE explain_day IS 'Why a region''s truce-day was judged as it was: one row for each fact worth knowing, with the raw reports.';

CREATE OR REPLACE VIEW settled_rejects AS
SELECT reject_topic, reject_partition, reject_offset, reject_log, min(fact_offset) AS settled_offset
FROM (
    SELECT reject_topic, reject_partition, reject_offset, reject_log, fact_offset FROM dismissals
    UNION ALL
    -- Rejected once more it goes on as the reject it became, where that one tells as much.
    SELECT reject_topic, reject_partition, reject_offset, reject_log, fact_offset
    FROM redrives LEFT JOIN rejects again USING (fact_offset)
    WHERE outcome <> 'rejected' OR len(again.regions) > 0
)
GROUP BY ALL;
COMMENT ON VIEW settled_rejects IS 'Records whose reject a dismissal or a redrive has settled, whether or not it has come.';
COMMENT ON COLUMN settled_rejects.reject_topic IS 'Kafka topic of the rejected record.';
COMMENT ON COLUMN settled_rejects.reject_partition IS 'Kafka partition of the rejected record.';
COMMENT ON COLUMN settled_rejects.reject_offset IS 'Kafka offset of the rejected record.';
COMMENT ON COLUMN settled_rejects.reject_log IS 'Which log that offset belongs to, as in rejects.source_log.';
COMMENT ON COLUMN settled_rejects.settled_offset IS 'Place in the facts topic of the first dismissal or redrive that settles it.';

CREATE OR REPLACE VIEW reject_states AS
WITH last_redrives AS (
    SELECT reject_topic, reject_partition, reject_offset, reject_log, max(number) AS redrives,
           arg_max(received_at, fact_offset) AS redriven_at, arg_max(outcome, fact_offset) AS redrive_outcome,
           max(fact_offset) AS redrive_offset
    FROM redrives GROUP BY ALL
), first_dismissals AS (
    SELECT reject_topic, reject_partition, reject_offset, reject_log,
           arg_min({'at': received_at, 'by': dismissed_by, 'reason': reason}, fact_offset) AS said
    FROM dismissals GROUP BY ALL
)
SELECT rejects.*, coalesce(l.redrives, 0) AS redrives, l.redriven_at, l.redrive_outcome, l.redrive_offset,
       rejects.fact_offset IN (SELECT fact_offset FROM redrives) AS of_redrive,
       d.said.at AS dismissed_at, d.said.by AS dismissed_by, d.said.reason AS dismissal_reason,
       known.feed IS NOT NULL AS report_known,
       coalesce(len(regions) > 0, false) AND known.feed IS NULL AND s.reject_topic IS NULL AS pending
FROM rejects
-- Of every report that was ever accepted one revision is present, retracted or not.
LEFT JOIN (SELECT feed, report_id FROM reports WHERE present) known
    ON known.feed = rejects.feed AND known.report_id = rejects.report_id
LEFT JOIN last_redrives l ON l.reject_topic = source_topic AND l.reject_partition = source_partition
    AND l.reject_offset = source_offset AND l.reject_log = source_log
LEFT JOIN first_dismissals d ON d.reject_topic = source_topic AND d.reject_partition = source_partition
    AND d.reject_offset = source_offset AND d.reject_log = source_log
LEFT JOIN settled_rejects s ON s.reject_topic = source_topic AND s.reject_partition = source_partition
    AND s.reject_offset = source_offset AND s.reject_log = source_log;
COMMENT ON VIEW reject_states IS 'Every reject with whether it was published again and what became of it.';
COMMENT ON COLUMN reject_states.fact_offset IS 'As in rejects; names the reject.';
COMMENT ON COLUMN reject_states.code IS 'As in rejects.';
COMMENT ON COLUMN reject_states.hint IS 'As in rejects.';
COMMENT ON COLUMN reject_states.feed IS 'As in rejects.';
COMMENT ON COLUMN reject_states.report_id IS 'As in rejects.';
COMMENT ON COLUMN reject_states.received_at IS 'As in rejects.';
COMMENT ON COLUMN reject_states.source_topic IS 'As in rejects.';
COMMENT ON COLUMN reject_states.source_partition IS 'As in rejects.';
COMMENT ON COLUMN reject_states.source_offset IS 'As in rejects.';
COMMENT ON COLUMN reject_states.source_log IS 'As in rejects.';
COMMENT ON COLUMN reject_states.original IS 'As in rejects.';
COMMENT ON COLUMN reject_states.original_bytes IS 'As in rejects.';
COMMENT ON COLUMN reject_states.regions IS 'As in rejects.';
COMMENT ON COLUMN reject_states.occurred_from IS 'As in rejects.';
COMMENT ON COLUMN reject_states.occurred_to IS 'As in rejects.';
COMMENT ON COLUMN reject_states.truce_day IS 'As in rejects.';
COMMENT ON COLUMN reject_states.may_be_incident IS 'As in rejects.';
COMMENT ON COLUMN reject_states.redrives IS 'For which time it was last published again; 0 when it never was.';
COMMENT ON COLUMN reject_states.redriven_at IS 'When intake received the last redrive.';
COMMENT ON COLUMN reject_states.redrive_outcome IS 'What became of the last redrive; NULL when there was none.';
COMMENT ON COLUMN reject_states.redrive_offset IS 'fact_offset of the last redrive: of the report, or of the new reject, that came of it.';
COMMENT ON COLUMN reject_states.of_redrive IS 'Whether it is itself an earlier reject published again.';

COMMENT ON COLUMN reject_states.dismissed_at IS 'When intake received its first dismissal.';
COMMENT ON COLUMN reject_states.dismissed_by IS 'Who dismissed it; NULL when nobody did.';
COMMENT ON COLUMN reject_states.dismissal_reason IS 'Why it was dismissed.';
COMMENT ON COLUMN reject_states.report_known IS 'Whether a report of its feed and report_id was accepted at any time, by any road.';
COMMENT ON COLUMN reject_states.pending IS 'Whether it tells a region and a day, and was neither accepted nor dismissed.';

CREATE OR REPLACE VIEW pending_rejects AS
SELECT unnest(regions) AS region, truce_day, fact_offset, code, feed, report_id, may_be_incident, occurred_from, occurred_to,
       received_at, hint, source_topic, source_partition, source_offset
FROM reject_states
WHERE pending;
COMMENT ON VIEW pending_rejects IS 'Rejects that are pending, by region and truce-day. Those of one feed and report_id are one report.';
COMMENT ON COLUMN pending_rejects.region IS 'Region its bytes still tell.';
COMMENT ON COLUMN pending_rejects.truce_day IS 'As in rejects.';
COMMENT ON COLUMN pending_rejects.fact_offset IS 'Names the reject, as in rejects.';
COMMENT ON COLUMN pending_rejects.code IS 'As in rejects.';
COMMENT ON COLUMN pending_rejects.feed IS 'As in rejects.';
COMMENT ON COLUMN pending_rejects.report_id IS 'As in rejects.';
COMMENT ON COLUMN pending_rejects.may_be_incident IS 'As in rejects.';
COMMENT ON COLUMN pending_rejects.occurred_from IS 'As in rejects.';
COMMENT ON COLUMN pending_rejects.occurred_to IS 'As in rejects.';
COMMENT ON COLUMN pending_rejects.received_at IS 'As in rejects.';
COMMENT ON COLUMN pending_rejects.hint IS 'As in rejects.';
COMMENT ON COLUMN pending_rejects.source_topic IS 'As in rejects.';
COMMENT ON COLUMN pending_rejects.source_partition IS 'As in rejects.';
COMMENT ON COLUMN pending_rejects.source_offset IS 'As in rejects.';

CREATE OR REPLACE VIEW refused_places AS
SELECT fact_offset, feed, report_id, hint, received_at
FROM reject_states r
-- Of one published again the redrive's own reject stands for it, if that was refused as well.
WHERE code = 'ambiguous_place' AND redrive_outcome IS NULL AND dismissed_by IS NULL
    AND NOT EXISTS (FROM reports later WHERE later.feed = r.feed AND later.report_id = r.report_id AND later.present
                    AND later.fact_offset > r.fact_offset);
COMMENT ON VIEW refused_places IS 'Records refused because their place may be in several regions, and neither told anew nor dismissed since: for a person to look at, beside ambiguous_places.';
COMMENT ON COLUMN refused_places.fact_offset IS 'Names the reject, as in rejects.';
COMMENT ON COLUMN refused_places.feed IS 'Who sent it.';
COMMENT ON COLUMN refused_places.report_id IS 'The feed''s own name for the report.';
COMMENT ON COLUMN refused_places.hint IS 'Which regions it may be in.';
COMMENT ON COLUMN refused_places.received_at IS 'When intake received it.';
