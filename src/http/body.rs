//! Reading what clients send: bounded, and with the name of what is wrong.

use std::io::Read as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::error::{PayloadError, QueryPayloadError};
use actix_web::http::Uri;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, web};
use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use futures_util::future::LocalBoxFuture;
use futures_util::{Stream, StreamExt as _};
use serde::de::{DeserializeOwned, Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use url::form_urlencoded;

use super::objects::Objects;
use super::problem::Problem;
use super::{Config, State};

/// Bytes of a form of the console, at most.
const FORM_MAX: usize = 16_384;

/// Bytes of a body that nobody has to be known for: as many a connection is given to read in anyway, and ordinary comments have no more.
const ANYBODYS: usize = 16_384;

/// Bytes that are held for requests before it is known who sends them: where the key, or what is signed, is the body itself.
#[derive(Debug, Default)]
pub struct Strangers(AtomicUsize);

impl Strangers {
    /// How many there are now.
    pub fn held(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// What one of them holds; it is given back when this is let go of.
pub(super) struct Held<'a> {
    of: &'a Strangers,
    bytes: usize,
}

impl Held<'_> {
    /// Takes what is missing to hold `size` bytes, where all together then hold `most` or less.
    fn grow(&mut self, size: usize, most: usize) -> Result<(), Problem> {
        let more = size.saturating_sub(ANYBODYS).saturating_sub(self.bytes);
        let before = self.of.0.fetch_add(more, Ordering::Relaxed);
        self.bytes += more;
        if more > 0 && before.saturating_add(more) > most {
            return Err(Problem::unavailable(
                "too many large bodies of unknown senders are being read; send the same again",
            ));
        }
        Ok(())
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.of.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// The body as JSON, perhaps in gzip.
///
/// # Errors
/// 408 when it does not come in time, 413 over `most` bytes, 415 for another content type, 400 when it is not JSON, 422 when a field is missing, of the wrong type, or holds a NUL.
pub(super) async fn json<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: web::Payload,
    most: usize,
) -> Result<T, Problem> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("application/json");
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if kind != "application/json" && !kind.ends_with("+json") {
        return Err(Problem::media_type("application/json"));
    }
    let bytes = unzipped(request, whole(request, payload, most, |_| Ok(())).await?, most)?;
    match field_with_nul(&bytes) {
        Some(field) => Err(has_nul(&field)),
        None => parse(&bytes),
    }
}

/// No text that is kept has a NUL in it: not every engine could store it, and nobody writes one.
pub(super) fn has_nul(field: &str) -> Problem {
    Problem::invalid(field, "must not contain NUL")
}

/// The path of a text in `json` that holds a NUL, which JSON can only write as an escape.
fn field_with_nul(json: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(json).ok()?;
    if !text.contains("\\u0000") {
        return None; // as good as always
    }
    let value: Value = serde_json::from_str(text).ok()?; // what is no JSON is told as that
    let field = in_value(&value, "")?;
    Some(if field.is_empty() { "body".to_owned() } else { field })
}

fn in_value(value: &Value, path: &str) -> Option<String> {
    match value {
        Value::String(text) => text.contains('\0').then(|| path.to_owned()),
        Value::Array(items) => items.iter().enumerate().find_map(|(at, item)| in_value(item, &format!("{path}[{at}]"))),
        Value::Object(fields) => fields.iter().find_map(|(name, value)| {
            if name.contains('\0') {
                return Some(path.to_owned());
            }
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            in_value(value, &path)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// What is wrong with an address, if a NUL is: the parameter of the query, or the path.
pub(super) fn nul_in_address(uri: &Uri) -> Option<Problem> {
    let nul = |text: &str| text.contains("%00");
    if let Some(query) = uri.query().filter(|query| nul(query)) {
        let parameters = form_urlencoded::parse(query.as_bytes());
        let named = parameters.into_iter().find(|(name, value)| value.contains('\0') && !name.contains('\0'));
        return Some(has_nul(named.as_ref().map_or("query", |(name, _)| name)));
    }
    nul(uri.path()).then(|| has_nul("path"))
}

/// The body's bytes, which are to tell who sends them. As long as that is not known, what goes with them is kept.
///
/// # Errors
/// 408 when they do not come in time, 413 over `server.max_body_bytes`, 503 when too many are held.
pub(super) async fn of_stranger<'a>(
    state: &'a State,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<(Vec<u8>, Held<'a>), Problem> {
    let server = state.server.get();
    let mut held = Held { of: &state.strangers, bytes: 0 };
    let body = whole(request, payload, server.max_body_bytes, |size| held.grow(size, server.unknown_body_bytes()));
    let body = body.await?;
    Ok((body, held))
}

/// Reads a body to its end. `grows` is asked before room is made for so many bytes.
async fn whole(
    request: &HttpRequest,
    mut payload: impl Stream<Item = Result<Bytes, PayloadError>> + Unpin,
    most: usize,
    mut grows: impl FnMut(usize) -> Result<(), Problem>,
) -> Result<Vec<u8>, Problem> {
    let reading = async {
        let mut body: Vec<u8> = Vec::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|error| Problem::malformed(format!("the body could not be read: {error}")))?;
            let size = body.len() + chunk.len();
            if size > most {
                return Err(Problem::too_large(format!("the body is larger than {most} bytes")));
            }
            if size > body.capacity() {
                let room = body.capacity().saturating_mul(2).clamp(size, most);
                grows(room)?;
                body.reserve_exact(room - body.len());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    };
    let patience = patience(request);
    let late = |_| Err(Problem::request_timeout(format!("the body was not whole after {} s", patience.as_secs())));
    tokio::time::timeout(patience, reading).await.unwrap_or_else(late)
}

/// How long a client is waited for, on whichever route.
fn patience(request: &HttpRequest) -> Duration {
    let set = request.app_data::<web::Data<State>>().map(|state| state.server.get().body_timeout_s);
    Duration::from_secs(set.unwrap_or_else(|| Config::default().body_timeout_s).into())
}

/// The next piece of a body that is worked on as it comes, and so has no bound as a whole; `None` after the last.
///
/// # Errors
/// 408 when it does not come in time; what is said when the connection breaks off.
pub(super) async fn next_piece(
    payload: &mut web::Payload,
    patience: Duration,
) -> Result<Option<Result<Bytes, PayloadError>>, Problem> {
    let late =
        |_| Problem::request_timeout(format!("nothing came for {} s, and the body has no end yet", patience.as_secs()));
    tokio::time::timeout(patience, payload.next()).await.map_err(late)
}

/// A form of the console's, read within the bounds of every body.
pub struct Form<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Form<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            if !request.content_type().eq_ignore_ascii_case("application/x-www-form-urlencoded") {
                return Err(Problem::malformed("the form cannot be read: its content type is another one"));
            }
            let body = whole(&request, payload, FORM_MAX, |_| Ok(())).await?;
            let form = web::Query::<T>::from_query(&String::from_utf8_lossy(&body));
            let form = form.map_err(|error| Problem::malformed(format!("the form cannot be read: {error}")))?;
            Ok(Self(form.into_inner()))
        })
    }
}

/// What the body holds when it is zipped, as clients that Google makes for Java do whatever its size. That is no larger than `most` bytes, either.
fn unzipped(request: &HttpRequest, body: Vec<u8>, most: usize) -> Result<Vec<u8>, Problem> {
    let encoding = request.headers().get(CONTENT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match encoding.trim().to_ascii_lowercase().as_str() {
        "" | "identity" => return Ok(body),
        "gzip" | "x-gzip" => {}
        _ => return Err(Problem::content_encoding()),
    }
    let mut plain = Vec::new();
    let one_more = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let read = MultiGzDecoder::new(&body[..]).take(one_more).read_to_end(&mut plain);
    read.map_err(|error| Problem::malformed(format!("the body could not be unzipped: {error}")))?;
    if plain.len() > most {
        return Err(Problem::too_large(format!("the body is larger than {most} bytes, unzipped")));
    }
    Ok(plain)
}

/// A text that may be left out: at most `most` bytes, no NUL; an empty one counts as left out.
pub(super) fn text(field: &str, text: Option<String>, most: usize) -> Result<Option<String>, Problem> {
    if text.as_ref().is_some_and(|text| text.len() > most || text.contains('\0')) {
        return Err(Problem::invalid(field, &format!("must hold at most {most} bytes, and no NUL")));
    }
    Ok(text.filter(|text| !text.is_empty()))
}

/// JSON, with the path of the field that is wrong.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Problem::malformed(format!("not UTF-8 after byte {}", error.valid_up_to())))?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let value: T = serde_path_to_error::deserialize(Objects(&mut reader)).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        if !inner.is_data() {
            return Problem::malformed(format!("not JSON: {inner}"));
        }
        let message = inner.to_string();
        let message = message.split(" at line ").next().unwrap_or_default().to_owned();
        match (named(&message), path.as_str()) {
            (Some((field, problem)), ".") => Problem::invalid(field, problem),
            (Some((field, problem)), path) => Problem::invalid(&format!("{path}.{field}"), problem),
            (None, ".") => Problem::invalid("body", &message),
            (None, path) => Problem::invalid(path, &message),
        }
    })?;
    reader.end().map_err(|error| Problem::malformed(format!("not JSON: {error}")))?;
    Ok(value)
}

/// The field that serde's own message names, and what is wrong with it: the path beside such a message is that of the object around the field.
fn named(message: &str) -> Option<(&str, &'static str)> {
    let told = [("missing field `", "is missing"), ("duplicate field `", "is given more than once")];
    told.into_iter().find_map(|(start, problem)| {
        let field = message.strip_prefix(start)?.split('`').next()?;
        Some((field, problem))
    })
}

/// What is wrong with the query of an address, by the parameter where one is named.
pub(super) fn bad_query(error: &QueryPayloadError) -> Problem {
    match error {
        QueryPayloadError::Deserialize(error) => wrong_query(&error.to_string()),
        other => Problem::invalid("query", &other.to_string()),
    }
}

fn wrong_query(message: &str) -> Problem {
    let (parameter, problem) = named(message).unwrap_or(("query", message));
    Problem::invalid(parameter, problem)
}

/// The `id` of an object that could not be read as a whole, as far as it can be told: to name what is wrong.
pub(super) fn id_alone(bytes: &[u8]) -> Option<String> {
    struct Id<'a>(&'a mut Option<String>);

    impl<'de> Visitor<'de> for Id<'_> {
        type Value = ();

        fn expecting(&self, text: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            text.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
            while let Some(key) = entries.next_key::<String>()? {
                if key == "id" {
                    *self.0 = Some(entries.next_value()?); // kept, whatever comes after it
                    return Ok(());
                }
                entries.next_value::<IgnoredAny>()?;
            }
            Ok(())
        }
    }

    let mut id = None;
    // An error says no more than that there is no id, or that it stands before the error.
    let _ = serde_json::Deserializer::from_slice(bytes).deserialize_map(Id(&mut id));
    id
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::comment::Draft;

    #[test]
    fn a_nul_is_found_wherever_it_is() {
        let cases: &[(&str, Option<&str>)] = &[
            (r#"{"note": "a\u0000b"}"#, Some("note")),
            (r#"{"target": {"value": "\u0000"}}"#, Some("target.value")),
            (r#"{"items": [{"id": "a"}, {"id": "b\u0000"}]}"#, Some("items[1].id")),
            (r#"{"author": {"a\u0000b": 5}}"#, Some("author")),
            (r#""\u0000""#, Some("body")),
            (r#"{"note": "a\\u0000b"}"#, None),
            (r#"{"note": "a\\\u0000b"}"#, Some("note")),
            (r#"{"note": "\u00001"}"#, Some("note")),
            (r#"{"note": "no\u0001 no"}"#, None),
        ];
        for (json, field) in cases {
            assert_eq!(field_with_nul(json.as_bytes()).as_deref(), *field, "{json}");
        }
    }

    #[test]
    fn a_nul_in_an_address_is_named() {
        let cases: &[(&str, Option<&str>)] = &[
            ("/v1/comments?author=a%00b", Some("author: must not contain NUL")),
            ("/v1/comments?author=a&section=%00", Some("section: must not contain NUL")),
            ("/v1/comments?a%00=b", Some("query: must not contain NUL")),
            ("/v1/comments/a%00b", Some("path: must not contain NUL")),
            ("/v1/comments?author=a%2500", None),
            ("/v1/comments/a%2500?b=%30%30", None),
        ];
        for (address, sentence) in cases {
            let found = nul_in_address(&address.parse().unwrap());
            assert_eq!(found.map(|problem| problem.to_string()).as_deref(), *sentence, "{address}");
        }
    }

    #[test]
    fn what_is_missing_or_comes_twice_is_named_by_its_path() {
        let cases: &[(&str, &str)] = &[
            (r#"{"id":"a","article":{"id":"b"}}"#, "body: is missing"),
            (r#"{"id":"a","article":{},"body":"c"}"#, "article.id: is missing"),
            (r#"{"id":"a","id":"a","article":{"id":"b"},"body":"c"}"#, "id: is given more than once"),
            (r#"{"id":"a","article":{"id":"b","id":"b"},"body":"c"}"#, "article.id: is given more than once"),
            (
                r#"{"id":"a","article":{"id":"b"},"body":"c","format":null,"format":5}"#,
                "format: is given more than once",
            ),
            (
                r#"{"id":"a","article":{"id":"b"},"body":"c","format":5}"#,
                "format: invalid type: integer `5`, expected one of `text`, `html`, `markdown`",
            ),
            (r#"{"id":"a","article":{"id":"b"},"body":"c","x":1,"x":2}"#, ""), // unknown to everybody
        ];
        for (json, sentence) in cases {
            let found = parse::<Draft>(json.as_bytes()).map_err(|problem| problem.to_string());
            assert_eq!(found.err().unwrap_or_default(), *sentence, "{json}");
        }
    }

    #[test]
    fn a_parameter_that_comes_twice_is_named() {
        let cases: &[(&str, &str)] = &[
            ("duplicate field `status`", "status: is given more than once"),
            ("missing field `site`", "site: is missing"),
            ("invalid digit found in string", "query: invalid digit found in string"),
        ];
        for (message, sentence) in cases {
            assert_eq!(wrong_query(message).to_string(), *sentence, "{message}");
        }
    }

    #[test]
    fn an_id_is_found_in_what_cannot_be_read() {
        let cases: &[(&str, Option<&str>)] = &[
            (r#"{"id": "c-1""#, Some("c-1")),
            (r#"{"body": 5, "id": "c-2", "article": nonsense"#, Some("c-2")),
            (r#"{"article": {"id": "a-1"}, "id": "c-3"}"#, Some("c-3")),
            (r#"{"article": {"id": "a-1"}}"#, None),
            (r#"{"id": 5}"#, None),
            (r#"["id", "c-4"]"#, None),
            ("hello", None),
            ("", None),
        ];
        for (text, id) in cases {
            assert_eq!(id_alone(text.as_bytes()).as_deref(), *id, "{text}");
        }
    }
}
