-- Members of campaigns that people are to look at again, and every decision about a campaign. Only adds: the version before works on beside it;
-- what it does to rechecks is followed by the triggers, and what it decides about a campaign has no way back but to open it again.

-- In the order in which they are written, so that whoever writes meanwhile is waited for, and waits.
LOCK TABLE comment, queue, campaign_member, campaign IN SHARE ROW EXCLUSIVE MODE;

-- Comments that stand approved, by no person's word, in a campaign that is open or rejected, and that no person has seen there or has in the
-- queue. There are few of them, however many members campaigns have.
CREATE TABLE recheck (
    site    integer NOT NULL,
    comment uuid NOT NULL,
    PRIMARY KEY (site, comment)
) WITH (autovacuum_vacuum_scale_factor = 0.02);

-- What `recheck` has to hold.
CREATE VIEW recheck_due AS
    SELECT m.site, m.comment, m.campaign FROM campaign_member m JOIN campaign k ON k.id = m.campaign
    JOIN comment c ON c.site = m.site AND c.uid = m.comment
    WHERE (k.state = 1 OR (k.state = 2 AND k.action = 2) OR k.sites IS NOT NULL) AND c.status = 1 AND c.decided_by <> 2 AND NOT m.seen
    AND NOT EXISTS (SELECT FROM queue q WHERE q.site = m.site AND q.comment = m.comment);

-- Whoever changes whether a comment is due has its row locked, or that of its campaign, or both. The first locks the campaign here, too, in the
-- order that everything locks them: of two that change both sides of it at once, the later sees what the earlier did.
CREATE FUNCTION recheck_follows() RETURNS trigger LANGUAGE plpgsql
    -- The plan is made once and kept, for one row and for thousands: whatever it is, it looks up each row that changed, and reads no whole table.
    -- OFFSET 0 keeps the planner from turning that round.
    SET enable_seqscan = off AS $$
BEGIN
    PERFORM 1 FROM campaign k WHERE k.id = ANY (ARRAY (SELECT m.campaign FROM changed CROSS JOIN LATERAL
        (SELECT m.campaign FROM campaign_member m WHERE m.site = changed.site AND m.comment = changed.comment OFFSET 0) m))
        ORDER BY k.id FOR SHARE;
    IF NOT FOUND AND TG_TABLE_NAME = 'queue' THEN
        RETURN NULL; -- as with nearly everything that comes into the queue: it belongs to no campaign
    END IF;
    DELETE FROM recheck WHERE ctid = ANY (ARRAY (SELECT r.place FROM changed CROSS JOIN LATERAL
        (SELECT r.ctid AS place FROM recheck r WHERE r.site = changed.site AND r.comment = changed.comment OFFSET 0) r));
    INSERT INTO recheck (site, comment) SELECT due.site, due.comment FROM changed CROSS JOIN LATERAL
        (SELECT d.site, d.comment FROM recheck_due d WHERE d.site = changed.site AND d.comment = changed.comment OFFSET 0) due
        ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
CREATE TRIGGER recheck_joined AFTER INSERT ON campaign_member REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION recheck_follows();
CREATE TRIGGER recheck_seen AFTER UPDATE ON campaign_member REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION recheck_follows();
CREATE TRIGGER recheck_left AFTER DELETE ON campaign_member REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION recheck_follows();
CREATE TRIGGER recheck_waits AFTER INSERT ON queue REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION recheck_follows();
CREATE TRIGGER recheck_waited AFTER DELETE ON queue REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION recheck_follows();

CREATE FUNCTION recheck_follows_comment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM campaign k WHERE k.id =
        (SELECT m.campaign FROM campaign_member m WHERE m.site = NEW.site AND m.comment = NEW.uid) FOR SHARE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    DELETE FROM recheck WHERE site = NEW.site AND comment = NEW.uid;
    INSERT INTO recheck (site, comment) SELECT due.site, due.comment FROM recheck_due due
        WHERE due.site = NEW.site AND due.comment = NEW.uid ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
CREATE TRIGGER recheck_judged AFTER UPDATE OF status, decided_by ON comment FOR EACH ROW
    WHEN (OLD.status <> NEW.status OR OLD.decided_by <> NEW.decided_by) EXECUTE FUNCTION recheck_follows_comment();

CREATE FUNCTION recheck_follows_campaign() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM recheck r USING campaign_member m WHERE m.campaign = NEW.id AND r.site = m.site AND r.comment = m.comment;
    INSERT INTO recheck (site, comment) SELECT due.site, due.comment FROM recheck_due due WHERE due.campaign = NEW.id
        ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
CREATE TRIGGER recheck_turned AFTER UPDATE OF state, action, sites ON campaign FOR EACH ROW
    WHEN ((NEW.state = 1 OR (NEW.state = 2 AND NEW.action IS NOT DISTINCT FROM 2) OR NEW.sites IS NOT NULL)
        <> (OLD.state = 1 OR (OLD.state = 2 AND OLD.action IS NOT DISTINCT FROM 2) OR OLD.sites IS NOT NULL))
    EXECUTE FUNCTION recheck_follows_campaign();

-- Only now that every change is followed: what was due before.
INSERT INTO recheck (site, comment) SELECT site, comment FROM recheck_due ON CONFLICT DO NOTHING;

-- Decisions about campaigns that were not taken back, so that taking back the latest leaves the one before in force.
CREATE TABLE campaign_decision (
    id         bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    campaign   bigint NOT NULL REFERENCES campaign (id) ON DELETE CASCADE,
    ruling     uuid NOT NULL UNIQUE,
    action     smallint NOT NULL,
    sites      bytea,
    rule_until bigint,
    undone     boolean NOT NULL DEFAULT false
);
CREATE INDEX campaign_decision_campaign ON campaign_decision (campaign, id);
INSERT INTO campaign_decision (campaign, ruling, action, sites, rule_until)
    SELECT id, ruling, action, sites, rule_until FROM campaign WHERE state = 2 AND ruling IS NOT NULL AND action IS NOT NULL ORDER BY id;
