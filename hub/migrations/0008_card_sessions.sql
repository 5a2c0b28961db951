-- Purse cards in the hand: who may issue them, by which keys shops speak with them (card.md).

-- An admin lets a terminal's reader do one thing with one card, for a while.
CREATE TABLE card_grants (
    id         INTEGER PRIMARY KEY,
    terminal   INTEGER NOT NULL REFERENCES terminals (number),
    -- 1 issue, 2 retire, 3 rekey
    verb       INTEGER NOT NULL CHECK (verb BETWEEN 1 AND 3),
    card       INTEGER NOT NULL,
    household  TEXT,
    expires_at INTEGER NOT NULL,
    done_at    INTEGER
) STRICT;
CREATE INDEX card_grants_by_terminal ON card_grants (terminal, card);

-- The key slots of cards, and the version of the key that a card is to have in each.
CREATE TABLE slots (
    slot    INTEGER PRIMARY KEY CHECK (slot BETWEEN 1 AND 8),
    version INTEGER NOT NULL CHECK (version BETWEEN 1 AND 255)
) STRICT;
INSERT INTO slots VALUES (1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (6, 1), (7, 1), (8, 1);
-- A shop's slot, given once and kept: cards in the hands of members have its key.
ALTER TABLE shops ADD COLUMN slot INTEGER REFERENCES slots (slot);

-- A card that was issued: its UID, sealed, for the keys are made from it; and the version of the key in each slot.
CREATE TABLE issued_cards (
    card       INTEGER PRIMARY KEY REFERENCES cards (number),
    uid_sealed BLOB    NOT NULL,
    issued_at  INTEGER NOT NULL,
    change     INTEGER NOT NULL
) STRICT;
CREATE INDEX issued_cards_by_change ON issued_cards (change);
CREATE TABLE card_slots (
    card    INTEGER NOT NULL REFERENCES issued_cards (card),
    slot    INTEGER NOT NULL REFERENCES slots (slot),
    version INTEGER NOT NULL,
    PRIMARY KEY (card, slot)
) STRICT, WITHOUT ROWID;
