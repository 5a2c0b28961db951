-- Slices that follow the households, and money that is asked back (ledger.md, Slices).

-- The newest recall of a slice: "keep at most so much". Late or repeated it is harmless, so an older one is written over.
CREATE TABLE recalls (
    slice       INTEGER PRIMARY KEY,
    epoch       INTEGER NOT NULL REFERENCES epochs (number),
    request     BLOB    NOT NULL UNIQUE CHECK (length(request) = 8),
    keep        INTEGER NOT NULL CHECK (keep >= 0),
    -- 1 a sale waits elsewhere, 2 the household's money is divided anew, 3 a person asked
    purpose     INTEGER NOT NULL CHECK (purpose BETWEEN 1 AND 3),
    asked_at    INTEGER NOT NULL,
    answered_at INTEGER,
    change      INTEGER NOT NULL
) STRICT;
CREATE INDEX recalls_by_change ON recalls (epoch, change);

-- What came back from a slice by returns and voids: what was bought with it is its debits less this and less reversals.
ALTER TABLE slices ADD COLUMN returned_cents INTEGER NOT NULL DEFAULT 0 CHECK (returned_cents >= 0);
UPDATE slices SET returned_cents = back.cents
    FROM (SELECT debit, sum(cents) AS cents FROM transfers WHERE kind IN (4, 20) GROUP BY debit) AS back
    WHERE back.debit = slices.id;
CREATE INDEX slices_by_purse ON slices (id & 4294967295);

-- What each household is to find at a shop without a network on its market days: bit 0 is Monday.
ALTER TABLE shops ADD COLUMN floor_cents INTEGER NOT NULL DEFAULT 0 CHECK (floor_cents >= 0);
ALTER TABLE shops ADD COLUMN market_days INTEGER NOT NULL DEFAULT 127 CHECK (market_days BETWEEN 0 AND 127);
-- The day for which floors were laid last.
ALTER TABLE fund ADD COLUMN floors_day INTEGER NOT NULL DEFAULT 0;

-- When a sale of it came last that was long under way: its network is not steady.
ALTER TABLE epochs ADD COLUMN late_at INTEGER;
