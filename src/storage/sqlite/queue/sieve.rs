//! The conditions of a filter, with its names looked up once.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};
use uuid::Uuid;

use super::super::shared::Shared;
use super::super::{campaigns, reports, rows};
use super::kept::{Entry, Kept, NONE};
use super::orders::Alike;
use crate::domain::site::SiteId;
use crate::domain::store::{AuthorKind, QueueFilter, Result};
use crate::storage::waiting::{article_key, author_key, category_code};

/// Stands for a name that nothing in the queue has.
const UNKNOWN: u32 = u32::MAX;

/// Conditions of a filter that the page offers a choice of; and all the others.
pub(super) mod of {
    pub(in super::super) const SITE: u16 = 1;
    pub(in super::super) const CATEGORY: u16 = 1 << 1;
    pub(in super::super) const SIGNAL: u16 = 1 << 2;
    pub(in super::super) const SECTION: u16 = 1 << 3;
    pub(in super::super) const LANG: u16 = 1 << 4;
    pub(in super::super) const AUTHOR_KIND: u16 = 1 << 5;
    pub(in super::super) const ASSIGNED: u16 = 1 << 6;
    pub(in super::super) const CAMPAIGN: u16 = 1 << 7;
    pub(in super::super) const OTHER: u16 = 1 << 8;
    pub(in super::super) const QUEUE: u16 = 1 << 9;
}

/// A filter, with its names looked up.
pub(super) struct Sieve<'a> {
    kept: &'a Kept,
    filter: &'a QueueFilter,
    sites: Option<Vec<bool>>,
    /// Names of sites, where the reach depends on them, without those that are gone; and what it covers, as it is met.
    names: Option<Vec<Option<Arc<str>>>>,
    covered: HashMap<(u32, u32, u32), bool>,
    category: Option<i16>,
    /// Which of the sets of signals hold the one asked for.
    signals: Option<Vec<bool>>,
    section: Option<u32>,
    lang: Option<u32>,
    known: Option<bool>,
    assigned: Option<u32>,
    article: Option<i64>,
    author: Option<i64>,
    campaign: Option<u32>,
    /// The place of the queue that is asked for; none of those that there are, when there is none of its name.
    queue: Option<Option<usize>>,
    reported: Option<HashSet<u32>>,
    answers: Option<HashSet<u32>>,
    /// Rows that are asked for by name.
    rows: Option<HashSet<u32>>,
}

impl<'a> Sieve<'a> {
    pub(super) fn new(
        connection: &Connection,
        shared: &Shared,
        kept: &'a Kept,
        filter: &'a QueueFilter,
        answers: Option<HashSet<u32>>,
    ) -> Result<Self> {
        let named = |slot: Option<u32>| slot.unwrap_or(UNKNOWN);
        let sites = if filter.sites.is_empty() { None } else { Some(site_ids(connection, &filter.sites)?) };
        let names = || kept.sites().map(|site| shared.site_name_if_any(connection, site)).collect::<Result<_>>();
        Ok(Self {
            kept,
            filter,
            sites: sites.map(|sites| kept.sites().map(|site| sites.contains(&site)).collect()),
            names: if filter.reach.is_all() { None } else { Some(names()?) },
            covered: HashMap::new(),
            category: filter.category.map(|category| category_code(Some(category))),
            signals: filter.signal.as_deref().map(|id| kept.signal_sets_with(id)),
            section: filter.section.as_deref().map(|section| named(kept.sections.find(section))),
            lang: filter.lang.as_deref().map(|lang| named(kept.langs.find(lang))),
            known: filter.author_kind.map(|kind| kind == AuthorKind::Known),
            assigned: filter
                .assigned
                .as_deref()
                .map(|by| if by == "none" { NONE } else { named(kept.people.find(by)) }),
            article: filter.article.as_deref().map(|id| article_key(shared, id)),
            author: filter.author.as_deref().map(|id| author_key(shared, id)),
            campaign: match filter.campaign {
                None => None,
                Some(uid) => Some(named(kept.campaign(campaigns::number_of(connection, uid)?))),
            },
            queue: filter.queue.as_deref().map(|name| filter.queues.find(name)),
            reported: filter.reported.then(|| reports::waiting(connection)).transpose()?,
            answers,
            rows: filter.uids.as_deref().map(|uids| rows_of(connection, shared, uids)).transpose()?,
        })
    }

    /// Whether nothing is asked that rows which are alike can differ in.
    pub(super) fn sees_alike(&self) -> bool {
        self.answers.is_none()
            && self.reported.is_none()
            && self.rows.is_none()
            && self.article.is_none()
            && self.author.is_none()
            && self.assigned.is_none()
    }

    /// The conditions that do not hold for a row.
    pub(super) fn missed(&mut self, entry: &Entry, claimed: u32, queue: Option<usize>) -> u16 {
        let other = self.answers.as_ref().is_none_or(|answers| answers.contains(&entry.id))
            && self.reported.as_ref().is_none_or(|reported| reported.contains(&entry.id))
            && self.rows.as_ref().is_none_or(|rows| rows.contains(&entry.id))
            && self.article.is_none_or(|article| article == entry.article)
            && self.author.is_none_or(|author| author == entry.author);
        if other { self.missed_of(&entry.into(), claimed, queue) } else { of::OTHER }
    }

    /// Those that do not hold for all rows that are alike, if [`Self::sees_alike`].
    pub(super) fn missed_of(&mut self, alike: &Alike, claimed: u32, queue: Option<usize>) -> u16 {
        if !self.is_within_reach(alike) {
            return of::OTHER;
        }
        let is = |holds: bool, condition: u16| if holds { 0 } else { condition };
        let at = |list: &Option<Vec<bool>>, slot: u32| list.as_ref().is_none_or(|list| list[slot as usize]);
        is(at(&self.sites, alike.site), of::SITE)
            | is(self.category.is_none_or(|category| category == i16::from(alike.category)), of::CATEGORY)
            | is(at(&self.signals, alike.signals), of::SIGNAL)
            | is(self.section.is_none_or(|section| section == alike.section), of::SECTION)
            | is(self.lang.is_none_or(|lang| lang == alike.lang), of::LANG)
            | is(self.known.is_none_or(|known| known == alike.author_known), of::AUTHOR_KIND)
            | is(self.assigned.is_none_or(|by| by == claimed), of::ASSIGNED)
            | is(self.campaign.is_none_or(|campaign| campaign == alike.campaign), of::CAMPAIGN)
            | is(self.queue.is_none_or(|asked| asked.is_some() && asked == queue), of::QUEUE)
    }

    fn is_within_reach(&mut self, alike: &Alike) -> bool {
        let Some(names) = &self.names else { return true };
        let kept = self.kept;
        let reach = &self.filter.reach;
        *self.covered.entry((alike.site, alike.section, alike.lang)).or_insert_with(|| {
            let name = names.get(alike.site as usize).and_then(Option::as_ref);
            name.is_some_and(|name| reach.covers(name, kept.sections.name(alike.section), kept.langs.name(alike.lang)))
        })
    }
}

/// The rows of comments by name; names that are none are left out.
fn rows_of(connection: &Connection, shared: &Shared, uids: &[Uuid]) -> Result<HashSet<u32>> {
    let found = uids.iter().filter_map(|uid| rows::by_uid(connection, shared, *uid).transpose());
    found.map(|row| Ok(row?.id)).collect()
}

fn site_ids(connection: &Connection, names: &[String]) -> Result<HashSet<SiteId>> {
    let mut query = connection.prepare_cached("SELECT id FROM site WHERE name = ?1")?;
    let mut ids = HashSet::new();
    for name in names {
        ids.extend(query.query_row([name], |row| row.get(0)).optional()?.map(SiteId));
    }
    Ok(ids)
}
