-- What the bank's text says is sealed; a payout that is said to have come back is agreed to by another person unless the bank
-- says so itself; what is no payout is set aside with a reason.

-- The text of an entry, all its parts, under the hub's keys: nobody reads it in the file. It is erased with the household
-- that it names; no entry stands on it.
CREATE TABLE bank_texts (
    entry  INTEGER PRIMARY KEY REFERENCES bank_entries (id),
    sealed BLOB NOT NULL
) STRICT;
-- `bank_entry_parts` holds what was imported before, until the hub has sealed it at its next start: then it is empty for good.

-- One person says that an entry brought a payout back (all that were paid of the settlement where no shop is named).
CREATE TABLE payout_returns (
    id         INTEGER PRIMARY KEY,
    entry      INTEGER NOT NULL REFERENCES bank_entries (id),
    settlement INTEGER NOT NULL REFERENCES settlements (number),
    shop       INTEGER REFERENCES shops (number),
    cents      INTEGER NOT NULL CHECK (cents > 0),
    said_by    TEXT    NOT NULL,
    said_at    INTEGER NOT NULL,
    -- 0 said, 1 approved, 2 taken back
    state      INTEGER NOT NULL CHECK (state BETWEEN 0 AND 2),
    ended_by   TEXT,
    ended_at   INTEGER,
    CHECK ((state = 0) = (ended_by IS NULL) AND (ended_by IS NULL) = (ended_at IS NULL)),
    CHECK (state <> 1 OR ended_by <> said_by)
) STRICT;
CREATE UNIQUE INDEX payout_returns_open ON payout_returns (entry) WHERE state = 0;
CREATE UNIQUE INDEX payout_returns_done ON payout_returns (entry) WHERE state = 1;
CREATE TRIGGER returns_stay   BEFORE UPDATE ON payout_returns WHEN OLD.state <> 0
    BEGIN SELECT RAISE(ABORT, 'a return that ended is never changed'); END;
CREATE TRIGGER returns_remain BEFORE DELETE ON payout_returns BEGIN SELECT RAISE(ABORT, 'a return is never deleted'); END;

-- Returns after this one were said by two people, or by the bank itself.
CREATE TABLE two_people_returns (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    place INTEGER NOT NULL
) STRICT;
INSERT INTO two_people_returns SELECT 1, ifnull(max(place), 0) FROM payouts_back;

-- What was set aside with a reason, and taken up again: of an entry the newest holds.
CREATE TABLE set_asides (
    id       INTEGER PRIMARY KEY,
    entry    INTEGER NOT NULL REFERENCES bank_entries (id),
    -- 1 set aside, 0 open again
    is_aside INTEGER NOT NULL CHECK (is_aside IN (0, 1)),
    reason   TEXT    NOT NULL,
    said_by  TEXT    NOT NULL,
    said_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX set_asides_by_entry ON set_asides (entry, id);
CREATE TRIGGER asides_stay   BEFORE UPDATE ON set_asides BEGIN SELECT RAISE(ABORT, 'what was set aside is never changed'); END;
CREATE TRIGGER asides_remain BEFORE DELETE ON set_asides BEGIN SELECT RAISE(ABORT, 'what was set aside is never deleted'); END;
