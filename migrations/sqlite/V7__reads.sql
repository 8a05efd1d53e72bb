-- What people note about authors for each other. The author is a keyed hash. Only adds: the version before works on beside it, and neither shows
-- nor erases notes.
CREATE TABLE author_note (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    uid     BLOB NOT NULL UNIQUE,
    site    INTEGER NOT NULL,
    author  BLOB NOT NULL,
    by_name TEXT NOT NULL,
    at      INTEGER NOT NULL,
    text    TEXT NOT NULL
) STRICT;
CREATE INDEX author_note_author ON author_note (author, id);
