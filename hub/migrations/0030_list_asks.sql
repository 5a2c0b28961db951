-- How often an enrolment was asked for its hot list as it began to hand back, where the time since the first asking ended it: a network that
-- lost the first answer and stayed away longer took the list with it.
ALTER TABLE hand_backs ADD COLUMN asks INTEGER NOT NULL DEFAULT 0 CHECK (asks >= 0);
ALTER TABLE hand_backs DROP COLUMN asked_at;

-- The list from which people took a card that was told: a newer one, of a life that was lost, stands above that.
ALTER TABLE held_blocks ADD COLUMN unblocked_in INTEGER;
UPDATE held_blocks SET unblocked_in = (SELECT version FROM hot_list) WHERE epoch IS NULL;

-- Whether an enrolment that handed back told its hot list; of a restore that has ended nobody asks any more.
ALTER TABLE hand_backs ADD COLUMN list_heard INTEGER NOT NULL DEFAULT 0 CHECK (list_heard IN (0, 1));
UPDATE hand_backs SET list_heard = 1 WHERE NOT EXISTS (SELECT 1 FROM lives WHERE ended_at IS NULL);
