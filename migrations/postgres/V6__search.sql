-- Finding comments by their words, and the kinds of authors in the queue. Only adds.

ALTER TABLE queue ADD COLUMN author_known boolean NOT NULL DEFAULT false;

-- Which campaign it belongs to: counting what waits by campaign reads these rows only, however many members campaigns have. It follows
-- campaign_member in the same transaction. Whoever puts a comment into the queue has its row locked, so the two never pass each other.
ALTER TABLE queue ADD COLUMN campaign bigint;
CREATE FUNCTION queue_follows_campaigns() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM comment c JOIN changed m ON c.site = m.site AND c.uid = m.comment ORDER BY c.uid FOR KEY SHARE OF c;
    UPDATE queue q SET campaign = (SELECT m.campaign FROM campaign_member m WHERE m.site = q.site AND m.comment = q.comment)
        FROM changed WHERE q.site = changed.site AND q.comment = changed.comment;
    RETURN NULL;
END
$$;
CREATE TRIGGER queue_follows_joined AFTER INSERT ON campaign_member REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION queue_follows_campaigns();
CREATE TRIGGER queue_follows_left AFTER DELETE ON campaign_member REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION queue_follows_campaigns();
CREATE FUNCTION queue_follows_merged() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM comment c JOIN changed m ON c.site = m.site AND c.uid = m.comment ORDER BY c.uid FOR KEY SHARE OF c;
    UPDATE queue q SET campaign = now.campaign FROM changed now
        JOIN before ON before.site = now.site AND before.comment = now.comment AND before.campaign <> now.campaign
        WHERE q.site = now.site AND q.comment = now.comment;
    RETURN NULL;
END
$$;
CREATE TRIGGER queue_follows_merged AFTER UPDATE ON campaign_member REFERENCING OLD TABLE AS before NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION queue_follows_merged();

-- Rows come and go, and claims change them in place.
ALTER TABLE queue SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);

-- The words of all comments, entered after the commit of the comment. Revision is the one that they are of: whoever enters an older one later
-- changes nothing.
CREATE TABLE search (
    site     integer NOT NULL,
    comment  uuid NOT NULL,
    revision integer NOT NULL,
    words    tsvector NOT NULL,
    PRIMARY KEY (site, comment)
) PARTITION BY RANGE (comment);
CREATE TABLE search_rest PARTITION OF search DEFAULT;
CREATE INDEX search_words ON search USING gin (words);
CREATE INDEX search_comment ON search (comment);

-- Comments to be entered, entered anew, or taken out. A heap without any index, to which every statement that stores, edits or erases a comment
-- adds a row: that costs it next to nothing. A comment may stand here several times.
CREATE TABLE search_due (
    site    integer NOT NULL,
    comment uuid NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);
