//! What happens in the queue, as server-sent events.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{Error, HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::{Stream, stream};
use serde::Serialize;
use tokio::time::{Interval, MissedTickBehavior, interval};
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::problem::{Problem, ProblemBody};
use super::super::{State, auth};
use crate::app::access::Principal;
use crate::app::events::{Change, Event, Subscription, Told};
use crate::domain::people::{Duty, Person};

/// The data of an event.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventOut {
    /// The comment, by our name.
    pub uid: Uuid,
    /// The site.
    pub site: String,
    /// When.
    pub at: String,
    /// More, by kind of event.
    #[serde(flatten)]
    pub change: Change,
}

/// Queue changes within your reach, as they happen: `held`, `left`, `claimed`, `released`, `appeal`, `reported`, `erased`, and of campaigns
/// `campaign.recognised`, `campaign.grew` (whenever one has doubled) and `campaign.changed`, with one of their comments. The stream begins with
/// `hello`; `reset` says that something was missed and everything is to be loaded anew; `end` names the reason why the stream ends. Lines that
/// begin with a colon are signs of life. With `Last-Event-ID` a stream goes on after that event.
#[utoipa::path(get, path = "/v1/events", tag = "moderators", security(("personal_token" = [])),
    params(("Last-Event-ID" = Option<String>, Header, description = "The `id` of the last event that was received")),
    responses((status = 200, body = EventOut, content_type = "text/event-stream"), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 503, body = ProblemBody)))]
pub async fn listen(state: web::Data<State>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let person = auth::person(&state, &request, Duty::Read).await?;
    let opened_by = auth::bearer(&request).map_or_else(
        || Opener::Session(auth::session_cookie(&state, &request).unwrap_or_default()),
        |bearer| Opener::Bearer(bearer.to_owned()),
    );
    let last = request.headers().get("last-event-id").and_then(|value| value.to_str().ok());
    let last = last.map(str::trim).filter(|last| !last.is_empty());
    let subscription = state.events.subscribe(&person, last, state.clock.now())?;
    let mut alive = interval(Duration::from_secs(u64::from(state.events.keep_alive_s())));
    alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let listening = Listening { state: state.into_inner(), subscription, person, opened_by, alive, at: At::Start };
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header(("X-Accel-Buffering", "no")) // or some proxies keep events until they have a few kilobytes
        .streaming(said(listening)))
}

struct Listening {
    state: Arc<State>,
    subscription: Subscription,
    person: Person,
    opened_by: Opener,
    alive: Interval,
    at: At,
}

/// What opened a stream, and has to open it still.
enum Opener {
    Bearer(String),
    Session(String),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Start,
    Middle,
    End,
}

/// What goes over the wire. Polled only as fast as the client reads.
fn said(listening: Listening) -> impl Stream<Item = Result<Bytes, Error>> {
    stream::unfold(listening, |mut listening| async move {
        let text = match listening.at {
            At::End => return None,
            At::Start => {
                listening.at = At::Middle;
                listening.alive.tick().await; // the first tick comes at once
                let id = listening.subscription.last_id();
                format!("retry: 3000\nid: {id}\nevent: hello\ndata: {{}}\n\n")
            }
            At::Middle => {
                listening.subscription.taken(listening.state.clock.now());
                listening.next().await
            }
        };
        Some((Ok(Bytes::from(text)), listening))
    })
}

impl Listening {
    async fn next(&mut self) -> String {
        let told = tokio::select! {
            told = self.subscription.next(&self.person.reach) => Some(told),
            _ = self.alive.tick() => None,
        };
        match told {
            None => match self.look_again().await {
                Ok(()) => ": still here\n\n".to_owned(),
                Err(reason) => self.end(reason),
            },
            Some(Told::Event(event)) => self.event(&event),
            Some(Told::Reset(reason)) => self.line("reset", &serde_json::json!({"reason": reason})),
            Some(Told::End(reason)) => self.end(reason),
        }
    }

    /// Tokens are withdrawn, sessions end and people's reach changes while streams are open.
    async fn look_again(&mut self) -> Result<(), &'static str> {
        let now = self.state.clock.now();
        let found = match &self.opened_by {
            Opener::Bearer(bearer) => match self.state.access.principal(bearer, now).await {
                Ok(Some(Principal::Person(person))) => Ok(Some(person)),
                Ok(_) => Ok(None),
                Err(error) => Err(error),
            },
            Opener::Session(cookie) => {
                self.state.sign_in.session_unseen(cookie, now).await.map(|live| live.map(|live| live.person))
            }
        };
        match found {
            Ok(Some(person)) if person.role.may(Duty::Read) => {
                self.person = person;
                Ok(())
            }
            Ok(_) => Err("your token or session opens this no more"),
            Err(_) => Ok(()), // the store is not there now: nobody was sent away
        }
    }

    fn event(&self, event: &Event) -> String {
        let out = EventOut {
            uid: event.uid,
            site: event.place.site.to_string(),
            at: event.at.to_string(),
            change: event.change.clone(),
        };
        self.line(event.change.name(), &out)
    }

    fn end(&mut self, reason: &'static str) -> String {
        self.at = At::End;
        self.line("end", &serde_json::json!({"reason": reason}))
    }

    fn line(&self, name: &str, data: &impl Serialize) -> String {
        let data = serde_json::to_string(data).unwrap_or_default(); // JSON holds no line ends
        format!("id: {}\nevent: {name}\ndata: {data}\n\n", self.subscription.last_id())
    }
}
