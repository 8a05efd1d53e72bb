-- Whose turn it is with work that one node does for all, which nodes there are, and how they hear of what another one changed. Only adds: the
-- version before works on beside it, and its changes are heard of, too.

CREATE TABLE lease (
    name   text PRIMARY KEY,
    holder text NOT NULL,
    until  bigint NOT NULL
);

CREATE TABLE node (
    name       text PRIMARY KEY,
    version    text NOT NULL,
    schema     integer NOT NULL,
    started_at bigint NOT NULL,
    seen_at    bigint NOT NULL
);

-- What nodes keep in memory and another process changed, told in the commit of the change, whoever made it: src/domain/news.rs has the other
-- end. Nothing that happens for every comment is told so, since commits that tell something wait for one another.
CREATE FUNCTION tell_nodes() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    news json;
BEGIN
    IF TG_ARGV[0] = 'model' THEN
        news := json_build_object('kind', 'model', 'site', coalesce(NEW.site, OLD.site));
    ELSIF TG_ARGV[0] = 'article' THEN
        news := json_build_object('kind', 'article', 'site', NEW.site, 'id', NEW.name);
    ELSE
        news := json_build_object('kind', TG_ARGV[0]);
    END IF;
    -- Several installations may share a database: each has a schema, and a channel, of its own.
    PERFORM pg_notify('doorward_' || md5(TG_TABLE_SCHEMA), news::text);
    RETURN NULL;
END
$$;

CREATE TRIGGER tell_nodes AFTER UPDATE OR DELETE ON site
    FOR EACH ROW EXECUTE FUNCTION tell_nodes('access');
CREATE TRIGGER tell_nodes AFTER INSERT OR UPDATE OR DELETE ON site_key
    FOR EACH ROW EXECUTE FUNCTION tell_nodes('access');
CREATE TRIGGER tell_nodes AFTER UPDATE OR DELETE ON person
    FOR EACH ROW EXECUTE FUNCTION tell_nodes('access');
CREATE TRIGGER tell_nodes AFTER INSERT OR UPDATE OR DELETE ON token
    FOR EACH ROW EXECUTE FUNCTION tell_nodes('access');
CREATE TRIGGER tell_nodes AFTER DELETE ON session
    FOR EACH ROW EXECUTE FUNCTION tell_nodes('access');
CREATE TRIGGER tell_nodes AFTER INSERT OR UPDATE OR DELETE ON sanction
    FOR EACH ROW EXECUTE FUNCTION tell_nodes('sanctions');
CREATE TRIGGER tell_nodes AFTER INSERT OR UPDATE OR DELETE ON site_model
    FOR EACH ROW EXECUTE FUNCTION tell_nodes('model');
CREATE TRIGGER tell_nodes AFTER UPDATE ON article
    FOR EACH ROW WHEN (OLD.b IS DISTINCT FROM NEW.b) EXECUTE FUNCTION tell_nodes('article');
