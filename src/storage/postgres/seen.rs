//! Comments as people see them, many at once: whether they wait, and what is known of the articles under which they stand.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio_postgres::Row as Cell;

use super::db::{Cells as _, Db, number};
use super::rows::{self, Row};
use crate::domain::comment::{Article, ExternalId};
use crate::domain::decision::{DecidedBy, Record, Status};
use crate::domain::history::Standing;
use crate::domain::people::Reach;
use crate::domain::reads::Glimpse;
use crate::domain::search::Words;
use crate::domain::site::SiteId;
use crate::domain::store::Result;
use crate::storage::codec::{self, Content};
use crate::storage::damage::left_out;

/// For a `SELECT` from `comment c`, to be read by [`Seen::read`].
pub(super) fn columns() -> String {
    format!("{}, EXISTS (SELECT 1 FROM queue w WHERE w.site = c.site AND w.comment = c.uid)", rows::COLUMNS)
}

/// How many columns [`columns`] are.
pub(super) const COLUMNS: usize = 14;

/// A comment, with whether it waits for a person.
pub(super) struct Seen {
    pub row: Row,
    pub content: Content,
    pub waits: bool,
}

impl Seen {
    /// Reads a row of [`columns`].
    pub(super) fn read(row: &Cell) -> Result<Self> {
        let waits = row.cell(COLUMNS - 1)?;
        let row = Row::read(row)?;
        let content = row.content()?;
        Ok(Self { row, content, waits })
    }

    /// What waits is held.
    pub(super) fn standing(&self) -> Standing {
        if self.row.status != Status::Held && self.waits {
            return Standing { status: Status::Held, by_person: false };
        }
        Standing { status: self.row.status, by_person: self.row.decided_by == DecidedBy::Person }
    }

    /// Its record, on the site of that name.
    pub(super) fn record(self, name: &Arc<str>) -> Record {
        rows::record_named(Arc::clone(name), &self.row, self.content, self.waits)
    }

    /// At a glance, on the site of that name.
    pub(super) fn glimpse(self, name: &Arc<str>) -> Glimpse {
        Glimpse::of(&self.record(name))
    }
}

/// What is known now of articles, and the names of sites, as far as they were asked for: one question for many comments.
#[derive(Default)]
pub(super) struct Known {
    names: HashMap<SiteId, Arc<str>>,
    articles: HashMap<(SiteId, ExternalId), Option<Article>>,
}

impl Known {
    /// Learns the sites and articles of these comments.
    pub(super) async fn learn<'a>(
        &mut self,
        db: &Db,
        of: impl IntoIterator<Item = (SiteId, &'a Content)> + Send,
    ) -> Result<()> {
        let mut wanted = HashSet::new();
        for (site, content) in of {
            let key = (site, content.comment.article.id.clone());
            if !self.articles.contains_key(&key) {
                wanted.insert(key);
            }
        }
        for (site, _) in &wanted {
            if !self.names.contains_key(site) {
                self.names.insert(*site, db.site_name(db, *site).await?);
            }
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let (sites, names): (Vec<i32>, Vec<&str>) =
            wanted.iter().map(|(site, id)| (number(*site), id.as_str())).unzip();
        let read = "SELECT a.site, a.name, a.b FROM unnest($1::integer[], $2::text[]) AS asked(site, name) \
                    JOIN article a ON a.site = asked.site AND a.name = asked.name";
        let mut found: HashMap<(SiteId, String), Article> = HashMap::new();
        for row in db.query(read, &[&sites, &names]).await? {
            let name: String = row.cell(1)?;
            if let Some(article) = left_out("articles", &name, codec::decode("an article", row.cell(2)?))? {
                found.insert((row.site(0)?, name), article);
            }
        }
        for (site, id) in wanted {
            let article = found.remove(&(site, id.as_str().to_owned()));
            self.articles.insert((site, id), article);
        }
        Ok(())
    }

    /// The same, of comments as people see them.
    pub(super) async fn learn_seen(&mut self, db: &Db, of: &[Seen]) -> Result<()> {
        let of: Vec<_> = of.iter().map(|seen| (seen.row.site, &seen.content)).collect();
        self.learn(db, of).await
    }

    /// What is known of the article of a comment that was learned of.
    pub(super) fn article(&self, site: SiteId, content: &Content) -> Option<&Article> {
        self.articles.get(&(site, content.comment.article.id.clone())).and_then(Option::as_ref)
    }

    /// The section in which it stands.
    pub(super) fn section<'a>(&'a self, site: SiteId, content: &'a Content) -> Option<&'a str> {
        let own = content.comment.article.section.as_deref();
        own.or_else(|| self.article(site, content).and_then(|article| article.section.as_deref()))
    }

    /// Its words, with those of its article's title.
    pub(super) fn words(&self, site: SiteId, content: &Content) -> Words {
        Words::of(&content.comment, self.article(site, content).and_then(|article| article.title.as_deref()))
    }

    /// The name of the site of a comment that was learned of.
    pub(super) fn name(&self, site: SiteId) -> Arc<str> {
        self.names.get(&site).map_or_else(|| Arc::from(""), Arc::clone)
    }

    /// Whether it lies within that reach.
    pub(super) fn lies_within(&self, site: SiteId, content: &Content, reach: &Reach) -> bool {
        reach.is_all() || reach.covers(&self.name(site), self.section(site, content), content.lang.as_deref())
    }
}
