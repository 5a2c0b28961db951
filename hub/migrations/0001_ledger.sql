-- The hub's file. Money is whole cents, never negative. Times are seconds since 1970-01-01 UTC.
-- `change` columns hold the value of fund.change at which a thing that terminals take changed last.
-- The layout is lean on purpose: a row is found by (epoch number, seq) in one integer, a transfer names the transfer
-- before it in both of its accounts, and no index in random order is written when a sale comes in (ledger.md).

CREATE TABLE fund (
    id             INTEGER PRIMARY KEY CHECK (id = 1),
    fund           INTEGER NOT NULL CHECK (fund > 0),
    name           TEXT    NOT NULL,
    helpline       TEXT    NOT NULL,
    root_key       BLOB    NOT NULL CHECK (length(root_key) = 32),
    incarnation    INTEGER NOT NULL CHECK (incarnation > 0),
    time_epoch     INTEGER NOT NULL CHECK (time_epoch > 0),
    paused         INTEGER NOT NULL CHECK (paused IN (0, 1)),
    created_at     INTEGER NOT NULL CHECK (created_at >= 0),
    change         INTEGER NOT NULL CHECK (change >= 0),
    change_for_all INTEGER NOT NULL CHECK (change_for_all >= 0 AND change_for_all <= change),
    -- The purse from which a pending allocation goes on; none where nothing is pending.
    allocate_from  INTEGER
) STRICT;

CREATE TABLE signing_keys (
    key        BLOB    PRIMARY KEY CHECK (length(key) = 32),
    cert       BLOB    NOT NULL,
    change     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE policies (
    id                   INTEGER PRIMARY KEY,
    sale_cents_max       INTEGER NOT NULL CHECK (sale_cents_max >= 0),
    plain_sale_cents_max INTEGER NOT NULL CHECK (plain_sale_cents_max >= 0),
    plain_day_cents_max  INTEGER NOT NULL CHECK (plain_day_cents_max >= 0),
    plain_list_age_s_max INTEGER NOT NULL CHECK (plain_list_age_s_max >= 0),
    part_payment         INTEGER NOT NULL CHECK (part_payment IN (0, 1)),
    created_at           INTEGER NOT NULL,
    change               INTEGER NOT NULL
) STRICT;

CREATE TABLE grids (
    version        INTEGER PRIMARY KEY,
    valid_from_day INTEGER NOT NULL CHECK (valid_from_day >= 0),
    created_at     INTEGER NOT NULL,
    change         INTEGER NOT NULL
) STRICT;

CREATE TABLE grid_categories (
    version       INTEGER NOT NULL REFERENCES grids (version),
    place         INTEGER NOT NULL,
    category      INTEGER NOT NULL CHECK (category BETWEEN 0 AND 65535),
    share_percent INTEGER NOT NULL CHECK (share_percent BETWEEN 0 AND 100),
    label_fr      TEXT    NOT NULL,
    label_en      TEXT    NOT NULL,
    PRIMARY KEY (version, place),
    UNIQUE (version, category)
) STRICT, WITHOUT ROWID;

CREATE TABLE households (
    number             INTEGER PRIMARY KEY,
    code               TEXT    NOT NULL UNIQUE,
    size               INTEGER NOT NULL CHECK (size > 0),
    children_under_14  INTEGER NOT NULL CHECK (children_under_14 >= 0 AND children_under_14 < size),
    contribution_cents INTEGER CHECK (contribution_cents >= 0),
    created_at         INTEGER NOT NULL
) STRICT;

-- Each household has one purse for its plain cards.
CREATE TABLE purses (
    number    INTEGER PRIMARY KEY,
    ref       BLOB    NOT NULL UNIQUE CHECK (length(ref) = 8),
    household INTEGER NOT NULL REFERENCES households (number)
) STRICT;
CREATE INDEX purses_by_household ON purses (household);

CREATE TABLE cards (
    number     INTEGER PRIMARY KEY CHECK (number >= 0),
    ref        BLOB    NOT NULL UNIQUE CHECK (length(ref) = 8),
    tier       INTEGER NOT NULL CHECK (tier IN (1, 2, 3)),
    purse      INTEGER NOT NULL REFERENCES purses (number),
    version    INTEGER NOT NULL CHECK (version > 0),
    blocked_at INTEGER,
    change     INTEGER NOT NULL
) STRICT;
CREATE INDEX cards_by_change ON cards (change);
CREATE INDEX cards_blocked ON cards (ref) WHERE blocked_at IS NOT NULL;

-- The version of the list of blocked cards; its contents are the cards themselves.
CREATE TABLE hot_list (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    version   INTEGER NOT NULL CHECK (version > 0),
    issued_at INTEGER NOT NULL,
    change    INTEGER NOT NULL
) STRICT;

CREATE TABLE shops (
    number          INTEGER PRIMARY KEY,
    code            TEXT    NOT NULL UNIQUE,
    name            TEXT    NOT NULL,
    kind            TEXT    NOT NULL,
    weight_permille INTEGER NOT NULL CHECK (weight_permille BETWEEN 0 AND 1000),
    created_at      INTEGER NOT NULL
) STRICT;

CREATE TABLE terminals (
    number     INTEGER PRIMARY KEY CHECK (number > 0),
    shop       INTEGER NOT NULL REFERENCES shops (number),
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX terminals_by_shop ON terminals (shop);

-- One-time codes. `keys` are the stretched keys of the code, never the code.
CREATE TABLE enrolment_codes (
    locator    TEXT    PRIMARY KEY,
    terminal   INTEGER NOT NULL REFERENCES terminals (number),
    keys       BLOB    NOT NULL CHECK (length(keys) = 32),
    tries_left INTEGER NOT NULL CHECK (tries_left >= 0),
    expires_at INTEGER NOT NULL,
    void       INTEGER NOT NULL CHECK (void IN (0, 1)),
    used_by    BLOB    CHECK (length(used_by) = 32),
    epoch      INTEGER,
    created_at INTEGER NOT NULL,
    CHECK ((used_by IS NULL) = (epoch IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX enrolment_codes_by_terminal ON enrolment_codes (terminal);

-- An enrolment of a terminal. `number` stands in the keys of its rows and slices (24 bits).
CREATE TABLE epochs (
    number          INTEGER PRIMARY KEY CHECK (number BETWEEN 1 AND 16777215),
    terminal        INTEGER NOT NULL REFERENCES terminals (number),
    epoch           INTEGER NOT NULL CHECK (epoch > 0),
    key             BLOB    NOT NULL CHECK (length(key) = 32),
    opened_at       INTEGER NOT NULL,
    -- 0 live, 1 quarantined, 2 revoked, 3 closed (wire.md, standing)
    standing        INTEGER NOT NULL CHECK (standing BETWEEN 0 AND 3),
    -- 1 fork, 2 gap
    quarantine      INTEGER CHECK (quarantine IN (1, 2)),
    acked_seq       INTEGER NOT NULL CHECK (acked_seq >= 0),
    acked_hash      BLOB    NOT NULL CHECK (length(acked_hash) = 32),
    backed_up_seq   INTEGER NOT NULL CHECK (backed_up_seq >= 0 AND backed_up_seq <= acked_seq),
    settled_seq     INTEGER NOT NULL CHECK (settled_seq >= 0 AND settled_seq <= acked_seq),
    -- The newest change of anything that this enrolment alone takes.
    change          INTEGER NOT NULL,
    config_version  INTEGER NOT NULL CHECK (config_version > 0),
    config_change   INTEGER NOT NULL,
    -- When the oldest of its balances is to be made anew; none where it has none.
    renew_at        INTEGER,
    UNIQUE (terminal, epoch)
) STRICT;

-- What a terminal told of itself at its last call.
CREATE TABLE contacts (
    epoch            INTEGER PRIMARY KEY REFERENCES epochs (number),
    contact_at       INTEGER NOT NULL,
    current_at       INTEGER,
    program          TEXT    NOT NULL,
    wall             INTEGER NOT NULL,
    clock            INTEGER NOT NULL CHECK (clock BETWEEN 0 AND 2),
    hot_list         INTEGER NOT NULL,
    newest_seq       INTEGER NOT NULL,
    refused_unfunded INTEGER NOT NULL
) STRICT;

CREATE TABLE alarms (
    epoch    INTEGER NOT NULL REFERENCES epochs (number),
    -- 1 fork, 2 gap, 3 over-right, 4 future incarnation, 5 not authentic
    kind     INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 5),
    count    INTEGER NOT NULL CHECK (count > 0),
    first_at INTEGER NOT NULL,
    last_at  INTEGER NOT NULL,
    seq      INTEGER NOT NULL,
    PRIMARY KEY (epoch, kind)
) STRICT, WITHOUT ROWID;

-- id: kind in the top byte (1 bank, 2 source, 3 contributions, 4 purse, 5 slice, 6 payable, 7 transit, 8 goodwill,
-- 9 expired), the owner below. `newest` is the account's newest transfer, 0 before the first.
-- A purse and a slice never give more than they were given.
CREATE TABLE accounts (
    id      INTEGER PRIMARY KEY,
    debits  INTEGER NOT NULL CHECK (debits >= 0),
    credits INTEGER NOT NULL CHECK (credits >= 0),
    newest  INTEGER NOT NULL CHECK (newest >= 0),
    CHECK ((id >> 56) NOT IN (4, 5) OR debits <= credits)
) STRICT;

-- kind: 1 credit (cause: credits.id), 2 raise (cause: serial), 3 sale (cause: rows.key), 4 return (cause: rows.key),
-- 5 settlement (cause: settlements.number).
CREATE TABLE transfers (
    id          INTEGER PRIMARY KEY,
    debit       INTEGER NOT NULL,
    credit      INTEGER NOT NULL CHECK (credit <> debit),
    cents       INTEGER NOT NULL CHECK (cents > 0),
    kind        INTEGER NOT NULL,
    cause       INTEGER NOT NULL,
    debit_prev  INTEGER NOT NULL CHECK (debit_prev >= 0 AND debit_prev < id),
    credit_prev INTEGER NOT NULL CHECK (credit_prev >= 0 AND credit_prev < id)
) STRICT;

-- id is the id of the slice's account: 5, epoch number, purse number. Its `allowed` is what the account was credited.
CREATE TABLE slices (
    id              INTEGER PRIMARY KEY,
    serial          INTEGER NOT NULL CHECK (serial > 0),
    -- Cents below the highest claimed one that were never claimed.
    unclaimed_cents INTEGER NOT NULL CHECK (unclaimed_cents >= 0),
    policy          INTEGER NOT NULL REFERENCES policies (id),
    issued_at       INTEGER NOT NULL,
    epoch           INTEGER NOT NULL REFERENCES epochs (number),
    change          INTEGER NOT NULL
) STRICT;
CREATE INDEX slices_by_change ON slices (epoch, change);

-- What each serial allowed: a row is judged by the serial that it names.
CREATE TABLE serials (
    slice   INTEGER NOT NULL,
    serial  INTEGER NOT NULL CHECK (serial > 0),
    allowed INTEGER NOT NULL CHECK (allowed > 0),
    PRIMARY KEY (slice, serial)
) STRICT, WITHOUT ROWID;

-- Stretches of a slice's counter, (from_cents, to_cents], that later rows jumped over: claimable once.
CREATE TABLE holes (
    slice      INTEGER NOT NULL,
    from_cents INTEGER NOT NULL CHECK (from_cents >= 0),
    to_cents   INTEGER NOT NULL CHECK (to_cents > from_cents),
    PRIMARY KEY (slice, from_cents)
) STRICT, WITHOUT ROWID;

-- Journal rows that fit their chain, as they came. key: epoch number << 32 | seq.
-- claimed = settled + over_right; why: 0 settled whole, else the first reason (ledger.md).
-- happened_at: the terminal's wall clock where it could be believed.
CREATE TABLE rows (
    key         INTEGER PRIMARY KEY,
    kind        INTEGER NOT NULL,
    settled     INTEGER NOT NULL CHECK (settled >= 0),
    over_right  INTEGER NOT NULL CHECK (over_right >= 0),
    why         INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    happened_at INTEGER,
    envelope    BLOB    NOT NULL
) STRICT;
CREATE INDEX rows_over_right ON rows (key) WHERE over_right > 0;

-- Authentic rows that do not fit their chain: evidence, never booked.
CREATE TABLE disputed (
    id          INTEGER PRIMARY KEY,
    epoch       INTEGER NOT NULL REFERENCES epochs (number),
    seq         INTEGER NOT NULL,
    kind        INTEGER NOT NULL,
    hash        BLOB    NOT NULL CHECK (length(hash) = 32),
    claimed     INTEGER NOT NULL CHECK (claimed >= 0),
    received_at INTEGER NOT NULL,
    envelope    BLOB    NOT NULL,
    UNIQUE (epoch, hash)
) STRICT;

CREATE TABLE sources (
    number INTEGER PRIMARY KEY,
    name   TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE credits (
    id                INTEGER PRIMARY KEY,
    household         INTEGER NOT NULL REFERENCES households (number),
    period            TEXT    NOT NULL,
    source            INTEGER NOT NULL REFERENCES sources (number),
    size              INTEGER NOT NULL,
    children_under_14 INTEGER NOT NULL,
    cents             INTEGER NOT NULL CHECK (cents > 0),
    purse             INTEGER NOT NULL REFERENCES purses (number),
    booked_at         INTEGER NOT NULL,
    UNIQUE (period, source, household)
) STRICT;
CREATE INDEX credits_by_purse ON credits (purse);

CREATE TABLE settlements (
    number        INTEGER PRIMARY KEY,
    closed_at     INTEGER NOT NULL,
    disputed_upto INTEGER NOT NULL
) STRICT;

-- The rows of a settlement: from_seq < seq <= to_seq of each epoch.
CREATE TABLE settlement_cuts (
    settlement INTEGER NOT NULL REFERENCES settlements (number),
    epoch      INTEGER NOT NULL REFERENCES epochs (number),
    from_seq   INTEGER NOT NULL CHECK (from_seq >= 0),
    to_seq     INTEGER NOT NULL CHECK (to_seq > from_seq),
    PRIMARY KEY (epoch, from_seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX settlement_cuts_by_settlement ON settlement_cuts (settlement);

CREATE TABLE settlement_shops (
    settlement       INTEGER NOT NULL REFERENCES settlements (number),
    shop             INTEGER NOT NULL REFERENCES shops (number),
    sales            INTEGER NOT NULL,
    settled          INTEGER NOT NULL CHECK (settled >= 0),
    late_sales       INTEGER NOT NULL,
    late             INTEGER NOT NULL CHECK (late >= 0 AND late <= settled),
    over_right_sales INTEGER NOT NULL,
    over_right       INTEGER NOT NULL CHECK (over_right >= 0),
    disputed_sales   INTEGER NOT NULL,
    disputed         INTEGER NOT NULL CHECK (disputed >= 0),
    carried          INTEGER NOT NULL CHECK (carried >= 0),
    carry_on         INTEGER NOT NULL CHECK (carry_on >= 0),
    payout           INTEGER NOT NULL CHECK (payout >= 0),
    transfer         INTEGER REFERENCES transfers (id),
    PRIMARY KEY (settlement, shop)
) STRICT, WITHOUT ROWID;

CREATE TABLE backups (
    id            INTEGER PRIMARY KEY,
    made_at       INTEGER NOT NULL,
    newest_change INTEGER NOT NULL,
    transfers     INTEGER NOT NULL
) STRICT;

-- What was booked or came in is never changed.
CREATE TRIGGER rows_stay     BEFORE UPDATE ON rows      BEGIN SELECT RAISE(ABORT, 'a row is never changed'); END;
CREATE TRIGGER rows_remain   BEFORE DELETE ON rows      BEGIN SELECT RAISE(ABORT, 'a row is never deleted'); END;
CREATE TRIGGER moves_stay    BEFORE UPDATE ON transfers BEGIN SELECT RAISE(ABORT, 'a transfer is never changed'); END;
CREATE TRIGGER moves_remain  BEFORE DELETE ON transfers BEGIN SELECT RAISE(ABORT, 'a transfer is never deleted'); END;
CREATE TRIGGER serials_stay  BEFORE UPDATE ON serials   BEGIN SELECT RAISE(ABORT, 'a serial is never changed'); END;
CREATE TRIGGER serials_remain BEFORE DELETE ON serials  BEGIN SELECT RAISE(ABORT, 'a serial is never deleted'); END;
CREATE TRIGGER claims_stay   BEFORE UPDATE ON disputed  BEGIN SELECT RAISE(ABORT, 'evidence is never changed'); END;
CREATE TRIGGER claims_remain BEFORE DELETE ON disputed  BEGIN SELECT RAISE(ABORT, 'evidence is never deleted'); END;
CREATE TRIGGER credits_stay  BEFORE UPDATE ON credits   BEGIN SELECT RAISE(ABORT, 'a credit is never changed'); END;
CREATE TRIGGER credits_remain BEFORE DELETE ON credits  BEGIN SELECT RAISE(ABORT, 'a credit is never deleted'); END;
