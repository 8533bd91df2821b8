-- So that sign-ins can be followed: the number of the change by which a session began (none for those before this),
-- and whether it began where its owner had been signed in before.
ALTER TABLE session ADD COLUMN begun_change INTEGER;
ALTER TABLE session ADD COLUMN familiar INTEGER NOT NULL DEFAULT 1 CHECK (familiar IN (0, 1));
CREATE UNIQUE INDEX session_unfamiliar ON session (begun_change) WHERE NOT familiar;
CREATE INDEX account_deleted ON account (change) WHERE state = 'deleted';
