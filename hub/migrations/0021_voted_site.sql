-- Goodwill is switched by two logins of the web site: one proposes, another one approves.

-- state: 0 open, 1 approved, 2 taken back, 3 too old: another proposal took its place.
-- ended_by: who approved it, took it back, or proposed what took its place.
CREATE TABLE goodwill_proposals (
    id                  INTEGER PRIMARY KEY CHECK (id > 0),
    is_on               INTEGER NOT NULL CHECK (is_on IN (0, 1)),
    per_household_cents INTEGER NOT NULL CHECK (per_household_cents >= 0),
    total_cents         INTEGER NOT NULL CHECK (total_cents >= 0),
    silent_days         INTEGER NOT NULL CHECK (silent_days > 0),
    proposed_by         TEXT    NOT NULL,
    proposed_at         INTEGER NOT NULL CHECK (proposed_at >= 0),
    state               INTEGER NOT NULL DEFAULT 0 CHECK (state BETWEEN 0 AND 3),
    ended_by            TEXT,
    ended_at            INTEGER,
    CHECK ((state = 0) = (ended_by IS NULL) AND (ended_by IS NULL) = (ended_at IS NULL)),
    CHECK (state <> 1 OR ended_by <> proposed_by)
) STRICT;
-- One at a time.
CREATE UNIQUE INDEX goodwill_open ON goodwill_proposals (state) WHERE state = 0;

CREATE TRIGGER switched_stay   BEFORE UPDATE ON goodwill_proposals WHEN OLD.state <> 0
    BEGIN SELECT RAISE(ABORT, 'a proposal that ended is never changed'); END;
CREATE TRIGGER switched_remain BEFORE DELETE ON goodwill_proposals
    BEGIN SELECT RAISE(ABORT, 'a proposal is never deleted'); END;

-- What waits for a second person is looked for on every dashboard.
CREATE INDEX IF NOT EXISTS corrections_open ON corrections (id) WHERE state = 0;
CREATE INDEX IF NOT EXISTS repayments_open  ON card_repayments (id) WHERE state = 0;
