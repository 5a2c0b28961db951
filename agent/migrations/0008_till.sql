-- What tills asked for, written before anything is done about it. A till's protocol may have no key of its own: whether a
-- till knows what became of its request is told by told_at, set after the answer was read. A row whose request stands in
-- `rows` or `reversals` and has no told_at is one that the till may not know, whatever ended the program in between.
CREATE TABLE till_requests (
    request   BLOB    NOT NULL PRIMARY KEY CHECK (length(request) = 8),
    -- Hub time as well as it was known, in seconds since 1970.
    at        INTEGER NOT NULL,
    peer      TEXT    NOT NULL,
    till      TEXT    NOT NULL,
    -- 0 debit, 1 refund, 2 cancellation.
    action    INTEGER NOT NULL CHECK (action IN (0, 1, 2)),
    cents     INTEGER NOT NULL CHECK (cents > 0),
    reference TEXT    NOT NULL,
    told_at   INTEGER,
    -- 1 where a person said that it is settled.
    by_hand   INTEGER NOT NULL DEFAULT 0 CHECK (by_hand IN (0, 1))
) STRICT, WITHOUT ROWID;
CREATE INDEX till_requests_by_time ON till_requests (at);
