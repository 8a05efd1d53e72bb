//! The mark of a file from which everything was moved: whoever sees it takes nothing more in, since nobody would look for it here.
//!
//! Only one process may serve a file, and none while it is moved; but locks do not reach over every file system, and commands that change the file
//! need none. So the mark stands in the file itself, and the writer looks for it in each of its transactions.

use rusqlite::{Connection, OptionalExtension as _};

/// In `meta`: where everything went, in words.
const MOVED_TO: &str = "moved_to";

/// Where everything went, if it did.
pub(super) fn moved_to(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let mut query = connection.prepare_cached("SELECT value FROM meta WHERE name = ?1")?;
    let found = query.query_row([MOVED_TO], |row| row.get::<_, Vec<u8>>(0)).optional()?;
    Ok(found.map(|place| String::from_utf8_lossy(&place).into_owned()))
}

/// Marks the file, or takes the mark away.
pub(super) fn mark(connection: &Connection, place: Option<&str>) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM meta WHERE name = ?1", [MOVED_TO])?;
    if let Some(place) = place {
        connection.execute("INSERT INTO meta (name, value) VALUES (?1, ?2)", (MOVED_TO, place.as_bytes()))?;
    }
    Ok(())
}
