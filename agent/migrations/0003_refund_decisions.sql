-- What the hub said of each refund request. The newest word counts: a restored hub decides again.
CREATE TABLE refund_decisions (
    seq        INTEGER PRIMARY KEY REFERENCES refunds (seq),
    is_granted INTEGER NOT NULL CHECK (is_granted IN (0, 1))
) STRICT;

-- Guessed from the balance before.
ALTER TABLE refunds DROP COLUMN allowed_cents;
