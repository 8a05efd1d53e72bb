-- What people's decisions teach, what was learned of it, and the sample of automatic verdicts that people look at.
-- Only adds: the version before works on beside it, and teaches nothing.

-- What a person said of a comment. No text: that is read from the comment, for as long as there is one. Spam and abuse: 1 it is, 0 it is not,
-- NULL nothing said. Fate: what became of the label, in words (src/domain/learning.rs).
CREATE TABLE label (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    site      INTEGER NOT NULL,
    comment   INTEGER NOT NULL,
    revision  INTEGER NOT NULL,
    ruling    INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    spam      INTEGER,
    abuse     INTEGER,
    sampled   INTEGER NOT NULL,
    undone_at INTEGER,
    fate      TEXT NOT NULL,
    model     INTEGER
) STRICT;
CREATE INDEX label_site ON label (site, id);
CREATE INDEX label_comment ON label (comment);

-- Counts what happened to a site's labels, and how much of that the learner has looked at.
CREATE TABLE learner (
    site    INTEGER PRIMARY KEY,
    changes INTEGER NOT NULL,
    seen    INTEGER NOT NULL
) STRICT;

-- What a site taught, over the model of that version. In force is the one that has not ended. `b` holds weights and the labels that they come
-- of; `checksum` is its SHA-256. `before` is the number of the one whose place it took; NULL where the shipped model answered alone.
CREATE TABLE site_model (
    site     INTEGER NOT NULL,
    number   INTEGER NOT NULL,
    base     TEXT NOT NULL,
    at       INTEGER NOT NULL,
    ended_at INTEGER,
    b        BLOB NOT NULL,
    checksum BLOB NOT NULL,
    before   INTEGER,
    PRIMARY KEY (site, number)
) STRICT, WITHOUT ROWID;

-- What happened to sites' models, refusals included. `figures` is JSON.
CREATE TABLE model_change (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    site    INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    kind    TEXT NOT NULL,
    number  INTEGER,
    by_name TEXT,
    reason  TEXT NOT NULL,
    figures TEXT NOT NULL
) STRICT;
CREATE INDEX model_change_site ON model_change (site, id);

-- Automatic verdicts that were drawn for a person. The comment goes when it is erased; that there was one stays.
CREATE TABLE sample (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    site       INTEGER NOT NULL,
    comment    INTEGER,
    at         INTEGER NOT NULL,
    action     INTEGER NOT NULL,
    category   TEXT,
    model      TEXT NOT NULL,
    ruling     INTEGER,
    overturned INTEGER,
    ruled_as   TEXT
) STRICT;
CREATE UNIQUE INDEX sample_comment ON sample (comment) WHERE comment IS NOT NULL;
CREATE INDEX sample_site ON sample (site, at);
