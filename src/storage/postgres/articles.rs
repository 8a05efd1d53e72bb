//! What is known of articles.

use super::db::{Cells as _, Db, number};
use super::work::Work;
use super::{queue, sites};
use crate::domain::comment::{Article, ExternalId};
use crate::domain::site::SiteId;
use crate::domain::store::Result;
use crate::domain::time::Timestamp;
use crate::storage::codec;
use crate::storage::waiting::article_key;

pub(super) async fn find(db: &Db, site: SiteId, id: &ExternalId) -> Result<Option<Article>> {
    let read = "SELECT b FROM article WHERE site = $1 AND name = $2";
    let found = db.query_opt(read, &[&number(site), &id.as_str()]).await?;
    found.map(|row| codec::decode("an article", row.cell(0)?)).transpose()
}

/// Answers what is known now, and whether it is new. Comments that wait move with the article to its section, and are found by its title.
pub(super) async fn put(work: &Work, site: SiteId, article: &Article, at: Timestamp) -> Result<(Article, bool)> {
    write(work, site, article, Article::updated_with, at).await
}

/// What a file of the past says of one: only what is not known is taken from it.
pub(super) async fn fill(work: &Work, site: SiteId, article: &Article, at: Timestamp) -> Result<()> {
    write(work, site, article, |known, of_the_past| of_the_past.updated_with(known), at).await?;
    Ok(())
}

async fn write(
    work: &Work,
    site: SiteId,
    article: &Article,
    together: fn(&Article, &Article) -> Article,
    at: Timestamp,
) -> Result<(Article, bool)> {
    sites::hold(work, site).await?;
    // Two at once may each bring what the other lacks. Whoever puts a comment into the queue holds this lock shared (`queue`).
    let key = work.hasher.article(site, article.id.as_str()).cast_signed();
    work.execute("SELECT pg_advisory_xact_lock($1)", &[&key]).await?;
    let known = find(work, site, &article.id).await?;
    let updated = known.as_ref().map_or_else(|| article.clone(), |known| together(known, article));
    let new = known.is_none();
    if known.as_ref() != Some(&updated) {
        let write = "INSERT INTO article (site, name, updated_at, b) VALUES ($1, $2, $3, $4) \
                     ON CONFLICT (site, name) DO UPDATE SET updated_at = excluded.updated_at, b = excluded.b";
        let bytes = codec::encode(&updated)?;
        work.execute(write, &[&number(site), &article.id.as_str(), &at.as_millis(), &bytes]).await?;
        let (section, title) = known.map(|known| (known.section, known.title)).unwrap_or_default();
        if section != updated.section {
            queue::follow_article(work, site, &updated).await?;
        }
        if title != updated.title {
            // What waits is found by its article's title; what does not, by the title of then.
            let due = "INSERT INTO search_due (site, comment) SELECT site, comment FROM queue WHERE site = $1 AND article = $2";
            work.execute(due, &[&number(site), &article_key(work, article.id.as_str())]).await?;
        }
    }
    Ok((updated, new))
}
