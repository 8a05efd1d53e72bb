//! Many comments in one request: NDJSON in, NDJSON out, line for line, streamed both ways in bounded memory.
//!
//! Bounded memory means that nothing more is read while answers wait to be taken. A client that reads only after it has written everything
//! may so wait for us while we wait for it; `server.stalled_timeout_s` ends that.

use std::sync::Arc;
use std::time::Duration;

use actix_web::{Error, HttpRequest, HttpResponse, web};
use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _, stream};
use serde::Serialize;
use tokio::sync::Mutex;
use tracing::{Instrument as _, Span};

use super::super::problem::{Problem, ProblemBody};
use super::super::{State, auth, body, middleware};
use super::dto::CommentOut;
use crate::app::intake::Turn;
use crate::app::limits::Route;
use crate::domain::comment::{Draft, ExternalId};
use crate::domain::site::{Scope, Site};

/// Takes comments, one JSON object a line, and answers one a line in the same order: the comment as `POST /v1/comments` answers it, or a problem
/// object, with the number of its `line` (from 1, blank ones counted), the comment's `id` where it could be read, and `retry_after_s` where the same
/// line may be sent again later. A bad line spoils only itself; blank lines are passed over.
///
/// Read answers while you write lines: nothing more is read while they wait to be taken, and a connection on which none is taken for
/// `server.stalled_timeout_s` is ended. A client that can only write first and read then sends a hundred lines at most at a time. When the next piece
/// of the body does not come within `server.body_timeout_s`, the last answer is a problem that says so, and the connection is ended.
#[utoipa::path(post, path = "/v1/comments/batch", tag = "websites", security(("site_key" = ["post"])),
    request_body(content = String, content_type = "application/x-ndjson", description = "One comment a line, as for `POST /v1/comments`"),
    responses((status = 200, body = String, content_type = "application/x-ndjson", description = "One answer a line"),
        (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn submit(
    state: web::Data<State>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let site = auth::site(&state, &request, Scope::Post).await?;
    let server = state.server.get();
    let (most, in_flight) = (server.max_body_bytes, server.batch_in_flight.clamp(1, 10_000));
    let patience = Duration::from_secs(server.body_timeout_s.into());
    let state = state.into_inner();
    let (queue, instance) = (Arc::new(Mutex::new(())), middleware::request_id());
    let way = Span::current();
    let answers = lines(payload, most, patience)
        .map(move |line| {
            let (state, site, queue) = (Arc::clone(&state), Arc::clone(&site), Arc::clone(&queue));
            let answer = async move {
                let (number, line) = line?;
                let turn = Turn::next(queue).await; // fair: lines are judged in their order
                Ok::<Bytes, Error>(match one(&state, &site, line, turn).await {
                    Ok(comment) => written(&comment),
                    Err(problem) => written(&problem.with("line", number.into()).body()),
                })
            };
            middleware::on_behalf_of(instance.clone(), answer.instrument(way.clone()))
        })
        // As many at once as make one commit worth its flush; no further line is read until one of them is answered.
        .buffered(in_flight);
    Ok(HttpResponse::Ok().content_type("application/x-ndjson").streaming(answers))
}

async fn one(state: &State, site: &Arc<Site>, line: Result<Bytes, Problem>, turn: Turn) -> Result<CommentOut, Problem> {
    let line = line?;
    let taken = async {
        let draft: Draft = body::parse(&line)?;
        let new = draft.parse(&state.settings.current().bounds)?;
        state.intake.submit(site, new, Route::Batch, turn, state.clock.now()).await.map_err(Problem::from)
    };
    match taken.await {
        Ok(taken) => Ok(CommentOut::from(&taken.record)),
        Err(problem) => Err(match body::id_alone(&line).and_then(|id| ExternalId::parse("id", id).ok()) {
            Some(id) => problem.with("id", id.as_str().into()),
            None => problem,
        }),
    }
}

fn written<T: Serialize>(answer: &T) -> Bytes {
    let mut line = serde_json::to_vec(answer).unwrap_or_default();
    line.push(b'\n');
    line.into()
}

struct Reading {
    payload: web::Payload,
    buffer: BytesMut,
    /// Lines that have ended, blank ones and too long ones included.
    lines: u64,
    /// Bytes of the buffer that are known to hold no line end.
    searched: usize,
    /// The rest of a line that was too long is being passed over.
    skipping: bool,
    ended: bool,
}

impl Reading {
    /// Ends it before the body's end: half a line is no comment.
    fn end_here(&mut self) {
        self.ended = true;
        self.skipping = false;
        self.buffer.clear();
        self.searched = 0;
    }
}

/// The lines of a body that are not blank, with their numbers from 1; one longer than `most` bytes is an error of its own, and reading goes on after it. An error of the
/// connection ends it, and so does a silence of `patience`, which is an error of the line that should have come.
fn lines(
    payload: web::Payload,
    most: usize,
    patience: Duration,
) -> impl Stream<Item = Result<(u64, Result<Bytes, Problem>), Error>> {
    let reading = Reading { payload, buffer: BytesMut::new(), lines: 0, searched: 0, skipping: false, ended: false };
    stream::unfold(reading, move |mut reading| async move {
        loop {
            if let Some(found) = reading.buffer[reading.searched..].iter().position(|byte| *byte == b'\n') {
                let mut line = reading.buffer.split_to(reading.searched + found + 1);
                reading.searched = 0;
                reading.lines += 1;
                if std::mem::take(&mut reading.skipping) {
                    continue;
                }
                line.truncate(line.len() - 1);
                match line {
                    line if line.len() > most => return Some((Ok((reading.lines, Err(too_long(most)))), reading)),
                    line if line.trim_ascii().is_empty() => continue,
                    line => return Some((Ok((reading.lines, Ok(line.freeze()))), reading)),
                }
            }
            reading.searched = reading.buffer.len();
            if reading.skipping {
                reading.buffer.advance(reading.searched);
                reading.searched = 0;
            } else if reading.buffer.len() > most {
                reading.skipping = true;
                reading.buffer.clear();
                reading.searched = 0;
                return Some((Ok((reading.lines + 1, Err(too_long(most)))), reading));
            }
            if reading.ended {
                let line = std::mem::take(&mut reading.buffer);
                let blank = line.trim_ascii().is_empty();
                reading.searched = 0;
                let last = (reading.lines + 1, Ok(line.freeze()));
                return if blank { None } else { Some((Ok(last), reading)) };
            }
            match body::next_piece(&mut reading.payload, patience).await {
                Ok(Some(Ok(chunk))) => reading.buffer.extend_from_slice(&chunk),
                Ok(Some(Err(error))) => {
                    reading.end_here();
                    return Some((Err(error.into()), reading));
                }
                Ok(None) => reading.ended = true,
                Err(late) => {
                    reading.end_here();
                    return Some((Ok((reading.lines + 1, Err(late))), reading));
                }
            }
        }
    })
}

fn too_long(most: usize) -> Problem {
    Problem::too_large(format!("the line is longer than {most} bytes"))
}
