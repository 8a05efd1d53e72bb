//! Who works here, and who did what.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::problem::{Problem, ProblemBody};
use super::super::{State, auth};
use super::dto::page_request;
use crate::domain::decision::Actor;
use crate::domain::people::{Duty, Person, Reach, Role};
use crate::domain::store::{AuditFilter, AuditLine};
use crate::domain::time::Timestamp;

/// Someone with an account.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PersonOut {
    /// The e-mail address that names the account.
    pub email: String,
    /// What this person is.
    pub role: Role,
    /// What the role is for: `read`, `decide`, `oversee`, `operate`.
    pub duties: Vec<&'static str>,
    /// On which comments this person works: those within every given list.
    pub reach: Reach,
}

impl From<Person> for PersonOut {
    fn from(person: Person) -> Self {
        let Person { email, role, reach, .. } = person;
        let duties = Duty::ALL.into_iter().filter(|duty| role.may(*duty)).map(Duty::name).collect();
        Self { email, role, duties, reach }
    }
}

/// Everybody who works here.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PeopleOut {
    /// Open accounts, by address.
    pub items: Vec<PersonOut>,
    /// Always null: all are here.
    pub next_cursor: Option<String>,
}

/// Who you are, and what you may do.
#[utoipa::path(get, path = "/v1/me", tag = "moderators", security(("personal_token" = [])),
    responses((status = 200, body = PersonOut), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn me(state: web::Data<State>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let person = auth::person(&state, &request, Duty::Read).await?;
    Ok(HttpResponse::Ok().json(PersonOut::from(person)))
}

/// Who works here, for whoever works on everything. Accounts are made and changed by `doorward user`.
#[utoipa::path(get, path = "/v1/people", tag = "moderators", security(("personal_token" = [])),
    responses((status = 200, body = PeopleOut), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn people(state: web::Data<State>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    auth::overseer(&state, &request).await?;
    let people = state.oversight.people().await?;
    Ok(HttpResponse::Ok().json(PeopleOut { items: people.into_iter().map(Into::into).collect(), next_cursor: None }))
}

/// Which lines of the record.
#[derive(Debug, Deserialize, IntoParams)]
pub struct AuditQuery {
    /// Whose action begins with that, as in `decision` or `site.`.
    pub action: Option<String>,
    /// By that site or person.
    pub by: Option<String>,
    /// To that, as in a uid or a name.
    pub subject: Option<String>,
    /// At or after that moment, RFC 3339.
    pub since: Option<String>,
    /// Before that moment, RFC 3339.
    pub until: Option<String>,
    /// In whose subject or detail that stands, at most 200 bytes.
    pub q: Option<String>,
    /// At most that many, 1 to 500; 50 when not said.
    pub limit: Option<String>,
    /// Where to go on.
    pub cursor: Option<String>,
}

/// Bytes of a search at most.
const MAX_Q: usize = 200;

impl AuditQuery {
    /// What they say, as the record is asked.
    ///
    /// # Errors
    /// 422 for what cannot be read.
    pub(in super::super) fn filter(&self) -> Result<AuditFilter, Problem> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let moment = |field: &str, text: &Option<String>| {
            let moment =
                given(text).map(|text| Timestamp::parse(&text).map_err(|error| Problem::invalid(field, &error)));
            moment.transpose()
        };
        if self.q.as_ref().is_some_and(|q| q.len() > MAX_Q) {
            return Err(Problem::invalid("q", &format!("must hold at most {MAX_Q} bytes")));
        }
        Ok(AuditFilter {
            action: given(&self.action),
            by: given(&self.by),
            subject: given(&self.subject),
            since: moment("since", &self.since)?,
            until: moment("until", &self.until)?,
            q: given(&self.q),
        })
    }
}

/// One line of the record of who did what.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AuditLineOut {
    /// Its number, from 1, without gaps.
    pub number: i64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// `site`, `person` or `console`.
    pub actor: &'static str,
    /// Which site or person.
    pub by: Option<String>,
    /// What.
    pub action: String,
    /// To what.
    pub subject: String,
    /// More, without personal data of authors.
    pub detail: String,
    /// The hash of this line and of all before it, in hexadecimal.
    pub hash: Option<String>,
}

impl From<AuditLine> for AuditLineOut {
    fn from(line: AuditLine) -> Self {
        let AuditLine { number, entry, hash } = line;
        let (actor, by) = match entry.by {
            Actor::Site(name) => ("site", Some(name)),
            Actor::Person(email) => ("person", Some(email)),
            Actor::Console => ("console", None),
        };
        let (action, subject, detail, at) = (entry.action, entry.subject, entry.detail, entry.at);
        Self { number, at, actor, by, action, subject, detail, hash }
    }
}

/// A page of the record.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AuditPage {
    /// Lines, newest first.
    pub items: Vec<AuditLineOut>,
    /// Where to go on.
    pub next_cursor: Option<String>,
}

/// Who did what, newest first, for whoever works on everything. `doorward audit verify` says whether it is whole.
#[utoipa::path(get, path = "/v1/audit", tag = "moderators", security(("personal_token" = [])), params(AuditQuery),
    responses((status = 200, body = AuditPage), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 422, body = ProblemBody),
        (status = 503, body = ProblemBody)))]
pub async fn audit(
    state: web::Data<State>,
    request: HttpRequest,
    query: web::Query<AuditQuery>,
) -> Result<HttpResponse, Problem> {
    auth::overseer(&state, &request).await?;
    let mut query = query.into_inner();
    let cursor = query.cursor.take();
    let filter = query.filter()?;
    let request = page_request(query.limit.as_deref(), cursor)?;
    let page = state.oversight.audit(&filter, &request).await?;
    let items = page.items.into_iter().map(AuditLineOut::from).collect();
    Ok(HttpResponse::Ok().json(AuditPage { items, next_cursor: page.next_cursor }))
}
