//! The page of an article: what is known of it, and its thread with what became of each comment.
//!
//! The tree is built of what is on the page: a page holds the latest comments first, so an answer stands under what it answers where both are
//! shown, and otherwise says what it answers.

use std::collections::{HashMap, HashSet};

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

use super::super::State;
use super::super::problem::Problem;
use super::comment::{CommentView, place_of};
use super::comment::{Reason, revealed};
use super::comment_page::{article_href, author_href};
use super::links::link;
use super::{Frame, page};
use crate::domain::comment::ExternalId;
use crate::domain::decision::Record;
use crate::domain::people::Duty;
use crate::domain::reads::ArticleNumbers;
use crate::domain::store::PageRequest;

/// Comments on a page.
const COMMENTS: usize = 100;
/// How far answers are drawn in.
const DEPTH_MAX: usize = 4;
/// Reasons shown beside a comment.
const REASONS: usize = 2;

/// Which part.
#[derive(Debug, Deserialize)]
pub struct Query {
    at: Option<Uuid>,
    cursor: Option<String>,
}

struct Node {
    comment: CommentView,
    depth: usize,
    author: Option<String>,
    /// What it answers, when that is not above it.
    answers: Option<String>,
    is_at: bool,
    reasons: Vec<Reason>,
}

#[derive(Template)]
#[template(path = "article_page.html")]
struct ArticleView {
    frame: Frame,
    site: String,
    title: String,
    facts: Vec<String>,
    place: Option<String>,
    tags: Vec<String>,
    numbers: ArticleNumbers,
    nodes: Vec<Node>,
    newest: Option<String>,
    more: Option<String>,
    at_is_missing: bool,
}

/// An article and its thread.
///
/// # Errors
/// 404: no such site, or neither the article nor a comment under it lies within reach.
pub async fn article(
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    query: web::Query<Query>,
) -> Result<HttpResponse, Problem> {
    let frame = Frame::open(&state, &request, "search", Duty::Read).await?;
    let t = frame.t;
    let (site, id) = path.into_inner();
    let Query { at, cursor } = query.into_inner();
    let site = state.desk.site(&site, &frame.person).await?;
    let id = ExternalId::parse("id", id)?;
    let asked = PageRequest { limit: COMMENTS, cursor: cursor.filter(|cursor| !cursor.is_empty()) };
    let found = state.desk.article(&site, &id, at, &asked, &frame.person).await?;
    let article = found.article;
    let here = article_href(&site.name, id.as_str());
    let is_later = asked.cursor.is_some() || found.is_further_back;
    let mut nodes: Vec<Node> = Vec::new();
    for (record, depth, is_under) in thread(&found.comments.items) {
        let mut comment = CommentView::of(record, Some(&article), &record.as_people_see().verdict, t);
        let mut reasons = std::mem::take(&mut comment.reasons);
        reasons.truncate(REASONS);
        nodes.push(Node {
            depth: depth.min(DEPTH_MAX),
            author: record.comment.author.id.as_ref().map(|id| author_href(&record.site, id.as_str())),
            answers: record.comment.parent_id.as_ref().filter(|_| !is_under).map(|id| revealed(id.as_str())),
            is_at: at == Some(record.uid),
            reasons,
            comment,
        });
    }
    let facts = [
        article.section.as_deref().map(|section| t.with("article.section", "section", revealed(section))),
        article.lang.as_deref().map(|lang| t.with("article.lang", "lang", revealed(lang))),
        Some(revealed(id.as_str())),
    ];
    let template = ArticleView {
        title: revealed(article.title.as_deref().unwrap_or(id.as_str())),
        facts: facts.into_iter().flatten().collect(),
        place: article.url.as_deref().and_then(place_of),
        tags: article.tags.iter().take(20).map(|tag| revealed(tag)).collect(),
        numbers: found.numbers,
        at_is_missing: at.is_some() && !nodes.iter().any(|node| node.is_at),
        newest: is_later.then(|| here.clone()),
        more: found.comments.next_cursor.map(|cursor| link(&here, &[("cursor", &cursor)])),
        nodes,
        site: site.name.to_string(),
        frame,
    };
    page(&template)
}

/// Comments in the order of a thread, with how deep each stands and whether what it answers is above it: whatever begins a branch latest first,
/// answers oldest first. Sites may send comments that answer each other in a circle: each is shown once.
fn thread(records: &[Record]) -> Vec<(&Record, usize, bool)> {
    let ids: HashSet<&str> = records.iter().map(|record| record.comment.id.as_str()).collect();
    let parent = |record: &Record| {
        let parent = record.comment.parent_id.as_ref()?.as_str();
        ids.get(parent).copied()
    };
    let mut answers: HashMap<&str, Vec<&Record>> = HashMap::new();
    for record in records {
        if let Some(parent) = parent(record) {
            answers.entry(parent).or_default().push(record);
        }
    }
    let mut shown: HashSet<Uuid> = HashSet::new();
    let mut order = Vec::with_capacity(records.len());
    // Those of a circle have no beginning: they come last, from the first one that was not reached.
    let begins = records.iter().filter(|record| parent(record).is_none()).chain(records);
    for begin in begins {
        let mut waiting = vec![(begin, 0)];
        while let Some((record, depth)) = waiting.pop() {
            if !shown.insert(record.uid) {
                continue;
            }
            order.push((record, depth, depth > 0));
            // Latest first in the list, so the oldest is taken off the end first.
            let below = answers.get(record.comment.id.as_str()).into_iter().flatten();
            waiting.extend(below.map(|answer| (*answer, depth + 1)));
        }
    }
    order
}
