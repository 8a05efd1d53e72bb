//! What is known of articles: few rows beside the comments, so an ordinary index serves.

use rusqlite::{Connection, OptionalExtension, params};

use super::queue;
use super::writer::Work;
use crate::domain::comment::{Article, ExternalId};
use crate::domain::site::SiteId;
use crate::domain::store::Result;
use crate::domain::time::Timestamp;
use crate::storage::codec;

pub(super) fn find(connection: &Connection, site: SiteId, id: &ExternalId) -> Result<Option<Article>> {
    let mut query = connection.prepare_cached("SELECT b FROM article WHERE site = ?1 AND name = ?2")?;
    let bytes: Option<Vec<u8>> = query.query_row(params![site.0, id.as_str()], |row| row.get(0)).optional()?;
    bytes.map(|bytes| codec::decode("an article", &bytes)).transpose()
}

/// Answers what is known now, and whether it is new. Comments that wait move with the article to its section, and are found by its title.
pub(super) fn put(work: &Work<'_>, site: SiteId, article: &Article, at: Timestamp) -> Result<(Article, bool)> {
    write(work, site, article, Article::updated_with, at)
}

/// What a file of the past says of one: only what is not known is taken from it.
pub(super) fn fill(work: &Work<'_>, site: SiteId, article: &Article, at: Timestamp) -> Result<()> {
    write(work, site, article, |known, of_the_past| of_the_past.updated_with(known), at)?;
    Ok(())
}

fn write(
    work: &Work<'_>,
    site: SiteId,
    article: &Article,
    together: fn(&Article, &Article) -> Article,
    at: Timestamp,
) -> Result<(Article, bool)> {
    let connection = work.connection;
    let known = find(connection, site, &article.id)?;
    let updated = known.as_ref().map_or_else(|| article.clone(), |known| together(known, article));
    let new = known.is_none();
    if known.as_ref() != Some(&updated) {
        let write = "INSERT INTO article (site, name, updated_at, b) VALUES (?1, ?2, ?3, ?4) \
                     ON CONFLICT (site, name) DO UPDATE SET updated_at = excluded.updated_at, b = excluded.b";
        let bytes = codec::encode(&updated)?;
        connection.prepare_cached(write)?.execute(params![site.0, article.id.as_str(), at.as_millis(), bytes])?;
        let (section, title) = known.map(|known| (known.section, known.title)).unwrap_or_default();
        if section != updated.section {
            queue::follow_article(work, site, &updated)?;
        }
        if title != updated.title {
            queue::retitle(work, site, &updated)?;
        }
    }
    Ok((updated, new))
}
