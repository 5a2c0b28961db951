-- Cards that prove who they are (card.md): the highest count of taps that each has shown here. It never falls, but begins
-- anew when the card got a newer key and the older ones were dropped: a copy that knew those counted up to there.
CREATE TABLE identity_counters (
    card    BLOB    PRIMARY KEY CHECK (length(card) = 8),
    counter INTEGER NOT NULL CHECK (counter BETWEEN 0 AND 4294967295),
    -- The oldest version of the card's key that was taken then.
    oldest  INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE TRIGGER identity_counters_only_rise BEFORE UPDATE ON identity_counters
WHEN NEW.card IS NOT OLD.card OR NEW.oldest < OLD.oldest OR NEW.counter < OLD.counter AND NEW.oldest = OLD.oldest
BEGIN SELECT RAISE(ABORT, 'a count of taps never falls'); END;
CREATE TRIGGER identity_counters_stay BEFORE DELETE ON identity_counters
BEGIN SELECT RAISE(ABORT, 'a count of taps is never forgotten'); END;
