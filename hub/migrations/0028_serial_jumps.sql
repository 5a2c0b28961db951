-- Serials that a restore jumped to: between them and the ones before lie those that a life which was lost may have given. `jump`: by how
-- much serials do as this life's restore ends.

ALTER TABLE lives ADD COLUMN jump INTEGER NOT NULL DEFAULT 1000 CHECK (jump > 0);

CREATE TABLE serial_jumps (
    slice    INTEGER NOT NULL,
    serial   INTEGER NOT NULL CHECK (serial > 0),
    -- 1 for the first that was ever given, in a life that followed a restore.
    is_first INTEGER NOT NULL DEFAULT 0 CHECK (is_first IN (0, 1)),
    PRIMARY KEY (slice, serial)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER jumps_stay   BEFORE UPDATE ON serial_jumps BEGIN SELECT RAISE(ABORT, 'a jump is never changed'); END;
CREATE TRIGGER jumps_remain BEFORE DELETE ON serial_jumps BEGIN SELECT RAISE(ABORT, 'a jump is never deleted'); END;
