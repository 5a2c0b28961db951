-- From a settlement to the bank and back: accounts, two people, payment files, statements, what was paid and what came back.

-- The fund's own account, as it stood at a time; the newest holds.
CREATE TABLE fund_accounts (
    id         INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL,
    iban       TEXT    NOT NULL,
    bic        TEXT,
    -- The version of pain.001 that the bank takes.
    pain       INTEGER NOT NULL CHECK (pain IN (3, 9)),
    set_by     TEXT    NOT NULL,
    set_at     INTEGER NOT NULL
) STRICT;

-- The accounts of shops; of each the newest holds. `name` is the legal name that the bank checks beside the IBAN.
CREATE TABLE shop_accounts (
    id         INTEGER PRIMARY KEY,
    shop       INTEGER NOT NULL REFERENCES shops (number),
    name       TEXT    NOT NULL,
    iban       TEXT    NOT NULL,
    set_by     TEXT    NOT NULL,
    set_at     INTEGER NOT NULL
) STRICT;
CREATE INDEX shop_accounts_by_shop ON shop_accounts (shop, id);

-- A settlement as one person prepared it, until another one approves it. `settlement` is the number that it gets.
CREATE TABLE preparations (
    id            INTEGER PRIMARY KEY,
    settlement    INTEGER NOT NULL,
    disputed_upto INTEGER NOT NULL,
    refunded_upto INTEGER NOT NULL,
    carried_upto  INTEGER NOT NULL,
    returned_upto INTEGER NOT NULL,
    payout        INTEGER NOT NULL CHECK (payout >= 0),
    prepared_by   TEXT    NOT NULL,
    prepared_at   INTEGER NOT NULL,
    -- 0 prepared, 1 approved, 2 withdrawn
    state         INTEGER NOT NULL CHECK (state BETWEEN 0 AND 2),
    ended_by      TEXT,
    ended_at      INTEGER,
    CHECK ((state = 0) = (ended_by IS NULL) AND (ended_by IS NULL) = (ended_at IS NULL)),
    CHECK (state <> 1 OR ended_by <> prepared_by)
) STRICT;
CREATE UNIQUE INDEX preparations_open ON preparations (state) WHERE state = 0;
CREATE UNIQUE INDEX preparations_done ON preparations (settlement) WHERE state = 1;
CREATE TABLE preparation_cuts (
    preparation INTEGER NOT NULL REFERENCES preparations (id),
    epoch       INTEGER NOT NULL REFERENCES epochs (number),
    to_seq      INTEGER NOT NULL CHECK (to_seq >= 0),
    PRIMARY KEY (preparation, epoch)
) STRICT, WITHOUT ROWID;

-- Settlements after this one were made by two people.
CREATE TABLE two_people (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    settlement INTEGER NOT NULL
) STRICT;
INSERT INTO two_people SELECT 1, ifnull(max(number), 0) FROM settlements;

-- The payment file of a settlement, kept as it was given out: it is never made a second time.
CREATE TABLE payment_files (
    settlement INTEGER PRIMARY KEY REFERENCES settlements (number),
    message    TEXT    NOT NULL UNIQUE,
    account    INTEGER NOT NULL REFERENCES fund_accounts (id),
    execute_on INTEGER NOT NULL,
    made_by    TEXT    NOT NULL,
    made_at    INTEGER NOT NULL,
    sha256     BLOB    NOT NULL CHECK (length(sha256) = 32),
    bytes      BLOB    NOT NULL
) STRICT;
CREATE TABLE payments (
    settlement INTEGER NOT NULL REFERENCES payment_files (settlement),
    shop       INTEGER NOT NULL REFERENCES shops (number),
    account    INTEGER NOT NULL REFERENCES shop_accounts (id),
    cents      INTEGER NOT NULL CHECK (cents > 0),
    end_to_end TEXT    NOT NULL UNIQUE,
    PRIMARY KEY (settlement, shop)
) STRICT, WITHOUT ROWID;

-- Balances are cents of the bank account and may be below nothing.
CREATE TABLE statements (
    id          INTEGER PRIMARY KEY,
    sha256      BLOB    NOT NULL CHECK (length(sha256) = 32),
    place       INTEGER NOT NULL,
    name        TEXT    NOT NULL,
    iban        TEXT    NOT NULL,
    opening     INTEGER NOT NULL,
    closing     INTEGER NOT NULL,
    imported_by TEXT    NOT NULL,
    imported_at INTEGER NOT NULL,
    UNIQUE (sha256, place)
) STRICT;

-- What the bank booked, each thing once: `key` is a hash of all that the bank said of it.
CREATE TABLE bank_entries (
    id           INTEGER PRIMARY KEY,
    key          BLOB    NOT NULL UNIQUE CHECK (length(key) = 32),
    -- 1 money came in, 0 money went out
    is_credit    INTEGER NOT NULL CHECK (is_credit IN (0, 1)),
    cents        INTEGER NOT NULL CHECK (cents > 0),
    -- Days since 1970-01-01.
    booked_on    INTEGER,
    valued_on    INTEGER,
    servicer_ref TEXT,
    -- 0 open, 1 payouts that were paid or came back, 2 contributions or funds that were booked, 3 set aside with a reason
    state        INTEGER NOT NULL CHECK (state BETWEEN 0 AND 3)
) STRICT;
CREATE INDEX bank_entries_open ON bank_entries (id) WHERE state = 0;
CREATE TABLE statement_entries (
    statement INTEGER NOT NULL REFERENCES statements (id),
    entry     INTEGER NOT NULL REFERENCES bank_entries (id),
    PRIMARY KEY (statement, entry)
) STRICT, WITHOUT ROWID;
-- What the bank told of the parts of an entry: no entry stands on it, so it can be erased where it names a person.
CREATE TABLE bank_entry_parts (
    entry        INTEGER NOT NULL REFERENCES bank_entries (id),
    place        INTEGER NOT NULL,
    cents        INTEGER,
    message      TEXT,
    end_to_end   TEXT,
    return_code  TEXT,
    counterparty TEXT,
    iban         TEXT,
    remittance   TEXT,
    PRIMARY KEY (entry, place)
) STRICT, WITHOUT ROWID;

-- A payout that the bank confirmed: once.
CREATE TABLE payouts_paid (
    id         INTEGER PRIMARY KEY,
    settlement INTEGER NOT NULL REFERENCES settlements (number),
    shop       INTEGER NOT NULL REFERENCES shops (number),
    entry      INTEGER NOT NULL REFERENCES bank_entries (id),
    cents      INTEGER NOT NULL CHECK (cents > 0),
    -- Nobody where the bank named the payment itself.
    matched_by TEXT,
    matched_at INTEGER NOT NULL,
    UNIQUE (settlement, shop)
) STRICT;
-- A payout that came back, or never left: owed again, once, and paid by the next settlement.
CREATE TABLE payouts_back (
    -- Dense from 1, in the order of booking.
    place       INTEGER PRIMARY KEY,
    settlement  INTEGER NOT NULL REFERENCES settlements (number),
    shop        INTEGER NOT NULL REFERENCES shops (number),
    -- The bank's entry that brought it; none where the bank refused to make the payment.
    entry       INTEGER REFERENCES bank_entries (id),
    cents       INTEGER NOT NULL CHECK (cents > 0),
    reason      TEXT    NOT NULL,
    said_by     TEXT,
    approved_by TEXT,
    booked_at   INTEGER NOT NULL,
    UNIQUE (settlement, shop),
    CHECK (entry IS NOT NULL OR (said_by IS NOT NULL AND approved_by IS NOT NULL AND said_by <> approved_by))
) STRICT;

ALTER TABLE settlements ADD COLUMN returned_upto INTEGER NOT NULL DEFAULT 0;
ALTER TABLE settlement_shops ADD COLUMN returns INTEGER NOT NULL DEFAULT 0;
ALTER TABLE settlement_shops ADD COLUMN returned INTEGER NOT NULL DEFAULT 0 CHECK (returned >= 0);

CREATE TRIGGER own_accounts_stay   BEFORE UPDATE ON fund_accounts BEGIN SELECT RAISE(ABORT, 'an account is never changed'); END;
CREATE TRIGGER own_accounts_remain BEFORE DELETE ON fund_accounts BEGIN SELECT RAISE(ABORT, 'an account is never deleted'); END;
CREATE TRIGGER accounts_stay   BEFORE UPDATE ON shop_accounts BEGIN SELECT RAISE(ABORT, 'an account is never changed'); END;
CREATE TRIGGER accounts_remain BEFORE DELETE ON shop_accounts BEGIN SELECT RAISE(ABORT, 'an account is never deleted'); END;
CREATE TRIGGER prepared_stay   BEFORE UPDATE ON preparations WHEN OLD.state <> 0
    BEGIN SELECT RAISE(ABORT, 'a preparation that ended is never changed'); END;
CREATE TRIGGER prepared_remain BEFORE DELETE ON preparations  BEGIN SELECT RAISE(ABORT, 'a preparation is never deleted'); END;
CREATE TRIGGER files_stay      BEFORE UPDATE ON payment_files BEGIN SELECT RAISE(ABORT, 'a payment file is never changed'); END;
CREATE TRIGGER files_remain    BEFORE DELETE ON payment_files BEGIN SELECT RAISE(ABORT, 'a payment file is never deleted'); END;
CREATE TRIGGER payments_stay   BEFORE UPDATE ON payments      BEGIN SELECT RAISE(ABORT, 'a payment is never changed'); END;
CREATE TRIGGER payments_remain BEFORE DELETE ON payments      BEGIN SELECT RAISE(ABORT, 'a payment is never deleted'); END;
CREATE TRIGGER paid_stay       BEFORE UPDATE ON payouts_paid  BEGIN SELECT RAISE(ABORT, 'what was paid is never changed'); END;
CREATE TRIGGER paid_remain     BEFORE DELETE ON payouts_paid  BEGIN SELECT RAISE(ABORT, 'what was paid is never deleted'); END;
CREATE TRIGGER back_stay       BEFORE UPDATE ON payouts_back  BEGIN SELECT RAISE(ABORT, 'what came back is never changed'); END;
CREATE TRIGGER back_remain     BEFORE DELETE ON payouts_back  BEGIN SELECT RAISE(ABORT, 'what came back is never deleted'); END;
CREATE TRIGGER booked_remain   BEFORE DELETE ON bank_entries  BEGIN SELECT RAISE(ABORT, 'an entry is never deleted'); END;
