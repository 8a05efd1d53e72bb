//! Server-sent events: open pages hear what has changed and fetch that part again. An event carries no comment, only where to look, so that
//! each reader gets what that reader may see.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{Receiver, Sender, channel};
use tokio::time::timeout;

/// Events that a slow page may be behind; then it fetches everything again.
const BEHIND: usize = 256;
/// Between two signs of life on a quiet stream.
const QUIET: Duration = Duration::from_secs(15);

/// What pages hear.
#[derive(Debug, Clone)]
pub(super) enum Event {
    /// Something happened in the thread with that comment at its top.
    Comment { story: String, root: String, count: usize },
    /// The panel has something new.
    Said,
    /// That reader has a notice.
    Notice { reader: String },
    /// A replay went on, or ended.
    Replay { id: String, done: usize, of: usize, runs: bool },
    /// The site closes.
    End,
}

/// See the module.
pub(super) struct Events(Sender<Event>);

impl Events {
    pub(super) fn new() -> Self {
        Self(channel(BEHIND).0)
    }

    pub(super) fn tell(&self, events: impl IntoIterator<Item = Event>) {
        for event in events {
            let _ = self.0.send(event); // nobody may be there
        }
    }

    pub(super) fn close(&self) {
        self.tell([Event::End]);
    }

    /// What a page with that story (none on the front page) and that reader hears.
    pub(super) fn stream(
        &self,
        story: String,
        reader: String,
    ) -> impl Stream<Item = Result<Bytes, Infallible>> + use<> {
        let first = Bytes::from_static(b"retry: 2000\nevent: hello\ndata: {}\n\n");
        futures_util::stream::unfold(
            (Some(first), self.0.subscribe(), story, reader),
            |(first, mut events, story, reader)| async {
                let line = match first {
                    Some(first) => first,
                    None => next(&mut events, &story, &reader).await?,
                };
                Some((Ok(line), (None, events, story, reader)))
            },
        )
    }
}

/// The next that concerns this page; none at the end.
async fn next(events: &mut Receiver<Event>, story: &str, reader: &str) -> Option<Bytes> {
    loop {
        let event = match timeout(QUIET, events.recv()).await {
            Err(_) => return Some(Bytes::from_static(b": still here\n\n")),
            Ok(Err(RecvError::Closed) | Ok(Event::End)) => return None,
            Ok(Err(RecvError::Lagged(_))) => return Some(Bytes::from_static(b"event: hello\ndata: {}\n\n")),
            Ok(Ok(event)) => event,
        };
        if let Some(line) = line(&event, story, reader) {
            return Some(line);
        }
    }
}

fn line(event: &Event, story: &str, reader: &str) -> Option<Bytes> {
    let (name, data) = match event {
        Event::Comment { story: of, root, count } if of == story || story.is_empty() => {
            ("comment", json!({"story": of, "root": root, "count": count}))
        }
        Event::Said => ("said", json!({})),
        Event::Notice { reader: of } if of == reader => ("notice", json!({})),
        Event::Replay { id, done, of, runs } => ("replay", json!({"id": id, "done": done, "of": of, "runs": runs})),
        Event::Comment { .. } | Event::Notice { .. } | Event::End => return None,
    };
    Some(Bytes::from(format!("event: {name}\ndata: {data}\n\n")))
}
