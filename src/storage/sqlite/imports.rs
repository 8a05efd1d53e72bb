//! Comments of other systems: batches with how far a file has got, what the source said of them, and writing everything out.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use super::intake::{self, Prepared, Recorded};
use super::rows::{self, Row};
use super::writer::Work;
use super::{SqliteStore, articles, audit, learning, privacy};
use crate::domain::comment::Article;
use crate::domain::decision::Actor;
use crate::domain::imports::{Exported, Import, ImportBatch, ImportCounts, ImportKey, Imports, Labelled};
use crate::domain::learning::{Fate, Said};
use crate::domain::site::SiteId;
use crate::domain::store::{Result, StoreError};
use crate::domain::time::Timestamp;
use crate::storage::codec;

/// What is said of labels of imports: later numbers are later words, and these came before everything that was said here.
const FIRST_NUMBER: &str = "SELECT min(0, coalesce((SELECT min(id) FROM label), 0))";

const COLUMNS: &str = "id, position, counts, begun_at, done_at, site, format";

struct Found {
    import: Import,
    site: SiteId,
    format: String,
}

fn read(row: &rusqlite::Row<'_>) -> Result<Found> {
    let counts: String = row.get(2)?;
    let counts = serde_json::from_str(&counts).map_err(|error| StoreError::Corrupt(format!("an import: {error}")))?;
    let done_at: Option<i64> = row.get(4)?;
    let import = Import {
        id: row.get(0)?,
        position: row.get(1)?,
        counts,
        begun_at: Timestamp::from_millis(row.get(3)?),
        done_at: done_at.map(Timestamp::from_millis),
    };
    Ok(Found { import, site: SiteId(row.get(5)?), format: row.get(6)? })
}

fn by_id(connection: &Connection, id: i64) -> Result<Option<Found>> {
    let mut query = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM import_file WHERE id = ?1"))?;
    let mut rows = query.query([id])?;
    rows.next()?.map(read).transpose()
}

fn begin(work: &Work<'_>, key: &ImportKey, at: Timestamp) -> Result<Import> {
    intake::require_site(work.connection, key.site)?;
    let write = "INSERT INTO import_file (site, format, file, position, counts, begun_at) VALUES (?1, ?2, ?3, 0, '{}', ?4) \
                 ON CONFLICT (site, format, file) DO NOTHING";
    work.connection.prepare_cached(write)?.execute(params![key.site.0, key.format, &key.file[..], at.as_millis()])?;
    let find = format!("SELECT {COLUMNS} FROM import_file WHERE site = ?1 AND format = ?2 AND file = ?3");
    let mut query = work.connection.prepare_cached(&find)?;
    let mut rows = query.query(params![key.site.0, key.format, &key.file[..]])?;
    let found = rows.next()?.map(read).transpose()?;
    found.map(|found| found.import).ok_or_else(|| StoreError::Corrupt("an import that was just noted".to_owned()))
}

/// What of a batch takes no transaction is done before.
struct Ready {
    batch: ImportBatch,
    comments: Vec<(Prepared, Said)>,
}

fn batch(work: &mut Work<'_>, ready: Ready) -> Result<Option<Import>> {
    let Ready { batch, comments } = ready;
    let (from, to) = batch.entries;
    let Some(found) = by_id(work.connection, batch.import)?.filter(|found| found.import.position == from) else {
        return Ok(None);
    };
    intake::require_site(work.connection, found.site)?;
    let mut new = ImportCounts { articles: batch.articles.len() as u64, skipped: batch.skipped, ..Default::default() };
    for article in &batch.articles {
        articles::fill(work, found.site, article, batch.at)?;
    }
    let mut last_stored = None;
    for (comment, said) in comments {
        let row = match intake::record(work, comment)? {
            Recorded::New(row, ..) => {
                new.stored += 1;
                last_stored = Some(row.id);
                row
            }
            Recorded::Repeat(row, ..) => {
                new.known += 1;
                row
            }
            Recorded::Conflict => {
                new.differing += 1;
                continue;
            }
        };
        if said.is_something() {
            // The word of the latest file, and of two of one id in that the first.
            let note = "INSERT INTO imported (comment, import, site, spam, abuse) VALUES (?1, ?2, ?3, ?4, ?5) \
                        ON CONFLICT (comment) DO UPDATE SET import = excluded.import, spam = excluded.spam, abuse = excluded.abuse \
                        WHERE import <> excluded.import";
            work.connection.prepare_cached(note)?.execute(params![
                row.id,
                batch.import,
                found.site.0,
                said.spam,
                said.abuse
            ])?;
        }
    }
    if let Some(last) = last_stored {
        privacy::note_imported(work.connection, last)?;
    }
    let counts = found.import.counts.plus(new);
    let done_at = batch.is_last.then_some(batch.at);
    let write = "UPDATE import_file SET position = ?2, counts = ?3, done_at = ?4 WHERE id = ?1";
    let text = serde_json::to_string(&counts).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    work.connection.prepare_cached(write)?.execute(params![
        batch.import,
        to,
        text,
        done_at.map(Timestamp::as_millis)
    ])?;
    if batch.is_last {
        let detail = format!("{}, {} comments", found.format, counts.stored);
        audit::add(work.connection, &Actor::Console, "import", &batch.site.name, &detail, batch.at)?;
    }
    Ok(Some(Import { position: to, counts, done_at, ..found.import }))
}

fn label(work: &Work<'_>, import: i64, most: u32, at: Timestamp) -> Result<Labelled> {
    let Some(found) = by_id(work.connection, import)? else { return Ok(Labelled::default()) };
    let mut chosen = Vec::new();
    let mut labelled = Labelled::default();
    for (is_spam, count) in [(true, &mut labelled.spam), (false, &mut labelled.ham)] {
        let class = if is_spam {
            "(i.spam = 1 OR i.abuse = 1)"
        } else {
            "coalesce(i.spam, 0) = 0 AND coalesce(i.abuse, 0) = 0"
        };
        let read = format!(
            "SELECT c.received_at, i.comment, i.spam, i.abuse FROM imported i JOIN comment c ON c.id = i.comment AND c.status <> 0 \
             WHERE i.import = ?1 AND {class} AND NOT EXISTS (SELECT 1 FROM label l WHERE l.comment = i.comment) \
             ORDER BY c.received_at DESC, i.comment DESC LIMIT ?2"
        );
        let mut query = work.connection.prepare_cached(&read)?;
        let mut rows = query.query(params![import, most])?;
        while let Some(row) = rows.next()? {
            *count += 1;
            chosen.push((
                row.get::<_, i64>(0)?,
                row.get::<_, u32>(1)?,
                row.get::<_, Option<bool>>(2)?,
                row.get::<_, Option<bool>>(3)?,
            ));
        }
    }
    if chosen.is_empty() {
        return Ok(labelled);
    }
    chosen.sort_unstable_by_key(|(received_at, comment, ..)| std::cmp::Reverse((*received_at, *comment)));
    let mut number: i64 = work.connection.prepare_cached(FIRST_NUMBER)?.query_row([], |row| row.get(0))?;
    let write = "INSERT INTO label (id, site, comment, revision, ruling, at, spam, abuse, sampled, fate) \
                 VALUES (?1, ?2, ?3, 1, 0, ?4, ?5, ?6, 0, ?7)";
    let mut write = work.connection.prepare_cached(write)?;
    for (_, comment, spam, abuse) in chosen {
        number -= 1;
        let fate = Fate::Waiting.name();
        write.execute(params![number, found.site.0, comment, at.as_millis(), spam, abuse, fate])?;
    }
    learning::changed(work.connection, found.site)?;
    Ok(labelled)
}

fn export_articles(connection: &Connection, site: SiteId, after: Option<&str>, most: usize) -> Result<Vec<Article>> {
    let read = "SELECT b FROM article WHERE site = ?1 AND (?2 IS NULL OR name > ?2) ORDER BY name LIMIT ?3";
    let mut query = connection.prepare_cached(read)?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let all = query.query_map(params![site.0, after, most], |row| row.get::<_, Vec<u8>>(0))?;
    all.map(|bytes| codec::decode("an article", &bytes?)).collect()
}

fn export_comments(
    connection: &Connection,
    site: SiteId,
    after: Option<&str>,
    most: usize,
) -> Result<(Vec<Exported>, Option<String>)> {
    let after: u32 = after.and_then(|after| after.parse().ok()).unwrap_or(0);
    let read = format!(
        "SELECT {} FROM comment WHERE id > ?1 AND site = ?2 AND status <> 0 ORDER BY id LIMIT ?3",
        rows::COLUMNS
    );
    let mut query = connection.prepare_cached(&read)?;
    let mut found = query.query(params![after, site.0, i64::try_from(most).unwrap_or(i64::MAX)])?;
    let (mut all, mut last) = (Vec::new(), None);
    while let Some(row) = found.next()? {
        let row = Row::read(row)?;
        let content = rows::content(connection, row.id)?;
        all.push(Exported {
            comment: content.comment,
            status: row.live()?,
            decided_by: row.decided_by,
            received_at: row.received_at,
            said: said(connection, row.id)?,
        });
        last = Some(row.id.to_string());
    }
    Ok((all, last))
}

/// What people said last of a comment; what its source said, where people said nothing.
fn said(connection: &Connection, comment: u32) -> Result<Said> {
    let both = |row: &rusqlite::Row<'_>| Ok(Said { spam: row.get(0)?, abuse: row.get(1)? });
    let read = "SELECT spam, abuse FROM label WHERE comment = ?1 AND undone_at IS NULL AND fate <> 'sanction' ORDER BY id DESC LIMIT 1";
    let here = connection.prepare_cached(read)?.query_row([comment], both).optional()?;
    let read = "SELECT spam, abuse FROM imported WHERE comment = ?1";
    Ok(match here {
        Some(said) => said,
        None => connection.prepare_cached(read)?.query_row([comment], both).optional()?.unwrap_or_default(),
    })
}

/// The comment is no more, and nobody ever said anything of it.
pub(super) fn forget(connection: &Connection, comment: u32) -> Result<()> {
    connection.prepare_cached("DELETE FROM imported WHERE comment = ?1")?.execute([comment])?;
    Ok(())
}

#[async_trait]
impl Imports for SqliteStore {
    async fn import_begin(&self, key: ImportKey, at: Timestamp) -> Result<Import> {
        self.must_serve()?;
        self.writer.run(move |work| begin(work, &key, at)).await
    }

    async fn import_batch(&self, mut all: ImportBatch) -> Result<Option<Import>> {
        self.must_serve()?;
        let comments = std::mem::take(&mut all.comments).into_iter();
        let comments = comments.map(|one| Ok((Prepared::new(&self.shared, one.record)?, one.said)));
        let ready = Ready { comments: comments.collect::<Result<_>>()?, batch: all };
        self.writer.run(move |work| batch(work, ready)).await
    }

    async fn import_label(&self, import: i64, most: u32, at: Timestamp) -> Result<Labelled> {
        self.writer.run(move |work| label(work, import, most, at)).await
    }

    async fn export_articles(&self, site: SiteId, after: Option<String>, most: usize) -> Result<Vec<Article>> {
        self.readers.ask(move |connection| export_articles(connection, site, after.as_deref(), most)).await
    }

    async fn export_comments(
        &self,
        site: SiteId,
        after: Option<String>,
        most: usize,
    ) -> Result<(Vec<Exported>, Option<String>)> {
        self.readers.ask(move |connection| export_comments(connection, site, after.as_deref(), most)).await
    }
}
