-- The declared clock: what parties declare of the truce, folded party by party; docs/judging.md states the rules.
-- Views and macros over the table declarations. Nothing that is computed reads them.

CREATE OR REPLACE MACRO declared_fold(t) AS TABLE
WITH RECURSIVE revisions AS MATERIALIZED (
    SELECT *, row_number() OVER (PARTITION BY feed, report_id ORDER BY revision DESC) = 1 AS last
    FROM declarations
    WHERE reported_at <= CAST(t AS TIMESTAMPTZ)
), told AS MATERIALIZED (
    SELECT declared_by, act, effective_at, until, reported_at, feed, report_id FROM revisions
    WHERE last AND NOT retracted
        -- A correction may have made of a declaration a report of another kind.
        AND NOT EXISTS (FROM reports r WHERE r.type <> 'declaration' AND r.feed = revisions.feed AND r.report_id = revisions.report_id
                        AND r.revision > revisions.revision AND r.reported_at <= CAST(t AS TIMESTAMPTZ))
), events AS MATERIALIZED (
    SELECT *, row_number() OVER (PARTITION BY declared_by ORDER BY effective_at, reported_at, feed, report_id, act) AS n,
           until <= effective_at AND act IN ('start', 'extension', 'reset') AS backwards
    FROM (
        SELECT * FROM told
        UNION ALL
        -- A suspension that says until when is two events.
        SELECT declared_by, 'resumption', until, NULL, reported_at, feed, report_id FROM told
        WHERE act = 'suspension' AND until > effective_at
    )
), fold AS (
    SELECT DISTINCT declared_by, 0::BIGINT AS n, '' AS act, NULL::TIMESTAMPTZ AS effective_at, NULL::TIMESTAMPTZ AS until,
           NULL::TIMESTAMPTZ AS reported_at, '' AS feed, '' AS report_id, '' AS effect, 0 AS stretch,
           NULL::TIMESTAMPTZ AS since, NULL::TIMESTAMPTZ AS ends, false AS running, '' AS suspended_by
    FROM told
    UNION ALL
    SELECT declared_by, n, act, effective_at, until, reported_at, feed, report_id, effect,
           stretch + CASE WHEN opens THEN 1 ELSE 0 END,
           CASE WHEN opens THEN effective_at ELSE since END,
           CASE
               WHEN effect = 'opened' THEN until
               WHEN effect = 'reset' THEN coalesce(until, ends)
               WHEN effect = 'extended' AND until IS NULL THEN NULL
               WHEN effect IN ('extended', 'restated') AND ends IS NOT NULL THEN greatest(ends, coalesce(until, ends))
               ELSE ends
           END,
           opens OR (running AND effect NOT IN ('suspended', 'ended')),
           CASE
               WHEN effect = 'suspended' THEN feed || '/' || report_id
               WHEN opens OR effect = 'ended' THEN ''
               ELSE suspended_by
           END
    FROM (
        SELECT *, effect IN ('opened', 'reset', 'resumed') AS opens
        FROM (
            SELECT e.*, f.stretch, f.since, f.ends, f.running, f.suspended_by,
                   f.running AND (f.ends IS NULL OR e.effective_at < f.ends) AS in_force,
                   CASE
                       WHEN e.backwards THEN 'nothing'
                       WHEN e.act = 'start' AND in_force THEN 'restated'
                       WHEN e.act = 'extension' AND f.running AND (in_force OR e.effective_at = f.ends) THEN 'extended'
                       WHEN e.act IN ('start', 'extension') THEN 'opened'
                       WHEN e.act = 'suspension' AND in_force THEN 'suspended'
                       WHEN e.act = 'reset' AND in_force THEN 'reset'
                       WHEN e.act = 'end' AND (in_force OR f.suspended_by <> '') THEN 'ended'
                       WHEN e.act = 'resumption' AND f.suspended_by = e.feed || '/' || e.report_id
                            AND (f.ends IS NULL OR e.effective_at < f.ends) THEN 'resumed'
                       ELSE 'nothing'
                   END AS effect
            FROM fold f JOIN events e ON e.declared_by = f.declared_by AND e.n = f.n + 1
        )
    )
)
SELECT fold.* FROM @own_file@, fold WHERE in_use AND n > 0;
COMMENT ON MACRO TABLE declared_fold IS 'Every declaration reported by an instant with the state of its party''s clock after it. What declared_clock and declared_acts rest on.';

CREATE OR REPLACE MACRO span_text(seconds) AS
    (seconds // 86400) || ' d ' || (seconds % 86400 // 3600) || ' h' || CASE WHEN seconds % 3600 >= 60 THEN ' ' || (seconds % 3600 // 60) || ' min' ELSE '' END;
COMMENT ON MACRO span_text IS 'A span of whole seconds as days, hours and minutes: 6 d 4 h 59 min.';

CREATE OR REPLACE MACRO declared_stretches(t) AS TABLE
WITH fold AS (
    SELECT * FROM declared_fold(t)
), closings AS (
    SELECT declared_by, CASE WHEN effect = 'reset' THEN stretch - 1 ELSE stretch END AS stretch,
           min_by(effective_at, n) AS closed_at, min_by(act, n) AS closed_by, min_by(feed || '/' || report_id, n) AS closing_report
    FROM fold WHERE effect IN ('suspended', 'reset', 'ended') GROUP BY ALL
), stretches AS (
    SELECT declared_by, stretch, any_value(since) AS since, last(ends ORDER BY n) AS ends,
           first(feed || '/' || report_id ORDER BY n) AS opened_by
    FROM fold WHERE stretch > 0 GROUP BY ALL
), held AS (
    SELECT * FROM verdicts_as_of(t)
), timed AS (
    SELECT declared_by, row_number() OVER (PARTITION BY declared_by ORDER BY stretch) AS stretch, since,
           coalesce(closed_at, ends) AS until, coalesce(closed_by, 'until') AS by_what, opened_by, closing_report,
           greatest(0, epoch_us(least(coalesce(closed_at, ends, 'infinity'::TIMESTAMPTZ), CAST(t AS TIMESTAMPTZ))) - epoch_us(since)) // 60000000 * 60
               AS held_seconds
    FROM stretches LEFT JOIN closings USING (declared_by, stretch)
    -- One that was closed as it opened is none.
    WHERE closed_at IS NULL OR closed_at > since
)
SELECT
    declared_by,
    stretch,
    since <= CAST(t AS TIMESTAMPTZ) AND (until IS NULL OR until > CAST(t AS TIMESTAMPTZ)) AS in_force,
    since,
    until,
    CASE WHEN until <= CAST(t AS TIMESTAMPTZ) THEN by_what END AS ended_by,
    held_seconds,
    span_text(held_seconds) AS held,
    span_text((held_seconds + 1800) // 3600 * 3600) AS held_rounded,
    (SELECT count(*) FROM truce_days d
        WHERE d.starts_at >= since AND d.ends_at <= least(coalesce(until, 'infinity'::TIMESTAMPTZ), CAST(t AS TIMESTAMPTZ))) AS truce_days,
    (SELECT count(*) FROM truce_days d
        WHERE d.starts_at >= since AND d.ends_at <= least(coalesce(until, 'infinity'::TIMESTAMPTZ), CAST(t AS TIMESTAMPTZ))
          AND NOT EXISTS (FROM held v JOIN regions ON pcode = v.region AND in_gate
                          WHERE v.truce_day = d.truce_day AND v.verdict <> 'MET')) AS truce_days_met,
    opened_by,
    CASE WHEN until <= CAST(t AS TIMESTAMPTZ) THEN closing_report END AS ended_by_report
FROM @own_file@, timed
WHERE in_use;
COMMENT ON MACRO TABLE declared_stretches IS 'Every stretch of declared truce by the declarations reported by an instant: columns as in declared_clock.';

CREATE OR REPLACE VIEW declared_clock AS
SELECT * FROM declared_stretches((SELECT now FROM ledger_state)) ORDER BY declared_by, stretch;
COMMENT ON VIEW declared_clock IS 'What each party declares of the truce, as stretches over which it is in force, beside what was computed. A party is in force at an instant when since <= instant and until is later or NULL.';
COMMENT ON COLUMN declared_clock.declared_by IS 'The party, as the declarations name it.';
COMMENT ON COLUMN declared_clock.stretch IS 'Number of the stretch among the party''s, from 1.';
COMMENT ON COLUMN declared_clock.in_force IS 'Whether it is in force at the ledger''s time.';
COMMENT ON COLUMN declared_clock.since IS 'When it took effect.';
COMMENT ON COLUMN declared_clock.until IS 'When it ended or is to end, not part of it; NULL when open-ended.';
COMMENT ON COLUMN declared_clock.ended_by IS 'What ended it: until (it ran out), end, suspension or reset; NULL while it has not ended.';
COMMENT ON COLUMN declared_clock.held_seconds IS 'How long it held so far, in seconds, to the whole minute.';
COMMENT ON COLUMN declared_clock.held IS 'The same as days, hours and minutes.';
COMMENT ON COLUMN declared_clock.held_rounded IS 'The same to the nearest hour.';
COMMENT ON COLUMN declared_clock.truce_days IS 'Whole truce-days completed within it that were judged.';
COMMENT ON COLUMN declared_clock.truce_days_met IS 'Those of them that are MET, as computed, in every region the gate needs.';
COMMENT ON COLUMN declared_clock.opened_by IS 'feed/report_id of the declaration that opened it.';
COMMENT ON COLUMN declared_clock.ended_by_report IS 'feed/report_id of the declaration that ended it; NULL when it ran out or has not ended.';

CREATE OR REPLACE MACRO declared_as_of(t) AS TABLE
SELECT p.declared_by, coalesce(s.in_force, false) AS in_force, s.* EXCLUDE (declared_by, in_force)
FROM @own_file@
CROSS JOIN (SELECT DISTINCT declared_by FROM declared_fold(t)) p
LEFT JOIN declared_stretches(t) s USING (declared_by)
WHERE in_use
-- The latest stretch that has begun; of a party whose truce is only announced the first to come.
QUALIFY row_number() OVER (
    PARTITION BY p.declared_by
    ORDER BY s.since <= CAST(t AS TIMESTAMPTZ) DESC NULLS LAST, CASE WHEN s.since <= CAST(t AS TIMESTAMPTZ) THEN -s.stretch ELSE s.stretch END
) = 1
ORDER BY p.declared_by;
COMMENT ON MACRO TABLE declared_as_of IS 'Each party''s declared clock at an instant, by the declarations reported by then, in the revisions reported by then: columns as in declared_clock; since is NULL where it never declared a truce of its own.';

CREATE OR REPLACE MACRO declared_acts_as_of(t) AS TABLE
WITH fold AS (
    SELECT * FROM declared_fold(t) WHERE act <> 'resumption'
)
SELECT
    declared_by,
    act,
    effective_at,
    until,
    reported_at,
    feed,
    report_id,
    effect,
    CASE
        WHEN effect = 'opened' AND act = 'extension' THEN 'extends_nothing'
        WHEN effect <> 'nothing' THEN NULL
        WHEN act IN ('start', 'extension') OR until <= effective_at AND act = 'reset' THEN 'ends_before_it_starts'
        WHEN EXISTS (FROM fold later WHERE later.declared_by = fold.declared_by AND later.act = 'start' AND later.effective_at > fold.effective_at
                     AND later.reported_at <= fold.reported_at) THEN 'ends_before_it_starts'
        ELSE 'nothing_in_force'
    END AS flag
FROM @own_file@, fold
WHERE in_use
ORDER BY effective_at, reported_at, feed, report_id;
COMMENT ON MACRO TABLE declared_acts_as_of IS 'Every declaration that stood at an instant with what it did to its party''s declared clock: columns as in declared_acts.';

CREATE OR REPLACE VIEW declared_acts AS
SELECT * FROM declared_acts_as_of((SELECT now FROM ledger_state)) ORDER BY effective_at, reported_at, feed, report_id;
COMMENT ON VIEW declared_acts IS 'Every declaration with what it did to its party''s declared clock.';
COMMENT ON COLUMN declared_acts.declared_by IS 'The party, as the declaration names it.';
COMMENT ON COLUMN declared_acts.act IS 'start, extension, suspension, reset or end.';
COMMENT ON COLUMN declared_acts.effective_at IS 'From when.';
COMMENT ON COLUMN declared_acts.until IS 'Until when; NULL when unstated.';
COMMENT ON COLUMN declared_acts.reported_at IS 'When the feed said it.';
COMMENT ON COLUMN declared_acts.feed IS 'Who said it.';
COMMENT ON COLUMN declared_acts.report_id IS 'The feed''s own name for the report.';
COMMENT ON COLUMN declared_acts.effect IS 'What it did: opened, restated, extended, suspended, reset, ended or nothing.';
COMMENT ON COLUMN declared_acts.flag IS 'What is odd about it: ends_before_it_starts, nothing_in_force or extends_nothing; NULL when nothing is.';
