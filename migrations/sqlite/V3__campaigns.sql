-- Campaigns: comments that share text, a headline or a link target. Only adds: the version before works on beside it.

-- State: 1 open, 2 decided, 3 closed, 4 part of another. Action: 1 approve, 2 reject. Size counts who ever joined. Nothing of any text: b holds
-- fingerprints. Sites: where it is decided or closed, when whoever said so does not work on all of them; NULL for all.
CREATE TABLE campaign (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    uid      BLOB NOT NULL UNIQUE,
    state    INTEGER NOT NULL,
    action   INTEGER,
    ruling   BLOB,
    into_uid BLOB,
    version  INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    last_at  INTEGER NOT NULL,
    size     INTEGER NOT NULL,
    b        BLOB NOT NULL,
    sites    BLOB
) STRICT;
CREATE INDEX campaign_state ON campaign (state, last_at);
CREATE INDEX campaign_ruling ON campaign (ruling) WHERE ruling IS NOT NULL;

-- Who belongs to which, in the order in which they joined. Seen: left out of a decision by a person who saw it.
CREATE TABLE campaign_member (
    comment  INTEGER PRIMARY KEY,
    campaign INTEGER NOT NULL,
    number   INTEGER NOT NULL,
    seen     INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX campaign_member_number ON campaign_member (campaign, number);

-- Comments that were on their way when their campaign was recognised: they join in their own commit.
CREATE TABLE campaign_wait (
    site     INTEGER NOT NULL,
    id       INTEGER NOT NULL,
    campaign INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (site, id)
) STRICT, WITHOUT ROWID;
