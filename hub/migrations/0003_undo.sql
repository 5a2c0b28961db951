-- Sales that are undone at once by their own terminal (ledger.md, Reversals).

-- What reversals gave back to a slice: what it allows is what its account was credited, less this.
ALTER TABLE slices ADD COLUMN reversed_cents INTEGER NOT NULL DEFAULT 0 CHECK (reversed_cents >= 0);
-- The highest cent of its reversed counter that a reversal claimed.
ALTER TABLE slices ADD COLUMN reversed_to INTEGER NOT NULL DEFAULT 0 CHECK (reversed_to >= reversed_cents);

-- Which sale was reversed by which row, both by their keys: each once.
CREATE TABLE reversals (
    sale INTEGER PRIMARY KEY,
    row  INTEGER NOT NULL UNIQUE CHECK (row > sale)
) STRICT;

ALTER TABLE settlement_shops ADD COLUMN reversals INTEGER NOT NULL DEFAULT 0 CHECK (reversals >= 0);
ALTER TABLE settlement_shops ADD COLUMN reversed INTEGER NOT NULL DEFAULT 0 CHECK (reversed >= 0);

CREATE TRIGGER undone_stay   BEFORE UPDATE ON reversals BEGIN SELECT RAISE(ABORT, 'a reversal is never changed'); END;
CREATE TRIGGER undone_remain BEFORE DELETE ON reversals BEGIN SELECT RAISE(ABORT, 'a reversal is never deleted'); END;
