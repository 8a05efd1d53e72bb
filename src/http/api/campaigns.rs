//! Campaigns: what belongs together is seen together, and decided about once.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::super::problem::{Problem, ProblemBody};
use super::super::{State, auth, body};
use super::dto::{CommentOut, ConflictOut, page_request};
use crate::app::campaigns::{Ask, Shown};
use crate::domain::campaign::{
    CampaignFilter, CampaignRuled, CampaignState, Counts, Key, Kind, Member, MemberFilter, Turn,
};
use crate::domain::decision::{Action, Record, Status};
use crate::domain::people::{Duty, Reach};
use crate::domain::store::RulingCategory;
use crate::domain::time::Timestamp;

/// Members left out of one decision at most.
const MAX_EXCEPT: usize = 1_000;
/// Bytes of a reason or a note at most.
const MAX_TEXT: usize = 4_000;

/// A campaign. Counts are over all sites; text and targets are taken from comments within your reach.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CampaignOut {
    /// Its name.
    pub id: Uuid,
    /// `open`, `decided`, `closed` (people found that it is none, or it went quiet), or `merged`.
    pub state: CampaignState,
    /// What people decided about all of it.
    pub action: Option<Action>,
    /// That decision, which can be taken back.
    pub decision: Option<Uuid>,
    /// Until when whoever joins is rejected unseen; null when nobody said so. Perhaps past: then later members are held, as of any rejected one.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub future_until: Option<String>,
    /// The campaign that it is part of now.
    pub merged_into: Option<Uuid>,
    /// What its comments share: `text`, `headline`, `link`.
    pub kinds: Vec<Kind>,
    /// The text that they share, or what one of them says.
    pub text: String,
    /// Where the links that they share lead, without scheme.
    pub targets: Vec<String>,
    /// The number of the last that joined: send it back as `seen_size`.
    pub size: u32,
    /// Members that are there.
    pub counts: Counts,
    /// When the first member arrived.
    #[schema(value_type = String, format = DateTime)]
    pub first_at: String,
    /// When the last member arrived.
    #[schema(value_type = String, format = DateTime)]
    pub last_at: String,
    /// When it was recognised.
    #[schema(value_type = String, format = DateTime)]
    pub recognised_at: String,
}

impl From<&Shown> for CampaignOut {
    fn from(shown: &Shown) -> Self {
        let campaign = &shown.campaign;
        let mut kinds: Vec<Kind> = campaign.keys.iter().map(Key::kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        Self {
            id: campaign.uid,
            state: campaign.state,
            action: campaign.action,
            decision: campaign.decision,
            future_until: campaign.rule_until.map(|until| until.to_string()),
            merged_into: campaign.into,
            kinds,
            text: shown.sample.text.clone(),
            targets: shown.sample.targets.clone(),
            size: campaign.size,
            counts: campaign.counts,
            first_at: campaign.first_at.to_string(),
            last_at: campaign.last_at.to_string(),
            recognised_at: campaign.recognised_at.to_string(),
        }
    }
}

/// A page of campaigns.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CampaignPage {
    /// The campaigns.
    pub items: Vec<CampaignOut>,
    /// Where to go on; null at the end.
    pub next_cursor: Option<String>,
}

/// A comment that belongs to a campaign.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MemberOut {
    /// The how-manieth it was to join.
    pub number: u32,
    /// Whether it stands approved, no person has looked at it, and somebody should. Readers see it as before.
    pub recheck: bool,
    /// The comment as it is now.
    pub comment: CommentOut,
}

impl From<&Member> for MemberOut {
    fn from(member: &Member) -> Self {
        Self { number: member.number, recheck: member.recheck, comment: CommentOut::for_people(&member.record) }
    }
}

/// A campaign with a page of its members.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CampaignWhole {
    /// The campaign.
    #[serde(flatten)]
    pub campaign: CampaignOut,
    /// Members within your reach, as they joined.
    pub members: Vec<MemberOut>,
    /// Where to go on; null at the end.
    pub next_cursor: Option<String>,
}

/// Which campaigns to list.
#[derive(Debug, Deserialize, IntoParams)]
pub struct CampaignQuery {
    /// `open`, `decided`, `closed` or `merged`.
    pub state: Option<String>,
    /// With a member on that site, of those that you work on.
    pub site: Option<String>,
    /// `true` for those with members that stand approved and that nobody has looked at.
    pub recheck: Option<String>,
    /// At most that many, 1 to 500; 50 when not said.
    pub limit: Option<String>,
    /// Where to go on.
    pub cursor: Option<String>,
}

/// Campaigns with a comment within your reach, latest first.
#[utoipa::path(get, path = "/v1/campaigns", tag = "moderators", security(("personal_token" = [])), params(CampaignQuery),
    responses((status = 200, body = CampaignPage), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 422, body = ProblemBody),
        (status = 503, body = ProblemBody)))]
pub async fn list(
    state: web::Data<State>,
    request: HttpRequest,
    query: web::Query<CampaignQuery>,
) -> Result<HttpResponse, Problem> {
    let person = auth::person(&state, &request, Duty::Read).await?;
    let query = query.into_inner();
    let wrong = || Problem::invalid("state", "must be open, decided, closed or merged");
    let wanted = query.state.as_deref().filter(|state| !state.is_empty());
    let filter = CampaignFilter {
        state: wanted.map(|name| CampaignState::from_name(name).ok_or_else(wrong)).transpose()?,
        site: query.site.filter(|site| !site.is_empty()),
        recheck: flag("recheck", query.recheck.as_deref())?,
        reach: Reach::ALL, // the use case puts the person's own
    };
    let page = page_request(query.limit.as_deref(), query.cursor)?;
    let page = state.campaigns.list(filter, &page, &person).await?;
    let items = page.items.iter().map(Into::into).collect();
    Ok(HttpResponse::Ok().json(CampaignPage { items, next_cursor: page.next_cursor }))
}

fn flag(field: &str, text: Option<&str>) -> Result<bool, Problem> {
    match text {
        None | Some("" | "false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(Problem::invalid(field, "must be true or false")),
    }
}

/// Which members to show.
#[derive(Debug, Deserialize, IntoParams)]
pub struct MemberQuery {
    /// `approved`, `held` or `rejected`.
    pub status: Option<String>,
    /// `true` for those that stand approved and that nobody has looked at.
    pub recheck: Option<String>,
    /// At most that many, 1 to 500; 50 when not said.
    pub limit: Option<String>,
    /// Where to go on.
    pub cursor: Option<String>,
}

/// A campaign with all its members, approved and rejected ones too, page by page.
#[utoipa::path(get, path = "/v1/campaigns/{id}", tag = "moderators", security(("personal_token" = [])), params(("id" = Uuid, Path, description = "The campaign"), MemberQuery),
    responses((status = 200, body = CampaignWhole), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
        (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn find(
    state: web::Data<State>,
    request: HttpRequest,
    id: web::Path<Uuid>,
    query: web::Query<MemberQuery>,
) -> Result<HttpResponse, Problem> {
    let person = auth::person(&state, &request, Duty::Read).await?;
    let query = query.into_inner();
    let status = match query.status.as_deref() {
        None | Some("") => None,
        Some("approved") => Some(Status::Approved),
        Some("held") => Some(Status::Held),
        Some("rejected") => Some(Status::Rejected),
        Some(_) => return Err(Problem::invalid("status", "must be approved, held or rejected")),
    };
    let filter = MemberFilter { status, recheck: flag("recheck", query.recheck.as_deref())?, reach: Reach::ALL };
    let page = page_request(query.limit.as_deref(), query.cursor)?;
    let id = id.into_inner();
    let shown = state.campaigns.find(id, &person).await?;
    let members = state.campaigns.members(id, filter, &page, &person).await?;
    Ok(HttpResponse::Ok().json(CampaignWhole {
        campaign: (&shown).into(),
        members: members.items.iter().map(Into::into).collect(),
        next_cursor: members.next_cursor,
    }))
}

/// A decision about a campaign.
#[derive(Debug, Deserialize, ToSchema)]
pub struct CampaignDecisionIn {
    /// `approve` or `reject`.
    pub action: Action,
    /// The `size` that you saw: members that joined later are reported, not decided about.
    pub seen_size: u32,
    /// Whether members that joined later are decided about too, and those who will: with `reject` whoever joins until `future_until` is rejected.
    #[serde(default)]
    pub future: bool,
    /// Until when, RFC 3339, within 30 days; left out: for a day. Only with `future` and `reject`.
    #[serde(default)]
    pub future_until: Option<String>,
    /// Members that do not belong with the others, by our names: they are left as they are.
    #[serde(default)]
    pub except: Vec<Uuid>,
    /// Why.
    #[serde(default)]
    pub category: Option<RulingCategory>,
    /// A reason that authors may be told.
    #[serde(default)]
    pub reason: Option<String>,
    /// A note for colleagues.
    #[serde(default)]
    pub note: Option<String>,
}

/// What became of a decision about a campaign.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CampaignDecisionOut {
    /// The decision; `/v1/decisions/{id}/undo` takes all of it back.
    pub decision: Uuid,
    /// What was decided about.
    pub applied: Vec<Uuid>,
    /// What a person had decided otherwise about: left alone.
    pub conflicts: Vec<ConflictOut>,
    /// Members that joined after you looked: left alone.
    pub later: Vec<Uuid>,
    /// Members that lie outside of what you work on: left alone. While there are any, the campaign stays open.
    pub outside: u32,
    /// What the campaign is now.
    pub state: CampaignState,
    /// Until when whoever joins is rejected unseen; null while it stays open.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub future_until: Option<String>,
}

impl From<&CampaignRuled> for CampaignDecisionOut {
    fn from(done: &CampaignRuled) -> Self {
        let conflict = |record: &Record| ConflictOut { uid: record.uid, current: CommentOut::for_people(record) };
        Self {
            decision: done.ruled.decision,
            applied: done.ruled.applied.iter().map(|(record, _)| record.uid).collect(),
            conflicts: done.ruled.conflicts.iter().map(conflict).collect(),
            later: done.later.clone(),
            outside: done.outside,
            state: done.turn.state,
            future_until: done.turn.rule_until.map(|until| until.to_string()),
        }
    }
}

/// Decides about every member that you saw, as one decision. Later members of a campaign that was rejected are held or rejected; of one that
/// was approved, what they share counts no more.
#[utoipa::path(post, path = "/v1/campaigns/{id}/decisions", tag = "moderators", security(("personal_token" = [])), request_body = CampaignDecisionIn,
    params(("id" = Uuid, Path, description = "The campaign")),
    responses((status = 200, body = CampaignDecisionOut), (status = 400, body = ProblemBody), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody), (status = 409, body = ProblemBody, description = "It is closed or merged, or nothing is left to decide"),
        (status = 413, body = ProblemBody), (status = 415, body = ProblemBody), (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn decide(
    state: web::Data<State>,
    request: HttpRequest,
    id: web::Path<Uuid>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let person = auth::person(&state, &request, Duty::Decide).await?;
    let asked: CampaignDecisionIn = body::json(&request, payload, state.server.get().max_body_bytes).await?;
    let CampaignDecisionIn { action, seen_size, future, future_until, except, category, reason, note } = asked;
    if except.len() > MAX_EXCEPT {
        let problem = format!("has {} entries, at most {MAX_EXCEPT} are allowed", except.len());
        return Err(Problem::invalid("except", &problem));
    }
    let reason = body::text("reason", reason, MAX_TEXT)?;
    let note = body::text("note", note, MAX_TEXT)?;
    let future_until = moment("future_until", future_until)?;
    let ask = Ask { seen_size, future, future_until, except, action, category, reason, note };
    let done = state.campaigns.decide(id.into_inner(), ask, &person, state.clock.now()).await?;
    Ok(HttpResponse::Ok().json(CampaignDecisionOut::from(&done)))
}

fn moment(field: &str, text: Option<String>) -> Result<Option<Timestamp>, Problem> {
    let text = text.filter(|text| !text.is_empty());
    text.map(|text| Timestamp::parse(&text).map_err(|error| Problem::invalid(field, &error))).transpose()
}

/// A rule for who joins.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CampaignRuleIn {
    /// Until when, RFC 3339, within 30 days.
    pub until: String,
}

/// Rejects whoever joins a rejected campaign, until then. Again sets another end.
#[utoipa::path(put, path = "/v1/campaigns/{id}/rule", tag = "moderators", security(("personal_token" = [])), request_body = CampaignRuleIn,
    params(("id" = Uuid, Path, description = "The campaign")),
    responses((status = 200, body = CampaignTurnOut), (status = 400, body = ProblemBody), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody), (status = 409, body = ProblemBody, description = "People have not rejected it"), (status = 413, body = ProblemBody),
        (status = 415, body = ProblemBody), (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn rule(
    state: web::Data<State>,
    request: HttpRequest,
    id: web::Path<Uuid>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let person = auth::person(&state, &request, Duty::Decide).await?;
    let asked: CampaignRuleIn = body::json(&request, payload, state.server.get().max_body_bytes).await?;
    let until = moment("until", Some(asked.until))?.ok_or_else(|| Problem::invalid("until", "must be a moment"))?;
    let turn = state.campaigns.rule_until(id.into_inner(), Some(until), &person, state.clock.now()).await?;
    Ok(HttpResponse::Ok().json(CampaignTurnOut::from(turn)))
}

/// Ends that rule now. What it rejected stays rejected; later members are held, as of any rejected campaign.
#[utoipa::path(delete, path = "/v1/campaigns/{id}/rule", tag = "moderators", security(("personal_token" = [])), params(("id" = Uuid, Path, description = "The campaign")),
    responses((status = 200, body = CampaignTurnOut), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody, description = "People have not rejected it"), (status = 503, body = ProblemBody)))]
pub async fn end_rule(
    state: web::Data<State>,
    request: HttpRequest,
    id: web::Path<Uuid>,
) -> Result<HttpResponse, Problem> {
    let person = auth::person(&state, &request, Duty::Decide).await?;
    let turn = state.campaigns.rule_until(id.into_inner(), None, &person, state.clock.now()).await?;
    Ok(HttpResponse::Ok().json(CampaignTurnOut::from(turn)))
}

/// What a campaign is now.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CampaignTurnOut {
    /// The campaign.
    pub id: Uuid,
    /// What it is now.
    pub state: CampaignState,
    /// The campaign that it is part of now.
    pub merged_into: Option<Uuid>,
    /// Until when whoever joins is rejected unseen.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub future_until: Option<String>,
}

impl From<Turn> for CampaignTurnOut {
    fn from(turn: Turn) -> Self {
        let future_until = turn.rule_until.map(|until| until.to_string());
        Self { id: turn.uid, state: turn.state, merged_into: turn.into, future_until }
    }
}

/// Closes a campaign that is none. No comment changes, and what its comments share makes no other one while it is remembered.
#[utoipa::path(post, path = "/v1/campaigns/{id}/close", tag = "moderators", security(("personal_token" = [])), params(("id" = Uuid, Path, description = "The campaign")),
    responses((status = 200, body = CampaignTurnOut), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody, description = "Or some of it lies outside of what you work on"),
        (status = 404, body = ProblemBody), (status = 409, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn close(
    state: web::Data<State>,
    request: HttpRequest,
    id: web::Path<Uuid>,
) -> Result<HttpResponse, Problem> {
    let person = auth::person(&state, &request, Duty::Decide).await?;
    let turn = state.campaigns.close(id.into_inner(), &person, state.clock.now()).await?;
    Ok(HttpResponse::Ok().json(CampaignTurnOut::from(turn)))
}

/// The campaign that another becomes part of.
#[derive(Debug, Deserialize, ToSchema)]
pub struct MergeIn {
    /// Which.
    pub into: Uuid,
}

/// Makes an open campaign part of another open one: its members are the last that joined that one. There is no way back.
#[utoipa::path(post, path = "/v1/campaigns/{id}/merge", tag = "moderators", security(("personal_token" = [])), request_body = MergeIn,
    params(("id" = Uuid, Path, description = "The campaign that goes")),
    responses((status = 200, body = CampaignTurnOut), (status = 400, body = ProblemBody), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody), (status = 409, body = ProblemBody), (status = 413, body = ProblemBody), (status = 415, body = ProblemBody),
        (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn merge(
    state: web::Data<State>,
    request: HttpRequest,
    id: web::Path<Uuid>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let person = auth::person(&state, &request, Duty::Decide).await?;
    let asked: MergeIn = body::json(&request, payload, state.server.get().max_body_bytes).await?;
    let turn = state.campaigns.merge(id.into_inner(), asked.into, &person, state.clock.now()).await?;
    Ok(HttpResponse::Ok().json(CampaignTurnOut::from(turn)))
}
