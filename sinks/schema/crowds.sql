-- Crowds: docs/judging.md, "Crowds". Like the other views made anew whenever a ledger opens its store.

CREATE OR REPLACE VIEW crowds AS
WITH rules AS (
    SELECT
        agreement ->> '$.linking.weakest_place' AS weakest,
        list_position(['exact', 'near', 'named', 'district', 'governorate'], weakest) AS weakest_rank,
        greatest(1, ceil(2 * (agreement ->> '$.linking.exact_metres')::INTEGER / 1000)) AS exact,
        greatest(1, ceil(2 * (agreement ->> '$.linking.near_metres')::INTEGER / 1000)) AS near,
        greatest(1, ceil(2 * (agreement ->> '$.linking.district_metres')::INTEGER / 1000)) AS district
    FROM about
    WHERE weakest IS NOT NULL
), standing AS (
    SELECT
        region, feed, place_precision, latitude, longitude, place_key, weakest, weakest_rank,
        CASE WHEN occurred_to - occurred_from <= INTERVAL 1 HOUR THEN 1 ELSE 24 END AS hours,
        epoch_us(occurred_from) // (hours * 3600000000) AS number,
        CASE WHEN latitude IS NULL OR longitude IS NULL OR place_precision = 'unknown' THEN 'governorate'
             ELSE place_precision END AS class,
        list_position(['exact', 'near', 'named', 'district', 'governorate'], class) AS class_rank,
        CASE class WHEN 'exact' THEN exact WHEN 'near' THEN near WHEN 'district' THEN district END AS side
    FROM reports
    CROSS JOIN rules
    JOIN regions ON pcode = region
    WHERE present AND type = 'incident' AND merged_into IS NULL AND place_precision <> 'country'
        AND time_precision IN ('minute', 'hour', 'day') AND occurred_to - occurred_from <= INTERVAL 26 HOURS
), spots AS (
    SELECT
        region, hours, number, feed,
        CASE WHEN class = 'governorate' THEN 'the region'
             ELSE printf('%.2f %.2f to %.2f %.2f', row_ * side / 100, column_ * side / 100, (row_ + 1) * side / 100,
                         (column_ + 1) * side / 100) END AS place
    FROM (
        SELECT *, floor(floor(latitude * 100.0) / side) AS row_, floor(floor(longitude * 100.0) / side) AS column_
        FROM standing
        WHERE class_rank <= weakest_rank
    )
    UNION ALL
    SELECT region, hours, number, feed, place_key
    FROM standing
    WHERE weakest IN ('named', 'district') AND place_key IS NOT NULL AND place_precision <> 'governorate'
)
SELECT
    region,
    make_timestamptz(number * hours * 3600000000) AS starts_at,
    make_timestamptz((number + 1) * hours * 3600000000) AS ends_at,
    place,
    count(*) AS reports,
    count(DISTINCT feed) AS feeds
FROM spots
GROUP BY region, hours, number, place
HAVING count(*) > CASE hours WHEN 1 THEN 100 ELSE 200 END;
COMMENT ON VIEW crowds IS 'Places and hours, or days, of which so many reports tell that none of them is linked by place and time: docs/judging.md, "Crowds". Each of them counts as an incident of its own unless a report says otherwise.';
COMMENT ON COLUMN crowds.region IS 'P-code of the region.';
COMMENT ON COLUMN crowds.starts_at IS 'Start of the hour, or for reports that last longer of the day, by UTC.';
COMMENT ON COLUMN crowds.ends_at IS 'End of it, not part of it.';
COMMENT ON COLUMN crowds.place IS 'The square, by the latitude and longitude of two of its corners; or the place''s key; or the region as a whole.';
COMMENT ON COLUMN crowds.reports IS 'Present reports that tell of it, retracted ones included.';
COMMENT ON COLUMN crowds.feeds IS 'Number of their feeds.';
