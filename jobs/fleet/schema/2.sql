-- How many of the machine's scans were taken for the ordered one: each makes the centre forget what it had of the one
-- before, so they are not taken for ever.
ALTER TABLE subtask ADD COLUMN begun integer NOT NULL DEFAULT 0;
