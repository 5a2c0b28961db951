-- The journal of one enrolment of one terminal. Rows are only ever added; what else stands here is derived from rows and
-- from hub-signed objects, in the transaction that brings them.

-- What `journal verify` needs beside the root key: the request names the terminal's key, the answer names the request.
CREATE TABLE identity (
    one           INTEGER PRIMARY KEY CHECK (one = 1),
    enrol_request BLOB NOT NULL,
    enrol_answer  BLOB NOT NULL,
    hub_url       TEXT NOT NULL
) STRICT;

CREATE TABLE rows (
    seq          INTEGER PRIMARY KEY CHECK (seq BETWEEN 1 AND 4294967295),
    hash         BLOB    NOT NULL CHECK (length(hash) = 32),
    kind         INTEGER NOT NULL,
    -- Hub time as well as it was known, in seconds since 1970: for receipts and exports.
    at           INTEGER NOT NULL,
    -- The newest STAN and the totals, this row included: so nothing is ever summed by a scan.
    stan         INTEGER NOT NULL CHECK (stan BETWEEN 0 AND 999999),
    sales        INTEGER NOT NULL CHECK (sales >= 0),
    fund_cents   INTEGER NOT NULL CHECK (fund_cents >= 0),
    member_cents INTEGER NOT NULL CHECK (member_cents >= 0),
    -- The request that asked for it: one row at the most.
    request      BLOB CHECK (length(request) = 8),
    -- The till's own reference stays at the shop.
    till_ref     TEXT,
    -- The signed row, as it is sent.
    bytes        BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX rows_by_request ON rows (request) WHERE request IS NOT NULL;

CREATE TRIGGER rows_are_never_changed BEFORE UPDATE ON rows BEGIN SELECT RAISE(ABORT, 'a row is never changed'); END;
CREATE TRIGGER rows_are_never_removed BEFORE DELETE ON rows BEGIN SELECT RAISE(ABORT, 'a row is never removed'); END;
CREATE TRIGGER the_identity_is_never_changed BEFORE UPDATE ON identity
BEGIN SELECT RAISE(ABORT, 'an enrolment is never changed'); END;
CREATE TRIGGER the_identity_is_never_removed BEFORE DELETE ON identity
BEGIN SELECT RAISE(ABORT, 'an enrolment is never removed'); END;

-- scope: 0 the card counts, 1 this journal counts.
CREATE TABLE balances (
    purse         BLOB    NOT NULL CHECK (length(purse) = 8),
    scope         INTEGER NOT NULL CHECK (scope IN (0, 1)),
    serial        INTEGER NOT NULL,
    allowed_cents INTEGER NOT NULL CHECK (allowed_cents >= 0),
    issued_at     INTEGER NOT NULL,
    valid_for_s   INTEGER NOT NULL,
    bytes         BLOB    NOT NULL,
    PRIMARY KEY (purse, scope)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER allowed_never_goes_down BEFORE UPDATE ON balances
WHEN NEW.allowed_cents < OLD.allowed_cents OR NEW.serial < OLD.serial
BEGIN SELECT RAISE(ABORT, 'what is allowed never goes down'); END;
CREATE TRIGGER balances_are_never_removed BEFORE DELETE ON balances
BEGIN SELECT RAISE(ABORT, 'a balance is never removed'); END;

CREATE TABLE counters (
    purse           BLOB    NOT NULL CHECK (length(purse) = 8),
    scope           INTEGER NOT NULL CHECK (scope = 1),
    spent_cents     INTEGER NOT NULL CHECK (spent_cents >= 0),
    reversed_cents  INTEGER NOT NULL CHECK (reversed_cents BETWEEN 0 AND spent_cents),
    -- Sales with plain cards on one business day.
    plain_day       INTEGER NOT NULL,
    plain_day_cents INTEGER NOT NULL CHECK (plain_day_cents >= 0),
    PRIMARY KEY (purse, scope)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER counters_never_go_down BEFORE UPDATE ON counters
WHEN NEW.spent_cents < OLD.spent_cents OR NEW.reversed_cents < OLD.reversed_cents
BEGIN SELECT RAISE(ABORT, 'a counter never goes down'); END;
CREATE TRIGGER counters_are_never_removed BEFORE DELETE ON counters
BEGIN SELECT RAISE(ABORT, 'a counter is never removed'); END;

CREATE TABLE bindings (
    card    BLOB    PRIMARY KEY CHECK (length(card) = 8),
    tier    INTEGER NOT NULL CHECK (tier IN (1, 2, 3)),
    purse   BLOB    NOT NULL CHECK (length(purse) = 8),
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What the hot list names. kind: 1 a card, 2 a purse.
CREATE TABLE hot (
    kind INTEGER NOT NULL CHECK (kind IN (1, 2)),
    ref  BLOB    NOT NULL CHECK (length(ref) = 8),
    PRIMARY KEY (kind, ref)
) STRICT, WITHOUT ROWID;

-- Signed policy, grids, configuration and key certificates, by the object type of protocol/wire.md §3.
CREATE TABLE documents (
    type  INTEGER NOT NULL,
    id    INTEGER NOT NULL,
    bytes BLOB    NOT NULL,
    PRIMARY KEY (type, id)
) STRICT, WITHOUT ROWID;

-- What is known of the hub, and of the time.
CREATE TABLE hub (
    one             INTEGER PRIMARY KEY CHECK (one = 1),
    incarnation     INTEGER NOT NULL,
    time_epoch      INTEGER NOT NULL,
    ratchet         INTEGER NOT NULL,
    cursor          INTEGER NOT NULL,
    acked_seq       INTEGER NOT NULL,
    acked_hash      BLOB    NOT NULL,
    backed_up       INTEGER NOT NULL,
    standing        INTEGER NOT NULL,
    hot_list        INTEGER NOT NULL,
    checked_at      INTEGER,
    anchor_boot     BLOB    NOT NULL,
    anchor_ms       INTEGER NOT NULL,
    anchor_wall     INTEGER NOT NULL,
    anchor_time     INTEGER NOT NULL,
    anchor_synced   INTEGER NOT NULL
) STRICT;
CREATE TRIGGER the_hot_list_never_goes_down BEFORE UPDATE ON hub WHEN NEW.hot_list < OLD.hot_list
BEGIN SELECT RAISE(ABORT, 'the version of the hot list never goes down'); END;

-- The newest closing of each period.
CREATE TABLE closes (
    period INTEGER PRIMARY KEY CHECK (period IN (1, 2, 3)),
    number INTEGER NOT NULL,
    seq    INTEGER NOT NULL REFERENCES rows (seq)
) STRICT;

-- How often a receipt was printed: a second time it says so.
CREATE TABLE prints (
    seq    INTEGER PRIMARY KEY REFERENCES rows (seq),
    copies INTEGER NOT NULL CHECK (copies > 0)
) STRICT;

CREATE TABLE alarms (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    at   INTEGER NOT NULL,
    text TEXT    NOT NULL
) STRICT;
