-- Who belongs to a household, sealed, and households that are forgotten.

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
