-- Signing in to the console. Only adds: the version before works on beside it.

ALTER TABLE person ADD COLUMN totp bytea;
ALTER TABLE person ADD COLUMN totp_step bigint;

CREATE TABLE session (
    hash       bytea PRIMARY KEY,
    person     integer NOT NULL REFERENCES person (id) ON DELETE CASCADE,
    created_at bigint NOT NULL,
    seen_at    bigint NOT NULL,
    expires_at bigint NOT NULL,
    agent      text NOT NULL,
    network    text NOT NULL
);
CREATE INDEX session_person ON session (person);

CREATE TABLE recovery_code (
    hash   bytea PRIMARY KEY,
    person integer NOT NULL REFERENCES person (id) ON DELETE CASCADE
);
CREATE INDEX recovery_code_person ON recovery_code (person);
