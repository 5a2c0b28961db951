-- The lives of epochs, of the hub and of its keys: closings by two people, restores, goodwill.

-- One person proposes to close an epoch at its newest row, another one does it. Kept for ever: who, when, at which row.
CREATE TABLE closings (
    id          INTEGER PRIMARY KEY,
    epoch       INTEGER NOT NULL REFERENCES epochs (number),
    at_seq      INTEGER NOT NULL CHECK (at_seq >= 0),
    at_hash     BLOB    NOT NULL CHECK (length(at_hash) = 32),
    proposed_by TEXT    NOT NULL,
    proposed_at INTEGER NOT NULL,
    -- 0 proposed, 1 closed, 2 withdrawn
    state       INTEGER NOT NULL CHECK (state BETWEEN 0 AND 2),
    ended_by    TEXT,
    ended_at    INTEGER,
    CHECK ((state = 0) = (ended_by IS NULL) AND (ended_by IS NULL) = (ended_at IS NULL)),
    CHECK (state <> 1 OR ended_by <> proposed_by)
) STRICT;
CREATE UNIQUE INDEX closings_open ON closings (epoch) WHERE state = 0;
CREATE UNIQUE INDEX closings_done ON closings (epoch) WHERE state = 1;

-- What went back from a slice when its epoch was closed.
CREATE TABLE voids (
    slice   INTEGER PRIMARY KEY,
    closing INTEGER NOT NULL REFERENCES closings (id),
    cents   INTEGER NOT NULL CHECK (cents > 0)
) STRICT;

-- Lives of the hub after the first. While `ended_at` is missing the hub is being restored.
CREATE TABLE lives (
    incarnation       INTEGER PRIMARY KEY CHECK (incarnation > 1),
    restored_at       INTEGER NOT NULL,
    ended_at          INTEGER,
    -- The newest settlement in the backup: what was closed after it is not known here.
    settlement        INTEGER NOT NULL,
    payments_checked  INTEGER NOT NULL CHECK (payments_checked IN (0, 1)),
    -- The first number of a terminal that is made in this life.
    terminal_from     INTEGER NOT NULL,
    -- The first version of a hot list that is made in this life.
    hot_list_from     INTEGER NOT NULL
) STRICT;

-- Epochs that are asked for the balances they hold.
CREATE TABLE hand_backs (
    epoch   INTEGER PRIMARY KEY REFERENCES epochs (number),
    done_at INTEGER
) STRICT;

-- Balances that a terminal handed back and that allow more than the backup knew: the hub's own signed word.
-- Serials from_serial to to_serial allow what it says; the difference came from free money and from nothing that the
-- ledger knows yet.
CREATE TABLE held_balances (
    slice        INTEGER NOT NULL,
    from_serial  INTEGER NOT NULL CHECK (from_serial > 0),
    to_serial    INTEGER NOT NULL CHECK (to_serial >= from_serial),
    from_free    INTEGER NOT NULL CHECK (from_free >= 0),
    from_nothing INTEGER NOT NULL CHECK (from_nothing >= 0),
    taken_at     INTEGER NOT NULL,
    envelope     BLOB    NOT NULL,
    PRIMARY KEY (slice, from_serial)
) STRICT, WITHOUT ROWID;

-- Balances that were handed back and cannot be placed: their purse is not in the backup.
CREATE TABLE held_unplaced (
    epoch    INTEGER NOT NULL REFERENCES epochs (number),
    purse    BLOB    NOT NULL CHECK (length(purse) = 8),
    allowed  INTEGER NOT NULL,
    taken_at INTEGER NOT NULL,
    envelope BLOB    NOT NULL,
    PRIMARY KEY (epoch, purse)
) STRICT, WITHOUT ROWID;

-- What the fund advances to a household for money that lies at a terminal which does not answer. Off until set.
CREATE TABLE goodwill (
    id                  INTEGER PRIMARY KEY CHECK (id = 1),
    is_on               INTEGER NOT NULL CHECK (is_on IN (0, 1)),
    per_household_cents INTEGER NOT NULL CHECK (per_household_cents >= 0),
    total_cents         INTEGER NOT NULL CHECK (total_cents >= 0),
    silent_days         INTEGER NOT NULL CHECK (silent_days > 0)
) STRICT;
INSERT INTO goodwill (id, is_on, per_household_cents, total_cents, silent_days) VALUES (1, 0, 0, 0, 7);

CREATE TABLE goodwill_advances (
    id          INTEGER PRIMARY KEY,
    purse       INTEGER NOT NULL REFERENCES purses (number),
    cents       INTEGER NOT NULL CHECK (cents > 0),
    advanced_at INTEGER NOT NULL
) STRICT;

-- The hot list that a row of the terminal says it applied, and the signing key that its cursor says it has.
ALTER TABLE epochs ADD COLUMN list_applied INTEGER NOT NULL DEFAULT 0;
ALTER TABLE epochs ADD COLUMN keys_confirmed INTEGER NOT NULL DEFAULT 0;
-- The version of the list that first named the card.
ALTER TABLE cards ADD COLUMN blocked_in INTEGER;
UPDATE cards SET blocked_in = (SELECT version FROM hot_list) WHERE blocked_at IS NOT NULL;

CREATE TRIGGER voids_stay   BEFORE UPDATE ON voids             BEGIN SELECT RAISE(ABORT, 'a void is never changed'); END;
CREATE TRIGGER voids_remain BEFORE DELETE ON voids             BEGIN SELECT RAISE(ABORT, 'a void is never deleted'); END;
CREATE TRIGGER held_stay   BEFORE UPDATE ON held_balances     BEGIN SELECT RAISE(ABORT, 'evidence is never changed'); END;
CREATE TRIGGER held_remain BEFORE DELETE ON held_balances     BEGIN SELECT RAISE(ABORT, 'evidence is never deleted'); END;
CREATE TRIGGER gifts_stay   BEFORE UPDATE ON goodwill_advances BEGIN SELECT RAISE(ABORT, 'an advance is never changed'); END;
CREATE TRIGGER gifts_remain BEFORE DELETE ON goodwill_advances BEGIN SELECT RAISE(ABORT, 'an advance is never deleted'); END;
