-- Every configuration that services ran under, without secrets, and under which one each node runs. Only adds: the version before works on
-- beside it, and says nothing of its own.

CREATE TABLE config_version (
    hash  TEXT PRIMARY KEY,
    text  TEXT NOT NULL,
    -- The files that it names: a JSON list of path and text.
    files TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE config_taken (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    version TEXT NOT NULL REFERENCES config_version (hash),
    -- What decisions made under it name.
    policy  TEXT NOT NULL,
    how     TEXT NOT NULL,
    at      INTEGER NOT NULL,
    who     TEXT NOT NULL,
    -- Settings that waited for the next start: a JSON list.
    waiting TEXT NOT NULL
) STRICT;

ALTER TABLE node ADD COLUMN config TEXT NOT NULL DEFAULT '';
