//! What clients show of an account: sites, use, numbers, and what WordPress asks before it shows its own page.

use std::fmt::Write as _;

use actix_web::http::StatusCode;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::answers::{Refusal, text, word};
use super::{Call, Open, check_blog, open, told};
use crate::app::akismet::{AkismetError, months};
use crate::domain::akismet::CheckCounts;
use crate::domain::site::Site;
use crate::http::State;

/// Months that are counted for the whole time.
const MONTHS_MAX: usize = 36;
/// Sites of one page at most, and where nothing is said.
const SITES_MAX: usize = 1_000;
const SITES: usize = 500;

fn answer(value: &Value) -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(value)
}

fn ended(call: Call, outcome: Result<HttpResponse, Refusal>) -> HttpResponse {
    match outcome {
        Ok(answer) => {
            told(call, "ok");
            answer
        }
        Err(refusal) => {
            told(call, refusal.name());
            refusal.answer()
        }
    }
}

/// Opens a request about an account, and counts it.
async fn asked(state: &State, request: &HttpRequest, payload: web::Payload) -> Result<Open, Refusal> {
    let opened = open(state, request, payload).await?;
    state.akismet.count_question(&opened.site, state.clock.now()).await.map_err(AkismetError::from)?;
    Ok(opened)
}

/// What a site is called in lists: its blog without the scheme, or its name.
fn called(site: &Site) -> String {
    let url = site.url.as_deref().unwrap_or(&site.name);
    url.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/').to_owned()
}

/// What came of a key's sites in a month: the one site that the key is for.
#[utoipa::path(get, path = "/1.2/key-sites", tag = "akismet", security(("akismet_key" = [])),
    params(("api_key" = Option<String>, Query, description = "The key"), ("month" = Option<String>, Query, description = "As in `2026-11`"),
        ("filter" = Option<String>, Query, description = "Only sites with that in their address"), ("format" = Option<String>, Query, description = "`json` or `csv`"),
        ("order" = Option<String>, Query, description = "There is one site: any order is the same"), ("limit" = Option<String>, Query),
        ("offset" = Option<String>, Query), ("extended" = Option<String>, Query)),
    responses((status = 200, content((Value = "application/json"), (String = "text/csv"), (String = "text/plain")), description = "By month, `limit`, `offset` and `total`; or lines; or `invalid`"),
        (status = 413, body = String, content_type = "text/plain"), (status = 429, body = String, content_type = "text/plain"), (status = 503, body = String, content_type = "text/plain")))]
pub async fn key_sites(state: web::Data<State>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let outcome = async {
        let Open { site, form } = asked(&state, &request, payload).await?;
        let month = form.text("month");
        let now = months::of(state.clock.now());
        let month = if months::bounds(&month).is_some() { month } else { now };
        let number = |name: &str, otherwise: usize| {
            form.get(name).and_then(|text| text.trim().parse().ok()).unwrap_or(otherwise)
        };
        let (limit, offset) = (number("limit", SITES).min(SITES_MAX), number("offset", 0));
        let address = called(&site);
        let filter = form.text("filter").to_ascii_lowercase();
        let counts = state.akismet.counts(&site, std::slice::from_ref(&month)).await?;
        let counts = counts.first().map_or_else(CheckCounts::default, |(_, counts)| *counts);
        let found = counts.checks > 0 && address.to_ascii_lowercase().contains(&filter);
        let shown = found && offset == 0 && limit > 0;
        let total = usize::from(found);
        if form.text("format").eq_ignore_ascii_case("csv") {
            let mut lines = format!(
                "Active sites for {} during {month} (limit:{limit}, offset: {offset}, total: {total})\n",
                site.name
            );
            lines.push_str("Site,Total API Calls,Spam,Ham,Missed Spam,False Positives,Is Revoked\n");
            if shown {
                let CheckCounts { checks, spam, ham, missed_spam, false_positives } = counts;
                let _ = writeln!(
                    lines,
                    "\"{}\",{checks},{spam},{ham},{missed_spam},{false_positives},false",
                    address.replace('"', "\"\"")
                ); // cannot fail
            }
            let mut answer = HttpResponse::Ok();
            return Ok(answer
                .insert_header((CACHE_CONTROL, "no-store"))
                .content_type("text/csv; charset=utf-8")
                .body(lines));
        }
        let mut row = json!({"site": address, "api_calls": counts.checks, "spam": counts.spam, "ham": counts.ham,
            "missed_spam": counts.missed_spam, "false_positives": counts.false_positives, "is_revoked": false});
        if form.says_yes("extended")
            && let Value::Object(row) = &mut row
        {
            row.insert(
                "hash".to_owned(),
                Value::from(hexadecimal(&Sha256::digest(format!("site\0{}", site.name)).into())),
            );
            row.insert("eligible_for_revoke".to_owned(), Value::from(false));
        }
        let rows = if shown { vec![row] } else { Vec::new() };
        let mut page = Map::new();
        page.insert(month, Value::from(rows));
        page.insert("limit".to_owned(), Value::from(limit));
        page.insert("offset".to_owned(), Value::from(offset));
        page.insert("total".to_owned(), Value::from(total));
        Ok(answer(&Value::Object(page)))
    };
    ended(Call("key-sites"), outcome.await)
}

/// The same, asked in a form.
#[utoipa::path(post, path = "/1.2/key-sites", tag = "akismet", security(("akismet_key" = [])),
    request_body(content = super::CheckForm, content_type = "application/x-www-form-urlencoded", description = "`api_key`, `month`, `filter`, `format`, `limit`, `offset`, `extended`"),
    responses((status = 200, content((Value = "application/json"), (String = "text/csv"), (String = "text/plain")), description = "As by GET; or `invalid`"),
        (status = 413, body = String, content_type = "text/plain"), (status = 429, body = String, content_type = "text/plain"), (status = 503, body = String, content_type = "text/plain")))]
pub async fn key_sites_posted(state: web::Data<State>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    key_sites(state, request, payload).await
}

/// How much a key was used this month. There is no limit by the month.
#[utoipa::path(get, path = "/1.2/usage-limit", tag = "akismet", security(("akismet_key" = [])),
    params(("api_key" = Option<String>, Query, description = "The key"), ("extended" = Option<String>, Query)),
    responses((status = 200, content((Value = "application/json"), (String = "text/plain")), description = "`limit`, `usage`, `percentage`, `throttled`; or `invalid`"),
        (status = 413, body = String, content_type = "text/plain"), (status = 429, body = String, content_type = "text/plain"), (status = 503, body = String, content_type = "text/plain")))]
pub async fn usage_limit(state: web::Data<State>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let outcome = async {
        let Open { site, form } = asked(&state, &request, payload).await?;
        let counts = state.akismet.counts(&site, &[months::of(state.clock.now())]).await?;
        let usage = counts.first().map_or(0, |(_, counts)| counts.checks);
        let mut said = json!({"limit": "none", "usage": usage, "percentage": "0.00", "throttled": false});
        if form.says_yes("extended")
            && let Value::Object(said) = &mut said
        {
            said.insert("notice_level".to_owned(), Value::from("none"));
            said.insert("upgrade".to_owned(), Value::from(false));
        }
        Ok(answer(&said))
    };
    ended(Call("usage-limit"), outcome.await)
}

/// The same, asked in a form.
#[utoipa::path(post, path = "/1.2/usage-limit", tag = "akismet", security(("akismet_key" = [])),
    request_body(content = super::CheckForm, content_type = "application/x-www-form-urlencoded", description = "`api_key` and `extended`"),
    responses((status = 200, content((Value = "application/json"), (String = "text/plain")), description = "As by GET; or `invalid`"),
        (status = 413, body = String, content_type = "text/plain"), (status = 429, body = String, content_type = "text/plain"), (status = 503, body = String, content_type = "text/plain")))]
pub async fn usage_limit_posted(state: web::Data<State>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    usage_limit(state, request, payload).await
}

/// What came of a site's comments, month by month: of the last 60 days (three months), of six months, or of the last three years.
#[utoipa::path(post, path = "/1.1/get-stats", tag = "akismet", security(("akismet_key" = [])),
    request_body(content = super::CheckForm, content_type = "application/x-www-form-urlencoded", description = "`key`, `blog`, and `from`: `60-days`, `6-months` or `all`"),
    responses((status = 200, content((Value = "application/json"), (String = "text/plain")), description = "`spam`, `ham`, `missed_spam`, `false_positives`, `accuracy`, `breakdown`; or `invalid`"),
        (status = 413, body = String, content_type = "text/plain"), (status = 429, body = String, content_type = "text/plain"), (status = 503, body = String, content_type = "text/plain")))]
pub async fn get_stats(state: web::Data<State>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let outcome = async {
        let Open { site, form } = asked(&state, &request, payload).await?;
        check_blog(&site, form.get("blog").unwrap_or_default(), false)?;
        let most = match form.get("from") {
            Some("60-days") => 3,
            Some("all") => MONTHS_MAX,
            _ => 6,
        };
        let months = months::latest(site.created_at, state.clock.now(), most);
        let counts = state.akismet.counts(&site, &months).await?;
        let all = counts.iter().fold(CheckCounts::default(), |all, (_, counts)| all.plus(*counts));
        let mut breakdown = Map::new();
        for (month, counts) in &counts {
            breakdown.insert(
                month.clone(),
                json!({"da": format!("{month}-01"), "spam": counts.spam, "ham": counts.ham,
                "missed_spam": counts.missed_spam, "false_positives": counts.false_positives}),
            );
        }
        Ok(answer(
            &json!({"spam": all.spam, "ham": all.ham, "missed_spam": all.missed_spam, "false_positives": all.false_positives,
            "accuracy": accuracy(&all), "time_saved": 0, "breakdown": breakdown}),
        ))
    };
    ended(Call("get-stats"), outcome.await)
}

/// Of a hundred checks, how many nobody corrected; to two places.
fn accuracy(counts: &CheckCounts) -> f64 {
    if counts.checks == 0 {
        return 100.0;
    }
    let wrong = counts.missed_spam + counts.false_positives;
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
    let right = 1.0 - wrong as f64 / counts.checks as f64;
    (right * 10_000.0).round() / 100.0
}

fn account(site: &Site) -> Value {
    json!({"account_id": site.id.0, "account_name": &*site.name, "account_type": "doorward", "status": "active",
        "next_billing_date": false, "limit_reached": false})
}

/// The account that a key belongs to, for the page on which WordPress shows it.
#[utoipa::path(post, path = "/1.1/get-subscription", tag = "akismet", security(("akismet_key" = [])),
    request_body(content = super::CheckForm, content_type = "application/x-www-form-urlencoded", description = "`key` and `blog`"),
    responses((status = 200, content((Value = "application/json"), (String = "text/plain")), description = "`account_name`, `status` and so on; or `invalid`"),
        (status = 413, body = String, content_type = "text/plain"), (status = 429, body = String, content_type = "text/plain"), (status = 503, body = String, content_type = "text/plain")))]
pub async fn get_subscription(state: web::Data<State>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let outcome = async {
        let Open { site, form } = asked(&state, &request, payload).await?;
        check_blog(&site, form.get("blog").unwrap_or_default(), false)?;
        Ok(answer(&account(&site)))
    };
    ended(Call("get-subscription"), outcome.await)
}

/// A client says that it is turned off. Its key stays what it is.
#[utoipa::path(post, path = "/1.1/deactivate", tag = "akismet", security(("akismet_key" = [])),
    request_body(content = super::CheckForm, content_type = "application/x-www-form-urlencoded", description = "`key` and `blog`"),
    responses((status = 200, body = String, content_type = "text/plain", description = "`deactivated`, or `invalid`"),
        (status = 413, body = String, content_type = "text/plain"), (status = 429, body = String, content_type = "text/plain"), (status = 503, body = String, content_type = "text/plain")))]
pub async fn deactivate(state: web::Data<State>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let outcome = async {
        let Open { site, .. } = asked(&state, &request, payload).await?;
        tracing::info!(site = %site.name, "a client of Akismet's protocol says that it is turned off");
        Ok(word("deactivated"))
    };
    ended(Call("deactivate"), outcome.await)
}

/// A word that stands for the key where the key itself should not be shown; it opens nothing but `verify-wpcom-key`.
#[utoipa::path(post, path = "/1.1/token", tag = "akismet", security(("akismet_key" = [])),
    request_body(content = super::CheckForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = String, content_type = "text/plain", description = "32 hexadecimal digits, or `invalid`"),
        (status = 413, body = String, content_type = "text/plain"), (status = 429, body = String, content_type = "text/plain"), (status = 503, body = String, content_type = "text/plain")))]
pub async fn token(state: web::Data<State>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let outcome = async {
        let Open { site, form } = asked(&state, &request, payload).await?;
        let key = form.get("api_key").or_else(|| form.get("key")).unwrap_or_default();
        Ok(text(StatusCode::OK, hexadecimal(&state.access.akismet_token(&site.name, key))))
    };
    ended(Call("token"), outcome.await)
}

/// The account of a key, for a person of WordPress.com: there are none here, the key alone counts.
#[utoipa::path(post, path = "/1.1/verify-wpcom-key", tag = "akismet", security(("akismet_key" = [])),
    request_body(content = super::CheckForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, content((Value = "application/json"), (String = "text/plain")), description = "As for `get-subscription`; or `invalid`"),
        (status = 413, body = String, content_type = "text/plain"), (status = 429, body = String, content_type = "text/plain"), (status = 503, body = String, content_type = "text/plain")))]
pub async fn verify_wpcom_key(state: web::Data<State>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let outcome = async {
        let Open { site, .. } = asked(&state, &request, payload).await?;
        Ok(answer(&account(&site)))
    };
    ended(Call("verify-wpcom-key"), outcome.await)
}

/// Plugins beside which WordPress's knows how to work: none that it would have to hear of here.
#[utoipa::path(get, path = "/1.2/compatible-plugins", tag = "akismet", responses((status = 200, content((Value = "application/json")), description = "An empty list")))]
pub async fn compatible_plugins() -> HttpResponse {
    answer(&json!([]))
}

/// 32 hexadecimal digits.
fn hexadecimal(digest: &[u8; 32]) -> String {
    digest.iter().take(16).fold(String::with_capacity(32), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}"); // writing to a String cannot fail
        hex
    })
}
