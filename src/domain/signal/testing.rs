//! A comment with its surroundings, for the tables of the checks' tests.

use std::sync::{Arc, LazyLock};

use super::{Allowance, Context, Outcome, Resources, Signal};
use crate::domain::comment::{ArticleDraft, AuthorDraft, Bounds, Comment, Draft, Format};
use crate::domain::embedding::Embedding;
use crate::domain::history::{AuthorPast, PastOf};
use crate::domain::known::Known;
use crate::domain::normalise::{fold_plain, normalise, words};
use crate::domain::relevance::{Background, Page};
use crate::domain::siblings::{Sibling, Siblings};
use crate::domain::site::SiteId;
use crate::domain::terms::Terms;
use crate::domain::time::Timestamp;

/// The shipped tables, read once for all tests of a process.
static SHIPPED: LazyLock<Resources> = LazyLock::new(|| Resources {
    background: Arc::new(Background::from_bytes(include_bytes!("../../../models/background.bin")).expect("shipped")),
    embedding: Arc::new(Embedding::from_bytes(include_bytes!("../../../models/words.bin")).expect("shipped")),
    weights: Arc::new(serde_json::from_str(include_str!("../../../models/relevance.json")).expect("shipped")),
});

impl Default for Resources {
    fn default() -> Self {
        let shipped = &*SHIPPED;
        Self {
            background: Arc::clone(&shipped.background),
            embedding: Arc::clone(&shipped.embedding),
            weights: Arc::clone(&shipped.weights),
        }
    }
}

/// A comment on the page `http://news.example/a`, first of its kind unless said otherwise.
pub(in crate::domain) struct Case {
    draft: Draft,
    page: Option<Box<Page>>,
    parent: Option<String>,
    siblings: Vec<String>,
    siblings_away: bool,
    page_away: bool,
    parent_away: bool,
    past: Option<Box<PastOf>>,
    author: Option<Known<AuthorPast>>,
    allowance: Allowance,
}

impl Case {
    pub(in crate::domain) fn new(body: &str) -> Self {
        let article = ArticleDraft { id: "a".to_owned(), ..ArticleDraft::default() };
        let author = AuthorDraft { id: Some("u".to_owned()), ..AuthorDraft::default() };
        let draft =
            Draft { id: "c".to_owned(), article, author: Some(author), body: body.to_owned(), ..Draft::default() };
        Self {
            draft,
            page: None,
            parent: None,
            siblings: Vec::new(),
            siblings_away: false,
            page_away: false,
            parent_away: false,
            past: None,
            author: None,
            allowance: Allowance::Within,
        }
    }

    pub(in crate::domain) fn html(mut self) -> Self {
        self.draft.format = Some(Format::Html);
        self
    }

    pub(in crate::domain) fn named(mut self, name: &str, url: &str) -> Self {
        if let Some(author) = &mut self.draft.author {
            (author.name, author.url) = (Some(name.to_owned()), Some(url.to_owned()));
        }
        self
    }

    /// By somebody of whom the site says nothing.
    pub(in crate::domain) fn by_nobody(mut self) -> Self {
        self.draft.author = None;
        self
    }

    pub(in crate::domain) fn form(mut self, honeypot: Option<&str>, typing_ms: Option<u64>) -> Self {
        (self.draft.honeypot, self.draft.typing_ms) = (honeypot.map(str::to_owned), typing_ms);
        self
    }

    pub(in crate::domain) fn page(self, title: &str, text: &str) -> Self {
        self.on(None, title, text)
    }

    /// On a page of which the site says the language.
    pub(in crate::domain) fn page_in(self, lang: &str, title: &str, text: &str) -> Self {
        self.on(Some(lang), title, text)
    }

    fn on(mut self, lang: Option<&str>, title: &str, text: &str) -> Self {
        let article = ArticleDraft {
            id: "a".to_owned(),
            url: Some("http://news.example/a".to_owned()),
            title: Some(title.to_owned()),
            text: Some(text.to_owned()),
            lang: lang.map(str::to_owned),
            ..ArticleDraft::default()
        };
        self.page = Some(Box::new(Page::prepare(
            article.parse(&Bounds::default()).expect("valid"),
            &SHIPPED.background,
            &SHIPPED.embedding,
        )));
        self
    }

    pub(in crate::domain) fn parent(mut self, text: &str) -> Self {
        self.parent = Some(text.to_owned());
        self
    }

    /// What stands approved around it, each by another author.
    pub(in crate::domain) fn siblings(mut self, said: &[&str]) -> Self {
        self.siblings = said.iter().map(|text| (*text).to_owned()).collect();
        self
    }

    /// What stands around it could not be had.
    pub(in crate::domain) fn siblings_away(mut self) -> Self {
        self.siblings_away = true;
        self
    }

    /// The page could not be had.
    pub(in crate::domain) fn page_away(mut self) -> Self {
        self.page_away = true;
        self
    }

    /// The parent could not be had.
    pub(in crate::domain) fn parent_away(mut self) -> Self {
        self.parent_away = true;
        self
    }

    pub(in crate::domain) fn author(mut self, author: Known<AuthorPast>) -> Self {
        self.author = Some(author);
        self
    }

    pub(in crate::domain) fn past(mut self, change: impl FnOnce(&mut PastOf)) -> Self {
        let mut past = PastOf::empty(&self.comment().trace);
        change(&mut past);
        self.past = Some(Box::new(past));
        self
    }

    pub(in crate::domain) fn allowance(mut self, allowance: Allowance) -> Self {
        self.allowance = allowance;
        self
    }

    pub(in crate::domain) fn comment(&self) -> Comment {
        normalise(SiteId(1), self.draft.clone().parse(&Bounds::default()).expect("valid"), false)
    }

    /// With whatever the site sent changed.
    pub(in crate::domain) fn sent(mut self, change: impl FnOnce(&mut Draft)) -> Self {
        change(&mut self.draft);
        self
    }

    pub(in crate::domain) fn outcome(&self, check: &impl Signal) -> Outcome {
        self.look(|context| check.evaluate(context))
    }

    /// What checks see of it.
    pub(in crate::domain) fn look<T>(&self, look: impl FnOnce(&Context<'_>) -> T) -> T {
        let comment = self.comment();
        let mut past = self.past.as_deref().cloned().unwrap_or_else(|| PastOf::empty(&comment.trace));
        if let Some(author) = &self.author {
            past.author = author.clone();
        }
        let siblings = summary(self.siblings.iter().map(String::as_str));
        let answered = summary(self.parent.as_deref().into_iter());
        look(&Context {
            comment: &comment,
            gist: &SHIPPED.embedding.gist(comment.body.words()),
            terms: &Terms::of(comment.body.words(), &SHIPPED.background),
            page: known(self.page.as_deref(), self.page_away),
            parent: known(self.parent.as_deref(), self.parent_away),
            siblings: known(siblings.as_ref(), self.siblings_away),
            answered: answered.as_ref(),
            past: &past,
            allowance: &self.allowance,
            now: Timestamp::from_millis(1_795_000_000_000),
            view: crate::domain::view::View::default(),
        })
    }
}

/// Comments as those after them meet them.
fn summary<'a>(said: impl Iterator<Item = &'a str>) -> Option<Siblings> {
    let siblings: Vec<Sibling> = (1..)
        .zip(said)
        .map(|(number, text)| {
            let text = fold_plain(text).into_text();
            let words: Vec<&str> =
                words(&text).iter().map(|word| &text[word.start as usize..word.end as usize]).collect();
            let terms = Terms::of(words.iter().copied(), &SHIPPED.background);
            Sibling::new(number, number, &terms, &SHIPPED.embedding.gist(words.into_iter()))
        })
        .collect();
    Siblings::of(siblings.iter())
}

fn known<T>(value: Option<T>, away: bool) -> Known<T> {
    if away { Known::Unavailable("away".to_owned()) } else { value.map_or(Known::NotApplicable, Known::Known) }
}

/// What the check adds: its weight when it hits, else nothing.
pub(in crate::domain) fn weight(check: &impl Signal, case: &Case) -> f64 {
    match case.outcome(check) {
        Outcome::Hit { weight, .. } => weight.get(),
        Outcome::Clear | Outcome::NotApplicable | Outcome::Unavailable { .. } => 0.0,
    }
}
