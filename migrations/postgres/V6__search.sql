-- Finding comments by their words, and the kinds of authors in the queue. Only adds.

ALTER TABLE queue ADD COLUMN author_known boolean NOT NULL DEFAULT false;

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
