//! What rules do and whether people agree with them, for operators: verdicts are read page by page, within bounds, and counted here.
//!
//! Nothing is kept for it and nothing counted while comments come in. The latest verdicts are counted whole; further back than that, those that people
//! decided about alone, for there are never many of them. What was found says from when on it is of everything.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::app::house::House;
use crate::domain::people::Person;
use crate::domain::reads::Glimpse;
use crate::domain::rules::{self, Told};
use crate::domain::signal::Mode;
use crate::domain::store::{Result, Store};
use crate::domain::time::Timestamp;
use crate::domain::truth::hints::{Seen, hints};
use crate::domain::truth::part::parts;
use crate::domain::truth::tally::{Counting, Tally};
use crate::domain::truth::{Account, Judged, JudgedPage, Lens, Thresholds, Wanted};

/// Days that are looked at where nothing is said.
pub const DAYS: i64 = 28;
/// Verdicts that are counted whole for one request.
pub const COUNTED_MAX: usize = 50_000;
/// Comments that people decided about and that are counted besides.
pub const DECIDED_MAX: usize = 20_000;
/// Comments looked at at once.
const PAGE: usize = 1_000;
/// Rows that are not asked for and passed by at the cost of one verdict that is.
const PASSED_BY: usize = 16;
/// Comments that are listed at most.
pub const LISTED_MAX: usize = 100;
/// Configurations among which the one is looked for that was in force when the time that is looked at began.
const VERSIONS: usize = 1_000;

/// What is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Of these sites, by name; of all, for `None`.
    pub sites: Option<Vec<String>>,
    /// Of comments that came at or after that moment.
    pub since: Timestamp,
    /// And before that one.
    pub until: Timestamp,
    /// Verdicts that are counted whole at most, the latest.
    pub counted_max: usize,
    /// Comments that people decided about and that are counted besides, at most.
    pub decided_max: usize,
}

impl Ask {
    fn wanted(&self) -> Wanted {
        let (sites, since, until) = (self.sites.clone(), self.since, self.until);
        Wanted { sites, since, until, before: None, decided_only: false, most: PAGE }
    }
}

/// The settings in force, as verdicts are read by them.
#[must_use]
pub fn lens(house: &House) -> Lens {
    let of = |(name, site): (&String, &crate::app::house::SiteHouse)| {
        (Arc::from(name.as_str()), Thresholds::of(site.policy.config()))
    };
    Lens {
        general: Thresholds::of(house.policy.config()),
        sites: house.sites.iter().map(of).collect(),
        rules: house.rules.told().map(|(id, told)| (id.to_owned(), told.clone())).collect(),
    }
}

/// The sites that a person works on, or the one of them that is asked about; `None` where it lies outside their reach.
#[must_use]
pub fn sites_of(by: &Person, site: Option<&str>) -> Option<Option<Vec<String>>> {
    match site {
        None => Some(by.reach.sites.clone()),
        Some(site) => by.reach.covers_site(site).then(|| Some(vec![site.to_owned()])),
    }
}

/// What rules, checks and limits did, and what people decided.
///
/// # Errors
/// The store failed.
pub async fn account(store: &dyn Store, lens: &Lens, ask: &Ask, now: Timestamp) -> Result<Account> {
    let mut tally = Tally::default();
    let mut wanted = ask.wanted();
    let mut reached = read(store, &mut wanted, ask.counted_max, |judged| {
        tally.add(judged, lens, Counting::Everything);
    })
    .await?;
    let counted_since = reached.unwrap_or(ask.since);
    if reached.is_some() {
        wanted.decided_only = true;
        reached = read(store, &mut wanted, ask.decided_max, |judged| {
            tally.add(judged, lens, Counting::Decided);
        })
        .await?;
    }
    let items = tally.truths(&lens.rules, now);
    let live_since = live_since(store, &lens.rules, ask.since).await?;
    let hints = hints(&Seen {
        truths: &items,
        rules: &lens.rules,
        live_since: &live_since,
        together: &tally.together(),
        counted_since,
        comments: tally.comments,
        all_sites: ask.sites.is_none(),
        now,
    });
    let (since, until) = (ask.since, ask.until);
    let (comments, decided) = (tally.comments, tally.decided);
    Ok(Account {
        since,
        until,
        comments,
        decided,
        counted_since,
        decided_since: reached.unwrap_or(since),
        hints,
        items,
    })
}

/// Reads pages until all are read, or so many verdicts; answers how far it got, where that is not all. `wanted` goes on from there.
async fn read(
    store: &dyn Store,
    wanted: &mut Wanted,
    most: usize,
    mut each: impl FnMut(&Judged),
) -> Result<Option<Timestamp>> {
    let mut done = 0;
    let mut earliest = wanted.until;
    loop {
        let JudgedPage { items, looked_at, next } = store.verdicts(wanted).await?;
        for judged in &items {
            earliest = earliest.min(judged.at);
            each(judged);
        }
        done += cost(items.len(), looked_at);
        wanted.before = next.or(wanted.before);
        if next.is_none() {
            return Ok(None);
        }
        if done >= most {
            return Ok(Some(earliest));
        }
    }
}

/// What a page costs, in verdicts.
const fn cost(verdicts: usize, looked_at: u32) -> usize {
    verdicts + (looked_at as usize).saturating_sub(verdicts) / PASSED_BY
}

/// Since when live rules have been live just so, at least: told by the settings that were in force when the time that is looked at began, or by the
/// oldest that are kept. One version is read, however many there are.
async fn live_since(
    store: &dyn Store,
    rules: &BTreeMap<String, Told>,
    since: Timestamp,
) -> Result<BTreeMap<String, Timestamp>> {
    if !rules.values().any(|told| told.mode == Mode::Live) {
        return Ok(BTreeMap::new());
    }
    let taken = store.versions_taken(VERSIONS).await?;
    // Latest first. What was only written back is in force from when a service took it, a moment later.
    let Some(then) = taken.iter().find(|taken| taken.at <= since).or(taken.last()) else { return Ok(BTreeMap::new()) };
    let Some(version) = store.version(&then.version).await? else { return Ok(BTreeMap::new()) };
    let at = then.at.max(since);
    let were_live = rules::said_in(&version.text).into_iter().map(|rule| (rule.id(), rule.told()));
    Ok(were_live.filter(|(id, told)| rules.get(id) == Some(told)).map(|(id, _)| (id, at)).collect())
}

/// Which of the comments that something hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Which {
    /// All of them.
    Hit,
    /// Those whose verdict hung on it.
    #[default]
    Decisive,
    /// Of these, what people decided against.
    Overturned,
}

impl Which {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Decisive, Self::Overturned, Self::Hit];

    /// Its name in addresses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Decisive => "decisive",
            Self::Overturned => "overturned",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|which| which.name() == name)
    }
}

/// A comment that something hit.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// The site.
    pub site: Arc<str>,
    /// The comment.
    pub comment: Glimpse,
    /// Whether the verdict hung on it.
    pub decisive: bool,
    /// Whether people decided against what it was decisive for.
    pub overturned: Option<bool>,
    /// Whether it ran in shadow.
    pub shadow: bool,
}

/// Comments that something hit.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Hits {
    /// Latest first.
    pub items: Vec<Hit>,
    /// Where to go on; a page may be short and not the last.
    pub next: Option<u128>,
}

/// The comments that `id` hit, latest first, from before that place; at most `most` of them, out of [`COUNTED_MAX`].
///
/// # Errors
/// The store failed.
pub async fn hits(
    store: &dyn Store,
    lens: &Lens,
    ask: &Ask,
    id: &str,
    which: Which,
    before: Option<u128>,
    most: usize,
) -> Result<Hits> {
    let mut wanted = Wanted { before, decided_only: which == Which::Overturned, ..ask.wanted() };
    let (mut found, mut done) = (Hits::default(), 0);
    loop {
        let page = store.verdicts(&wanted).await?;
        for judged in &page.items {
            let all = parts(&judged.verdict, judged.judged_by, &judged.site, lens);
            let Some(part) = all.iter().find(|part| part.id == id) else { continue };
            let action = judged.verdict.action;
            let overturned = judged.person.and_then(|person| part.is_overturned_by(person, action));
            let is_wanted = match which {
                Which::Hit => true,
                Which::Decisive => part.is_decisive(),
                Which::Overturned => overturned == Some(true),
            };
            if !is_wanted {
                continue;
            }
            if found.items.len() == most {
                // The place of the one before the first that is left out.
                found.next = Some(judged.place + 1);
                return Ok(found);
            }
            let Some(record) = store.comment_by_uid(judged.uid).await? else { continue };
            found.items.push(Hit {
                site: Arc::clone(&judged.site),
                comment: Glimpse::of(&record),
                decisive: part.is_decisive(),
                overturned,
                shadow: part.mode == Mode::Shadow,
            });
        }
        done += cost(page.items.len(), page.looked_at);
        wanted.before = page.next;
        if page.next.is_none() || done >= ask.counted_max {
            found.next = page.next;
            return Ok(found);
        }
    }
}
