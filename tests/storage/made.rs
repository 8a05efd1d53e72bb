//! Comments, verdicts and rulings for tests, made by hand: the store takes them as they are.

use std::sync::Arc;

use doorward::domain::appeal::{Appeal, AppealAnswer, Opened};
use doorward::domain::category::{Category, PerCategory};
use doorward::domain::comment::{Article, Author, ExternalId, Format, NewComment};
use doorward::domain::decision::{Action, Actor, DecidedBy, Record, Status, Verdict};
use doorward::domain::model::{ModelOutput, Term};
use doorward::domain::people::{Person, Reach, Role};
use doorward::domain::scores::{LogOdds, Score};
use doorward::domain::signal::{Evaluated, Mode, Outcome, Span};
use doorward::domain::site::{Scope, Site, SiteId};
use doorward::domain::store::{ContentHash, NewRecord, PageRequest, Recording, Ruling, SealedSecrets, Seen, Store};
use doorward::domain::time::Timestamp;
use doorward::domain::trace::{LinkTrace, TextTrace, Trace};
use xxhash_rust::xxh3::xxh3_64;

/// 2026-11-24T10:00:00Z and some seconds.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_795_514_400_000 + seconds * 1_000)
}

pub(crate) fn id(text: &str) -> ExternalId {
    ExternalId::parse("id", text.to_owned()).unwrap()
}

pub(crate) fn first_page(limit: usize) -> PageRequest {
    PageRequest { limit, cursor: None }
}

pub(crate) fn moderator() -> Actor {
    Actor::Person("mod@example.org".to_owned())
}

/// Somebody who may do everything.
pub(crate) fn worker(email: &str) -> Person {
    Person { id: 1, email: email.to_owned(), role: Role::Moderator, reach: Reach::ALL }
}

pub(crate) fn secrets(name: &str) -> SealedSecrets {
    let mut akismet_hash = [0; 32];
    akismet_hash[..8].copy_from_slice(&xxh3_64(name.as_bytes()).to_le_bytes());
    SealedSecrets { akismet_hash, inbound: vec![1], webhook: vec![2], akismet: vec![3] }
}

/// A site with a key of its own.
pub(crate) async fn site(store: &dyn Store, name: &str) -> Arc<Site> {
    let secrets = secrets(name);
    let key = secrets.akismet_hash;
    let site = store.site_create(name, None, None, key, &[Scope::Post, Scope::Read], secrets, at(0)).await.unwrap();
    Arc::new(site)
}

/// A comment that is to be stored, step by step.
#[derive(Clone)]
pub(crate) struct Made(pub(crate) NewRecord);

impl Made {
    /// Approved, by an anonymous author under article `a-1`.
    pub(crate) fn new(site: &Arc<Site>, name: &str) -> Self {
        let comment = NewComment {
            id: id(name),
            article: Article::named(id("a-1")),
            parent_id: None,
            author: Author { name: Some("Ann".to_owned()), ..Author::default() },
            body: format!("I liked the part about {name}."),
            format: Format::Text,
            created_at: None,
            honeypot: None,
            typing_ms: Some(8_400),
            referrer: None,
        };
        let record = NewRecord {
            site: Arc::clone(site),
            content: ContentHash(0),
            trace: trace(site.id, &comment),
            comment,
            article: None,
            verdict: verdict(Action::Approve, None, &[]),
            status: Status::Approved,
            decided_by: DecidedBy::Policy,
            priority: 0.0,
            lang: Some("en".to_owned()),
            received_at: at(0),
            effect: None,
            membership: None,
            tell: false,
            lot: None,
            callback: None,
        };
        Self(record).hashed()
    }

    pub(crate) fn at(mut self, seconds: i64) -> Self {
        self.0.received_at = at(seconds);
        self
    }

    pub(crate) fn body(mut self, body: &str) -> Self {
        body.clone_into(&mut self.0.comment.body);
        self.hashed()
    }

    pub(crate) fn author(mut self, account: &str) -> Self {
        self.0.comment.author.id = Some(id(account));
        self.hashed()
    }

    pub(crate) fn author_name(mut self, name: &str) -> Self {
        self.0.comment.author.name = Some(name.to_owned());
        self.hashed()
    }

    pub(crate) fn under(mut self, article: &str) -> Self {
        self.0.comment.article = Article::named(id(article));
        self.hashed()
    }

    pub(crate) fn with_article(mut self, article: Article) -> Self {
        self.0.comment.article = article.clone();
        self.0.article = Some(article);
        self.hashed()
    }

    pub(crate) fn lang(mut self, lang: &str) -> Self {
        self.0.lang = Some(lang.to_owned());
        self
    }

    pub(crate) fn held(mut self, category: Option<Category>, signals: &[&str], priority: f64) -> Self {
        self.0.verdict = verdict(Action::Hold, category, signals);
        self.0.status = Status::Held;
        self.0.priority = priority;
        self
    }

    pub(crate) fn rejected(mut self) -> Self {
        self.0.verdict = verdict(Action::Reject, Some(Category::Spam), &["blocklist"]);
        self.0.status = Status::Rejected;
        self
    }

    fn hashed(mut self) -> Self {
        let comment = &self.0.comment;
        let all = format!("{:?}{:?}{}", comment.author, comment.article.id, comment.body);
        self.0.content = ContentHash(u128::from(xxh3_64(all.as_bytes())));
        self.0.trace = trace(self.0.site.id, comment);
        self
    }

    pub(crate) async fn send(self, store: &dyn Store) -> Recording {
        store.comment_record(self.0).await.unwrap()
    }

    /// Stores it; it must be new.
    pub(crate) async fn store(self, store: &dyn Store) -> Record {
        match self.send(store).await {
            Recording::New(record) => record,
            other => panic!("expected a new comment, got {other:?}"),
        }
    }

    pub(crate) async fn revise(self, store: &dyn Store) -> Option<Record> {
        store.comment_revise(self.0).await.unwrap()
    }
}

fn trace(site: SiteId, comment: &NewComment) -> Trace {
    let hash = |kind: &str, text: &str| xxh3_64(format!("{kind}{}{text}", site.0).as_bytes());
    let account = comment.author.id.as_ref().map(ExternalId::as_str);
    Trace {
        site,
        comment: hash("c", comment.id.as_str()),
        comment_id: comment.id.as_str().into(),
        article: hash("a", comment.article.id.as_str()),
        author: hash("u", account.or(comment.author.name.as_deref()).unwrap_or_default()),
        author_known: account.is_some(),
        staff: false,
        links: vec![LinkTrace { url: hash("l", &comment.body), domain: 7 }],
        text: Some(TextTrace { exact: hash("t", &comment.body), sketch: [1 << 31; 16], size: 40 }),
        headlines: Vec::new(),
        short: None,
    }
}

/// As policy freezes them: every signal of the list, some of which hit.
pub(crate) fn verdict(action: Action, category: Option<Category>, hits: &[&str]) -> Verdict {
    let ids = [
        "link-count",
        "repeated-link",
        "unrelated-headline",
        "off-topic",
        "duplicate-text",
        "blocklist",
        "disguised-text",
        "shouting",
        "author-history",
        "form-behaviour",
        "limit-reached",
    ];
    let outcome = |hit: bool| {
        if hit {
            let evidence = "it carries what such comments carry".to_owned();
            Outcome::Hit { weight: LogOdds::of(1.5), evidence, spans: vec![Span::body(0..5)] }
        } else {
            Outcome::Clear
        }
    };
    let evaluated = |id: &str| Evaluated {
        id: id.to_owned().into(),
        category: Category::Spam,
        mode: Mode::Live,
        outcome: outcome(hits.contains(&id)),
    };
    Verdict {
        action,
        category,
        scores: PerCategory::from_fn(|_| Score::new(0.25).unwrap()),
        prior: PerCategory::from_fn(|_| LogOdds::of(-2.0)),
        signals: ids.map(evaluated).to_vec(),
        model: ModelOutput::Scored {
            version: "2026-11-24".to_owned(),
            spam: LogOdds::of(-1.25),
            abuse: LogOdds::of(-2.0),
            terms: vec![Term { category: Category::Spam, text: "liked".to_owned(), log_odds: LogOdds::of(-0.4) }],
        },
        adjustments: Vec::new(),
        causes: Vec::new(),
        policy: "0123456789abcdef".to_owned(),
    }
}

pub(crate) fn seen(record: &Record) -> Seen {
    Seen { uid: record.uid, seen_version: record.version }
}

pub(crate) fn ruling(action: Action, items: &[&Record], seconds: i64) -> Ruling {
    Ruling {
        items: items.iter().map(|record| seen(record)).collect(),
        action,
        category: None,
        reason: Some("because".to_owned()),
        note: None,
        by: moderator(),
        at: at(seconds),
        reach: Reach::ALL,
        tell_at: at(seconds),
    }
}

/// A new appeal on that comment.
pub(crate) async fn appealed(store: &dyn Store, site: SiteId, name: &str, text: Option<&str>, seconds: i64) -> Appeal {
    match store.appeal_open(site, &id(name), text.map(str::to_owned), at(seconds)).await.unwrap() {
        Opened::New(appeal) => *appeal,
        other => panic!("expected a new appeal, got {other:?}"),
    }
}

/// That what was decided stays.
pub(crate) fn upheld(appeal: &Appeal, answer: Option<&str>, seconds: i64) -> AppealAnswer {
    AppealAnswer {
        uid: appeal.uid,
        overturn: false,
        answer: answer.map(str::to_owned),
        by: moderator(),
        reach: Reach::ALL,
        at: at(seconds),
        tell_at: at(seconds),
    }
}
