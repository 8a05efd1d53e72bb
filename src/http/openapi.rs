//! The OpenAPI 3.1 document, made from the handlers, and a page to read it, both offline.

mod finish;

use std::sync::{Arc, LazyLock};

use actix_web::{HttpResponse, web};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_swagger_ui::Config;

use super::api::{
    alerts, appeals, articles, audit_export, authors, backtests, batch, campaigns, comments, events, learning,
    log_level, operations, outbox, oversight, readers, reads, review, rules, sanctions, search, telling, webhooks_in,
};
use super::compat::akismet::{self, account, feedback};
use super::compat::{coral, perspective};
use super::problem::Problem;

#[derive(OpenApi)]
#[openapi(
    info(title = "Doorward", description = "Comment moderation between a website's comment form and its readers."),
    paths(
        comments::submit, comments::list, comments::find, comments::edit, comments::erase, comments::assess, batch::submit, articles::put,
        webhooks_in::receive,
        review::queue, review::claim, review::release, review::decide, review::undo, review::explanation, search::comments,
        reads::context, reads::article, reads::author, reads::note, reads::note_remove, reads::figures, rules::truth, rules::comments, alerts::list,
        authors::export, authors::erase, oversight::me, oversight::people, oversight::audit, audit_export::export, events::listen,
        sanctions::impose, sanctions::list, sanctions::find, sanctions::lift, sanctions::resume, readers::report, readers::vote,
        appeals::open, appeals::list, appeals::find, appeals::answer,
        campaigns::list, campaigns::find, campaigns::decide, campaigns::rule, campaigns::end_rule, campaigns::close, campaigns::merge,
        outbox::list, outbox::resend,
        learning::models, learning::quality, learning::rollback, learning::reset,
        log_level::find, log_level::set, log_level::end,
        backtests::start, backtests::list, backtests::find, backtests::end, backtests::diff,
        akismet::verify_key, akismet::comment_check, feedback::submit_spam, feedback::submit_ham, account::get_stats, account::get_subscription,
        account::deactivate, account::token, account::verify_wpcom_key, account::key_sites, account::usage_limit, akismet::test,
        account::key_sites_posted, account::usage_limit_posted, account::compatible_plugins,
        operations::healthz, operations::readyz, operations::metrics, operations::problem_page, document,
        perspective::analyze, perspective::suggest, perspective::discovery::document, coral::phase,
    ),
    components(schemas(telling::Told)),
    tags((name = "websites", description = "With a site's key"), (name = "moderators", description = "With a personal token"), (name = "operators", description = "With a personal token of an operator"), (name = "operations"),
        (name = "akismet", description = "As clients of Akismet speak, with the site's Akismet key"),
        (name = "clients of other services", description = "In the words of those services")),
    modifiers(&Keys)
)]
struct Document;

struct Keys;

impl Modify for Keys {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        for name in ["site_key", "personal_token", "metrics_token"] {
            components.add_security_scheme(name, SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
        }
        let key = ApiKeyValue::with_description(
            "api_key",
            "Or in a form's `api_key` or `key`, in the host's first label, or as the user of Basic authentication",
        );
        components.add_security_scheme("akismet_key", SecurityScheme::ApiKey(ApiKey::Query(key)));
        let key = ApiKeyValue::with_description(
            "key",
            "A site's key with the scope `post`, and `feedback` for suggested scores, as clients of Perspective send it; rather send it as bearer",
        );
        components.add_security_scheme("perspective_key", SecurityScheme::ApiKey(ApiKey::Query(key)));
    }
}

/// The document as JSON.
pub fn json() -> String {
    static JSON: LazyLock<String> = LazyLock::new(|| {
        let made = serde_json::to_value(Document::openapi()).unwrap_or_default();
        serde_json::to_string(&finish::finish(made)).unwrap_or_default()
    });
    JSON.clone()
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "operations", responses((status = 200, body = Object, content_type = "application/json")))]
pub(super) async fn document() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(json())
}

pub(super) async fn to_page() -> HttpResponse {
    HttpResponse::Found().insert_header(("Location", "/docs/")).finish()
}

/// Swagger UI, from the binary.
pub(super) async fn page(page: web::Path<String>) -> Result<HttpResponse, Problem> {
    static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| Arc::new(Config::from("/openapi.json")));
    match utoipa_swagger_ui::serve(&page, Arc::clone(&CONFIG)) {
        Ok(Some(file)) => Ok(HttpResponse::Ok().content_type(file.content_type).body(file.bytes.into_owned())),
        Ok(None) | Err(_) => Err(Problem::not_found("there is no such page")),
    }
}
