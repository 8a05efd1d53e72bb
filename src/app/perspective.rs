//! What clients of Perspective ask for: scores of a text by itself, and the scores that somebody says it should have had.
//!
//! Only what is really modelled has a score here, and none is made up where a check that was due could not look. Scores of a text store nothing and teach
//! nothing. A suggestion is a labelled decision of the site about a comment that is stored here, or, when there is none with these words, about one that
//! is stored with it; it never goes over what a person decided here.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::app::house::Settings;
use crate::app::in_flight::to_its_end;
use crate::app::intake::{Intake, IntakeError, Turn};
use crate::app::limits::Route;
use crate::app::standing::Listeners;
use crate::domain::category::Category;
use crate::domain::comment::{ArticleDraft, Draft, ExternalId, Format, Invalid, NewComment};
use crate::domain::decision::{Action, Actor, DecidedBy, Record, Status, Verdict};
use crate::domain::model::ModelOutput;
use crate::domain::normalise::{self, Body, fold_body};
use crate::domain::people::Reach;
use crate::domain::search::{Question, SearchFilter};
use crate::domain::signal::{Field, Mode, Outcome};
use crate::domain::site::Site;
use crate::domain::store::{
    CommentFilter, Happening, ListError, PageRequest, Ruling, RulingCategory, Seen, Store, StoreError,
};
use crate::domain::time::Timestamp;

/// Comments with the same words that are looked at, and the latest ones that may not be found by their words yet.
const LOOKED_AT: usize = 50;
/// How often a decision is made again on a comment that changed meanwhile.
const ATTEMPTS: usize = 3;
/// What is read about a text that nobody named.
const UNNAMED: &str = "perspective";

/// What has a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attribute {
    /// Unsolicited promotion.
    Spam,
    /// Attacks on people.
    Toxicity,
    /// Nothing to do with the article that is sent as context.
    OffTopic,
}

impl Attribute {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Spam, Self::Toxicity, Self::OffTopic];

    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Spam => "SPAM",
            Self::Toxicity => "TOXICITY",
            Self::OffTopic => "OFF_TOPIC",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|attribute| attribute.name() == name)
    }

    /// What it is here.
    #[must_use]
    pub const fn category(self) -> Category {
        match self {
            Self::Spam => Category::Spam,
            Self::Toxicity => Category::Abuse,
            Self::OffTopic => Category::OffTopic,
        }
    }

    const fn ruling(self) -> RulingCategory {
        match self {
            Self::Spam => RulingCategory::Spam,
            Self::Toxicity => RulingCategory::Abuse,
            Self::OffTopic => RulingCategory::OffTopic,
        }
    }
}

/// A text, and what is asked of it.
#[derive(Debug, Clone, Default)]
pub struct Text {
    /// The text.
    pub body: String,
    /// How it is written.
    pub format: Format,
    /// The article that it stands under, as text.
    pub article: Option<String>,
    /// The article's address.
    pub url: Option<String>,
    /// The language that it is said to be in.
    pub lang: Option<String>,
    /// What the site perhaps calls the comment, likeliest first.
    pub ids: Vec<String>,
}

/// A part of the text and its score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpanScore {
    /// UTF-16 code units of the text before it.
    pub begin: u32,
    /// UTF-16 code units up to its end.
    pub end: u32,
    /// A probability.
    pub value: f64,
}

/// An attribute's scores.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// The whole text's.
    pub summary: f64,
    /// What made it up, where it can be pointed at; the whole text, where it cannot.
    pub spans: Vec<SpanScore>,
}

/// What is said of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Analysis {
    /// Each attribute's scores.
    pub scores: BTreeMap<Attribute, Scored>,
    /// The language that it is written in, when that can be told.
    pub language: Option<String>,
}

/// Why there is no score.
#[derive(Debug, thiserror::Error)]
pub enum PerspectiveError {
    /// A field is wrong.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// Over a limit, or the store failed.
    #[error(transparent)]
    Intake(#[from] IntakeError),
    /// Nothing here looks for it, and not only now.
    #[error("{} is not modelled here", .0.name())]
    NotModelled(Attribute),
    /// A check that was due could not look: whatever was said would be made up.
    #[error("{} has no score now: {why}", .attribute.name())]
    Unavailable {
        /// Which.
        attribute: Attribute,
        /// Why, for operators.
        why: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ListError> for PerspectiveError {
    fn from(error: ListError) -> Self {
        match error {
            ListError::Store(store) => store.into(),
            ListError::BadCursor => StoreError::Corrupt("a cursor that was never sent".to_owned()).into(),
        }
    }
}

/// What somebody says of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opinion {
    /// A moderator let it stand.
    Approve,
    /// A moderator took it away; `for_what` is named whatever the cause was.
    Reject {
        /// What the client asks scores for.
        for_what: Attribute,
    },
    /// It is that.
    Is(Attribute),
    /// It is none of these.
    IsNot(Vec<Attribute>),
}

/// What became of a suggestion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suggested {
    /// It is a decision of the site's now.
    Decided,
    /// The site said so before.
    Known,
    /// A person here decided, and that stands.
    Stands,
    /// It says nothing that could be decided.
    Nothing,
}

impl Suggested {
    const fn name(self) -> &'static str {
        match self {
            Self::Decided => "decided",
            Self::Known => "known",
            Self::Stands => "stands",
            Self::Nothing => "nothing",
        }
    }
}

/// The way in for clients of Perspective.
#[derive(Clone)]
pub struct Perspective {
    intake: Arc<Intake>,
    settings: Arc<Settings>,
    store: Arc<dyn Store>,
    listeners: Listeners,
}

impl Perspective {
    /// Joins the ports.
    #[must_use]
    pub fn new(intake: Arc<Intake>, settings: Arc<Settings>, store: Arc<dyn Store>, listeners: Listeners) -> Self {
        Self { intake, settings, store, listeners }
    }

    /// Looks at the sizes of a text and of its context, in bytes as they were sent: before anything is made of either, so that what is too large costs no more
    /// than to receive it.
    ///
    /// # Errors
    /// `Invalid`, by the fields of a comment.
    pub fn weigh(&self, body: usize, context: usize) -> Result<(), Invalid> {
        let settings = self.settings.current();
        let bounds = &settings.bounds;
        for (field, bytes, most) in
            [("body", body, bounds.max_comment_bytes), ("article.text", context, bounds.max_article_bytes)]
        {
            if bytes > most {
                return Err(Invalid::new(field, format!("has {bytes} bytes, at most {most} are allowed")));
            }
        }
        Ok(())
    }

    /// Scores of a text. Stores nothing, teaches nothing, counts against the limit of assessments only.
    ///
    /// # Errors
    /// `Invalid`; `Intake(RateLimited)`; `NotModelled`; `Unavailable`.
    pub async fn analyze(
        &self,
        site: &Arc<Site>,
        text: &Text,
        attributes: &[Attribute],
        with_spans: bool,
        now: Timestamp,
    ) -> Result<Analysis, PerspectiveError> {
        let new = self.comment(text, None)?;
        let verdict = self.intake.assess(site, new.clone(), now).await?;
        let body = Body::read(&new.body, new.format);
        let mut scores = BTreeMap::new();
        for attribute in attributes {
            // Only a model tells abuse: without one, this would be the prior, and a few capitals.
            if *attribute == Attribute::Toxicity && verdict.model == ModelOutput::Off {
                return Err(PerspectiveError::NotModelled(*attribute));
            }
            if let Some(why) = could_not_look(&verdict, attribute.category()) {
                return Err(PerspectiveError::Unavailable { attribute: *attribute, why });
            }
            let summary = verdict.scores[attribute.category()].get();
            let parts = if with_spans { parts(&verdict, &body, attribute.category()) } else { BTreeMap::new() };
            let spans = spans(&new.body, &parts, verdict.prior[attribute.category()].get(), summary);
            scores.insert(*attribute, Scored { summary, spans });
        }
        Ok(Analysis { scores, language: normalise::language(&new, &body) })
    }

    /// Takes what somebody says of a text as the site's decision about the comment that it is; about one that is stored now, when there is none.
    /// What was begun is done to its end.
    ///
    /// # Errors
    /// `Invalid`; `Intake(RateLimited)`; the store failed: the same again is safe.
    pub async fn suggest(
        &self,
        site: &Arc<Site>,
        text: Text,
        opinion: Opinion,
        now: Timestamp,
    ) -> Result<Suggested, PerspectiveError> {
        let (this, site) = (self.clone(), Arc::clone(site));
        let suggested = to_its_end(async move {
            let record = match this.find(&site, &text).await? {
                Some(record) => record,
                None => this.take(&site, &text, now).await?,
            };
            this.decide(&site, record, &opinion, now).await
        })
        .await?;
        metrics::counter!("doorward_suggested_scores_total", "what" => suggested.name()).increment(1);
        Ok(suggested)
    }

    /// The comment that a text is: by one of its names, or else by its words, under the page whose address came along; the latest of several by one
    /// author. Where several people wrote the same it is none of theirs.
    async fn find(&self, site: &Arc<Site>, text: &Text) -> Result<Option<Record>, PerspectiveError> {
        let folded = fold_body(&text.body, text.format);
        let is_it = |record: &Record| fold_body(&record.comment.body, record.comment.format) == folded;
        for id in &text.ids {
            for id in [id.clone(), named(id)] {
                let Ok(id) = ExternalId::parse("clientToken", id) else { continue };
                let found = self.store.comment_find(site.id, &id).await?;
                if let Some((record, _)) = found.filter(|(record, _)| is_it(record)) {
                    return Ok(Some(record));
                }
            }
        }
        let page = PageRequest { limit: LOOKED_AT, cursor: None };
        let filter = SearchFilter {
            question: Question::read(&folded),
            site: Some(site.name.to_string()),
            ..SearchFilter::default()
        };
        let mut found = self.store.comment_search(&filter, &page).await?.items;
        // What came a moment ago is perhaps not found by its words yet.
        found.extend(self.store.comment_list(site.id, &CommentFilter::default(), &page).await?.items);
        found.retain(|record| is_it(record) && text.url.as_deref().is_none_or(|url| stands_under(record, url)));
        let (ours, theirs): (Vec<Record>, Vec<Record>) =
            found.into_iter().partition(|record| record.comment.id.as_str().starts_with(UNNAMED));
        Ok(if are_one_persons(&theirs) { theirs.into_iter().next() } else { None }.or_else(|| ours.into_iter().next()))
    }

    /// Stores a text that never came this way, as a comment of the site: it is what is learned from.
    async fn take(&self, site: &Arc<Site>, text: &Text, now: Timestamp) -> Result<Record, PerspectiveError> {
        let new = self.comment(text, text.ids.first().map(String::as_str))?;
        let submitted = match self.intake.submit(site, new, Route::Comment, Turn::any(), now).await {
            // The name is that of other words.
            Err(IntakeError::CommentExists) => {
                let new = self.comment(text, None)?;
                self.intake.submit(site, new, Route::Comment, Turn::any(), now).await
            }
            submitted => submitted,
        };
        Ok(submitted?.record)
    }

    async fn decide(
        &self,
        site: &Arc<Site>,
        mut record: Record,
        opinion: &Opinion,
        now: Timestamp,
    ) -> Result<Suggested, PerspectiveError> {
        for _ in 0..ATTEMPTS {
            let Some((action, category)) = ruling(opinion, &record) else { return Ok(Suggested::Nothing) };
            let by = Actor::Site(site.name.to_string());
            let history = self.store.comment_history(record.uid).await?;
            if record.decided_by == DecidedBy::Person {
                match Happening::in_force(&history) {
                    Some(last) if last.by == by => {
                        if (last.status, last.category) == (action.status(), category) {
                            return Ok(Suggested::Known);
                        }
                    }
                    Some(_) | None => return Ok(Suggested::Stands),
                }
            }
            let ruling = Ruling {
                items: vec![Seen { uid: record.uid, seen_version: record.version }],
                action,
                category,
                reason: None,
                note: None,
                by,
                at: now,
                reach: Reach::ALL,
                tell_at: now, // nobody takes it back here within a grace
            };
            let ruled = self.store.rule(ruling).await?;
            if !ruled.applied.is_empty() {
                self.listeners.tell_all(&ruled, &site.name, now).await;
                return Ok(Suggested::Decided);
            }
            match ruled.conflicts.into_iter().next() {
                Some(current) => record = current,
                None => return Ok(Suggested::Nothing), // erased meanwhile
            }
        }
        Ok(Suggested::Stands) // it is being worked on
    }

    /// The text as a comment of nobody.
    fn comment(&self, text: &Text, id: Option<&str>) -> Result<NewComment, Invalid> {
        let is_id = |id: &&str| ExternalId::parse("id", (*id).to_owned()).is_ok();
        // Never a name that the site may give to a comment of its own.
        let id = id.map(named).filter(|id| is_id(&id.as_str()));
        let article = match (&text.url, &text.article) {
            (Some(url), _) if is_id(&url.as_str()) => url.clone(),
            (_, Some(article)) => hashed(article),
            (_, None) => UNNAMED.to_owned(),
        };
        let draft = Draft {
            id: id.unwrap_or_else(|| hashed(&format!("{:?} {article}\n{}", text.format, text.body))),
            article: ArticleDraft {
                id: article,
                url: text.url.clone(),
                text: text.article.clone(),
                lang: text.lang.clone(),
                ..ArticleDraft::default()
            },
            body: text.body.clone(),
            format: Some(text.format),
            ..Draft::default()
        };
        draft.parse(&self.settings.current().bounds)
    }
}

/// Our name for what somebody else has a name for.
fn named(id: &str) -> String {
    format!("{UNNAMED}:{id}")
}

/// Whether a comment's page has that address.
fn stands_under(record: &Record, url: &str) -> bool {
    let bare = |url: &str| url.split('#').next().unwrap_or_default().trim_end_matches('/').to_owned();
    let article = &record.comment.article;
    [article.url.as_deref(), Some(article.id.as_str())].into_iter().flatten().any(|address| bare(address) == bare(url))
}

/// Whether one person wrote all of these; of people without an id nobody knows.
fn are_one_persons(records: &[Record]) -> bool {
    let Some((first, others)) = records.split_first() else { return false };
    let is_same = |record: &Record| {
        record.uid == first.uid
            || (record.comment.author.id.is_some() && record.comment.author.id == first.comment.author.id)
    };
    others.iter().all(is_same)
}

/// A name for what has none: the same for the same text.
fn hashed(text: &str) -> String {
    let digest: String = Sha256::digest(text).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("{UNNAMED}-{digest}")
}

/// What is decided, if anything. What says only that a text is not abuse publishes neither what was stopped as spam, nor what waits for another cause than
/// its words: the mode, a sanction, a limit, a check that could not look.
fn ruling(opinion: &Opinion, record: &Record) -> Option<(Action, Option<RulingCategory>)> {
    let verdict = &record.verdict;
    let of = |category: Category| Attribute::ALL.into_iter().find(|attribute| attribute.category() == category);
    match opinion {
        Opinion::Approve => Some((Action::Approve, None)),
        // Whatever it was taken away for, this client can name one attribute only; what it was stopped for here says more.
        Opinion::Reject { for_what } => {
            let what = verdict.category.and_then(of).unwrap_or(*for_what);
            Some((Action::Reject, Some(what.ruling())))
        }
        Opinion::Is(what) => Some((Action::Reject, Some(what.ruling()))),
        Opinion::IsNot(attributes) => {
            let is_denied = |category| attributes.iter().any(|one| one.category() == category);
            let was_stopped_for_them = verdict.category.is_some_and(is_denied) && verdict.causes.is_empty();
            let is_shown = record.status == Status::Approved && !record.waits; // a label, and nothing else changes
            (was_stopped_for_them || is_shown).then_some((Action::Approve, None))
        }
    }
}

/// Why a category's score would be made up.
fn could_not_look(verdict: &Verdict, category: Category) -> Option<String> {
    if let ModelOutput::Unavailable { why } = &verdict.model
        && category != Category::OffTopic
    {
        return Some(why.clone());
    }
    verdict.signals.iter().find_map(|signal| match &signal.outcome {
        Outcome::Unavailable { why } if signal.category == category && signal.mode == Mode::Live => {
            Some(format!("{}: {why}", signal.id))
        }
        _ => None,
    })
}

/// What speaks for or against a category and can be pointed at, as bytes of the body: live checks' spans, and the model's words wherever they stand.
fn parts(verdict: &Verdict, body: &Body, category: Category) -> BTreeMap<(usize, usize), f64> {
    let mut parts: BTreeMap<(usize, usize), f64> = BTreeMap::new();
    for signal in verdict.signals.iter().filter(|signal| signal.category == category && signal.mode == Mode::Live) {
        let Outcome::Hit { weight, spans, .. } = &signal.outcome else { continue };
        for span in spans.iter().filter(|span| span.field == Field::Body) {
            *parts.entry((span.start as usize, span.end as usize)).or_default() += weight.get();
        }
    }
    if let ModelOutput::Scored { terms, .. } = &verdict.model {
        for term in terms.iter().filter(|term| term.category == category) {
            for place in places(body, &term.text) {
                *parts.entry((place.start, place.end)).or_default() += term.log_odds.get();
            }
        }
    }
    parts
}

/// Where words of the model stand, as bytes of the body.
fn places(body: &Body, term: &str) -> Vec<Range<usize>> {
    let wanted: Vec<&str> = term.rsplit(": ").next().unwrap_or(term).split(' ').collect(); // `learned here: words`
    let words: Vec<&str> = body.words().collect();
    let found = words.windows(wanted.len()).enumerate().filter(|(_, here)| *here == wanted.as_slice());
    let place = |at: usize| {
        let (first, last) = (&body.words[at], &body.words[at + wanted.len() - 1]);
        body.folded.original(first.start as usize..last.end as usize)
    };
    found.map(|(at, _)| place(at)).collect()
}

/// Parts as Perspective counts them, in order; the whole text when there is nothing to point at.
fn spans(text: &str, parts: &BTreeMap<(usize, usize), f64>, prior: f64, summary: f64) -> Vec<SpanScore> {
    let units = |end: usize| {
        let before = &text[..text.floor_char_boundary(end)];
        u32::try_from(before.encode_utf16().count()).unwrap_or(u32::MAX)
    };
    let score = |log_odds: f64| 1.0 / (1.0 + (-(prior + log_odds)).exp());
    if parts.is_empty() {
        return vec![SpanScore { begin: 0, end: units(text.len()), value: summary }];
    }
    let span = |(range, log_odds): (&(usize, usize), &f64)| SpanScore {
        begin: units(range.0),
        end: units(range.1),
        value: score(*log_odds),
    };
    parts.iter().map(span).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_counted_in_utf_16() {
        let text = "😀 Grüße: buy now";
        let at = text.find("buy").unwrap();
        let parts = BTreeMap::from([((at, at + 3), 2.0)]);
        let found = spans(text, &parts, -2.0, 0.3);
        let utf16: Vec<u16> = text.encode_utf16().collect();
        let (begin, end) = (found[0].begin as usize, found[0].end as usize);
        assert_eq!(String::from_utf16(&utf16[begin..end]).unwrap(), "buy");
        assert!((found[0].value - 0.5).abs() < 1e-9, "the prior and what stands there");
        let whole = spans(text, &BTreeMap::new(), -2.0, 0.3);
        assert_eq!((whole.len(), whole[0].begin, whole[0].end as usize), (1, 0, utf16.len()));
    }

    #[test]
    fn words_of_the_model_are_found_where_they_stand() {
        let text = "Süße PILLEN! Billig, süße pillen.";
        let body = Body::read(text, Format::Text);
        let term: Vec<&str> = body.words().take(2).collect();
        let found: Vec<&str> = places(&body, &term.join(" ")).into_iter().map(|place| &text[place]).collect();
        assert_eq!(found, ["Süße PILLEN", "süße pillen"]);
        let learned = places(&body, &format!("learned here: {}", term[1]));
        assert_eq!(learned.len(), 2);
        assert!(places(&body, "[links]").is_empty());
    }
}
