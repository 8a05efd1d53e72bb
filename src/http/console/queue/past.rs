//! What happened to a comment, for the tabs of its card: fetched when somebody looks.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use uuid::Uuid;

use super::super::super::State;
use super::super::super::problem::Problem;
use super::super::frame::{Frame, page as answer};
use super::super::texts::Texts;
use crate::domain::decision::Actor;
use crate::domain::people::Duty;
use crate::domain::store::{Happening, HappeningKind};

#[derive(Template)]
#[template(path = "queue_past.html")]
struct Past {
    t: &'static Texts,
    uid: Uuid,
    edits: Vec<Step>,
    history: Vec<Step>,
}

struct Step {
    what: &'static str,
    status: &'static str,
    status_class: &'static str,
    by: String,
    at: String,
    ago: String,
    words: Vec<String>,
}

/// The tabs `Edits` and `History` of a card.
///
/// # Errors
/// 404: no such comment within reach.
pub async fn history(
    state: web::Data<State>,
    request: HttpRequest,
    uid: web::Path<Uuid>,
) -> Result<HttpResponse, Problem> {
    let frame = Frame::open(&state, &request, "queue", Duty::Read).await?;
    let uid = uid.into_inner();
    let explained = state.review.explain(uid, &frame.person).await?.as_people_see();
    let is_edit = |one: &&Happening| one.kind == HappeningKind::Edited;
    let edits = explained.history.iter().filter(is_edit).map(|one| step(one, &frame)).collect();
    let history = explained.history.iter().map(|one| step(one, &frame)).collect();
    answer(&Past { t: frame.t, uid, edits, history })
}

fn step(one: &Happening, frame: &Frame) -> Step {
    let t = frame.t;
    let what = match one.kind {
        HappeningKind::Received => t.say("queue.arrived"),
        HappeningKind::Edited => t.say("queue.was-edited"),
        HappeningKind::Decided => t.say("queue.decided"),
        HappeningKind::Undone => t.say("queue.undone"),
        HappeningKind::Reported => t.say("queue.reported"),
        HappeningKind::Lifted => t.say("queue.lifted"),
    };
    let by = match &one.by {
        Actor::Site(name) | Actor::Person(name) => name.clone(),
        Actor::Console => t.say("queue.console").to_owned(),
    };
    Step {
        what,
        status: t.say(status_key(one.status.name())),
        status_class: one.status.name(),
        by,
        at: one.at.to_string(),
        ago: t.ago(&one.at, &frame.now),
        words: one.reason.iter().chain(&one.note).cloned().collect(),
    }
}

fn status_key(name: &str) -> &'static str {
    match name {
        "approved" => "status.approved",
        "rejected" => "status.rejected",
        _ => "status.held",
    }
}
