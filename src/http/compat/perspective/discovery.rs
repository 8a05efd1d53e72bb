//! What there is of Perspective here, as a document in Google's format. The client that Google shows has no setting for an address: it reads this document
//! first, and calls what the document names. So the document's own address is the one line of such a client that changes.

use std::sync::LazyLock;

use actix_web::http::header::{CACHE_CONTROL, HOST};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Map, Value};
use url::{Url, form_urlencoded};

use super::super::super::State;
use super::super::super::problem::{Problem, ProblemBody};
use super::super::google::{GoogleErrorOut, Refusal};

/// The one version that is described.
const VERSION: &str = "v1alpha1";

/// Everything but the addresses.
static DESCRIPTION: LazyLock<Map<String, Value>> =
    LazyLock::new(|| serde_json::from_str(include_str!("discovery.json")).unwrap_or_default());

/// What clients of Perspective may call here, in Google's format for such descriptions: for clients that read one at their start, and take addresses from it.
/// It takes no key: one that is sent makes no difference.
#[utoipa::path(get, path = "/$discovery/rest", tag = "clients of other services",
    params(("version" = Option<String>, Query, description = "`v1alpha1`, also when left out")),
    responses((status = 200, body = Object), (status = 400, body = GoogleErrorOut), (status = 404, body = GoogleErrorOut), (status = 422, body = ProblemBody),
        (status = 503, body = GoogleErrorOut)))]
pub async fn document(state: web::Data<State>, request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let mut parameters = form_urlencoded::parse(request.query_string().as_bytes());
    let version = parameters.find(|(name, _)| name == "version").map(|(_, version)| version);
    if version.is_some_and(|version| version != VERSION) {
        return Err(Problem::not_found(format!("there is no other version than {VERSION} here")).into());
    }
    let root = root(&state.config.public_url, &request)?;
    let mut description = DESCRIPTION.clone();
    description.insert("baseUrl".to_owned(), Value::from(root.as_str()));
    description.insert("rootUrl".to_owned(), Value::from(root));
    // It may repeat what the request said of itself: nobody else is to get it from a cache.
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(description))
}

/// Where whoever asks reaches this service, with a slash at its end. That is `server.public_url`, as in every address that Doorward tells. Where it is empty,
/// nothing stands between the service and its clients: then it is the host that they just reached, without TLS. Clients send texts and keys to
/// it, so a host is repeated only when it is a name and a port and nothing else, and not at all where a proxy says that it is there: the
/// client came to that by https perhaps, and would go on without it. One that says nothing cannot be told from a client.
fn root(public_url: &str, request: &HttpRequest) -> Result<String, Refusal> {
    if !public_url.is_empty() {
        return Ok(format!("{}/", public_url.trim_end_matches('/')));
    }
    let headers = request.headers();
    if ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"]
        .iter()
        .any(|name| headers.contains_key(*name))
    {
        let problem =
            "a proxy stands before this service, which is not told how clients reach it: server.public_url is empty";
        return Err(Problem::unavailable(problem).into());
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).and_then(plain);
    host.map(|host| format!("http://{host}/"))
        .ok_or_else(|| Refusal::invalid("Host: must be a name and a port").field("Host"))
}

/// A host and its port, when the header is that and nothing else: it reads back as it was written.
fn plain(host: &str) -> Option<String> {
    let host = host.to_ascii_lowercase();
    let host = host.strip_suffix(":80").unwrap_or(&host);
    let is_plain =
        host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']'));
    let url = Url::parse(&format!("http://{host}/")).ok().filter(|_| is_plain)?;
    (url.as_str() == format!("http://{host}/")).then(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_repeated_when_they_are_nothing_else() {
        let cases: &[(&str, Option<&str>)] = &[
            ("doorward.example", Some("doorward.example")),
            ("Doorward.example:8080", Some("doorward.example:8080")),
            ("doorward.example:80", Some("doorward.example")),
            ("127.0.0.1:8080", Some("127.0.0.1:8080")),
            ("[::1]:8080", Some("[::1]:8080")),
            ("doorward_1:8080", Some("doorward_1:8080")),
            ("", None),
            (":8080", None),
            ("doorward.example:", None),
            ("doorward.example:99999", None),
            ("doorward.example/evil", None),
            ("doorward.example?evil", None),
            ("doorward.example#evil", None),
            ("doorward.example@evil.example", None),
            ("doorward.example:8080@evil.example", None),
            ("doorward.example, evil.example", None),
            ("doorward.example\\evil", None),
            ("{key}.evil.example", None),
            ("0x7f.1", None),
            ("b\u{fc}cher.example", None),
        ];
        for (host, expected) in cases {
            assert_eq!(plain(host).as_deref(), *expected, "{host:?}");
        }
    }
}
