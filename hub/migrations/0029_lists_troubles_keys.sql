-- What does not work at a terminal, as it says itself (numbers: protocol/wire.md §6, about_request), and since when the hub has heard of it.
CREATE TABLE troubles (
    epoch  INTEGER NOT NULL REFERENCES epochs (number),
    number INTEGER NOT NULL CHECK (number > 0),
    since  INTEGER NOT NULL,
    PRIMARY KEY (epoch, number)
) STRICT, WITHOUT ROWID;

-- Cards that terminals told as blocked since the hub was restored: which enrolment did, and whether the card was blocked by that. No enrolment: people
-- unblocked it since, and no list blocks it again.
CREATE TABLE held_blocks (
    card    BLOB    PRIMARY KEY CHECK (length(card) = 8),
    epoch   INTEGER REFERENCES epochs (number),
    blocked INTEGER NOT NULL CHECK (blocked IN (0, 1))
) STRICT, WITHOUT ROWID;

-- The hot list's version in the backup, and when an enrolment was asked for its own first.
ALTER TABLE lives ADD COLUMN hot_list INTEGER NOT NULL DEFAULT 0 CHECK (hot_list >= 0);
ALTER TABLE hand_backs ADD COLUMN asked_at INTEGER;

-- The two newest keys that a card may be given, where there was only the newest: a card that left while it was given one may have the other.
CREATE TABLE all_keys_ahead (
    card    INTEGER NOT NULL REFERENCES issued_cards (card),
    slot    INTEGER NOT NULL REFERENCES slots (slot),
    version INTEGER NOT NULL CHECK (version BETWEEN 2 AND 255),
    change  INTEGER NOT NULL,
    PRIMARY KEY (card, slot, version)
) STRICT, WITHOUT ROWID;
INSERT INTO all_keys_ahead SELECT card, slot, version, change FROM keys_ahead;
WITH RECURSIVE between_them (card, slot, version, upto) AS (
    SELECT card, slot, max(card_slots.version + 1, keys_ahead.version - 1), keys_ahead.version FROM keys_ahead JOIN card_slots USING (card, slot)
    UNION ALL SELECT card, slot, version + 1, upto FROM between_them WHERE version + 1 < upto)
INSERT INTO all_keys_ahead (card, slot, version, change)
SELECT card, slot, version, (SELECT change FROM fund) + row_number() OVER (ORDER BY card, slot, version)
FROM between_them WHERE version < upto;
UPDATE fund SET change = max(change, ifnull((SELECT max(change) FROM all_keys_ahead), 0)),
    change_for_all = max(change_for_all, ifnull((SELECT max(change) FROM all_keys_ahead), 0));
DROP TABLE keys_ahead;
ALTER TABLE all_keys_ahead RENAME TO keys_ahead;
CREATE INDEX keys_ahead_by_change ON keys_ahead (slot, change);
