-- What does not work at a terminal, as it says itself (numbers: protocol/wire.md §6, about_request), and since when the hub has heard of it.
CREATE TABLE troubles (
    epoch  INTEGER NOT NULL REFERENCES epochs (number),
    number INTEGER NOT NULL CHECK (number > 0),
    since  INTEGER NOT NULL,
    PRIMARY KEY (epoch, number)
) STRICT, WITHOUT ROWID;

-- Hot lists that terminals handed back since the hub was restored, and the cards on each.
CREATE TABLE held_lists (
    version INTEGER PRIMARY KEY CHECK (version > 0)
) STRICT;
CREATE TABLE held_list_cards (
    version INTEGER NOT NULL REFERENCES held_lists (version),
    card    BLOB    NOT NULL CHECK (length(card) = 8),
    PRIMARY KEY (version, card)
) STRICT, WITHOUT ROWID;

-- hot_list: the version in the backup. blocked_again: cards of a handed-back list that were not blocked in it.
ALTER TABLE lives ADD COLUMN hot_list INTEGER NOT NULL DEFAULT 0 CHECK (hot_list >= 0);
ALTER TABLE lives ADD COLUMN blocked_again INTEGER NOT NULL DEFAULT 0 CHECK (blocked_again >= 0);
UPDATE lives SET hot_list = (SELECT version FROM hot_list);

-- Every key that a card may be given next, where there was only the newest one: a card that left while it was given one may have one between.
CREATE TABLE all_keys_ahead (
    card    INTEGER NOT NULL REFERENCES issued_cards (card),
    slot    INTEGER NOT NULL REFERENCES slots (slot),
    version INTEGER NOT NULL CHECK (version BETWEEN 2 AND 255),
    change  INTEGER NOT NULL,
    PRIMARY KEY (card, slot, version)
) STRICT, WITHOUT ROWID;
INSERT INTO all_keys_ahead SELECT card, slot, version, change FROM keys_ahead;
WITH RECURSIVE between_them (card, slot, version, upto) AS (
    SELECT card, slot, card_slots.version + 1, keys_ahead.version FROM keys_ahead JOIN card_slots USING (card, slot)
    UNION ALL SELECT card, slot, version + 1, upto FROM between_them WHERE version + 1 < upto)
INSERT INTO all_keys_ahead (card, slot, version, change)
SELECT card, slot, version, (SELECT change FROM fund) + row_number() OVER (ORDER BY card, slot, version)
FROM between_them WHERE version < upto;
UPDATE fund SET change = max(change, ifnull((SELECT max(change) FROM all_keys_ahead), 0)),
    change_for_all = max(change_for_all, ifnull((SELECT max(change) FROM all_keys_ahead), 0));
DROP TABLE keys_ahead;
ALTER TABLE all_keys_ahead RENAME TO keys_ahead;
CREATE INDEX keys_ahead_by_change ON keys_ahead (slot, change);
