-- How shops join the fund (core/joining.rs): each step dated, with who and its documents. Only an open shop's terminals sell.

-- A shop on its way. `shop` is none until it opens for the first time.
CREATE TABLE joinings (
    id    INTEGER PRIMARY KEY,
    code  TEXT    NOT NULL UNIQUE,
    name  TEXT    NOT NULL,
    kind  TEXT    NOT NULL,
    -- The questionnaire that fits it: 1 shop, 2 producer
    grid  INTEGER NOT NULL CHECK (grid IN (1, 2)),
    -- 1 proposed, 2 paired, 3 visited, 4 presented, 5 objected, 6 accepted, 7 signed, 8 open, 9 suspended, 10 closed
    stage INTEGER NOT NULL CHECK (stage BETWEEN 1 AND 10),
    shop  INTEGER UNIQUE REFERENCES shops (number)
) STRICT;

-- step: 1 propose, 2 pair, 3 visit, 4 present, 5 consent, 6 object, 7 amend, 8 sign, 9 open, 10 suspend, 11 close
CREATE TABLE joining_steps (
    id          INTEGER PRIMARY KEY,
    joining     INTEGER NOT NULL REFERENCES joinings (id),
    step        INTEGER NOT NULL CHECK (step BETWEEN 1 AND 11),
    -- The day on which it happened, in days since 1970-01-01.
    day         INTEGER NOT NULL CHECK (day >= 0),
    by          TEXT    NOT NULL,
    words       TEXT    NOT NULL,
    recorded_at INTEGER NOT NULL
) STRICT;
CREATE INDEX joining_steps_by_joining ON joining_steps (joining);

-- A document of a step. The file lies in the data folder by its hash.
CREATE TABLE joining_documents (
    step  INTEGER NOT NULL REFERENCES joining_steps (id),
    hash  BLOB    NOT NULL CHECK (length(hash) = 32),
    name  TEXT    NOT NULL,
    type  TEXT    NOT NULL,
    bytes INTEGER NOT NULL CHECK (bytes > 0),
    PRIMARY KEY (step, hash)
) STRICT, WITHOUT ROWID;

-- Shops that are there already are open; they were imported, not proposed.
INSERT INTO joinings (code, name, kind, grid, stage, shop) SELECT code, name, kind, 1, 8, number FROM shops;
INSERT INTO joining_steps (joining, step, day, by, words, recorded_at)
    SELECT joinings.id, 9, shops.created_at / 86400, 'import', 'imported as open', shops.created_at
    FROM joinings JOIN shops ON shops.number = joinings.shop;

CREATE TRIGGER joined_stay     BEFORE UPDATE ON joining_steps     BEGIN SELECT RAISE(ABORT, 'a step is never changed'); END;
CREATE TRIGGER joined_remain   BEFORE DELETE ON joining_steps     BEGIN SELECT RAISE(ABORT, 'a step is never deleted'); END;
CREATE TRIGGER agreed_stay     BEFORE UPDATE ON joining_documents BEGIN SELECT RAISE(ABORT, 'a document is never changed'); END;
CREATE TRIGGER agreed_remain   BEFORE DELETE ON joining_documents BEGIN SELECT RAISE(ABORT, 'a document is never deleted'); END;

-- Who belongs to a household: a name and no more, sealed by a key that is not in this file (keys.rs).
CREATE TABLE members (
    id          INTEGER PRIMARY KEY,
    household   INTEGER NOT NULL REFERENCES households (number),
    name_sealed BLOB    NOT NULL,
    UNIQUE (household, name_sealed)
) STRICT;

-- A household whose personal data were erased, once. The ledger keeps its code, sizes and money.
CREATE TABLE erasures (
    household INTEGER PRIMARY KEY REFERENCES households (number),
    members   INTEGER NOT NULL CHECK (members >= 0),
    by        TEXT    NOT NULL,
    erased_at INTEGER NOT NULL
) STRICT;
CREATE TRIGGER erased_stay   BEFORE UPDATE ON erasures BEGIN SELECT RAISE(ABORT, 'an erasure is never changed'); END;
CREATE TRIGGER erased_remain BEFORE DELETE ON erasures BEGIN SELECT RAISE(ABORT, 'an erasure is never deleted'); END;
CREATE TRIGGER erased_members BEFORE INSERT ON members
    WHEN EXISTS (SELECT 1 FROM erasures WHERE household = NEW.household)
    BEGIN SELECT RAISE(ABORT, 'an erased household has no members'); END;
