-- What a run of credits is to book is fixed line by line when somebody asks for it; just that is booked, step by step.

-- sources: their numbers in the order in which they were taken, as a JSON array.
-- agreed_cents: how much beyond the budget was agreed to for the month, and by whom.
-- state: 0 under way, 1 all is booked, 2 stopped: a household of it left; what was not booked stays so.
CREATE TABLE credit_runs (
    number       INTEGER PRIMARY KEY CHECK (number > 0),
    period       TEXT    NOT NULL,
    sources      TEXT    NOT NULL,
    households   INTEGER NOT NULL CHECK (households > 0),
    cents        INTEGER NOT NULL CHECK (cents > 0),
    agreed_cents INTEGER CHECK (agreed_cents >= 0),
    agreed_by    TEXT,
    begun_at     INTEGER NOT NULL CHECK (begun_at >= 0),
    state        INTEGER NOT NULL DEFAULT 0 CHECK (state BETWEEN 0 AND 2),
    ended_at     INTEGER,
    CHECK ((agreed_cents IS NULL) = (agreed_by IS NULL)),
    CHECK ((state = 0) = (ended_at IS NULL))
) STRICT;
-- One of a month at a time.
CREATE UNIQUE INDEX credit_runs_open ON credit_runs (period) WHERE state = 0;

-- is_over: no source has enough for it, and somebody agreed to it.
-- credit: what was booked for it.
CREATE TABLE credit_run_lines (
    run               INTEGER NOT NULL REFERENCES credit_runs (number),
    household         INTEGER NOT NULL REFERENCES households (number),
    source            INTEGER NOT NULL REFERENCES sources (number),
    size              INTEGER NOT NULL,
    children_under_14 INTEGER NOT NULL,
    cents             INTEGER NOT NULL CHECK (cents > 0),
    is_over           INTEGER NOT NULL CHECK (is_over IN (0, 1)),
    credit            INTEGER UNIQUE REFERENCES credits (id),
    PRIMARY KEY (run, household)
) STRICT, WITHOUT ROWID;

-- The run for which it was agreed; none before there were any.
ALTER TABLE overruns ADD COLUMN run INTEGER REFERENCES credit_runs (number);

CREATE TRIGGER runs_stay   BEFORE UPDATE ON credit_runs WHEN OLD.state <> 0 OR (NEW.number, NEW.period, NEW.sources,
        NEW.households, NEW.cents, NEW.agreed_cents, NEW.agreed_by, NEW.begun_at) IS NOT (OLD.number, OLD.period,
        OLD.sources, OLD.households, OLD.cents, OLD.agreed_cents, OLD.agreed_by, OLD.begun_at)
    BEGIN SELECT RAISE(ABORT, 'what a run is to book is never changed'); END;
CREATE TRIGGER runs_remain BEFORE DELETE ON credit_runs BEGIN SELECT RAISE(ABORT, 'a run is never deleted'); END;
CREATE TRIGGER run_lines_stay BEFORE UPDATE ON credit_run_lines WHEN OLD.credit IS NOT NULL OR (NEW.run, NEW.household,
        NEW.source, NEW.size, NEW.children_under_14, NEW.cents, NEW.is_over) IS NOT (OLD.run, OLD.household, OLD.source,
        OLD.size, OLD.children_under_14, OLD.cents, OLD.is_over)
    BEGIN SELECT RAISE(ABORT, 'what a run is to book is never changed'); END;
CREATE TRIGGER run_lines_remain BEFORE DELETE ON credit_run_lines
    BEGIN SELECT RAISE(ABORT, 'what a run is to book is never deleted'); END;
