-- What each of two people is to the other: two rows a pair, written together, from the first command on.
CREATE TABLE side (
    person TEXT NOT NULL,
    other TEXT NOT NULL,
    stance TEXT NOT NULL CHECK (stance IN ('none', 'asked', 'contact', 'removed')),
    blocks INTEGER NOT NULL CHECK (blocks IN (0, 1)),
    hidden INTEGER NOT NULL CHECK (hidden IN (0, 1)),   -- the person's request is not shown to the other
    met INTEGER NOT NULL CHECK (met IN (0, 1)),         -- the two were in contact at some time
    request TEXT NOT NULL,          -- the id of the person's request, kept while it is pending and when accepted
    declined_at INTEGER NOT NULL,   -- when the other last declined, Unix ms, or 0
    at INTEGER NOT NULL,            -- since when the person sees what they see, Unix ms
    change INTEGER NOT NULL,        -- the number of the change by which they came to see it
    PRIMARY KEY (person, other),
    CHECK (person <> other),
    CHECK (stance = 'none' OR NOT blocks),
    CHECK (stance <> 'asked' OR request <> '')
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX side_by_request ON side (request) WHERE request <> '';
CREATE INDEX side_by_change ON side (change);

-- One row a request made within the last hour, for the limit.
CREATE TABLE asking (
    person TEXT NOT NULL,
    at INTEGER NOT NULL,
    request TEXT NOT NULL,
    PRIMARY KEY (person, at, request)
) STRICT, WITHOUT ROWID;
CREATE INDEX asking_by_age ON asking (at);
