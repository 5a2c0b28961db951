-- Two keys of a slot at a time (card.md, Keys of a slot): after a theft terminals get the next key of every card ahead of the
-- card, and each card gets it as it comes by. In card_grants the verb 3 is renew: the newest balance and the keys that are due.

-- The key that a card is to have next in a slot.
CREATE TABLE keys_ahead (
    card    INTEGER NOT NULL REFERENCES issued_cards (card),
    slot    INTEGER NOT NULL REFERENCES slots (slot),
    version INTEGER NOT NULL CHECK (version BETWEEN 2 AND 255),
    change  INTEGER NOT NULL,
    PRIMARY KEY (card, slot)
) STRICT, WITHOUT ROWID;
CREATE INDEX keys_ahead_by_change ON keys_ahead (slot, change);

-- The version that the card was issued with: who knew only older ones never knew a key of it.
ALTER TABLE card_slots ADD COLUMN first INTEGER NOT NULL DEFAULT 1;

-- The newest version of its slot's keys that an enrolment may know, noted when it stopped getting any: it was revoked,
-- quarantined, or its terminal enrolled again. Taken back where one that was neither revoked nor quarantined is closed.
ALTER TABLE epochs ADD COLUMN keys_upto INTEGER;
UPDATE epochs SET keys_upto = (
    SELECT version FROM slots JOIN shops USING (slot) JOIN terminals ON terminals.shop = shops.number
    WHERE terminals.number = epochs.terminal)
WHERE standing IN (1, 2)
    OR (standing = 0 AND epoch < (SELECT max(epoch) FROM epochs AS newer WHERE newer.terminal = epochs.terminal));
-- The newest change of an issued card that the enrolment's cursor has passed: it has dropped the keys that the card lost.
ALTER TABLE epochs ADD COLUMN cards_confirmed INTEGER NOT NULL DEFAULT 0;
