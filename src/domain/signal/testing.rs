//! A comment with its surroundings, for the tables of the checks' tests.

use std::sync::Arc;

use super::{Allowance, Context, Outcome, Resources, Signal};
use crate::domain::comment::{ArticleDraft, AuthorDraft, Bounds, Comment, Draft, Format};
use crate::domain::history::{AuthorPast, PastOf};
use crate::domain::known::Known;
use crate::domain::normalise::normalise;
use crate::domain::relevance::{Background, Page};
use crate::domain::site::SiteId;
use crate::domain::time::Timestamp;

impl Default for Resources {
    fn default() -> Self {
        Self { background: Arc::new(Background::default()) }
    }
}

/// A comment on the page `http://news.example/a`, first of its kind unless said otherwise.
pub(in crate::domain) struct Case {
    draft: Draft,
    page: Option<Page>,
    parent: Option<String>,
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

    pub(in crate::domain) fn form(mut self, honeypot: Option<&str>, typing_ms: Option<u64>) -> Self {
        (self.draft.honeypot, self.draft.typing_ms) = (honeypot.map(str::to_owned), typing_ms);
        self
    }

    pub(in crate::domain) fn page(mut self, title: &str, text: &str) -> Self {
        let article = ArticleDraft {
            id: "a".to_owned(),
            url: Some("http://news.example/a".to_owned()),
            title: Some(title.to_owned()),
            text: Some(text.to_owned()),
            ..ArticleDraft::default()
        };
        self.page = Some(Page::new(article.parse(&Bounds::default()).expect("valid"), &Background::default()));
        self
    }

    pub(in crate::domain) fn parent(mut self, text: &str) -> Self {
        self.parent = Some(text.to_owned());
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

    pub(in crate::domain) fn outcome(&self, check: &impl Signal) -> Outcome {
        let comment = self.comment();
        let mut past = self.past.as_deref().cloned().unwrap_or_else(|| PastOf::empty(&comment.trace));
        if let Some(author) = &self.author {
            past.author = author.clone();
        }
        check.evaluate(&Context {
            comment: &comment,
            page: known(self.page.as_ref(), self.page_away),
            parent: known(self.parent.as_deref(), self.parent_away),
            past: &past,
            allowance: &self.allowance,
            now: Timestamp::from_millis(1_795_000_000_000),
        })
    }
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
