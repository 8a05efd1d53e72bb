-- Webhooks in and out, people's reach, sanctions, reports and votes, appeals, pseudonyms.
-- Only adds: the version before works on beside it.

-- While a secret is rotated, the one before signs (or is accepted) too.
ALTER TABLE site ADD COLUMN inbound_before BLOB;
ALTER TABLE site ADD COLUMN inbound_before_until INTEGER;
ALTER TABLE site ADD COLUMN webhook_before BLOB;
ALTER TABLE site ADD COLUMN webhook_before_until INTEGER;
-- Since when the receiver says that it is gone (410).
ALTER TABLE site ADD COLUMN webhook_gone_at INTEGER;

-- Which sites, sections and languages a person works on, as JSON; `{}` is everything.
ALTER TABLE person ADD COLUMN reach TEXT NOT NULL DEFAULT '{}';

-- What sites have yet to be told. A row is written in the commit of what it tells of, and goes when the site has it.
CREATE TABLE outbox (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    uid         BLOB NOT NULL UNIQUE,
    site        INTEGER NOT NULL,
    comment     INTEGER NOT NULL,
    ruling      INTEGER,
    not_before  INTEGER NOT NULL,
    next_at     INTEGER NOT NULL,
    taken_until INTEGER,
    attempts    INTEGER NOT NULL DEFAULT 0,
    -- Since when the receiver has done nothing but refuse it.
    refused_since INTEGER,
    dead_at     INTEGER,
    problem     TEXT,
    b           BLOB NOT NULL
) STRICT;
CREATE INDEX outbox_comment ON outbox (comment, id);
-- By moment: of a site that does not answer a hundred thousand may wait, and whoever delivers looks only at what is due.
CREATE INDEX outbox_waiting ON outbox (site, next_at, id) WHERE dead_at IS NULL;
CREATE INDEX outbox_dead ON outbox (id) WHERE dead_at IS NOT NULL;

-- Messages that came by webhook, so that one that comes again is known.
CREATE TABLE delivery (
    site INTEGER NOT NULL,
    id   BLOB NOT NULL,
    body BLOB NOT NULL,
    at   INTEGER NOT NULL,
    done INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (site, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_at ON delivery (at);

-- Measures against (or for) an author, a host, a network. What they aim at is stored as a keyed hash.
CREATE TABLE sanction (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    uid        BLOB NOT NULL UNIQUE,
    site       INTEGER,
    measure    TEXT NOT NULL,
    kind       TEXT NOT NULL,
    hash       BLOB NOT NULL,
    hint       TEXT NOT NULL,
    cause      TEXT NOT NULL,
    shadow     INTEGER NOT NULL,
    by_name    TEXT NOT NULL,
    at         INTEGER NOT NULL,
    expires_at INTEGER,
    lifted_at  INTEGER,
    lifted_by  TEXT,
    ruling     BLOB
) STRICT;
CREATE INDEX sanction_hash ON sanction (hash);

-- What a sanction decided, and what would have become of the comment without it.
CREATE TABLE sanction_effect (
    sanction       INTEGER NOT NULL,
    comment        INTEGER NOT NULL,
    version        INTEGER NOT NULL,
    status_without INTEGER NOT NULL,
    PRIMARY KEY (sanction, comment)
) STRICT, WITHOUT ROWID;
CREATE INDEX sanction_effect_comment ON sanction_effect (comment);

-- Readers' reports and votes, each once per reader. Outcome: 0 open, 1 upheld, 2 dismissed. Credit: whether being upheld counts for the reader.
CREATE TABLE report (
    comment  INTEGER NOT NULL,
    reader   BLOB NOT NULL,
    category TEXT,
    text     TEXT,
    weight   REAL NOT NULL,
    at       INTEGER NOT NULL,
    outcome  INTEGER NOT NULL DEFAULT 0,
    credit   INTEGER NOT NULL,
    PRIMARY KEY (comment, reader)
) STRICT, WITHOUT ROWID;
CREATE INDEX report_reader ON report (reader);
CREATE TABLE vote (
    comment INTEGER NOT NULL,
    reader  BLOB NOT NULL,
    value   INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (comment, reader)
) STRICT, WITHOUT ROWID;
CREATE INDEX vote_reader ON vote (reader);

-- Authors' requests to decide again. State: 0 open, 1 upheld, 2 overturned, 3 withdrawn by an edit or another decision.
CREATE TABLE appeal (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    uid         BLOB NOT NULL UNIQUE,
    site        INTEGER NOT NULL,
    comment     INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    state       INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    answered_at INTEGER,
    b           BLOB NOT NULL
) STRICT;
CREATE INDEX appeal_comment ON appeal (comment);
CREATE INDEX appeal_open ON appeal (at, id) WHERE state = 0;

-- What stands for the addresses of older comments: hashes under a key that is replaced from time to time.
CREATE TABLE pseudonym (
    comment INTEGER PRIMARY KEY,
    ip      BLOB,
    network BLOB,
    email   BLOB
) STRICT;
