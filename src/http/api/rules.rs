//! What rules, checks and limits do, and whether people agree with them.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::problem::{Problem, ProblemBody};
use super::super::{State, auth};
use super::dto::page_request;
use crate::app::reads::rules::RulesAsked;
use crate::app::truth::{DAYS, Hit, LISTED_MAX, Which};
use crate::domain::people::Duty;
use crate::domain::reads::Glimpse;
use crate::domain::time::Timestamp;
use crate::domain::truth::{Account, Wording};

const DAY_MS: i64 = 86_400_000;

/// Which time, and where.
#[derive(Debug, Default, Deserialize, IntoParams)]
pub struct RulesQuery {
    /// On that site alone; on all within your reach when not said.
    pub site: Option<String>,
    /// Of comments that came at or after that moment, RFC 3339; of the last 28 days when not said.
    pub since: Option<String>,
    /// Of comments that came before that moment; until now when not said.
    pub until: Option<String>,
}

impl RulesQuery {
    /// What it says.
    ///
    /// # Errors
    /// 422 for what cannot be read.
    pub(in super::super) fn asked(&self, now: Timestamp) -> Result<RulesAsked, Problem> {
        let moment = |field: &str, text: &Option<String>| {
            let given = text.as_deref().filter(|text| !text.is_empty());
            given.map(|text| Timestamp::parse(text).map_err(|error| Problem::invalid(field, &error))).transpose()
        };
        // A comment of this very moment is one that came.
        let until = moment("until", &self.until)?.unwrap_or_else(|| now.plus_millis(1));
        let since = moment("since", &self.since)?.unwrap_or_else(|| until.plus_millis(-DAYS * DAY_MS));
        if since >= until {
            return Err(Problem::invalid("since", "must be earlier than `until`, which is now when not said"));
        }
        Ok(RulesAsked { site: self.site.clone().filter(|site| !site.is_empty()), since, until })
    }
}

/// Which comments.
#[derive(Debug, Default, Deserialize, IntoParams)]
pub struct HitsQuery {
    /// `decisive`: whose verdict hung on it; `overturned`: of these, what people decided against; `hit`: all that it hit. `decisive` when not said.
    pub which: Option<String>,
    /// At most that many, 1 to 100; 50 when not said.
    pub limit: Option<String>,
    /// Where to go on.
    pub cursor: Option<String>,
}

impl HitsQuery {
    /// What it says: which, from before which place, and how many.
    ///
    /// # Errors
    /// 422 for what cannot be read.
    pub(in super::super) fn asked(&self) -> Result<(Which, Option<u128>, usize), Problem> {
        let which = match self.which.as_deref().filter(|which| !which.is_empty()) {
            None => Which::default(),
            Some(name) => Which::named(name)
                .ok_or_else(|| Problem::invalid("which", "must be `decisive`, `overturned` or `hit`"))?,
        };
        let page = page_request(self.limit.as_deref(), self.cursor.clone())?;
        if page.limit > LISTED_MAX {
            return Err(Problem::invalid("limit", &format!("must be a number from 1 to {LISTED_MAX}")));
        }
        let before = page.cursor.map(|cursor| {
            u128::from_str_radix(&cursor, 16).map_err(|_| Problem::invalid("cursor", "is not one of ours"))
        });
        Ok((which, before.transpose()?, page.limit))
    }
}

/// A comment that something hit.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HitOut {
    /// The site.
    pub site: String,
    /// Whether the verdict hung on it; in shadow, whether it would have been another.
    pub decisive: bool,
    /// Whether a person decided against what it was decisive for; null where it was not, or nobody decided.
    pub overturned: Option<bool>,
    /// Whether it ran in shadow.
    pub shadow: bool,
    /// In which text, of a rule that is in the settings.
    pub wording: Option<Wording>,
    /// The comment.
    #[serde(flatten)]
    pub comment: Glimpse,
}

impl From<Hit> for HitOut {
    fn from(hit: Hit) -> Self {
        let Hit { site, comment, decisive, overturned, shadow, wording } = hit;
        Self { site: site.to_string(), decisive, overturned, shadow, wording, comment }
    }
}

/// Comments that something hit.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HitPage {
    /// Latest first.
    pub items: Vec<HitOut>,
    /// Where to go on. A page looks through a bounded number of comments: it may be short, or empty, and not the last.
    pub next_cursor: Option<String>,
}

/// Where to go on, as it is given out.
#[must_use]
pub fn cursor_of(place: u128) -> String {
    format!("{place:x}")
}

/// What each rule, check and limit did on your sites and whether people agree: how often it hit, on how many comments the verdict hung on it, how often
/// people decided against that, and its precision, all in all and by site and week; with hints on what to look at. What runs in shadow is told of as if it
/// were live, and what an earlier text of a rule did stands apart. Rules of sites that are not yours are not among them. Where more came than is counted within some seconds, `counted_since`,
/// `decided_since` and `weeks_since` say from when on it is of everything.
#[utoipa::path(get, path = "/v1/rules", tag = "operators", security(("personal_token" = [])), params(RulesQuery),
    responses((status = 200, body = Account), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
        (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn truth(
    state: web::Data<State>,
    request: HttpRequest,
    query: web::Query<RulesQuery>,
) -> Result<HttpResponse, Problem> {
    let person = auth::person_of_whole_sites(&state, &request, Duty::Oversee).await?;
    let now = state.clock.now();
    let account = state.desk.rules(&query.asked(now)?, &person, now).await?;
    Ok(HttpResponse::Ok().json(account))
}

/// The comments that a rule, check or limit hit, latest first: those on which the verdict hung, or that people decided against it.
#[utoipa::path(get, path = "/v1/rules/{id}/comments", tag = "operators", security(("personal_token" = [])),
    params(("id" = String, Path, description = "As it stands in verdicts: `rule:coin-wave`, `link-count`, `limit:per-ip`"), RulesQuery, HitsQuery),
    responses((status = 200, body = HitPage), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
        (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn comments(
    state: web::Data<State>,
    request: HttpRequest,
    id: web::Path<String>,
    query: web::Query<RulesQuery>,
    hits: web::Query<HitsQuery>,
) -> Result<HttpResponse, Problem> {
    let person = auth::person_of_whole_sites(&state, &request, Duty::Oversee).await?;
    let asked = query.asked(state.clock.now())?;
    let (which, before, most) = hits.asked()?;
    let found = state.desk.rule_hits(&asked, (&id, which), before, most, &person).await?;
    let items = found.items.into_iter().map(Into::into).collect();
    Ok(HttpResponse::Ok().json(HitPage { items, next_cursor: found.next.map(cursor_of) }))
}
