-- Identity cards (card.md): they prove who they are and count their taps; what they spend their terminal counts.

-- What a card is to be issued as: 1 purse, 2 identity.
ALTER TABLE card_grants ADD COLUMN tier INTEGER NOT NULL DEFAULT 1 CHECK (tier IN (1, 2));

-- The tap of each sale with an identity card, by its row. A card never shows the same counter twice, and at one terminal
-- only higher ones: what says otherwise is a copy's, or the copied card's. why: 0 nothing wrong, 1 the counter stands in
-- another row too, 2 it fell within one journal, 3 no counter was told.
CREATE TABLE identity_taps (
    row     INTEGER PRIMARY KEY REFERENCES rows (key),
    card    BLOB    NOT NULL CHECK (length(card) = 8),
    counter INTEGER CHECK (counter BETWEEN 0 AND 4294967295),
    cents   INTEGER NOT NULL CHECK (cents > 0),
    why     INTEGER NOT NULL CHECK (why BETWEEN 0 AND 3)
) STRICT;
CREATE INDEX identity_taps_by_card ON identity_taps (card, counter);
CREATE INDEX identity_taps_wrong ON identity_taps (row) WHERE why > 0;
CREATE TRIGGER taps_stay   BEFORE UPDATE ON identity_taps BEGIN SELECT RAISE(ABORT, 'a tap is never changed'); END;
CREATE TRIGGER taps_remain BEFORE DELETE ON identity_taps BEGIN SELECT RAISE(ABORT, 'a tap is never deleted'); END;
