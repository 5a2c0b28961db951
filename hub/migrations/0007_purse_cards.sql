-- Purse cards (ledger.md, Purse cards): the chip counts what it spent, and each card is a purse of its own.
-- A household's first purse stays the one that its other cards share.

-- id is the id of the card's account: 12, number of the card's own purse. Its `allowed` is what the account was credited.
-- serial: 0 while nothing was loaded yet.
CREATE TABLE card_balances (
    id              INTEGER PRIMARY KEY,
    card            INTEGER NOT NULL UNIQUE REFERENCES cards (number),
    serial          INTEGER NOT NULL CHECK (serial >= 0),
    -- Cents below the highest claimed one that were never claimed.
    unclaimed_cents INTEGER NOT NULL CHECK (unclaimed_cents >= 0),
    policy          INTEGER NOT NULL REFERENCES policies (id),
    issued_at       INTEGER NOT NULL,
    change          INTEGER NOT NULL
) STRICT;
CREATE INDEX card_balances_by_change ON card_balances (change);
CREATE INDEX card_balances_by_age ON card_balances (issued_at);
CREATE INDEX cards_by_purse ON cards (purse);

-- Rows of all terminals claim the counter of one card: id is the order in which the hub took them, dense from 1.
-- account: card_balances.id; row: rows.key.
CREATE TABLE card_claims (
    id      INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    row     INTEGER NOT NULL
) STRICT;

-- What went back from a lost or retired card, once. Claims after claims_upto came later: they are over-right.
CREATE TABLE card_releases (
    id          INTEGER PRIMARY KEY,
    account     INTEGER NOT NULL UNIQUE REFERENCES card_balances (id),
    cents       INTEGER NOT NULL CHECK (cents >= 0),
    -- The hot list that named the card, and that every open enrolment had applied.
    list        INTEGER NOT NULL,
    claims_upto INTEGER NOT NULL CHECK (claims_upto >= 0),
    released_at INTEGER NOT NULL
) STRICT;

CREATE TRIGGER tapped_stay     BEFORE UPDATE ON card_claims   BEGIN SELECT RAISE(ABORT, 'a claim is never changed'); END;
CREATE TRIGGER tapped_remain   BEFORE DELETE ON card_claims   BEGIN SELECT RAISE(ABORT, 'a claim is never deleted'); END;
CREATE TRIGGER released_stay   BEFORE UPDATE ON card_releases BEGIN SELECT RAISE(ABORT, 'a release is never changed'); END;
CREATE TRIGGER released_remain BEFORE DELETE ON card_releases BEGIN SELECT RAISE(ABORT, 'a release is never deleted'); END;
