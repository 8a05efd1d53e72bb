//! Looking for comments by their words, whatever became of them.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use super::super::State;
use super::super::problem::Problem;
use super::campaigns::sites_of;
use super::comment::{Segment, revealed, segments};
use super::comment_page::{article_href, author_href, word_of_status};
use super::links::link;
use super::{Frame, page};
use crate::domain::comment::ExternalId;
use crate::domain::decision::{Record, Status};
use crate::domain::normalise::{fold_plain, words};
use crate::domain::people::{Duty, Reach};
use crate::domain::search::{Question, SearchFilter};
use crate::domain::store::PageRequest;
use crate::domain::time::Timestamp;

/// Comments on a page.
const FOUND: usize = 30;
/// Bytes of a question at most.
const QUESTION_MAX: usize = 1_000;
/// Bytes of a text in which words are looked for to mark them.
const LOOKED_AT: usize = 20_000;
/// Bytes that are shown before the first word found, and altogether.
const BEFORE: usize = 80;
const SHOWN: usize = 320;

/// What to look for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Query {
    q: String,
    site: String,
    status: String,
    author: String,
    cursor: String,
}

struct Found {
    uid: uuid::Uuid,
    who: Option<String>,
    author: Option<String>,
    article: String,
    article_name: String,
    site: String,
    status: &'static str,
    status_text: &'static str,
    at: Timestamp,
    before: bool,
    after: bool,
    segments: Vec<Segment>,
}

#[derive(Template)]
#[template(path = "search_page.html")]
struct SearchPage {
    frame: Frame,
    q: String,
    site: String,
    status: String,
    author: String,
    sites: Vec<String>,
    statuses: [(&'static str, &'static str); 3],
    wrong: Option<&'static str>,
    found: Vec<Found>,
    more: Option<String>,
}

/// Comments with these words.
///
/// # Errors
/// 422 for a cursor that is none of ours.
pub async fn search(
    state: web::Data<State>,
    request: HttpRequest,
    query: web::Query<Query>,
) -> Result<HttpResponse, Problem> {
    let frame = Frame::open(&state, &request, "search", Duty::Read).await?;
    let t = frame.t;
    let Query { q, site, status, author, cursor } = query.into_inner();
    let q = q.trim().to_owned();
    let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let all = [Status::Approved, Status::Held, Status::Rejected];
    let question = Question::read(if q.len() > QUESTION_MAX { "" } else { &q });
    let wrong = match () {
        () if q.len() > QUESTION_MAX => Some(t.say("search.too-long")),
        () if !q.is_empty() && question.terms.is_empty() => Some(t.say("search.no-words")),
        () => None,
    };
    let (mut found, mut more) = (Vec::new(), None);
    if !question.terms.is_empty() {
        let filter = SearchFilter {
            question: question.clone(),
            site: given(&site),
            status: all.into_iter().find(|known| known.name() == status),
            author: given(&author),
            reach: Reach::ALL, // the use case puts the person's own
        };
        let asked = PageRequest { limit: FOUND, cursor: given(&cursor) };
        let answer = state.review.search(filter, &asked, &frame.person).await?;
        let titles = titles(&state, &answer.items).await?;
        let row = |record: &Record| row(&record.as_people_see(), &question, &titles, &frame);
        found = answer.items.iter().map(row).collect();
        let next = |cursor: String| {
            link(
                "/search",
                &[("q", &q), ("site", &site), ("status", &status), ("author", &author), ("cursor", &cursor)],
            )
        };
        more = answer.next_cursor.map(next);
    }
    let sites = sites_of(&state, &frame.person).await?;
    let statuses = all.map(|status| (status.name(), word_of_status(t, status)));
    page(&SearchPage { frame, q, site, status, author, sites, statuses, wrong, found, more })
}

/// Titles of articles, by site and id: comments are kept without.
type Titles = HashMap<(Arc<str>, ExternalId), String>;

async fn titles(state: &State, records: &[Record]) -> Result<Titles, Problem> {
    let sites = state.store.sites().await?;
    let mut looked_up: HashSet<(Arc<str>, ExternalId)> = HashSet::new();
    let mut titles = Titles::new();
    for record in records {
        let key = (Arc::clone(&record.site), record.comment.article.id.clone());
        let Some(site) = sites.iter().find(|site| site.name == key.0).filter(|_| looked_up.insert(key.clone())) else {
            continue;
        };
        if let Some(title) = state.store.article_find(site.id, &key.1).await?.and_then(|article| article.title) {
            titles.insert(key, title);
        }
    }
    Ok(titles)
}

fn row(record: &Record, question: &Question, titles: &Titles, frame: &Frame) -> Found {
    let comment = &record.comment;
    let body = &comment.body;
    let hits = hits(&body[..body.floor_char_boundary(LOOKED_AT)], question);
    let first = hits.first().map_or(0, |hit| hit.start);
    let from = if first > BEFORE { body.floor_char_boundary(first - BEFORE) } else { 0 };
    let to = body.floor_char_boundary(from + SHOWN);
    let inside = hits.iter().filter(|hit| from <= hit.start && hit.end <= to);
    let spans: Vec<(usize, usize, &str)> = inside.map(|hit| (hit.start - from, hit.end - from, "")).collect();
    Found {
        uid: record.uid,
        who: comment.author.name.as_deref().or(comment.author.id.as_ref().map(ExternalId::as_str)).map(revealed),
        author: comment.author.id.as_ref().map(|id| author_href(&record.site, id.as_str())),
        article: format!("{}?at={}", article_href(&record.site, comment.article.id.as_str()), record.uid),
        article_name: {
            let title = titles.get(&(Arc::clone(&record.site), comment.article.id.clone()));
            revealed(title.map_or(comment.article.id.as_str(), String::as_str))
        },
        site: record.site.to_string(),
        status: record.status.name(),
        status_text: word_of_status(frame.t, record.status),
        at: record.received_at,
        before: from > 0,
        after: to < body.len(),
        segments: segments(&body[from..to], &spans),
    }
}

/// Where the words that are looked for stand, in order; in scripts without blanks, their characters.
fn hits(text: &str, question: &Question) -> Vec<Range<usize>> {
    let folded = fold_plain(text);
    let has = |word: &str| {
        question.terms.iter().any(|term| {
            word == term.word || (term.is_prefix && word.starts_with(&term.word)) || is_part(word, &term.word)
        })
    };
    let found = words(folded.text()).into_iter().map(|range| range.start as usize..range.end as usize);
    let found = found.filter(|range| has(&folded.text()[range.clone()]));
    found.map(|range| folded.original(range)).collect()
}

/// Whether a character of a script without blanks is one of those looked for.
fn is_part(word: &str, looked_for: &str) -> bool {
    let mut characters = word.chars();
    let one = characters.next().filter(|c| characters.next().is_none() && crate::domain::normalise::is_unspaced(*c));
    one.is_some_and(|c| looked_for.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_marked_where_they_stand_in_the_text_as_it_was_sent() {
        for (name, text, asked, expected) in [
            ("a word", "Buy cheap pills", "cheap ", &["cheap"][..]),
            ("another case, letters of two bytes before", "Größe: CHEAP", "cheap ", &["CHEAP"]),
            ("the beginning of one", "cheaper", "chea", &["cheaper"]),
            ("not a part of one", "cheaper", "cheap ", &[]),
            ("twice", "pills and pills", "pills ", &["pills", "pills"]),
            ("markup is text", "<b>pills</b>", "pills ", &["pills"]),
        ] {
            let found: Vec<&str> = hits(text, &Question::read(asked)).into_iter().map(|range| &text[range]).collect();
            assert_eq!(found, expected, "{name}");
        }
    }
}
