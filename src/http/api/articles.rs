//! What is known of an article.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::problem::{Problem, ProblemBody};
use super::super::{State, auth, body};
use crate::domain::comment::{Article, ArticleDraft};
use crate::domain::site::Scope;

/// An article as it is known.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ArticleOut {
    /// The site's own name for it.
    pub id: String,
    /// Its address.
    pub url: Option<String>,
    /// Its title.
    pub title: Option<String>,
    /// Its text.
    pub text: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its section.
    pub section: Option<String>,
    /// Its language.
    pub lang: Option<String>,
}

impl From<&Article> for ArticleOut {
    fn from(article: &Article) -> Self {
        let Article { id, url, title, text, tags, section, lang } = article.clone();
        Self { id: id.to_string(), url, title, text, tags, section, lang }
    }
}

/// What is to be known of an article: as in a comment, but that the path names it.
#[derive(Debug, ToSchema)]
pub struct ArticleIn {
    /// As in the path, if it is said at all.
    pub id: Option<String>,
    /// Its address.
    pub url: Option<String>,
    /// Its title.
    pub title: Option<String>,
    /// Its text, without markup.
    pub text: Option<String>,
    /// Its tags.
    pub tags: Option<Vec<String>>,
    /// The section that it appears in.
    pub section: Option<String>,
    /// Its language, as in `en` or `pt-BR`.
    pub lang: Option<String>,
}

/// Sets what is known of an article; fields that are not sent keep what was known.
#[utoipa::path(put, path = "/v1/articles/{id}", tag = "websites", security(("site_key" = ["post"])),
    params(("id" = String, Path, description = "The site's own name for the article")),
    request_body = ArticleIn,
    responses((status = 200, body = ArticleOut, description = "Known before; this is what is known now"), (status = 201, body = ArticleOut, description = "New"),
        (status = 400, body = ProblemBody), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 413, body = ProblemBody),
        (status = 415, body = ProblemBody), (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub async fn put(
    state: web::Data<State>,
    request: HttpRequest,
    id: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let site = auth::site(&state, &request, Scope::Post).await?;
    let mut sent: serde_json::Value = body::json(&request, payload, state.server.get().max_body_bytes).await?;
    let id = id.into_inner();
    let object = sent.as_object_mut().ok_or_else(|| Problem::invalid("body", "must be an object"))?;
    let named = object.entry("id").or_insert_with(|| id.clone().into());
    if named.as_str() != Some(id.as_str()) {
        return Err(Problem::invalid("id", "is another one than in the path"));
    }
    let draft: ArticleDraft = body::parse(&serde_json::to_vec(&sent).unwrap_or_default())?;
    let article = draft.parse(&state.settings.current().bounds).map_err(|invalid| {
        // It is named as it stands in a comment; here the article is the whole body.
        let field = invalid.field.strip_prefix("article.").unwrap_or(invalid.field);
        Problem::invalid(field, &invalid.problem)
    })?;
    let (article, new) = state.intake.article(site.id, article, state.clock.now()).await?;
    let mut response = if new { HttpResponse::Created() } else { HttpResponse::Ok() };
    Ok(response.json(ArticleOut::from(&article)))
}
