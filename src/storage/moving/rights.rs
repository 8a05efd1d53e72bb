//! What the user of the destination may do, asked before anything is written there: or a move of hours ends at its last statement.

use tokio_postgres::{Client, Error};

use super::target::names;

/// What a move writes to besides the tables that it fills, where it is there already.
const BESIDES: [&str; 6] = ["meta", "search_due", "node", "lease", "move_progress", "refinery_schema_history"];

/// The user, the schema, whether nothing can be written, whether tables can be made.
const AROUND: &str = "SELECT quote_ident(current_user), quote_ident(current_schema()), \
                      current_setting('transaction_read_only')::boolean, \
                      coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)";

/// A table that is not the user's. Its owner alone makes its partitions, and has the figures taken that queries are planned with.
const FOREIGN: &str = "SELECT quote_ident(c.relname), quote_ident(pg_get_userbyid(c.relowner)) \
                       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema() \
                       WHERE c.relkind IN ('r', 'p') AND c.relname = ANY($1) AND NOT pg_has_role(c.relowner, 'USAGE') \
                       ORDER BY c.relname LIMIT 1";

/// A right that the owner has taken away from itself.
const REVOKED: &str = "SELECT quote_ident(c.relname), wanted FROM pg_class c \
                       JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema() \
                       CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) wanted \
                       WHERE c.relkind IN ('r', 'p') AND c.relname = ANY($1) AND NOT has_table_privilege(c.oid, wanted) \
                       ORDER BY c.relname, wanted LIMIT 1";

/// What is missing, with what helps; `None` when nothing is.
pub(super) async fn missing(client: &Client) -> Result<Option<String>, Error> {
    let around = client.query_one(AROUND, &[]).await?;
    let (user, schema): (&str, Option<&str>) = (around.get(0), around.get(1));
    if around.get(2) {
        return Ok(Some(
            "the database can only be read (a copy of another one, or default_transaction_read_only is on)".to_owned(),
        ));
    }
    let Some(schema) = schema else {
        let what = format!("{user} sees no schema of its search_path; name one that is there, and GRANT USAGE on it");
        return Ok(Some(what));
    };
    if !around.get::<_, bool>(3) {
        let what =
            format!("{user} may not make tables in the schema {schema}; GRANT CREATE ON SCHEMA {schema} TO {user}");
        return Ok(Some(what));
    }
    let tables: Vec<&str> = names().into_iter().chain(BESIDES).collect();
    if let Some(row) = client.query_opt(FOREIGN, &[&tables]).await? {
        let (table, owner): (&str, &str) = (row.get(0), row.get(1));
        let what = format!(
            "the table {table} belongs to {owner}; move as that user, or take an empty schema that belongs to {user}"
        );
        return Ok(Some(what));
    }
    let revoked = client.query_opt(REVOKED, &[&tables]).await?;
    Ok(revoked.map(|row| {
        let (table, right): (&str, &str) = (row.get(0), row.get(1));
        format!("{user} lacks a right; GRANT {right} ON {table} TO {user}")
    }))
}
