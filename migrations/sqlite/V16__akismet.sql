-- Akismet's protocol: where its clients want to hear what people decided. Only adds: the version before works on beside it, and there is
-- nothing in it before a client asks for it.

-- The address that a client gave with a comment.
CREATE TABLE akismet_callback (
    comment INTEGER PRIMARY KEY,
    url     TEXT NOT NULL
) STRICT;

-- Where a notice goes that does not go to the site's webhook.
ALTER TABLE outbox ADD COLUMN callback TEXT;
