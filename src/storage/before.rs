//! Stored types as earlier versions wrote them, and what they mean now.

use serde::Deserialize;

use super::codec::Content;
use crate::domain::category::{Category, PerCategory};
use crate::domain::comment::NewComment;
use crate::domain::decision::{Action, Adjustment, Cause, DecidedBy, Status, Verdict};
use crate::domain::model::ModelOutput;
use crate::domain::scores::{LogOdds, Score};
use crate::domain::signal::Evaluated;
use crate::domain::site::SiteId;
use crate::domain::store::ContentHash;
use crate::domain::time::Timestamp;
use crate::domain::trace::{LinkTrace, TextTrace, Trace};

/// What a revision was in version 1: adjustments had no sentence and named no signals.
#[derive(Deserialize)]
pub(super) struct ContentV1 {
    hash: ContentHash,
    comment: NewComment,
    verdict: VerdictV1,
    status: Status,
    decided_by: DecidedBy,
    priority: f64,
    lang: Option<String>,
    at: Timestamp,
}

#[derive(Deserialize)]
pub(super) struct VerdictV1 {
    action: Action,
    category: Option<Category>,
    scores: PerCategory<Score>,
    prior: PerCategory<LogOdds>,
    signals: Vec<Evaluated>,
    model: ModelOutput,
    adjustments: Vec<AdjustmentV1>,
    causes: Vec<Cause>,
    policy: String,
}

#[derive(Deserialize)]
struct AdjustmentV1 {
    id: String,
    category: Category,
    log_odds: LogOdds,
}

impl From<ContentV1> for Content {
    fn from(before: ContentV1) -> Self {
        let ContentV1 { hash, comment, verdict, status, decided_by, priority, lang, at } = before;
        Self { hash, comment, verdict: verdict.into(), status, decided_by, priority, lang, at }
    }
}

impl From<VerdictV1> for Verdict {
    fn from(before: VerdictV1) -> Self {
        let adjustments = before.adjustments.into_iter().map(|one| Adjustment {
            id: one.id,
            category: one.category,
            log_odds: one.log_odds,
            text: String::new(),
            signals: Vec::new(),
        });
        Self {
            action: before.action,
            category: before.category,
            scores: before.scores,
            prior: before.prior,
            signals: before.signals,
            model: before.model,
            adjustments: adjustments.collect(),
            causes: before.causes,
            policy: before.policy,
        }
    }
}

/// What a trace was in version 1: short texts had no fingerprint.
#[derive(Deserialize)]
pub(super) struct TraceV1 {
    site: SiteId,
    comment: u64,
    comment_id: Box<str>,
    article: u64,
    author: u64,
    author_known: bool,
    staff: bool,
    links: Vec<LinkTrace>,
    text: Option<TextTrace>,
    headlines: Vec<TextTrace>,
}

impl From<TraceV1> for Trace {
    fn from(before: TraceV1) -> Self {
        let TraceV1 { site, comment, comment_id, article, author, author_known, staff, links, text, headlines } =
            before;
        Self { site, comment, comment_id, article, author, author_known, staff, links, text, headlines, short: None }
    }
}
