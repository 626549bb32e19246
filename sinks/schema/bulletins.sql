-- Monitors' bulletins beside the incidents counted here. Never to be added up: not with incidents, not with each other.

CREATE OR REPLACE VIEW bulletin_counts AS
WITH told AS (
    SELECT feed, report_id, region, truce_day, occurred_from, occurred_to, period_as_given, reported_at, total, adds_up, at_least,
           sum(incidents)::BIGINT AS bulletin_incidents,
           coalesce(sum(incidents) FILTER (NOT in_scope), 0)::BIGINT AS out_of_scope
    FROM bulletins
    GROUP BY ALL
)
SELECT
    told.feed,
    told.report_id,
    told.region,
    coalesce(regions.name, told.region, 'whole country') AS region_name,
    told.truce_day,
    told.occurred_from,
    told.occurred_to,
    told.period_as_given,
    told.reported_at,
    told.bulletin_incidents,
    told.out_of_scope,
    told.total AS stated_total,
    told.adds_up,
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
COMMENT ON COLUMN bulletin_counts.truce_day IS 'Truce-day the bulletin is of; NULL when its period is longer than 25 hours.';
COMMENT ON COLUMN bulletin_counts.occurred_from IS 'Start of the bulletin''s period.';
COMMENT ON COLUMN bulletin_counts.occurred_to IS 'End of the bulletin''s period, its cut-off; not part of it.';
COMMENT ON COLUMN bulletin_counts.period_as_given IS 'What the source says of the period and its cut-off, in its words.';
COMMENT ON COLUMN bulletin_counts.reported_at IS 'When the monitor said it.';
COMMENT ON COLUMN bulletin_counts.bulletin_incidents IS 'Sum of the bulletin''s lines for the region.';
COMMENT ON COLUMN bulletin_counts.out_of_scope IS 'The part of it whose accused party the agreement names as outside.';
COMMENT ON COLUMN bulletin_counts.stated_total IS 'Total the bulletin states, whether or not its lines add up to it.';
COMMENT ON COLUMN bulletin_counts.adds_up IS 'Whether all its lines come to that total; true when it states none.';
COMMENT ON COLUMN bulletin_counts.at_least IS 'Whether the monitor says ''no less than''.';
COMMENT ON COLUMN bulletin_counts.counted_incidents IS 'Incidents in scope, counted here, that began in the period.';

CREATE OR REPLACE VIEW bulletin_days AS
WITH told AS (
    SELECT feed, truce_day, region, accused, in_scope, report_id, occurred_from, occurred_to, period_as_given, reported_at,
           total, adds_up, at_least, sum(incidents)::BIGINT AS bulletin_incidents
    FROM bulletins
    WHERE truce_day IS NOT NULL
    GROUP BY ALL
), counted AS (
    SELECT coalesce(region, '') AS region, truce_day, sum(incidents)::BIGINT AS incidents
    FROM day_tallies
    GROUP BY GROUPING SETS ((region, truce_day), (truce_day))
)
SELECT
    told.feed,
    told.accused,
    told.region,
    coalesce(regions.name, told.region, 'whole country') AS region_name,
    told.truce_day,
    told.in_scope,
    told.report_id,
    told.occurred_from,
    told.occurred_to,
    told.period_as_given,
    told.reported_at,
    dense_rank() OVER (
        PARTITION BY told.feed, told.region, told.truce_day ORDER BY told.reported_at DESC, told.report_id DESC
    ) = 1 AS told_last,
    told.bulletin_incidents,
    told.total AS stated_total,
    told.adds_up,
    told.at_least,
    coalesce(counted.incidents, 0) AS counted_incidents
FROM told
LEFT JOIN counted ON counted.region = coalesce(told.region, '') AND counted.truce_day = told.truce_day
LEFT JOIN regions ON pcode = told.region;
COMMENT ON VIEW bulletin_days IS 'What each monitor tallied by accused party, region and truce-day, beside the incidents counted here for that region and day. Never to be added up.';
COMMENT ON COLUMN bulletin_days.feed IS 'The monitor.';
COMMENT ON COLUMN bulletin_days.accused IS 'Whom the monitor holds responsible, as written; a claim; NULL when it names nobody.';
COMMENT ON COLUMN bulletin_days.region IS 'P-code; NULL for the whole country.';
COMMENT ON COLUMN bulletin_days.region_name IS 'Name of the region, or whole country.';
COMMENT ON COLUMN bulletin_days.truce_day IS 'Truce-day holding the largest part of the bulletin''s period; longer bulletins are in bulletin_counts alone.';
COMMENT ON COLUMN bulletin_days.in_scope IS 'Whether one of the accused is not among whom the agreement names as outside; true when none is named.';
COMMENT ON COLUMN bulletin_days.report_id IS 'The monitor''s own name for the bulletin.';
COMMENT ON COLUMN bulletin_days.occurred_from IS 'Start of the bulletin''s period.';
COMMENT ON COLUMN bulletin_days.occurred_to IS 'End of the bulletin''s period, its cut-off; not part of it.';
COMMENT ON COLUMN bulletin_days.period_as_given IS 'What the source says of the period and its cut-off, in its words.';
COMMENT ON COLUMN bulletin_days.reported_at IS 'When the monitor said it.';
COMMENT ON COLUMN bulletin_days.told_last IS 'Whether it is the monitor''s latest for the region and day: the one a measure by bulletins uses.';
COMMENT ON COLUMN bulletin_days.bulletin_incidents IS 'Sum of the bulletin''s lines for the accused party and region.';
COMMENT ON COLUMN bulletin_days.stated_total IS 'Total the whole bulletin states.';
COMMENT ON COLUMN bulletin_days.adds_up IS 'Whether all lines of the bulletin come to that total; true when it states none.';
COMMENT ON COLUMN bulletin_days.at_least IS 'Whether the monitor says ''no less than''.';
COMMENT ON COLUMN bulletin_days.counted_incidents IS 'Incidents in scope counted here for the region and truce-day, whoever is accused.';

CREATE OR REPLACE MACRO held_against_limit(incidents, bulletin_incidents) AS
    CASE WHEN @bulletins_of@ IS NULL THEN incidents ELSE bulletin_incidents END;
COMMENT ON MACRO held_against_limit IS 'Which of a verdict''s counts is held against its limit under the file''s agreement; NULL where it goes by bulletins and there is none.';
