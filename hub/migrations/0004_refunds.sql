-- Refunds (ledger.md): what became of each request, and of which sale it asks.

CREATE TABLE refunds (
    -- The request's and the sale's rows, by their keys. No sale where its terminal or enrolment is not known.
    row      INTEGER PRIMARY KEY REFERENCES rows (key),
    sale     INTEGER,
    request  BLOB    NOT NULL CHECK (length(request) = 8),
    purse    INTEGER NOT NULL,
    cents    INTEGER NOT NULL CHECK (cents >= 0),
    -- 0 waits for its sale, 1 granted, 2 refused
    state    INTEGER NOT NULL CHECK (state BETWEEN 0 AND 2),
    -- Why it was refused, else 0.
    why      INTEGER NOT NULL CHECK ((state = 2) = (why > 0)),
    -- Its place among those that were granted, dense from 1, and the transfer that moved the money.
    place    INTEGER UNIQUE CHECK ((state = 1) = (place IS NOT NULL)),
    transfer INTEGER UNIQUE REFERENCES transfers (id) CHECK ((state = 1) = (transfer IS NOT NULL)),
    -- With which change its terminal learns what became of it.
    change   INTEGER CHECK ((state = 0) = (change IS NULL)),
    CHECK (state <> 1 OR (cents > 0 AND sale IS NOT NULL))
) STRICT;
CREATE INDEX refunds_by_sale ON refunds (sale);
CREATE INDEX refunds_by_request ON refunds (request);
CREATE INDEX refunds_by_change ON refunds (row >> 32, change);
CREATE INDEX refunds_waiting ON refunds (sale) WHERE state = 0;

-- The last refund that a settlement takes off.
ALTER TABLE settlements ADD COLUMN refunded_upto INTEGER NOT NULL DEFAULT 0 CHECK (refunded_upto >= 0);
ALTER TABLE settlement_shops ADD COLUMN refunds INTEGER NOT NULL DEFAULT 0 CHECK (refunds >= 0);
ALTER TABLE settlement_shops ADD COLUMN refunded INTEGER NOT NULL DEFAULT 0 CHECK (refunded >= 0);

CREATE TRIGGER refunded_stay   BEFORE UPDATE ON refunds WHEN OLD.state <> 0
    BEGIN SELECT RAISE(ABORT, 'a decided refund is never changed'); END;
CREATE TRIGGER refunded_remain BEFORE DELETE ON refunds BEGIN SELECT RAISE(ABORT, 'a refund is never deleted'); END;
