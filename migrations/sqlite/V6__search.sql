-- Finding comments by their words, and the queue in memory. Only adds: the version before works on beside it, and what it writes is noted by the
-- triggers.

-- Whether the author had an approved comment there when this one came into the queue (0 or 1); NULL, written by the version before, counts as 0.
ALTER TABLE queue ADD COLUMN author_known INTEGER;
UPDATE queue SET author_known = EXISTS (
    WITH RECURSIVE earlier (id, status, prev, depth) AS (
        SELECT c.id, c.status, c.prev_author, 1 FROM comment c
        WHERE c.id = (SELECT own.prev_author FROM comment own WHERE own.id = queue.id)
        UNION ALL
        SELECT c.id, c.status, c.prev_author, earlier.depth + 1 FROM earlier JOIN comment c ON c.id = earlier.prev
        WHERE earlier.depth < 64
    )
    SELECT 1 FROM earlier WHERE status = 1
);

-- What changed about the queue, in the order of commits: whoever keeps the queue in memory reads on from the last number seen. The first numbers
-- go from time to time, the last never: so none is used again.
CREATE TABLE queue_change (
    n  INTEGER PRIMARY KEY,
    id INTEGER NOT NULL
) STRICT;
CREATE TRIGGER queue_change_in AFTER INSERT ON queue
BEGIN
    INSERT INTO queue_change (id) VALUES (new.id);
END;
CREATE TRIGGER queue_change_at AFTER UPDATE ON queue
BEGIN
    INSERT INTO queue_change (id) VALUES (new.id);
END;
CREATE TRIGGER queue_change_out AFTER DELETE ON queue
BEGIN
    INSERT INTO queue_change (id) VALUES (old.id);
END;
CREATE TRIGGER queue_change_joined AFTER INSERT ON campaign_member
WHEN EXISTS (SELECT 1 FROM queue WHERE id = new.comment)
BEGIN
    INSERT INTO queue_change (id) VALUES (new.comment);
END;
CREATE TRIGGER queue_change_merged AFTER UPDATE OF campaign ON campaign_member
WHEN EXISTS (SELECT 1 FROM queue WHERE id = new.comment)
BEGIN
    INSERT INTO queue_change (id) VALUES (new.comment);
END;
CREATE TRIGGER queue_change_forgotten AFTER DELETE ON campaign_member
WHEN EXISTS (SELECT 1 FROM queue WHERE id = old.comment)
BEGIN
    INSERT INTO queue_change (id) VALUES (old.comment);
END;

-- The words of comments (src/domain/search.rs), filled after the commit of the comment, by row number; `search_to` in `meta` is the last row
-- looked at. The words are kept beside the index: a row can only be taken out of it by the words that it was entered with, and the way words are
-- cut may change. What is taken out is gone from the pages, not only marked.
CREATE VIRTUAL TABLE search USING fts5(words, detail = 'none', columnsize = 0, tokenize = 'ascii');
INSERT INTO search (search, rank) VALUES ('secure-delete', 1);

-- Comments that were edited: to be entered anew.
CREATE TABLE search_due (
    id INTEGER PRIMARY KEY
) STRICT;
CREATE TRIGGER search_due_edited AFTER UPDATE OF revision ON comment WHEN new.revision > old.revision
BEGIN
    INSERT OR IGNORE INTO search_due (id) VALUES (new.id);
END;
