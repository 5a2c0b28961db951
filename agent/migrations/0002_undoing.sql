-- Money that comes back: reversals, refund requests, and returns to the hub. Each is a row of its own; what stands here says
-- which row it undoes, so that nothing is undone twice.

-- The running totals go on with what was reversed and what refunds were asked for.
ALTER TABLE rows ADD COLUMN reversed_cents INTEGER NOT NULL DEFAULT 0 CHECK (reversed_cents >= 0);
ALTER TABLE rows ADD COLUMN refund_cents INTEGER NOT NULL DEFAULT 0 CHECK (refund_cents >= 0);

-- A sale is reversed once. The request stays here: the row has no place for it.
CREATE TABLE reversals (
    sale    INTEGER PRIMARY KEY REFERENCES rows (seq),
    seq     INTEGER NOT NULL UNIQUE REFERENCES rows (seq),
    request BLOB    NOT NULL UNIQUE CHECK (length(request) = 8)
) STRICT;
CREATE TRIGGER reversals_are_never_changed BEFORE UPDATE ON reversals
BEGIN SELECT RAISE(ABORT, 'a reversal is never changed'); END;
CREATE TRIGGER reversals_are_never_removed BEFORE DELETE ON reversals
BEGIN SELECT RAISE(ABORT, 'a reversal is never removed'); END;

CREATE TABLE refunds (
    seq           INTEGER PRIMARY KEY REFERENCES rows (seq),
    sale          INTEGER NOT NULL REFERENCES rows (seq),
    -- What the purse's balance here allowed when the refund was asked for: a later one that allows more has it in it.
    allowed_cents INTEGER NOT NULL CHECK (allowed_cents >= 0)
) STRICT;
CREATE INDEX refunds_by_sale ON refunds (sale);
CREATE TRIGGER refunds_are_never_changed BEFORE UPDATE ON refunds
BEGIN SELECT RAISE(ABORT, 'a refund is never changed'); END;
CREATE TRIGGER refunds_are_never_removed BEFORE DELETE ON refunds
BEGIN SELECT RAISE(ABORT, 'a refund is never removed'); END;

-- A recall is answered once for each purse.
CREATE TABLE returns (
    request BLOB    NOT NULL CHECK (length(request) = 8),
    purse   BLOB    NOT NULL CHECK (length(purse) = 8),
    seq     INTEGER NOT NULL UNIQUE REFERENCES rows (seq),
    PRIMARY KEY (request, purse)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER returns_are_never_changed BEFORE UPDATE ON returns
BEGIN SELECT RAISE(ABORT, 'a return is never changed'); END;
CREATE TRIGGER returns_are_never_removed BEFORE DELETE ON returns
BEGIN SELECT RAISE(ABORT, 'a return is never removed'); END;
