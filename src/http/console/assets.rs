//! What browsers load besides pages: styles, ES modules, pictures; embedded, named by what they hold, so that they may be kept for ever.

use std::sync::LazyLock;

use actix_web::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use actix_web::{HttpResponse, web};
use xxhash_rust::xxh3::Xxh3;

use super::super::problem::Problem;
use super::texts::Texts;

struct Asset {
    name: String,
    kind: &'static str,
    text: String,
}

const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! scripts {
    ($($name:literal),* $(,)?) => { [$(($name, SCRIPT, include_str!(concat!("assets/", $name)))),*] };
}

static ALL: LazyLock<(String, Vec<Asset>)> = LazyLock::new(|| {
    let files = scripts![
        "console.js",
        "api.js",
        "html.js",
        "keys.js",
        "live.js",
        "say.js",
        "toast.js",
        "cases.js",
        "campaigns.js",
        "sanctions.js",
        "appeals.js",
        "backtests.js",
        "article_page.js",
        "author_page.js",
        "decide_here.js",
        "queue.js",
        "cards.js",
        "claim.js",
        "decide.js",
        "filter.js",
        "sanction.js",
        "select.js",
        "health.js"
    ]
    .into_iter()
    .chain([
        ("console.css", "text/css; charset=utf-8", include_str!("assets/console.css")),
        ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
    ]);
    let files = files.map(|(name, kind, text)| Asset { name: name.to_owned(), kind, text: text.to_owned() });
    let texts = Texts::all().iter().map(|texts| Asset {
        name: format!("texts-{}.js", texts.lang),
        kind: SCRIPT,
        text: texts.module(),
    });
    let all: Vec<Asset> = files.chain(texts).collect();
    let mut hash = Xxh3::new();
    for asset in &all {
        hash.update(asset.name.as_bytes());
        hash.update(asset.text.as_bytes());
    }
    (format!("/assets/{:016x}", hash.digest()), all)
});

/// Where this build's assets lie, as in `/assets/0123456789abcdef`.
pub(super) fn folder() -> &'static str {
    &ALL.0
}

/// One of them. Another build's page may still ask for it: it gets this build's, and does not keep it.
///
/// # Errors
/// 404.
pub async fn asset(path: web::Path<(String, String)>) -> Result<HttpResponse, Problem> {
    let (version, name) = path.into_inner();
    let found = ALL.1.iter().find(|asset| asset.name == name);
    let asset = found.ok_or_else(|| Problem::not_found("there is no such file"))?;
    let is_this_build = ALL.0.ends_with(&version) && version.len() == 16;
    let keep = if is_this_build { "public, max-age=31536000, immutable" } else { "no-store" };
    Ok(HttpResponse::Ok()
        .content_type(asset.kind)
        .insert_header((CACHE_CONTROL, keep))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(asset.text.clone()))
}

/// The icon, where browsers look for it.
pub async fn icon() -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header(("Location", format!("{}/icon.svg", folder())))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .finish()
}

/// The console's front door.
pub async fn front() -> HttpResponse {
    HttpResponse::SeeOther().insert_header(("Location", "/queue")).finish()
}
