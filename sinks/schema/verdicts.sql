-- Views and macros. They belong to the software: an opening makes them anew where the file has others. What stands
-- between two @ is filled in for the file (see sinks/definitions.py); @own_file@ holds in_use, true where a macro is asked in its own file.

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
    s.truce_day,
    s.version,
    s.verdict,
    -- Past the last judgement nothing is held yet: no day ends and none settles there.
    CASE
        WHEN least(CAST(t AS TIMESTAMPTZ), l.now) < d.ends_at THEN 'OPEN'
        WHEN least(CAST(t AS TIMESTAMPTZ), l.now) < d.final_at THEN 'PROVISIONAL'
        WHEN s.state = 'AMENDED' THEN 'AMENDED'
        ELSE 'FINAL'
    END AS state,
    s.violence,
    s.access,
    s.incidents,
    s.incidents_out_of_scope,
    s.bulletin_incidents,
    s.violence_limit,
    s.covered_share,
    s.deaths_low,
    s.deaths_best,
    s.deaths_high,
    s.reasons,
    s.evidence,
    made.recorded_at,
    made.tick_offset,
    made.cause,
    s.rule,
    s.contested_by,
    s.incidents_sure,
    s.incidents_possible,
    s.refused_pending,
    s.incidents_without_toll,
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
COMMENT ON COLUMN day_verdicts.region IS 'P-code of the region.';
COMMENT ON COLUMN day_verdicts.truce_day IS 'Local date on which the truce-day starts.';
COMMENT ON COLUMN day_verdicts.version IS 'Number of the present version, from 1; all are in day_verdict_versions.';
COMMENT ON COLUMN day_verdicts.verdict IS 'BROKEN if any leg is, else UNKNOWN if any is, else MET.';
COMMENT ON COLUMN day_verdicts.state IS 'OPEN, PROVISIONAL, FINAL, or AMENDED when changed after it was final.';
COMMENT ON COLUMN day_verdicts.violence IS 'Finding of the violence leg: MET, BROKEN or UNKNOWN.';
COMMENT ON COLUMN day_verdicts.access IS 'Finding of the access leg: MET, BROKEN, UNKNOWN or NOT_OWED.';
COMMENT ON COLUMN day_verdicts.incidents IS 'Incidents in scope.';
COMMENT ON COLUMN day_verdicts.incidents_out_of_scope IS 'Incidents outside the scope; they break nothing.';
COMMENT ON COLUMN day_verdicts.bulletin_incidents IS 'Count of the bulletin held against the limit, where the agreement measures by a monitor''s bulletins; NULL where it does not, or there is none.';
COMMENT ON COLUMN day_verdicts.violence_limit IS 'Incidents allowed; more of them break the day.';
COMMENT ON COLUMN day_verdicts.covered_share IS 'Share of the truce-day that enough feeds watched, 0 to 1.';
COMMENT ON COLUMN day_verdicts.deaths_low IS 'Sum of low estimates of deaths, in scope; NULL where no incident states a toll.';
COMMENT ON COLUMN day_verdicts.deaths_best IS 'Sum of best estimates of deaths, in scope; NULL where no incident states a toll.';
COMMENT ON COLUMN day_verdicts.deaths_high IS 'Sum of high estimates of deaths, in scope; NULL where no incident states a toll.';
COMMENT ON COLUMN day_verdicts.reasons IS 'Why, as JSON.';
COMMENT ON COLUMN day_verdicts.evidence IS 'Ids of the reports that decided it, as JSON.';
COMMENT ON COLUMN day_verdicts.recorded_at IS 'The ledger''s time at the tick that made this version.';
COMMENT ON COLUMN day_verdicts.tick_offset IS 'That tick''s number along the facts topic: the facts before it are what the version rests on.';
COMMENT ON COLUMN day_verdicts.cause IS 'What changed, as JSON.';
COMMENT ON COLUMN day_verdicts.rule IS 'Rule that decided the verdict, as in reasons; that of the violence leg where both legs did.';
COMMENT ON COLUMN day_verdicts.contested_by IS 'Feeds whose bulletins count more than the limit of a day whose violence leg is UNKNOWN by rule contested; NULL of any other day.';
COMMENT ON COLUMN day_verdicts.incidents_sure IS 'Incidents in scope that surely happened on this day, their interval being short enough.';
COMMENT ON COLUMN day_verdicts.incidents_possible IS 'Incidents in scope of longer intervals that touch this day; each is possible on several days, and adds up over none.';
COMMENT ON COLUMN day_verdicts.refused_pending IS 'Reports of the region and day that were refused and are pending: not accepted since, nor dismissed. In no count of incidents.';
COMMENT ON COLUMN day_verdicts.incidents_without_toll IS 'Incidents in scope of which no toll is stated.';

CREATE OR REPLACE VIEW day_verdict_versions AS
SELECT * EXCLUDE (new_version) FROM verdict_log WHERE new_version;
COMMENT ON VIEW day_verdict_versions IS 'Every version of every verdict, with the figures it was made with. Rows are only added; day_figures tells what the figures came to until the next one, and verdicts_as_of(t) what was held at t.';
COMMENT ON COLUMN day_verdict_versions.region IS 'P-code of the region.';
COMMENT ON COLUMN day_verdict_versions.truce_day IS 'Local date on which the truce-day starts.';
COMMENT ON COLUMN day_verdict_versions.version IS 'Number of the version, from 1.';
COMMENT ON COLUMN day_verdict_versions.verdict IS 'BROKEN if any leg is, else UNKNOWN if any is, else MET.';
COMMENT ON COLUMN day_verdict_versions.state IS 'State of the day when the version was made.';
COMMENT ON COLUMN day_verdict_versions.violence IS 'Finding of the violence leg: MET, BROKEN or UNKNOWN.';
COMMENT ON COLUMN day_verdict_versions.access IS 'Finding of the access leg: MET, BROKEN, UNKNOWN or NOT_OWED.';
COMMENT ON COLUMN day_verdict_versions.incidents IS 'Incidents in scope.';
COMMENT ON COLUMN day_verdict_versions.incidents_out_of_scope IS 'Incidents outside the scope; they break nothing.';
COMMENT ON COLUMN day_verdict_versions.bulletin_incidents IS 'Count of the bulletin held against the limit, where the agreement measures by a monitor''s bulletins; NULL where it does not, or there is none.';
COMMENT ON COLUMN day_verdict_versions.violence_limit IS 'Incidents allowed; more of them break the day.';
COMMENT ON COLUMN day_verdict_versions.covered_share IS 'Share of the truce-day that enough feeds watched, 0 to 1.';
COMMENT ON COLUMN day_verdict_versions.deaths_low IS 'Sum of low estimates of deaths, in scope; NULL where no incident states a toll.';
COMMENT ON COLUMN day_verdict_versions.deaths_best IS 'Sum of best estimates of deaths, in scope; NULL where no incident states a toll.';
COMMENT ON COLUMN day_verdict_versions.deaths_high IS 'Sum of high estimates of deaths, in scope; NULL where no incident states a toll.';
COMMENT ON COLUMN day_verdict_versions.reasons IS 'Why, as JSON.';
COMMENT ON COLUMN day_verdict_versions.evidence IS 'Ids of the reports that decided it, as JSON.';
COMMENT ON COLUMN day_verdict_versions.recorded_at IS 'The ledger''s time at the tick that made this version.';
COMMENT ON COLUMN day_verdict_versions.tick_offset IS 'That tick''s number along the facts topic: the facts before it are what the version rests on.';
COMMENT ON COLUMN day_verdict_versions.cause IS 'What changed, as JSON.';
COMMENT ON COLUMN day_verdict_versions.rule IS 'Rule that decided the verdict, as in reasons; that of the violence leg where both legs did.';
COMMENT ON COLUMN day_verdict_versions.contested_by IS 'Feeds whose bulletins count more than the limit of a day whose violence leg is UNKNOWN by rule contested; NULL of any other day.';
COMMENT ON COLUMN day_verdict_versions.incidents_sure IS 'Incidents in scope that surely happened on this day, their interval being short enough.';
COMMENT ON COLUMN day_verdict_versions.incidents_possible IS 'Incidents in scope of longer intervals that touch this day; each is possible on several days, and adds up over none.';
COMMENT ON COLUMN day_verdict_versions.refused_pending IS 'Reports of the region and day that were refused and are pending: not accepted since, nor dismissed. In no count of incidents.';
COMMENT ON COLUMN day_verdict_versions.incidents_without_toll IS 'Incidents in scope of which no toll is stated.';

CREATE OR REPLACE VIEW day_figures AS
SELECT region, truce_day, version, state, incidents, incidents_out_of_scope, bulletin_incidents, covered_share,
       deaths_low, deaths_best, deaths_high, reasons, recorded_at, tick_offset, cause, rule, contested_by,
       incidents_sure, incidents_possible, refused_pending, incidents_without_toll
FROM verdict_log WHERE NOT new_version;
COMMENT ON VIEW day_figures IS 'What the figures of a verdict came to at a tick that made no version: until a day is final, other figures alone make none. Rows are only added; each stands until the next of its day, be it here or a version.';
COMMENT ON COLUMN day_figures.region IS 'P-code of the region.';
COMMENT ON COLUMN day_figures.truce_day IS 'Local date on which the truce-day starts.';
COMMENT ON COLUMN day_figures.version IS 'The version whose figures they became.';
COMMENT ON COLUMN day_figures.state IS 'State of the day at that tick.';
COMMENT ON COLUMN day_figures.incidents IS 'Incidents in scope.';
COMMENT ON COLUMN day_figures.incidents_out_of_scope IS 'Incidents outside the scope; they break nothing.';
COMMENT ON COLUMN day_figures.bulletin_incidents IS 'Count of the bulletin held against the limit, where the agreement measures by a monitor''s bulletins; NULL where it does not, or there is none.';
COMMENT ON COLUMN day_figures.covered_share IS 'Share of the truce-day that enough feeds watched, 0 to 1.';
COMMENT ON COLUMN day_figures.deaths_low IS 'Sum of low estimates of deaths, in scope; NULL where no incident states a toll.';
COMMENT ON COLUMN day_figures.deaths_best IS 'Sum of best estimates of deaths, in scope; NULL where no incident states a toll.';
COMMENT ON COLUMN day_figures.deaths_high IS 'Sum of high estimates of deaths, in scope; NULL where no incident states a toll.';
COMMENT ON COLUMN day_figures.reasons IS 'Why, as JSON.';
COMMENT ON COLUMN day_figures.recorded_at IS 'The ledger''s time at the tick at which they moved.';
COMMENT ON COLUMN day_figures.tick_offset IS 'That tick''s number along the facts topic: the facts before it are what the figures rest on.';
COMMENT ON COLUMN day_figures.cause IS 'What changed, as JSON: the reports told since the tick before.';
COMMENT ON COLUMN day_figures.rule IS 'Rule that decided the verdict, as in reasons; that of the violence leg where both legs did.';
COMMENT ON COLUMN day_figures.contested_by IS 'Feeds whose bulletins count more than the limit of a day whose violence leg is UNKNOWN by rule contested; NULL of any other day.';
COMMENT ON COLUMN day_figures.incidents_sure IS 'Incidents in scope that surely happened on this day, their interval being short enough.';
COMMENT ON COLUMN day_figures.incidents_possible IS 'Incidents in scope of longer intervals that touch this day; each is possible on several days, and adds up over none.';
COMMENT ON COLUMN day_figures.refused_pending IS 'Reports of the region and day that were refused and are pending: not accepted since, nor dismissed. In no count of incidents.';
COMMENT ON COLUMN day_figures.incidents_without_toll IS 'Incidents in scope of which no toll is stated.';

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
