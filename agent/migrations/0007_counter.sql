-- Whether the counter trains: the newest row of its kind says so, and is found without a scan. (Who is at the counter is
-- found by the index of 0006.)
CREATE INDEX rows_of_training ON rows (kind) WHERE kind = 13;
