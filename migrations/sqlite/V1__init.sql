-- What one machine remembers. The layout of `comment` and `key_run` is explained in docs/adr/0003-dense-rows-and-key-runs.md:
-- rows lie in commit order, and no index with a random key is touched when a comment arrives.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE site (
    id             INTEGER PRIMARY KEY,
    name           TEXT NOT NULL UNIQUE,
    url            TEXT,
    webhook        TEXT,
    created_at     INTEGER NOT NULL,
    akismet_hash   BLOB NOT NULL,
    akismet        BLOB NOT NULL,
    inbound        BLOB NOT NULL,
    webhook_secret BLOB NOT NULL
);

CREATE TABLE site_key (
    hash       BLOB PRIMARY KEY,
    site       INTEGER NOT NULL REFERENCES site (id) ON DELETE CASCADE,
    scopes     TEXT NOT NULL,
    created_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE person (
    id          INTEGER PRIMARY KEY,
    email       TEXT NOT NULL UNIQUE,
    role        TEXT NOT NULL,
    password    TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    disabled_at INTEGER
);

CREATE TABLE token (
    hash       BLOB PRIMARY KEY,
    person     INTEGER NOT NULL REFERENCES person (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE article (
    id         INTEGER PRIMARY KEY,
    site       INTEGER NOT NULL,
    name       TEXT NOT NULL,
    details    BLOB NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (site, name)
);

-- status: 0 approved, 1 held, 2 rejected, 3 erased (the row stays as a link of its chains, without content).
-- decided_by: 0 policy, 1 person, 2 rule.
CREATE TABLE comment (
    id           INTEGER PRIMARY KEY,
    site         INTEGER NOT NULL,
    status       INTEGER NOT NULL,
    decided_by   INTEGER NOT NULL,
    version      INTEGER NOT NULL,
    revision     INTEGER NOT NULL,
    received_at  INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    name_hash    INTEGER NOT NULL,
    author_hash  INTEGER NOT NULL,
    article_hash INTEGER NOT NULL,
    prev_author  INTEGER,
    prev_article INTEGER,
    content      BLOB NOT NULL,
    trace        BLOB NOT NULL,
    subject      BLOB NOT NULL,
    verdict      BLOB NOT NULL
);

-- For 4096 ids each: name hash, author hash, article hash, 8 bytes little-endian each.
CREATE TABLE key_run (
    run  INTEGER PRIMARY KEY,
    keys BLOB NOT NULL
);

-- One row for each held comment, and no others.
CREATE TABLE queue (
    comment       INTEGER PRIMARY KEY,
    site          INTEGER NOT NULL,
    category      TEXT,
    section       TEXT,
    lang          TEXT,
    article_hash  INTEGER NOT NULL,
    author_hash   INTEGER NOT NULL,
    priority      REAL NOT NULL,
    held_at       INTEGER NOT NULL,
    signals       TEXT NOT NULL,
    claimed_by    TEXT,
    claimed_until INTEGER
);

CREATE TABLE revision (
    comment     INTEGER NOT NULL,
    revision    INTEGER NOT NULL,
    subject     BLOB NOT NULL,
    verdict     BLOB NOT NULL,
    replaced_at INTEGER NOT NULL,
    PRIMARY KEY (comment, revision)
) WITHOUT ROWID;

CREATE TABLE ruling (
    id        BLOB PRIMARY KEY,
    action    INTEGER NOT NULL,
    category  TEXT,
    reason    TEXT,
    note      TEXT,
    by        TEXT NOT NULL,
    at        INTEGER NOT NULL,
    undone_at INTEGER
) WITHOUT ROWID;

CREATE TABLE ruling_item (
    ruling            BLOB NOT NULL REFERENCES ruling (id),
    comment           INTEGER NOT NULL,
    version_after     INTEGER NOT NULL,
    status_before     INTEGER NOT NULL,
    decided_by_before INTEGER NOT NULL,
    priority_before   REAL NOT NULL,
    held_at_before    INTEGER,
    PRIMARY KEY (ruling, comment)
) WITHOUT ROWID;

-- What happened to comments after they arrived.
CREATE TABLE happening (
    id         INTEGER PRIMARY KEY,
    comment    INTEGER NOT NULL,
    version    INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    status     INTEGER NOT NULL,
    decided_by INTEGER NOT NULL,
    ruling     BLOB,
    by         TEXT NOT NULL,
    at         INTEGER NOT NULL
);
CREATE INDEX happening_comment ON happening (comment);
CREATE INDEX happening_at ON happening (at);

-- Who did what. Rows are only ever added.
CREATE TABLE audit (
    id      INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    by      TEXT NOT NULL,
    action  TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail  TEXT NOT NULL
);
CREATE TRIGGER audit_is_append_only_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_is_append_only_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
