-- Addresses in what people wrote, and in all that was looked through before this version, once more. Only adds: the version before works on beside
-- it, and what it writes is looked through here.

-- Whether addresses were taken out of its words: once they are old enough, whenever the comments came that they are about. Those of an appeal are
-- when it is answered.
ALTER TABLE ruling ADD COLUMN clean INTEGER NOT NULL DEFAULT 0;
ALTER TABLE appeal ADD COLUMN clean INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sanction ADD COLUMN clean INTEGER NOT NULL DEFAULT 0;
CREATE INDEX ruling_unclean ON ruling (at) WHERE clean = 0;
CREATE INDEX appeal_unclean ON appeal (coalesce(answered_at, at)) WHERE clean = 0 AND state <> 0;
CREATE INDEX sanction_unclean ON sanction (at) WHERE clean = 0;

-- Passes of versions before schema 15 left addresses in evidence, and later ones those that were glued to other words: all begin anew, once.
DELETE FROM meta WHERE name IN ('addresses_hashed_to', 'addresses_imported_at');
