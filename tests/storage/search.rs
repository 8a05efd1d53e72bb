//! Finding comments by their words, and counts of the queue against a model so simple that it is plainly right.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use doorward::domain::category::Category;
use doorward::domain::comment::Article;
use doorward::domain::decision::{Action, Cause, Status};
use doorward::domain::people::Reach;
use doorward::domain::search::{Question, SearchFilter};
use doorward::domain::service::queues::{self, QueueConfig, Queues};
use doorward::domain::store::{AuthorKind, PageRequest, QueueFilter, QueuePage, QueueSort, QueueSum, Store};
use doorward::domain::time::Timestamp;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};

use crate::made::{Made, at, first_page, id, moderator, ruling, site, worker};
use crate::suite::Engine;

fn asked(question: &str) -> SearchFilter {
    SearchFilter { question: Question::read(question), ..SearchFilter::default() }
}

async fn found(store: &dyn Store, filter: &SearchFilter) -> Vec<String> {
    let page = store.comment_search(filter, &first_page(500)).await.unwrap();
    assert_eq!(page.next_cursor, None);
    page.items.iter().map(|record| record.comment.id.to_string()).collect()
}

async fn index(store: &dyn Store) {
    while store.search_index(3).await.unwrap().more {}
}

async fn queued(store: &dyn Store, question: &str) -> Vec<String> {
    let filter = QueueFilter { q: Some(question.to_owned()), ..QueueFilter::default() };
    let page = store.queue(&filter, QueueSort::Newest, &first_page(500), at(900)).await.unwrap();
    assert_eq!(page.held, page.items.len() as u64);
    page.items.iter().map(|item| item.record.comment.id.to_string()).collect()
}

/// A news desk changes a headline while comments under it wait.
pub(crate) async fn what_waits_is_found_by_the_title_that_its_article_has_now(engine: &dyn Engine) {
    let store = engine.open().await;
    let store = &*store;
    let news = site(store, "news").await;
    let titled = |title: &str| Article { title: Some(title.to_owned()), ..Article::named(id("a-9")) };
    let made = Made::new(&news, "c-1").held(None, &[], 0.5).with_article(titled("Bees of the city"));
    made.body("How nice").at(1).store(store).await;
    index(store).await;
    assert_eq!((queued(store, "bees").await, queued(store, "wasps").await), (vec!["c-1".to_owned()], vec![]));
    store.article_put(news.id, titled("Wasps of the city"), at(2)).await.unwrap();
    for step in ["directly", "by the index"] {
        assert_eq!(
            (queued(store, "wasps").await, queued(store, "bees").await),
            (vec!["c-1".to_owned()], vec![]),
            "{step}"
        );
        assert_eq!(found(store, &asked("wasps")).await, ["c-1"], "{step}");
        assert!(found(store, &asked("bees")).await.is_empty(), "{step}");
        index(store).await;
    }
}

/// `harm` damages what is stored of the comment with that number in order of arrival, behind the store's back.
pub(crate) async fn an_unreadable_comment_keeps_nothing_else_from_being_found(
    store: &dyn Store,
    harm: impl AsyncFn(u32),
) {
    let news = site(store, "news").await;
    for (number, name) in (1..).zip(["c-1", "c-2", "c-3"]) {
        Made::new(&news, name).held(None, &[], 0.5).body("Another bridge").at(number).store(store).await;
    }
    harm(2).await;
    let page = store.queue(&QueueFilter::default(), QueueSort::Newest, &first_page(9), at(900)).await.unwrap();
    let shown: Vec<_> = page.items.iter().map(|item| item.record.comment.id.as_str()).collect();
    assert_eq!((shown, page.held), (vec!["c-3", "c-1"], 3), "it is counted, and not shown");
    for step in ["directly", "by the index"] {
        assert_eq!(found(store, &asked("bridge")).await, ["c-3", "c-1"], "{step}");
        assert_eq!(queued(store, "bridge").await, ["c-3", "c-1"], "{step}");
        index(store).await;
    }
    Made::new(&news, "c-4").held(None, &[], 0.5).body("Another bridge").at(4).store(store).await;
    assert_eq!(store.search_index(100).await.unwrap().entered, 1, "the index goes on after it");
    assert_eq!(queued(store, "bridge").await, ["c-4", "c-3", "c-1"]);
    assert_eq!(found(store, &asked("bridge")).await, ["c-4", "c-3", "c-1"]);
}

/// Nothing is missed before the index has got there, nor after an edit; and nothing is found by words that are gone.
pub(crate) async fn search_finds_words_wherever_the_index_has_got(engine: &dyn Engine) {
    let store = engine.open().await;
    let store = &*store;
    let news = site(store, "news").await;
    let bees = Article { title: Some("Bees of the city".to_owned()), ..Article::named(id("a-9")) };
    Made::new(&news, "c-1").body("The <b>bridge</b> is closed").author_name("Zoë").at(1).store(store).await;
    Made::new(&news, "c-2").held(None, &[], 0.5).body("旧桥明年关闭").at(2).store(store).await;
    Made::new(&news, "c-3").with_article(bees).body("Bridges burn").at(3).store(store).await;
    Made::new(&news, "c-4").held(None, &[], 0.5).body("Another bridge").at(4).store(store).await;
    for step in ["directly", "by the index"] {
        for (question, expected) in [
            ("bridge", vec!["c-4", "c-3", "c-1"]),
            ("bridge ", vec!["c-4", "c-1"]),
            ("BRIDGE closed", vec!["c-1"]),
            ("bees", vec!["c-3"]),
            ("zoë", vec!["c-1"]),
            ("旧桥", vec!["c-2"]),
            ("关闭", vec!["c-2"]),
            ("桥旧", vec![]),
            ("bridge OR bees", vec![]),
            ("bridge* NOT \"closed", vec![]),
            ("words:bridge", vec![]),
            ("-", vec![]),
        ] {
            assert_eq!(found(store, &asked(question)).await, expected, "{question}, {step}");
        }
        assert_eq!(queued(store, "bridge").await, ["c-4"], "{step}");
        assert_eq!(queued(store, "旧桥").await, ["c-2"], "{step}");
        index(store).await;
    }
    for edited in ["c-1", "c-4"] {
        let made = Made::new(&news, edited).body("The tunnel is closed").at(5);
        let made = if edited == "c-4" { made.held(None, &[], 0.5) } else { made };
        made.revise(store).await.unwrap();
    }
    for step in ["directly", "by the index"] {
        assert_eq!(found(store, &asked("tunnel")).await, ["c-4", "c-1"], "{step}");
        assert_eq!(found(store, &asked("bridge")).await, ["c-3"], "{step}");
        assert_eq!((queued(store, "tunnel").await, queued(store, "bridge").await.len()), (vec!["c-4".to_owned()], 0));
        index(store).await;
    }
    store.comment_erase(news.id, &id("c-4"), moderator(), at(6)).await.unwrap();
    assert_eq!(
        (found(store, &asked("tunnel")).await, queued(store, "tunnel").await.len()),
        (vec!["c-1".to_owned()], 0)
    );
    index(store).await;
    store.close().await;
    let store = engine.open().await;
    Made::new(&news, "c-5").body("A tunnel again").at(7).store(&*store).await;
    assert_eq!(found(&*store, &asked("tunnel")).await, ["c-5", "c-1"]);
    store.site_delete("news", moderator(), at(8)).await.unwrap();
    index(&*store).await;
    assert!(found(&*store, &asked("tunnel")).await.is_empty());
}

/// Site, status, author and reach bound what is found, whether the index has got there or not.
pub(crate) async fn search_stays_within_reach_and_conditions(engine: &dyn Engine) {
    let store = engine.open().await;
    let store = &*store;
    let (news, blog) = (site(store, "news").await, site(store, "blog").await);
    let sports = Article { section: Some("sports".to_owned()), ..Article::named(id("a-2")) };
    Made::new(&news, "c-1").body("rain").author("u-1").at(1).store(store).await;
    Made::new(&news, "c-2").body("rain").with_article(sports).lang("de").at(2).store(store).await;
    Made::new(&blog, "c-3").body("rain").rejected().at(3).store(store).await;
    Made::new(&blog, "c-4").body("rain").held(None, &[], 0.1).author("u-1").at(4).store(store).await;
    let reach = |sites: Option<&str>, sections: Option<&str>, langs: Option<&str>| {
        let list = |name: Option<&str>| name.map(|name| vec![name.to_owned()]);
        Reach { sites: list(sites), sections: list(sections), langs: list(langs) }
    };
    for _ in 0..2 {
        for (what, filter, expected) in [
            ("all", asked("rain"), vec!["c-4", "c-3", "c-2", "c-1"]),
            ("site", SearchFilter { site: Some("blog".to_owned()), ..asked("rain") }, vec!["c-4", "c-3"]),
            ("unknown site", SearchFilter { site: Some("nowhere".to_owned()), ..asked("rain") }, vec![]),
            ("status", SearchFilter { status: Some(Status::Rejected), ..asked("rain") }, vec!["c-3"]),
            ("author", SearchFilter { author: Some("u-1".to_owned()), ..asked("rain") }, vec!["c-4", "c-1"]),
            ("sites", SearchFilter { reach: reach(Some("news"), None, None), ..asked("rain") }, vec!["c-2", "c-1"]),
            ("sections", SearchFilter { reach: reach(None, Some("sports"), None), ..asked("rain") }, vec!["c-2"]),
            ("langs", SearchFilter { reach: reach(None, None, Some("de")), ..asked("rain") }, vec!["c-2"]),
            ("nothing", SearchFilter { reach: reach(Some("shop"), None, None), ..asked("rain") }, vec![]),
        ] {
            assert_eq!(found(store, &filter).await, expected, "{what}");
        }
        index(store).await;
    }
}

/// However the index, its tail and edits lie, pages join to the whole.
pub(crate) async fn search_pages_without_gap_or_repeat(engine: &dyn Engine) {
    let store = engine.open().await;
    let store = &*store;
    let news = site(store, "news").await;
    for n in 0..40 {
        Made::new(&news, &format!("c-{n}")).body(if n % 3 == 0 { "rain" } else { "sun" }).at(n).store(store).await;
        if n == 25 {
            index(store).await;
        }
    }
    for n in [3, 4, 24, 30] {
        Made::new(&news, &format!("c-{n}")).body("rain again").at(100).revise(store).await.unwrap();
    }
    let expected: Vec<String> = (0..40).rev().filter(|n| n % 3 == 0 || *n == 4).map(|n| format!("c-{n}")).collect();
    for limit in [1, 2, 5, 50] {
        let (mut all, mut cursor) = (Vec::new(), None);
        loop {
            let page = store.comment_search(&asked("rain"), &PageRequest { limit, cursor }).await.unwrap();
            assert!(page.items.len() <= limit);
            all.extend(page.items.iter().map(|record| record.comment.id.to_string()));
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(all, expected, "by {limit}");
    }
    let forged = PageRequest { limit: 5, cursor: Some("nonsense".to_owned()) };
    assert!(store.comment_search(&asked("rain"), &forged).await.is_err());
}

/// What the model knows of a comment that waits.
#[derive(Debug, Clone)]
struct Waits {
    name: String,
    site: String,
    category: Option<Category>,
    signals: Vec<&'static str>,
    section: Option<String>,
    lang: String,
    author: String,
    article: String,
    kind: AuthorKind,
    claimed: Option<String>,
    body: &'static str,
    since: Timestamp,
}

impl Waits {
    /// The name of its queue.
    fn queue(&self) -> Option<String> {
        let signals = self.signals.join(" ");
        let item = queues::Waits {
            site: &self.site,
            category: self.category,
            signals: &signals,
            section: self.section.as_deref(),
            lang: Some(&self.lang),
        };
        let queues = named();
        queues.of(&item).and_then(|at| queues.get(at)).map(|queue| queue.name.clone())
    }
}

/// Queues by every kind of condition.
fn named() -> Arc<Queues> {
    let queue = |name: &str| QueueConfig { name: name.to_owned(), ..QueueConfig::default() };
    let list = |entry: &str| vec![entry.to_owned()];
    let all = [
        QueueConfig { categories: vec![Category::Abuse], langs: list("de"), ..queue("abuse") },
        QueueConfig { tags: list("coins"), ..queue("coins") },
        QueueConfig { sites: list("a"), sections: list("s-1"), ..queue("local") },
        QueueConfig { sites: list("b"), ..queue("rest") },
    ];
    Arc::new(Queues::new(&all).unwrap())
}

#[derive(Debug, Clone)]
struct Sent {
    site: usize,
    author: u8,
    article: u8,
    lang: u8,
    category: u8,
    signals: u8,
    body: u8,
    then: u8,
}

fn sent() -> impl Strategy<Value = Sent> {
    let where_ = (0..2_usize, 0..4_u8, 0..4_u8, 0..2_u8);
    (where_, (0..4_u8, 0..8_u8, 0..3_u8, 0..6_u8)).prop_map(
        |((site, author, article, lang), (category, signals, body, then))| Sent {
            site,
            author,
            article,
            lang,
            category,
            signals,
            body,
            then,
        },
    )
}

const BODIES: [&str; 3] = ["rain on the harbour", "sun on the harbour", "rain and sun"];
const SIGNALS: [&str; 3] = ["blocklist", "shouting", "tag:coins"];

#[expect(clippy::unnecessary_wraps, reason = "conditions are written as they are asked for")]
fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// Every filter that the model will try, one condition each.
fn conditions() -> Vec<QueueFilter> {
    let none = || QueueFilter { queues: named(), ..QueueFilter::default() };
    let mut all = vec![none()];
    all.extend(["a", "b"].map(|site| QueueFilter { sites: vec![site.to_owned()], ..none() }));
    all.extend(Category::ALL.map(|category| QueueFilter { category: Some(category), ..none() }));
    all.extend(SIGNALS.map(|signal| QueueFilter { signal: some(signal), ..none() }));
    all.extend(["s-1", "s-2"].map(|section| QueueFilter { section: some(section), ..none() }));
    all.extend(["en", "de"].map(|lang| QueueFilter { lang: some(lang), ..none() }));
    all.extend(AuthorKind::ALL.map(|kind| QueueFilter { author_kind: Some(kind), ..none() }));
    all.extend(["none", "ann@example.org", "bob@example.org"].map(|by| QueueFilter { assigned: some(by), ..none() }));
    all.extend(["u-1", "u-2"].map(|author| QueueFilter { author: some(author), ..none() }));
    all.extend(["abuse", "coins", "local", "nowhere"].map(|queue| QueueFilter { queue: some(queue), ..none() }));
    all.push(QueueFilter { article: some("a-1"), ..none() });
    all.extend(["rain", "sun har", "nothing"].map(|q| QueueFilter { q: some(q), ..none() }));
    let sections = Reach { sections: Some(vec!["s-1".to_owned()]), ..Reach::ALL };
    all.push(QueueFilter { reach: sections, ..none() });
    all
}

/// Both filters' conditions together; of two of a kind the second.
fn joined(one: &QueueFilter, other: &QueueFilter) -> QueueFilter {
    let (one, other) = (one.clone(), other.clone());
    QueueFilter {
        sites: if other.sites.is_empty() { one.sites } else { other.sites },
        category: other.category.or(one.category),
        signal: other.signal.or(one.signal),
        section: other.section.or(one.section),
        lang: other.lang.or(one.lang),
        article: other.article.or(one.article),
        author: other.author.or(one.author),
        author_kind: other.author_kind.or(one.author_kind),
        campaign: None,
        assigned: other.assigned.or(one.assigned),
        reported: other.reported || one.reported,
        queue: other.queue.or(one.queue),
        queues: other.queues,
        q: other.q.or(one.q),
        uids: None,
        reach: if other.reach.is_all() { one.reach } else { other.reach },
    }
}

fn passes(filter: &QueueFilter, waits: &Waits) -> bool {
    let words = |q: &str| match q {
        "sun har" => waits.body == BODIES[1],
        q => waits.body.contains(q),
    };
    (filter.sites.is_empty() || filter.sites.contains(&waits.site))
        && filter.category.is_none_or(|category| waits.category == Some(category))
        && filter.signal.as_ref().is_none_or(|signal| waits.signals.contains(&signal.as_str()))
        && (filter.section.is_none() || filter.section == waits.section)
        && filter.lang.as_ref().is_none_or(|lang| *lang == waits.lang)
        && filter.article.as_ref().is_none_or(|article| *article == waits.article)
        && filter.author.as_ref().is_none_or(|author| *author == waits.author)
        && filter.author_kind.is_none_or(|kind| kind == waits.kind)
        && filter.assigned.as_ref().is_none_or(|by| waits.claimed.as_deref().unwrap_or("none") == by)
        && filter.q.as_deref().is_none_or(words)
        && (filter.queue.is_none() || filter.queue == waits.queue())
        && filter.reach.covers(&waits.site, waits.section.as_deref(), Some(&waits.lang))
}

fn counts<K: Ord>(all: &[Waits], filter: &QueueFilter, names: impl Fn(&Waits) -> Vec<K>) -> BTreeMap<K, u64> {
    let mut counts = BTreeMap::new();
    for name in all.iter().filter(|waits| passes(filter, waits)).flat_map(names) {
        *counts.entry(name).or_insert(0) += 1;
    }
    counts
}

fn agree(all: &[Waits], filter: &QueueFilter, page: &QueuePage) {
    let expected: BTreeSet<String> =
        all.iter().filter(|waits| passes(filter, waits)).map(|waits| waits.name.clone()).collect();
    let items: BTreeSet<String> = page.items.iter().map(|item| item.record.comment.id.to_string()).collect();
    assert_eq!((&items, page.held), (&expected, expected.len() as u64), "{filter:?}");
    let f = || filter.clone();
    let name = |category: Option<Category>| category.map_or("none", Category::name).to_owned();
    let oldest = all.iter().filter(|waits| passes(filter, waits)).map(|waits| waits.since).min();
    assert_eq!(page.oldest, oldest, "{filter:?}");
    assert_eq!(page.by_site, counts(all, &QueueFilter { sites: vec![], ..f() }, |w| vec![w.site.clone()]));
    assert_eq!(page.by_category, counts(all, &QueueFilter { category: None, ..f() }, |w| vec![name(w.category)]));
    let signals = |w: &Waits| w.signals.iter().map(|signal| (*signal).to_owned()).collect();
    assert_eq!(page.by_signal, counts(all, &QueueFilter { signal: None, ..f() }, signals));
    let section = |w: &Waits| w.section.iter().cloned().collect();
    assert_eq!(page.by_section, counts(all, &QueueFilter { section: None, ..f() }, section));
    assert_eq!(page.by_lang, counts(all, &QueueFilter { lang: None, ..f() }, |w| vec![w.lang.clone()]));
    assert_eq!(page.by_author_kind, counts(all, &QueueFilter { author_kind: None, ..f() }, |w| vec![w.kind]));
    let assigned = |w: &Waits| vec![w.claimed.clone().unwrap_or_else(|| "none".to_owned())];
    assert_eq!(page.by_assigned, counts(all, &QueueFilter { assigned: None, ..f() }, assigned));
    let mut by_queue: BTreeMap<String, QueueSum> = BTreeMap::new();
    for waits in all.iter().filter(|waits| passes(&QueueFilter { queue: None, ..f() }, waits)) {
        let Some(name) = waits.queue() else { continue };
        let sum = by_queue.entry(name).or_insert(QueueSum { waiting: 0, oldest: waits.since });
        (sum.waiting, sum.oldest) = (sum.waiting + 1, sum.oldest.min(waits.since));
    }
    assert_eq!(page.by_queue, by_queue, "{filter:?}");
    for item in &page.items {
        let waits = all.iter().find(|waits| waits.name == item.record.comment.id.as_str()).unwrap();
        assert_eq!(item.queue, waits.queue(), "{}", waits.name);
    }
}

/// For every filter of one condition or two: items, totals and every facet are what counting by hand gives, after claims, decisions and undo.
pub(crate) async fn every_filter_counts_what_a_simple_model_counts(engine: &dyn Engine) {
    let all = prop::collection::vec(sent(), 120);
    agrees_with_a_simple_model(engine, &made_of(&all), 1).await;
}

/// The same where many wait that are alike in everything that is counted by, as in a wave.
pub(crate) async fn every_filter_counts_what_a_simple_model_counts_in_a_wave(engine: &dyn Engine) {
    let few = |sent: Sent| Sent {
        signals: sent.signals & 1,
        category: sent.category & 1,
        lang: 0,
        article: sent.article & 2,
        ..sent
    };
    let all = prop::collection::vec(sent().prop_map(few), 400);
    agrees_with_a_simple_model(engine, &made_of(&all), 5).await;
}

fn made_of(all: &impl Strategy<Value = Vec<Sent>>) -> Vec<Sent> {
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRunner::deterministic().new_rng());
    all.new_tree(&mut runner).unwrap().current()
}

/// Tries one of `step` pairs of conditions.
async fn agrees_with_a_simple_model(engine: &dyn Engine, all: &[Sent], step: usize) {
    let store = engine.open().await;
    let store = &*store;
    let sites = [site(store, "a").await, site(store, "b").await];
    let mut waiting: Vec<Waits> = Vec::new();
    let mut approved: BTreeSet<(usize, u8)> = BTreeSet::new();
    let filters = conditions();
    for (n, sent) in all.iter().enumerate() {
        let seconds = i64::try_from(n).unwrap();
        let category = Category::ALL.get(usize::from(sent.category)).copied();
        let hits: Vec<&'static str> = SIGNALS
            .into_iter()
            .enumerate()
            .filter(|(bit, _)| sent.signals >> bit & 1 == 1)
            .map(|(_, name)| name)
            .collect();
        let section = (sent.article > 1).then(|| format!("s-{}", sent.article - 1));
        let article = Article { section: section.clone(), ..Article::named(id(&format!("a-{}", sent.article))) };
        let name = format!("c-{n}");
        let made = Made::new(&sites[sent.site], &name)
            .with_article(article)
            .author(&format!("u-{}", sent.author))
            .lang(["en", "de"][usize::from(sent.lang)])
            .body(BODIES[usize::from(sent.body)])
            .at(seconds);
        if sent.then == 0 {
            made.store(store).await; // approved: from now on its author is known there
            approved.insert((sent.site, sent.author));
            continue;
        }
        // A tag is no signal; it is filtered by as one.
        let checks: Vec<&str> = hits.iter().copied().filter(|hit| !hit.starts_with("tag:")).collect();
        let mut made = made.held(category, &checks, 0.5);
        let tags = hits.iter().filter(|hit| hit.starts_with("tag:"));
        made.0
            .verdict
            .causes
            .extend(tags.map(|tag| Cause { id: (*tag).to_owned(), text: "A rule says so.".to_owned() }));
        let record = made.store(store).await;
        let known = approved.contains(&(sent.site, sent.author));
        let mut waits = Waits {
            name,
            site: ["a", "b"][sent.site].to_owned(),
            category,
            signals: hits,
            section,
            lang: ["en", "de"][usize::from(sent.lang)].to_owned(),
            author: format!("u-{}", sent.author),
            article: format!("a-{}", sent.article),
            kind: if known { AuthorKind::Known } else { AuthorKind::New },
            claimed: None,
            body: BODIES[usize::from(sent.body)],
            since: at(seconds),
        };
        match sent.then {
            1 | 2 => {
                let by = ["ann@example.org", "bob@example.org"][usize::from(sent.then - 1)];
                store.claim(&[record.uid], &worker(by), at(10_000), at(seconds)).await.unwrap();
                waits.claimed = some(by);
                waiting.push(waits);
            }
            3 => drop(store.rule(ruling(Action::Reject, &[&record], seconds)).await.unwrap()),
            4 => {
                let ruled = store.rule(ruling(Action::Reject, &[&record], seconds)).await.unwrap();
                store.unrule(ruled.decision, moderator(), &Reach::ALL, at(seconds)).await.unwrap();
                waiting.push(waits);
            }
            _ => waiting.push(waits),
        }
        if n % 17 == 0 {
            let page = store.queue(&filters[0], QueueSort::Oldest, &first_page(500), at(1_000)).await.unwrap();
            agree(&waiting, &filters[0], &page);
        }
    }
    for (n, one) in filters.iter().enumerate() {
        for other in filters.iter().skip(n % step).step_by(step) {
            let filter = joined(one, other);
            let page = store.queue(&filter, QueueSort::Oldest, &first_page(500), at(1_000)).await.unwrap();
            agree(&waiting, &filter, &page);
        }
    }
    for (filter, sort) in filters.iter().zip([QueueSort::Oldest, QueueSort::Newest].into_iter().cycle()) {
        let mut expected: Vec<&str> =
            waiting.iter().filter(|waits| passes(filter, waits)).map(|waits| waits.name.as_str()).collect();
        if sort == QueueSort::Newest {
            expected.reverse();
        }
        let (mut got, mut request) = (Vec::new(), first_page(2));
        loop {
            let page = store.queue(filter, sort, &request, at(1_000)).await.unwrap();
            got.extend(page.items.iter().map(|item| item.record.comment.id.to_string()));
            request.cursor = page.next_cursor;
            if request.cursor.is_none() {
                break;
            }
        }
        assert_eq!(got, expected, "{sort:?}, {filter:?}");
    }
    // Claims that ran out count as none.
    let page = store.queue(&filters[0], QueueSort::Oldest, &first_page(1), at(20_000)).await.unwrap();
    assert_eq!(page.by_assigned, BTreeMap::from([("none".to_owned(), waiting.len() as u64)]));
}

pub(crate) async fn queue_finds_what_is_named_wherever_it_stands(engine: &dyn Engine) {
    let store = engine.open().await;
    let (news, blog) = (site(&*store, "news").await, site(&*store, "blog").await);
    let low = Made::new(&news, "c-1").held(None, &[], 0.1).store(&*store).await;
    Made::new(&news, "c-2").held(None, &[], 0.9).store(&*store).await;
    let there = Made::new(&blog, "c-1").held(None, &[], 0.5).store(&*store).await;
    let named = QueueFilter { uids: Some(vec![low.uid, there.uid, uuid::Uuid::nil()]), ..QueueFilter::default() };
    let found = async |filter: QueueFilter| {
        let page = store.queue(&filter, QueueSort::Priority, &first_page(9), at(9)).await.unwrap();
        (page.items.iter().map(|item| item.record.uid).collect::<Vec<_>>(), page.held)
    };
    assert_eq!(found(named.clone()).await, (vec![there.uid, low.uid], 2));
    assert_eq!(found(QueueFilter { sites: vec!["news".to_owned()], ..named.clone() }).await, (vec![low.uid], 1));
    let reach = Reach { sites: Some(vec!["blog".to_owned()]), ..Reach::ALL };
    assert_eq!(found(QueueFilter { reach, ..named }).await, (vec![there.uid], 1), "a name opens nothing");
}
