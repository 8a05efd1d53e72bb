-- Finding comments by their words, and the kinds of authors in the queue. Only adds.

ALTER TABLE queue ADD COLUMN author_known boolean NOT NULL DEFAULT false;

-- The words of comments (src/domain/search.rs), entered after the commit of the comment.
CREATE TABLE search (
    site    integer NOT NULL,
    comment uuid NOT NULL,
    words   tsvector NOT NULL,
    PRIMARY KEY (site, comment)
) PARTITION BY RANGE (comment);
CREATE TABLE search_rest PARTITION OF search DEFAULT;
CREATE INDEX search_words ON search USING gin (words);

-- Comments to be entered, or entered anew.
CREATE TABLE search_due (
    site    integer NOT NULL,
    comment uuid NOT NULL,
    PRIMARY KEY (site, comment)
);
