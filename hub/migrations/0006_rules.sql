-- What the members vote: credits by dated rules, expiry, corrections by two people, households that leave, grids by shop.

-- A rule holds from its month on until the next one begins. Past months are computed again by the rule of their time.
CREATE TABLE credit_rules (
    from_period    TEXT    PRIMARY KEY,
    first_person   INTEGER NOT NULL CHECK (first_person >= 0),
    further_person INTEGER NOT NULL CHECK (further_person >= 0),
    child_under_14 INTEGER NOT NULL CHECK (child_under_14 >= 0),
    -- Money expires at the end of the month when it is so many months old; never where it is missing.
    expire_months  INTEGER CHECK (expire_months > 0),
    set_by         TEXT    NOT NULL,
    set_at         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- Lyon 8e: 150 € for the first person, 75 € for each further one of 14 or more, 40 € for each child; nothing expires.
INSERT INTO credit_rules VALUES ('2020-01', 15000, 7500, 4000, NULL, 'the fund', 0);

-- Since when a household is gone: it is credited no more, and what comes back of it expires.
ALTER TABLE households ADD COLUMN left_at INTEGER;
CREATE INDEX households_left ON households (number) WHERE left_at IS NOT NULL;

-- One person proposes to give a household more or less, another one books it. Kept for ever: who, when, why.
CREATE TABLE corrections (
    id          INTEGER PRIMARY KEY,
    purse       INTEGER NOT NULL REFERENCES purses (number),
    source      INTEGER NOT NULL REFERENCES sources (number),
    cents       INTEGER NOT NULL CHECK (cents > 0),
    is_up       INTEGER NOT NULL CHECK (is_up IN (0, 1)),
    reason      TEXT    NOT NULL,
    -- The month whose credit it corrects, where it is one.
    period      TEXT,
    proposed_by TEXT    NOT NULL,
    proposed_at INTEGER NOT NULL,
    -- 0 proposed, 1 booked, 2 withdrawn
    state       INTEGER NOT NULL CHECK (state BETWEEN 0 AND 2),
    ended_by    TEXT,
    ended_at    INTEGER,
    CHECK ((state = 0) = (ended_by IS NULL) AND (ended_by IS NULL) = (ended_at IS NULL)),
    CHECK (state <> 1 OR ended_by <> proposed_by)
) STRICT;

CREATE INDEX corrections_by_purse ON corrections (purse);

-- What expired of a purse: by the rule of a month, once, or because its household is gone.
CREATE TABLE expiries (
    id        INTEGER PRIMARY KEY,
    purse     INTEGER NOT NULL REFERENCES purses (number),
    cents     INTEGER NOT NULL CHECK (cents > 0),
    period    TEXT,
    booked_at INTEGER NOT NULL,
    UNIQUE (period, purse)
) STRICT;

-- A shop's own grid; without a shop it is everybody's. Of those that hold on a day the highest version counts.
ALTER TABLE grids ADD COLUMN shop INTEGER REFERENCES shops (number);

CREATE TABLE alarms_more (
    epoch    INTEGER NOT NULL REFERENCES epochs (number),
    -- 1 fork, 2 gap, 3 over-right, 4 future incarnation, 5 not authentic, 6 not split by the grid
    kind     INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 6),
    count    INTEGER NOT NULL CHECK (count > 0),
    first_at INTEGER NOT NULL,
    last_at  INTEGER NOT NULL,
    seq      INTEGER NOT NULL,
    PRIMARY KEY (epoch, kind)
) STRICT, WITHOUT ROWID;
INSERT INTO alarms_more SELECT * FROM alarms;
DROP TABLE alarms;
ALTER TABLE alarms_more RENAME TO alarms;

CREATE TRIGGER voted_stay      BEFORE UPDATE ON credit_rules BEGIN SELECT RAISE(ABORT, 'a rule is never changed'); END;
CREATE TRIGGER voted_remain    BEFORE DELETE ON credit_rules BEGIN SELECT RAISE(ABORT, 'a rule is never deleted'); END;
CREATE TRIGGER expired_stay    BEFORE UPDATE ON expiries     BEGIN SELECT RAISE(ABORT, 'an expiry is never changed'); END;
CREATE TRIGGER expired_remain  BEFORE DELETE ON expiries     BEGIN SELECT RAISE(ABORT, 'an expiry is never deleted'); END;
CREATE TRIGGER corrected_stay  BEFORE UPDATE ON corrections WHEN OLD.state <> 0
    BEGIN SELECT RAISE(ABORT, 'a correction that ended is never changed'); END;
CREATE TRIGGER corrected_remain BEFORE DELETE ON corrections BEGIN SELECT RAISE(ABORT, 'a correction is never deleted'); END;
