-- Who was erased, as keyed hashes, so that a backup from before can be made to forget them again. Only adds: the version before works on beside it,
-- and what that erases is not listed.

-- Kind: 1 a comment, 2 whoever read, 3 whom sanctions aimed at.
CREATE TABLE erasure (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    site INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    hash BLOB NOT NULL,
    at   INTEGER NOT NULL,
    UNIQUE (site, kind, hash)
) STRICT;
