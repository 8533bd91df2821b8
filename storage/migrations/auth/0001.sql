-- Accounts, sessions, signing keys, invitations, and what was tried too often. Times are Unix milliseconds.
CREATE TABLE account (
    id TEXT PRIMARY KEY,
    username TEXT NOT NULL UNIQUE,      -- NFKC and casefolded; kept after deletion, so that it is never given out again
    display_name TEXT NOT NULL,
    display_fold TEXT NOT NULL,         -- the display name as search compares it
    password TEXT NOT NULL,             -- scheme tag and hash; empty once deleted
    password_command TEXT NOT NULL,     -- the command that set the password: its repetition is recognised by it
    state TEXT NOT NULL CHECK (state IN ('active', 'disabled', 'deleted')),
    operator INTEGER NOT NULL DEFAULT 0 CHECK (operator IN (0, 1)),
    created_at INTEGER NOT NULL,
    change INTEGER NOT NULL             -- the number of its latest change
) STRICT;
CREATE INDEX account_by_change ON account (change);

CREATE TABLE session (
    id TEXT PRIMARY KEY,
    user TEXT NOT NULL REFERENCES account (id),
    agent TEXT NOT NULL,
    address TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,           -- by idleness or by age, whichever comes first
    family BLOB NOT NULL UNIQUE,        -- SHA-256 of what all its refresh tokens have in common
    link BLOB NOT NULL,                 -- SHA-256 of the newest refresh token's own part
    previous BLOB,                      -- the same of the one before
    rotated_at INTEGER NOT NULL,
    ended_at INTEGER,
    ended_change INTEGER UNIQUE,
    CHECK ((ended_at IS NULL) = (ended_change IS NULL))
) STRICT;
CREATE INDEX session_by_user ON session (user, ended_at);
CREATE INDEX session_by_end ON session (ends_at) WHERE ended_at IS NULL;

CREATE TABLE signing_key (
    kid TEXT PRIMARY KEY,
    x BLOB NOT NULL CHECK (length(x) = 32),     -- the raw Ed25519 public key
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE invitation (
    code BLOB PRIMARY KEY,              -- SHA-256 of the code
    expires INTEGER NOT NULL,
    used_by TEXT REFERENCES account (id)
) STRICT, WITHOUT ROWID;

CREATE TABLE tally (
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX tally_by_subject ON tally (kind, subject);
CREATE INDEX tally_by_age ON tally (at);
