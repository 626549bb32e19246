-- Views and macros. They belong to the software: an opening makes them anew where the file has others. What stands
-- between two @ is filled in for the file (see sinks/definitions.py); columns of a verdict
-- are commented in v*.sql, for verdict_log, and here where a view says more of one. @own_file@ holds in_use, true where a macro is asked in its own file.

CREATE SCHEMA IF NOT EXISTS @asked@;
CREATE VIEW IF NOT EXISTS @asked@.file AS SELECT file_id, agreement_id FROM main.about;
COMMENT ON VIEW @asked@.file IS '@mark@';

CREATE OR REPLACE MACRO verdicts_as_of(t) AS TABLE
WITH standing AS (
    SELECT * FROM verdict_log
    WHERE recorded_at <= CAST(t AS TIMESTAMPTZ)
    QUALIFY row_number() OVER (PARTITION BY region, truce_day ORDER BY version DESC, tick_offset DESC) = 1
)
SELECT
    s.region,
    coalesce(regions.name, s.region) AS region_name,
    s.* EXCLUDE (region, new_version) REPLACE (
        -- Past the last judgement nothing is held yet: no day ends and none settles there.
        CASE
            WHEN least(CAST(t AS TIMESTAMPTZ), l.now) < d.ends_at THEN 'OPEN'
            WHEN least(CAST(t AS TIMESTAMPTZ), l.now) < d.final_at THEN 'PROVISIONAL'
            WHEN s.state = 'AMENDED' THEN 'AMENDED'
            ELSE 'FINAL'
        END AS state,
        made.recorded_at AS recorded_at,
        made.tick_offset AS tick_offset,
        made.cause AS cause
    ),
    d.ends_at,
    s.recorded_at AS figures_at,
    s.tick_offset AS figures_offset
FROM @own_file@
CROSS JOIN standing s
JOIN verdict_log made USING (region, truce_day, version)
JOIN truce_days d USING (truce_day)
CROSS JOIN ledger_state l
LEFT JOIN regions ON pcode = s.region
WHERE in_use AND made.new_version;
COMMENT ON MACRO TABLE verdicts_as_of IS 'What was held at an instant: of each region and truce-day the row as it stood then, columns as in day_verdicts. figures_at and figures_offset are the time and the tick of its figures, which may be later than the version''s.';

CREATE OR REPLACE VIEW day_verdicts AS
SELECT * EXCLUDE (region_name, ends_at, figures_at, figures_offset) FROM verdicts_as_of('infinity');
COMMENT ON VIEW day_verdicts IS 'The present verdict of each region and truce-day.';
COMMENT ON COLUMN day_verdicts.version IS 'Number of the present version, from 1; all are in day_verdict_versions.';
COMMENT ON COLUMN day_verdicts.state IS 'OPEN, PROVISIONAL, FINAL, or AMENDED when changed after it was final.';
COMMENT ON COLUMN day_verdicts.recorded_at IS 'The ledger''s time at the tick that made this version.';
COMMENT ON COLUMN day_verdicts.tick_offset IS 'That tick''s number along the facts topic: the facts before it are what the version rests on.';

CREATE OR REPLACE VIEW day_verdict_versions AS
SELECT * EXCLUDE (new_version) FROM verdict_log WHERE new_version;
COMMENT ON VIEW day_verdict_versions IS 'Every version of every verdict, with the figures it was made with. Rows are only added; day_figures tells what the figures came to until the next one, and verdicts_as_of(t) what was held at t.';
COMMENT ON COLUMN day_verdict_versions.version IS 'Number of the version, from 1.';
COMMENT ON COLUMN day_verdict_versions.state IS 'State of the day when the version was made.';
COMMENT ON COLUMN day_verdict_versions.recorded_at IS 'The ledger''s time at the tick that made this version.';
COMMENT ON COLUMN day_verdict_versions.tick_offset IS 'That tick''s number along the facts topic: the facts before it are what the version rests on.';

CREATE OR REPLACE VIEW day_figures AS
SELECT * EXCLUDE (new_version, @made_by_versions@)
FROM verdict_log WHERE NOT new_version;
COMMENT ON VIEW day_figures IS 'What the figures of a verdict came to at a tick that made no version: until a day is final, other figures alone make none. Rows are only added; each stands until the next of its day, be it here or a version.';
COMMENT ON COLUMN day_figures.version IS 'The version whose figures they became.';
COMMENT ON COLUMN day_figures.recorded_at IS 'The ledger''s time at the tick at which they moved.';
COMMENT ON COLUMN day_figures.tick_offset IS 'That tick''s number along the facts topic: the facts before it are what the figures rest on.';
COMMENT ON COLUMN day_figures.cause IS 'What changed, as JSON: the reports told since the tick before.';

CREATE OR REPLACE VIEW gate AS
SELECT * FROM gate_history QUALIFY row_number() OVER (ORDER BY tick_offset DESC) = 1;
COMMENT ON VIEW gate IS 'The gate now: at most one row. Open when every region it needs has a long enough streak.';
COMMENT ON COLUMN gate.recorded_at IS 'The ledger''s time at the tick that judged it.';
COMMENT ON COLUMN gate.tick_offset IS 'That tick''s number along the facts topic.';
COMMENT ON COLUMN gate.is_open IS 'Whether the test of the agreement holds.';
COMMENT ON COLUMN gate.required_days IS 'MET truce-days in a row the agreement asks for.';
COMMENT ON COLUMN gate.shortest_streak IS 'The shortest streak among the regions the gate needs.';
COMMENT ON COLUMN gate.regions_holding IS 'How many of them have a long enough streak.';
COMMENT ON COLUMN gate.regions_needed IS 'How many regions the gate needs.';
COMMENT ON COLUMN gate.reason IS 'Why it is open or closed, in one line.';
