//! Every route, in one table: what is not here does not exist, and the access test walks it.

use actix_web::http::Method;
use actix_web::{HttpResponse, Route, web};

use super::api::{articles, batch, comments, operations, review, webhooks_in};
use super::openapi;
use super::problem::Problem;
use crate::domain::people::Duty;
use crate::domain::site::Scope;

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Anyone.
    Anyone,
    /// This machine, or whoever has `metrics.token`.
    Metrics,
    /// A site's key with that scope.
    Site(Scope),
    /// A site's key with that scope, or a person who names the site.
    SiteOrPerson(Scope),
    /// Whoever signs the message with a secret of the site.
    Signed,
    /// A person whose role is for that.
    Person(Duty),
}

/// One route.
pub struct Entry {
    /// The method.
    pub method: Method,
    /// The path pattern.
    pub path: &'static str,
    /// Who may use it.
    pub who: Who,
    route: Route,
}

/// The table.
#[must_use]
pub fn table() -> Vec<Entry> {
    use Duty::{Decide, Read};
    use Who::{Anyone, Metrics, Person, Signed, Site, SiteOrPerson};
    let entry = |method: Method, path, who, route| Entry { method, path, who, route };
    vec![
        entry(Method::POST, "/v1/comments", Site(Scope::Post), web::post().to(comments::submit)),
        entry(Method::GET, "/v1/comments", SiteOrPerson(Scope::Read), web::get().to(comments::list)),
        entry(Method::POST, "/v1/comments/batch", Site(Scope::Post), web::post().to(batch::submit)),
        entry(Method::GET, "/v1/comments/by-uid/{uid}/explanation", Person(Read), web::get().to(review::explanation)),
        entry(Method::GET, "/v1/comments/{id}", SiteOrPerson(Scope::Read), web::get().to(comments::find)),
        entry(Method::PUT, "/v1/comments/{id}", Site(Scope::Post), web::put().to(comments::edit)),
        entry(Method::DELETE, "/v1/comments/{id}", SiteOrPerson(Scope::Erase), web::delete().to(comments::erase)),
        entry(Method::POST, "/v1/assess", Site(Scope::Post), web::post().to(comments::assess)),
        entry(Method::PUT, "/v1/articles/{id}", Site(Scope::Post), web::put().to(articles::put)),
        entry(Method::POST, "/v1/sites/{site}/webhook", Signed, web::post().to(webhooks_in::receive)),
        entry(Method::GET, "/v1/queue", Person(Read), web::get().to(review::queue)),
        entry(Method::POST, "/v1/queue/claims", Person(Decide), web::post().to(review::claim)),
        entry(Method::DELETE, "/v1/queue/claims", Person(Decide), web::delete().to(review::release)),
        entry(Method::POST, "/v1/decisions", Person(Decide), web::post().to(review::decide)),
        entry(Method::POST, "/v1/decisions/{id}/undo", Person(Decide), web::post().to(review::undo)),
        entry(Method::GET, "/healthz", Anyone, web::get().to(operations::healthz)),
        entry(Method::GET, "/readyz", Anyone, web::get().to(operations::readyz)),
        entry(Method::GET, "/metrics", Metrics, web::get().to(operations::metrics)),
        entry(Method::GET, "/openapi.json", Anyone, web::get().to(openapi::document)),
        entry(Method::GET, "/problems/{name}", Anyone, web::get().to(operations::problem_page)),
        entry(Method::GET, "/docs/{page:.*}", Anyone, web::get().to(openapi::page)),
        entry(Method::GET, "/docs", Anyone, web::get().to(openapi::to_page)),
        entry(Method::GET, "/", Anyone, web::get().to(operations::index)),
    ]
}

/// Puts the table into an application, and problems around it.
pub fn configure(config: &mut web::ServiceConfig) {
    let mut paths: Vec<(&'static str, Vec<Entry>)> = Vec::new();
    for entry in table() {
        match paths.iter_mut().find(|(path, _)| *path == entry.path) {
            Some((_, entries)) => entries.push(entry),
            None => paths.push((entry.path, vec![entry])),
        }
    }
    for (path, entries) in paths {
        let allowed: Vec<&str> = entries.iter().map(|entry| entry.method.as_str()).collect();
        let allowed = allowed.join(", ");
        let mut resource = web::resource(path);
        for entry in entries {
            resource = resource.route(entry.route);
        }
        config.service(resource.default_service(web::to(move || {
            let allowed = allowed.clone();
            async move { Err::<HttpResponse, _>(Problem::method_not_allowed(&allowed)) }
        })));
    }
    let bad_query =
        web::QueryConfig::default().error_handler(|error, _| Problem::invalid("query", &error.to_string()).into());
    let bad_path = web::PathConfig::default().error_handler(|error, _| Problem::not_found(error.to_string()).into());
    config.app_data(bad_query).app_data(bad_path);
    config.default_service(web::to(|| async { Err::<HttpResponse, _>(Problem::not_found("there is no such path")) }));
}
