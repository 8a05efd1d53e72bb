-- Addresses in what people wrote, and in all that was looked through before this version, once more. Only adds: the version before works on beside
-- it, and what it writes is looked through here.

-- Whether addresses were taken out of its words: once they are old enough, whenever the comments came that they are about. Those of an appeal are
-- when it is answered: the version before, which answers beside this one, knows of no mark that it would have to take away.
ALTER TABLE ruling ADD COLUMN clean boolean NOT NULL DEFAULT false;
ALTER TABLE appeal ADD COLUMN clean boolean NOT NULL DEFAULT false;
ALTER TABLE sanction ADD COLUMN clean boolean NOT NULL DEFAULT false;
CREATE INDEX ruling_unclean ON ruling (at) WHERE NOT clean;
CREATE INDEX appeal_unclean ON appeal (coalesce(answered_at, at)) WHERE NOT clean AND state <> 0;
CREATE INDEX sanction_unclean ON sanction (at) WHERE NOT clean;

-- Passes of versions before schema 15 left addresses in evidence, and later ones those that were glued to other words: all begin anew, once. Where
-- that has got to has a name of its own: the version before moves `hashed_to` to the end at once, beside this one.
ALTER TABLE site ADD COLUMN looked_to uuid;
