-- A login that one admin alone gave takes no part in what two people decide until somebody else has confirmed it.

-- given_by: the login that gave the last password on the site; none where it was given on the server, or before this.
-- given_at: when. vouched_by: the login that confirmed it; none where that was done on the server. vouched_at: when.
ALTER TABLE users ADD COLUMN given_by TEXT;
ALTER TABLE users ADD COLUMN given_at INTEGER;
ALTER TABLE users ADD COLUMN vouched_by TEXT;
ALTER TABLE users ADD COLUMN vouched_at INTEGER;

-- The first entry of the audit log from which logins are held against it.
ALTER TABLE audit_head ADD COLUMN logins_from INTEGER NOT NULL DEFAULT 1 CHECK (logins_from > 0);
UPDATE audit_head SET logins_from = seq + 1;
