-- The first schema. Why it looks so: docs/adr/0003-dense-rows-and-key-runs.md.
--
-- Status: 0 erased (nothing but the chains is left), 1 approved, 2 held, 3 rejected. Decided by: 1 policy, 2 person,
-- 3 rule. Moments are milliseconds since 1970. Blobs called b begin with a version byte (src/storage/codec.rs).

-- Secrets of this database, made at its birth.
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE site (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    name           TEXT NOT NULL UNIQUE,
    url            TEXT,
    webhook        TEXT,
    created_at     INTEGER NOT NULL,
    akismet_hash   BLOB NOT NULL UNIQUE,
    akismet_key    BLOB NOT NULL,
    inbound_secret BLOB NOT NULL,
    webhook_secret BLOB NOT NULL
) STRICT;

CREATE TABLE site_key (
    hash       BLOB PRIMARY KEY,
    site       INTEGER NOT NULL REFERENCES site (id) ON DELETE CASCADE,
    scopes     TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX site_key_site ON site_key (site);

CREATE TABLE person (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    email       TEXT NOT NULL COLLATE NOCASE UNIQUE,
    role        TEXT NOT NULL,
    password    TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    disabled_at INTEGER
) STRICT;

CREATE TABLE token (
    hash       BLOB PRIMARY KEY,
    person     INTEGER NOT NULL REFERENCES person (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX token_person ON token (person);

CREATE TABLE article (
    id         INTEGER PRIMARY KEY,
    site       INTEGER NOT NULL,
    name       TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    b          BLOB NOT NULL,
    UNIQUE (site, name)
) STRICT;

-- What changes about a comment, and what the history remembers of it: narrow, so that a start reads little. Ids are
-- dense, in commit order, never reused. The prev columns chain the comments of one site, author and article.
CREATE TABLE comment (
    id           INTEGER PRIMARY KEY,
    site         INTEGER NOT NULL,
    status       INTEGER NOT NULL,
    decided_by   INTEGER NOT NULL,
    revision     INTEGER NOT NULL,
    version      INTEGER NOT NULL,
    received_at  INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    prev_site    INTEGER NOT NULL,
    prev_author  INTEGER NOT NULL,
    prev_article INTEGER NOT NULL,
    keys         BLOB NOT NULL,
    trace        BLOB NOT NULL
) STRICT;

-- What a comment says, and its frozen verdict: latest revision.
CREATE TABLE content (
    id INTEGER PRIMARY KEY,
    b  BLOB NOT NULL
) STRICT;

-- Earlier revisions.
CREATE TABLE revision (
    comment  INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    b        BLOB NOT NULL,
    PRIMARY KEY (comment, revision)
) STRICT, WITHOUT ROWID;

-- The keys of 4096 comments in one row, written with the last of them: read once, at start.
CREATE TABLE key_run (
    w       INTEGER PRIMARY KEY,
    last_at INTEGER NOT NULL,
    b       BLOB NOT NULL
) STRICT;

-- Comments whose author or article an edit changed: they stay in their old chain and are found here under the new key.
CREATE TABLE moved (
    chain   INTEGER NOT NULL,
    key     INTEGER NOT NULL,
    comment INTEGER NOT NULL,
    PRIMARY KEY (chain, key, comment)
) STRICT, WITHOUT ROWID;
CREATE INDEX moved_comment ON moved (comment);

-- What waits for a person: one row for each held comment, there exactly as long as it is held.
CREATE TABLE queue (
    id            INTEGER PRIMARY KEY,
    site          INTEGER NOT NULL,
    category      INTEGER NOT NULL,
    signals       TEXT NOT NULL,
    section       TEXT,
    lang          TEXT,
    article       INTEGER NOT NULL,
    author        INTEGER NOT NULL,
    priority      REAL NOT NULL,
    held_at       INTEGER NOT NULL,
    claimed_by    TEXT,
    claimed_until INTEGER
) STRICT;

-- What happened to a comment after it arrived. (That it arrived is in its first revision.)
CREATE TABLE happening (
    comment INTEGER NOT NULL,
    version INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    ruling  INTEGER,
    b       BLOB NOT NULL,
    PRIMARY KEY (comment, version)
) STRICT, WITHOUT ROWID;
CREATE INDEX happening_at ON happening (at, comment);

CREATE TABLE ruling (
    id        INTEGER PRIMARY KEY,
    uid       BLOB NOT NULL UNIQUE,
    at        INTEGER NOT NULL,
    undone_at INTEGER,
    b         BLOB NOT NULL
) STRICT;

CREATE TABLE ruling_item (
    ruling            INTEGER NOT NULL REFERENCES ruling (id) ON DELETE CASCADE,
    comment           INTEGER NOT NULL,
    version_after     INTEGER NOT NULL,
    status_before     INTEGER NOT NULL,
    decided_by_before INTEGER NOT NULL,
    held_at_before    INTEGER,
    PRIMARY KEY (ruling, comment)
) STRICT, WITHOUT ROWID;
CREATE INDEX ruling_item_comment ON ruling_item (comment);

-- Who did what. Rows are added and never touched again; `chain` waits for the hash of the row before.
CREATE TABLE audit (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    actor   TEXT NOT NULL,
    name    TEXT NOT NULL,
    action  TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail  TEXT NOT NULL,
    chain   BLOB
) STRICT;
CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the record of who did what is append-only');
END;
CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the record of who did what is append-only');
END;
