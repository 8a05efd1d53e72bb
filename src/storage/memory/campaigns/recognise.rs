//! When comments that share something are a campaign, a new one or more of one that is known.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::live::Live;
use super::{Campaigns, Mark, PENDING_MAX, Recognise, Slot};
use crate::domain::campaign::{Config, Key};
use crate::domain::time::Timestamp;
use crate::domain::trace::Trace;
use crate::storage::memory::recall::Recall;

/// Variants of one text that recognising it takes as fingerprints.
const VARIANTS: usize = 8;
/// Pairs of campaigns of which it is counted how many comments belong to both.
const BRIDGES_MAX: usize = 10_000;
/// Features (words and pairs of words) from which a text is not said alike by several people under one article: about eight words.
const SAID_ALIKE: u16 = 16;

/// What is enough for a campaign.
struct Need {
    comments: u32,
    authors: u32,
    articles: u32,
    /// Whether enough articles will do as well as enough authors; else there must be both.
    either: bool,
}

impl Need {
    const fn never() -> Self {
        Self { comments: u32::MAX, authors: u32::MAX, articles: u32::MAX, either: false }
    }

    const fn spread(&self, authors: u32, articles: u32) -> bool {
        let (authors, articles) = (authors >= self.authors, articles >= self.articles);
        if self.either { authors || articles } else { authors && articles }
    }
}

impl Campaigns {
    /// Whether what is known of a mark's past allows for a campaign, before anything is walked.
    pub(super) fn may_be_enough(&self, mark: &Mark<'_>) -> bool {
        let past = mark.past;
        let need = self.need(mark);
        let approved = past.approved_by_person * 2 > past.comments;
        let is_domain = matches!(mark.key, Key::Domain(_));
        let everybodys = mark.popular && (is_domain || mark.front_page);
        // A domain alone is a campaign only where what leads there is mostly unwanted: newspapers have many addresses, too.
        let welcome = is_domain && (past.rejected * 4 < past.comments || past.approved_by_person > 0);
        let spread = need.spread(past.authors.saturating_add(1), past.articles.saturating_add(1));
        past.comments.saturating_add(1) >= need.comments && spread && !approved && !everybodys && !welcome
    }

    fn need(&self, mark: &Mark<'_>) -> Need {
        let Config { min_comments, min_authors, min_articles, domain_comments, popular_factor, short_authors, .. } =
            self.config;
        let times = if mark.popular { popular_factor } else { 1 };
        let (authors, articles) = (min_authors.saturating_mul(times), min_articles.saturating_mul(times));
        let comments = min_comments.saturating_mul(times);
        match mark.key {
            // A few words, or a link and little else, are soon said by several people who answer the same article.
            Key::Text(text) if text.size < SAID_ALIKE => Need { comments, authors: 0, articles, either: false },
            Key::Text(_) => Need { comments, authors, articles, either: true },
            Key::Short(_) if short_authors == 0 => Need::never(),
            Key::Short(_) => Need { comments, authors: short_authors, articles, either: false },
            // Under one article, several people who name a thing talk about it.
            Key::Headline(_) | Key::Url(_) => Need { comments, authors: 0, articles, either: false },
            Key::Domain(_) => Need { comments: domain_comments, authors, articles, either: false },
        }
    }

    /// The earlier comments that carry a mark, when with this one they are enough for a campaign.
    pub(super) fn enough(&self, recall: &Recall, trace: &Trace, mark: &Mark<'_>, now: Timestamp) -> Option<Vec<u64>> {
        let need = self.need(mark);
        let members = recall.members(&mark.key, trace.comment, self.oldest(now));
        let (mut authors, mut articles) = (HashSet::from([trace.author]), HashSet::from([trace.article]));
        for noted in members.iter().filter_map(|number| recall.noted(*number)) {
            authors.insert(noted.author);
            articles.insert(noted.article);
        }
        let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let spread = need.spread(count(authors.len()), count(articles.len()));
        (count(members.len()).saturating_add(1) >= need.comments && spread).then_some(members)
    }

    /// Puts a fingerprint that is enough for a campaign, with its comments, into the one that most of them belong to, or into a new one.
    pub(super) fn extend(
        &mut self,
        recall: &mut Recall,
        target: Option<Slot>,
        mark: &Mark<'_>,
        members: &[u64],
        (now, named): (Timestamp, Recognise),
    ) -> Option<Slot> {
        let mut tally: BTreeMap<Slot, usize> = BTreeMap::new();
        for noted in members.iter().filter_map(|number| recall.noted(*number)) {
            let slot = self.resolved(noted.campaign);
            // Who belongs to what people let pass belongs there for something else.
            let slot = if self.shelters(slot, noted.site) { 0 } else { slot };
            *tally.entry(slot).or_default() += 1;
        }
        let in_none = tally.remove(&0).unwrap_or(0);
        let most = tally.iter().max_by_key(|(slot, count)| (**count, std::cmp::Reverse(**slot)));
        let most = most.filter(|(_, count)| **count * 2 >= members.len()).map(|(slot, _)| *slot);
        let slot = match (target, most) {
            // Most of what carries it must belong already: or one comment could pull a genuine link, and all who cite it, into a campaign.
            (Some(target), most) if most != Some(target) => return Some(target),
            (Some(slot), _) => slot,
            (None, Some(slot)) if self.is_open(slot) => slot,
            (None, Some(_)) => return None, // decided or closed: what is new with it is for people to say
            (None, None) if in_none + 1 < self.config.min_comments as usize => return None,
            (None, None) => self.found(now, named)?,
        };
        let variants = recall.variants(&mark.key, VARIANTS);
        for key in std::iter::once(mark.key).chain(variants) {
            self.attach(slot, key);
        }
        for number in members {
            let Some(noted) = recall.noted(*number) else { continue };
            let before = self.resolved(noted.campaign);
            let decided = noted.standing.is_some_and(|standing| standing.by_person);
            if before != 0 && (decided || !self.shelters(before, noted.site)) {
                continue;
            }
            if let Some(live) = self.live.get_mut(&before) {
                live.comments = live.comments.saturating_sub(1);
                live.stand(noted.standing, None);
            }
            if let Some(live) = self.live.get_mut(&slot).filter(|live| live.pending.len() < PENDING_MAX) {
                live.pending.push((noted.site, recall.name(*number)));
            }
            self.count(slot, noted);
            recall.enrol(*number, slot);
        }
        if let Some(live) = self.live.get_mut(&slot) {
            live.version += 1;
        }
        self.make_room(slot);
        Some(slot)
    }

    fn found(&mut self, now: Timestamp, named: Recognise) -> Option<Slot> {
        let mut name = [0; 10];
        match named {
            Recognise::Not => return None,
            Recognise::Named => getrandom::fill(&mut name).ok()?, // without a name it is none; the next comment tries again
            Recognise::As(given) => name = given,
        }
        let ms = u64::try_from(now.as_millis()).unwrap_or(0);
        let uid = uuid::Builder::from_unix_timestamp_millis(ms, &name).into_uuid();
        if self.by_uid.contains_key(&uid) {
            return None; // sighted again, it made that one before
        }
        let slot = self.next_slot();
        self.insert(slot, Live::new(uid, now));
        Some(slot)
    }

    /// Of two open campaigns that as many comments belong to as make one, and as are half of either, the younger becomes part of the older.
    pub(super) fn bridge(&mut self, target: Slot, matched: &BTreeSet<Slot>) {
        for other in matched.iter().copied().filter(|slot| *slot != target) {
            if !self.is_open(target) || !self.is_open(other) {
                continue;
            }
            if self.bridges.len() > BRIDGES_MAX {
                self.bridges.clear();
            }
            let size = |slot| self.live.get(&slot).map_or(u32::MAX, |live: &Live| live.comments);
            let half = size(target).min(size(other)) / 2;
            let bridge = self.bridges.entry((target.min(other), target.max(other))).or_default();
            *bridge += 1;
            if *bridge >= self.config.min_comments.max(half) {
                let name = self.live.get(&other).map(|live| live.uid);
                self.absorb(target, other);
                if let Some(live) = self.live.get_mut(&target) {
                    live.absorbs.extend(name);
                    live.version += 1;
                }
            }
        }
    }
}
