//! Comments of other systems: batches with how far a file has got, what the source said of them, and writing everything out.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use uuid::Uuid;

use super::db::{Cells as _, Db, number};
use super::intake::{Prepared, site_deleted};
use super::rows::{self, Row};
use super::together::{self, Outcome};
use super::work::{Work, transact};
use super::{PostgresStore, articles, learning, patience, privacy, queue, sites};
use crate::domain::comment::Article;
use crate::domain::decision::{Actor, Status};
use crate::domain::imports::{Exported, Import, ImportBatch, ImportCounts, ImportKey, Imports, Labelled};
use crate::domain::learning::{Fate, Said};
use crate::domain::site::SiteId;
use crate::domain::store::{Result, StoreError};
use crate::domain::time::Timestamp;
use crate::storage::codec;

const COLUMNS: &str = "id, position, counts, begun_at, done_at, format";

struct Found {
    import: Import,
    format: String,
}

fn read(row: &tokio_postgres::Row) -> Result<Found> {
    let counts = serde_json::from_str(row.cell(2)?).map_err(|error| StoreError::Corrupt(format!("an import: {error}")));
    let position: i64 = row.cell(1)?;
    let import = Import {
        id: row.cell(0)?,
        position: u64::try_from(position).map_err(|_| StoreError::Corrupt("how far an import has got".to_owned()))?,
        counts: counts?,
        begun_at: Timestamp::from_millis(row.cell(3)?),
        done_at: row.cell::<Option<i64>>(4)?.map(Timestamp::from_millis),
    };
    Ok(Found { import, format: row.cell(5)? })
}

async fn begin(work: &Work, key: &ImportKey, at: Timestamp) -> Result<Import> {
    sites::hold(work, key.site).await?;
    let write = "INSERT INTO import_file (site, format, file, position, counts, begun_at) VALUES ($1, $2, $3, 0, '{}', $4) \
                 ON CONFLICT (site, format, file) DO NOTHING";
    let (site, file) = (number(key.site), &key.file[..]);
    work.execute(write, &[&site, &key.format, &file, &at.as_millis()]).await?;
    let find = format!("SELECT {COLUMNS} FROM import_file WHERE site = $1 AND format = $2 AND file = $3");
    Ok(read(&work.query_one(&find, &[&site, &key.format, &file]).await?)?.import)
}

/// What of a batch takes no transaction is done before.
struct Ready {
    batch: ImportBatch,
    comments: Vec<(Prepared, Said)>,
}

async fn batch(work: &Work, ready: &Ready) -> Result<Option<Import>> {
    let Ready { batch, comments } = ready;
    let (from, to) = batch.entries;
    let site = batch.site.id;
    let find = format!("SELECT {COLUMNS} FROM import_file WHERE site = $1 AND id = $2 FOR UPDATE");
    let found = work.query_opt(&find, &[&number(site), &batch.import]).await?;
    let Some(found) = found.as_ref().map(read).transpose()?.filter(|found| found.import.position == from) else {
        return Ok(None);
    };
    sites::hold(work, site).await?;
    // Whoever replaces addresses sees these comments, or has yet to be told to begin below them.
    work.execute("SELECT pg_advisory_xact_lock_shared($1)", &[&work.locks.hashing]).await?;
    work.execute("SELECT pg_advisory_xact_lock_shared($1)", &[&work.locks.joining]).await?;
    for article in &batch.articles {
        articles::fill(work, site, article, batch.at).await?;
    }
    let stored = store(work, comments).await?;
    if let Some(lowest) = stored.iter().min() {
        privacy::begin_below(work, site, *lowest).await?;
    }
    let mut new = ImportCounts { articles: batch.articles.len() as u64, skipped: batch.skipped, ..Default::default() };
    let mut said = Vec::new();
    let (mut seen, mut told) = (HashSet::new(), HashSet::new());
    for (comment, of_it) in comments {
        // Of two of one name the first was stored; the other is looked at as any that was there already.
        let is_first = seen.insert(comment.id());
        let uid = if is_first && stored.contains(&comment.uid) {
            new.stored += 1;
            comment.uid
        } else {
            let row = rows::find(work, site, comment.id()).await?;
            let Some(row) = row.filter(|row| row.content().is_ok_and(|known| known.hash == comment.content.hash))
            else {
                new.differing += 1;
                continue;
            };
            new.known += 1;
            row.uid
        };
        if of_it.is_something() && told.insert(uid) {
            said.push((uid, *of_it));
        }
    }
    note_said(work, site, batch.import, &said).await?;
    let counts = found.import.counts.plus(new);
    let done_at = batch.is_last.then_some(batch.at);
    let text = serde_json::to_string(&counts).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    let position = i64::try_from(to).unwrap_or(i64::MAX);
    let write = "UPDATE import_file SET position = $3, counts = $4, done_at = $5 WHERE site = $1 AND id = $2";
    let done = done_at.map(Timestamp::as_millis);
    work.execute(write, &[&number(site), &batch.import, &position, &text, &done]).await?;
    if batch.is_last {
        let detail = format!("{}, {} comments", found.format, counts.stored);
        work.audit(&Actor::Console, "import", &batch.site.name, &detail, batch.at);
    }
    Ok(Some(Import { position: to, counts, done_at, ..found.import }))
}

/// Stores those whose names are free, the first of each, with their places in the queue; answers which.
async fn store(work: &Work, comments: &[(Prepared, Said)]) -> Result<HashSet<Uuid>> {
    let mut names = HashSet::new();
    let firsts: Vec<&Prepared> =
        comments.iter().map(|(comment, _)| comment).filter(|comment| names.insert(comment.id())).collect();
    if firsts.is_empty() {
        return Ok(HashSet::new());
    }
    let outcomes: HashMap<Uuid, Outcome> = together::insert(work, &firsts, true).await?.into_iter().collect();
    if outcomes.values().any(|outcome| *outcome == Outcome::Deleted) {
        return Err(site_deleted());
    }
    let stored: HashSet<Uuid> =
        outcomes.into_iter().filter(|(_, outcome)| *outcome == Outcome::Stored).map(|(uid, _)| uid).collect();
    let held = |new: &&&Prepared| new.content.status == Status::Held && stored.contains(&new.uid);
    let held: Vec<_> = firsts.iter().filter(held).map(|new| (new.row(), &new.content)).collect();
    let places: Vec<_> =
        held.iter().map(|(row, content)| queue::Placed { row, content, held_at: content.at }).collect();
    queue::add_all(work, &places).await?;
    Ok(stored)
}

/// The word of the latest file stands.
async fn note_said(work: &Work, site: SiteId, import: i64, said: &[(Uuid, Said)]) -> Result<()> {
    if said.is_empty() {
        return Ok(());
    }
    let comments: Vec<Uuid> = said.iter().map(|(uid, _)| *uid).collect();
    let spam: Vec<Option<bool>> = said.iter().map(|(_, said)| said.spam).collect();
    let abuse: Vec<Option<bool>> = said.iter().map(|(_, said)| said.abuse).collect();
    let note = "INSERT INTO imported (site, comment, import, spam, abuse) \
                SELECT $1, k.comment, $2, k.spam, k.abuse FROM unnest($3::uuid[], $4::bool[], $5::bool[]) k (comment, spam, abuse) \
                ON CONFLICT (site, comment) DO UPDATE SET import = excluded.import, spam = excluded.spam, abuse = excluded.abuse \
                WHERE imported.import <> excluded.import";
    work.execute(note, &[&number(site), &import, &comments, &spam, &abuse]).await?;
    Ok(())
}

async fn label(work: &Work, import: i64, most: u32, at: Timestamp) -> Result<Labelled> {
    // Numbers of labels are unique on the whole database, and these are not given by its counter.
    work.execute("SELECT pg_advisory_xact_lock($1)", &[&work.locks.imports]).await?;
    let Some(found) = work.query_opt("SELECT site FROM import_file WHERE id = $1", &[&import]).await? else {
        return Ok(Labelled::default());
    };
    let site: i32 = found.cell(0)?;
    let (mut chosen, mut labelled) = (Vec::new(), Labelled::default());
    for (is_spam, count) in [(true, &mut labelled.spam), (false, &mut labelled.ham)] {
        let class = if is_spam {
            "(i.spam OR i.abuse)"
        } else {
            "NOT coalesce(i.spam, false) AND NOT coalesce(i.abuse, false)"
        };
        let read = format!(
            "SELECT i.comment, i.spam, i.abuse FROM imported i WHERE i.site = $1 AND i.import = $2 AND {class} \
             AND NOT EXISTS (SELECT FROM label l WHERE l.site = i.site AND l.comment = i.comment) \
             ORDER BY i.comment DESC LIMIT $3"
        );
        for row in work.query(&read, &[&site, &import, &i64::from(most)]).await? {
            *count += 1;
            chosen.push((row.cell::<Uuid>(0)?, row.cell::<Option<bool>>(1)?, row.cell::<Option<bool>>(2)?));
        }
    }
    if chosen.is_empty() {
        return Ok(labelled);
    }
    chosen.sort_unstable_by_key(|(comment, ..)| std::cmp::Reverse(*comment)); // uids are in the order of time
    let comments: Vec<Uuid> = chosen.iter().map(|(comment, ..)| *comment).collect();
    let spam: Vec<Option<bool>> = chosen.iter().map(|(_, spam, _)| *spam).collect();
    let abuse: Vec<Option<bool>> = chosen.iter().map(|(.., abuse)| *abuse).collect();
    let first = "SELECT least(0, coalesce(min(l.id), 0)) FROM site s CROSS JOIN LATERAL (SELECT min(id) AS id FROM label WHERE site = s.id) l";
    let first: i64 = work.query_one(first, &[]).await?.cell(0)?;
    let write = "INSERT INTO label (site, id, comment, revision, ruling, at, spam, abuse, sampled, fate) \
                 SELECT $1, $2 - k.place, k.comment, 1, $3, $4, k.spam, k.abuse, false, $5 \
                 FROM unnest($6::uuid[], $7::bool[], $8::bool[]) WITH ORDINALITY k (comment, spam, abuse, place)";
    let fate = Fate::Waiting.name();
    work.execute(write, &[&site, &first, &Uuid::nil(), &at.as_millis(), &fate, &comments, &spam, &abuse]).await?;
    learning::changed(work, &[site]).await?;
    Ok(labelled)
}

async fn export_articles(db: &Db, site: SiteId, after: Option<String>, most: usize) -> Result<Vec<Article>> {
    let read = "SELECT b FROM article WHERE site = $1 AND ($2::text IS NULL OR name COLLATE \"C\" > $2) \
                ORDER BY name COLLATE \"C\" LIMIT $3";
    let found = db.query(read, &[&number(site), &after, &i64::try_from(most).unwrap_or(i64::MAX)]).await?;
    found.iter().map(|row| codec::decode("an article", row.cell(0)?)).collect()
}

async fn export_comments(
    db: &Db,
    site: SiteId,
    after: Option<String>,
    most: usize,
) -> Result<(Vec<Exported>, Option<String>)> {
    let after = after.and_then(|after| after.parse().ok()).unwrap_or_else(Uuid::nil);
    let read = format!(
        "SELECT {}, l.spam, l.abuse FROM comment c LEFT JOIN LATERAL ( \
         SELECT spam, abuse FROM ( \
           (SELECT spam, abuse, 0 AS place FROM label WHERE site = c.site AND comment = c.uid AND undone_at IS NULL AND fate <> 'sanction' \
            ORDER BY id DESC LIMIT 1) \
           UNION ALL SELECT spam, abuse, 1 FROM imported WHERE site = c.site AND comment = c.uid) said ORDER BY place LIMIT 1) l ON true \
         WHERE c.site = $1 AND c.uid > $2 ORDER BY c.uid LIMIT $3",
        rows::COLUMNS
    );
    let found = db.query(&read, &[&number(site), &after, &i64::try_from(most).unwrap_or(i64::MAX)]).await?;
    let mut all = Vec::with_capacity(found.len());
    let mut last = None;
    for row in &found {
        let said = Said { spam: row.cell(13)?, abuse: row.cell(14)? };
        let row = Row::read(row)?;
        all.push(Exported {
            comment: row.content()?.comment,
            status: row.status,
            decided_by: row.decided_by,
            received_at: row.received_at,
            said,
        });
        last = Some(row.uid.to_string());
    }
    Ok((all, last))
}

#[async_trait]
impl Imports for PostgresStore {
    async fn import_begin(&self, key: ImportKey, at: Timestamp) -> Result<Import> {
        transact!(self, work => begin(&work, &key, at).await)
    }

    async fn import_batch(&self, mut all: ImportBatch) -> Result<Option<Import>> {
        let comments = std::mem::take(&mut all.comments);
        // The past has months of its own, which go with what is too old.
        self.months_of(comments.iter().map(|one| one.record.received_at)).await?;
        let comments = comments.into_iter().map(|one| Ok((Prepared::new(&self.shared, one.record)?, one.said)));
        let ready = Ready { comments: comments.collect::<Result<_>>()?, batch: all };
        transact!(self, work => async {
            work.batch(patience::AT_LENGTH).await?;
            batch(&work, &ready).await
        }.await)
    }

    async fn import_label(&self, import: i64, most: u32, at: Timestamp) -> Result<Labelled> {
        transact!(self, work => async {
            work.batch(patience::AT_LENGTH).await?;
            label(&work, import, most, at).await
        }.await)
    }

    async fn export_articles(&self, site: SiteId, after: Option<String>, most: usize) -> Result<Vec<Article>> {
        export_articles(&self.db().await?, site, after, most).await
    }

    async fn export_comments(
        &self,
        site: SiteId,
        after: Option<String>,
        most: usize,
    ) -> Result<(Vec<Exported>, Option<String>)> {
        export_comments(&self.db().await?, site, after, most).await
    }
}
