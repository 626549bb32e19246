-- Version 2: an opening can tell whether the views, macros and comments of the file are its own.

ALTER TABLE about ADD COLUMN definitions VARCHAR;
COMMENT ON COLUMN about.definitions IS 'Fingerprint of the SQL that made the views, macros and comments of this file.';
