-- Signing in to the console. Only adds: the version before works on beside it.

-- The seed of a person's second factor, sealed; and the last step of it that was used, so that no code works twice.
ALTER TABLE person ADD COLUMN totp BLOB;
ALTER TABLE person ADD COLUMN totp_step INTEGER;

-- Open sessions. The cookie itself is not stored.
CREATE TABLE session (
    hash       BLOB PRIMARY KEY,
    person     INTEGER NOT NULL REFERENCES person (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    agent      TEXT NOT NULL,
    network    TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_person ON session (person);

-- What opens an account once when the second factor is lost, by hash.
CREATE TABLE recovery_code (
    hash   BLOB PRIMARY KEY,
    person INTEGER NOT NULL REFERENCES person (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX recovery_code_person ON recovery_code (person);
