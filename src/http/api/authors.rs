//! A person's data: everything that is kept of an author, and erasing it.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::super::problem::{Problem, ProblemBody};
use super::super::{State, auth};
use super::dto::{CommentOut, HappeningOut, page_request};
use crate::domain::appeal::AppealState;
use crate::domain::comment::{Author, ExternalId, NewComment};
use crate::domain::decision::Actor;
use crate::domain::readers::ReaderView;
use crate::domain::sanction::Sanction;
use crate::domain::site::Scope;
use crate::domain::store::{Happening, Kept, KeptAppeal, KeptBesides, KeptReport, KeptVote};

/// Which page.
#[derive(Debug, serde::Deserialize, IntoParams)]
pub struct ExportQuery {
    /// The site, with a personal token.
    pub site: Option<String>,
    /// At most that many comments, 1 to 500; 50 when not said.
    pub limit: Option<String>,
    /// Where to go on.
    pub cursor: Option<String>,
}

/// A page of what is kept of an author.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AuthorExport {
    /// The site's own name for the author.
    pub author: String,
    /// Comments, newest first.
    pub items: Vec<KeptOut>,
    /// Everything else; on the first page only.
    pub besides: Option<BesidesOut>,
    /// Where to go on.
    pub next_cursor: Option<String>,
}

/// Everything that is kept of one comment.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct KeptOut {
    /// What it is now.
    #[serde(flatten)]
    pub comment: CommentOut,
    /// How it was sent.
    pub sent: SentOut,
    /// Earlier revisions as they were sent, oldest first.
    pub earlier: Vec<EarlierOut>,
    /// What happened to it, oldest first.
    pub history: Vec<HappeningOut>,
    /// Appeals, oldest first.
    pub appeals: Vec<AppealKeptOut>,
    /// Reports and votes of readers on it, in numbers.
    pub readers: ReaderView,
}

/// What came with a comment.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SentOut {
    /// Who wrote it, as far as it is still kept.
    pub author: AuthorOut,
    /// The comment that it answers.
    pub parent_id: Option<String>,
    /// When the author sent it.
    pub created_at: Option<String>,
    /// What stood in the hidden field.
    pub honeypot: Option<String>,
    /// Milliseconds from opening the form to sending it.
    pub typing_ms: Option<u64>,
    /// The page that the browser came from.
    pub referrer: Option<String>,
}

/// An author as sent.
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
    /// The address that the comment came from.
    pub ip: Option<String>,
    /// The browser's own description.
    pub user_agent: Option<String>,
    /// What this person is to the site.
    pub role: Option<String>,
    /// When the account was made.
    pub registered_at: Option<String>,
}

/// An earlier revision.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EarlierOut {
    /// The text.
    pub body: String,
    /// What came with it.
    pub sent: SentOut,
}

/// An appeal.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AppealKeptOut {
    /// Our name for it.
    pub id: Uuid,
    /// What it is now.
    pub state: AppealState,
    /// What the author said.
    pub text: Option<String>,
    /// The answer.
    pub answer: Option<String>,
    /// When it was opened.
    pub at: String,
}

/// What is kept of an author besides comments.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BesidesOut {
    /// Reports that they made as a reader.
    pub reports: Vec<ReportKeptOut>,
    /// Votes that they gave as a reader.
    pub votes: Vec<VoteKeptOut>,
    /// Sanctions that aim at them.
    pub sanctions: Vec<SanctionKeptOut>,
    /// What moderators noted about them.
    pub notes: Vec<NoteKeptOut>,
}

/// A report.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ReportKeptOut {
    /// The comment.
    pub uid: Uuid,
    /// What the reader found wrong.
    pub category: Option<String>,
    /// In the reader's words.
    pub text: Option<String>,
    /// When.
    pub at: String,
}

/// A vote.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct VoteKeptOut {
    /// The comment.
    pub uid: Uuid,
    /// 1 or -1.
    pub value: i8,
    /// When.
    pub at: String,
}

/// A moderator's note about the author.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct NoteKeptOut {
    /// In a moderator's words.
    pub text: String,
    /// When.
    pub at: String,
}

/// A sanction.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SanctionKeptOut {
    /// What it does.
    pub measure: &'static str,
    /// Why, in a moderator's words.
    pub cause: String,
    /// Since when.
    pub at: String,
    /// Until when.
    pub expires_at: Option<String>,
    /// When it was lifted.
    pub lifted_at: Option<String>,
}

impl From<&NewComment> for SentOut {
    fn from(sent: &NewComment) -> Self {
        let Author { id, name, email, url, ip, user_agent, role, registered_at } = sent.author.clone();
        let author = AuthorOut {
            id: id.map(|id| id.to_string()),
            name,
            email,
            url,
            ip: ip.map(|ip| ip.to_string()),
            user_agent,
            role,
            registered_at: registered_at.map(|at| at.to_string()),
        };
        Self {
            author,
            parent_id: sent.parent_id.as_ref().map(ToString::to_string),
            created_at: sent.created_at.map(|at| at.to_string()),
            honeypot: sent.honeypot.clone(),
            typing_ms: sent.typing_ms,
            referrer: sent.referrer.clone(),
        }
    }
}

impl From<Kept> for KeptOut {
    fn from(kept: Kept) -> Self {
        let earlier = kept.earlier.iter().map(|sent| EarlierOut { body: sent.body.clone(), sent: sent.into() });
        Self {
            comment: CommentOut::from(&kept.record),
            sent: SentOut::from(&kept.record.comment),
            earlier: earlier.collect(),
            history: kept.history.into_iter().map(nameless).map(HappeningOut::from).collect(),
            appeals: kept.appeals.into_iter().map(AppealKeptOut::from).collect(),
            readers: kept.readers,
        }
    }
}

/// Which colleague decided, and what they noted for each other, is not the author's data.
fn nameless(happening: Happening) -> Happening {
    let by = match happening.by {
        Actor::Person(_) => Actor::Person("a moderator".to_owned()),
        by => by,
    };
    Happening { by, note: None, ..happening }
}

impl From<KeptAppeal> for AppealKeptOut {
    fn from(kept: KeptAppeal) -> Self {
        let KeptAppeal { uid, state, text, at, answer } = kept;
        Self { id: uid, state, text, answer, at: at.to_string() }
    }
}

impl From<KeptBesides> for BesidesOut {
    fn from(kept: KeptBesides) -> Self {
        let report = |KeptReport { comment, category, text, at }: KeptReport| ReportKeptOut {
            uid: comment,
            category,
            text,
            at: at.to_string(),
        };
        let vote = |KeptVote { comment, value, at }: KeptVote| VoteKeptOut { uid: comment, value, at: at.to_string() };
        // Who sanctioned is not theirs to know; why is.
        let sanction = |sanction: Sanction| SanctionKeptOut {
            measure: sanction.measure.name(),
            cause: sanction.cause,
            at: sanction.at.to_string(),
            expires_at: sanction.expires_at.map(|at| at.to_string()),
            lifted_at: sanction.lifted.map(|(at, _)| at.to_string()),
        };
        Self {
            reports: kept.reports.into_iter().map(report).collect(),
            votes: kept.votes.into_iter().map(vote).collect(),
            sanctions: kept.sanctions.into_iter().map(sanction).collect(),
            notes: kept
                .notes
                .into_iter()
                .map(|note| NoteKeptOut { text: note.text, at: note.at.to_string() })
                .collect(),
        }
    }
}

/// Whoever may see all of a site: what is kept of an author cannot be shown or erased by halves.
fn whole(caller: &auth::Caller) -> Result<(), Problem> {
    if caller.sees_whole_site() {
        return Ok(());
    }
    Err(Problem::forbidden("an author's data is that of the whole site, and you work on a part of it"))
}

/// Everything that is kept of an author: comments with their earlier texts and history, appeals, reports, votes and sanctions.
#[utoipa::path(get, path = "/v1/authors/{id}/export", tag = "websites", security(("site_key" = ["read"]), ("personal_token" = [])),
    params(("id" = String, Path, description = "The site's own name for the author"), ExportQuery),
    responses((status = 200, body = AuthorExport), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
        (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn export(
    state: web::Data<State>,
    request: HttpRequest,
    id: web::Path<String>,
    query: web::Query<ExportQuery>,
) -> Result<HttpResponse, Problem> {
    let query = query.into_inner();
    let caller = auth::caller(&state, &request, Scope::Read, query.site.as_deref()).await?;
    whole(&caller)?;
    auth::same_origin(&state, &request)?; // or another site's link would put an export on record under this person's name
    let author = ExternalId::parse("id", id.into_inner())?;
    let page = page_request(query.limit.as_deref(), query.cursor)?;
    let export = state.authors.export(&caller.site, &author, &page, caller.by, state.clock.now()).await?;
    Ok(HttpResponse::Ok().json(AuthorExport {
        author: author.to_string(),
        items: export.page.items.into_iter().map(KeptOut::from).collect(),
        besides: export.besides.map(BesidesOut::from),
        next_cursor: export.page.next_cursor,
    }))
}

/// What was erased.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ErasedOut {
    /// Comments.
    pub comments: u64,
    /// Reports, votes, sanctions and moderators' notes.
    pub others: u64,
}

/// Erases an author: comments with everything that was kept of them, reports and votes, sanctions that aim at them. Again is harmless.
#[utoipa::path(delete, path = "/v1/authors/{id}", tag = "websites", security(("site_key" = ["erase"]), ("personal_token" = [])),
    params(("id" = String, Path, description = "The site's own name for the author"), super::comments::SiteQuery),
    responses((status = 200, body = ErasedOut), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
        (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn erase(
    state: web::Data<State>,
    request: HttpRequest,
    id: web::Path<String>,
    query: web::Query<super::comments::SiteQuery>,
) -> Result<HttpResponse, Problem> {
    let caller = auth::caller(&state, &request, Scope::Erase, query.site.as_deref()).await?;
    whole(&caller)?;
    let author = ExternalId::parse("id", id.into_inner())?;
    let erased = state.authors.erase(&caller.site, &author, caller.by, state.clock.now()).await?;
    Ok(HttpResponse::Ok().json(ErasedOut { comments: erased.comments, others: erased.others }))
}
