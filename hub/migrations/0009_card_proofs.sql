-- What cards prove (ledger.md, What cards prove): their transaction MACs and counters, the records that they carry from one
-- shop to another, and money that went from a card without goods for it.

-- A signed balance of a purse card as it was sent. The card carries one of them, and its transaction MACs are over it.
CREATE TABLE card_envelopes (
    account  INTEGER NOT NULL REFERENCES card_balances (id),
    serial   INTEGER NOT NULL CHECK (serial > 0),
    envelope BLOB    NOT NULL,
    PRIMARY KEY (account, serial, envelope)
) STRICT, WITHOUT ROWID;
-- Above this counter the card carries a balance that is kept. None: it may carry one that was sent before this table was
-- there, or before a restore. Then it is set by a proof over a balance of the present life.
ALTER TABLE card_balances ADD COLUMN sure_from INTEGER DEFAULT 0;
UPDATE card_balances SET sure_from = NULL;

-- Transactions of cards, as journals tell of them. row: rows.key; none for what the hub wrote to the card itself.
CREATE TABLE card_commits (
    id      INTEGER PRIMARY KEY,
    account INTEGER NOT NULL REFERENCES card_balances (id),
    row     INTEGER UNIQUE,
    -- rows.key of the row that announced a sale.
    intent  INTEGER,
    -- The card's transaction counter, as the row tells it. None where the card's answer never came.
    counter INTEGER CHECK (counter > 0),
    -- What the card had counted as spent before a sale.
    before  INTEGER CHECK (before >= 0),
    -- 1 proven, 2 missing, 3 cannot be checked, 4 wrong, 5 repeated
    proof   INTEGER NOT NULL CHECK (proof BETWEEN 1 AND 5)
) STRICT;
CREATE UNIQUE INDEX card_commits_by_counter ON card_commits (account, counter) WHERE proof = 1;
CREATE INDEX card_commits_by_account ON card_commits (account);
CREATE INDEX card_commits_by_intent ON card_commits (intent);
CREATE INDEX card_commits_flagged ON card_commits (proof) WHERE proof IN (2, 4, 5);

-- Records of sales as a card carried them to another terminal. row: rows.key of the first row that told of it.
CREATE TABLE card_records (
    id          INTEGER PRIMARY KEY,
    account     INTEGER NOT NULL REFERENCES card_balances (id),
    row         INTEGER NOT NULL,
    -- Who sold, by the record: terminal, epoch and the row that announced the debit.
    terminal    INTEGER NOT NULL,
    epoch       INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    cents       INTEGER NOT NULL CHECK (cents > 0),
    spent_after INTEGER NOT NULL CHECK (spent_after >= cents),
    serial      INTEGER NOT NULL,
    sold_at     INTEGER NOT NULL,
    -- 1 made by the terminal that it names, 3 cannot be checked, 4 not
    proof       INTEGER NOT NULL CHECK (proof IN (1, 3, 4)),
    record      BLOB    NOT NULL,
    UNIQUE (account, record, proof)
) STRICT;
CREATE UNIQUE INDEX card_records_by_sale ON card_records (terminal, epoch, seq) WHERE proof = 1;
-- Those of which no row of their terminal has told, and that are not booked.
CREATE TABLE open_records (
    record INTEGER PRIMARY KEY REFERENCES card_records (id)
) STRICT;

-- What is booked of a card's counter without a row of the terminal that sold.
-- A sale that only the card told of, once its terminal will not tell of it any more: its epoch is closed.
CREATE TABLE carried_sales (
    -- Dense from 1, in the order of booking.
    place      INTEGER PRIMARY KEY,
    record     INTEGER NOT NULL UNIQUE REFERENCES card_records (id),
    shop       INTEGER NOT NULL REFERENCES shops (number),
    settled    INTEGER NOT NULL CHECK (settled >= 0),
    over_right INTEGER NOT NULL CHECK (over_right >= 0),
    why        INTEGER NOT NULL,
    booked_at  INTEGER NOT NULL
) STRICT;
-- Money that a card counted as spent, and no shop claims: two people give it back.
CREATE TABLE card_repayments (
    id          INTEGER PRIMARY KEY,
    account     INTEGER NOT NULL REFERENCES card_balances (id),
    from_cents  INTEGER NOT NULL CHECK (from_cents >= 0),
    to_cents    INTEGER NOT NULL CHECK (to_cents > from_cents),
    reason      TEXT    NOT NULL,
    proposed_by TEXT    NOT NULL,
    proposed_at INTEGER NOT NULL,
    -- 0 proposed, 1 booked, 2 withdrawn
    state       INTEGER NOT NULL CHECK (state BETWEEN 0 AND 2),
    settled     INTEGER NOT NULL DEFAULT 0 CHECK (settled >= 0),
    ended_by    TEXT,
    ended_at    INTEGER
) STRICT;
-- Such bookings claim of the card's counter like rows do. row is 0 for them.
ALTER TABLE card_claims ADD COLUMN carried INTEGER REFERENCES carried_sales (place);
ALTER TABLE card_claims ADD COLUMN repayment INTEGER REFERENCES card_repayments (id);
-- Claims up to this one came before proofs were noted.
CREATE TABLE card_proofs_since (
    claims_upto INTEGER NOT NULL
) STRICT;
INSERT INTO card_proofs_since SELECT ifnull(max(id), 0) FROM card_claims;

-- Settlements pay what was booked of carried sales.
ALTER TABLE settlements ADD COLUMN carried_upto INTEGER NOT NULL DEFAULT 0;
ALTER TABLE settlement_shops ADD COLUMN brought_sales INTEGER NOT NULL DEFAULT 0 CHECK (brought_sales >= 0);
ALTER TABLE settlement_shops ADD COLUMN brought INTEGER NOT NULL DEFAULT 0 CHECK (brought >= 0);

CREATE TABLE alarms_more (
    epoch    INTEGER NOT NULL REFERENCES epochs (number),
    -- 1 fork, 2 gap, 3 over-right, 4 future incarnation, 5 not authentic, 6 not split by the grid, 7 not proven by the card;
    -- the program knows which there are
    kind     INTEGER NOT NULL CHECK (kind > 0),
    count    INTEGER NOT NULL CHECK (count > 0),
    first_at INTEGER NOT NULL,
    last_at  INTEGER NOT NULL,
    seq      INTEGER NOT NULL,
    PRIMARY KEY (epoch, kind)
) STRICT, WITHOUT ROWID;
INSERT INTO alarms_more SELECT * FROM alarms;
DROP TABLE alarms;
ALTER TABLE alarms_more RENAME TO alarms;

CREATE TRIGGER proven_stay     BEFORE UPDATE ON card_commits  BEGIN SELECT RAISE(ABORT, 'a proof is never changed'); END;
CREATE TRIGGER proven_remain   BEFORE DELETE ON card_commits  BEGIN SELECT RAISE(ABORT, 'a proof is never deleted'); END;
CREATE TRIGGER recorded_stay   BEFORE UPDATE ON card_records  BEGIN SELECT RAISE(ABORT, 'a record is never changed'); END;
CREATE TRIGGER recorded_remain BEFORE DELETE ON card_records  BEGIN SELECT RAISE(ABORT, 'a record is never deleted'); END;
CREATE TRIGGER brought_stay    BEFORE UPDATE ON carried_sales BEGIN SELECT RAISE(ABORT, 'a booking is never changed'); END;
CREATE TRIGGER brought_remain  BEFORE DELETE ON carried_sales BEGIN SELECT RAISE(ABORT, 'a booking is never deleted'); END;
CREATE TRIGGER repaid_stay     BEFORE UPDATE ON card_repayments WHEN OLD.state <> 0
    BEGIN SELECT RAISE(ABORT, 'a repayment that ended is never changed'); END;
CREATE TRIGGER repaid_remain   BEFORE DELETE ON card_repayments BEGIN SELECT RAISE(ABORT, 'a repayment is never deleted'); END;
