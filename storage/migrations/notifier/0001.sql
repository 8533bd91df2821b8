-- Notices, why they were given, what people want, and who was last seen when. Times are Unix milliseconds.
CREATE TABLE notice (
    id TEXT PRIMARY KEY,            -- made of where it comes from, so that following twice makes one
    person TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,          -- the conversation, person or session that it is about
    change INTEGER NOT NULL,        -- its latest change, in this database's numbers
    at INTEGER NOT NULL,
    listed INTEGER NOT NULL CHECK (listed IN (0, 1)),   -- shown in the list of notices, not only announced
    data BLOB NOT NULL,             -- msgpack of what the kind needs
    read_at INTEGER
) STRICT;
CREATE UNIQUE INDEX notice_by_person ON notice (person, change);
CREATE INDEX notice_unread ON notice (person, subject, kind) WHERE read_at IS NULL;
CREATE INDEX notice_open ON notice (id) WHERE kind = 'messages' AND read_at IS NULL;
CREATE INDEX notice_by_age ON notice (at);

-- How far each log has been followed. It moves in the transaction that keeps what was found there.
CREATE TABLE cursor (
    source TEXT PRIMARY KEY,
    epoch TEXT NOT NULL,
    change INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE decision (
    id INTEGER PRIMARY KEY,
    person TEXT NOT NULL,
    source TEXT NOT NULL,
    subject TEXT NOT NULL,
    first INTEGER NOT NULL,         -- the places in the conversation that it covers, or 0
    last INTEGER NOT NULL,
    began INTEGER NOT NULL,         -- when the first that it covers was decided
    at INTEGER NOT NULL,
    what TEXT NOT NULL,
    code TEXT NOT NULL,
    reason TEXT NOT NULL
) STRICT;
CREATE INDEX decision_by_person ON decision (person, id);
CREATE INDEX decision_by_subject ON decision (subject, person, id);

CREATE TABLE preferences (
    person TEXT PRIMARY KEY,
    presence INTEGER NOT NULL CHECK (presence IN (0, 1)),
    last_seen INTEGER NOT NULL CHECK (last_seen IN (0, 1)),
    read_receipts INTEGER NOT NULL CHECK (read_receipts IN (0, 1)),
    previews INTEGER NOT NULL CHECK (previews IN (0, 1)),
    sound INTEGER NOT NULL CHECK (sound IN (0, 1)),
    desktop INTEGER NOT NULL CHECK (desktop IN (0, 1)),
    quiet_from TEXT NOT NULL,       -- "22:00" or ""
    quiet_to TEXT NOT NULL,
    zone TEXT NOT NULL              -- of the time zone database, or "" for UTC
) STRICT, WITHOUT ROWID;

CREATE TABLE mute (
    person TEXT NOT NULL,
    other TEXT NOT NULL,
    until INTEGER NOT NULL,         -- -1 for ever
    PRIMARY KEY (person, other)
) STRICT, WITHOUT ROWID;

CREATE TABLE presence (
    person TEXT PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('online', 'away', 'offline')),
    since INTEGER NOT NULL,
    last_seen INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
