//! The site's addresses. Everything works without a script: forms are posted, answers lead back to the page.

use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, ContentType};
use actix_web::middleware::DefaultHeaders;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::board::{Appeal, Comment, State};
use super::doorward::{Author, Trouble};
use super::events::Event;
use super::pages::{self, Article, Form, Front};
use super::post::{self, Posted, Written};
use super::readers::{self, Notify};
use super::stories::Story;
use super::{Site, hook, replay, views};

const COOKIE: &str = "courier_reader";
/// Characters of a name, a comment, and a report's or an appeal's text.
const MAX_NAME: usize = 60;
const MAX_BODY: usize = 4_000;
const MAX_WORDS: usize = 500;
/// Bytes of a form.
const MAX_FORM: usize = 64 << 10;
/// Nothing from elsewhere, no script in the page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const ASSETS: &[(&str, &str, &str)] = &[
    ("courier.css", "text/css; charset=utf-8", include_str!("assets/courier.css")),
    ("courier.js", "text/javascript; charset=utf-8", include_str!("assets/courier.js")),
    ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
    ("harbour-bridge.svg", "image/svg+xml", include_str!("assets/harbour-bridge.svg")),
    ("school-lunches.svg", "image/svg+xml", include_str!("assets/school-lunches.svg")),
    ("rovers-semifinal.svg", "image/svg+xml", include_str!("assets/rovers-semifinal.svg")),
    ("heat-pumps.svg", "image/svg+xml", include_str!("assets/heat-pumps.svg")),
    ("sunday-library.svg", "image/svg+xml", include_str!("assets/sunday-library.svg")),
    ("storm-ingrid.svg", "image/svg+xml", include_str!("assets/storm-ingrid.svg")),
];

pub(super) fn routes(app: &mut web::ServiceConfig) {
    app.app_data(web::FormConfig::default().limit(MAX_FORM))
        .app_data(web::PayloadConfig::new(1 << 20))
        .route("/", web::get().to(front))
        .route("/articles/{story}", web::get().to(article))
        .route("/articles/{story}/comments", web::get().to(list))
        .route("/articles/{story}/comments", web::post().to(comment))
        .route("/articles/{story}/threads/{root}", web::get().to(thread))
        .route("/comments/{id}/votes", web::post().to(vote))
        .route("/comments/{id}/reports", web::post().to(report))
        .route("/comments/{id}/appeals", web::post().to(appeal))
        .route("/said", web::get().to(said))
        .route("/notices", web::get().to(notices))
        .route("/notices", web::post().to(read_notices))
        .route("/replays/{id}", web::post().to(start_replay))
        .route("/events", web::get().to(events))
        .route("/assets/{name}", web::get().to(asset))
        .route("/doorward", web::post().to(hook::receive));
}

/// What every answer carries.
pub(super) fn headers() -> DefaultHeaders {
    DefaultHeaders::new()
        .add((header::CONTENT_SECURITY_POLICY, POLICY))
        .add((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .add((header::REFERRER_POLICY, "same-origin"))
        .add((header::CACHE_CONTROL, "no-store"))
}

/// Whoever asks.
struct Asking {
    reader: String,
    is_new: bool,
    /// The page's script asks, and needs no page.
    is_script: bool,
}

impl Asking {
    fn of(request: &HttpRequest) -> Self {
        let cookie = request.cookie(COOKIE).map(|cookie| cookie.value().to_owned());
        let known = cookie.filter(|reader| readers::is_reader(reader));
        let is_script = request.headers().contains_key("x-script");
        Self { is_new: known.is_none(), reader: known.unwrap_or_else(readers::new_reader), is_script }
    }

    fn show(&self, status: StatusCode, page: &impl Template) -> HttpResponse {
        let mut answer = HttpResponse::build(status);
        if self.is_new {
            let cookie = Cookie::build(COOKIE, self.reader.clone());
            let cookie = cookie.path("/").http_only(true).same_site(SameSite::Lax).max_age(Duration::days(30));
            answer.cookie(cookie.finish());
        }
        match page.render() {
            Ok(html) => answer.content_type(ContentType::html()).body(html),
            Err(error) => {
                tracing::error!(%error, "a page of the sample site could not be made");
                HttpResponse::new(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }

    /// Back to a place on the site. The reader's name goes along: without a cookie, a first comment would be nobody's.
    fn back(&self, to: &str) -> HttpResponse {
        if self.is_script {
            return HttpResponse::new(StatusCode::NO_CONTENT);
        }
        HttpResponse::SeeOther().insert_header((header::LOCATION, to)).finish()
    }
}

/// A request that changes something must come from one of the site's own pages, from a reader whom the site knows.
fn acting(request: &HttpRequest) -> Option<Asking> {
    let head = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let is_own = match (head("sec-fetch-site"), head("origin")) {
        (Some(from), _) => matches!(from, "same-origin" | "none"),
        (None, Some(origin)) => head("host").is_some_and(|host| origin == format!("http://{host}")),
        (None, None) => true,
    };
    Some(Asking::of(request)).filter(|asking| is_own && !asking.is_new)
}

fn forbidden() -> HttpResponse {
    HttpResponse::Forbidden()
        .body("Please open the page first, and allow its cookie: it tells your comments from others'.")
}

fn not_found() -> HttpResponse {
    HttpResponse::NotFound().body("There is nothing here.")
}

#[derive(Deserialize)]
struct Query {
    reply: Option<String>,
    paragraph: Option<usize>,
    all: Option<String>,
    note: Option<String>,
    story: Option<String>,
}

impl Query {
    fn note(&self) -> Option<&'static str> {
        Some(match self.note.as_deref()? {
            "later" => "We could not pass that on just now. Please try again in a moment.",
            "reported" => "Thank you. A moderator will look at the comment.",
            "appealed" => "Thank you. Somebody will look at your comment again.",
            "not-possible" => "That is not possible with this comment any more.",
            _ => return None,
        })
    }
}

async fn front(site: web::Data<Site>, request: HttpRequest, query: web::Query<Query>) -> HttpResponse {
    let asking = Asking::of(&request);
    asking.show(StatusCode::OK, &Front::new(&site, &asking.reader, query.note()))
}

async fn article(
    site: web::Data<Site>,
    request: HttpRequest,
    id: web::Path<String>,
    query: web::Query<Query>,
) -> HttpResponse {
    let Some(story) = site.story(&id) else { return not_found() };
    let asking = Asking::of(&request);
    let form = form(&site, story, &asking.reader, query.reply.as_deref(), query.paragraph);
    let page = Article::new(&site, story, &asking.reader, query.all.is_some(), form, query.note());
    asking.show(StatusCode::OK, &page)
}

/// An empty form, for whoever asks.
fn form(site: &Site, story: &Story, reader: &str, parent: Option<&str>, paragraph: Option<usize>) -> Form {
    let room = site.room();
    let known = room.readers.find(reader);
    let wishes = known.and_then(|known| known.wants.get(&story.id).copied()).unwrap_or_default();
    let parent = parent.and_then(|parent| room.board.find(parent));
    let parent = parent.filter(|parent| parent.story == story.id && parent.shows_to(reader));
    let form = Form {
        id: Uuid::new_v4().to_string(),
        opened_ms: (site.now)(),
        name: known.map(|known| known.name.clone()).unwrap_or_default(),
        parent: parent.map(|parent| (parent.id.clone(), parent.name.clone())),
        paragraph: paragraph.and_then(|at| Some((at, views::quote(story.paragraphs.get(at)?)))),
        ..Form::default()
    };
    form.with_wishes(wishes)
}

#[derive(Deserialize)]
struct CommentForm {
    id: String,
    name: String,
    body: String,
    #[serde(default)]
    parent_id: String,
    #[serde(default)]
    paragraph: String,
    #[serde(default)]
    notify: Notify,
    #[serde(default)]
    opened: String,
    #[serde(default)]
    website: String,
}

async fn comment(
    site: web::Data<Site>,
    request: HttpRequest,
    id: web::Path<String>,
    sent: web::Form<CommentForm>,
) -> HttpResponse {
    let Some(asking) = acting(&request) else { return forbidden() };
    let Some(story) = site.story(&id) else { return not_found() };
    let (name, body) = (sent.name.trim(), sent.body.trim());
    let asked = form(&site, story, &asking.reader, Some(&sent.parent_id), sent.paragraph.parse().ok());
    let (parent, paragraph) = (asked.parent.clone().map(|(id, _)| id), asked.paragraph.clone().map(|(at, _)| at));
    let opened_ms = sent.opened.parse::<i64>().ok().filter(|opened| (1..=asked.opened_ms).contains(opened));
    let again = |status, error| {
        let filled = Form {
            name: name.to_owned(),
            body: body.to_owned(),
            opened_ms: opened_ms.unwrap_or(asked.opened_ms),
            error: Some(error),
            ..asked
        };
        let page = Article::new(&site, story, &asking.reader, false, filled.with_wishes(sent.notify), None);
        asking.show(status, &page)
    };
    let Ok(nonce) = Uuid::parse_str(&sent.id) else {
        return again(StatusCode::UNPROCESSABLE_ENTITY, "Please send it once more.");
    };
    let id = format!("c-{nonce}");
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        return again(StatusCode::UNPROCESSABLE_ENTITY, "Please give a name of 60 characters at most.");
    }
    if body.is_empty() || body.chars().count() > MAX_BODY || body.contains('\0') {
        return again(StatusCode::UNPROCESSABLE_ENTITY, "Please write something, 4000 characters at most.");
    }
    {
        let mut room = site.room();
        let reader = room.readers.entry(&asking.reader);
        reader.name = name.to_owned();
        reader.wants.insert(story.id.clone(), sent.notify);
    }
    let head = |name: header::HeaderName| {
        let value = request.headers().get(name)?.to_str().ok()?;
        Some(value.chars().take(MAX_WORDS).collect::<String>())
    };
    let author = Author {
        id: asking.reader.clone(),
        name: name.to_owned(),
        ip: request.peer_addr().map(|peer| peer.ip().to_string()),
        user_agent: head(header::USER_AGENT),
        ..Author::default()
    };
    let written = Written {
        author,
        honeypot: sent.website.chars().take(MAX_WORDS).collect(),
        typing_ms: opened_ms.and_then(|opened| u64::try_from((site.now)() - opened).ok()),
        referrer: head(header::REFERER),
    };
    let mut comment = Comment::new(
        id.clone(),
        story.id.clone(),
        parent,
        asking.reader.clone(),
        name.to_owned(),
        body.to_owned(),
        (site.now)(),
    );
    comment.paragraph = paragraph;
    match post::post(&site.clone().into_inner(), comment, &written).await {
        Posted::Full => {
            return again(StatusCode::SERVICE_UNAVAILABLE, "Too much is waiting just now. Please try again later.");
        }
        Posted::Known => {
            // A form that was sent twice is one comment.
            let is_same = site.room().board.find(&id).is_some_and(|c| c.is_of(&asking.reader) && c.body == body);
            if !is_same {
                return again(StatusCode::CONFLICT, "This form was sent before. Please open the page anew.");
            }
        }
        Posted::Kept => {}
    }
    asking.back(&format!("/articles/{}#c-{id}", story.id))
}

async fn list(
    site: web::Data<Site>,
    request: HttpRequest,
    id: web::Path<String>,
    query: web::Query<Query>,
) -> HttpResponse {
    let Some(story) = site.story(&id) else { return not_found() };
    let asking = Asking::of(&request);
    asking.show(StatusCode::OK, &pages::list(&site, story, &asking.reader, query.all.is_some()))
}

async fn thread(site: web::Data<Site>, request: HttpRequest, path: web::Path<(String, String)>) -> HttpResponse {
    let (story, root) = path.into_inner();
    let Some(story) = site.story(&story) else { return not_found() };
    let asking = Asking::of(&request);
    let threads = views::threads(&site.room(), story, &asking.reader);
    match threads.into_iter().find(|thread| thread.root.id == root) {
        Some(thread) => asking.show(StatusCode::OK, &thread),
        None => HttpResponse::new(StatusCode::NO_CONTENT), // nothing that this reader sees
    }
}

/// The comment, if that reader sees it.
fn seen(site: &Site, id: &str, reader: &str) -> Option<Comment> {
    site.room().board.find(id).filter(|comment| comment.shows_to(reader)).cloned()
}

fn place(comment: &Comment, note: &str) -> String {
    format!("/articles/{}?note={note}#c-{}", comment.story, comment.id)
}

#[derive(Deserialize)]
struct VoteForm {
    value: i8,
}

async fn vote(
    site: web::Data<Site>,
    request: HttpRequest,
    id: web::Path<String>,
    sent: web::Form<VoteForm>,
) -> HttpResponse {
    let Some(asking) = acting(&request) else { return forbidden() };
    let Some(comment) = seen(&site, &id, &asking.reader) else { return not_found() };
    if comment.is_of(&asking.reader) || comment.state != State::Approved || !matches!(sent.value, 1 | -1) {
        return asking.back(&place(&comment, "not-possible"));
    }
    let before = comment.votes.get(&asking.reader).copied().unwrap_or_default();
    let value = if before == sent.value { 0 } else { sent.value }; // the same again takes it back
    match site.doorward.vote(&comment.id, &asking.reader, value).await {
        Ok(votes) => {
            let mut room = site.room();
            if let Some(kept) = room.board.find_mut(&comment.id) {
                (kept.up, kept.down) = (votes.up, votes.down);
                kept.votes.insert(asking.reader.clone(), value);
            }
            let event = room.event(&comment);
            site.events.tell([event]);
            asking.back(&place(&comment, ""))
        }
        Err(Trouble::Later) => asking.back(&place(&comment, "later")),
        Err(Trouble::Refused(_)) => asking.back(&place(&comment, "not-possible")),
    }
}

#[derive(Deserialize)]
struct ReportForm {
    category: String,
    #[serde(default)]
    text: String,
}

async fn report(
    site: web::Data<Site>,
    request: HttpRequest,
    id: web::Path<String>,
    sent: web::Form<ReportForm>,
) -> HttpResponse {
    let Some(asking) = acting(&request) else { return forbidden() };
    let Some(comment) = seen(&site, &id, &asking.reader) else { return not_found() };
    let category = Some(sent.category.as_str()).filter(|category| ["spam", "off-topic", "abuse"].contains(category));
    let text: String = sent.text.trim().chars().take(MAX_WORDS).collect();
    let body = json!({"reader_id": asking.reader, "category": category.unwrap_or("other"), "text": text});
    match site.doorward.report(&comment.id, &body).await {
        Ok(()) => {
            let mut room = site.room();
            room.readers.entry(&asking.reader).reported.insert(comment.id.clone());
            let event = room.event(&comment);
            site.events.tell([event]);
            asking.back(&place(&comment, "reported"))
        }
        Err(Trouble::Later) => asking.back(&place(&comment, "later")),
        Err(Trouble::Refused(_)) => asking.back(&place(&comment, "not-possible")),
    }
}

#[derive(Deserialize)]
struct AppealForm {
    #[serde(default)]
    text: String,
}

async fn appeal(
    site: web::Data<Site>,
    request: HttpRequest,
    id: web::Path<String>,
    sent: web::Form<AppealForm>,
) -> HttpResponse {
    let Some(asking) = acting(&request) else { return forbidden() };
    let own = seen(&site, &id, &asking.reader).filter(|comment| comment.is_of(&asking.reader));
    let Some(comment) = own else { return not_found() };
    let text: String = sent.text.trim().chars().take(MAX_WORDS).collect();
    match site.doorward.appeal(&comment.id, &text).await {
        Ok(answer) => {
            let mut room = site.room();
            if let Some(kept) = room.board.find_mut(&comment.id) {
                kept.appeal = Some(Appeal { state: answer.state, answer: answer.answer });
            }
            let event = room.event(&comment);
            site.events.tell([event]);
            asking.back(&place(&comment, "appealed"))
        }
        Err(Trouble::Later) => asking.back(&place(&comment, "later")),
        Err(Trouble::Refused(_)) => asking.back(&place(&comment, "not-possible")),
    }
}

async fn said(site: web::Data<Site>, request: HttpRequest) -> HttpResponse {
    Asking::of(&request).show(StatusCode::OK, &pages::panel(&site))
}

async fn notices(site: web::Data<Site>, request: HttpRequest) -> HttpResponse {
    let asking = Asking::of(&request);
    asking.show(StatusCode::OK, &pages::notices(&site, &asking.reader))
}

async fn read_notices(site: web::Data<Site>, request: HttpRequest) -> HttpResponse {
    let Some(asking) = acting(&request) else { return forbidden() };
    site.room().readers.entry(&asking.reader).notices.clear();
    site.events.tell([Event::Notice { reader: asking.reader.clone() }]);
    asking.back("/")
}

async fn start_replay(site: web::Data<Site>, request: HttpRequest, id: web::Path<String>) -> HttpResponse {
    let Some(asking) = acting(&request) else { return forbidden() };
    if replay::start(&site.into_inner(), &id) {
        asking.back("/#replays")
    } else {
        HttpResponse::new(StatusCode::CONFLICT)
    }
}

async fn events(site: web::Data<Site>, request: HttpRequest, query: web::Query<Query>) -> HttpResponse {
    let asking = Asking::of(&request);
    let story = query.story.clone().unwrap_or_default();
    HttpResponse::Ok().content_type("text/event-stream").streaming(site.events.stream(story, asking.reader))
}

async fn asset(name: web::Path<String>) -> HttpResponse {
    match ASSETS.iter().find(|(known, ..)| *known == name.as_str()) {
        Some((_, kind, text)) => HttpResponse::Ok().content_type(*kind).body(*text),
        None => not_found(),
    }
}
