//! Backtests: other settings over recorded comments, beside the service, one at a time.

use std::collections::BTreeMap;

use actix_web::http::header::{CONTENT_DISPOSITION, X_CONTENT_TYPE_OPTIONS};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::problem::{Problem, ProblemBody};
use super::super::{State, auth, body};
use crate::app::backtest::{Report, moment};
use crate::app::backtests::{self, Candidate, FILES_MAX, Run, TEXT_MAX, Window};
use crate::domain::people::{Duty, Person};
use crate::domain::time::Timestamp;

/// Bytes of a request at most: JSON may write a text in twice its bytes.
const BODY_MAX: usize = 2 * (TEXT_MAX + FILES_MAX);
/// Lists that a candidate may bring.
const FILES: usize = 100;

/// What to try, on which comments. Settings that are left out are those in force.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BacktestIn {
    /// A whole settings file, at most 512 KiB. `[redacted]` may stand in the place of secrets.
    pub candidate: Option<String>,
    /// Instead: a version that was in force once, by its hash or the hash that a decision names, or the beginning of one.
    pub version: Option<String>,
    /// Lists of words and hosts that it names, by their paths as it writes them, together at most 2 MiB. Those in force need not be sent.
    pub files: BTreeMap<String, String>,
    /// Comments that came since then are judged: days, hours or minutes ago (`30d`, `12h`, `90m`), or RFC 3339; `30d` when not said.
    pub since: Option<String>,
    /// Comments that came later are left out, written alike; now when not said.
    pub until: Option<String>,
    /// That site alone is told about, by name.
    pub site: Option<String>,
}

/// A backtest.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BacktestOut {
    /// Its name.
    pub id: Uuid,
    /// Its page in the console; null where `server.public_url` does not say how that is reached.
    pub link: Option<String>,
    /// `running`, `done`, `failed`, `timed-out` (it took longer than `backtest.time_s`), `stopped` (somebody ended it), or `interrupted` (the service ended
    /// while it ran).
    pub state: &'static str,
    /// Who started it.
    pub by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// When it was over; null while it runs.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// Comments that came since then are judged.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// Until then.
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
    /// The site that is told about; null for all.
    pub site: Option<String>,
    /// The version that was in force; null for a service that follows no file.
    pub base: Option<String>,
    /// Comments that were replayed.
    pub done: u64,
    /// Comments to replay, about; 0 before that is known.
    pub total: u64,
    /// Why it found nothing.
    pub problem: Option<String>,
    /// What it found; null until it is done, and in lists.
    pub report: Option<Report>,
}

impl BacktestOut {
    fn of(run: &Run, public_url: &str, with_report: bool) -> Self {
        let report = match &run.state {
            backtests::State::Done(report) if with_report => Some(Report::clone(report)),
            _ => None,
        };
        Self {
            id: run.id,
            link: link(run.id, public_url),
            state: run.state.name(),
            by: run.by.clone(),
            started_at: run.at,
            ended_at: run.ended,
            since: run.window.since,
            until: run.window.until,
            site: run.window.site.clone(),
            base: Some(run.base.clone()).filter(|base| !base.is_empty()),
            done: run.progress.done,
            total: run.progress.total,
            problem: run.state.problem().map(str::to_owned),
            report,
        }
    }
}

/// The page of a backtest, where it is known how the outside reaches the console.
pub(in super::super) fn link(id: Uuid, public_url: &str) -> Option<String> {
    (!public_url.is_empty()).then(|| format!("{}/backtests/{id}", public_url.trim_end_matches('/')))
}

/// Those that are kept.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BacktestsOut {
    /// Latest first, without what they found.
    pub items: Vec<BacktestOut>,
    /// Always null: all are here.
    pub next_cursor: Option<String>,
}

/// Whoever works on everything and may do that: settings are of all sites, and so is what a backtest finds.
pub(in super::super) async fn somebody(state: &State, request: &HttpRequest, duty: Duty) -> Result<Person, Problem> {
    let person = auth::person(state, request, duty).await?;
    auth::of_everything(&person).map(|()| person)
}

/// Starts a backtest: what other settings would have made of recorded comments, measured by what people decided. It runs beside the service in a process
/// of its own, one at a time, bounded in time, memory and disk by `[backtest]`; what it finds is kept until the service stops, the latest twenty of them. A candidate opens no file of this machine: lists
/// that are not those in force are sent along, and the model stays. What is wrong with it is told with `line` and `column` where it has a place.
#[utoipa::path(post, path = "/v1/backtests", tag = "operators", security(("personal_token" = [])), request_body = BacktestIn,
    responses((status = 202, body = BacktestOut), (status = 400, body = ProblemBody), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody), (status = 409, body = ProblemBody, description = "Another one is running; `running` names it"),
        (status = 413, body = ProblemBody), (status = 415, body = ProblemBody), (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn start(
    state: web::Data<State>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let person = somebody(&state, &request, Duty::Operate).await?;
    let asked: BacktestIn = body::json(&request, payload, BODY_MAX).await?;
    let now = state.clock.now();
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let at = |field: &str, text: Option<String>| {
        let read = |text: String| {
            let wrong = || Problem::invalid(field, "must be 30d, 12h, 90m, or a time such as 2026-11-24T10:00:00Z");
            moment(&text, now).ok_or_else(wrong)
        };
        given(text).map(read).transpose()
    };
    let since = at("since", asked.since)?.unwrap_or_else(|| now.plus_millis(-30 * 86_400_000));
    let window = Window { since, until: at("until", asked.until)?.unwrap_or(now), site: given(asked.site) };
    let files: usize = asked.files.iter().map(|(name, text)| name.len() + text.len()).sum();
    if files > FILES_MAX || asked.files.len() > FILES {
        return Err(Problem::too_large(format!("files: at most {FILES}, of {FILES_MAX} bytes together")));
    }
    let mut candidate = match (asked.candidate, given(asked.version)) {
        (Some(_), Some(_)) => return Err(Problem::invalid("version", "must be left out where there is a candidate")),
        (Some(text), None) if text.len() > TEXT_MAX => {
            return Err(Problem::too_large(format!("candidate: is larger than {TEXT_MAX} bytes")));
        }
        (Some(text), None) => Candidate { text, files: Vec::new() },
        (None, Some(version)) => {
            let found = state.backtests.version(&version).await?;
            found.ok_or_else(|| Problem::not_found(format!("no version {version} was ever in force")))?
        }
        (None, None) => state.backtests.in_force().await?.1,
    };
    for (name, text) in asked.files {
        candidate.files.retain(|(known, _)| *known != name);
        candidate.files.push((name, text));
    }
    let run = state.backtests.start(candidate, window, &person.email).await?;
    let out = BacktestOut::of(&run, &state.config.public_url, false);
    Ok(HttpResponse::Accepted().insert_header(("Location", format!("/v1/backtests/{}", run.id))).json(out))
}

/// Backtests that are kept, latest first.
#[utoipa::path(get, path = "/v1/backtests", tag = "operators", security(("personal_token" = [])),
    responses((status = 200, body = BacktestsOut), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn list(state: web::Data<State>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    somebody(&state, &request, Duty::Oversee).await?;
    let of = |run: &Run| BacktestOut::of(run, &state.config.public_url, false);
    let items = state.backtests.list().await?.iter().map(of).collect();
    Ok(HttpResponse::Ok().json(BacktestsOut { items, next_cursor: None }))
}

/// A backtest: how far it is, and what it found.
#[utoipa::path(get, path = "/v1/backtests/{id}", tag = "operators", security(("personal_token" = [])), params(("id" = Uuid, Path)),
    responses((status = 200, body = BacktestOut), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
        (status = 503, body = ProblemBody)))]
pub async fn find(
    state: web::Data<State>,
    request: HttpRequest,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    somebody(&state, &request, Duty::Oversee).await?;
    let run = found(&state, &id)?;
    Ok(HttpResponse::Ok().json(BacktestOut::of(&run, &state.config.public_url, true)))
}

/// What a backtest's candidate changed of the settings that were in force when it was started, as a unified diff for `patch`, without secrets.
#[utoipa::path(get, path = "/v1/backtests/{id}/diff", tag = "operators", security(("personal_token" = [])), params(("id" = Uuid, Path)),
    responses((status = 200, body = String, content_type = "text/x-diff"), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn diff(
    state: web::Data<State>,
    request: HttpRequest,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    somebody(&state, &request, Duty::Oversee).await?;
    let run = found(&state, &id)?;
    Ok(HttpResponse::Ok()
        .content_type("text/x-diff; charset=utf-8")
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"backtest-{}.diff\"", run.id)))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(run.diff.to_string()))
}

/// Ends a backtest that runs: it stays to be seen as `stopped`. Forgets one that is over.
#[utoipa::path(delete, path = "/v1/backtests/{id}", tag = "operators", security(("personal_token" = [])), params(("id" = Uuid, Path)),
    responses((status = 204), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
        (status = 503, body = ProblemBody)))]
pub async fn end(
    state: web::Data<State>,
    request: HttpRequest,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let person = somebody(&state, &request, Duty::Operate).await?;
    let run = found(&state, &id)?;
    if state.backtests.end(run.id, &person.email).await? {
        return Ok(HttpResponse::NoContent().finish());
    }
    Err(gone())
}

/// The one of that name.
///
/// # Errors
/// 404.
pub(in super::super) fn found(state: &State, id: &str) -> Result<Run, Problem> {
    id.parse().ok().and_then(|id| state.backtests.find(id)).ok_or_else(gone)
}

fn gone() -> Problem {
    Problem::not_found(
        "there is no such backtest here: they are kept until the service stops, the latest twenty of them",
    )
}
