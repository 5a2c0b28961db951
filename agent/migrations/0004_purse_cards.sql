-- Cards that count for themselves: the keys by which this terminal speaks with them, and the debits that it announced.

-- Sealed under a key that lies in the terminal's key file, never in this one. Two of a card are kept: the newest, and the
-- one before, for a card that was not given its new key yet.
CREATE TABLE slot_keys (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    card    BLOB    NOT NULL CHECK (length(card) = 8),
    slot    INTEGER NOT NULL CHECK (slot BETWEEN 0 AND 255),
    version INTEGER NOT NULL CHECK (version BETWEEN 0 AND 255),
    sealed  BLOB    NOT NULL,
    UNIQUE (card, slot, version)
) STRICT;

-- What was to be sold, as it is written down once the card is known to have paid. Cut off between the card's commit and
-- the sale's row, it is all that is left of the sale.
CREATE TABLE intents (
    seq      INTEGER PRIMARY KEY REFERENCES rows (seq),
    card     BLOB    NOT NULL CHECK (length(card) = 8),
    request  BLOB    NOT NULL CHECK (length(request) = 8),
    till_ref TEXT,
    sale     BLOB    NOT NULL,
    -- The row that says that nobody knows.
    doubt    INTEGER UNIQUE REFERENCES rows (seq),
    -- The row that ended it: the sale, or a doubt resolved as not debited.
    ended    INTEGER UNIQUE REFERENCES rows (seq)
) STRICT;
CREATE UNIQUE INDEX intents_open_by_card ON intents (card) WHERE ended IS NULL;
CREATE UNIQUE INDEX intents_open_by_request ON intents (request) WHERE ended IS NULL;
CREATE TRIGGER intents_end_once BEFORE UPDATE ON intents
WHEN OLD.ended IS NOT NULL OR (NEW.seq, NEW.card, NEW.request, NEW.till_ref, NEW.sale)
    IS NOT (OLD.seq, OLD.card, OLD.request, OLD.till_ref, OLD.sale) OR (OLD.doubt IS NOT NULL AND NEW.doubt IS NOT OLD.doubt)
BEGIN SELECT RAISE(ABORT, 'an intent ends once'); END;
CREATE TRIGGER intents_are_never_removed BEFORE DELETE ON intents
BEGIN SELECT RAISE(ABORT, 'an intent is never removed'); END;

-- Records of other terminals that were read from cards, each with the row that took it along.
CREATE TABLE couriers (
    card   BLOB    NOT NULL CHECK (length(card) = 8),
    record BLOB    NOT NULL CHECK (length(record) = 48),
    seq    INTEGER NOT NULL UNIQUE REFERENCES rows (seq),
    PRIMARY KEY (card, record)
) STRICT, WITHOUT ROWID;
