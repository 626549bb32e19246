-- Version 3: a broker serves several agreements, and each counts the reports that are none of its own.

ALTER TABLE feeds ADD COLUMN outside BIGINT DEFAULT 0;
COMMENT ON COLUMN feeds.outside IS 'Reports of no region of this agreement, or that name another one. Their bytes are not kept here.';
