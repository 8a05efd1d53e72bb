//! The OpenAPI 3.1 document, made from the handlers, and a page to read it, both offline.

use std::sync::{Arc, LazyLock};

use actix_web::{HttpResponse, web};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_swagger_ui::Config;

use super::api::{
    appeals, articles, audit_export, authors, batch, campaigns, comments, events, learning, log_level, operations,
    outbox, oversight, readers, reads, review, sanctions, search, telling, webhooks_in,
};
use super::problem::Problem;

#[derive(OpenApi)]
#[openapi(
    info(title = "Doorward", description = "Comment moderation between a website's comment form and its readers."),
    paths(
        comments::submit, comments::list, comments::find, comments::edit, comments::erase, comments::assess, batch::submit, articles::put,
        webhooks_in::receive,
        review::queue, review::claim, review::release, review::decide, review::undo, review::explanation, search::comments,
        reads::context, reads::article, reads::author, reads::note, reads::note_remove, reads::figures,
        authors::export, authors::erase, oversight::me, oversight::people, oversight::audit, audit_export::export, events::listen,
        sanctions::impose, sanctions::list, sanctions::find, sanctions::lift, sanctions::resume, readers::report, readers::vote,
        appeals::open, appeals::list, appeals::find, appeals::answer,
        campaigns::list, campaigns::find, campaigns::decide, campaigns::rule, campaigns::end_rule, campaigns::close, campaigns::merge,
        outbox::list, outbox::resend,
        learning::models, learning::quality, learning::rollback, learning::reset,
        log_level::find, log_level::set, log_level::end,
        operations::healthz, operations::readyz, operations::metrics, operations::problem_page,
    ),
    components(schemas(telling::Told)),
    tags((name = "websites", description = "With a site's key"), (name = "moderators", description = "With a personal token"), (name = "operators", description = "With a personal token of an operator"), (name = "operations")),
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
    }
}

/// The document as JSON.
pub fn json() -> String {
    static JSON: LazyLock<String> = LazyLock::new(|| Document::openapi().to_json().unwrap_or_default());
    JSON.clone()
}

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
