-- Whom the hub tells of what is wrong on its machine and at its terminals, so that a restart tells nothing twice. No person,
-- no purse.

-- What is open. terminal: 0 where it is about none. told_at: reminders included.
CREATE TABLE alerts (
    code        TEXT    NOT NULL,
    terminal    INTEGER NOT NULL CHECK (terminal >= 0),
    is_wrong    INTEGER NOT NULL CHECK (is_wrong IN (0, 1)),
    says        TEXT    NOT NULL,
    value       INTEGER CHECK (value >= 0),
    began_at    INTEGER NOT NULL CHECK (began_at >= 0),
    told_at     INTEGER NOT NULL CHECK (told_at >= 0),
    reminded_at INTEGER CHECK (reminded_at >= 0),
    fine_since  INTEGER CHECK (fine_since >= 0),
    PRIMARY KEY (code, terminal)
) STRICT, WITHOUT ROWID;

-- Messages, the lines of each as JSON.
CREATE TABLE alert_messages (
    number  INTEGER PRIMARY KEY CHECK (number > 0),
    made_at INTEGER NOT NULL CHECK (made_at >= 0),
    lines   TEXT    NOT NULL
) STRICT;

-- Where each is to go. way: 1 mail, 2 webhook. Tried until it is delivered.
CREATE TABLE alert_deliveries (
    message      INTEGER NOT NULL REFERENCES alert_messages (number) ON DELETE CASCADE,
    way          INTEGER NOT NULL CHECK (way IN (1, 2)),
    tries        INTEGER NOT NULL DEFAULT 0 CHECK (tries >= 0),
    next_at      INTEGER NOT NULL CHECK (next_at >= 0),
    delivered_at INTEGER CHECK (delivered_at >= 0),
    PRIMARY KEY (message, way)
) STRICT, WITHOUT ROWID;
