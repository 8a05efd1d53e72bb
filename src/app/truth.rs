//! What rules do and whether people agree with them, for operators: verdicts are read page by page, within bounds, and counted here.
//!
//! Nothing is kept for it and nothing counted while comments come in. The latest verdicts are counted whole; further back than that, those that people
//! decided about alone, for there are never many of them. What was found says from when on it is of everything.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::app::house::House;
use crate::domain::people::Person;
use crate::domain::reads::Glimpse;
use crate::domain::rules::Told;
use crate::domain::rules::was::{RuleSet, Was};
use crate::domain::signal::{Evaluated, Mode, Outcome};
use crate::domain::store::{Result, Store, StoreError};
use crate::domain::time::Timestamp;
use crate::domain::truth::hints::{Seen, hints};
use crate::domain::truth::part::{Part, SANCTION, parts};
use crate::domain::truth::tally::{Counting, Tally};
use crate::domain::truth::{Account, Judged, JudgedPage, Lens, Measure, Wanted, Wording};

/// Days that are looked at where nothing is said.
pub const DAYS: i64 = 28;
/// Verdicts that are counted whole for one request.
pub const COUNTED_MAX: usize = 50_000;
/// Comments that people decided about and that are counted besides.
pub const DECIDED_MAX: usize = 20_000;
/// Comments looked at at once: others who read wait for no more than that.
const PAGE: usize = 250;
/// Rows that are not asked for and passed by at the cost of one verdict that is.
const PASSED_BY: usize = 16;
/// Comments that are listed at most.
pub const LISTED_MAX: usize = 100;
/// For so long is counted while somebody waits for it; what was not reached by then is told as such.
pub const PATIENCE: Duration = Duration::from_secs(4);

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
    /// For how long is counted; to the end, for `None`.
    pub patience: Option<Duration>,
}

impl Ask {
    /// Whether a rule has anything to do with the sites that are asked about.
    fn touches(&self, told: &Told) -> bool {
        let asked = |sites: &Vec<String>| told.sites.is_empty() || sites.iter().any(|site| told.sites.contains(site));
        self.sites.as_ref().is_none_or(asked)
    }

    fn wanted(&self) -> Wanted {
        let (sites, since, until) = (self.sites.clone(), self.since, self.until);
        Wanted { sites, since, until, before: None, decided_only: false, most: PAGE }
    }
}

/// The settings in force, as verdicts are read by them.
#[must_use]
pub fn lens(house: &House) -> Lens {
    let of = |(name, site): (&String, &crate::app::house::SiteHouse)| {
        (Arc::from(name.as_str()), Measure::of(site.policy.config()))
    };
    let rules: BTreeMap<String, Told> = house.rules.told().map(|(id, told)| (id.to_owned(), told.clone())).collect();
    let now: RuleSet = rules.iter().map(|(id, told)| (id.clone(), Was::from(told))).collect();
    Lens {
        general: Measure::of(house.policy.config()),
        sites: house.sites.iter().map(of).collect(),
        rules,
        under: HashMap::from([(house.hash.clone(), Some(Arc::new(now)))]),
    }
}

/// A lens through which verdicts are read, with the sets of rules that were needed so far, each once.
struct Reading {
    lens: Lens,
    sets: HashMap<String, Arc<RuleSet>>,
}

impl Reading {
    fn new(lens: Lens) -> Self {
        Self { lens, sets: HashMap::new() }
    }

    /// Looks up the rules under which these verdicts were made, as far as they are kept.
    async fn look_up(&mut self, store: &dyn Store, page: &[Judged]) -> Result<()> {
        let news =
            page.iter().map(|judged| &judged.verdict.policy).filter(|policy| !self.lens.under.contains_key(*policy));
        let news: Vec<String> = news.cloned().collect::<BTreeSet<_>>().into_iter().collect();
        if news.is_empty() {
            return Ok(());
        }
        let kept = store.rule_sets_of(&news).await?;
        for policy in news {
            let rules = match kept.get(&policy) {
                None => None,
                Some(set) => match self.sets.get(set) {
                    Some(rules) => Some(Arc::clone(rules)),
                    None => self.set(store, set).await?,
                },
            };
            self.lens.under.insert(policy, rules);
        }
        Ok(())
    }

    async fn set(&mut self, store: &dyn Store, name: &str) -> Result<Option<Arc<RuleSet>>> {
        let Some(rules) = store.rule_set(name).await? else { return Ok(None) };
        // One that is known already stays the one: sets are told apart by where they lie.
        let known = self.lens.under.values().flatten().find(|known| ***known == rules);
        let rules = known.map_or_else(|| Arc::new(rules), Arc::clone);
        self.sets.insert(name.to_owned(), Arc::clone(&rules));
        Ok(Some(rules))
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
pub async fn account(store: &dyn Store, lens: Lens, ask: &Ask, now: Timestamp) -> Result<Account> {
    let end = ask.patience.map(|patience| Instant::now() + patience);
    let mut counter = Counter { reading: Reading::new(lens), tally: Tally::default() };
    let mut wanted = ask.wanted();
    let mut reached;
    (counter, reached) = read(store, &mut wanted, ask.counted_max, end, counter, Counting::Everything).await?;
    let counted_since = reached.unwrap_or(ask.since);
    if reached.is_some() {
        wanted.decided_only = true;
        // However long the first part took, the second has its time: what people decided is what rules are judged by.
        let end = ask.patience.map(|patience| Instant::now() + patience / 2);
        (counter, reached) = read(store, &mut wanted, ask.decided_max, end, counter, Counting::Decided).await?;
    }
    let decided_since = reached.unwrap_or(ask.since);
    let Counter { reading, tally } = counter;
    let mut rules = reading.lens.rules;
    rules.retain(|_, told| ask.touches(told));
    let items = tally.truths(&rules, now);
    let hints = hints(&Seen {
        truths: &items,
        rules: &rules,
        tried: &tally.tried(&rules, ask.until.min(now)),
        together: &tally.together(),
        all_sites: ask.sites.is_none(),
        now,
    });
    let (since, until) = (ask.since, ask.until);
    let (comments, decided) = (tally.comments, tally.decided);
    let weeks_since = tally.weeks_since().map_or(decided_since, |weeks| weeks.max(decided_since));
    Ok(Account { since, until, comments, decided, counted_since, decided_since, weeks_since, hints, items })
}

/// What counts, between two pages.
struct Counter {
    reading: Reading,
    tally: Tally,
}

/// Reads pages until all are read, or so many verdicts, or for so long; answers how far it got, where that is not all. `wanted` goes on from there.
async fn read(
    store: &dyn Store,
    wanted: &mut Wanted,
    most: usize,
    end: Option<Instant>,
    mut counter: Counter,
    counting: Counting,
) -> Result<(Counter, Option<Timestamp>)> {
    let mut done = 0;
    let mut earliest = wanted.until;
    loop {
        let JudgedPage { items, looked_at, next } = store.verdicts(wanted).await?;
        counter.reading.look_up(store, &items).await?;
        earliest = items.iter().map(|judged| judged.at).fold(earliest, Timestamp::min);
        done += cost(items.len(), looked_at);
        // Taking verdicts apart is work, and threads that answer requests have others to serve.
        let counted = tokio::task::spawn_blocking(move || {
            for judged in &items {
                counter.tally.add(judged, &counter.reading.lens, counting);
            }
            counter
        });
        counter = counted.await.map_err(|error| StoreError::Unavailable(Box::new(error)))?;
        wanted.before = next.or(wanted.before);
        if next.is_none() {
            return Ok((counter, None));
        }
        if done >= most || end.is_some_and(|end| Instant::now() >= end) {
            return Ok((counter, Some(earliest)));
        }
    }
}

/// What a page costs, in verdicts.
const fn cost(verdicts: usize, looked_at: u32) -> usize {
    verdicts + (looked_at as usize).saturating_sub(verdicts) / PASSED_BY
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
    /// In which text, of a rule that is in the settings.
    pub wording: Option<Wording>,
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
    lens: Lens,
    ask: &Ask,
    id: &str,
    which: Which,
    before: Option<u128>,
    most: usize,
) -> Result<Hits> {
    let mut wanted = Wanted { before, decided_only: which == Which::Overturned, ..ask.wanted() };
    let end = ask.patience.map(|patience| Instant::now() + patience);
    let (mut found, mut done) = (Hits::default(), 0);
    let mut reading = Reading::new(lens);
    loop {
        let page = store.verdicts(&wanted).await?;
        reading.look_up(store, &page.items).await?;
        for judged in &page.items {
            if !stands_in(judged, id) {
                continue; // taking a verdict apart is work
            }
            let all = parts(&judged.verdict, judged.judged_by, &judged.site, &reading.lens);
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
                wording: wording(&reading.lens, ask, part),
            });
        }
        done += cost(page.items.len(), page.looked_at);
        wanted.before = page.next;
        if page.next.is_none() || done >= ask.counted_max || end.is_some_and(|end| Instant::now() >= end) {
            found.next = page.next;
            return Ok(found);
        }
    }
}

/// Whether something may be among what hit in a verdict.
fn stands_in(judged: &Judged, id: &str) -> bool {
    let hit = |signal: &Evaluated| signal.id == id && matches!(signal.outcome, Outcome::Hit { .. });
    // Sanctions go under one name, whatever they are called in the verdict.
    let is_cause = || id == SANCTION || judged.verdict.causes.iter().any(|cause| cause.id == id);
    judged.verdict.signals.iter().any(hit) || is_cause()
}

/// In which text a rule hit.
fn wording(lens: &Lens, ask: &Ask, part: &Part<'_>) -> Option<Wording> {
    let told = lens.rules.get(part.id).filter(|told| ask.touches(told))?;
    Some(match part.text {
        None => Wording::Unknown,
        Some(text) if text == told.text => Wording::Current,
        Some(_) => Wording::Earlier,
    })
}
