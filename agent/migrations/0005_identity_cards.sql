-- Cards that prove who they are (card.md): the highest count of taps that each has shown here. It never falls.
CREATE TABLE identity_counters (
    card    BLOB    PRIMARY KEY CHECK (length(card) = 8),
    counter INTEGER NOT NULL CHECK (counter BETWEEN 0 AND 4294967295)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER identity_counters_only_rise BEFORE UPDATE ON identity_counters
WHEN NEW.card IS NOT OLD.card OR NEW.counter < OLD.counter
BEGIN SELECT RAISE(ABORT, 'a count of taps never falls'); END;
CREATE TRIGGER identity_counters_stay BEFORE DELETE ON identity_counters
BEGIN SELECT RAISE(ABORT, 'a count of taps is never forgotten'); END;
