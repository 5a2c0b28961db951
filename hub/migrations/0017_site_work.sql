-- Forms that were sent twice are done once, and long work goes on after a restart.

-- What was done under a name that a form or a program made up for it. key: a hash of who sent it, where, and that name.
CREATE TABLE once (
    key   BLOB    PRIMARY KEY CHECK (length(key) = 32),
    at    INTEGER NOT NULL CHECK (at >= 0),
    given TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX once_by_time ON once (at);

-- Work that takes longer than a page. job: what is to be done, as JSON, without anything personal.
-- file: what was uploaded for it, sealed; gone when it has ended.
-- state: 0 waiting or under way, 1 done, 2 refused or failed.
-- result: what came of it, as JSON.
CREATE TABLE works (
    number   INTEGER PRIMARY KEY CHECK (number > 0),
    job      TEXT    NOT NULL,
    file     BLOB,
    who      TEXT    NOT NULL,
    asked_at INTEGER NOT NULL CHECK (asked_at >= 0),
    state    INTEGER NOT NULL DEFAULT 0 CHECK (state BETWEEN 0 AND 2),
    done     INTEGER NOT NULL DEFAULT 0 CHECK (done >= 0),
    total    INTEGER CHECK (total >= done),
    result   TEXT,
    ended_at INTEGER,
    CHECK ((state = 0) = (ended_at IS NULL) AND (state = 0) = (result IS NULL)),
    CHECK (state = 0 OR file IS NULL)
) STRICT;
CREATE INDEX works_open ON works (number) WHERE state = 0;
