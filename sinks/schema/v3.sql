-- Version 3: the calendar of truce-days and the time zones that cut it; a name of the file's own; the editions of its
-- rules and sentences; the spellings of regions; flagged tolls; the log of a source record; reports outside the agreement; the rule
-- of a verdict and who contests it; incidents by how surely they are of a day; what rejects
-- still tell, and their dismissals; tolls that nobody states; the accused as lists, and the parties they are.
-- Rows of an earlier version are under other rules, and no ledger goes on with them: none are changed here.

ALTER TABLE about ADD COLUMN tzdata VARCHAR;
ALTER TABLE about ADD COLUMN calendar JSON;
ALTER TABLE about ADD COLUMN file_id VARCHAR;
ALTER TABLE about ADD COLUMN rules INTEGER;
ALTER TABLE about ADD COLUMN sentences INTEGER;
COMMENT ON COLUMN about.tzdata IS 'Release of the IANA time zones that truce-days were last cut by, such as 2026f.';
COMMENT ON COLUMN about.calendar IS 'Start of the first truce-day of 1971 in seconds since 1970, and the length in seconds of every truce-day until 2199 that is no 24 hours long.';
COMMENT ON COLUMN about.file_id IS 'Drawn when the file was made; copies of it have the same. Macros know by it whether their own file is in use.';
COMMENT ON COLUMN about.rules IS 'Edition of the rules of docs/judging.md that the whole file was judged by. Software of another edition refuses it.';
COMMENT ON COLUMN about.sentences IS 'Edition of the sentences in which the whole file gives its reasons and hints; NULL where versions of trucewatch with different ones wrote it.';

ALTER TABLE regions ADD COLUMN spellings VARCHAR[];
COMMENT ON COLUMN regions.spellings IS 'Every name of the region in the gazetteer, the one that is shown first. folded(name) compares them.';

ALTER TABLE reports ADD COLUMN toll_flaw VARCHAR;
COMMENT ON COLUMN reports.toll_flaw IS 'Why the stated toll of deaths counts nothing, and is left out here: its low figure is above its high one.';

ALTER TABLE reports ADD COLUMN source_log VARCHAR;
COMMENT ON COLUMN reports.source_log IS 'Which log source_offset is an offset of, as in sink_offsets: a topic made anew has another.';

ALTER TABLE feeds ADD COLUMN outside BIGINT DEFAULT 0;
COMMENT ON COLUMN feeds.outside IS 'Reports of no region of this agreement, or that name another one. Their bytes are not kept here.';

ALTER TABLE rejects ADD COLUMN regions VARCHAR[];
ALTER TABLE rejects ADD COLUMN occurred_from TIMESTAMPTZ;
ALTER TABLE rejects ADD COLUMN occurred_to TIMESTAMPTZ;
ALTER TABLE rejects ADD COLUMN truce_day DATE;
ALTER TABLE rejects ADD COLUMN may_be_incident BOOLEAN;
COMMENT ON COLUMN rejects.regions IS 'Regions of the agreement that its bytes still tell; none where they do not tell both where and when. NULL of a contradiction, and where intake of a version before 3 read it.';
COMMENT ON COLUMN rejects.occurred_from IS 'Start of the interval its bytes still tell; NULL where regions has none.';
COMMENT ON COLUMN rejects.occurred_to IS 'End of the interval its bytes still tell; NULL where regions has none.';
COMMENT ON COLUMN rejects.truce_day IS 'Truce-day that holds the largest part of that interval; NULL where regions has none.';
COMMENT ON COLUMN rejects.may_be_incident IS 'Whether it may be an incident report that stands; NULL where regions has none.';

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

ALTER TABLE day_tallies ALTER deaths_low DROP NOT NULL;
ALTER TABLE day_tallies ALTER deaths_best DROP NOT NULL;
ALTER TABLE day_tallies ALTER deaths_high DROP NOT NULL;
ALTER TABLE region_windows ALTER deaths_best DROP NOT NULL;
ALTER TABLE region_windows ALTER deaths_best_168h DROP NOT NULL;
ALTER TABLE day_tallies ADD COLUMN incidents_without_toll INTEGER;
COMMENT ON COLUMN day_tallies.incidents_without_toll IS 'Incidents in scope of which no toll is stated; they add nothing to the sums of deaths.';

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
DROP TABLE day_verdicts;
DROP TABLE day_verdict_versions;
DROP TABLE day_figures;
DROP TABLE gate;
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

ALTER TABLE reports ALTER COLUMN accused TYPE VARCHAR[] USING NULL;
ALTER TABLE reports ADD COLUMN accused_parties VARCHAR[];
COMMENT ON COLUMN reports.accused_parties IS 'Parties the accused are by the agreement, sorted: one accusation of them all. A name that no party has stands for itself. NULL when nobody is accused.';

ALTER TABLE bulletins ALTER COLUMN accused TYPE VARCHAR[] USING NULL;
ALTER TABLE bulletins ADD COLUMN accused_parties VARCHAR[];
COMMENT ON COLUMN bulletins.accused_parties IS 'Parties the accused are by the agreement, sorted: one accusation of them all. A name that no party has stands for itself. NULL when nobody is accused.';

COMMENT ON COLUMN reports.place_precision IS 'How exactly the place of an incident or convoy is stated: exact, near, district, governorate, country or unknown. Of an incident near when its exact point is the middle of the named town. Of a convoy governorate when its most exact name is a region''s.';

ALTER TABLE reports ALTER COLUMN revision TYPE BIGINT;
ALTER TABLE linked_reports ALTER COLUMN revision TYPE BIGINT;
ALTER TABLE declarations ALTER COLUMN revision TYPE BIGINT;
