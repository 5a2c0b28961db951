-- Programs for terminals: what the fund's release key signed, who is offered what, and what terminals say of themselves.

-- hash: of the signed release. program: SHA-256 of the program, under which it lies in the folder `releases`.
CREATE TABLE releases (
    hash         BLOB    PRIMARY KEY CHECK (length(hash) = 32),
    manifest     BLOB    NOT NULL,
    version      TEXT    NOT NULL,
    target       TEXT    NOT NULL,
    program      BLOB    NOT NULL CHECK (length(program) = 32),
    size         INTEGER NOT NULL CHECK (size > 0),
    added_at     INTEGER NOT NULL,
    withdrawn_at INTEGER
) STRICT, WITHOUT ROWID;

-- terminal: 0 for every one.
CREATE TABLE release_offers (
    release    BLOB    NOT NULL REFERENCES releases (hash),
    terminal   INTEGER NOT NULL CHECK (terminal >= 0),
    offered_at INTEGER NOT NULL,
    PRIMARY KEY (release, terminal)
) STRICT, WITHOUT ROWID;

-- What a terminal said of itself when it last asked for programs. capabilities: numbers with commas between.
-- phase: 0 nothing under way, 1 loading, 2 testing, 3 ready, 4 on trial, 5 refused, 6 rolled back, 7 takes none.
CREATE TABLE abouts (
    epoch        INTEGER PRIMARY KEY REFERENCES epochs (number),
    at           INTEGER NOT NULL,
    program      TEXT    NOT NULL,
    target       TEXT    NOT NULL,
    capabilities TEXT    NOT NULL,
    phase        INTEGER NOT NULL CHECK (phase BETWEEN 0 AND 7),
    release      BLOB CHECK (length(release) = 32),
    note         TEXT    NOT NULL
) STRICT;
