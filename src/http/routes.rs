//! Every route, in one table: what is not here does not exist, and the access test walks it.

use actix_web::dev::ResourceDef;
use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, Route, guard, web};

use super::api::{
    alerts, appeals, articles, audit_export, authors, backtests, batch, campaigns, comments, events, learning,
    log_level, operations, outbox, oversight, readers, reads, review, rules, sanctions, search, webhooks_in,
};
use super::compat::{akismet, coral, perspective};
use super::console::{self, account, assets, queue, sign_in};
use super::problem::Problem;
use super::{body, openapi};
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
    /// A client with a site's Akismet key, in whatever place it puts that; it is told in its own words when there is none.
    AkismetKey,
    /// A person whose role is for that.
    Person(Duty),
    /// The same, on a page: whoever is not signed in is sent to where one signs in.
    Page(Duty),
    /// A session about itself, by a form that proves to be ours.
    Session,
    /// Anyone with a browser: what pages load, and pages for whoever is not signed in.
    Browser,
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
#[expect(clippy::too_many_lines, reason = "a table is read whole, and each line of it is a route")]
pub fn table() -> Vec<Entry> {
    use Duty::{Decide, Operate, Oversee, Read};
    use Who::{AkismetKey, Anyone, Browser, Metrics, Page, Person, Session, Signed, Site, SiteOrPerson};
    let entry = |method: Method, path, who, route| Entry { method, path, who, route };
    vec![
        entry(Method::POST, "/v1/comments", Site(Scope::Post), web::post().to(comments::submit)),
        entry(Method::GET, "/v1/comments", SiteOrPerson(Scope::Read), web::get().to(comments::list)),
        entry(Method::POST, "/v1/comments/batch", Site(Scope::Post), web::post().to(batch::submit)),
        entry(Method::GET, "/v1/comments/by-uid/{uid}/explanation", Person(Read), web::get().to(review::explanation)),
        entry(Method::GET, "/v1/comments/by-uid/{uid}/context", Person(Read), web::get().to(reads::context)),
        entry(Method::GET, "/v1/comments/search", Person(Read), web::get().to(search::comments)),
        entry(Method::GET, "/v1/comments/{id}", SiteOrPerson(Scope::Read), web::get().to(comments::find)),
        entry(Method::PUT, "/v1/comments/{id}", Site(Scope::Post), web::put().to(comments::edit)),
        entry(Method::DELETE, "/v1/comments/{id}", SiteOrPerson(Scope::Erase), web::delete().to(comments::erase)),
        entry(Method::POST, "/v1/assess", Site(Scope::Post), web::post().to(comments::assess)),
        entry(Method::PUT, "/v1/articles/{id}", Site(Scope::Post), web::put().to(articles::put)),
        entry(Method::GET, "/v1/articles/{id}", Person(Read), web::get().to(reads::article)),
        entry(Method::GET, "/v1/authors/{id}/export", SiteOrPerson(Scope::Read), web::get().to(authors::export)),
        entry(Method::DELETE, "/v1/authors/{id}", SiteOrPerson(Scope::Erase), web::delete().to(authors::erase)),
        entry(Method::GET, "/v1/authors/{id}", Person(Read), web::get().to(reads::author)),
        entry(Method::POST, "/v1/authors/{id}/notes", Person(Decide), web::post().to(reads::note)),
        entry(Method::DELETE, "/v1/authors/{id}/notes/{note}", Person(Decide), web::delete().to(reads::note_remove)),
        entry(Method::GET, "/v1/figures", Person(Oversee), web::get().to(reads::figures)),
        entry(Method::GET, "/v1/rules", Person(Oversee), web::get().to(rules::truth)),
        entry(Method::GET, "/v1/rules/{id}/comments", Person(Oversee), web::get().to(rules::comments)),
        entry(Method::GET, "/v1/alerts", Person(Oversee), web::get().to(alerts::list)),
        entry(Method::GET, "/v1/me", Person(Read), web::get().to(oversight::me)),
        entry(Method::GET, "/v1/people", Person(Oversee), web::get().to(oversight::people)),
        entry(Method::GET, "/v1/audit", Person(Oversee), web::get().to(oversight::audit)),
        entry(Method::GET, "/v1/audit/export", Person(Oversee), web::get().to(audit_export::export)),
        entry(Method::GET, "/v1/events", Person(Read), web::get().to(events::listen)),
        entry(Method::POST, "/v1/sites/{site}/webhook", Signed, web::post().to(webhooks_in::receive)),
        entry(Method::GET, "/v1/queue", Person(Read), web::get().to(review::queue)),
        entry(Method::POST, "/v1/queue/claims", Person(Decide), web::post().to(review::claim)),
        entry(Method::DELETE, "/v1/queue/claims", Person(Decide), web::delete().to(review::release)),
        entry(Method::POST, "/v1/decisions", Person(Decide), web::post().to(review::decide)),
        entry(Method::POST, "/v1/decisions/{id}/undo", Person(Decide), web::post().to(review::undo)),
        entry(Method::POST, "/v1/sanctions", Person(Decide), web::post().to(sanctions::impose)),
        entry(Method::GET, "/v1/sanctions", Person(Read), web::get().to(sanctions::list)),
        entry(Method::GET, "/v1/sanctions/{id}", Person(Read), web::get().to(sanctions::find)),
        entry(Method::DELETE, "/v1/sanctions/{id}", Person(Decide), web::delete().to(sanctions::lift)),
        entry(Method::POST, "/v1/sanctions/{id}/resume", Person(Decide), web::post().to(sanctions::resume)),
        entry(Method::POST, "/v1/comments/{id}/reports", Site(Scope::Post), web::post().to(readers::report)),
        entry(Method::POST, "/v1/comments/{id}/votes", Site(Scope::Post), web::post().to(readers::vote)),
        entry(Method::POST, "/v1/comments/{id}/appeals", Site(Scope::Post), web::post().to(appeals::open)),
        entry(Method::GET, "/v1/appeals", Person(Read), web::get().to(appeals::list)),
        entry(Method::GET, "/v1/appeals/{id}", Person(Read), web::get().to(appeals::find)),
        entry(Method::POST, "/v1/appeals/{id}/answer", Person(Decide), web::post().to(appeals::answer)),
        entry(Method::GET, "/v1/campaigns", Person(Read), web::get().to(campaigns::list)),
        entry(Method::GET, "/v1/campaigns/{id}", Person(Read), web::get().to(campaigns::find)),
        entry(Method::POST, "/v1/campaigns/{id}/decisions", Person(Decide), web::post().to(campaigns::decide)),
        entry(Method::PUT, "/v1/campaigns/{id}/rule", Person(Decide), web::put().to(campaigns::rule)),
        entry(Method::DELETE, "/v1/campaigns/{id}/rule", Person(Decide), web::delete().to(campaigns::end_rule)),
        entry(Method::POST, "/v1/campaigns/{id}/close", Person(Decide), web::post().to(campaigns::close)),
        entry(Method::POST, "/v1/campaigns/{id}/merge", Person(Decide), web::post().to(campaigns::merge)),
        entry(Method::GET, "/v1/outbox", Person(Oversee), web::get().to(outbox::list)),
        entry(Method::POST, "/v1/outbox/resend", Person(Operate), web::post().to(outbox::resend)),
        entry(Method::GET, "/v1/models", Person(Oversee), web::get().to(learning::models)),
        entry(Method::GET, "/v1/quality", Person(Oversee), web::get().to(learning::quality)),
        entry(Method::POST, "/v1/sites/{site}/model/rollback", Person(Operate), web::post().to(learning::rollback)),
        entry(Method::POST, "/v1/sites/{site}/model/reset", Person(Operate), web::post().to(learning::reset)),
        entry(Method::POST, "/1.1/verify-key", AkismetKey, web::post().to(akismet::verify_key)),
        entry(Method::POST, "/1.1/comment-check", AkismetKey, web::post().to(akismet::comment_check)),
        entry(Method::POST, "/1.1/submit-spam", AkismetKey, web::post().to(akismet::feedback::submit_spam)),
        entry(Method::POST, "/1.1/submit-ham", AkismetKey, web::post().to(akismet::feedback::submit_ham)),
        entry(Method::POST, "/1.1/get-stats", AkismetKey, web::post().to(akismet::account::get_stats)),
        entry(Method::POST, "/1.1/get-subscription", AkismetKey, web::post().to(akismet::account::get_subscription)),
        entry(Method::POST, "/1.1/deactivate", AkismetKey, web::post().to(akismet::account::deactivate)),
        entry(Method::POST, "/1.1/token", AkismetKey, web::post().to(akismet::account::token)),
        entry(Method::POST, "/1.1/verify-wpcom-key", AkismetKey, web::post().to(akismet::account::verify_wpcom_key)),
        entry(Method::GET, "/1.2/key-sites", AkismetKey, web::get().to(akismet::account::key_sites)),
        entry(Method::GET, "/1.2/usage-limit", AkismetKey, web::get().to(akismet::account::usage_limit)),
        entry(Method::POST, "/1.2/key-sites", AkismetKey, web::post().to(akismet::account::key_sites_posted)),
        entry(Method::POST, "/1.2/usage-limit", AkismetKey, web::post().to(akismet::account::usage_limit_posted)),
        entry(Method::GET, "/1.1/test", Anyone, web::get().to(akismet::test)),
        entry(Method::GET, "/1.2/compatible-plugins", Anyone, web::get().to(akismet::account::compatible_plugins)),
        entry(Method::POST, "/v1alpha1/comments:analyze", Site(Scope::Post), web::post().to(perspective::analyze)),
        entry(
            Method::POST,
            "/v1alpha1/comments:suggestscore",
            Site(Scope::Feedback),
            web::post().to(perspective::suggest),
        ),
        entry(Method::GET, "/$discovery/rest", Anyone, web::get().to(perspective::discovery::document)),
        entry(Method::POST, "/coral/phase/{site}", Signed, web::post().to(coral::phase)),
        entry(Method::POST, "/v1/backtests", Person(Operate), web::post().to(backtests::start)),
        entry(Method::GET, "/v1/backtests", Person(Oversee), web::get().to(backtests::list)),
        entry(Method::GET, "/v1/backtests/{id}", Person(Oversee), web::get().to(backtests::find)),
        entry(Method::DELETE, "/v1/backtests/{id}", Person(Operate), web::delete().to(backtests::end)),
        entry(Method::GET, "/v1/backtests/{id}/diff", Person(Oversee), web::get().to(backtests::diff)),
        entry(Method::GET, "/v1/log-level", Person(Operate), web::get().to(log_level::find)),
        entry(Method::PUT, "/v1/log-level", Person(Operate), web::put().to(log_level::set)),
        entry(Method::DELETE, "/v1/log-level", Person(Operate), web::delete().to(log_level::end)),
        entry(Method::GET, "/healthz", Anyone, web::get().to(operations::healthz)),
        entry(Method::GET, "/readyz", Anyone, web::get().to(operations::readyz)),
        entry(Method::GET, "/metrics", Metrics, web::get().to(operations::metrics)),
        entry(Method::GET, "/openapi.json", Anyone, web::get().to(openapi::document)),
        entry(Method::GET, "/problems/{name}", Anyone, web::get().to(operations::problem_page)),
        entry(Method::GET, "/docs/{page:.*}", Anyone, web::get().to(openapi::page)),
        entry(Method::GET, "/docs", Anyone, web::get().to(openapi::to_page)),
        entry(Method::GET, "/queue", Page(Read), web::get().to(queue::page)),
        entry(Method::GET, "/queue/cards", Page(Read), web::get().to(queue::cards)),
        entry(Method::GET, "/queue/cards/{uid}/history", Page(Read), web::get().to(queue::history)),
        entry(Method::GET, "/sign-in", Browser, web::get().to(sign_in::form)),
        entry(Method::POST, "/sign-in", Browser, web::post().to(sign_in::sign_in)),
        entry(Method::POST, "/sign-out", Session, web::post().to(sign_in::sign_out)),
        entry(Method::GET, "/account", Page(Read), web::get().to(account::account)),
        entry(Method::POST, "/account/totp", Session, web::post().to(account::totp)),
        entry(Method::POST, "/account/password", Session, web::post().to(account::password)),
        entry(Method::POST, "/account/sessions/end", Session, web::post().to(account::revoke)),
        entry(Method::POST, "/account/look", Session, web::post().to(account::look)),
        entry(Method::GET, "/assets/{version}/{name}", Browser, web::get().to(assets::asset)),
        entry(Method::GET, "/favicon.ico", Browser, web::get().to(assets::icon)),
        entry(Method::GET, "/campaigns", Page(Read), web::get().to(console::campaigns::list)),
        entry(Method::GET, "/campaigns/{uid}", Page(Read), web::get().to(console::campaigns::one)),
        entry(Method::GET, "/sanctions", Page(Read), web::get().to(console::sanctions::list)),
        entry(Method::GET, "/appeals", Page(Read), web::get().to(console::appeals::list)),
        entry(Method::GET, "/comments/{uid}", Page(Read), web::get().to(console::comment_page::comment)),
        entry(Method::GET, "/authors/{site}/{id}", Page(Read), web::get().to(console::author_page::author)),
        entry(Method::GET, "/articles/{site}/{id}", Page(Read), web::get().to(console::article_page::article)),
        entry(Method::GET, "/search", Page(Read), web::get().to(console::search_page::search)),
        entry(Method::GET, "/health", Page(Oversee), web::get().to(console::health_page::health)),
        entry(Method::GET, "/alerts", Page(Oversee), web::get().to(console::alerts_page::alerts)),
        entry(Method::GET, "/rules", Page(Oversee), web::get().to(console::rules_page::all)),
        entry(Method::GET, "/rules/{id}", Page(Oversee), web::get().to(console::rules_page::one)),
        entry(Method::GET, "/audit", Page(Oversee), web::get().to(console::audit_page::record)),
        entry(Method::GET, "/backtests", Page(Oversee), web::get().to(console::backtests::list)),
        entry(Method::GET, "/backtests/{id}", Page(Oversee), web::get().to(console::backtests::one)),
        entry(Method::GET, "/", Browser, web::get().to(assets::front)),
    ]
}

/// Puts the table into an application, and problems around it. A path takes only the methods that the table gives it, so that
/// `/v1/comments/batch` is a comment of that name too, where the batch has no use for the method.
pub fn configure(config: &mut web::ServiceConfig) {
    let mut paths: Vec<(&'static str, Vec<Entry>)> = Vec::new();
    for entry in table() {
        match paths.iter_mut().find(|(path, _)| *path == entry.path) {
            Some((_, entries)) => entries.push(entry),
            None => paths.push((entry.path, vec![entry])),
        }
    }
    for (path, entries) in paths {
        let methods: Vec<Method> = entries.iter().map(|entry| entry.method.clone()).collect();
        let resource = web::resource(path).guard(guard::fn_guard(move |asked| methods.contains(&asked.head().method)));
        config.service(entries.into_iter().fold(resource, |resource, entry| resource.route(entry.route)));
    }
    let bad_query = web::QueryConfig::default().error_handler(|error, _| body::bad_query(&error).into());
    let bad_path = web::PathConfig::default().error_handler(|error, _| Problem::not_found(error.to_string()).into());
    config.app_data(bad_query).app_data(bad_path);
    config.default_service(web::to(nothing_there));
}

/// Neither this path with this method nor, perhaps, this path at all.
async fn nothing_there(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let entries = table().into_iter().filter(|entry| ResourceDef::new(entry.path).is_match(request.path()));
    let methods: Vec<String> = entries.map(|entry| entry.method.to_string()).collect();
    if akismet::is_ours(request.path()) {
        return Ok(akismet::no_such_call(!methods.is_empty()));
    }
    if methods.is_empty() {
        return Err(Problem::not_found("there is no such path"));
    }
    Err(Problem::method_not_allowed(&methods.join(", ")))
}
