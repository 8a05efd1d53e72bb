-- The list of who was erased is keyed by site, as everything else of a site is, so that it can be distributed by it. The version before works on
-- beside it: it asks for nothing else.

ALTER TABLE erasure DROP CONSTRAINT erasure_pkey, ADD PRIMARY KEY (site, id);
-- The list is written out by number, over all sites.
CREATE INDEX erasure_number ON erasure (id);
