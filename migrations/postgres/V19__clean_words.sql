-- Addresses in what people wrote, and in all that was looked through before this version, once more. Only adds: the version before works on beside
-- it, and what it writes is looked through here.

-- Whether addresses were taken out of its words: once they are old enough, whenever the comments came that they are about.
ALTER TABLE ruling ADD COLUMN clean boolean NOT NULL DEFAULT false;
ALTER TABLE appeal ADD COLUMN clean boolean NOT NULL DEFAULT false;
ALTER TABLE sanction ADD COLUMN clean boolean NOT NULL DEFAULT false;
CREATE INDEX ruling_unclean ON ruling (at) WHERE NOT clean;
CREATE INDEX appeal_unclean ON appeal (coalesce(answered_at, at)) WHERE NOT clean;
CREATE INDEX sanction_unclean ON sanction (at) WHERE NOT clean;

-- Passes of versions before schema 15 left addresses in evidence, and later ones those that were glued to other words: all begin anew, once.
UPDATE site SET hashed_to = NULL WHERE hashed_to IS NOT NULL;
