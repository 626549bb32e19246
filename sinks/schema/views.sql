-- Views and macros. They belong to the software, not to the file: made anew whenever a ledger opens its store.

CREATE OR REPLACE VIEW incidents AS
SELECT
    feed || '/' || report_id AS incident_id,
    feed,
    report_id,
    revision,
    region,
    regions.name AS region_name,
    truce_day,
    time_uncertain,
    occurred_from,
    occurred_to,
    reported_at,
    received_at,
    kind,
    in_scope,
    len(counting.feeds) = 0 OR list_contains(counting.feeds, feed) AS counted,
    accused,
    claimant,
    confidence,
    deaths_low,
    deaths_best,
    deaths_high,
    latitude,
    longitude,
    place_name,
    fact_offset
FROM reports
CROSS JOIN (SELECT agreement ->> '$.violence.feeds[*]' AS feeds FROM about) counting
-- A correction may have moved a report out of the agreement: it is kept, and is no incident of its.
JOIN regions ON pcode = region
WHERE present AND NOT retracted AND type = 'incident';
COMMENT ON VIEW incidents IS 'Incidents as they stand now. A day''s count is of those that are counted and in_scope. Join reports on fact_offset for the raw report.';
COMMENT ON COLUMN incidents.incident_id IS 'feed/report_id of the report that makes the incident.';
COMMENT ON COLUMN incidents.feed IS 'Who said it.';
COMMENT ON COLUMN incidents.report_id IS 'The feed''s own name for the report.';
COMMENT ON COLUMN incidents.revision IS 'Revision that stands.';
COMMENT ON COLUMN incidents.region IS 'P-code of the region.';
COMMENT ON COLUMN incidents.region_name IS 'Name of the region.';
COMMENT ON COLUMN incidents.truce_day IS 'Truce-day holding the largest part of the stated interval.';
COMMENT ON COLUMN incidents.time_uncertain IS 'Whether the stated interval touches more than one truce-day.';
COMMENT ON COLUMN incidents.occurred_from IS 'Start of the stated interval.';
COMMENT ON COLUMN incidents.occurred_to IS 'End of the stated interval, not part of it.';
COMMENT ON COLUMN incidents.reported_at IS 'When the feed said it.';
COMMENT ON COLUMN incidents.received_at IS 'When intake received it.';
COMMENT ON COLUMN incidents.kind IS 'Normalised kind.';
COMMENT ON COLUMN incidents.in_scope IS 'Whether the incident is the agreement''s concern.';
COMMENT ON COLUMN incidents.counted IS 'Whether the agreement counts what this feed reports: its violence.feeds name the feed, or no feed.';
COMMENT ON COLUMN incidents.accused IS 'Who is said to have done it; a claim, not a finding.';
COMMENT ON COLUMN incidents.claimant IS 'Who says so.';
COMMENT ON COLUMN incidents.confidence IS 'How sure the claimant is of the attribution.';
COMMENT ON COLUMN incidents.deaths_low IS 'Low estimate of deaths; NULL when not given.';
COMMENT ON COLUMN incidents.deaths_best IS 'Best estimate of deaths; NULL when not given.';
COMMENT ON COLUMN incidents.deaths_high IS 'High estimate of deaths; NULL when not given.';
COMMENT ON COLUMN incidents.latitude IS 'WGS 84 degrees.';
COMMENT ON COLUMN incidents.longitude IS 'WGS 84 degrees.';
COMMENT ON COLUMN incidents.place_name IS 'Place as the source writes it.';
COMMENT ON COLUMN incidents.fact_offset IS 'Place of the standing revision in the facts topic.';

CREATE OR REPLACE VIEW incident_reports AS
SELECT incident_id, feed, report_id, revision, 'its own report' AS why
FROM incidents;
COMMENT ON VIEW incident_reports IS 'Which reports make an incident, and why they belong to it.';
COMMENT ON COLUMN incident_reports.incident_id IS 'Incident, as in incidents.';
COMMENT ON COLUMN incident_reports.feed IS 'Who said it.';
COMMENT ON COLUMN incident_reports.report_id IS 'The feed''s own name for the report.';
COMMENT ON COLUMN incident_reports.revision IS 'Revision that stands.';
COMMENT ON COLUMN incident_reports.why IS 'Why the report belongs to the incident.';

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
    violence_limit,
    covered_share,
    version
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
COMMENT ON COLUMN grid.violence_limit IS 'Incidents allowed; more of them break the day.';
COMMENT ON COLUMN grid.covered_share IS 'Share of the truce-day that enough feeds watched, 0 to 1.';
COMMENT ON COLUMN grid.version IS 'Number of the present version.';

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

CREATE OR REPLACE VIEW bulletin_counts AS
WITH told AS (
    SELECT feed, report_id, region, occurred_from, occurred_to,
           sum(incidents)::BIGINT AS bulletin_incidents, any_value(total) AS stated_total, bool_or(at_least) AS at_least
    FROM bulletins
    GROUP BY ALL
)
SELECT
    told.feed,
    told.report_id,
    told.region,
    coalesce(regions.name, told.region, 'whole country') AS region_name,
    told.occurred_from,
    told.occurred_to,
    told.bulletin_incidents,
    told.stated_total,
    told.at_least,
    count(counted.fact_offset) FILTER (told.region IS NULL OR counted.region = told.region) AS counted_incidents
FROM told
LEFT JOIN (SELECT region, occurred_from, fact_offset FROM incidents WHERE in_scope AND counted) counted
    ON counted.occurred_from >= told.occurred_from AND counted.occurred_from < told.occurred_to
LEFT JOIN regions ON pcode = told.region
GROUP BY ALL;
COMMENT ON VIEW bulletin_counts IS 'What monitors tallied beside what was counted here for the same region and period. Never to be added up.';
COMMENT ON COLUMN bulletin_counts.feed IS 'The monitor.';
COMMENT ON COLUMN bulletin_counts.report_id IS 'The monitor''s own name for the bulletin.';
COMMENT ON COLUMN bulletin_counts.region IS 'P-code; NULL for the whole country.';
COMMENT ON COLUMN bulletin_counts.region_name IS 'Name of the region, or whole country.';
COMMENT ON COLUMN bulletin_counts.occurred_from IS 'Start of the bulletin''s period.';
COMMENT ON COLUMN bulletin_counts.occurred_to IS 'End of the bulletin''s period, not part of it.';
COMMENT ON COLUMN bulletin_counts.bulletin_incidents IS 'Sum of the bulletin''s lines for the region.';
COMMENT ON COLUMN bulletin_counts.stated_total IS 'Total the bulletin states, whether or not its lines add up to it.';
COMMENT ON COLUMN bulletin_counts.at_least IS 'Whether the monitor says ''no less than''.';
COMMENT ON COLUMN bulletin_counts.counted_incidents IS 'Incidents in scope, counted here, that began in the period.';

CREATE OR REPLACE VIEW verdict_changes AS
SELECT
    later.region,
    coalesce(regions.name, later.region) AS region_name,
    later.truce_day,
    later.version,
    later.recorded_at,
    later.tick_offset,
    later.verdict,
    list_filter(
        [
            {'field': 'verdict', 'old': to_json(earlier.verdict), 'new': to_json(later.verdict)},
            {'field': 'state', 'old': to_json(earlier.state), 'new': to_json(later.state)},
            {'field': 'violence', 'old': to_json(earlier.violence), 'new': to_json(later.violence)},
            {'field': 'access', 'old': to_json(earlier.access), 'new': to_json(later.access)},
            {'field': 'incidents', 'old': to_json(earlier.incidents), 'new': to_json(later.incidents)},
            {'field': 'incidents_out_of_scope', 'old': to_json(earlier.incidents_out_of_scope),
             'new': to_json(later.incidents_out_of_scope)},
            {'field': 'violence_limit', 'old': to_json(earlier.violence_limit), 'new': to_json(later.violence_limit)},
            {'field': 'covered_share', 'old': to_json(earlier.covered_share), 'new': to_json(later.covered_share)},
            {'field': 'deaths_best', 'old': to_json(earlier.deaths_best), 'new': to_json(later.deaths_best)}
        ],
        lambda each: earlier.version IS NOT NULL AND each.old IS DISTINCT FROM each.new
    ) AS changed,
    list_concat(
        list_filter(later.evidence ->> '$.violence[*]',
                    lambda each: NOT list_contains(coalesce(earlier.evidence ->> '$.violence[*]', []), each)),
        list_filter(later.evidence ->> '$.access[*]',
                    lambda each: NOT list_contains(coalesce(earlier.evidence ->> '$.access[*]', []), each))
    ) AS evidence_added,
    list_concat(
        list_filter(coalesce(earlier.evidence ->> '$.violence[*]', []),
                    lambda each: NOT list_contains(later.evidence ->> '$.violence[*]', each)),
        list_filter(coalesce(earlier.evidence ->> '$.access[*]', []),
                    lambda each: NOT list_contains(later.evidence ->> '$.access[*]', each))
    ) AS evidence_removed,
    later.cause ->> '$.reports[*]' AS reports,
    coalesce((later.cause ->> '$.more')::INTEGER, 0) AS more_reports
FROM day_verdict_versions later
LEFT JOIN day_verdict_versions earlier
    ON earlier.region = later.region AND earlier.truce_day = later.truce_day AND earlier.version = later.version - 1
LEFT JOIN regions ON pcode = later.region;
COMMENT ON VIEW verdict_changes IS 'Every version of every verdict with what it changed of the version before, and the reports that caused it.';
COMMENT ON COLUMN verdict_changes.region IS 'P-code of the region.';
COMMENT ON COLUMN verdict_changes.region_name IS 'Name of the region.';
COMMENT ON COLUMN verdict_changes.truce_day IS 'Local date on which the truce-day starts.';
COMMENT ON COLUMN verdict_changes.version IS 'Number of the version, from 1.';
COMMENT ON COLUMN verdict_changes.recorded_at IS 'The ledger''s time at the tick that made this version.';
COMMENT ON COLUMN verdict_changes.tick_offset IS 'That tick''s place in the facts topic.';
COMMENT ON COLUMN verdict_changes.verdict IS 'Verdict of this version.';
COMMENT ON COLUMN verdict_changes.changed IS 'Fields that differ from the version before, each with its old and new value as JSON; empty for version 1.';
COMMENT ON COLUMN verdict_changes.evidence_added IS 'Incidents and convoys that decide the day now and did not before, as feed/name.';
COMMENT ON COLUMN verdict_changes.evidence_removed IS 'Those that decided it before and no longer do.';
COMMENT ON COLUMN verdict_changes.reports IS 'Reports that came since the day was last judged, as feed/report_id@revision: the first ten. Empty when it was only time.';
COMMENT ON COLUMN verdict_changes.more_reports IS 'How many more of them there were.';

CREATE OR REPLACE VIEW feed_silence AS
SELECT
    coverage.region,
    truce_day,
    feed,
    max(occurred_to) AS silent_since,
    least(ends_at, as_of) AS silent_until
FROM coverage
JOIN region_windows USING (region)
JOIN truce_days ON occurred_from < least(ends_at, as_of)
GROUP BY ALL
HAVING max(occurred_to) < least(ends_at, as_of);
COMMENT ON VIEW feed_silence IS 'Feeds that had watched a region and were silent when a truce-day ended, or at the last judgement while it runs.';
COMMENT ON COLUMN feed_silence.region IS 'P-code of the region.';
COMMENT ON COLUMN feed_silence.truce_day IS 'Local date on which the truce-day starts.';
COMMENT ON COLUMN feed_silence.feed IS 'Who is silent.';
COMMENT ON COLUMN feed_silence.silent_since IS 'End of its last watch of the region, by its present coverage notices.';
COMMENT ON COLUMN feed_silence.silent_until IS 'End of the truce-day, or the last judgement while it runs.';

CREATE OR REPLACE MACRO verdicts_as_of(t) AS TABLE
SELECT
    v.region,
    coalesce(regions.name, v.region) AS region_name,
    v.truce_day,
    v.version,
    v.verdict,
    CASE
        WHEN CAST(t AS TIMESTAMPTZ) < d.ends_at THEN 'OPEN'
        WHEN CAST(t AS TIMESTAMPTZ) < d.final_at THEN 'PROVISIONAL'
        WHEN v.state = 'AMENDED' THEN 'AMENDED'
        ELSE 'FINAL'
    END AS state,
    v.violence,
    v.access,
    v.incidents,
    v.incidents_out_of_scope,
    v.violence_limit,
    v.covered_share,
    v.deaths_best,
    v.reasons,
    v.evidence,
    v.recorded_at,
    v.tick_offset,
    v.cause,
    d.ends_at
FROM day_verdict_versions v
JOIN truce_days d USING (truce_day)
LEFT JOIN regions ON pcode = v.region
WHERE v.recorded_at <= CAST(t AS TIMESTAMPTZ)
QUALIFY row_number() OVER (PARTITION BY v.region, v.truce_day ORDER BY v.version DESC) = 1;
COMMENT ON MACRO TABLE verdicts_as_of IS 'What was held at an instant: of each region and truce-day the version valid then, its state as it was then. Counts are those of the version.';

CREATE OR REPLACE MACRO window_as_of(of_region, t) AS TABLE
WITH held AS (
    -- Every day up to the running one is judged at every tick: the last day held is the one that ran at the last tick
    -- before the instant, and the others were over.
    SELECT *, max(truce_day) OVER () AS last_day, truce_day < max(truce_day) OVER () AS completed
    FROM verdicts_as_of(t)
    WHERE region = of_region
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
    coalesce(sum(deaths_best) FILTER (truce_day > last_day - 7), 0)::BIGINT AS deaths_best,
    count(*) FILTER (completed AND (miss IS NULL OR truce_day > miss)) AS streak_days,
    any_value(miss) AS streak_ended_day,
    any_value(missed_by) AS streak_ended_by
FROM held, last_miss
GROUP BY region, region_name;
COMMENT ON MACRO TABLE window_as_of IS 'A region''s seven truce-days and streak as held at an instant, from the verdict versions valid then.';

CREATE OR REPLACE MACRO utc_text(instant) AS strftime(instant AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%SZ');
COMMENT ON MACRO utc_text IS 'An instant as ISO 8601 text in UTC, whatever the session''s time zone.';

CREATE OR REPLACE MACRO explain_day(of_region, of_day) AS TABLE
WITH verdict AS (
    SELECT * FROM day_verdicts WHERE region = of_region AND truce_day = CAST(of_day AS DATE)
), span AS (
    SELECT * FROM truce_days WHERE truce_day = CAST(of_day AS DATE)
), named AS (
    SELECT split_part(id, '/', 1) AS feed, substr(id, strpos(id, '/') + 1) AS name, id, leg, place
    FROM (
        SELECT unnest(evidence ->> '$.violence[*]') AS id, 'violence' AS leg,
               generate_subscripts(evidence ->> '$.violence[*]', 1) AS place
        FROM verdict
        UNION ALL
        SELECT unnest(evidence ->> '$.access[*]'), 'access',
               generate_subscripts(evidence ->> '$.access[*]', 1)
        FROM verdict
    )
), told AS (
    SELECT 1 AS part, 0 AS place, 'region' AS fact, name AS value, pcode AS detail FROM regions WHERE pcode = of_region
    UNION ALL SELECT 2, 0, 'truce-day', strftime(truce_day, '%Y-%m-%d'), utc_text(starts_at) || ' to ' || utc_text(ends_at) FROM span
    UNION ALL SELECT 3, 0, 'verdict', verdict, state || ', version ' || version || ' of ' || utc_text(recorded_at) FROM verdict
    UNION ALL SELECT 4, 1, 'violence', violence, NULL FROM verdict
    UNION ALL SELECT 4, 2, 'access', access, NULL FROM verdict
    UNION ALL SELECT 5, 1, 'incidents', incidents::VARCHAR, 'in scope' FROM verdict
    UNION ALL SELECT 5, 2, 'limit', violence_limit::VARCHAR, 'incidents allowed' FROM verdict
    UNION ALL SELECT 5, 3, 'out of scope', incidents_out_of_scope::VARCHAR, 'incidents that break nothing' FROM verdict
    UNION ALL SELECT 5, 4, 'deaths', deaths_best::VARCHAR, 'best estimates, in scope' FROM verdict
    UNION ALL SELECT 5, 5, 'covered share', covered_share::VARCHAR, 'of the truce-day, by enough feeds' FROM verdict
    UNION ALL
    SELECT 6, place, 'reason: ' || (reason ->> 'leg'), reason ->> 'rule', reason ->> 'text'
    FROM (SELECT unnest(reasons -> '$[*]') AS reason, generate_subscripts(reasons -> '$[*]', 1) AS place FROM verdict)
    UNION ALL
    SELECT 7, place, 'evidence: violence', named.id, reports.raw
    FROM named
    LEFT JOIN reports ON reports.feed = named.feed AND reports.report_id = named.name AND reports.present
    WHERE leg = 'violence'
    UNION ALL
    SELECT 8, place * 1000 + row_number() OVER (ORDER BY place, steps.occurred_from, steps.report_id),
           'evidence: access', named.id || coalesce(': ' || steps.step || ' at ' || utc_text(steps.occurred_from), ''), reports.raw
    FROM named
    LEFT JOIN convoy_events steps ON steps.feed = named.feed AND steps.convoy_id = named.name
    LEFT JOIN reports ON reports.feed = steps.feed AND reports.report_id = steps.report_id AND reports.present
    WHERE leg = 'access'
    UNION ALL
    SELECT 9, row_number() OVER (ORDER BY feed), 'feed', feed, incidents || ' incidents in scope'
    FROM feed_tallies
    WHERE region = of_region AND truce_day = CAST(of_day AS DATE)
    UNION ALL
    SELECT 10, row_number() OVER (ORDER BY c.occurred_from, c.feed, c.report_id), 'watched', c.feed || '/' || c.report_id,
           utc_text(c.occurred_from) || ' to ' || utc_text(c.occurred_to) || CASE WHEN c.nil THEN ', nothing to report' ELSE '' END
    FROM coverage c, span
    WHERE c.region = of_region AND c.occurred_from < span.ends_at AND c.occurred_to > span.starts_at
    UNION ALL
    SELECT 11, row_number() OVER (ORDER BY b.occurred_from, b.feed, b.report_id, b.line), 'bulletin', b.feed || '/' || b.report_id,
           b.incidents || coalesce(' ' || b.kind_as_given, '') || coalesce(', accused: ' || b.accused, '')
               || ', ' || utc_text(b.occurred_from) || ' to ' || utc_text(b.occurred_to)
    FROM bulletins b, span
    WHERE b.region = of_region AND b.occurred_from < span.ends_at AND b.occurred_to > span.starts_at
    UNION ALL
    SELECT 12, v.version, 'version ' || v.version, v.verdict,
           utc_text(v.recorded_at) || ', violence ' || v.violence || ', access ' || v.access || ', ' || v.incidents || ' incidents, cause '
               || v.cause
    FROM day_verdict_versions v
    WHERE v.region = of_region AND v.truce_day = CAST(of_day AS DATE)
)
SELECT fact, value, detail FROM told ORDER BY part, place;
COMMENT ON MACRO TABLE explain_day IS 'Why a region''s truce-day was judged as it was: one row for each fact worth knowing, with the raw reports.';
