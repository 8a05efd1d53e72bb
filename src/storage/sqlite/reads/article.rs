//! What became of the comments under an article, in numbers, and what lies behind one of them.

use rusqlite::{Connection, params};
use uuid::Uuid;

use super::super::index::Chain;
use super::super::lists::Walk;
use super::super::rows;
use super::super::shared::Shared;
use super::super::{campaigns, rulings};
use super::standing;
use crate::domain::comment::ExternalId;
use crate::domain::people::Reach;
use crate::domain::reads::{ArticleNumbers, Behind, EarlierText};
use crate::domain::site::SiteId;
use crate::domain::store::Result;
use crate::storage::codec;

/// An article's rows that are counted.
const COUNTED: usize = 10_000;
/// The same where each has to be read to know whether it lies within the reach.
const COUNTED_READ: usize = 2_000;

pub(super) fn numbers(
    connection: &Connection,
    shared: &Shared,
    site: SiteId,
    article: &ExternalId,
    reach: &Reach,
) -> Result<ArticleNumbers> {
    let mut numbers = ArticleNumbers::default();
    if reach.has_whole_sites() && !reach.covers_site(&shared.site_name(connection, site)?) {
        return Ok(numbers);
    }
    let key = shared.hasher.article(site, article.as_str());
    let most = if reach.has_whole_sites() { COUNTED } else { COUNTED_READ };
    let mut walk = Walk::start(connection, shared, Chain::Article, key, u32::MAX)?;
    let mut looked_at = 0;
    while walk.peek() > 0 {
        if looked_at == most {
            numbers.goes_further_back = true;
            break;
        }
        let Some(row) = walk.step(connection)? else { continue };
        looked_at += 1;
        if row.status.is_none() || row.site != site || Chain::Article.key(row.site, &row.keys) != key {
            continue;
        }
        if !reach.has_whole_sites() && !rulings::place(connection, shared, &row)?.lies_within(reach) {
            continue;
        }
        numbers.counts.add(standing(connection, &row)?);
    }
    Ok(numbers)
}

pub(super) fn behind(connection: &Connection, shared: &Shared, uid: Uuid, reach: &Reach) -> Result<Option<Behind>> {
    let Some(row) = rows::by_uid(connection, shared, uid)? else { return Ok(None) };
    if !rulings::place(connection, shared, &row)?.lies_within(reach) {
        return Ok(None);
    }
    let read = "SELECT revision, b FROM revision WHERE comment = ?1 ORDER BY revision DESC LIMIT ?2";
    let mut query = connection.prepare_cached(read)?;
    let mut found = query.query(params![row.id, Behind::REVISIONS])?;
    let mut earlier = Vec::new();
    while let Some(kept) = found.next()? {
        let body = codec::decode_sent("an earlier revision", &kept.get::<_, Vec<u8>>(1)?)?.body;
        earlier.push(EarlierText { revision: kept.get(0)?, body });
    }
    earlier.reverse();
    Ok(Some(Behind { campaign: campaigns::of_comment(connection, row.id)?, earlier }))
}
