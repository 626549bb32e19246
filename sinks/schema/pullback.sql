-- Positions held against the lines of the agreement, for those who read. Views belong to the software, like views.sql.

CREATE OR REPLACE VIEW pullback AS
SELECT
    truce_day,
    party,
    unit,
    weapon_class,
    lines.name AS line_name,
    finding,
    rule,
    side,
    distance_metres,
    f.uncertainty_metres AS total_uncertainty_metres,
    limit_metres,
    uncertainty,
    uncertainty_unit,
    p.uncertainty_metres,
    stated_distance,
    stated_distance_unit,
    stated_distance_metres,
    list_position(['VIOLATION', 'INDETERMINATE', 'COMPLIANT', 'NOT_BOUND', 'OUT_OF_REACH', 'NOT_IN_FORCE'], finding) AS worst_first,
    occurred_from,
    occurred_to,
    place_name,
    latitude,
    longitude,
    feed,
    report_id,
    line
FROM positions p
JOIN position_findings f USING (feed, report_id)
LEFT JOIN (
    SELECT line ->> '$.id' AS line, line ->> '$.name' AS name
    FROM (SELECT unnest(agreement -> '$.pullback[*]') AS line FROM about)
) lines USING (line);
COMMENT ON VIEW pullback IS 'Positions with what is found of them for each line. ORDER BY truce_day, party, worst_first. Part of no verdict.';
COMMENT ON COLUMN pullback.truce_day IS 'Truce-day holding the largest part of the stated interval.';
COMMENT ON COLUMN pullback.party IS 'Party, as the source names it.';
COMMENT ON COLUMN pullback.unit IS 'Unit or weapon, as the source names it.';
COMMENT ON COLUMN pullback.weapon_class IS 'What it has, in the agreement''s words.';
COMMENT ON COLUMN pullback.line_name IS 'Name of the line.';
COMMENT ON COLUMN pullback.finding IS 'VIOLATION, INDETERMINATE, COMPLIANT, NOT_BOUND, OUT_OF_REACH or NOT_IN_FORCE. Only VIOLATION is one.';
COMMENT ON COLUMN pullback.rule IS 'What the finding rests on.';
COMMENT ON COLUMN pullback.side IS 'Side of the line; NULL when not clear.';
COMMENT ON COLUMN pullback.distance_metres IS 'Geodesic distance to the line, to the decimetre; NULL beyond 50 km.';
COMMENT ON COLUMN pullback.total_uncertainty_metres IS 'Uncertainty of the position plus that of the line; NULL when the report states none.';
COMMENT ON COLUMN pullback.limit_metres IS 'Least distance it was held against; NULL when none binds it, or two different ones may.';
COMMENT ON COLUMN pullback.uncertainty IS 'Uncertainty of the position, in the unit it was given in.';
COMMENT ON COLUMN pullback.uncertainty_unit IS 'That unit.';
COMMENT ON COLUMN pullback.uncertainty_metres IS 'Uncertainty of the position, in metres.';
COMMENT ON COLUMN pullback.stated_distance IS 'Distance as the source states it, in the unit it was given in; decides nothing.';
COMMENT ON COLUMN pullback.stated_distance_unit IS 'That unit.';
COMMENT ON COLUMN pullback.stated_distance_metres IS 'The same in metres.';
COMMENT ON COLUMN pullback.worst_first IS '1 for VIOLATION to 6 for NOT_IN_FORCE: the order from worst to best.';
COMMENT ON COLUMN pullback.occurred_from IS 'Start of the stated interval.';
COMMENT ON COLUMN pullback.occurred_to IS 'End of the stated interval, not part of it.';
COMMENT ON COLUMN pullback.place_name IS 'Most exact name of the place, as the source writes it.';
COMMENT ON COLUMN pullback.latitude IS 'WGS 84 degrees.';
COMMENT ON COLUMN pullback.longitude IS 'WGS 84 degrees.';
COMMENT ON COLUMN pullback.feed IS 'Who said it.';
COMMENT ON COLUMN pullback.report_id IS 'The feed''s own name for the report.';
COMMENT ON COLUMN pullback.line IS 'Id of the line in the agreement.';

CREATE OR REPLACE VIEW pullback_days AS
SELECT
    truce_day,
    line,
    line_name,
    party,
    arg_min(finding, worst_first) AS worst,
    count(*) FILTER (finding = 'VIOLATION') AS violations,
    count(*) FILTER (finding = 'INDETERMINATE') AS indeterminate,
    count(*) FILTER (finding = 'COMPLIANT') AS compliant,
    count(*) FILTER (finding = 'NOT_BOUND') AS not_bound,
    count(*) FILTER (finding IN ('OUT_OF_REACH', 'NOT_IN_FORCE')) AS not_judged
FROM pullback
GROUP BY ALL;
COMMENT ON VIEW pullback_days IS 'Positions of one party on one truce-day by what is found of them. INDETERMINATE is no violation.';
COMMENT ON COLUMN pullback_days.truce_day IS 'Local date on which the truce-day starts.';
COMMENT ON COLUMN pullback_days.line IS 'Id of the line in the agreement.';
COMMENT ON COLUMN pullback_days.line_name IS 'Name of the line.';
COMMENT ON COLUMN pullback_days.party IS 'Party, as the sources name it.';
COMMENT ON COLUMN pullback_days.worst IS 'The worst finding of the day.';
COMMENT ON COLUMN pullback_days.violations IS 'Positions surely nearer than allowed.';
COMMENT ON COLUMN pullback_days.indeterminate IS 'Positions of which their uncertainty does not tell.';
COMMENT ON COLUMN pullback_days.compliant IS 'Positions surely far enough away.';
COMMENT ON COLUMN pullback_days.not_bound IS 'Positions no band is for.';
COMMENT ON COLUMN pullback_days.not_judged IS 'Positions out of reach, or of a day the line is not in force.';
