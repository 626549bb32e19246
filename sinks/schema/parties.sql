-- Who is accused of what, by whom: beside each other, and never a finding. docs/judging.md, "Parties".

CREATE OR REPLACE VIEW parties AS
SELECT party ->> 'name' AS party, party ->> 'side' AS side, party ->> '$.spellings[*]' AS spellings
FROM (SELECT unnest(agreement -> '$.parties[*]') AS party FROM about);
COMMENT ON VIEW parties IS 'The parties of the agreement that reports accuse.';
COMMENT ON COLUMN parties.party IS 'What the party is called.';
COMMENT ON COLUMN parties.side IS 'The side it is on, in the agreement''s words.';
COMMENT ON COLUMN parties.spellings IS 'Other names reports use; compared without case, accents, articles and punctuation.';

CREATE OR REPLACE VIEW accusations AS
WITH counting AS (
    SELECT agreement ->> '$.violence.feeds[*]' AS feeds,
           coalesce(agreement ->> '$.violence.surely_within_hours', '26')::BIGINT AS surely_within_hours
    FROM about
), timed AS (
    -- Whether the truce-day of an incident is known for sure: the one place that says so.
    SELECT incidents.*,
           epoch_us(occurred_to) - epoch_us(occurred_from) <= surely_within_hours * 3600000000 AS day_is_sure
    FROM incidents
    CROSS JOIN counting
    WHERE in_scope AND counted
), accusing AS (
    SELECT
        i.incident_id, r.feed, r.claimant, list(r.report_id ORDER BY r.report_id) AS reports,
        list_sort(list_distinct(flatten(list(coalesce(r.accused_parties, []))))) AS accused,
        -- As of an incident of several reports: a low estimate is the best one where nobody states that.
        coalesce(arg_max(r.deaths_best, (r.reported_at, r.report_id)) FILTER (r.deaths_best IS NOT NULL),
                 min(r.deaths_low)) AS deaths
    FROM timed i
    JOIN incident_reports m ON m.incident_id = i.incident_id AND m.standing = 'active'
    JOIN reports r ON r.fact_offset = m.fact_offset
    CROSS JOIN counting
    -- Of a linked incident the reports of feeds that do not count decide nothing.
    WHERE len(counting.feeds) = 0 OR list_contains(counting.feeds, r.feed)
    GROUP BY ALL
), named AS (
    SELECT *, unnest(CASE WHEN accused = [] THEN [NULL] ELSE accused END) AS party FROM accusing
)
SELECT
    i.incident_id,
    i.region,
    i.region_name,
    i.truce_day,
    i.occurred_from,
    i.occurred_to,
    c.party,
    parties.side,
    c.claimant,
    c.feed,
    len(c.accused) < 2 AND i.day_is_sure AS sure,
    c.accused AS accused_together,
    c.deaths,
    c.reports
FROM named c
JOIN timed i USING (incident_id)
LEFT JOIN parties ON parties.party = c.party;
COMMENT ON VIEW accusations IS 'Incidents in scope by whom a claimant accuses in the reports of one feed: one row for each party of the accusation, one without a party where nobody is accused.';
COMMENT ON COLUMN accusations.incident_id IS 'Name of the incident, as in incidents.';
COMMENT ON COLUMN accusations.region IS 'P-code of the incident''s region.';
COMMENT ON COLUMN accusations.region_name IS 'Name of the region.';
COMMENT ON COLUMN accusations.truce_day IS 'Truce-day of the incident.';
COMMENT ON COLUMN accusations.occurred_from IS 'Start of the incident''s interval.';
COMMENT ON COLUMN accusations.occurred_to IS 'End of the incident''s interval, not part of it.';
COMMENT ON COLUMN accusations.party IS 'Party of the agreement, or a name that no party has, as written; NULL where nobody is accused.';
COMMENT ON COLUMN accusations.side IS 'Side of the party by the agreement; NULL where no party has the name.';
COMMENT ON COLUMN accusations.claimant IS 'Who says so; NULL where the reports do not tell.';
COMMENT ON COLUMN accusations.feed IS 'Feed whose reports say so.';
COMMENT ON COLUMN accusations.sure IS 'Whether the claimant accuses this party alone, and the day of the incident is known. Of two that are accused together each is possible.';
COMMENT ON COLUMN accusations.accused_together IS 'All parties of the accusation, sorted; empty where nobody is accused.';
COMMENT ON COLUMN accusations.deaths IS 'Best estimate of deaths by the feed''s last report for the claimant that gives one, else the least low one; NULL when none gives either.';
COMMENT ON COLUMN accusations.reports IS 'The feed''s own names of those reports.';

CREATE OR REPLACE VIEW violations_by_party AS
SELECT
    truce_day,
    region,
    region_name,
    party,
    side,
    claimant,
    feed,
    count(*) FILTER (sure) AS incidents_sure,
    count(*) FILTER (NOT sure) AS incidents_possible,
    (sum(deaths) FILTER (sure))::BIGINT AS deaths_sure,
    (sum(deaths) FILTER (NOT sure))::BIGINT AS deaths_possible
FROM accusations
GROUP BY ALL;
COMMENT ON VIEW violations_by_party IS 'Incidents in scope by truce-day, region, accused party, claimant and feed. An incident counts once in each row, and in as many rows as there are accusations of it: rows of several claimants or feeds are not to be added up.';
COMMENT ON COLUMN violations_by_party.truce_day IS 'Truce-day of the incidents.';
COMMENT ON COLUMN violations_by_party.region IS 'P-code of the region.';
COMMENT ON COLUMN violations_by_party.region_name IS 'Name of the region.';
COMMENT ON COLUMN violations_by_party.party IS 'Party of the agreement, or a name that no party has, as written; NULL where nobody is accused.';
COMMENT ON COLUMN violations_by_party.side IS 'Side of the party by the agreement; NULL where no party has the name.';
COMMENT ON COLUMN violations_by_party.claimant IS 'Who accuses; NULL where the reports do not tell.';
COMMENT ON COLUMN violations_by_party.feed IS 'Feed whose reports say so.';
COMMENT ON COLUMN violations_by_party.incidents_sure IS 'Incidents surely of this day of which the claimant accuses this party alone.';
COMMENT ON COLUMN violations_by_party.incidents_possible IS 'Further incidents that may be this party''s and of this day: another one is accused with it, or their interval is too long for a day.';
COMMENT ON COLUMN violations_by_party.deaths_sure IS 'Best estimates of deaths in the sure ones, as this feed tells them; NULL when it gives none.';
COMMENT ON COLUMN violations_by_party.deaths_possible IS 'The same for the possible ones.';

CREATE OR REPLACE VIEW unknown_accused AS
WITH told AS (
    SELECT unnest(accused_parties) AS name, feed, 1 AS reports, 0 AS bulletin_lines, reported_at
    FROM reports
    WHERE present AND NOT retracted
    UNION ALL
    SELECT unnest(accused_parties), feed, 0, 1, reported_at FROM bulletins
)
SELECT
    name,
    feed,
    sum(reports)::BIGINT AS reports,
    sum(bulletin_lines)::BIGINT AS bulletin_lines,
    min(reported_at) AS first_told,
    max(reported_at) AS last_told
FROM told
WHERE name NOT IN (SELECT party FROM parties)
GROUP BY ALL;
COMMENT ON VIEW unknown_accused IS 'Names of accused that no party of the agreement has: candidates for its spellings.';
COMMENT ON COLUMN unknown_accused.name IS 'The name as written.';
COMMENT ON COLUMN unknown_accused.feed IS 'Feed that writes it.';
COMMENT ON COLUMN unknown_accused.reports IS 'Present, active incident reports that do.';
COMMENT ON COLUMN unknown_accused.bulletin_lines IS 'Lines of its bulletins that do.';
COMMENT ON COLUMN unknown_accused.first_told IS 'When the first of them was reported.';
COMMENT ON COLUMN unknown_accused.last_told IS 'When the last of them was reported.';

CREATE OR REPLACE MACRO violations_since(t) AS TABLE
WITH whole AS (
    -- Whom anybody accuses of an incident: where two claimants contradict each other, each of the accused is possible.
    SELECT incident_id, region, occurred_from, occurred_to,
           list_sort(list_distinct(flatten(list(accused_together)))) AS accused
    FROM accusations
    GROUP BY ALL
), counted AS (
    SELECT whole.*, deaths_best AS deaths, len(accused) < 2 AS alone,
           unnest(CASE WHEN accused = [] THEN [NULL] ELSE accused END) AS party
    FROM whole
    JOIN (SELECT incident_id, deaths_best FROM incidents) USING (incident_id)
), later AS (
    SELECT 'incidents' AS what, party, NULL AS claimant, NULL AS feed, alone, occurred_from, deaths
    FROM counted
    WHERE occurred_from >= CAST(t AS TIMESTAMPTZ) OR occurred_to > CAST(t AS TIMESTAMPTZ)
    UNION ALL
    SELECT 'accusations', party, claimant, feed, len(accused_together) < 2, occurred_from, deaths
    FROM accusations
    WHERE occurred_from >= CAST(t AS TIMESTAMPTZ) OR occurred_to > CAST(t AS TIMESTAMPTZ)
), lines AS (
    SELECT *, unnest(coalesce(accused_parties, [NULL])) AS party, coalesce(len(accused_parties), 0) < 2 AS alone
    FROM bulletins
    WHERE occurred_to > CAST(t AS TIMESTAMPTZ)
), tallies AS (
    SELECT feed, report_id, party, in_scope, at_least, occurred_from, occurred_to,
           coalesce(sum(incidents) FILTER (alone), 0)::BIGINT AS incidents_sure,
           coalesce(sum(incidents) FILTER (NOT alone), 0)::BIGINT AS incidents_possible,
           list_distinct(list(coalesce(region, '*'))) AS regions
    FROM lines
    GROUP BY ALL
), told AS (
    SELECT what, party, claimant, feed, NULL AS report_id, CAST(t AS TIMESTAMPTZ) AS since, NULL::TIMESTAMPTZ AS until,
           true AS in_scope, false AS at_least,
           count(*) FILTER (alone AND occurred_from >= CAST(t AS TIMESTAMPTZ)) AS incidents_sure,
           count(*) FILTER (NOT (alone AND occurred_from >= CAST(t AS TIMESTAMPTZ))) AS incidents_possible,
           (sum(deaths) FILTER (alone AND occurred_from >= CAST(t AS TIMESTAMPTZ)))::BIGINT AS deaths_sure,
           (sum(deaths) FILTER (NOT (alone AND occurred_from >= CAST(t AS TIMESTAMPTZ))))::BIGINT AS deaths_possible,
           NULL::BIGINT AS counted_sure, NULL::BIGINT AS counted_possible
    FROM later
    GROUP BY ALL
    UNION ALL
    SELECT 'bulletin', b.party, NULL, b.feed, b.report_id, b.occurred_from, b.occurred_to, b.in_scope, b.at_least,
           b.incidents_sure, b.incidents_possible, NULL, NULL,
           count(c.incident_id) FILTER (c.alone), count(c.incident_id) FILTER (NOT c.alone)
    FROM tallies b
    LEFT JOIN counted c ON c.party IS NOT DISTINCT FROM b.party
        AND c.occurred_from >= b.occurred_from AND c.occurred_from < b.occurred_to
        AND (list_contains(b.regions, '*') OR list_contains(b.regions, c.region))
    GROUP BY ALL
)
SELECT told.party, side, told.* EXCLUDE (party)
FROM @own_file@, told
LEFT JOIN parties ON parties.party = told.party
WHERE in_use
ORDER BY told.party NULLS LAST, list_position(['incidents', 'accusations', 'bulletin'], what), feed, claimant, since, report_id, in_scope;
COMMENT ON MACRO TABLE violations_since IS 'What each party is accused of since an instant. what = incidents: every incident once, whoever accuses; accusations: by claimant and feed; bulletin: what a monitor''s bulletin that reaches beyond the instant says of its own period, beside what is counted of that period and those regions (counted_sure, counted_possible). Sure: accused alone, and begun since; possible: accused with another, or by some and another by others, or begun earlier. Rows are not to be added up.';
