//! What is known of articles.

use super::db::{Cells as _, Db, number};
use super::queue;
use super::work::Work;
use crate::domain::comment::{Article, ExternalId};
use crate::domain::site::SiteId;
use crate::domain::store::Result;
use crate::domain::time::Timestamp;
use crate::storage::codec;

/// The class of locks on articles, whose second number is made from the article's key. A comment that waits and has no section of its own is
/// in that of its article: whoever puts one into the queue holds its article's lock shared, whoever changes the article holds it alone.
pub(super) const LOCKS: i32 = 0x6172_7469;

/// The second number of an article's lock.
pub(super) fn lock_number(key: i64) -> i32 {
    let [a, b, c, d, ..] = key.to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}

pub(super) async fn find(db: &Db, site: SiteId, id: &ExternalId) -> Result<Option<Article>> {
    let read = "SELECT b FROM article WHERE site = $1 AND name = $2";
    let found = db.query_opt(read, &[&number(site), &id.as_str()]).await?;
    found.map(|row| codec::decode("an article", row.cell(0)?)).transpose()
}

/// Answers what is known now, and whether it is new. Comments that wait move with the article to its section.
pub(super) async fn put(work: &Work, site: SiteId, article: &Article, at: Timestamp) -> Result<(Article, bool)> {
    let key = work.hasher.article(site, article.id.as_str()).cast_signed();
    work.execute("SELECT pg_advisory_xact_lock($1, $2)", &[&LOCKS, &lock_number(key)]).await?;
    let known = find(work, site, &article.id).await?;
    let updated = known.as_ref().map_or_else(|| article.clone(), |known| known.updated_with(article));
    let new = known.is_none();
    if known.as_ref() != Some(&updated) {
        let write = "INSERT INTO article (site, name, updated_at, b) VALUES ($1, $2, $3, $4) \
                     ON CONFLICT (site, name) DO UPDATE SET updated_at = excluded.updated_at, b = excluded.b";
        let bytes = codec::encode(&updated)?;
        work.execute(write, &[&number(site), &article.id.as_str(), &at.as_millis(), &bytes]).await?;
        if known.and_then(|known| known.section) != updated.section {
            queue::follow_article(work, site, &updated).await?;
        }
    }
    Ok((updated, new))
}
