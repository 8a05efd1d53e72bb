//! Where moderators decide.

use std::sync::Arc;

use actix_web::http::header::ContentType;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::super::problem::{Problem, ProblemBody};
use super::super::{State, auth, body};
use super::dto::{
    ClaimsOut, CommentOut, ConflictOut, DecisionOut, Each, ExplanationOut, HappeningOut, QueueCounts, QueueItemOut,
    QueueOut, SumOut, SumTerm, page_request,
};
use crate::app::review::Ask;
use crate::domain::category::Category;
use crate::domain::decision::{Action, Verdict};
use crate::domain::explain::{Standing, place, smallest_change, total};
use crate::domain::people::{Duty, Person, Reach};
use crate::domain::policy::Config as PolicyConfig;
use crate::domain::signal::{Mode, Outcome};
use crate::domain::store::{AuthorKind, QueueFilter, QueueItem, QueueSort, Ruled, RulingCategory, Seen};

/// Items of one request at most.
const MAX_ITEMS: usize = 1_000;
/// Bytes of one item of the queue, about: its text, its article's, and its verdict term by term.
const BYTES_OF_ITEM: usize = 5_000;
/// Bytes of a reason or a note at most.
const MAX_TEXT: usize = 4_000;

/// Which held comments to show, and in which order.
#[derive(Debug, Deserialize, IntoParams)]
pub struct QueueQuery {
    /// Sites, separated by commas.
    pub site: Option<String>,
    /// `spam`, `off-topic` or `abuse`.
    pub category: Option<String>,
    /// That this signal or rule (`rule:NAME`) hit, or that a rule marked it so (`tag:NAME`, `queue:NAME`).
    pub signal: Option<String>,
    /// Whose article stands in that section.
    pub section: Option<String>,
    /// In that language.
    pub lang: Option<String>,
    /// Under that article (the site's id).
    pub article: Option<String>,
    /// By that author (the site's id).
    pub author: Option<String>,
    /// `new` for authors none of whose last 64 comments there stood approved when this one came into the queue; `known` for the others.
    pub author_kind: Option<String>,
    /// Of that campaign.
    pub campaign: Option<String>,
    /// That waits in the queue of that name, one of `[[queues]]`.
    pub queue: Option<String>,
    /// `true`: only what readers reported, while nobody has answered them.
    pub reported: Option<bool>,
    /// Claimed by that person (e-mail), `me`, or `none`.
    pub assigned: Option<String>,
    /// Whose text, author's name or article's title holds all of these words; the last may be the beginning of one (three letters or more).
    pub q: Option<String>,
    /// `priority` (most doubtful first), `oldest` or `newest`.
    pub sort: Option<String>,
    /// At most that many, 1 to 500; 50 when not said.
    pub limit: Option<String>,
    /// Where to go on.
    pub cursor: Option<String>,
}

impl QueueQuery {
    /// What is asked for, and in which order; the use case bounds it by the person's reach.
    ///
    /// # Errors
    /// 422 for a category or an order that there is not.
    pub fn asked(self, person: &Person) -> Result<(QueueFilter, QueueSort), Problem> {
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let category = given(self.category)
            .map(|name| {
                Category::from_name(&name)
                    .ok_or_else(|| Problem::invalid("category", "must be spam, off-topic or abuse"))
            })
            .transpose()?;
        let author_kind = given(self.author_kind)
            .map(|name| {
                AuthorKind::from_name(&name).ok_or_else(|| Problem::invalid("author_kind", "must be new or known"))
            })
            .transpose()?;
        let sort = match given(self.sort).as_deref() {
            None | Some("priority") => QueueSort::Priority,
            Some("oldest") => QueueSort::Oldest,
            Some("newest") => QueueSort::Newest,
            Some(_) => return Err(Problem::invalid("sort", "must be priority, oldest or newest")),
        };
        let sites = given(self.site).unwrap_or_default();
        let filter = QueueFilter {
            sites: sites.split(',').map(str::trim).filter(|site| !site.is_empty()).map(str::to_owned).collect(),
            category,
            signal: given(self.signal),
            section: given(self.section),
            lang: given(self.lang),
            article: given(self.article),
            author: given(self.author),
            author_kind,
            campaign: given(self.campaign).map(|name| Uuid::parse_str(&name).unwrap_or_default()), // none has another name
            assigned: given(self.assigned).map(|by| if by == "me" { person.email.clone() } else { by }),
            reported: self.reported == Some(true),
            queue: given(self.queue),
            queues: Arc::default(), // the use case puts those in force
            q: given(self.q).filter(|q| !q.trim().is_empty()),
            uids: None,
            reach: Reach::ALL, // the use case puts the person's own
        };
        Ok((filter, sort))
    }
}

/// What waits for a person, with true counts.
#[utoipa::path(get, path = "/v1/queue", tag = "moderators", security(("personal_token" = [])), params(QueueQuery),
    responses((status = 200, body = QueueOut), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 422, body = ProblemBody),
        (status = 503, body = ProblemBody)))]
pub async fn queue(
    state: web::Data<State>,
    request: HttpRequest,
    query: web::Query<QueueQuery>,
) -> Result<HttpResponse, Problem> {
    let person = auth::person(&state, &request, Duty::Read).await?;
    let query = query.into_inner();
    let page = page_request(query.limit.as_deref(), query.cursor.clone())?;
    let (filter, sort) = query.asked(&person)?;
    let now = state.clock.now();
    let page = state.review.queue(filter, sort, &page, &person, now).await?;
    let (house, levels) = (state.settings.current(), state.review.levels());
    let due = |item: &QueueItem| levels.due(item.queue.as_deref()?, item.held_at, now);
    let placed = |item: &QueueItem| {
        let policy = house.policy_of(&item.record.site).config();
        place(&seen(item), |category| policy.category(category).hold.get(), now)
    };
    let item = |at: usize| {
        let item = &page.items[at];
        QueueItemOut::new(item, placed(item), due(item))
    };
    let out = QueueOut {
        items: Each { count: page.items.len(), make: &item },
        counts: QueueCounts {
            held: page.held,
            by_site: page.by_site,
            by_category: page.by_category,
            by_signal: page.by_signal,
            by_section: page.by_section,
            by_lang: page.by_lang,
            by_author_kind: page.by_author_kind,
            by_assigned: page.by_assigned,
            by_campaign: page.by_campaign,
            by_queue: page.by_queue.iter().map(|(name, sum)| (name.clone(), sum.waiting)).collect(),
            rechecks: page.rechecks,
        },
        oldest_s: page.oldest.map(|oldest| now.millis_since(oldest) / 1_000),
        next_cursor: page.next_cursor,
    };
    // A page of fifty is some 230 kB: a buffer that grows by doubling copies as much again.
    let mut bytes = Vec::with_capacity(BYTES_OF_ITEM * (out.items.count + 1));
    Ok(match serde_json::to_writer(&mut bytes, &out) {
        Ok(()) => HttpResponse::Ok().content_type(ContentType::json()).body(bytes),
        Err(_) => HttpResponse::Ok().json(out), // says what is wrong as everywhere
    })
}

/// What the sentence about an item's place is made of: only what is the same for all that waits, whatever put it there.
fn seen(item: &QueueItem) -> Standing {
    Standing {
        priority: item.priority,
        category: item.record.as_people_see().verdict.category,
        readers: item.readers,
        held_at: item.held_at,
    }
}

/// Which items to lease, or to give back.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ClaimIn {
    /// The comments, by our names.
    pub uids: Vec<Uuid>,
}

/// Leases held comments for five minutes: those that are free, or yours already.
#[utoipa::path(post, path = "/v1/queue/claims", tag = "moderators", security(("personal_token" = [])), request_body = ClaimIn,
    responses((status = 200, body = ClaimsOut), (status = 400, body = ProblemBody), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 413, body = ProblemBody), (status = 415, body = ProblemBody), (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn claim(
    state: web::Data<State>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let person = auth::person(&state, &request, Duty::Decide).await?;
    let asked = claims(&state, &request, payload).await?;
    let (claimed, until) = state.review.claim(&asked.uids, &person, state.clock.now()).await?;
    Ok(HttpResponse::Ok().json(ClaimsOut { claimed, until: Some(until.to_string()) }))
}

/// Gives leases back.
#[utoipa::path(delete, path = "/v1/queue/claims", tag = "moderators", security(("personal_token" = [])), request_body = ClaimIn,
    responses((status = 200, body = ClaimsOut), (status = 400, body = ProblemBody), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 413, body = ProblemBody), (status = 415, body = ProblemBody), (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn release(
    state: web::Data<State>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let person = auth::person(&state, &request, Duty::Decide).await?;
    let asked = claims(&state, &request, payload).await?;
    let claimed = state.review.release(&asked.uids, &person, state.clock.now()).await?;
    Ok(HttpResponse::Ok().json(ClaimsOut { claimed, until: None }))
}

async fn claims(state: &State, request: &HttpRequest, payload: web::Payload) -> Result<ClaimIn, Problem> {
    let asked: ClaimIn = body::json(request, payload, state.server.get().max_body_bytes).await?;
    bounded("uids", asked.uids.len())?;
    Ok(asked)
}

fn bounded(field: &str, length: usize) -> Result<(), Problem> {
    match length {
        0 => Err(Problem::invalid(field, "must not be empty")),
        1..=MAX_ITEMS => Ok(()),
        _ => Err(Problem::invalid(field, &format!("has {length} entries, at most {MAX_ITEMS} are allowed"))),
    }
}

/// A decision about one comment or many.
#[derive(Debug, Deserialize, ToSchema)]
pub struct DecisionIn {
    /// What, and in which version it was seen.
    pub items: Vec<Seen>,
    /// `approve` or `reject`.
    pub action: Action,
    /// Why.
    #[serde(default)]
    pub category: Option<RulingCategory>,
    /// A reason that the author may be told.
    #[serde(default)]
    pub reason: Option<String>,
    /// A note for colleagues.
    #[serde(default)]
    pub note: Option<String>,
}

/// Decides. Comments that somebody changed since they were seen are left alone and answered as conflicts; when it was the only one, with 409.
#[utoipa::path(post, path = "/v1/decisions", tag = "moderators", security(("personal_token" = [])), request_body = DecisionIn,
    responses((status = 200, body = DecisionOut), (status = 400, body = ProblemBody), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody), (status = 409, body = ProblemBody, description = "`current` is the comment as it is now"), (status = 413, body = ProblemBody),
        (status = 415, body = ProblemBody), (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn decide(
    state: web::Data<State>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let person = auth::person(&state, &request, Duty::Decide).await?;
    let asked: DecisionIn = body::json(&request, payload, state.server.get().max_body_bytes).await?;
    bounded("items", asked.items.len())?;
    let DecisionIn { items, action, category, reason, note } = asked;
    for (field, text) in [("reason", &reason), ("note", &note)] {
        if text.as_ref().is_some_and(|text| text.len() > MAX_TEXT || text.contains('\0')) {
            return Err(Problem::invalid(field, &format!("must hold at most {MAX_TEXT} bytes, and no NUL")));
        }
    }
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let ask = Ask { items, action, category, reason: given(reason), note: given(note) };
    let ruled = state.review.decide(ask, &person, state.clock.now()).await?;
    Ok(HttpResponse::Ok().json(decision(&ruled)))
}

/// Takes a decision back, for every comment that nothing else happened to since.
#[utoipa::path(post, path = "/v1/decisions/{id}/undo", tag = "moderators", security(("personal_token" = [])),
    params(("id" = Uuid, Path, description = "The decision")),
    responses((status = 200, body = DecisionOut), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn undo(state: web::Data<State>, request: HttpRequest, id: web::Path<Uuid>) -> Result<HttpResponse, Problem> {
    let person = auth::person(&state, &request, Duty::Decide).await?;
    let ruled = state.review.undo(id.into_inner(), &person, state.clock.now()).await?;
    Ok(HttpResponse::Ok().json(decision(&ruled)))
}

fn decision(ruled: &Ruled) -> DecisionOut {
    DecisionOut {
        decision: ruled.decision,
        applied: ruled.applied.iter().map(|(record, _)| record.uid).collect(),
        conflicts: ruled
            .conflicts
            .iter()
            .map(|record| ConflictOut { uid: record.uid, current: CommentOut::for_people(record) })
            .collect(),
        missing: ruled.missing.clone(),
    }
}

/// The frozen verdict term by term, what happened since, and the smallest change that would have let the comment through.
#[utoipa::path(get, path = "/v1/comments/by-uid/{uid}/explanation", tag = "moderators", security(("personal_token" = [])),
    params(("uid" = Uuid, Path, description = "Our name for the comment")),
    responses((status = 200, body = ExplanationOut), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
        (status = 503, body = ProblemBody)))]
pub async fn explanation(
    state: web::Data<State>,
    request: HttpRequest,
    uid: web::Path<Uuid>,
) -> Result<HttpResponse, Problem> {
    let person = auth::person(&state, &request, Duty::Read).await?;
    let explained = state.review.explain(uid.into_inner(), &person).await?.as_people_see();
    let also_lets_through = state.desk.also_lets_through(&explained.record, &person).await?;
    let house = state.settings.current();
    let policy = house.policy_of(&explained.record.site).config();
    let verdict = &explained.record.verdict;
    let history = explained.history.into_iter().map(HappeningOut::from);
    Ok(HttpResponse::Ok().json(ExplanationOut {
        comment: CommentOut::from(&explained.record),
        sums: Category::ALL.into_iter().map(|category| (category, sum(verdict, category, policy))).collect(),
        smallest_change: smallest_change(verdict, |category| policy.category(category).hold.get()),
        also_lets_through,
        history: history.collect(),
    }))
}

fn sum(verdict: &Verdict, category: Category, policy: &PolicyConfig) -> SumOut {
    let term = |id: String, log_odds| SumTerm { id, log_odds };
    let mut terms = vec![term("prior".to_owned(), verdict.prior[category])];
    let counted = verdict.signals.iter().filter(|signal| signal.category == category && signal.mode == Mode::Live);
    let hits = counted.filter(|signal| matches!(signal.outcome, Outcome::Hit { .. }));
    terms.extend(hits.map(|signal| term(format!("signal:{}", signal.id), signal.counted())));
    terms.push(term("model".to_owned(), verdict.model.log_odds(category)));
    let adjustments = verdict.adjustments.iter().filter(|adjustment| adjustment.category == category);
    terms.extend(adjustments.map(|adjustment| term(adjustment.id.clone(), adjustment.log_odds)));
    let config = policy.category(category);
    SumOut {
        terms,
        log_odds: total(verdict, category, None),
        score: verdict.scores[category],
        hold: config.hold,
        reject: config.reject,
    }
}
