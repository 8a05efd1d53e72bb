//! What the memory holds and how it is searched. Plain data under one lock; no I/O, no clock.
//!
//! Three rings: comments, links and texts, each bounded, each item numbered. Items that share a key (an address, a domain, a band of a
//! MinHash sketch) are chained from the newest to the oldest, so that a look-up reads the latest few and stops. A comment that is forgotten or
//! sighted again leaves its items in place, pointing to nothing; they go with what arrived beside them.
//!
//! Sketches are found by locality-sensitive hashing: eight bands of two minima (Leskovec, Rajaraman, Ullman, "Mining of Massive
//! Datasets", ch. 3), so that texts of Jaccard similarity 0.6 meet with probability 0.97, of 0.2 with 0.28; what meets is compared.

use std::collections::BTreeSet;

use super::likeness::{BANDS, TextKind, are_alike, band_keys, exact_key};
use super::ring::{ByHash, Chains, END, Head, Ring};
use crate::domain::campaign::Key;
use crate::domain::decision::Status;
use crate::domain::history::{LinkPast, Sighting, Sightings, Standing};
use crate::domain::site::SiteId;
use crate::domain::time::Timestamp;
use crate::domain::trace::{LinkTrace, TextTrace, Trace};

/// Copies of one text that a look-up reads, the latest: enough to tell a wave. Each is a miss of the cache or two.
const EXAMINED: usize = 64;
/// Other texts that share a band with one, and are compared with it at most. They are read only where there are few copies.
const COMPARED: usize = 128;
/// Links that one comment's look-up reads, for all addresses and domains that it names together.
const LINKS_EXAMINED: usize = 256;
/// Links read for each address or domain at least, however many a comment names: more than any of the counts that settings ask for by default.
const LINKS_EACH: usize = 16;
/// Earlier comments named as evidence.
const NAMED: usize = 5;
#[derive(Debug)]
pub(super) struct Noted {
    comment: u64,
    pub(super) comment_id: Box<str>,
    pub(super) site: SiteId,
    pub(super) article: u64,
    pub(super) author: u64,
    staff: bool,
    pub(super) at: Timestamp,
    pub(super) standing: Option<Standing>,
    /// The campaign that it belongs to; zero for none.
    pub(super) campaign: u32,
    /// When it was noted, counted over all sightings: what the author cache was loaded before or after.
    order: u64,
    /// Whom an edit took it from; told once, when it is settled.
    moved_from: Option<u64>,
    /// Whether it was erased, or noted again since: a place in the ring that nothing is found by.
    gone: bool,
}

#[derive(Debug)]
struct LinkNote {
    of: u64,
    link: LinkTrace,
    next_url: u64,
    next_domain: u64,
}

#[derive(Debug)]
struct TextNote {
    of: u64,
    kind: TextKind,
    text: TextTrace,
    next: [u64; BANDS],
    next_exact: u64,
}

/// Everything remembered of links and texts.
#[derive(Debug)]
pub(super) struct Recall {
    comments: Ring<Noted>,
    by_comment: ByHash<u64>,
    links: Ring<LinkNote>,
    urls: Chains,
    domains: Chains,
    texts: Ring<TextNote>,
    bands: Chains,
    exact: Chains,
    order: u64,
}

/// How a comment stood before something changed.
pub(super) struct Before {
    pub(super) standing: Option<Standing>,
    pub(super) order: u64,
    /// Whose it was.
    pub(super) author: u64,
    /// Whose it was before an edit gave it to another, when that was not told yet.
    pub(super) moved_from: Option<u64>,
}

/// Which arrivals are looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    /// Not what arrived before. Time does not wait for the next sighting to clear the rings.
    pub(super) from: Timestamp,
    /// Not what arrived after; `None` for everything that was noted, whatever its clock said: of two comments that are
    /// sighted at once one sees the other, though both read the clock before they were noted.
    pub(super) to: Option<Timestamp>,
}

impl Window {
    fn holds(self, at: Timestamp) -> bool {
        at >= self.from && self.to.is_none_or(|to| at <= to)
    }
}

impl Recall {
    pub(super) fn new(max_comments: usize, max_links: usize, max_texts: usize) -> Self {
        Self {
            comments: Ring::new(max_comments),
            by_comment: ByHash::default(),
            links: Ring::new(max_links),
            urls: Chains::default(),
            domains: Chains::default(),
            texts: Ring::new(max_texts),
            bands: Chains::default(),
            exact: Chains::default(),
            order: 0,
        }
    }

    /// A number that grows with every sighting.
    pub(super) const fn order(&self) -> u64 {
        self.order
    }

    /// The next such number, for something that happened between sightings.
    pub(super) const fn next_order(&mut self) -> u64 {
        self.order += 1;
        self.order
    }

    /// Forgets what arrived before `oldest`.
    pub(super) fn expire(&mut self, oldest: Timestamp) {
        while self.comments.oldest().is_some_and(|noted| noted.gone || noted.at < oldest) {
            let number = self.comments.base();
            if let Some(noted) = self.comments.pop() {
                self.forget_number(&noted, number);
            }
        }
        while self.links.oldest().is_some_and(|link| self.comments.get(link.of).is_none()) {
            let out = self.links.pop();
            self.unlink(out.as_ref());
        }
        while self.texts.oldest().is_some_and(|text| self.comments.get(text.of).is_none()) {
            let out = self.texts.pop();
            self.untext(out.as_ref());
        }
    }

    /// Notes a comment, in place of what was noted of it before; answers how that stood.
    pub(super) fn note(&mut self, trace: &Trace, at: Timestamp, standing: Option<Standing>) -> Option<Before> {
        let earlier = self.forget(trace.comment);
        self.order += 1;
        let moved_from = earlier
            .as_ref()
            .and_then(|before| before.moved_from.or_else(|| (before.author != trace.author).then_some(before.author)));
        let noted = Noted {
            comment: trace.comment,
            comment_id: trace.comment_id.clone(),
            site: trace.site,
            article: trace.article,
            author: trace.author,
            staff: trace.staff,
            at,
            campaign: 0,
            standing: standing.or_else(|| earlier.as_ref().and_then(|before| before.standing)),
            order: self.order,
            moved_from,
            gone: false,
        };
        let before = self.comments.base();
        let (of, out) = self.comments.push(noted);
        if let Some(out) = out {
            self.forget_number(&out, before);
        }
        self.by_comment.insert(trace.comment, of);
        if trace.staff {
            return earlier; // standard replies of a site's own people form no campaign
        }
        for link in &trace.links {
            let (number, out) = self.links.push(LinkNote { of, link: *link, next_url: END, next_domain: END });
            self.unlink(out.as_ref());
            let next_url = self.urls.add(link.url, number);
            let next_domain = self.domains.add(link.domain, number);
            if let Some(note) = self.links.get_mut(number) {
                (note.next_url, note.next_domain) = (next_url, next_domain);
            }
        }
        let whole = trace.text.iter().map(|text| (TextKind::Whole, text));
        let headlines = trace.headlines.iter().map(|text| (TextKind::Headline, text));
        let short = trace.short.iter().map(|text| (TextKind::Short, text));
        for (kind, text) in whole.chain(headlines).chain(short) {
            self.note_text(of, kind, text);
        }
        earlier
    }

    fn note_text(&mut self, of: u64, kind: TextKind, text: &TextTrace) {
        let (number, out) = self.texts.push(TextNote { of, kind, text: *text, next: [END; BANDS], next_exact: END });
        self.untext(out.as_ref());
        let keys = band_keys(kind, text);
        let next = keys.map(|key| self.bands.add(key, number));
        let next_exact = self.exact.add(exact_key(kind, text), number);
        if let Some(note) = self.texts.get_mut(number) {
            (note.next, note.next_exact) = (next, next_exact);
        }
    }

    /// Sets what became of a comment; answers how it stood, or `None` when it is not remembered.
    pub(super) fn settle(&mut self, comment: u64, standing: Standing) -> Option<Before> {
        let number = *self.by_comment.get(&comment)?;
        let noted = self.comments.get_mut(number)?;
        Some(Before {
            standing: noted.standing.replace(standing),
            order: noted.order,
            author: noted.author,
            moved_from: noted.moved_from.take(),
        })
    }

    /// Forgets a comment; answers how it stood.
    pub(super) fn forget(&mut self, comment: u64) -> Option<Before> {
        let number = self.by_comment.remove(&comment)?;
        let noted = self.comments.get_mut(number)?;
        noted.gone = true;
        Some(Before {
            standing: noted.standing,
            order: noted.order,
            author: noted.author,
            moved_from: noted.moved_from.take(),
        })
    }

    pub(super) fn link_past(&self, trace: &Trace, link: LinkTrace, within: Window) -> LinkPast {
        let most = (LINKS_EXAMINED / (2 * trace.links.len().max(1))).clamp(LINKS_EACH, EXAMINED);
        LinkPast {
            url: self.sum(trace, within, self.by_url(link.url, most)),
            domain: self.sum(trace, within, self.by_domain(link.domain, most)),
        }
    }

    fn by_url(&self, url: u64, most: usize) -> Vec<u64> {
        self.chain(self.urls.head(url), most, |note| note.next_url, |note| note.link.url == url)
    }

    fn by_domain(&self, domain: u64, most: usize) -> Vec<u64> {
        self.chain(self.domains.head(domain), most, |note| note.next_domain, |note| note.link.domain == domain)
    }

    pub(super) fn text_past(&self, trace: &Trace, text: &TextTrace, within: Window) -> Sightings {
        self.similar(trace, TextKind::Whole, text, within)
    }

    pub(super) fn headline_past(&self, trace: &Trace, headline: &TextTrace, within: Window) -> Sightings {
        self.similar(trace, TextKind::Headline, headline, within)
    }

    /// Earlier comments with the same or nearly the same few words. No check sees them; campaigns do.
    pub(super) fn short_past(&self, trace: &Trace, within: Window) -> Option<Sightings> {
        trace.short.as_ref().map(|short| self.similar(trace, TextKind::Short, short, within))
    }

    fn chain(
        &self,
        head: Option<Head>,
        most: usize,
        next: impl Fn(&LinkNote) -> u64,
        matches: impl Fn(&LinkNote) -> bool,
    ) -> Vec<u64> {
        let mut found = Vec::new();
        let mut number = head.map_or(END, |head| head.newest);
        for _ in 0..most {
            let Some(note) = self.links.get(number) else { break };
            if matches(note) {
                found.push(note.of);
            }
            number = next(note);
        }
        found
    }

    fn similar(&self, trace: &Trace, kind: TextKind, text: &TextTrace, within: Window) -> Sightings {
        let found = self.alike(kind, text);
        self.sum(trace, within, found.into_iter().rev().map(|note| note.of).collect())
    }

    /// The latest comments with the same or a similar text, in the order of their numbers, one text of each. At most [`EXAMINED`] of the same
    /// text are read, and where there are fewer, [`COMPARED`] that share a band: each once, though copies share all bands.
    fn alike(&self, kind: TextKind, text: &TextTrace) -> Vec<&TextNote> {
        let mut found: Vec<&TextNote> = Vec::new();
        let mut number = self.exact.head(exact_key(kind, text)).map_or(END, |head| head.newest);
        for _ in 0..EXAMINED {
            let Some(note) = self.texts.get(number) else { break };
            if note.kind == kind && note.text.exact == text.exact {
                found.push(note);
            }
            number = note.next_exact;
        }
        if found.len() < EXAMINED {
            let mut next = band_keys(kind, text).map(|key| self.bands.head(key).map_or(END, |head| head.newest));
            let oldest = self.texts.base();
            for _ in 0..COMPARED {
                // The newest that is left of all bands.
                let Some(newest) = next.iter().copied().filter(|number| *number != END && *number >= oldest).max()
                else {
                    break;
                };
                let Some(note) = self.texts.get(newest) else { break };
                if note.kind == kind && note.text.exact != text.exact && are_alike(kind, &note.text, text) {
                    found.push(note);
                }
                for (next, after) in next.iter_mut().zip(note.next).filter(|(next, _)| **next == newest) {
                    *next = after;
                }
            }
        }
        found.sort_by_key(|note| note.of);
        found.dedup_by_key(|note| note.of);
        found
    }

    fn numbers_alike(&self, kind: TextKind, text: &TextTrace) -> Vec<u64> {
        self.alike(kind, text).into_iter().map(|note| note.of).collect()
    }

    /// A comment's number, while it is remembered.
    pub(super) fn number_of(&self, comment: u64) -> Option<u64> {
        self.by_comment.get(&comment).copied()
    }

    /// What is known to have become of a comment.
    pub(super) fn standing_of(&self, comment: u64) -> Option<Standing> {
        self.number_of(comment).and_then(|number| self.noted(number)).and_then(|noted| noted.standing)
    }

    pub(super) fn noted(&self, number: u64) -> Option<&Noted> {
        self.comments.get(number).filter(|noted| !noted.gone)
    }

    /// Notes which campaign a comment belongs to.
    pub(super) fn enrol(&mut self, number: u64, campaign: u32) {
        if let Some(noted) = self.comments.get_mut(number) {
            noted.campaign = campaign;
        }
    }

    /// The comments since `from` that share `key`, oldest first, but for that one.
    pub(super) fn members(&self, key: &Key, but: u64, from: Timestamp) -> Vec<u64> {
        let mut found: Vec<u64> = match key {
            Key::Url(url) => self.by_url(*url, EXAMINED),
            Key::Domain(domain) => self.by_domain(*domain, EXAMINED),
            Key::Text(text) => self.numbers_alike(TextKind::Whole, text),
            Key::Headline(text) => self.numbers_alike(TextKind::Headline, text),
            Key::Short(text) => self.numbers_alike(TextKind::Short, text),
        };
        found.sort_unstable();
        found.dedup();
        let counts = |noted: &Noted| !noted.staff && noted.comment != but && noted.at >= from;
        found.retain(|number| self.noted(*number).is_some_and(counts));
        found
    }

    /// Other wordings of a text that is known, a few.
    pub(super) fn variants(&self, key: &Key, most: usize) -> Vec<Key> {
        let (kind, text, of): (_, _, fn(TextTrace) -> Key) = match key {
            Key::Text(text) => (TextKind::Whole, text, Key::Text),
            Key::Headline(text) => (TextKind::Headline, text, Key::Headline),
            Key::Short(text) => (TextKind::Short, text, Key::Short),
            Key::Url(_) | Key::Domain(_) => return Vec::new(),
        };
        let mut seen = BTreeSet::from([text.exact]);
        let others = self.alike(kind, text).into_iter().map(|note| note.text).filter(|other| seen.insert(other.exact));
        others.take(most).map(of).collect()
    }

    /// Sums up comments given by number, newest first.
    fn sum(&self, trace: &Trace, within: Window, numbers: Vec<u64>) -> Sightings {
        let mut sum = Sightings::default();
        let (mut authors, mut articles, mut sites) = (Vec::new(), Vec::new(), Vec::new());
        let mut decided = Vec::new();
        let mut last = END; // numbers fall, and those of one comment stand beside each other
        let is_new = |number: &u64| std::mem::replace(&mut last, *number) != *number;
        let noted = numbers.into_iter().filter(is_new).filter_map(|number| self.comments.get(number));
        let counts =
            |noted: &&Noted| !noted.gone && !noted.staff && noted.comment != trace.comment && within.holds(noted.at);
        for noted in noted.filter(counts) {
            sum.comments += 1;
            sum.by_same_author += u32::from(noted.author == trace.author);
            sum.under_other_articles += u32::from(noted.article != trace.article);
            authors.push(noted.author);
            articles.push(noted.article);
            sites.push(noted.site);
            match noted.standing {
                Some(Standing { status: Status::Rejected, by_person }) => {
                    sum.rejected += 1;
                    sum.rejected_by_person += u32::from(by_person);
                }
                Some(Standing { status: Status::Approved, by_person: true }) => sum.approved_by_person += 1,
                _ => {}
            }
            if matches!(noted.standing, Some(Standing { status: Status::Rejected | Status::Approved, by_person: true }))
            {
                decided.push(noted.author);
            }
            let is_approved = matches!(noted.standing, Some(Standing { status: Status::Approved, .. }));
            sum.approved_here += u32::from(is_approved && noted.article == trace.article);
            sum.first_at = Some(sum.first_at.map_or(noted.at, |first| first.min(noted.at)));
            sum.last_at = Some(sum.last_at.map_or(noted.at, |last| last.max(noted.at)));
            if noted.site == trace.site && sum.recent.len() < NAMED {
                let comment_id = noted.comment_id.clone();
                sum.recent.push(Sighting { comment_id, same_article: noted.article == trace.article, at: noted.at });
            }
        }
        (sum.authors, sum.articles, sum.sites) = (distinct(authors), distinct(articles), distinct(sites));
        sum.authors_decided = distinct(decided);
        sum
    }

    fn forget_number(&mut self, noted: &Noted, number: u64) {
        if self.by_comment.get(&noted.comment) == Some(&number) {
            self.by_comment.remove(&noted.comment);
        }
    }

    fn unlink(&mut self, out: Option<&LinkNote>) {
        if let Some(note) = out {
            self.urls.drop_one(note.link.url);
            self.domains.drop_one(note.link.domain);
        }
    }

    fn untext(&mut self, out: Option<&TextNote>) {
        if let Some(note) = out {
            for key in band_keys(note.kind, &note.text) {
                self.bands.drop_one(key);
            }
            self.exact.drop_one(exact_key(note.kind, &note.text));
        }
    }

    #[cfg(test)]
    pub(super) fn sizes(&self) -> [usize; 7] {
        [
            self.comments.len(),
            self.by_comment.len(),
            self.links.len(),
            self.urls.len(),
            self.texts.len(),
            self.bands.len(),
            self.exact.len(),
        ]
    }
}

/// How many different ones there are.
fn distinct<T: Ord>(mut all: Vec<T>) -> u32 {
    all.sort_unstable();
    all.dedup();
    u32::try_from(all.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
