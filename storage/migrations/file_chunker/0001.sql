-- Uploads and the small pictures that go with them. Times are Unix milliseconds, sizes bytes.
CREATE TABLE upload (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    recipient TEXT NOT NULL,
    name TEXT NOT NULL,             -- shown, never a path
    type TEXT NOT NULL,             -- as the sender's browser said
    size INTEGER NOT NULL,
    offset INTEGER NOT NULL,        -- synced to disk before it stands here
    generation INTEGER NOT NULL,    -- of the request that may write; pieces of an older one are refused
    state TEXT NOT NULL CHECK (state IN ('open', 'verifying', 'ready', 'failed', 'cancelled', 'expired')),
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,       -- when the sweep looks at it; of what has ended, when its row goes
    change INTEGER NOT NULL,        -- its latest change but for the offset, in this database's numbers
    sha256 TEXT NOT NULL,           -- the owner's own digest, or ''
    verified INTEGER NOT NULL CHECK (verified IN (0, 1)),
    active INTEGER NOT NULL CHECK (active IN (0, 1)),
    reason TEXT NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    preview TEXT NOT NULL,          -- the type of its picture, or ''
    promised INTEGER NOT NULL CHECK (promised IN (0, 1)),   -- the sender will tell its own digest
    declared TEXT NOT NULL,         -- the sender's own digest, or ''
    CHECK (offset BETWEEN 0 AND size)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX upload_by_change ON upload (change);
CREATE INDEX upload_by_owner ON upload (owner, state, size);
CREATE INDEX upload_active ON upload (owner) WHERE active;
CREATE INDEX upload_by_expiry ON upload (expires);
CREATE INDEX upload_verifying ON upload (id) WHERE state = 'verifying';

CREATE TABLE picture (
    upload TEXT PRIMARY KEY,
    data BLOB NOT NULL
) STRICT, WITHOUT ROWID;
