-- Money in: budgets of funders, what households and funders paid, and what the bank confirmed of it.

-- The budget of a funder for a calendar year; of each the newest holds.
CREATE TABLE budgets (
    id     INTEGER PRIMARY KEY,
    source INTEGER NOT NULL REFERENCES sources (number),
    year   INTEGER NOT NULL CHECK (year BETWEEN 2020 AND 2999),
    cents  INTEGER NOT NULL CHECK (cents >= 0),
    set_by TEXT    NOT NULL,
    set_at INTEGER NOT NULL
) STRICT;
CREATE INDEX budgets_by_source ON budgets (source, year, id);

-- What somebody agreed to credit beyond the budget of a year, for the run of a month.
CREATE TABLE overruns (
    id        INTEGER PRIMARY KEY,
    source    INTEGER NOT NULL REFERENCES sources (number),
    year      INTEGER NOT NULL CHECK (year BETWEEN 2020 AND 2999),
    period    TEXT    NOT NULL,
    cents     INTEGER NOT NULL CHECK (cents > 0),
    agreed_by TEXT    NOT NULL,
    agreed_at INTEGER NOT NULL
) STRICT;

-- What was paid in: by a household (its source is then that of contributions) or by a funder.
CREATE TABLE money_in (
    -- Dense from 1, in the order of booking.
    id         INTEGER PRIMARY KEY,
    household  INTEGER REFERENCES households (number),
    source     INTEGER NOT NULL REFERENCES sources (number),
    cents      INTEGER NOT NULL CHECK (cents > 0),
    -- The day of the payment, in days since 1970-01-01; of a counter-entry, that of what it takes back.
    day        INTEGER NOT NULL CHECK (day >= 0),
    -- The payment's own name: by it a payment is booked once.
    reference  TEXT,
    takes_back INTEGER UNIQUE REFERENCES money_in (id),
    reason     TEXT,
    said_by    TEXT    NOT NULL,
    said_at    INTEGER NOT NULL,
    CHECK ((takes_back IS NULL) = (reason IS NULL)),
    CHECK (takes_back IS NULL OR reference IS NULL)
) STRICT;
CREATE UNIQUE INDEX money_in_by_reference ON money_in (reference) WHERE reference IS NOT NULL;
CREATE INDEX money_in_by_day ON money_in (day);
CREATE INDEX money_in_by_household ON money_in (household) WHERE household IS NOT NULL;

-- What the bank confirmed of it, or, of a counter-entry, gave back: each once.
CREATE TABLE banked (
    money_in   INTEGER PRIMARY KEY REFERENCES money_in (id),
    entry      INTEGER NOT NULL REFERENCES bank_entries (id),
    matched_by TEXT    NOT NULL,
    matched_at INTEGER NOT NULL
) STRICT;
CREATE INDEX banked_by_entry ON banked (entry);

-- The share of the budgets that contributions are to reach; the newest holds.
CREATE TABLE share_plans (
    id      INTEGER PRIMARY KEY,
    percent INTEGER NOT NULL CHECK (percent BETWEEN 0 AND 100),
    set_by  TEXT    NOT NULL,
    set_at  INTEGER NOT NULL
) STRICT;

CREATE TRIGGER budgets_stay     BEFORE UPDATE ON budgets     BEGIN SELECT RAISE(ABORT, 'a budget is never changed'); END;
CREATE TRIGGER budgets_remain   BEFORE DELETE ON budgets     BEGIN SELECT RAISE(ABORT, 'a budget is never deleted'); END;
CREATE TRIGGER overruns_stay    BEFORE UPDATE ON overruns    BEGIN SELECT RAISE(ABORT, 'an agreement is never changed'); END;
CREATE TRIGGER overruns_remain  BEFORE DELETE ON overruns    BEGIN SELECT RAISE(ABORT, 'an agreement is never deleted'); END;
CREATE TRIGGER money_in_stay    BEFORE UPDATE ON money_in    BEGIN SELECT RAISE(ABORT, 'money in is never changed'); END;
CREATE TRIGGER money_in_remain  BEFORE DELETE ON money_in    BEGIN SELECT RAISE(ABORT, 'money in is never deleted'); END;
CREATE TRIGGER banked_stay      BEFORE UPDATE ON banked      BEGIN SELECT RAISE(ABORT, 'a match is never changed'); END;
CREATE TRIGGER banked_remain    BEFORE DELETE ON banked      BEGIN SELECT RAISE(ABORT, 'a match is never deleted'); END;
CREATE TRIGGER share_plans_stay   BEFORE UPDATE ON share_plans BEGIN SELECT RAISE(ABORT, 'a plan is never changed'); END;
CREATE TRIGGER share_plans_remain BEFORE DELETE ON share_plans BEGIN SELECT RAISE(ABORT, 'a plan is never deleted'); END;
