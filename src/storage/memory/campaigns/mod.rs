//! Campaigns as memory knows them: which fingerprint belongs to which, and how large each is. Plain data under the history's lock; no I/O, no
//! clock. Bounded: so many campaigns, so many fingerprints and distinct authors of each.
//!
//! Whether a comment joins is a few look-ups by hash. Only where something comes for the third time are its earlier appearances walked,
//! to see whether they are enough.

mod live;
mod mark;
mod recognise;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use uuid::Uuid;

use self::live::{DISTINCT_MAX, Live};
pub(super) use self::mark::Shown;
use self::mark::{Mark, name_of, text_of};
use super::likeness::{are_alike, band_keys};
use super::recall::{Noted, Recall};
use super::ring::ByHash;
use crate::domain::campaign::{
    CampaignPast, CampaignState, Config, KeptCampaign, Key, Kind, LazyStances, Membership, News, Stances, Turn,
};
use crate::domain::decision::Action;
use crate::domain::history::{LinkPast, PastOf, Sightings, Standing};
use crate::domain::known::Known;
use crate::domain::signal::repeated_link::POPULAR;
use crate::domain::site::SiteId;
use crate::domain::store::Remembered;
use crate::domain::time::Timestamp;
use crate::domain::trace::{LinkTrace, Trace};

/// Fingerprints of one campaign at most.
const KEYS_MAX: usize = 32;
/// Campaigns that share one band of a sketch and are compared.
const SHARED_BAND_MAX: usize = 16;
/// Marks of one comment whose earlier appearances are walked at most: it may carry eighty.
const WALKED: usize = 8;
/// Earlier comments that one campaign keeps for the next commit at most.
const PENDING_MAX: usize = 2_048;

/// A campaign's place in memory; zero stands for none.
pub(super) type Slot = u32;

/// What becomes of a comment that belongs to no campaign yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recognise {
    /// It may join one that is known.
    Not,
    /// One may be recognised with it, and has a name of its own.
    Named,
    /// One may be recognised with it, and has the same name wherever this comment is the one to make it.
    As([u8; 10]),
}

/// Every campaign that later comments may join.
pub(super) struct Campaigns {
    config: Config,
    live: BTreeMap<Slot, Live>,
    by_uid: HashMap<Uuid, Slot>,
    /// Campaigns that became part of another: what joined them is in that one.
    merged: HashMap<Slot, Slot>,
    exact: ByHash<Slot>,
    bands: ByHash<Vec<Slot>>,
    /// Which version of a campaign a comment on its way carries to the store.
    carried: ByHash<(Slot, u32)>,
    /// Comments that belong to either of two.
    bridges: HashMap<(Slot, Slot), u32>,
    popular: HashSet<u64>,
    last: Slot,
}

impl Campaigns {
    pub(super) fn new(config: Config) -> Self {
        Self {
            config,
            live: BTreeMap::new(),
            by_uid: HashMap::new(),
            merged: HashMap::new(),
            exact: ByHash::default(),
            bands: ByHash::default(),
            carried: ByHash::default(),
            bridges: HashMap::new(),
            popular: POPULAR.iter().map(|domain| LinkTrace::of_host(domain).domain).collect(),
            last: 0,
        }
    }

    pub(super) const fn config(&self) -> &Config {
        &self.config
    }

    /// Lets a comment that was just noted join, or recognises a campaign with it. Answers what it joined, as that was without it.
    pub(super) fn join(
        &mut self,
        recall: &mut Recall,
        trace: &Trace,
        stances: &LazyStances<'_>,
        past: Shown<'_>,
        now: Timestamp,
        recognise: Recognise,
    ) -> Option<CampaignPast> {
        if !self.config.enabled || trace.staff {
            return None;
        }
        let number = recall.number_of(trace.comment)?;
        let marks: Vec<_> = self.marks(trace, past).into_iter().map(|mark| (self.find(&mark.key, now), mark)).collect();
        let enough = self.config.min_comments.min(self.config.domain_comments);
        if marks.iter().all(|(slot, mark)| slot.is_none() && mark.past.comments.saturating_add(1) < enough) {
            return None; // the usual case: nothing of it was seen before
        }
        let stances = stances();
        let (matched, mut fresh): (Vec<_>, Vec<_>) =
            marks.into_iter().filter(|(_, mark)| mark.counts(&stances)).partition(|(slot, _)| slot.is_some());
        fresh.retain(|(_, mark)| mark.makes_one(&stances));
        let is_let_pass = |(slot, mark): &(Option<Slot>, Mark<'_>)| {
            mark.key.kind() != Kind::Link && slot.is_some_and(|slot| self.shelters(slot, trace.site))
        };
        if matched.iter().any(is_let_pass) {
            // The same few words, told by their letters, are nothing else than what people let pass.
            fresh.retain(|(_, mark)| !matches!(mark.key, Key::Short(_)));
        }
        let matched: BTreeSet<Slot> = matched.into_iter().filter_map(|(slot, _)| slot).collect();
        let mut target = matched.iter().copied().min_by_key(|slot| (self.precedence(*slot, trace.site), *slot));
        let shelter = target.filter(|slot| self.shelters(*slot, trace.site));
        if shelter.is_some() {
            target = None; // what else it carries is judged as ever: or what people let pass would carry anything along
        }
        if recognise != Recognise::Not && target.is_none_or(|slot| self.is_open(slot)) {
            let likely: Vec<Mark<'_>> =
                fresh.into_iter().map(|(_, mark)| mark).filter(|mark| self.may_be_enough(mark)).take(WALKED).collect();
            for mark in likely {
                if let Some(members) = self.enough(recall, trace, &mark, now) {
                    target = self.extend(recall, target, &mark, &members, (now, recognise));
                }
            }
        }
        // Nobody joins what people found to be none.
        let is_one =
            |slot: &Slot| self.live.get(slot).is_some_and(|live| live.seen_from(trace.site).0 != CampaignState::Closed);
        let target = target.or(shelter.filter(is_one));
        let target = target?;
        if recognise != Recognise::Not {
            self.bridge(target, &matched);
        }
        let told = self.live.get(&target)?.past(trace.site);
        if let Some(noted) = recall.noted(number) {
            self.count(target, noted);
        }
        recall.enrol(number, target);
        Some(told)
    }

    /// The campaign that a comment would join.
    pub(super) fn about(
        &self,
        recall: &Recall,
        trace: &Trace,
        past: Shown<'_>,
        now: Timestamp,
    ) -> Option<CampaignPast> {
        if !self.config.enabled || trace.staff {
            return None;
        }
        let marks = self.marks(trace, past);
        let stances = Stances::default();
        let counts = marks.iter().filter(|mark| mark.counts(&stances));
        let found = counts.filter_map(|mark| self.find(&mark.key, now));
        let live = self.live.get(&found.min_by_key(|slot| (self.precedence(*slot, trace.site), *slot))?)?;
        let mut told = live.past(trace.site);
        if told.state == CampaignState::Closed {
            return None;
        }
        if self.slot_of(recall, trace.comment).is_some_and(|slot| self.by_uid.get(&live.uid) == Some(&slot)) {
            told.comments = told.comments.saturating_sub(1); // it is one of them itself
        }
        Some(told)
    }

    /// Whether people approved what a comment shares with a campaign: then its coming again is no news.
    pub(super) fn excuse(&self, trace: &Trace, past: &mut PastOf, now: Timestamp) {
        let approved = |key: &Key| {
            let live = self.find(key, now).and_then(|slot| self.live.get(&slot));
            live.is_some_and(|live| live.seen_from(trace.site).1 == Some(Action::Approve))
        };
        if let (Some(text), Known::Known(seen)) = (&trace.text, &mut past.text)
            && (approved(&Key::Text(*text)) || trace.short.is_some_and(|short| approved(&Key::Short(short))))
        {
            *seen = Sightings::default();
        }
        if let Known::Known(pasts) = &mut past.headlines {
            for (headline, seen) in trace.headlines.iter().zip(pasts) {
                if approved(&Key::Headline(*headline)) {
                    *seen = Sightings::default();
                }
            }
        }
        if let Known::Known(pasts) = &mut past.links {
            for (link, seen) in trace.links.iter().zip(pasts) {
                if approved(&Key::Url(link.url)) || approved(&Key::Domain(link.domain)) {
                    *seen = LinkPast::default();
                }
            }
        }
    }

    /// A comment is gone, or is noted anew. Answers the campaign that it left, which [`Self::drop_empty`] is to be told of once it is
    /// known whether the comment comes back.
    pub(super) fn leave(&mut self, recall: &Recall, comment: u64) -> Option<Slot> {
        self.carried.remove(&comment);
        let number = recall.number_of(comment)?;
        let noted = recall.noted(number)?;
        let slot = self.resolved(noted.campaign);
        let live = self.live.get_mut(&slot)?;
        live.comments = live.comments.saturating_sub(1);
        live.stand(noted.standing, None);
        if !live.pending.is_empty() {
            let named = (noted.site, recall.name(number));
            live.pending.retain(|pending| *pending != named);
        }
        Some(slot)
    }

    /// Forgets a campaign with its last member, as the store does: or later comments would join one that nobody can look at.
    pub(super) fn drop_empty(&mut self, left: Option<Slot>) {
        if let Some(slot) = left.filter(|slot| self.live.get(slot).is_some_and(|live| live.comments == 0)) {
            self.drop_slot(slot);
        }
    }

    /// What became of a comment: its commit is done.
    pub(super) fn settled(&mut self, recall: &Recall, comment: u64, before: Option<Standing>, after: Standing) {
        if let Some((slot, version)) = self.carried.remove(&comment)
            && let Some(live) = self.live.get_mut(&slot)
        {
            live.saved = live.saved.max(version);
            if live.saved == live.version {
                (live.pending, live.absorbs) = (Vec::new(), Vec::new());
            }
        }
        if let Some(slot) = self.slot_of(recall, comment)
            && let Some(live) = self.live.get_mut(&slot)
        {
            live.stand(before, Some(after));
        }
    }

    /// What a comment's commit is to record.
    pub(super) fn membership(&mut self, recall: &Recall, comment: u64, now: Timestamp) -> Option<Membership> {
        let slot = self.slot_of(recall, comment)?;
        let quiet_before = self.oldest(now);
        let live = self.live.get(&slot)?;
        let news = (live.saved < live.version).then(|| News {
            first: live.saved == 0,
            version: live.version,
            at: live.at,
            keys: live.keys.clone(),
            members: live.pending.clone(),
            absorbs: live.absorbs.clone(),
            quiet_before,
        });
        let (campaign, joined) = (live.uid, live.comments);
        if news.is_some() {
            self.carried.insert(comment, (slot, live.version));
        }
        Some(Membership { campaign, joined, news, most: self.config.max_members })
    }

    /// People decided, closed, merged, or took a decision back.
    pub(super) fn turned(&mut self, turn: Turn) {
        let Some(slot) = self.by_uid.get(&turn.uid).copied() else { return };
        if let Some(into) = turn.into.and_then(|uid| self.by_uid.get(&uid).copied()) {
            self.absorb(into, slot);
        } else if turn.state == CampaignState::Merged {
            self.drop_slot(slot);
        } else if let Some(live) = self.live.get_mut(&slot) {
            (live.state, live.action, live.decided_on) = (turn.state, turn.action, turn.sites);
            live.rule_until = turn.rule_until;
        }
    }

    /// Takes in what the store remembers.
    pub(super) fn restore(&mut self, recall: &mut Recall, kept: KeptCampaign) {
        let slot = self.next_slot();
        let mut live = Live::new(kept.uid, kept.at);
        (live.state, live.action, live.version, live.saved) = (kept.state, kept.action, kept.version, kept.version);
        (live.decided_on, live.rule_until) = (kept.sites, kept.rule_until);
        live.last_at = live.last_at.max(kept.last_at); // beyond `max_members` nobody is recorded, and it goes on
        self.insert(slot, live);
        for key in kept.keys.into_iter().take(KEYS_MAX) {
            self.attach(slot, key);
        }
        for Remembered { trace, received_at, standing } in kept.members {
            if let Some(live) = self.live.get_mut(&slot) {
                live.count(&trace, received_at, Some(standing));
            }
            if let Some(number) = recall.number_of(trace.comment) {
                recall.enrol(number, slot);
            }
        }
        self.make_room(slot);
    }

    fn marks<'a>(&self, trace: &Trace, shown: Shown<'a>) -> Vec<Mark<'a>> {
        let past = shown.past;
        let mark = |key, past: &'a Sightings, at| Mark { key, past, at, popular: false, front_page: false };
        let mut marks = Vec::new();
        if let (Some(text), Some(past)) = (&trace.text, past.text.get()) {
            marks.push(mark(Key::Text(*text), past, 0));
        }
        if let (Some(short), Some(past)) = (&trace.short, shown.short) {
            marks.push(mark(Key::Short(*short), past, 0));
        }
        let headlines = past.headlines.get().into_iter().flatten();
        for (at, (headline, past)) in trace.headlines.iter().zip(headlines).enumerate() {
            marks.push(mark(Key::Headline(*headline), past, at));
        }
        for (at, (link, past)) in trace.links.iter().zip(past.links.get().into_iter().flatten()).enumerate() {
            let (popular, front_page) = (self.popular.contains(&link.domain), link.url == link.domain);
            marks.push(Mark { popular, front_page, ..mark(Key::Url(link.url), &past.url, at) });
            marks.push(Mark { popular, front_page, ..mark(Key::Domain(link.domain), &past.domain, at) });
        }
        marks
    }

    /// The campaign that a fingerprint belongs to, if it still takes comments.
    fn find(&self, key: &Key, now: Timestamp) -> Option<Slot> {
        let takes = |slot: &Slot| self.live.get(slot).is_some_and(|live| live.last_at >= self.kept_since(live, now));
        if let Some(slot) = self.exact.get(&name_of(key)).filter(|slot| takes(slot)) {
            return Some(*slot);
        }
        let (kind, text) = text_of(key)?;
        let near = band_keys(kind, &text).into_iter().filter_map(|band| self.bands.get(&band)).flatten();
        let alike = |slot: &&Slot| {
            let keys = self.live.get(slot).map(|live| live.keys.as_slice()).unwrap_or_default();
            keys.iter().filter_map(text_of).any(|(of, known)| of == kind && are_alike(kind, &known, &text))
        };
        near.filter(|slot| takes(slot)).find(alike).copied()
    }

    /// Which of several a comment joins: smaller comes first.
    fn precedence(&self, slot: Slot, site: SiteId) -> u8 {
        match self.live.get(&slot).map(|live| live.seen_from(site)) {
            Some((_, Some(Action::Reject))) => 0,
            Some((CampaignState::Open, _)) => 1,
            Some((CampaignState::Decided, _)) => 2,
            Some((CampaignState::Closed | CampaignState::Merged, _)) | None => 3,
        }
    }

    /// Whether people let pass what its comments share; or decided for another site, so that nothing may be added to what they saw.
    fn shelters(&self, slot: Slot, site: SiteId) -> bool {
        self.live.get(&slot).is_some_and(|live| {
            let (state, action) = live.seen_from(site);
            state == CampaignState::Closed || action == Some(Action::Approve) || state != live.state
        })
    }

    fn is_open(&self, slot: Slot) -> bool {
        self.live.get(&slot).is_some_and(|live| live.state == CampaignState::Open)
    }

    fn absorb(&mut self, into: Slot, from: Slot) {
        if into == from || !self.live.contains_key(&into) {
            return;
        }
        for known_as in self.merged.values_mut().filter(|known_as| **known_as == from) {
            *known_as = into; // before it goes, and takes along what became part of it
        }
        let Some(gone) = self.drop_slot(from) else { return };
        self.merged.insert(from, into);
        for key in gone.keys {
            self.attach(into, key);
        }
        if let Some(live) = self.live.get_mut(&into) {
            live.comments = live.comments.saturating_add(gone.comments);
            live.rejected = live.rejected.saturating_add(gone.rejected);
            live.approved_by_person = live.approved_by_person.saturating_add(gone.approved_by_person);
            live.first_at = live.first_at.min(gone.first_at);
            live.last_at = live.last_at.max(gone.last_at);
            live.sites.extend(gone.sites);
            for (all, more) in [(&mut live.authors, gone.authors), (&mut live.articles, gone.articles)] {
                all.extend(more.into_iter().take(DISTINCT_MAX.saturating_sub(all.len())));
            }
            live.pending.extend(gone.pending);
        }
    }

    fn attach(&mut self, slot: Slot, key: Key) {
        let Some(live) = self.live.get_mut(&slot) else { return };
        if live.keys.len() >= KEYS_MAX || live.keys.contains(&key) {
            return;
        }
        live.keys.push(key);
        self.exact.insert(name_of(&key), slot);
        if let Some((kind, text)) = text_of(&key) {
            for band in band_keys(kind, &text) {
                let shared = self.bands.entry(band).or_default();
                if shared.len() < SHARED_BAND_MAX && !shared.contains(&slot) {
                    shared.push(slot);
                }
            }
        }
    }

    fn count(&mut self, slot: Slot, noted: &Noted) {
        if let Some(live) = self.live.get_mut(&slot) {
            live.count_one((noted.author, noted.article, noted.site), noted.at, noted.standing);
        }
    }

    fn insert(&mut self, slot: Slot, live: Live) {
        self.by_uid.insert(live.uid, slot);
        self.live.insert(slot, live);
    }

    fn next_slot(&mut self) -> Slot {
        self.last += 1;
        self.last
    }

    /// Forgets the campaigns that have been quiet longest, but for one.
    fn make_room(&mut self, but: Slot) {
        while self.live.len() > self.config.max_campaigns {
            let quiet =
                self.live.iter().filter(|(slot, _)| **slot != but).min_by_key(|(slot, live)| (live.last_at, **slot));
            let Some(slot) = quiet.map(|(slot, _)| *slot) else { return };
            self.drop_slot(slot);
        }
    }

    fn drop_slot(&mut self, slot: Slot) -> Option<Live> {
        let live = self.live.remove(&slot)?;
        self.by_uid.remove(&live.uid);
        self.bridges.retain(|(one, other), _| *one != slot && *other != slot);
        self.merged.retain(|_, into| *into != slot);
        self.carried.retain(|_, (of, _)| *of != slot);
        for key in &live.keys {
            if self.exact.get(&name_of(key)) == Some(&slot) {
                self.exact.remove(&name_of(key));
            }
            for band in text_of(key).iter().flat_map(|(kind, text)| band_keys(*kind, text)) {
                if let Some(shared) = self.bands.get_mut(&band) {
                    shared.retain(|of| *of != slot);
                    if shared.is_empty() {
                        self.bands.remove(&band);
                    }
                }
            }
        }
        Some(live)
    }

    fn resolved(&self, slot: Slot) -> Slot {
        let mut slot = slot;
        while let Some(into) = self.merged.get(&slot) {
            slot = *into; // only ever to an older or a chosen one: never in circles, since what is merged is gone
        }
        if self.live.contains_key(&slot) { slot } else { 0 }
    }

    fn slot_of(&self, recall: &Recall, comment: u64) -> Option<Slot> {
        let number = recall.number_of(comment)?;
        let noted = recall.noted(number)?;
        Some(self.resolved(noted.campaign)).filter(|slot| *slot != 0)
    }

    fn oldest(&self, now: Timestamp) -> Timestamp {
        days_before(now, self.config.window_days)
    }

    fn kept_since(&self, live: &Live, now: Timestamp) -> Timestamp {
        let decided = live.state == CampaignState::Decided;
        days_before(now, if decided { self.config.remember_days } else { self.config.window_days })
    }

    #[cfg(test)]
    pub(super) fn sizes(&self) -> [usize; 7] {
        let bands = self.bands.values().map(Vec::len).max().unwrap_or(0);
        let keys = self.live.values().map(|live| live.keys.len()).max().unwrap_or(0);
        let pending = self.live.values().map(|live| live.pending.len()).max().unwrap_or(0);
        [self.live.len(), self.exact.len(), self.bands.len(), bands, keys, pending, self.carried.len()]
    }
}

fn days_before(now: Timestamp, days: u32) -> Timestamp {
    now.plus_millis(-i64::from(days) * 86_400_000)
}

#[cfg(test)]
mod tests;
