//! The page where moderators decide, and the fragments that keep it filled: cards by name or from a cursor on, and what happened to a comment.
//!
//! Everything that is shown lies within the reach of whoever looks: the use cases see to it. Nothing here changes anything; scripts do, through `/v1`.

mod card;
mod chips;
mod past;
mod wish;

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use futures_util::future::join_all;
use url::form_urlencoded;
use uuid::Uuid;

use super::super::State;
use super::super::api::review::QueueQuery;
use super::super::problem::Problem;
use super::frame::{Frame, page as answer};
use super::marks::Piece;
use super::texts::Texts;
use crate::app::reads::ReadError;
use crate::domain::category::Category;
use crate::domain::people::Duty;
use crate::domain::store::{PageRequest, QueueFilter, QueuePage};
use card::{Around, Card, Looking};
pub(super) use card::{segment, signal_title};
use chips::{Chip, Group};
pub use past::history;
use wish::Wish;

/// Cards of one page: enough to decide about while the next are fetched, few enough to be there at once.
const CARDS: usize = 15;
/// Cards that are asked for by name, at most.
const NAMED: usize = 50;

#[derive(Template)]
#[template(path = "queue.html")]
struct Page {
    t: &'static Texts,
    frame: Frame,
    may_decide: bool,
    held: u64,
    shown: String,
    oldest: Option<String>,
    rechecks: Option<String>,
    /// When something was last decided, where nothing waits.
    last: Option<String>,
    wish: Wish,
    sorts: Vec<Chip>,
    groups: Vec<Group>,
    cards: Vec<Card>,
    next: Option<String>,
    reasons: [(&'static str, &'static str); 9],
}

#[derive(Template)]
#[template(path = "queue_filters.html")]
struct Filters {
    t: &'static Texts,
    shown: String,
    oldest: Option<String>,
    groups: Vec<Group>,
}

#[derive(Template)]
#[template(path = "queue_cards.html")]
struct More {
    t: &'static Texts,
    may_decide: bool,
    cards: Vec<Card>,
    next: Option<String>,
}

/// Why somebody rejects, as number keys choose it: the category, and what is said of it.
const REASONS: [(&str, &str); 9] = [
    ("spam", "queue.why-advertising"),
    ("spam", "queue.why-repeated"),
    ("off-topic", "queue.why-off-topic"),
    ("abuse", "queue.why-insult"),
    ("abuse", "queue.why-hate"),
    ("abuse", "queue.why-threat"),
    ("other", "queue.why-private"),
    ("other", "queue.why-untrue"),
    ("other", "queue.why-rules"),
];

/// The queue.
///
/// # Errors
/// As `GET /v1/queue`.
pub async fn page(
    state: web::Data<State>,
    request: HttpRequest,
    query: web::Query<QueueQuery>,
) -> Result<HttpResponse, Problem> {
    let frame = Frame::open(&state, &request, "queue", Duty::Read).await?;
    let is_refresh = request.headers().contains_key("x-fragment");
    let (t, wish) = (frame.t, Wish::read(request.query_string()));
    let query = query.into_inner();
    let cursor = query.cursor.clone().filter(|cursor| !cursor.is_empty());
    let is_first = cursor.is_none();
    let (filter, sort) = query.asked(&frame.person)?;
    let ask = PageRequest { limit: if is_refresh { 1 } else { CARDS }, cursor };
    let found = state.review.queue(filter, sort, &ask, &frame.person, frame.now).await?;
    let groups = chips::groups(&found, &wish, &frame.person, t);
    let shown = t.count("queue.waiting", found.held);
    let oldest =
        found.oldest.map(|oldest| t.with("queue.oldest", "age", t.span(frame.now.millis_since(oldest) / 1_000)));
    if is_refresh {
        return answer(&Filters { t, shown, oldest, groups });
    }
    let last = if found.held == 0 { state.desk.last_decided(&frame.person).await? } else { None };
    let cards = cards_of(&state, &frame, &found, false).await;
    answer(&Page {
        last: last.map(|last| t.with("queue.last-decided", "ago", t.ago(&last, &frame.now))),
        t,
        may_decide: frame.may_decide(),
        held: if is_first { found.held } else { found.held.max(1) },
        shown,
        oldest,
        rechecks: (found.rechecks > 0).then(|| t.count("queue.rechecks", found.rechecks)),
        sorts: chips::sorts(&wish, t),
        groups,
        cards,
        next: found.next_cursor.map(|cursor| next(&wish, &cursor)),
        reasons: REASONS,
        wish,
        frame,
    })
}

/// Cards without the page around them: those that are named (`uid`, as often as there are), or those after `cursor`.
///
/// # Errors
/// As `GET /v1/queue`; 422 for a name that is none.
pub async fn cards(
    state: web::Data<State>,
    request: HttpRequest,
    query: web::Query<QueueQuery>,
) -> Result<HttpResponse, Problem> {
    let frame = Frame::open(&state, &request, "queue", Duty::Read).await?;
    let wish = Wish::read(request.query_string());
    let query = query.into_inner();
    let cursor = query.cursor.clone().filter(|cursor| !cursor.is_empty());
    let given: Vec<_> = form_urlencoded::parse(request.query_string().as_bytes()).collect();
    let whole = given.iter().any(|(name, value)| name == "whole" && value == "true");
    let named = given.iter().filter(|(name, _)| name == "uid").take(NAMED).map(|(_, uid)| Uuid::parse_str(uid));
    let named =
        named.collect::<Result<Vec<_>, _>>().map_err(|_| Problem::invalid("uid", "must be one of our names"))?;
    let (filter, sort) = query.asked(&frame.person)?;
    let uids = (!named.is_empty()).then_some(named);
    let ask = PageRequest { limit: if uids.is_some() { NAMED } else { CARDS }, cursor };
    let filter = QueueFilter { uids, ..filter };
    let found = state.review.queue(filter, sort, &ask, &frame.person, frame.now).await?;
    let cards = cards_of(&state, &frame, &found, whole).await;
    let next = found.next_cursor.map(|cursor| next(&wish, &cursor));
    answer(&More { t: frame.t, may_decide: frame.may_decide(), cards, next })
}

/// What comes after the cards, as a query.
fn next(wish: &Wish, cursor: &str) -> String {
    let query = wish.query();
    let cursor: String = form_urlencoded::byte_serialize(cursor.as_bytes()).collect();
    if query.is_empty() { format!("cursor={cursor}") } else { format!("{query}&cursor={cursor}") }
}

async fn cards_of(state: &State, frame: &Frame, found: &QueuePage, whole: bool) -> Vec<Card> {
    let house = state.settings.current();
    let hold = |site: &str, category: Category| house.policy_of(site).config().category(category).hold.get();
    let levels = state.review.levels();
    let looking = Looking { t: frame.t, me: &frame.person.email, now: frame.now, whole, levels: &levels, hold: &hold };
    let around = found.items.iter().map(|item| around(state, frame, item.record.uid));
    let around = join_all(around).await;
    found.items.iter().zip(around).map(|(item, around)| Card::new(item, around, looking)).collect()
}

/// What stands around a comment. A card without it is better than none: what is missing is not shown.
async fn around(state: &State, frame: &Frame, uid: Uuid) -> Around {
    match state.desk.card(uid, &frame.person, frame.now).await {
        Ok(context) => Around::of(&context, frame.t, frame.now),
        Err(ReadError::NotFound(_)) => Around::default(), // erased a moment ago
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "a card is shown without what stands around it");
            Around::default()
        }
    }
}
