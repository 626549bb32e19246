-- Figures to be quoted: tolls, rolling windows, convoys that are due, what feeds say against each other, streaks and the gate.
-- Nothing here is stored: every row follows from the tables as they stand.

CREATE OR REPLACE VIEW flagged_tolls AS
SELECT
    region,
    name AS region_name,
    truce_day,
    feed,
    report_id,
    revision,
    toll_flaw IS NULL AS counted,
    coalesce(toll_flaw, 'best ' || deaths_best || ' is ' || CASE WHEN deaths_best < deaths_low THEN 'below low ' || deaths_low
                                                              ELSE 'above high ' || deaths_high END) AS flaw,
    fact_offset
FROM reports
JOIN regions ON pcode = region
WHERE type = 'incident' AND present AND NOT retracted
    AND (toll_flaw IS NOT NULL OR coalesce(deaths_best < deaths_low, false) OR coalesce(deaths_best > deaths_high, false));
COMMENT ON VIEW flagged_tolls IS 'Standing incident reports whose estimates of deaths are out of order: why sums of such a day may be.';
COMMENT ON COLUMN flagged_tolls.region IS 'P-code of the region.';
COMMENT ON COLUMN flagged_tolls.region_name IS 'Name of the region.';
COMMENT ON COLUMN flagged_tolls.truce_day IS 'Truce-day holding the largest part of the stated interval.';
COMMENT ON COLUMN flagged_tolls.feed IS 'Who said it.';
COMMENT ON COLUMN flagged_tolls.report_id IS 'The feed''s own name for the report.';
COMMENT ON COLUMN flagged_tolls.revision IS 'Revision that stands.';
COMMENT ON COLUMN flagged_tolls.counted IS 'Whether the toll counts as it is stated; false where its low estimate is above its high one.';
COMMENT ON COLUMN flagged_tolls.flaw IS 'What is out of order.';
COMMENT ON COLUMN flagged_tolls.fact_offset IS 'Number of the standing revision along the facts topic.';

CREATE OR REPLACE VIEW region_windows_daily AS
WITH odd_days AS (
    SELECT odd.key::DATE AS odd_day, sum(odd.value - 86400) OVER (ORDER BY odd.key::DATE) AS extra
    FROM (SELECT unnest(map_entries((calendar -> '$.lengths')::MAP(VARCHAR, BIGINT))) AS odd FROM about)
), listed AS (
    SELECT unnest(generate_series('@baseline@'::DATE - 1, (SELECT max(truce_day) FROM truce_days), INTERVAL 1 DAY))::DATE AS truce_day
), ends AS (
    SELECT truce_day, make_timestamptz(1000000 * (
        (SELECT (calendar ->> '$.first')::BIGINT FROM about) + 86400 * (truce_day - DATE '1970-12-31') + coalesce(extra, 0)::BIGINT
    )) AS ends_at
    FROM listed ASOF LEFT JOIN odd_days ON odd_day <= truce_day
), days AS (
    -- The last hour of a day that is over is the one its last instant lies in; that of the running day, the running one.
    SELECT truce_day, ends_at, truce_day >= '@first_day@' AS judged, lag(ends_at) OVER (ORDER BY truce_day) AS starts_at,
           (least(epoch_us(ends_at) - 1, epoch_us((SELECT now FROM ledger_state)))) // 3600000000 AS last_hour
    FROM ends
), begun AS (
    SELECT region, epoch_us(occurred_from) // 3600000000 AS hour, count(*) AS incidents, sum(deaths_best) AS deaths_best,
           count(deaths_high) AS tolls
    FROM incidents
    WHERE in_scope AND counted
    GROUP BY ALL
), begun_by AS MATERIALIZED (
    SELECT region, hour, sum(incidents) OVER w AS incidents, sum(deaths_best) OVER w AS deaths_best, sum(tolls) OVER w AS tolls
    FROM begun
    WINDOW w AS (PARTITION BY region ORDER BY hour)
), deliveries AS (
    SELECT region, truce_day, sum(people_reached) AS people_reached
    FROM (SELECT region, delivered_at, people_reached FROM convoys WHERE delivered_at <= (SELECT now FROM ledger_state))
    -- A date that the zone skipped ends when the day before it ends: a delivery of that day would be found in either.
    ASOF JOIN (FROM days WHERE starts_at < ends_at) lasting ON delivered_at < ends_at
    WHERE starts_at <= delivered_at
    GROUP BY ALL
), figures AS (
    SELECT
        pcode AS region,
        name AS region_name,
        days.truce_day,
        days.judged,
        days.last_hour,
        days.last_hour - 168 AS hour_before,
        v.verdict,
        v.covered_share,
        d.people_reached,
        CASE WHEN v.region IS NULL THEN coalesce(tally.incidents, 0) ELSE v.incidents END AS incidents,
        CASE WHEN v.region IS NULL THEN tally.deaths_low ELSE v.deaths_low END AS deaths_low,
        CASE WHEN v.region IS NULL THEN tally.deaths_best ELSE v.deaths_best END AS deaths_best,
        CASE WHEN v.region IS NULL THEN tally.deaths_high ELSE v.deaths_high END AS deaths_high,
        CASE WHEN v.region IS NULL THEN coalesce(tally.incidents_without_toll, 0) ELSE v.incidents_without_toll END
            AS incidents_without_toll
    FROM regions
    CROSS JOIN days
    LEFT JOIN day_verdicts v ON v.region = pcode AND v.truce_day = days.truce_day
    LEFT JOIN day_tallies tally ON tally.region = pcode AND tally.truce_day = days.truce_day
    LEFT JOIN deliveries d ON d.region = pcode AND d.truce_day = days.truce_day
    WHERE days.starts_at IS NOT NULL
), summed AS (
    SELECT
        region,
        region_name,
        truce_day,
        last_hour,
        hour_before,
        min(truce_day) OVER w AS first_day,
        count(verdict) FILTER (verdict = 'MET') OVER w AS days_met,
        count(verdict) FILTER (verdict = 'BROKEN') OVER w AS days_broken,
        count(verdict) FILTER (verdict = 'UNKNOWN') OVER w AS days_unknown,
        avg(covered_share) OVER w AS covered_share,
        sum(incidents) OVER w AS incidents,
        sum(incidents_without_toll) OVER w AS incidents_without_toll,
        sum(deaths_low) OVER w AS deaths_low,
        sum(deaths_best) OVER w AS deaths_best,
        sum(deaths_high) OVER w AS deaths_high,
        sum(people_reached) OVER w AS people_reached
    FROM figures
    WINDOW w AS (PARTITION BY region, judged ORDER BY truce_day ROWS BETWEEN 6 PRECEDING AND CURRENT ROW)
)
SELECT
    s.region,
    region_name,
    truce_day,
    first_day,
    days_met,
    days_broken,
    days_unknown,
    covered_share,
    s.incidents::BIGINT AS incidents,
    s.incidents_without_toll::BIGINT AS incidents_without_toll,
    deaths_low::BIGINT AS deaths_low,
    s.deaths_best::BIGINT AS deaths_best,
    deaths_high::BIGINT AS deaths_high,
    people_reached::BIGINT AS people_reached,
    (coalesce(upto.incidents, 0) - coalesce(before.incidents, 0))::BIGINT AS incidents_168h,
    CASE WHEN coalesce(upto.tolls, 0) > coalesce(before.tolls, 0)
         THEN coalesce(upto.deaths_best, 0) - coalesce(before.deaths_best, 0) END::BIGINT AS deaths_best_168h
FROM summed s
ASOF LEFT JOIN begun_by upto ON upto.region = s.region AND upto.hour <= s.last_hour
ASOF LEFT JOIN begun_by before ON before.region = s.region AND before.hour <= s.hour_before;
COMMENT ON VIEW region_windows_daily IS 'Rolling windows: one row for each region and truce-day from the first of the baseline to the last judged, over the seven truce-days that end with it and over 168 hours. Windows from the truce''s first day on hold no day before it.';
COMMENT ON COLUMN region_windows_daily.region IS 'P-code of the region.';
COMMENT ON COLUMN region_windows_daily.region_name IS 'Name of the region.';
COMMENT ON COLUMN region_windows_daily.truce_day IS 'Last truce-day of the window.';
COMMENT ON COLUMN region_windows_daily.first_day IS 'First truce-day of the window.';
COMMENT ON COLUMN region_windows_daily.days_met IS 'MET days of the window; of days before the truce none is judged.';
COMMENT ON COLUMN region_windows_daily.days_broken IS 'BROKEN days.';
COMMENT ON COLUMN region_windows_daily.days_unknown IS 'UNKNOWN days.';
COMMENT ON COLUMN region_windows_daily.covered_share IS 'Mean of the covered shares of its days; NULL before the truce.';
COMMENT ON COLUMN region_windows_daily.incidents IS 'Incidents in scope.';
COMMENT ON COLUMN region_windows_daily.incidents_without_toll IS 'Those of which no toll is stated.';
COMMENT ON COLUMN region_windows_daily.deaths_low IS 'Sum of low estimates of deaths; NULL where no incident states a toll.';
COMMENT ON COLUMN region_windows_daily.deaths_best IS 'Sum of best estimates of deaths.';
COMMENT ON COLUMN region_windows_daily.deaths_high IS 'Sum of high estimates of deaths.';
COMMENT ON COLUMN region_windows_daily.people_reached IS 'People reached by the convoys delivered within the window, as far as stated; NULL when none states it.';
COMMENT ON COLUMN region_windows_daily.incidents_168h IS 'Incidents in scope that began in the day''s last clock hour, or the running one while it runs, or the 167 before.';
COMMENT ON COLUMN region_windows_daily.deaths_best_168h IS 'Sum of best estimates of deaths of those; NULL where none states a toll.';

CREATE OR REPLACE MACRO region_windows_as_of(t) AS TABLE
SELECT
    region,
    region_name,
    truce_day,
    min(truce_day) OVER w AS first_day,
    count(*) FILTER (verdict = 'MET') OVER w AS days_met,
    count(*) FILTER (verdict = 'BROKEN') OVER w AS days_broken,
    count(*) FILTER (verdict = 'UNKNOWN') OVER w AS days_unknown,
    avg(covered_share) OVER w AS covered_share,
    (sum(incidents) OVER w)::BIGINT AS incidents,
    (sum(incidents_without_toll) OVER w)::BIGINT AS incidents_without_toll,
    (sum(deaths_low) OVER w)::BIGINT AS deaths_low,
    (sum(deaths_best) OVER w)::BIGINT AS deaths_best,
    (sum(deaths_high) OVER w)::BIGINT AS deaths_high
FROM @own_file@, verdicts_as_of(t)
WHERE in_use
WINDOW w AS (PARTITION BY region ORDER BY truce_day ROWS BETWEEN 6 PRECEDING AND CURRENT ROW);
COMMENT ON MACRO TABLE region_windows_as_of IS 'Rolling windows as held at an instant, one row for each region and truce-day judged by then: columns as in region_windows_daily, without people reached and the 168 hours, which are kept for the present only.';

CREATE OR REPLACE VIEW convoys_due AS
WITH asked AS (
    SELECT feed || '/' || convoy_id AS convoy, c.*, regions.name AS region_name,
           greatest(first_known, make_timestamptz(@effective@)) AS owed_since,
           owed_since + to_hours((SELECT (agreement ->> '$.access.overdue_after_hours')::INTEGER FROM about)) AS due_at,
           CASE WHEN delivered_at IS NULL AND state IN ('denied', 'turned_back', 'attacked') THEN since END AS closed_since
    FROM convoys c
    JOIN regions ON pcode = region AND access_owed
), made_good AS (
    SELECT asked.convoy, min(other.delivered_at) AS made_good_at, min_by(other.convoy, (other.delivered_at, other.convoy)) AS made_good_by
    FROM asked
    JOIN asked other ON other.region = asked.region AND (asked.place IS NULL OR other.place = asked.place)
        AND other.delivered_at >= asked.closed_since
    GROUP BY ALL
), setbacks AS (
    SELECT convoy, last({'step': step, 'blocker': blocker, 'reason': reason, 'access_constraint': access_constraint}
                        ORDER BY occurred_from, reported_at, feed, report_id) AS setback
    FROM convoy_events
    WHERE step IN ('no_response', 'denied', 'held', 'turned_back', 'attacked')
    GROUP BY ALL
), settled AS (
    SELECT *, coalesce(delivered_at, made_good_at) AS settled_at, coalesce(settled_at, least((SELECT now FROM ledger_state), make_timestamptz(@ends@))) AS until
    FROM asked
    LEFT JOIN made_good USING (convoy)
)
SELECT
    s.convoy,
    region,
    region_name,
    place,
    state,
    owed_since,
    due_at,
    settled_at IS NULL AS is_owed,
    until >= due_at AS overdue,
    greatest(0, epoch_us(until) - epoch_us(due_at)) / 3600000000 AS hours_overdue,
    delivered_at,
    made_good_at,
    made_good_by,
    people_requested,
    people_approved,
    people_reached,
    setback.step AS held_by,
    setback.blocker AS blocker,
    setback.reason AS reason,
    setback.access_constraint AS access_constraint
FROM settled s
LEFT JOIN setbacks USING (convoy)
-- One that was settled before the truce took effect, or told of after its end, was never owed.
WHERE coalesce(settled_at >= make_timestamptz(@effective@), true) AND coalesce(first_known < make_timestamptz(@ends@), true);
COMMENT ON VIEW convoys_due IS 'Convoys that access is owed to, since when, and whether they came: of those in one row each that were not settled before the truce.';
COMMENT ON COLUMN convoys_due.convoy IS 'The convoy, as feed/convoy_id; joins convoy_events and convoy_claims.';
COMMENT ON COLUMN convoys_due.region IS 'P-code of the destination.';
COMMENT ON COLUMN convoys_due.region_name IS 'Name of the region.';
COMMENT ON COLUMN convoys_due.place IS 'Besieged or hard-to-reach place it is bound for; NULL when none is recognised.';
COMMENT ON COLUMN convoys_due.state IS 'The latest step that counts.';
COMMENT ON COLUMN convoys_due.owed_since IS 'Its first known step, or the truce''s start if that is later.';
COMMENT ON COLUMN convoys_due.due_at IS 'That plus the hours the agreement allows.';
COMMENT ON COLUMN convoys_due.is_owed IS 'Whether it is neither delivered nor made good.';
COMMENT ON COLUMN convoys_due.overdue IS 'Whether it was not delivered or made good, or is not yet, by then.';
COMMENT ON COLUMN convoys_due.hours_overdue IS 'Hours from due_at to its delivery, or to what made it good, or else to the ledger''s time or the truce''s end; 0 when it came in time.';
COMMENT ON COLUMN convoys_due.delivered_at IS 'When it was delivered; NULL while it is not.';
COMMENT ON COLUMN convoys_due.made_good_at IS 'Of one that was denied, turned back or attacked: the first delivery of another one since then, bound for its place, or for the region where it has none.';
COMMENT ON COLUMN convoys_due.made_good_by IS 'That convoy.';
COMMENT ON COLUMN convoys_due.people_requested IS 'People aid was requested for, as last stated.';
COMMENT ON COLUMN convoys_due.people_approved IS 'People aid was approved for, as last stated.';
COMMENT ON COLUMN convoys_due.people_reached IS 'People reached, as last stated.';
COMMENT ON COLUMN convoys_due.held_by IS 'The last step that kept it from going on: no_response, denied, held, turned_back or attacked; NULL when none did.';
COMMENT ON COLUMN convoys_due.blocker IS 'Who is said, at that step, to have stood in the way.';
COMMENT ON COLUMN convoys_due.reason IS 'Reason given at that step.';
COMMENT ON COLUMN convoys_due.access_constraint IS 'What stood in the way at that step, by OCHA''s nine categories.';

CREATE OR REPLACE VIEW streak_history AS
WITH completed AS (
    SELECT region, truce_day, verdict, rule,
           truce_day - (row_number() OVER (PARTITION BY region, verdict = 'MET' ORDER BY truce_day))::INTEGER AS run
    FROM day_verdicts
    WHERE state <> 'OPEN'
), runs AS (
    SELECT region, min(truce_day) AS first_day, max(truce_day) AS last_day, count(*) AS days
    FROM completed
    WHERE verdict = 'MET'
    GROUP BY region, run
)
SELECT
    runs.region,
    regions.name AS region_name,
    regions.in_gate,
    first_day,
    last_day,
    days,
    days >= (SELECT (agreement ->> '$.clock.required_days')::INTEGER FROM about) AS long_enough,
    completed.truce_day AS ended_day,
    completed.verdict AS ended_by,
    completed.rule AS ended_rule
FROM runs
LEFT JOIN completed ON completed.region = runs.region AND completed.truce_day = runs.last_day + 1
JOIN regions ON pcode = runs.region;
COMMENT ON VIEW streak_history IS 'Every streak of every region, by the verdicts as they stand: MET truce-days in a row, and what ended them.';
COMMENT ON COLUMN streak_history.region IS 'P-code of the region.';
COMMENT ON COLUMN streak_history.region_name IS 'Name of the region.';
COMMENT ON COLUMN streak_history.in_gate IS 'Whether the gate needs this region.';
COMMENT ON COLUMN streak_history.first_day IS 'First MET day.';
COMMENT ON COLUMN streak_history.last_day IS 'Last MET day.';
COMMENT ON COLUMN streak_history.days IS 'Number of days.';
COMMENT ON COLUMN streak_history.long_enough IS 'Whether these are as many days as the gate asks for.';
COMMENT ON COLUMN streak_history.ended_day IS 'The completed day after it, which is not MET; NULL of a streak that goes on.';
COMMENT ON COLUMN streak_history.ended_by IS 'Verdict of that day.';
COMMENT ON COLUMN streak_history.ended_rule IS 'Rule that decided it.';

CREATE OR REPLACE VIEW gate_causes AS
WITH made AS (
    SELECT region, truce_day, tick_offset, verdict, cause,
           lag(verdict) OVER (PARTITION BY region, truce_day ORDER BY version) AS verdict_before
    FROM day_verdict_versions
    JOIN regions ON pcode = region AND in_gate
), moved AS (
    SELECT tick_offset,
           list({'region': region, 'truce_day': truce_day, 'verdict_before': verdict_before, 'verdict': verdict}
                ORDER BY region, truce_day) AS days,
           list_sort(list_distinct(flatten(list(cause ->> '$.reports[*]')))) AS reports
    FROM made
    WHERE verdict_before <> verdict
    GROUP BY tick_offset
)
SELECT
    recorded_at,
    g.tick_offset,
    is_open,
    lag(is_open) OVER (ORDER BY g.tick_offset) AS was_open,
    required_days,
    shortest_streak,
    lag(shortest_streak) OVER (ORDER BY g.tick_offset) AS shortest_streak_before,
    regions_holding,
    lag(regions_holding) OVER (ORDER BY g.tick_offset) AS regions_holding_before,
    regions_needed,
    reason,
    coalesce(days, []) AS days,
    coalesce(reports, []) AS reports
FROM gate_history g
LEFT JOIN moved ON moved.tick_offset = g.tick_offset;
COMMENT ON VIEW gate_causes IS 'Every line of the gate''s history with what it was before, the verdicts that changed at that tick, and the reports that changed them.';
COMMENT ON COLUMN gate_causes.recorded_at IS 'The ledger''s time at the tick that made the line.';
COMMENT ON COLUMN gate_causes.tick_offset IS 'That tick''s number along the facts topic.';
COMMENT ON COLUMN gate_causes.is_open IS 'Whether the gate is open.';
COMMENT ON COLUMN gate_causes.was_open IS 'Whether it was open before; NULL in the first line.';
COMMENT ON COLUMN gate_causes.required_days IS 'MET days in a row that every region needs.';
COMMENT ON COLUMN gate_causes.shortest_streak IS 'Days of the shortest streak among them.';
COMMENT ON COLUMN gate_causes.shortest_streak_before IS 'The same before; NULL in the first line.';
COMMENT ON COLUMN gate_causes.regions_holding IS 'Regions whose streak is long enough.';
COMMENT ON COLUMN gate_causes.regions_holding_before IS 'The same before; NULL in the first line.';
COMMENT ON COLUMN gate_causes.regions_needed IS 'Regions the gate needs.';
COMMENT ON COLUMN gate_causes.reason IS 'Why it is open or closed.';
COMMENT ON COLUMN gate_causes.days IS 'Days of gate regions whose verdict became another one at that tick. Empty when none did: a day ended, or was judged for the first time.';
COMMENT ON COLUMN gate_causes.reports IS 'Reports that changed them, as feed/report_id@revision: the first ten of each day.';

CREATE OR REPLACE VIEW contradictions AS
WITH told AS (
    SELECT region, truce_day, feed, report_id, occurred_from, occurred_to, deaths_low, deaths_best, deaths_high, fact_offset,
           -- Videos of one strike are one incident.
           coalesce(l.incident_feed || '/' || l.incident_report_id, feed || '/' || report_id) AS incident
    FROM reports
    JOIN regions ON pcode = region
    LEFT JOIN (SELECT fact_offset, incident_feed, incident_report_id FROM linked_reports) l USING (fact_offset)
    WHERE type = 'incident' AND present AND NOT retracted AND in_scope
), nil_hours AS (
    -- Notices of nothing that follow each other: what happened across the seam of two lies within neither.
    SELECT region, feed, min(occurred_from) AS occurred_from, max(occurred_to) AS occurred_to
    FROM (
        SELECT *, count(*) FILTER (apart) OVER (PARTITION BY region, feed ORDER BY occurred_from, occurred_to) AS stretch
        FROM (
            SELECT region, feed, occurred_from, occurred_to,
                   coalesce(occurred_from > max(occurred_to) OVER (
                       PARTITION BY region, feed ORDER BY occurred_from, occurred_to
                       ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                   ), true) AS apart
            FROM coverage
            WHERE nil
        )
    )
    GROUP BY region, feed, stretch
), nothing_seen AS (
    SELECT c.region, told.truce_day, c.feed AS one_feed, told.feed AS other_feed, count(DISTINCT told.incident) AS incidents,
           min(told.report_id) AS report_id
    FROM nil_hours c
    JOIN told ON told.region = c.region AND told.feed <> c.feed AND told.occurred_from >= c.occurred_from
        AND told.occurred_from < c.occurred_to AND told.occurred_to <= c.occurred_to
    WHERE told.truce_day IN (SELECT truce_day FROM truce_days)
    GROUP BY ALL
), nothing_counted AS (
    SELECT c.region, told.truce_day, c.feed AS one_feed, told.feed AS other_feed, told.report_id, told.at_least,
           sum(told.incidents)::BIGINT AS says
    FROM nil_hours c
    JOIN bulletins told ON told.region = c.region AND told.feed <> c.feed AND told.occurred_from >= c.occurred_from
        AND told.occurred_to <= c.occurred_to
    WHERE told.in_scope AND told.truce_day IN (SELECT truce_day FROM truce_days)
    GROUP BY ALL
    HAVING sum(told.incidents) > 0
), counted AS (
    SELECT feed, report_id, region, truce_day, occurred_from, occurred_to, at_least, sum(incidents)::BIGINT AS incidents
    FROM bulletins
    WHERE region IS NOT NULL AND truce_day IS NOT NULL
    GROUP BY ALL
), too_few AS (
    SELECT counted.region, counted.truce_day, counted.feed AS one_feed, counted.report_id, any_value(counted.incidents) AS says,
           told.feed AS other_feed, count(DISTINCT told.incident) AS incidents
    FROM counted
    JOIN told ON told.region = counted.region AND told.truce_day = counted.truce_day AND told.feed <> counted.feed
        AND told.occurred_from >= counted.occurred_from AND told.occurred_to <= counted.occurred_to
    WHERE NOT at_least
    GROUP BY counted.region, counted.truce_day, counted.feed, counted.report_id, told.feed
    HAVING count(DISTINCT told.incident) > any_value(counted.incidents)
), last_counts AS (
    SELECT * FROM bulletin_days WHERE told_last AND region IS NOT NULL
), tolls AS (
    SELECT told.*, coalesce(deaths_low, deaths_best) AS least,
           coalesce(deaths_high, deaths_best) AS most
    FROM linked_reports l
    JOIN told USING (fact_offset)
    WHERE l.standing = 'active'
), refuted AS (
    SELECT region, occurred_from, feed, convoy, step, unnest(string_split(flaw, '; ')) AS objection
    FROM convoy_events
    WHERE step IN ('offloaded', 'distributed') AND NOT counts
), found AS (
    SELECT region, truce_day, 'nil_and_incidents' AS kind, one_feed, 'nothing to report' AS one_says, other_feed,
           incidents || CASE incidents WHEN 1 THEN ' incident' ELSE ' incidents' END || ' within the same hours, such as ' || report_id AS other_says
    FROM nothing_seen
    UNION ALL
    SELECT region, truce_day, 'nil_and_bulletin', one_feed, 'nothing to report', other_feed,
           report_id || ' counts ' || CASE WHEN at_least THEN 'at least ' ELSE '' END || says || ' within the same hours'
    FROM nothing_counted
    UNION ALL
    SELECT region, truce_day, 'count_below_incidents', one_feed, report_id || ' counts ' || says, other_feed,
           incidents || CASE incidents WHEN 1 THEN ' incident' ELSE ' incidents' END || ' within its period'
    FROM too_few
    UNION ALL
    SELECT one.region, one.truce_day, 'counts', one.feed,
           one.report_id || ' counts ' || CASE WHEN one.at_least THEN 'at least ' ELSE '' END || one.bulletin_incidents,
           other.feed, other.report_id || ' counts ' || CASE WHEN other.at_least THEN 'at least ' ELSE '' END || other.bulletin_incidents
    FROM last_counts one
    JOIN last_counts other ON other.region = one.region AND other.truce_day = one.truce_day AND other.feed > one.feed
        AND other.accused IS NOT DISTINCT FROM one.accused AND other.occurred_from = one.occurred_from
        AND other.occurred_to = one.occurred_to
    WHERE one.bulletin_incidents < other.bulletin_incidents AND NOT one.at_least
        OR other.bulletin_incidents < one.bulletin_incidents AND NOT other.at_least
    UNION ALL
    SELECT one.region, one.truce_day, 'tolls', one.feed, one.report_id || ' says at most ' || one.most, other.feed,
           other.report_id || ' says at least ' || other.least
    FROM tolls one
    JOIN tolls other ON other.incident = one.incident AND other.feed <> one.feed AND one.most < other.least
    UNION ALL
    SELECT refuted.region, d.truce_day, 'delivery', feed, convoy || ' ' || step, split_part(objection, '/', 1), objection
    FROM refuted
    JOIN truce_days d ON occurred_from >= d.starts_at AND occurred_from < d.ends_at
    WHERE objection LIKE '%/% says %'
)
SELECT region, name AS region_name, found.* EXCLUDE (region)
FROM found
JOIN regions ON pcode = region;
COMMENT ON VIEW contradictions IS 'Feeds whose counts or findings of a region and truce-day exclude each other, by pairs. It decides nothing.';
COMMENT ON COLUMN contradictions.region IS 'P-code of the region.';
COMMENT ON COLUMN contradictions.region_name IS 'Name of the region.';
COMMENT ON COLUMN contradictions.truce_day IS 'Local date on which the truce-day starts.';
COMMENT ON COLUMN contradictions.kind IS 'nil_and_incidents: one had nothing to report of hours in which the other tells of incidents. nil_and_bulletin: in which a bulletin of the other lies that counts some in scope. count_below_incidents: one counts less than the other tells of. counts: bulletins of one period and accused party differ. tolls: of one incident one says less deaths at most than the other at least. delivery: one says delivered, the other that it was not.';
COMMENT ON COLUMN contradictions.one_feed IS 'One feed.';
COMMENT ON COLUMN contradictions.one_says IS 'Its word.';
COMMENT ON COLUMN contradictions.other_feed IS 'The other.';
COMMENT ON COLUMN contradictions.other_says IS 'The other''s word.';
