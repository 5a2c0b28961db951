-- Files that were uploaded for an import and wait for a yes.

-- kind: what the file's header says it holds. file: as it was uploaded, sealed by a key that is not in this file; gone when
-- it was imported or put away. state: 0 waits, 1 imported, 2 put away.
CREATE TABLE uploads (
    number   INTEGER PRIMARY KEY CHECK (number > 0),
    kind     TEXT    NOT NULL,
    rows     INTEGER NOT NULL CHECK (rows >= 0),
    file     BLOB,
    who      TEXT    NOT NULL,
    added_at INTEGER NOT NULL CHECK (added_at >= 0),
    state    INTEGER NOT NULL DEFAULT 0 CHECK (state BETWEEN 0 AND 2),
    ended_at INTEGER,
    CHECK ((state = 0) = (ended_at IS NULL)),
    CHECK ((state = 0) = (file IS NOT NULL))
) STRICT;
CREATE INDEX uploads_waiting ON uploads (number) WHERE state = 0;
