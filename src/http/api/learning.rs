//! What answers where, what it learned, and how often people agree.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::problem::{Problem, ProblemBody};
use super::super::{State, auth};
use crate::app::learning::SiteView;
use crate::domain::decision::Action;
use crate::domain::learning::{Agreement, ChangeKind, ModelChange, wilson};
use crate::domain::people::Duty;
use crate::domain::time::Timestamp;

/// The models that answer.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ModelsOut {
    /// The one that was shipped, or that the operator put in its place; null when there is none.
    pub shipped: Option<ShippedOut>,
    /// What answers on each site.
    pub items: Vec<SiteModelOut>,
    /// Always null: all are here.
    pub next_cursor: Option<String>,
}

/// The shipped model.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ShippedOut {
    /// Its version.
    pub version: String,
    /// The set of features that it sees.
    pub features: String,
    /// SHA-256 of the training examples.
    pub training: String,
    /// Training examples by source.
    pub sources: BTreeMap<String, u64>,
    /// What was measured on held-out data, by name.
    pub measured: BTreeMap<String, f64>,
}

/// What answers on a site.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SiteModelOut {
    /// The site.
    pub site: String,
    /// Whether it learns from decisions.
    pub learns: bool,
    /// What verdicts name: the shipped version, and after a `+` the number of what was learned over it.
    pub version: String,
    /// What was learned and is in force; null when the shipped model answers alone.
    pub learned: Option<LearnedOut>,
    /// Decisions about single comments, by what became of them: `learned`, `waiting`, `copy` (its text taught already, or somebody said otherwise
    /// later), `category` (none that a model judges), `sanction`, `off`, `old`, `set-aside`, `undone`.
    pub labels: BTreeMap<String, u64>,
    /// What happened, latest first, at most fifty. A refusal repeated for the same reason stands once.
    pub changes: Vec<ModelChangeOut>,
}

/// What was learned.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LearnedOut {
    /// Counts the site's models.
    pub number: u32,
    /// Since when it answers.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// Decisions that it comes of, by output.
    pub labels: BTreeMap<&'static str, usize>,
    /// Features with weights, by output.
    pub weights: BTreeMap<&'static str, usize>,
}

/// What happened to a site's model.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ModelChangeOut {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What.
    pub kind: ChangeKind,
    /// The number of what is in force afterwards; null for the shipped model alone.
    pub number: Option<u32>,
    /// Who, when it was a person.
    pub by: Option<String>,
    /// Why.
    pub reason: String,
    /// What was measured, by output: labels, logarithmic loss, ham held and rejected, and what was missed, of the shipped model, what is in
    /// force and its challenger.
    #[schema(value_type = Object)]
    pub figures: serde_json::Value,
}

impl From<ModelChange> for ModelChangeOut {
    fn from(change: ModelChange) -> Self {
        let ModelChange { at, kind, number, by, reason, figures, .. } = change;
        Self { at, kind, number, by, reason, figures }
    }
}

impl From<SiteView> for SiteModelOut {
    fn from(view: SiteView) -> Self {
        let by_output = |counts: [usize; 2]| ["spam", "abuse"].into_iter().zip(counts).collect();
        let learned = view.in_force.map(|model| LearnedOut {
            number: model.number,
            since: model.at,
            labels: by_output(model.taught.labels.each_ref().map(Vec::len)),
            weights: by_output(model.taught.weights.each_ref().map(Vec::len)),
        });
        Self {
            site: view.site.name.to_string(),
            learns: view.learns,
            version: view.version,
            learned,
            labels: view.labels,
            changes: view.changes.into_iter().map(Into::into).collect(),
        }
    }
}

/// How often people agree with automatic verdicts.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct QualityOut {
    /// One for each site, kind of verdict, category and model version.
    pub items: Vec<QualityItem>,
    /// Always null: all are here.
    pub next_cursor: Option<String>,
}

/// Automatic verdicts of one kind that were drawn at random for a person.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct QualityItem {
    /// The site.
    pub site: String,
    /// `approve` or `reject`.
    pub action: Action,
    /// The category of what was rejected automatically; null for approvals.
    pub category: Option<String>,
    /// The model that answered, as verdicts name it.
    pub model: String,
    /// Drawn since.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// Drawn and decided by a person.
    pub sampled: u32,
    /// Drawn and not decided yet.
    pub waiting: u32,
    /// Of those decided, what people decided otherwise.
    pub overturned: u32,
    /// Of those overturned, by the category that people gave.
    pub overturned_as: BTreeMap<String, u32>,
    /// The error rate: overturned of sampled; null when nothing is decided yet.
    pub rate: Option<f64>,
    /// Where the true rate lies, by Wilson's score interval at 95 %: from, to.
    pub interval: [f64; 2],
}

impl From<Agreement> for QualityItem {
    fn from(agreement: Agreement) -> Self {
        let Agreement { site, action, category, model, waiting, decided, overturned, overturned_as, since } = agreement;
        let rate = (decided > 0).then(|| f64::from(overturned) / f64::from(decided));
        let interval = wilson(overturned, decided);
        Self {
            site,
            action,
            category,
            model,
            since,
            sampled: decided,
            waiting,
            overturned,
            overturned_as,
            rate,
            interval,
        }
    }
}

/// The models that answer: the shipped one, what each site taught over it, and why challengers were taken or refused.
#[utoipa::path(get, path = "/v1/models", tag = "operators", security(("personal_token" = [])),
    responses((status = 200, body = ModelsOut), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn models(state: web::Data<State>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let person = auth::person_of_whole_sites(&state, &request, Duty::Oversee).await?;
    let shipped = state.learning.shipped().map(|shipped| ShippedOut {
        version: shipped.version,
        features: shipped.header.features,
        training: shipped.header.training,
        sources: shipped.header.sources,
        measured: shipped.header.measured,
    });
    let items = state.learning.views(&person.reach).await?.into_iter().map(Into::into).collect();
    Ok(HttpResponse::Ok().json(ModelsOut { shipped, items, next_cursor: None }))
}

/// How often people agree with automatic verdicts, by a random sample that they look at without knowing which it is.
#[utoipa::path(get, path = "/v1/quality", tag = "operators", security(("personal_token" = [])),
    responses((status = 200, body = QualityOut), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn quality(state: web::Data<State>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let person = auth::person_of_whole_sites(&state, &request, Duty::Oversee).await?;
    let items = state.learning.agreements(&person.reach).await?.into_iter().map(Into::into).collect();
    Ok(HttpResponse::Ok().json(QualityOut { items, next_cursor: None }))
}

/// Takes what a site taught out of force, and puts what was in force before it back, if all decisions that it learned are still in force; else the
/// shipped model answers alone. Decisions that are not in what answers then teach nothing any more.
#[utoipa::path(post, path = "/v1/sites/{site}/model/rollback", tag = "operators", security(("personal_token" = [])),
    params(("site" = String, Path, description = "The site's name")),
    responses((status = 200, body = SiteModelOut), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody, description = "Nothing that was learned is in force"), (status = 503, body = ProblemBody)))]
pub async fn rollback(
    state: web::Data<State>,
    request: HttpRequest,
    site: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    end(&state, &request, &site, true).await
}

/// Takes what a site taught out of force: the shipped model answers alone. Decisions made until now teach nothing any more.
#[utoipa::path(post, path = "/v1/sites/{site}/model/reset", tag = "operators", security(("personal_token" = [])),
    params(("site" = String, Path, description = "The site's name")),
    responses((status = 200, body = SiteModelOut), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody, description = "Nothing that was learned is in force"), (status = 503, body = ProblemBody)))]
pub async fn reset(
    state: web::Data<State>,
    request: HttpRequest,
    site: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    end(&state, &request, &site, false).await
}

async fn end(state: &State, request: &HttpRequest, site: &str, to_before: bool) -> Result<HttpResponse, Problem> {
    let person = auth::person_of_whole_sites(state, request, Duty::Operate).await?;
    let view = state.learning.end(site, to_before, &person, state.clock.now()).await?;
    Ok(HttpResponse::Ok().json(SiteModelOut::from(view)))
}
