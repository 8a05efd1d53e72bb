//! The sample site's receiver: shows each webhook that arrives, and whether its signature is right.

use std::net::TcpListener;
use std::sync::Arc;

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::Value;

use crate::app::clock::Clock;
use crate::app::signature::{self, BadSignature};
use crate::cli::say;

/// What the receiver works with.
struct Receiver {
    secret: String,
    clock: Arc<dyn Clock>,
}

/// Receives on `listener` until the answer is told to stop.
pub(super) fn serve(listener: TcpListener, secret: String, clock: Arc<dyn Clock>) -> anyhow::Result<ServerHandle> {
    let receiver = web::Data::new(Receiver { secret, clock });
    let server =
        HttpServer::new(move || App::new().app_data(receiver.clone()).route("/webhooks", web::post().to(receive)))
            .workers(1)
            .disable_signals()
            .listen(listener)?
            .run();
    let handle = server.handle();
    tokio::spawn(server);
    Ok(handle)
}

async fn receive(receiver: web::Data<Receiver>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let verified = receiver.verify(&request, &body);
    let _ = say(line(&body, verified)); // nobody may be there to read it
    let status = if verified.is_ok() { StatusCode::NO_CONTENT } else { StatusCode::UNAUTHORIZED };
    HttpResponse::new(status)
}

impl Receiver {
    fn verify(&self, request: &HttpRequest, body: &[u8]) -> Result<(), BadSignature> {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (id, timestamp, signature) =
            (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"));
        let secrets = std::slice::from_ref(&self.secret);
        signature::verify(secrets, id, timestamp, signature, body, self.clock.now())
    }
}

/// As in `webhook comment.approved c-1 verified`.
fn line(body: &[u8], verified: Result<(), BadSignature>) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    // What came unsigned may say anything, to a terminal too.
    let plain = |text: &Value| -> String {
        text.as_str().unwrap_or("?").chars().filter(|c| !c.is_control()).take(200).collect()
    };
    let verified = verified.map_or_else(|error| format!("refused: {error}"), |()| "verified".to_owned());
    format!("webhook {} {} {verified}", plain(&body["type"]), plain(&body["data"]["id"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_came_and_whether_it_is_believed() {
        let body = br#"{"type":"comment.approved","data":{"id":"c-1\u001b[2J"}}"#;
        assert_eq!(line(body, Ok(())), "webhook comment.approved c-1[2J verified");
        assert_eq!(
            line(b"nonsense", Err(BadSignature::Wrong)),
            "webhook ? ? refused: webhook-signature: no signature fits"
        );
    }
}
