-- Members of campaigns that people are to look at again, and every decision about a campaign. Only adds: the version before works on beside it;
-- what it does to rechecks is followed by the triggers, and what it decides about a campaign has no way back but to open it again.

-- Comments that stand approved, by no person's word, in a campaign that is open or rejected, and that no person has seen there or has in the
-- queue. There are few of them, however many members campaigns have.
CREATE TABLE recheck (
    comment INTEGER PRIMARY KEY,
    site    INTEGER NOT NULL
) STRICT;
CREATE INDEX recheck_site ON recheck (site);

-- What `recheck` has to hold.
CREATE VIEW recheck_due AS
    SELECT m.comment, c.site, m.campaign FROM campaign_member m JOIN campaign k ON k.id = m.campaign JOIN comment c ON c.id = m.comment
    WHERE (k.state = 1 OR (k.state = 2 AND k.action = 2) OR k.sites IS NOT NULL) AND c.status = 1 AND c.decided_by <> 2 AND m.seen = 0
    AND NOT EXISTS (SELECT 1 FROM queue q WHERE q.id = c.id);
INSERT INTO recheck (comment, site) SELECT comment, site FROM recheck_due;

CREATE TRIGGER recheck_joined AFTER INSERT ON campaign_member
BEGIN
    DELETE FROM recheck WHERE comment = new.comment;
    INSERT INTO recheck (comment, site) SELECT comment, site FROM recheck_due WHERE comment = new.comment;
END;
CREATE TRIGGER recheck_seen AFTER UPDATE OF campaign, seen ON campaign_member WHEN new.campaign <> old.campaign OR new.seen <> old.seen
BEGIN
    DELETE FROM recheck WHERE comment = new.comment;
    INSERT INTO recheck (comment, site) SELECT comment, site FROM recheck_due WHERE comment = new.comment;
END;
CREATE TRIGGER recheck_left AFTER DELETE ON campaign_member
BEGIN
    DELETE FROM recheck WHERE comment = old.comment;
END;
CREATE TRIGGER recheck_judged AFTER UPDATE OF status, decided_by ON comment
WHEN new.status <> old.status OR new.decided_by <> old.decided_by
BEGIN
    DELETE FROM recheck WHERE comment = new.id;
    INSERT INTO recheck (comment, site) SELECT comment, site FROM recheck_due WHERE comment = new.id;
END;
CREATE TRIGGER recheck_waits AFTER INSERT ON queue
BEGIN
    DELETE FROM recheck WHERE comment = new.id;
END;
CREATE TRIGGER recheck_waited AFTER DELETE ON queue
BEGIN
    DELETE FROM recheck WHERE comment = old.id;
    INSERT INTO recheck (comment, site) SELECT comment, site FROM recheck_due WHERE comment = old.id;
END;
CREATE TRIGGER recheck_turned AFTER UPDATE OF state, action, sites ON campaign
WHEN (new.state = 1 OR (new.state = 2 AND new.action IS 2) OR new.sites IS NOT NULL)
    <> (old.state = 1 OR (old.state = 2 AND old.action IS 2) OR old.sites IS NOT NULL)
BEGIN
    DELETE FROM recheck WHERE comment IN (SELECT comment FROM campaign_member WHERE campaign = new.id);
    INSERT INTO recheck (comment, site) SELECT comment, site FROM recheck_due WHERE campaign = new.id;
END;

-- Decisions about campaigns that were not taken back, so that taking back the latest leaves the one before in force.
CREATE TABLE campaign_decision (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    campaign   INTEGER NOT NULL REFERENCES campaign (id) ON DELETE CASCADE,
    ruling     BLOB NOT NULL UNIQUE,
    action     INTEGER NOT NULL,
    sites      BLOB,
    rule_until INTEGER,
    undone     INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX campaign_decision_campaign ON campaign_decision (campaign, id);
INSERT INTO campaign_decision (campaign, ruling, action, sites, rule_until)
    SELECT id, ruling, action, sites, rule_until FROM campaign WHERE state = 2 AND ruling IS NOT NULL AND action IS NOT NULL ORDER BY id;
