-- What every actor's database has: its identity, its change counter, and what became of commands.
CREATE TABLE log (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    epoch TEXT NOT NULL,        -- names this database; a restored or new one must not be taken for it
    change INTEGER NOT NULL     -- the number of the latest change
) STRICT;
INSERT INTO log VALUES (1, lower(hex(randomblob(8))), 0);

CREATE TABLE outcome (
    person TEXT NOT NULL,
    command TEXT NOT NULL,      -- the id that the client minted
    fingerprint BLOB NOT NULL,  -- of the command: the same id with another content is refused
    value BLOB,                 -- msgpack of the reply, or
    error BLOB,                 -- msgpack of the refusal
    at INTEGER NOT NULL,
    PRIMARY KEY (person, command),
    CHECK ((value IS NULL) <> (error IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX outcome_by_age ON outcome (at);

CREATE TABLE attempt (
    person TEXT NOT NULL,
    command TEXT NOT NULL,
    times INTEGER NOT NULL,     -- how often this one was begun in suspect mode
    PRIMARY KEY (person, command)
) STRICT, WITHOUT ROWID;
