//! What became of the comments under an article, in numbers, and what lies behind one of them.

use uuid::Uuid;

use super::super::campaigns;
use super::super::db::{Cells as _, Db, number};
use super::super::seen::{self, Known, Seen};
use super::{By, within};
use crate::domain::comment::ExternalId;
use crate::domain::people::Reach;
use crate::domain::reads::{ArticleNumbers, Behind, EarlierText};
use crate::domain::site::SiteId;
use crate::domain::store::Result;
use crate::domain::time::Timestamp;
use crate::storage::codec;

/// An article's comments that are counted.
const COUNTED: i64 = 10_000;
/// The same where each has to be read to know whether it lies within the reach.
const COUNTED_READ: usize = 2_000;

pub(super) async fn numbers(db: &Db, site: SiteId, article: &ExternalId, reach: &Reach) -> Result<ArticleNumbers> {
    let mut numbers = ArticleNumbers::default();
    if !reach.covers_site(&*db.site_name(db, site).await?) {
        return Ok(numbers);
    }
    let by = By::Article(db.hasher.article(site, article.as_str()));
    if reach.has_whole_sites() {
        let counted = super::numbers(db, site, by, None, COUNTED, Timestamp::EPOCH).await?;
        return Ok(ArticleNumbers { counts: counted.all, goes_further_back: counted.goes_further_back });
    }
    let read = format!(
        "SELECT {} FROM comment c WHERE c.site = $1 AND {} ORDER BY c.uid DESC LIMIT {}",
        seen::columns(),
        by.condition(),
        COUNTED_READ + 1
    );
    let found = db.query(&read, &[&number(site), &by.key()]).await?;
    numbers.goes_further_back = found.len() > COUNTED_READ;
    let latest = found.iter().take(COUNTED_READ).map(Seen::read).collect::<Result<Vec<_>>>()?;
    let mut known = Known::default();
    known.learn_seen(db, &latest).await?;
    for seen in latest.iter().filter(|seen| known.lies_within(site, &seen.content, reach)) {
        numbers.counts.add(seen.standing());
    }
    Ok(numbers)
}

pub(super) async fn behind(db: &Db, uid: Uuid, reach: &Reach) -> Result<Option<Behind>> {
    let Some((seen, _)) = within(db, uid, reach).await? else { return Ok(None) };
    let site = seen.row.site;
    let read = "SELECT revision, b FROM revision WHERE site = $1 AND comment = $2 ORDER BY revision DESC LIMIT $3";
    let most = i64::from(Behind::REVISIONS);
    let mut earlier = Vec::new();
    for kept in db.query(read, &[&number(site), &uid, &most]).await? {
        let body = codec::decode_sent("an earlier revision", kept.cell(1)?)?.body;
        earlier.push(EarlierText { revision: kept.natural(0)?, body });
    }
    earlier.reverse();
    Ok(Some(Behind { campaign: campaigns::of_comment(db, site, uid).await?, earlier }))
}
