-- What a key signed that was taken back binds nobody: a newer balance may allow less than it, and a hub that was restored from
-- before it says so. The bytes stay: they are the proof of what was spent until then.
CREATE TABLE void_words (
    purse BLOB    NOT NULL CHECK (length(purse) = 8),
    scope INTEGER NOT NULL CHECK (scope IN (0, 1)),
    bytes BLOB    NOT NULL,
    PRIMARY KEY (purse, scope, bytes)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER void_words_are_never_removed BEFORE DELETE ON void_words
BEGIN SELECT RAISE(ABORT, 'evidence is never removed'); END;

DROP TRIGGER allowed_never_goes_down;
CREATE TRIGGER allowed_never_goes_down BEFORE UPDATE ON balances
WHEN (NEW.allowed_cents < OLD.allowed_cents OR NEW.serial < OLD.serial)
    AND NOT EXISTS (SELECT 1 FROM void_words AS void
        WHERE void.purse = OLD.purse AND void.scope = OLD.scope AND void.bytes = OLD.bytes)
BEGIN SELECT RAISE(ABORT, 'what is allowed never goes down'); END;

-- The oldest form whose programs can use a file of a newer one.
CREATE TABLE opens_from (
    form   INTEGER NOT NULL PRIMARY KEY,
    oldest INTEGER NOT NULL
) STRICT;
INSERT INTO opens_from (form, oldest) VALUES (9, 8);
