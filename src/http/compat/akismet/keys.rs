//! Whose key it is. Clients put it into five places; the first that holds one counts.

use actix_web::HttpRequest;
use actix_web::http::header::{AUTHORIZATION, HOST};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::form::Form;

/// The longest that is looked up.
const MOST: usize = 64;

/// The key of a request: `api_key` or `key` of the form, `api_key` of the query, the first label of the host below one of `suffixes`, or the user of
/// Basic authentication up to its first dot.
pub(super) fn of(request: &HttpRequest, form: &Form, query: &Form, suffixes: &[String]) -> Option<String> {
    let host = request.uri().host().or_else(|| request.headers().get(HOST)?.to_str().ok());
    let found = form
        .get("api_key")
        .or_else(|| form.get("key"))
        .or_else(|| query.get("api_key"))
        .map(str::to_owned)
        .or_else(|| label(host?, suffixes))
        .or_else(|| user(request.headers().get(AUTHORIZATION)?.to_str().ok()?));
    found.map(|key| key.trim().to_owned()).filter(|key| !key.is_empty() && key.len() <= MOST)
}

fn label(host: &str, suffixes: &[String]) -> Option<String> {
    let host = host.rsplit('@').next()?;
    let host = host.split(':').next()?.trim_end_matches('.').to_ascii_lowercase();
    let (label, rest) = host.split_once('.')?;
    suffixes.iter().any(|suffix| rest.eq_ignore_ascii_case(suffix)).then(|| label.to_owned())
}

fn user(value: &str) -> Option<String> {
    let (scheme, credentials) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let plain = STANDARD.decode(credentials.trim()).ok()?;
    let plain = String::from_utf8(plain).ok()?;
    let user = plain.split(':').next()?;
    user.split('.').next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    const KEY: &str = "0123456789ab";

    fn of_request(request: TestRequest, body: &str, query: &str) -> Option<String> {
        let suffixes = ["rest.akismet.com".to_owned(), "akismet.internal".to_owned()];
        let form = Form::read(body.as_bytes(), "").expect("a form");
        of(&request.to_http_request(), &form, &Form::query(query).expect("a query"), &suffixes)
    }

    #[test]
    fn the_first_of_five_places_counts() {
        let here = |at: &str| format!("{at}{}", &KEY[1..]);
        let basic = |user: &str| ("authorization", format!("Basic {}", STANDARD.encode(format!("{user}:undefined"))));
        let host = |host: String| TestRequest::default().insert_header(("host", host));
        let all = || host(format!("{}.rest.akismet.com", here("d"))).insert_header(basic(&here("e")));
        let query = format!("api_key={}", here("c"));
        let rows = [
            (all(), format!("key={}&api_key={}", here("b"), here("a")), query.as_str(), Some(here("a"))),
            (all(), format!("key={}", here("b")), query.as_str(), Some(here("b"))),
            (all(), "api_key=&key=".to_owned(), query.as_str(), Some(here("c"))),
            (all(), String::new(), "", Some(here("d"))),
            (host("127.0.0.1:8080".to_owned()).insert_header(basic(&here("e"))), String::new(), "", Some(here("e"))),
            (
                host("127.0.0.1".to_owned()).insert_header(basic(&format!("{KEY}.x"))),
                String::new(),
                "",
                Some(KEY.to_owned()),
            ),
            (host(format!("{KEY}.Akismet.Internal:18081")), String::new(), "", Some(KEY.to_owned())),
            (host(format!("{KEY}.elsewhere.example")), String::new(), "", None),
            (host(format!("{KEY}.x.rest.akismet.com")), String::new(), "", None),
            (host("rest.akismet.com".to_owned()), String::new(), "", None),
            (host("x".to_owned()).insert_header(("authorization", "Basic ???")), String::new(), "", None),
            (host("x".to_owned()).insert_header(("authorization", format!("Bearer {KEY}"))), String::new(), "", None),
            (host("x".to_owned()), format!("key={}", "k".repeat(65)), "", None),
        ];
        for (number, (request, body, query, expected)) in rows.into_iter().enumerate() {
            assert_eq!(of_request(request, &body, query), expected, "row {number}");
        }
    }

    #[test]
    fn a_whole_address_names_the_host() {
        let request = TestRequest::with_uri(&format!("http://{KEY}.rest.akismet.com/1.1/comment-check"));
        assert_eq!(of_request(request, "", ""), Some(KEY.to_owned()));
    }
}
