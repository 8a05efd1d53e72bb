//! Counts by everything that the page offers a choice of.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::super::campaigns;
use super::super::shared::Shared;
use super::kept::{Kept, NONE};
use super::orders::{Alike, Rows};
use super::sieve::of;
use crate::domain::service::queues::Queues;
use crate::domain::store::{QueuePage, QueueSum, Result};
use crate::domain::time::Timestamp;
use crate::storage::waiting::{category_name, kind_of};

/// See the module.
pub(super) struct Tally {
    /// All conditions hold.
    pub held: u64,
    /// Since when the oldest of them waits, in milliseconds.
    oldest: Option<i64>,
    site: Vec<u64>,
    category: [u64; 4],
    signals: Vec<u64>,
    section: Vec<u64>,
    lang: Vec<u64>,
    known: [u64; 2],
    assigned: Vec<u64>,
    campaign: Vec<u64>,
    queue: Vec<Option<QueueSum>>,
}

impl Tally {
    pub(super) fn new(kept: &Kept, queues: &Queues) -> Self {
        Self {
            held: 0,
            oldest: None,
            site: vec![0; kept.sites().count()],
            category: [0; 4],
            signals: vec![0; kept.signals.len()],
            section: vec![0; kept.sections.len()],
            lang: vec![0; kept.langs.len()],
            known: [0; 2],
            assigned: vec![0; kept.people.len()],
            campaign: vec![0; kept.campaigns().len()],
            queue: vec![None; queues.len()],
        }
    }

    /// Counts rows wherever all conditions hold but the one that is counted by.
    pub(super) fn add(&mut self, alike: &Alike, claimed: u32, queue: Option<usize>, missed: u16, rows: Rows) {
        if missed == of::OTHER {
            return;
        }
        if missed == 0 {
            self.held += rows.count;
            self.oldest = Some(self.oldest.map_or(rows.since, |oldest| oldest.min(rows.since)));
        }
        let counts = |condition: u16| if missed & !condition == 0 { rows.count } else { 0 };
        self.site[alike.site as usize] += counts(of::SITE);
        self.category[usize::from(alike.category & 3)] += counts(of::CATEGORY);
        self.signals[alike.signals as usize] += counts(of::SIGNAL);
        self.section[alike.section as usize] += counts(of::SECTION);
        self.lang[alike.lang as usize] += counts(of::LANG);
        self.known[usize::from(alike.author_known)] += counts(of::AUTHOR_KIND);
        self.assigned[claimed as usize] += counts(of::ASSIGNED);
        self.campaign[alike.campaign as usize] += counts(of::CAMPAIGN);
        if let Some(queue) = queue.filter(|_| counts(of::QUEUE) > 0) {
            QueueSum::add(&mut self.queue[queue], rows.count, Timestamp::from_millis(rows.since));
        }
    }

    /// One of the rows that were counted as free is somebody's.
    pub(super) fn claim(&mut self, by: u32, missed: u16) {
        if missed & !of::ASSIGNED == 0 {
            self.assigned[NONE as usize] -= 1;
            self.assigned[by as usize] += 1;
        }
    }

    pub(super) fn named(
        self,
        connection: &Connection,
        shared: &Shared,
        kept: &Kept,
        queues: &Queues,
    ) -> Result<QueuePage> {
        let mut by_site = BTreeMap::new();
        for (site, count) in kept.sites().zip(self.site).filter(|(_, count)| *count > 0) {
            by_site.insert(shared.site_name(connection, site)?.to_string(), count);
        }
        let mut by_signal = BTreeMap::new();
        for (set, count) in kept.signals.names().zip(&self.signals).filter(|(_, count)| **count > 0) {
            for signal in set.split_ascii_whitespace() {
                add_to(&mut by_signal, signal, *count);
            }
        }
        let mut by_assigned = counted(kept.people.names(), &self.assigned);
        if self.assigned[NONE as usize] > 0 {
            by_assigned.insert("none".to_owned(), self.assigned[NONE as usize]);
        }
        let categories = (0_i16..).zip(self.category).filter(|(_, count)| *count > 0);
        let kinds = [false, true].into_iter().zip(self.known).filter(|(_, count)| *count > 0);
        let campaigns = kept.campaigns().iter().copied().zip(self.campaign).skip(1);
        let mut campaigns: Vec<(i64, u64)> = campaigns.filter(|(_, count)| *count > 0).collect();
        campaigns.sort_unstable_by_key(|(number, count)| (std::cmp::Reverse(*count), *number));
        let mut by_campaign = BTreeMap::new();
        for (number, count) in campaigns.into_iter().take(QueuePage::CAMPAIGNS) {
            if let Some(uid) = campaigns::uid_of(connection, number)? {
                by_campaign.insert(uid, count);
            }
        }
        Ok(QueuePage {
            held: self.held,
            oldest: self.oldest.map(Timestamp::from_millis),
            by_site,
            by_category: categories.map(|(code, count)| (category_name(code).to_owned(), count)).collect(),
            by_signal,
            by_section: counted(kept.sections.names(), &self.section),
            by_lang: counted(kept.langs.names(), &self.lang),
            by_author_kind: kinds.map(|(known, count)| (kind_of(known), count)).collect(),
            by_assigned,
            by_campaign,
            by_queue: queues
                .iter()
                .zip(self.queue)
                .filter_map(|(queue, sum)| Some((queue.name.clone(), sum?)))
                .collect(),
            ..QueuePage::default()
        })
    }
}

/// What was counted, by name; what has none (the first) is left out.
fn counted<'a>(names: impl Iterator<Item = &'a str>, counts: &[u64]) -> BTreeMap<String, u64> {
    let named = names.zip(counts).skip(1).filter(|(_, count)| **count > 0);
    named.map(|(name, count)| (name.to_owned(), *count)).collect()
}

fn add_to(counts: &mut BTreeMap<String, u64>, name: &str, count: u64) {
    match counts.get_mut(name) {
        Some(known) => *known += count,
        None => drop(counts.insert(name.to_owned(), count)),
    }
}
