-- Which rules there were under which settings: verdicts name the settings, and what a rule did is told of the text that it had. Only adds: the
-- version before works on beside it. What it kept of settings is read when a service begins.

CREATE TABLE rule_set (
    name TEXT PRIMARY KEY,
    b    BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE rule_set_of (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    -- What decisions made under the settings name.
    policy TEXT NOT NULL UNIQUE,
    rules  TEXT NOT NULL REFERENCES rule_set (name)
) STRICT;

CREATE INDEX rule_set_of_rules ON rule_set_of (rules);
