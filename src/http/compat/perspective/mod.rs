//! Perspective's two methods, for clients of that service, and the description by which some of them find the methods. Its key stands in the address: it is looked at here and told to nobody.

pub mod discovery;
pub mod reading;

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use url::form_urlencoded;
use utoipa::ToSchema;

use self::reading::{
    AnalyzeIn, Context, ContextIn, SuggestIn, TextEntry, attributes, checked, format, names_without, opinion, token,
};
use super::super::problem::Problem;
use super::super::{State, auth, body};
use super::google::{GoogleErrorOut, Refusal};
use crate::app::perspective::{Attribute, PerspectiveError, Text};
use crate::domain::comment::Invalid;
use crate::domain::site::{Scope, Site};

/// A score.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScoreOut {
    /// 0.0 to 1.0.
    pub value: f64,
    /// `PROBABILITY`.
    #[serde(rename = "type")]
    pub kind: &'static str,
}

impl From<f64> for ScoreOut {
    fn from(value: f64) -> Self {
        Self { value, kind: "PROBABILITY" }
    }
}

/// A part's score: what the score would be, if nothing but that part spoke for or against it.
#[derive(Debug, Serialize, ToSchema)]
pub struct SpanScoreOut {
    /// UTF-16 code units before it.
    pub begin: u32,
    /// UTF-16 code units up to its end, exclusive.
    pub end: u32,
    /// Its score.
    pub score: ScoreOut,
}

/// An attribute's scores.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttributeScoresOut {
    /// The whole text's.
    pub summary_score: ScoreOut,
    /// The parts'; the whole text as one part, unless parts were asked for and can be pointed at.
    pub span_scores: Vec<SpanScoreOut>,
}

/// The scores of a text.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AnalyzeOut {
    /// By attribute; missing when all are below their thresholds.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(required = false)]
    pub attribute_scores: BTreeMap<String, AttributeScoresOut>,
    /// As asked, or as detected.
    pub languages: Vec<String>,
    /// As detected; empty when the text is too short to tell.
    pub detected_languages: Vec<String>,
    /// As sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_token: Option<String>,
}

/// Scores of a text. Stores nothing and teaches nothing, with `doNotStore` or without; counts against the limit of assessments only. Attributes that are not
/// modelled here answer 400, and are named.
#[utoipa::path(post, path = "/v1alpha1/comments:analyze", tag = "clients of other services", security(("perspective_key" = []), ("site_key" = ["post"])),
    request_body = AnalyzeIn,
    responses((status = 200, body = AnalyzeOut), (status = 400, body = GoogleErrorOut), (status = 401, body = GoogleErrorOut), (status = 403, body = GoogleErrorOut),
        (status = 413, body = GoogleErrorOut), (status = 415, body = GoogleErrorOut), (status = 429, body = GoogleErrorOut), (status = 503, body = GoogleErrorOut)))]
pub async fn analyze(
    state: web::Data<State>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Refusal> {
    let site = site(&state, &request, Scope::Post).await?;
    let asked: AnalyzeIn = body::json(&request, payload, state.server.get().max_body_bytes).await?;
    let AnalyzeIn { comment, requested_attributes, context, languages, client_token, span_annotations, .. } = asked;
    let client_token = token("clientToken", client_token)?;
    token("sessionId", asked.session_id)?;
    token("communityId", asked.community_id)?;
    weigh(&state, &comment, context.as_ref())?;
    let context = Context::read(context)?;
    let thresholds = attributes(requested_attributes, context.article.is_some())?;
    let languages = checked(languages)?;
    let text = Text {
        format: format("comment.type", comment.kind.as_deref())?,
        body: comment.text,
        article: context.article,
        url: None,
        lang: languages.first().cloned(),
        ids: Vec::new(),
    };
    let wanted: Vec<Attribute> = thresholds.keys().copied().collect();
    let analysis =
        state.perspective.analyze(&site, &text, &wanted, span_annotations.unwrap_or_default(), state.clock.now());
    let analysis = analysis.await.map_err(refusal)?;
    let scores = analysis.scores.into_iter().filter(|(attribute, scored)| {
        let threshold = thresholds.get(attribute).copied().flatten();
        threshold.is_none_or(|threshold| scored.summary >= threshold)
    });
    let attribute_scores = scores.map(|(attribute, scored)| {
        let spans = scored.spans.into_iter().map(|span| SpanScoreOut {
            begin: span.begin,
            end: span.end,
            score: span.value.into(),
        });
        let out = AttributeScoresOut { summary_score: scored.summary.into(), span_scores: spans.collect() };
        (attribute.name().to_owned(), out)
    });
    let detected: Vec<String> = analysis.language.into_iter().collect();
    Ok(HttpResponse::Ok().json(AnalyzeOut {
        attribute_scores: attribute_scores.collect(),
        languages: if languages.is_empty() { detected.clone() } else { languages },
        detected_languages: detected,
        client_token,
    }))
}

/// That a suggestion was taken.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SuggestOut {
    /// As sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_token: Option<String>,
    /// As sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub requested_languages: Vec<String>,
}

/// Takes the scores that a text should have as the site's decision about the comment that it is. When no comment here has these words, the text is stored as
/// one: that is what this method is for. What a person decided here stands. It takes a key with the scope `feedback`: whoever may
/// only ask for scores decides nothing.
#[utoipa::path(post, path = "/v1alpha1/comments:suggestscore", tag = "clients of other services", security(("perspective_key" = []), ("site_key" = ["feedback"])),
    request_body = SuggestIn,
    responses((status = 200, body = SuggestOut), (status = 400, body = GoogleErrorOut), (status = 401, body = GoogleErrorOut), (status = 403, body = GoogleErrorOut),
        (status = 413, body = GoogleErrorOut), (status = 415, body = GoogleErrorOut), (status = 429, body = GoogleErrorOut), (status = 503, body = GoogleErrorOut)))]
pub async fn suggest(
    state: web::Data<State>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Refusal> {
    let site = site(&state, &request, Scope::Feedback).await?;
    let asked: SuggestIn = body::json(&request, payload, state.server.get().max_body_bytes).await?;
    let SuggestIn { comment, attribute_scores, context, languages, client_token, .. } = asked;
    let client_token = token("clientToken", client_token)?;
    token("sessionId", asked.session_id)?;
    token("communityId", asked.community_id)?;
    weigh(&state, &comment, context.as_ref())?;
    let context = Context::read(context)?;
    let opinion = opinion(attribute_scores, context.coral.is_some())?;
    let languages = checked(languages)?;
    let mut ids: Vec<String> = context.coral.iter().map(|coral| coral.id.clone()).collect();
    if let Some(token) = &client_token {
        ids.extend(token.strip_prefix("comment:").map(str::to_owned));
        ids.push(token.clone());
    }
    let text = Text {
        format: format("comment.type", comment.kind.as_deref())?,
        body: comment.text,
        article: context.article,
        url: context.coral.and_then(|coral| coral.story),
        lang: languages.first().cloned(),
        ids,
    };
    state.perspective.suggest(&site, text, opinion, state.clock.now()).await.map_err(refusal)?;
    Ok(HttpResponse::Ok().json(SuggestOut { client_token, requested_languages: languages }))
}

/// Whether a text and its context are small enough to be read at all.
fn weigh(state: &State, comment: &TextEntry, context: Option<&ContextIn>) -> Result<(), Refusal> {
    let context = context.map_or(0, ContextIn::bytes);
    state.perspective.weigh(comment.text.len(), context).map_err(|invalid| wrong(&invalid))
}

/// The site whose key came: as bearer, in the header that Google's clients use, or in the address.
async fn site(state: &State, request: &HttpRequest, scope: Scope) -> Result<Arc<Site>, Refusal> {
    let header = request.headers().get("x-goog-api-key").and_then(|key| key.to_str().ok()).map(str::to_owned);
    let in_address = || {
        let mut parameters = form_urlencoded::parse(request.query_string().as_bytes());
        parameters.find(|(name, _)| name == "key").map(|(_, key)| key.into_owned())
    };
    let key = header.or_else(in_address);
    Ok(auth::site_by(state, request, scope, key.as_deref()).await?)
}

fn refusal(error: PerspectiveError) -> Refusal {
    match error {
        PerspectiveError::Invalid(invalid) => wrong(&invalid),
        PerspectiveError::Intake(error) => Problem::from(error).into(),
        PerspectiveError::Store(error) => Problem::from(error).into(),
        PerspectiveError::NotModelled(attribute) => {
            let field = format!("requestedAttributes.{}", attribute.name());
            let message =
                format!("{field}: is not modelled here, where no model runs; what is: {}", names_without(attribute));
            Refusal::invalid(message).field(&field)
        }
        PerspectiveError::Unavailable { attribute, why } => {
            tracing::error!(attribute = attribute.name(), why, "a score that was asked for could not be told");
            Problem::unavailable(format!("{} has no score now; ask again later", attribute.name())).into()
        }
    }
}

/// The comment's fields as this client names them.
fn wrong(invalid: &Invalid) -> Refusal {
    let field = match invalid.field {
        "body" => "comment.text",
        "article.text" => "context",
        "article.lang" => "languages",
        other => other,
    };
    let refusal = Refusal::invalid(format!("{field}: {}", invalid.problem)).field(field);
    match (invalid.field, invalid.problem.contains("blank")) {
        ("body", true) => refusal.kind("COMMENT_EMPTY"),
        ("body", false) => refusal.kind("COMMENT_TOO_LONG"),
        _ => refusal,
    }
}
