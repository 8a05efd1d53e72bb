//! Copies of a file while others write to it, and what is found out about a copy before it is trusted.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::error::OpenError;
use super::open;
use crate::domain::privacy::Erasure;
use crate::storage::Config;

/// Pages that are copied between two looks at how far it is: 4 MiB of our pages.
const STEP_PAGES: i32 = 512;

/// How thoroughly a file is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Every page, but not whether indexes agree with their tables.
    Quick,
    /// That, too, and whether every row that points at another finds it.
    Whole,
}

/// What a sound file says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// The version of its schema.
    pub schema: i64,
    /// Comments in it.
    pub comments: u64,
    /// The head of its record of who did what, in hexadecimal.
    pub audit_head: Option<String>,
    /// Each site with a secret of it, as it is sealed: what the key must open.
    pub sealed: Vec<(String, Vec<u8>)>,
}

/// Why a file is not trusted.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// It cannot be opened, or it is of a later version.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Something in it is wrong.
    #[error("{path} is damaged: {problem}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The first thing that is wrong with it.
        problem: String,
    },
}

/// Copies the database that `config` names to `to`, which is made, as it is at one moment, however much is written to it meanwhile: nobody waits
/// for this, though the log beside the file grows until it is done. `say` hears how many bytes of how many are copied. Blocks.
///
/// # Errors
/// [`OpenError`]; what was made of `to` is left there.
pub fn copy(config: &Config, to: &Path, say: &mut dyn FnMut(u64, u64)) -> Result<(), OpenError> {
    let path = config.path()?;
    if !path.is_file() {
        return Err(OpenError::Missing(path));
    }
    let failed = |error| OpenError::of(&path, error);
    // For writing, though nothing is written: who only reads cannot make the files beside it that nobody may have made yet.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let from = Connection::open_with_flags(&path, flags).map_err(failed)?;
    from.busy_timeout(Duration::from_millis(u64::from(config.busy_timeout_ms))).map_err(failed)?;
    from.pragma_update(None, "query_only", true).map_err(failed)?;
    // One transaction around all of it. Without, the copy would begin anew with each commit of whoever writes, and never end.
    from.execute_batch("BEGIN").map_err(failed)?;
    open::check_ours(&path, &from)?;
    let page: u64 = from.pragma_query_value(None, "page_size", |row| row.get(0)).map_err(failed)?;
    let unmade = |error| OpenError::of(to, error);
    open::make(to)?;
    let mut made = Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(unmade)?;
    made.pragma_update(None, "synchronous", "OFF").map_err(unmade)?; // it is synchronised as a whole below
    let copying = Backup::new(&from, &mut made).map_err(unmade)?;
    loop {
        match copying.step(STEP_PAGES).map_err(unmade)? {
            StepResult::Done => break,
            StepResult::More => {
                let progress = copying.progress();
                let pages = |count: i32| u64::try_from(count).unwrap_or(0) * page;
                say(pages(progress.pagecount - progress.remaining), pages(progress.pagecount));
            }
            _ => return Err(OpenError::Locked(path)), // nobody else knows the copy, and nothing is written through `from`
        }
    }
    drop(copying);
    from.execute_batch("COMMIT").map_err(failed)?;
    // One file, without a log beside it: whoever opens it for taking comments makes it one with a log again.
    made.pragma_update(None, "journal_mode", "DELETE").map_err(unmade)?;
    made.close().map_err(|(_, error)| OpenError::of(to, error))?;
    let io = |source: std::io::Error| OpenError::Io { path: to.to_owned(), source: source.into() };
    File::open(to).and_then(|file| file.sync_all()).map_err(io)
}

/// Reads all of the file at `path`, and says what it holds. It may be served meanwhile. Blocks, longer the bigger it is.
///
/// # Errors
/// [`LookError`].
pub fn look(path: &Path, depth: Depth) -> Result<Looked, LookError> {
    if !path.is_file() {
        return Err(OpenError::Missing(path.to_owned()).into());
    }
    let failed = |error| OpenError::of(path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.pragma_update(None, "trusted_schema", false).map_err(failed)?;
    connection.execute_batch("BEGIN").map_err(failed)?; // everything below is of one moment
    let count = |table: &str| format!("SELECT count(*) FROM {table}");
    let tables: u64 = connection.query_row(&count("sqlite_schema"), [], |row| row.get(0)).map_err(failed)?;
    let schema = open::schema_version(&connection).map_err(failed)?;
    let Some(schema) = schema.filter(|_| tables > 0) else { return Err(OpenError::Foreign(path.to_owned()).into()) };
    open::check_ours(path, &connection)?;
    let known = i64::from(open::schema_known());
    if schema > known {
        return Err(OpenError::Newer { path: path.to_owned(), found: schema, known }.into());
    }
    let damaged = |problem: String| LookError::Damaged { path: path.to_owned(), problem };
    let pragma = match depth {
        Depth::Quick => "PRAGMA quick_check(1)",
        Depth::Whole => "PRAGMA integrity_check(1)",
    };
    let found: String = connection.query_row(pragma, [], |row| row.get(0)).map_err(failed)?;
    if found != "ok" {
        return Err(damaged(found));
    }
    if depth == Depth::Whole {
        let points_nowhere = connection
            .query_row("PRAGMA foreign_key_check", [], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(2)?)))
            .optional()
            .map_err(failed)?;
        if let Some((table, parent)) = points_nowhere {
            return Err(damaged(format!("a row of {table} belongs to one of {parent} that is not there")));
        }
    }
    let comments = connection.query_row(&count("comment"), [], |row| row.get(0)).map_err(failed)?;
    // What follows is as this version writes it; an earlier one may not have it, and is taken without.
    let current = schema == known;
    let (audit_head, sealed) = if current {
        let head = "SELECT hex(chain) FROM audit WHERE chain IS NOT NULL ORDER BY id DESC LIMIT 1";
        let head: Option<String> = connection.query_row(head, [], |row| row.get(0)).optional().map_err(failed)?;
        let mut sites = connection.prepare("SELECT name, inbound_secret FROM site ORDER BY name").map_err(failed)?;
        let sealed = sites.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed)?;
        (head.map(|head| head.to_lowercase()), sealed.collect::<rusqlite::Result<_>>().map_err(failed)?)
    } else {
        (None, Vec::new())
    };
    Ok(Looked { schema, comments, audit_head, sealed })
}

/// How many comments the file at `path` has. It is only read. Blocks.
///
/// # Errors
/// It cannot be read, or is not ours.
pub fn comments(path: &Path) -> Result<u64, OpenError> {
    let failed = |error| OpenError::of(path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.pragma_update(None, "trusted_schema", false).map_err(failed)?;
    open::check_ours(path, &connection)?;
    let count = "SELECT count(*) FROM comment WHERE status <> 0";
    connection.query_row(count, [], |row| row.get(0)).map_err(failed)
}

/// Who was erased, as the file at `path` has it; nothing where it is of a version that kept no list. It is only read. Blocks.
///
/// # Errors
/// It cannot be read, or is not ours.
pub fn erasures(path: &Path) -> Result<Vec<Erasure>, OpenError> {
    if !path.is_file() {
        return Err(OpenError::Missing(path.to_owned()));
    }
    let failed = |error| OpenError::of(path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.pragma_update(None, "trusted_schema", false).map_err(failed)?;
    open::check_ours(path, &connection)?;
    let there = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'erasure'";
    let there: u64 = connection.query_row(there, [], |row| row.get(0)).map_err(failed)?;
    if there == 0 {
        return Ok(Vec::new());
    }
    let list = super::erasures::list(&connection, 0, usize::MAX);
    list.map_err(|source| OpenError::Unusable { path: path.to_owned(), source })
}

/// Makes sure that nobody serves, or begins to serve, the file at `path` as long as the answer lives. The file need not be there.
///
/// # Errors
/// [`OpenError::Served`], or the lock beside it cannot be made.
pub fn keep_from_serving(path: &Path) -> Result<File, OpenError> {
    open::lock(path)
}
