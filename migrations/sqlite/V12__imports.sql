-- Files of other systems that were brought in. Only adds: the version before works on beside it.

-- How far a file has got: written in the commit of its comments. File is the SHA-256 of the file and of what decides what is taken of it; counts is
-- JSON.
CREATE TABLE import_file (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    site     INTEGER NOT NULL,
    format   TEXT NOT NULL,
    file     BLOB NOT NULL,
    position INTEGER NOT NULL,
    counts   TEXT NOT NULL,
    begun_at INTEGER NOT NULL,
    done_at  INTEGER,
    UNIQUE (site, format, file)
) STRICT;

-- What the source said of a comment. Spam and abuse: 1 it is, 0 it is not, NULL nothing said.
CREATE TABLE imported (
    comment INTEGER PRIMARY KEY,
    import  INTEGER NOT NULL,
    site    INTEGER NOT NULL,
    spam    INTEGER,
    abuse   INTEGER
) STRICT;
CREATE INDEX imported_import ON imported (import);
