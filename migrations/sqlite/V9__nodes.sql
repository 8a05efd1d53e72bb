-- Whose turn it is with work that one node does for all, and which nodes there are. Only adds: the version before works on beside it.

CREATE TABLE lease (
    name   TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    until  INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE node (
    name       TEXT PRIMARY KEY,
    version    TEXT NOT NULL,
    schema     INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL
) WITHOUT ROWID;
