//! What the memory holds and how it is searched. Plain data under one lock; no I/O, no clock.
//!
//! Three rings: comments, links and texts, each bounded, each item numbered. Items that share a key (an address, a domain, a band of a
//! MinHash sketch) are chained from the newest to the oldest, so that a look-up reads the latest few and stops. A comment that is forgotten or
//! sighted again leaves its items in place, pointing to nothing; they go with what arrived beside them.
//!
//! Sketches are found by locality-sensitive hashing: eight bands of two minima (Leskovec, Rajaraman, Ullman, "Mining of Massive
//! Datasets", ch. 3), so that texts of Jaccard similarity 0.6 meet with probability 0.97, of 0.2 with 0.28; what meets is compared.

use std::collections::BTreeSet;

use super::heads::Heads;
use super::likeness::{BANDS, TextKind, are_alike, band_keys, exact_key};
use super::names::Names;
use super::ring::{ByHash, Ring};
use crate::domain::campaign::Key;
use crate::domain::decision::Status;
use crate::domain::history::{LinkPast, Sighting, Sightings, Standing};
use crate::domain::site::SiteId;
use crate::domain::time::Timestamp;
use crate::domain::trace::{LinkTrace, MinHash, TextTrace, Trace};

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

/// A comment. Its id is kept beside ([`Names`]).
#[derive(Debug)]
pub(super) struct Noted {
    comment: u64,
    pub(super) article: u64,
    pub(super) author: u64,
    pub(super) at: Timestamp,
    /// When it was noted, counted over all sightings: what the author cache was loaded before or after.
    order: u64,
    pub(super) site: SiteId,
    /// The campaign that it belongs to; zero for none.
    pub(super) campaign: u32,
    pub(super) standing: Option<Standing>,
    staff: bool,
    /// Whether it was erased, or noted again since: a place in the ring that nothing is found by.
    gone: bool,
}

#[derive(Debug)]
struct LinkNote {
    of: u64,
    link: LinkTrace,
    /// How far back the next link with the same address is; 0 for none.
    next_url: u32,
    next_domain: u32,
}

/// A text: [`TextTrace`] with its parts in an order that wastes nothing.
#[derive(Debug)]
struct TextNote {
    of: u64,
    exact: u64,
    sketch: MinHash,
    /// How far back the next text of each band is; 0 for none.
    next: [u32; BANDS],
    next_exact: u32,
    size: u16,
    kind: TextKind,
}

impl TextNote {
    const fn text(&self) -> TextTrace {
        TextTrace { exact: self.exact, sketch: self.sketch, size: self.size }
    }
}

/// What comes next in a chain.
const fn earlier(number: u64, back: u32) -> Option<u64> {
    if back == 0 { None } else { number.checked_sub(back as u64) }
}

/// Everything remembered of links and texts.
#[derive(Debug)]
pub(super) struct Recall {
    comments: Ring<Noted>,
    names: Names,
    by_comment: Heads,
    /// Whom an edit took a comment from; told once, when it is settled. Few.
    moved: ByHash<u64>,
    links: Ring<LinkNote>,
    urls: Heads,
    domains: Heads,
    texts: Ring<TextNote>,
    bands: Heads,
    exact: Heads,
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
        let (comments, links, texts) = (Ring::new(max_comments), Ring::new(max_links), Ring::new(max_texts));
        Self {
            names: Names::default(),
            by_comment: Heads::new(comments.capacity(), 1),
            moved: ByHash::default(),
            urls: Heads::new(links.capacity(), 1),
            domains: Heads::new(links.capacity(), 1),
            bands: Heads::new(texts.capacity(), BANDS),
            exact: Heads::new(texts.capacity(), 1),
            comments,
            links,
            texts,
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
            let (number, out) = (self.links.base(), self.links.pop());
            self.unlink(out.as_ref(), number);
        }
        while self.texts.oldest().is_some_and(|text| self.comments.get(text.of).is_none()) {
            let (number, out) = (self.texts.base(), self.texts.pop());
            self.untext(out.as_ref(), number);
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
            site: trace.site,
            article: trace.article,
            author: trace.author,
            staff: trace.staff,
            at,
            campaign: 0,
            standing: standing.or_else(|| earlier.as_ref().and_then(|before| before.standing)),
            order: self.order,
            gone: false,
        };
        let before = self.comments.base();
        let (of, out) = self.comments.push(noted);
        if let Some(out) = out {
            self.forget_number(&out, before);
        }
        self.names.push(&trace.comment_id);
        self.by_comment.add(trace.comment, of);
        self.moved.extend(moved_from.map(|author| (trace.comment, author)));
        if trace.staff {
            return earlier; // standard replies of a site's own people form no campaign
        }
        for link in &trace.links {
            let oldest = self.links.base();
            let (number, out) = self.links.push(LinkNote { of, link: *link, next_url: 0, next_domain: 0 });
            self.unlink(out.as_ref(), oldest);
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
        let TextTrace { exact, sketch, size } = *text;
        let oldest = self.texts.base();
        let note = TextNote { of, exact, sketch, next: [0; BANDS], next_exact: 0, size, kind };
        let (number, out) = self.texts.push(note);
        self.untext(out.as_ref(), oldest);
        let next = band_keys(kind, text).map(|key| self.bands.add(key, number));
        let next_exact = self.exact.add(exact_key(kind, text), number);
        if let Some(note) = self.texts.get_mut(number) {
            (note.next, note.next_exact) = (next, next_exact);
        }
    }

    /// Sets what became of a comment; answers how it stood, or `None` when it is not remembered.
    pub(super) fn settle(&mut self, comment: u64, standing: Standing) -> Option<Before> {
        let number = self.number_of(comment)?;
        let moved_from = self.moved.remove(&comment);
        let noted = self.comments.get_mut(number)?;
        let before = noted.standing.replace(standing);
        Some(Before { standing: before, order: noted.order, author: noted.author, moved_from })
    }

    /// Forgets a comment; answers how it stood.
    pub(super) fn forget(&mut self, comment: u64) -> Option<Before> {
        let number = self.number_of(comment)?;
        self.by_comment.gone(comment, number);
        let moved_from = self.moved.remove(&comment);
        let noted = self.comments.get_mut(number)?;
        noted.gone = true;
        Some(Before { standing: noted.standing, order: noted.order, author: noted.author, moved_from })
    }

    pub(super) fn link_past(&self, trace: &Trace, link: LinkTrace, within: Window) -> LinkPast {
        let most = (LINKS_EXAMINED / (2 * trace.links.len().max(1))).clamp(LINKS_EACH, EXAMINED);
        LinkPast {
            url: self.sum(trace, within, self.by_url(link.url, most)),
            domain: self.sum(trace, within, self.by_domain(link.domain, most)),
        }
    }

    fn by_url(&self, url: u64, most: usize) -> Vec<u64> {
        let newest = self.urls.newest(url, self.links.end());
        self.chain(newest, most, |note| note.next_url, |note| note.link.url == url)
    }

    fn by_domain(&self, domain: u64, most: usize) -> Vec<u64> {
        let newest = self.domains.newest(domain, self.links.end());
        self.chain(newest, most, |note| note.next_domain, |note| note.link.domain == domain)
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
        newest: Option<u64>,
        most: usize,
        next: impl Fn(&LinkNote) -> u32,
        matches: impl Fn(&LinkNote) -> bool,
    ) -> Vec<u64> {
        let mut found = Vec::new();
        let mut next_number = newest;
        for _ in 0..most {
            let Some((number, note)) = next_number.and_then(|number| Some((number, self.links.get(number)?))) else {
                break;
            };
            if matches(note) {
                found.push(note.of);
            }
            next_number = earlier(number, next(note));
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
        let end = self.texts.end();
        let mut next_number = self.exact.newest(exact_key(kind, text), end);
        for _ in 0..EXAMINED {
            let Some((number, note)) = next_number.and_then(|number| Some((number, self.texts.get(number)?))) else {
                break;
            };
            if note.kind == kind && note.exact == text.exact {
                found.push(note);
            }
            next_number = earlier(number, note.next_exact);
        }
        if found.len() < EXAMINED {
            let mut next = band_keys(kind, text).map(|key| self.bands.newest(key, end));
            for _ in 0..COMPARED {
                // The newest that is left of all bands.
                let Some(newest) = next.iter().copied().flatten().max() else { break };
                let Some(note) = self.texts.get(newest) else { break };
                if note.kind == kind && note.exact != text.exact && are_alike(kind, &note.text(), text) {
                    found.push(note);
                }
                for (next, back) in next.iter_mut().zip(note.next).filter(|(next, _)| **next == Some(newest)) {
                    *next = earlier(newest, back);
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
        let number = self.by_comment.newest(comment, self.comments.end())?;
        self.comments.get(number).filter(|noted| noted.comment == comment).map(|_| number)
    }

    /// What is known to have become of a comment.
    pub(super) fn standing_of(&self, comment: u64) -> Option<Standing> {
        self.number_of(comment).and_then(|number| self.noted(number)).and_then(|noted| noted.standing)
    }

    pub(super) fn noted(&self, number: u64) -> Option<&Noted> {
        self.comments.get(number).filter(|noted| !noted.gone)
    }

    /// The id of a comment that is remembered.
    pub(super) fn name(&self, number: u64) -> Box<str> {
        number.checked_sub(self.comments.base()).map(|index| self.names.get(index)).unwrap_or_default()
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
        let others = self.alike(kind, text).into_iter().map(TextNote::text).filter(|other| seen.insert(other.exact));
        others.take(most).map(of).collect()
    }

    /// Sums up comments given by number, newest first.
    fn sum(&self, trace: &Trace, within: Window, numbers: Vec<u64>) -> Sightings {
        let mut sum = Sightings::default();
        let (mut authors, mut articles, mut sites) = (Vec::new(), Vec::new(), Vec::new());
        let mut decided = Vec::new();
        let mut last = None; // numbers fall, and those of one comment stand beside each other
        let is_new = |number: &u64| last.replace(*number) != Some(*number);
        let noted = numbers.into_iter().filter(is_new);
        let noted = noted.filter_map(|number| Some((number, self.comments.get(number)?)));
        let counts = |(_, noted): &(u64, &Noted)| {
            !noted.gone && !noted.staff && noted.comment != trace.comment && within.holds(noted.at)
        };
        for (number, noted) in noted.filter(counts) {
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
                let comment_id = self.name(number);
                sum.recent.push(Sighting { comment_id, same_article: noted.article == trace.article, at: noted.at });
            }
        }
        (sum.authors, sum.articles, sum.sites) = (distinct(authors), distinct(articles), distinct(sites));
        sum.authors_decided = distinct(decided);
        sum
    }

    /// The oldest comment is gone.
    fn forget_number(&mut self, noted: &Noted, number: u64) {
        self.names.pop();
        if !noted.gone {
            self.by_comment.gone(noted.comment, number);
            self.moved.remove(&noted.comment);
        }
    }

    fn unlink(&mut self, out: Option<&LinkNote>, number: u64) {
        if let Some(note) = out {
            self.urls.gone(note.link.url, number);
            self.domains.gone(note.link.domain, number);
        }
    }

    fn untext(&mut self, out: Option<&TextNote>, number: u64) {
        if let Some(note) = out {
            for key in band_keys(note.kind, &note.text()) {
                self.bands.gone(key, number);
            }
            self.exact.gone(exact_key(note.kind, &note.text()), number);
        }
    }

    /// Bytes of comments, of links, and of texts.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> [usize; 3] {
        [
            self.comments.bytes() + self.names.bytes() + self.by_comment.bytes(),
            self.links.bytes() + self.urls.bytes() + self.domains.bytes(),
            self.texts.bytes() + self.bands.bytes() + self.exact.bytes(),
        ]
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
