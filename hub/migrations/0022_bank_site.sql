-- That the bank did not make a payment is said by one person and approved by another one, each from their own login.

CREATE TABLE payout_refusals (
    id         INTEGER PRIMARY KEY,
    settlement INTEGER NOT NULL REFERENCES settlements (number),
    shop       INTEGER NOT NULL REFERENCES shops (number),
    reason     TEXT    NOT NULL,
    said_by    TEXT    NOT NULL,
    said_at    INTEGER NOT NULL,
    -- 0 said, 1 approved, 2 taken back
    state      INTEGER NOT NULL CHECK (state BETWEEN 0 AND 2),
    ended_by   TEXT,
    ended_at   INTEGER,
    CHECK ((state = 0) = (ended_by IS NULL) AND (ended_by IS NULL) = (ended_at IS NULL)),
    CHECK (state <> 1 OR ended_by <> said_by)
) STRICT;
CREATE UNIQUE INDEX payout_refusals_open ON payout_refusals (settlement, shop) WHERE state = 0;
CREATE UNIQUE INDEX payout_refusals_done ON payout_refusals (settlement, shop) WHERE state = 1;

CREATE TRIGGER refusals_stay   BEFORE UPDATE ON payout_refusals WHEN OLD.state <> 0
    BEGIN SELECT RAISE(ABORT, 'a refusal that ended is never changed'); END;
CREATE TRIGGER refusals_remain BEFORE DELETE ON payout_refusals BEGIN SELECT RAISE(ABORT, 'a refusal is never deleted'); END;

-- By the entry that paid or brought back.
CREATE INDEX IF NOT EXISTS payouts_paid_by_entry ON payouts_paid (entry);
CREATE INDEX IF NOT EXISTS payouts_back_by_entry ON payouts_back (entry);
