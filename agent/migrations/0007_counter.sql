-- Who is at the counter, and whether it trains: the newest row of each kind says so, and is found without a scan.

CREATE INDEX rows_of_cashiers ON rows (seq) WHERE kind = 12;
CREATE INDEX rows_of_training ON rows (seq) WHERE kind = 13;
