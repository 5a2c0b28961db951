-- Who works with the web site, and what they did there.

-- role: 1 admin, 2 treasurer, 3 evaluator, 4 shop; only the last is bound to a shop. password: a PHC string (argon2id).
-- given_until: a password that somebody else gave ends then; none where its owner chose it.
-- totp: the shared secret, sealed by the hub's keys; none before it was set up. totp_step: the newest one that was used.
CREATE TABLE users (
    number       INTEGER PRIMARY KEY CHECK (number > 0),
    name         TEXT    NOT NULL UNIQUE,
    role         INTEGER NOT NULL CHECK (role BETWEEN 1 AND 4),
    shop         INTEGER REFERENCES shops (number),
    password     TEXT    NOT NULL,
    given_until  INTEGER,
    totp         BLOB,
    totp_step    INTEGER NOT NULL CHECK (totp_step >= 0),
    failures     INTEGER NOT NULL CHECK (failures >= 0),
    locked_until INTEGER NOT NULL CHECK (locked_until >= 0),
    disabled_at  INTEGER,
    created_at   INTEGER NOT NULL,
    CHECK ((role = 4) = (shop IS NOT NULL))
) STRICT;

CREATE TABLE recovery_codes (
    user    INTEGER NOT NULL REFERENCES users (number),
    hash    BLOB    NOT NULL CHECK (length(hash) = 32),
    used_at INTEGER,
    PRIMARY KEY (user, hash)
) STRICT, WITHOUT ROWID;

-- token: the hash of what the browser holds. proven: 1 once the second factor was shown.
-- pending_totp: a new secret, sealed, until a code of it was shown.
CREATE TABLE sessions (
    token        BLOB    PRIMARY KEY CHECK (length(token) = 32),
    user         INTEGER NOT NULL REFERENCES users (number),
    proven       INTEGER NOT NULL CHECK (proven IN (0, 1)),
    pending_totp BLOB,
    created_at   INTEGER NOT NULL,
    seen_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_user ON sessions (user);

-- Programs that read the site as JSON. token: the hash of what they hold.
CREATE TABLE api_tokens (
    number     INTEGER PRIMARY KEY CHECK (number > 0),
    name       TEXT    NOT NULL UNIQUE,
    role       INTEGER NOT NULL CHECK (role BETWEEN 1 AND 4),
    shop       INTEGER REFERENCES shops (number),
    token      BLOB    NOT NULL UNIQUE CHECK (length(token) = 32),
    created_at INTEGER NOT NULL,
    revoked_at INTEGER,
    CHECK ((role = 4) = (shop IS NOT NULL))
) STRICT;

-- What was done, by whom; each entry has the hash of the one before.
CREATE TABLE audit (
    seq     INTEGER PRIMARY KEY CHECK (seq > 0),
    at      INTEGER NOT NULL CHECK (at >= 0),
    who     TEXT    NOT NULL,
    what    TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    detail  TEXT    NOT NULL,
    prev    BLOB    NOT NULL CHECK (length(prev) = 32),
    hash    BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;
-- How long the log is: an end that was cut off is seen.
CREATE TABLE audit_head (
    id  INTEGER PRIMARY KEY CHECK (id = 1),
    seq INTEGER NOT NULL CHECK (seq >= 0)
) STRICT;
INSERT INTO audit_head VALUES (1, 0);
CREATE TRIGGER audit_stays   BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'an audit entry is never changed'); END;
CREATE TRIGGER audit_remains BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'an audit entry is never deleted'); END;
