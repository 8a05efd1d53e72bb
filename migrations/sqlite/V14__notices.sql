-- What operators are told: alerts, and messages about them. Only adds: the version before works on beside it.

-- The latest alert of a kind about one thing, standing or over. Facts is JSON.
CREATE TABLE alert (
    kind       TEXT NOT NULL,
    about      TEXT NOT NULL,
    facts      TEXT NOT NULL,
    raised_at  INTEGER NOT NULL,
    told_at    INTEGER,
    cleared_at INTEGER,
    PRIMARY KEY (kind, about)
) STRICT, WITHOUT ROWID;

-- A message to operators, by e-mail or webhook. Data is JSON. Next_at is empty when it was sent or given up.
CREATE TABLE operator_message (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT NOT NULL UNIQUE,
    channel     TEXT NOT NULL,
    event       TEXT NOT NULL,
    subject     TEXT NOT NULL,
    text        TEXT NOT NULL,
    data        TEXT NOT NULL,
    made_at     INTEGER NOT NULL,
    attempts    INTEGER NOT NULL DEFAULT 0,
    next_at     INTEGER,
    sent_at     INTEGER,
    given_up_at INTEGER,
    problem     TEXT
) STRICT;
CREATE INDEX operator_message_next ON operator_message (next_at) WHERE next_at IS NOT NULL;
