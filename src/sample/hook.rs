//! Webhooks of Doorward: believed when they are signed and not old, taken in the order of versions.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::Value;

use super::Site;
use super::board::Appeal;
use super::doorward::Answer;
use super::events::Event;

/// The headers of Standard Webhooks.
const SIGNED: [&str; 3] = ["webhook-id", "webhook-timestamp", "webhook-signature"];

#[derive(Deserialize)]
struct Hook {
    #[serde(rename = "type")]
    kind: String,
    data: Value,
}

#[derive(Deserialize)]
struct Erased {
    id: String,
    uid: String,
}

/// `POST /doorward`. A repeat is harmless: its version is known.
pub(super) async fn receive(site: web::Data<Site>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let site = site.into_inner();
    let mut headers = HeaderMap::new();
    for name in SIGNED {
        let value = request.headers().get(name).and_then(|value| HeaderValue::from_bytes(value.as_bytes()).ok());
        if let Some(value) = value {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    let verified = site.webhook.verify(&body, &headers); // its time, too: no more than five minutes off
    let hook: Option<Hook> = serde_json::from_slice(&body).ok();
    let verdict = verified.as_ref().map_or_else(|error| format!("refused: {error}"), |()| "verified".to_owned());
    (site.heard)(&line(hook.as_ref(), &verdict));
    match (verified, hook) {
        (Err(_), _) => HttpResponse::new(StatusCode::UNAUTHORIZED),
        (Ok(()), None) => HttpResponse::new(StatusCode::BAD_REQUEST),
        (Ok(()), Some(hook)) => {
            take(&site, hook);
            HttpResponse::new(StatusCode::NO_CONTENT)
        }
    }
}

fn take(site: &Arc<Site>, hook: Hook) {
    let mut room = site.room();
    let events = if hook.kind == "comment.erased" {
        let erased = serde_json::from_value::<Erased>(hook.data).ok();
        let comment = erased.and_then(|erased| room.board.erase(&erased.id, &erased.uid).cloned());
        comment.map(|comment| vec![room.event(&comment)]).unwrap_or_default()
    } else if let Ok(answer) = serde_json::from_value::<Answer>(hook.data) {
        let mut events = Vec::new();
        if let Some(appeal) = &answer.appeal
            && let Some(comment) = room.board.find_mut(&answer.id)
        {
            comment.appeal = Some(Appeal { state: appeal.state.clone(), answer: appeal.answer.clone() });
            let comment = comment.clone();
            events.push(room.event(&comment));
        }
        events.extend(room.apply(&answer));
        events
    } else {
        vec![Event::Said]
    };
    site.events.tell(events);
}

/// As in `comment.approved c-1 verified`.
fn line(hook: Option<&Hook>, verdict: &str) -> String {
    // What came unsigned may say anything, to a terminal too.
    let plain = |text: &str| -> String { text.chars().filter(|c| !c.is_control()).take(200).collect() };
    let kind = hook.map_or("?", |hook| &hook.kind);
    let id = hook.and_then(|hook| hook.data["id"].as_str()).unwrap_or("?");
    format!("{} {} {verdict}", plain(kind), plain(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_came_and_whether_it_is_believed() {
        let hook: Hook = serde_json::from_str(r#"{"type":"comment.approved","data":{"id":"c-1\u001b[2J"}}"#).unwrap();
        assert_eq!(line(Some(&hook), "verified"), "comment.approved c-1[2J verified");
        assert_eq!(line(None, "refused: signature invalid"), "? ? refused: signature invalid");
    }
}
