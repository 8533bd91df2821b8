-- A row for every two people who ever said something to each other, receipts included.
CREATE TABLE conversation (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    low TEXT NOT NULL,              -- the two people, in the order of their ids
    high TEXT NOT NULL CHECK (low < high),
    seq INTEGER NOT NULL,           -- position of the latest message
    version INTEGER NOT NULL,       -- counts the changes of messages here
    change INTEGER NOT NULL,        -- the latest change here, receipts included, in the numbers of the whole database
    low_last INTEGER NOT NULL,      -- position of low's own latest message
    low_delivered INTEGER NOT NULL, -- low has everything of high up to here
    low_read INTEGER NOT NULL,
    low_change INTEGER NOT NULL,    -- when low's receipt last moved
    high_last INTEGER NOT NULL,
    high_delivered INTEGER NOT NULL,
    high_read INTEGER NOT NULL,
    high_change INTEGER NOT NULL,
    CHECK (low_read <= low_delivered AND low_delivered <= high_last AND high_last <= seq),
    CHECK (high_read <= high_delivered AND high_delivered <= low_last AND low_last <= seq)
) STRICT;
CREATE INDEX conversation_by_low ON conversation (low);
CREATE INDEX conversation_by_high ON conversation (high);

-- In the order in which they were stored, so that a batch fills a few pages at the end, whoever wrote to whom.
CREATE TABLE message (
    born INTEGER PRIMARY KEY,       -- the change that stored it
    conversation INTEGER NOT NULL REFERENCES conversation (key),
    seq INTEGER NOT NULL,           -- position in the conversation, without holes
    version INTEGER NOT NULL,       -- the conversation's version with its latest change
    change INTEGER NOT NULL,        -- that change, in the numbers of the whole database
    first_version INTEGER NOT NULL, -- what its sender was told, and is told again
    sender TEXT NOT NULL,
    client_id TEXT NOT NULL,        -- stays for ever, and so does
    fingerprint BLOB NOT NULL,      -- of what was first sent under it
    at INTEGER NOT NULL,            -- Unix milliseconds
    body TEXT NOT NULL,
    reply_to INTEGER,               -- a position in the same conversation
    edited_at INTEGER,
    deleted INTEGER NOT NULL DEFAULT 0 CHECK (deleted IN (0, 1)),
    reactions BLOB,                 -- msgpack of [[emoji, [user, ...]], ...]
    CHECK (deleted = 0 OR (body = '' AND reply_to IS NULL AND reactions IS NULL))
) STRICT;
CREATE UNIQUE INDEX message_by_place ON message (conversation, seq);
CREATE UNIQUE INDEX message_by_client_id ON message (sender, client_id);
-- Within a conversation the order of changes is that of versions: it serves both.
CREATE UNIQUE INDEX message_by_change ON message (conversation, change);
