//! A node that begins to serve a PostgreSQL database while something is at work there. Shared by test binaries.

/// What a node does first of all is done by the database here, whenever something is written into the list of the erased.
pub(crate) const BEGINS_TO_SERVE: &str = "CREATE FUNCTION begins() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
     INSERT INTO node (name, version, schema, started_at, seen_at, config) SELECT 'late', '1', 1, now, now + 3600000, 'c' \
     FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint) clock (now) ON CONFLICT DO NOTHING; \
     RETURN NULL; END $$; CREATE TRIGGER begins AFTER INSERT ON erasure EXECUTE FUNCTION begins()";
