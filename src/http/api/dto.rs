//! What clients read, as CONTRACT fixes it, made of the domain's records. Clear signals are left out: they say nothing.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::problem::Problem;
use super::articles::ArticleOut;
use crate::domain::category::{Category, PerCategory};
use crate::domain::comment::{Author, Format};
use crate::domain::decision::{Action, Actor, Adjustment, Cause, DecidedBy, Record, Status, Verdict};
use crate::domain::explain::Change;
use crate::domain::model::{ModelOutput, Term};
use crate::domain::readers::{ReaderView, ReportSeen};
use crate::domain::reads::AlsoLetsThrough;
use crate::domain::sanction::is_shadowed;
use crate::domain::scores::{LogOdds, Score};
use crate::domain::service::Due;
use crate::domain::signal::{Evaluated, Mode, Outcome, Span};
use crate::domain::store::{AuthorKind, Happening, HappeningKind, PageRequest, QueueItem, RulingCategory};

/// A comment with its verdict.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CommentOut {
    /// The site's own name for it.
    pub id: String,
    /// Our name for it.
    pub uid: Uuid,
    /// The site.
    pub site: String,
    /// Counts the text's edits.
    pub revision: u32,
    /// Counts everything that happened to it.
    pub version: u32,
    /// What it is now.
    pub status: Status,
    /// The frozen verdict of the latest revision.
    pub verdict: VerdictOut,
    /// Who decided what it is now.
    pub decided_by: DecidedBy,
    /// The site's id of the article.
    pub article_id: String,
    /// The site's id of the author.
    pub author_id: Option<String>,
    /// The text as sent.
    pub body: String,
    /// How it is written.
    pub format: Format,
    /// When it first arrived.
    #[schema(value_type = String, format = DateTime)]
    pub received_at: String,
    /// When anything last happened to it.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: String,
    /// Only ever `true`: its author is banned without being told, and is to go on seeing the comment; nobody else.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub shadow: bool,
    /// How readers see it, where one comment is asked for and any of them said something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub readers: Option<ReaderView>,
}

impl CommentOut {
    /// For whoever decides about it: what waits is held.
    #[must_use]
    pub fn for_people(record: &Record) -> Self {
        Self::from(record.as_people_see().as_ref())
    }
}

impl From<&Record> for CommentOut {
    fn from(record: &Record) -> Self {
        Self {
            id: record.comment.id.to_string(),
            uid: record.uid,
            site: record.site.to_string(),
            revision: record.revision,
            version: record.version,
            status: record.status,
            verdict: (&record.verdict).into(),
            decided_by: record.decided_by,
            article_id: record.comment.article.id.to_string(),
            author_id: record.comment.author.id.as_ref().map(ToString::to_string),
            body: record.comment.body.clone(),
            format: record.comment.format,
            received_at: record.received_at.to_string(),
            updated_at: record.updated_at.to_string(),
            shadow: is_shadowed(record),
            readers: None,
        }
    }
}

/// What policy concluded. For each category `prior + live signals + model + adjustments` through the logistic function is the score.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct VerdictOut {
    /// What to do.
    pub action: Action,
    /// The category that led to it.
    pub category: Option<Category>,
    /// Each category's score.
    pub scores: PerCategory<Score>,
    /// Each category's log-odds before anything is known.
    pub prior: PerCategory<LogOdds>,
    /// Signals that hit, or could not look.
    pub signals: Vec<SignalOut>,
    /// The classifier; null when the operator runs without one.
    pub model: Option<ModelOut>,
    /// What policy added or took away.
    pub adjustments: Vec<Adjustment>,
    /// What else set the action.
    pub causes: Vec<Cause>,
    /// Hash of the configuration in force.
    pub policy: String,
}

/// One signal's outcome.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SignalOut {
    /// Which signal.
    pub id: String,
    /// The category that it counts for.
    pub category: Category,
    /// What it adds when it is live; 0 unless it hit.
    pub log_odds: LogOdds,
    /// `hit`, `unavailable` or `not-applicable`.
    pub outcome: OutcomeOut,
    /// Whether it counts.
    pub mode: Mode,
    /// One sentence for a moderator.
    pub evidence: Option<String>,
    /// Where to look, in UTF-8 bytes of the field as sent.
    pub spans: Vec<Span>,
}

/// How a signal ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OutcomeOut {
    /// It found what it looks for.
    Hit,
    /// It was due and failed.
    Unavailable,
    /// The site did not send what it looks at.
    NotApplicable,
}

/// What the classifier said.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ModelOut {
    /// Which model; null when it failed.
    pub version: Option<String>,
    /// What it adds, for each category that it knows.
    pub log_odds: BTreeMap<Category, LogOdds>,
    /// The strongest terms.
    pub terms: Vec<Term>,
    /// Why it said nothing.
    pub unavailable: Option<String>,
}

impl From<&Verdict> for VerdictOut {
    fn from(verdict: &Verdict) -> Self {
        Self {
            action: verdict.action,
            category: verdict.category,
            scores: verdict.scores,
            prior: verdict.prior,
            signals: verdict.signals.iter().filter_map(signal).collect(),
            model: model(&verdict.model),
            adjustments: verdict.adjustments.clone(),
            causes: verdict.causes.clone(),
            policy: verdict.policy.clone(),
        }
    }
}

fn signal(signal: &Evaluated) -> Option<SignalOut> {
    let (outcome, log_odds, evidence, spans) = match &signal.outcome {
        Outcome::Clear => return None,
        Outcome::Hit { weight, evidence, spans } => (OutcomeOut::Hit, *weight, Some(evidence.clone()), spans.clone()),
        Outcome::NotApplicable => (OutcomeOut::NotApplicable, LogOdds::ZERO, None, Vec::new()),
        Outcome::Unavailable { why } => (OutcomeOut::Unavailable, LogOdds::ZERO, Some(why.clone()), Vec::new()),
    };
    Some(SignalOut {
        id: signal.id.to_string(),
        category: signal.category,
        log_odds,
        outcome,
        mode: signal.mode,
        evidence,
        spans,
    })
}

fn model(model: &ModelOutput) -> Option<ModelOut> {
    match model {
        ModelOutput::Off => None,
        ModelOutput::Scored { version, spam, abuse, terms } => Some(ModelOut {
            version: Some(version.clone()),
            log_odds: BTreeMap::from([(Category::Spam, *spam), (Category::Abuse, *abuse)]),
            terms: terms.clone(),
            unavailable: None,
        }),
        ModelOutput::Unavailable { why } => Some(ModelOut {
            version: None,
            log_odds: BTreeMap::new(),
            terms: Vec::new(),
            unavailable: Some(why.clone()),
        }),
    }
}

/// The answer of `POST /v1/assess`.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AssessmentOut {
    /// What the verdict would be.
    pub verdict: VerdictOut,
}

/// A page of comments.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CommentPage {
    /// The comments.
    pub items: Vec<CommentOut>,
    /// Where to go on; null at the end.
    pub next_cursor: Option<String>,
}

/// A held comment.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct QueueItemOut {
    /// The site's own name for it.
    pub id: String,
    /// Our name for it.
    pub uid: Uuid,
    /// The site.
    pub site: String,
    /// Counts the text's edits.
    pub revision: u32,
    /// Counts everything that happened to it: send it back as `seen_version`.
    pub version: u32,
    /// The text as sent.
    pub body: String,
    /// How it is written.
    pub format: Format,
    /// The comment that it answers.
    pub parent_id: Option<String>,
    /// The article as known now.
    pub article: ArticleOut,
    /// Who wrote it.
    pub author: AuthorOut,
    /// The frozen verdict.
    pub verdict: VerdictOut,
    /// The campaign that it belongs to.
    pub campaign: Option<String>,
    /// The queue that it waits in, of `[[queues]]`.
    pub queue: Option<String>,
    /// By when it is to be answered, where that queue has a level.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub due_at: Option<String>,
    /// Seconds of working hours until then; below zero for those since then.
    pub due_in_s: Option<i64>,
    /// Since when it waits.
    #[schema(value_type = String, format = DateTime)]
    pub held_at: String,
    /// Its place: higher comes first.
    pub priority: f64,
    /// Why it stands there, in one sentence.
    pub place: String,
    /// What was known of its author when it came into the queue.
    pub author_kind: AuthorKind,
    /// Who works on it.
    pub claimed_by: Option<String>,
    /// Until when.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub claimed_until: Option<String>,
    /// How readers see it.
    pub readers: ReaderView,
    /// What readers said of it and nobody has answered yet, the latest five.
    pub reports: Vec<ReportSeenOut>,
}

/// A reader's report, as moderators see it: not by whom.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ReportSeenOut {
    /// What the reader finds wrong.
    pub category: Option<RulingCategory>,
    /// In the reader's words.
    pub text: Option<String>,
    /// What it weighs, by the reader's record; 1.0 without one.
    pub weight: f64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: String,
}

impl From<&ReportSeen> for ReportSeenOut {
    fn from(report: &ReportSeen) -> Self {
        Self { category: report.category, text: report.text.clone(), weight: report.weight, at: report.at.to_string() }
    }
}

/// Whoever wrote a comment.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AuthorOut {
    /// The site's own name for the account.
    pub id: Option<String>,
    /// The name shown to readers.
    pub name: Option<String>,
    /// An e-mail address.
    pub email: Option<String>,
    /// A homepage.
    pub url: Option<String>,
    /// What this person is to the site.
    pub role: Option<String>,
}

impl From<&Author> for AuthorOut {
    fn from(author: &Author) -> Self {
        let Author { name, email, url, role, .. } = author.clone();
        Self { id: author.id.as_ref().map(ToString::to_string), name, email, url, role }
    }
}

impl QueueItemOut {
    /// With the sentence about its place, and by when it is to be answered.
    #[must_use]
    pub fn new(item: &QueueItem, place: String, due: Option<Due>) -> Self {
        let record = item.record.as_people_see();
        Self {
            id: record.comment.id.to_string(),
            uid: record.uid,
            site: record.site.to_string(),
            revision: record.revision,
            version: record.version,
            body: record.comment.body.clone(),
            format: record.comment.format,
            parent_id: record.comment.parent_id.as_ref().map(ToString::to_string),
            article: (&item.article).into(),
            author: (&record.comment.author).into(),
            verdict: (&record.verdict).into(),
            campaign: item.campaign.map(|uid| uid.to_string()),
            queue: item.queue.clone(),
            due_at: due.map(|due| due.at.to_string()),
            due_in_s: due.map(|due| due.left_ms.div_euclid(1_000)),
            held_at: item.held_at.to_string(),
            priority: item.priority,
            place,
            author_kind: item.author_kind,
            claimed_by: item.claim.as_ref().map(|claim| claim.by.clone()),
            claimed_until: item.claim.as_ref().map(|claim| claim.until.to_string()),
            readers: item.readers,
            reports: item.reports.iter().map(Into::into).collect(),
        }
    }
}

/// True counts. `held` is under the whole filter; each of the others under all of the filter but the condition that it is a choice of, so that with
/// `category=spam` chosen `by_category` goes on to say how many there are of the others.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct QueueCounts {
    /// How many are held.
    pub held: u64,
    /// By site.
    pub by_site: BTreeMap<String, u64>,
    /// By category; `none` for those held for another cause than a score.
    pub by_category: BTreeMap<String, u64>,
    /// By signal that hit.
    pub by_signal: BTreeMap<String, u64>,
    /// By the article's section; what has none is left out.
    pub by_section: BTreeMap<String, u64>,
    /// By language; what has none that is known is left out.
    pub by_lang: BTreeMap<String, u64>,
    /// By whether the author was `new` or `known`.
    pub by_author_kind: BTreeMap<AuthorKind, u64>,
    /// By who claims it, by e-mail; `none` for what is free.
    pub by_assigned: BTreeMap<String, u64>,
    /// By campaign: the fifty of which most wait.
    pub by_campaign: BTreeMap<Uuid, u64>,
    /// By queue, of `[[queues]]`; an item is in one of them at most.
    pub by_queue: BTreeMap<String, u64>,
    /// Comments of campaigns that stand approved and that nobody has looked at, whatever the filter; counted up to 10,000.
    pub rechecks: u64,
}

/// Items that are made one by one while they are written: fifty of them are a quarter of a megabyte.
pub struct Each<'a, T> {
    /// How many there are.
    pub count: usize,
    /// Makes one.
    pub make: &'a dyn Fn(usize) -> T,
}

impl<T: Serialize> Serialize for Each<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((0..self.count).map(self.make))
    }
}

/// A page of the queue.
#[derive(Serialize, ToSchema)]
pub struct QueueOut<'a> {
    /// The items: every held comment by itself.
    #[schema(value_type = Vec<QueueItemOut>)]
    pub items: Each<'a, QueueItemOut>,
    /// True counts under the filter.
    pub counts: QueueCounts,
    /// For how long the oldest waits, in seconds; null when none does.
    pub oldest_s: Option<u64>,
    /// Where to go on; null at the end.
    pub next_cursor: Option<String>,
}

/// Leases.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ClaimsOut {
    /// What is yours now (or was given back).
    pub claimed: Vec<Uuid>,
    /// Until when.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<String>,
}

/// What became of a decision, or of taking one back.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DecisionOut {
    /// Its id.
    pub decision: Uuid,
    /// What was changed.
    pub applied: Vec<Uuid>,
    /// What somebody else changed meanwhile; left alone.
    pub conflicts: Vec<ConflictOut>,
    /// What does not exist; left alone.
    pub missing: Vec<Uuid>,
}

/// A comment that somebody else changed meanwhile.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ConflictOut {
    /// Which.
    pub uid: Uuid,
    /// What it is now.
    pub current: CommentOut,
}

/// Why a comment is where it is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ExplanationOut {
    /// The comment with its frozen verdict.
    pub comment: CommentOut,
    /// The sum, for each category.
    pub sums: BTreeMap<Category, SumOut>,
    /// The smallest single change that would have let it through, by the thresholds in force now.
    pub smallest_change: Option<Change>,
    /// What else this change would let through; null when there is none.
    pub also_lets_through: Option<AlsoLetsThrough>,
    /// Everything that happened to it, oldest first.
    pub history: Vec<HappeningOut>,
}

/// A category's sum, term by term.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SumOut {
    /// The terms, in order.
    pub terms: Vec<SumTerm>,
    /// Their sum.
    pub log_odds: LogOdds,
    /// The sum through the logistic function.
    pub score: Score,
    /// The score from which a comment is held, now.
    pub hold: Score,
    /// The score from which a comment is rejected, now.
    pub reject: Score,
}

/// One term of a sum.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SumTerm {
    /// `prior`, `signal:ID`, `model`, or an adjustment's id.
    pub id: String,
    /// Its share.
    pub log_odds: LogOdds,
}

/// One thing that happened to a comment.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HappeningOut {
    /// The version that it led to.
    pub version: u32,
    /// What.
    pub kind: HappeningKind,
    /// The status that followed.
    pub status: Status,
    /// Who decided that status.
    pub decided_by: DecidedBy,
    /// The decision.
    pub decision: Option<Uuid>,
    /// The decision's category.
    pub category: Option<RulingCategory>,
    /// The decision's reason.
    pub reason: Option<String>,
    /// The decision's note.
    pub note: Option<String>,
    /// Who: a site's name, a person's e-mail, or `console`.
    pub by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: String,
}

impl From<Happening> for HappeningOut {
    fn from(one: Happening) -> Self {
        Self {
            version: one.version,
            kind: one.kind,
            status: one.status,
            decided_by: one.decided_by,
            decision: one.decision,
            category: one.category,
            reason: one.reason,
            note: one.note,
            by: match one.by {
                Actor::Site(name) | Actor::Person(name) => name,
                Actor::Console => "console".to_owned(),
            },
            at: one.at.to_string(),
        }
    }
}

/// A page's size and cursor, checked.
///
/// # Errors
/// 422 for a limit that is no number from 1 to 500.
pub fn page_request(limit: Option<&str>, cursor: Option<String>) -> Result<PageRequest, Problem> {
    let limit = match limit.filter(|limit| !limit.is_empty()) {
        None => 50,
        Some(text) => text
            .parse()
            .ok()
            .filter(|limit| (1..=500).contains(limit))
            .ok_or_else(|| Problem::invalid("limit", "must be a number from 1 to 500"))?,
    };
    Ok(PageRequest { limit, cursor: cursor.filter(|cursor| !cursor.is_empty()) })
}
