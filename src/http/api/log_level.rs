//! From which level on the process that answers logs.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::problem::{Problem, ProblemBody};
use super::super::{State, auth, body};
use crate::app::log_level::Levels;
use crate::domain::people::{Duty, Person};
use crate::domain::time::Timestamp;

/// Seconds when nothing is said.
const FOR_S: u32 = 600;
/// A day: whoever needs it for longer changes the settings.
const FOR_S_MAX: u32 = 86_400;

/// The levels of the process that answers.
#[derive(Debug, Serialize, ToSchema)]
pub struct LogLevelOut {
    /// In force.
    pub level: String,
    /// What `log.level` says, and what is in force again afterwards.
    pub settings: String,
    /// Until when another one is; null when it is that of the settings.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
}

impl From<Levels> for LogLevelOut {
    fn from(levels: Levels) -> Self {
        let level = levels.in_force().to_owned();
        Self { level, until: levels.instead.map(|(_, until)| until), settings: levels.settings }
    }
}

/// Another level, for a time.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogLevelIn {
    /// As `log.level`: `debug`, or finer by module, as in `info,doorward::http=debug`.
    #[schema(max_length = 1000)]
    pub level: String,
    /// Seconds for which it is in force, 1 to 86400; 600 when not said.
    #[schema(minimum = 1, maximum = 86400)]
    pub for_s: Option<u32>,
}

async fn operator(state: &State, request: &HttpRequest) -> Result<Person, Problem> {
    let person = auth::person(state, request, Duty::Operate).await?;
    auth::of_everything(&person).map(|()| person)
}

/// The level of the process that answers; each node has its own.
#[utoipa::path(get, path = "/v1/log-level", tag = "operators", security(("personal_token" = [])),
    responses((status = 200, body = LogLevelOut), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn find(state: web::Data<State>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    operator(&state, &request).await?;
    Ok(HttpResponse::Ok().json(LogLevelOut::from(state.log_level.levels())))
}

/// Logs from another level on, for a time, in the process that answers. A change of `log.level` in the settings ends it.
#[utoipa::path(put, path = "/v1/log-level", tag = "operators", security(("personal_token" = [])), request_body = LogLevelIn,
    responses((status = 200, body = LogLevelOut), (status = 400, body = ProblemBody), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 413, body = ProblemBody), (status = 415, body = ProblemBody), (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn set(
    state: web::Data<State>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let by = operator(&state, &request).await?;
    let asked: LogLevelIn = body::json(&request, payload, state.server.get().max_body_bytes).await?;
    let for_s = asked.for_s.unwrap_or(FOR_S);
    if !(1..=FOR_S_MAX).contains(&for_s) {
        return Err(Problem::invalid("for_s", "must be 1 to 86400"));
    }
    if asked.level.len() > 1_000 {
        return Err(Problem::invalid("level", "must hold at most 1000 bytes"));
    }
    let now = state.clock.now();
    let until = now.plus_millis(i64::from(for_s) * 1_000);
    state.log_level.set_until(&asked.level, until).map_err(|error| Problem::invalid("level", &error.to_string()))?;
    state.oversight.note_log_level(&by, &asked.level, for_s, now).await?;
    tracing::info!(level = asked.level, for_s, "the log has another level for a time");
    Ok(HttpResponse::Ok().json(LogLevelOut::from(state.log_level.levels())))
}

/// Goes back to what the settings say.
#[utoipa::path(delete, path = "/v1/log-level", tag = "operators", security(("personal_token" = [])),
    responses((status = 200, body = LogLevelOut), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn end(state: web::Data<State>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    operator(&state, &request).await?;
    state.log_level.end();
    Ok(HttpResponse::Ok().json(LogLevelOut::from(state.log_level.levels())))
}
