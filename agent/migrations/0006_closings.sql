-- What closings and the history look for without reading the whole journal.
CREATE INDEX rows_of_closings ON rows (kind) WHERE kind = 11;
CREATE INDEX rows_of_cashiers ON rows (kind) WHERE kind = 12;
-- By time and not by number: a clock that was wrong must hide no sale.
CREATE INDEX rows_by_time ON rows (at) WHERE kind IN (2, 3, 4);
