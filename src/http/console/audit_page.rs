//! The record of who did what, to be searched and taken away, for whoever oversees everything. Nothing here changes anything, but taking it
//! away is itself on record.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use super::super::api::oversight::AuditQuery;
use super::super::problem::Problem;
use super::super::{State, auth};
use super::comment::revealed;
use super::links::link;
use super::texts::Texts;
use super::{Frame, page};
use crate::domain::decision::Actor;
use crate::domain::people::Duty;
use crate::domain::store::{AuditCheck, AuditFilter, AuditLine, PageRequest};
use crate::domain::time::Timestamp;

/// Lines on a page.
const LINES: usize = 100;
/// Digits of a hash that are shown.
const DIGITS: usize = 12;

/// What to show. Moments are RFC 3339, or without a zone as browsers send them: then UTC.
#[derive(Debug, Default, Deserialize)]
pub struct RecordQuery {
    action: Option<String>,
    by: Option<String>,
    subject: Option<String>,
    since: Option<String>,
    until: Option<String>,
    q: Option<String>,
    cursor: Option<String>,
    /// `1` to look whether the record is whole.
    check: Option<String>,
}

/// What was asked for, as fields show it and links carry it.
struct Asked {
    action: String,
    by: String,
    subject: String,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    q: String,
}

impl Asked {
    fn of(filter: &AuditFilter) -> Self {
        let text = |given: &Option<String>| given.clone().unwrap_or_default();
        Self {
            action: text(&filter.action),
            by: text(&filter.by),
            subject: text(&filter.subject),
            since: filter.since,
            until: filter.until,
            q: text(&filter.q),
        }
    }

    /// A path that asks for the same, and for more.
    fn link(&self, path: &str, more: &[(&str, &str)]) -> String {
        let moment = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
        let (since, until) = (moment(self.since), moment(self.until));
        let mut parameters = vec![("action", &*self.action), ("by", &self.by), ("subject", &self.subject)];
        parameters.extend([("since", &*since), ("until", &until), ("q", &self.q)]);
        parameters.extend_from_slice(more);
        link(path, &parameters)
    }

    /// As a field for a moment takes it.
    #[expect(clippy::ref_option, reason = "templates hand fields over by reference")]
    fn field(at: &Option<Timestamp>) -> String {
        let text = at.map(|at| at.to_string()).unwrap_or_default();
        text.get(..16).unwrap_or_default().to_owned()
    }

    fn is_anything(&self) -> bool {
        !(self.action.is_empty() && self.by.is_empty() && self.subject.is_empty() && self.q.is_empty())
            || self.since.is_some()
            || self.until.is_some()
    }
}

/// A line as the page shows it.
struct Row {
    number: i64,
    at: Timestamp,
    moment: String,
    by: Option<String>,
    by_link: String,
    actor: &'static str,
    action: String,
    action_link: String,
    raw: String,
    subject: String,
    subject_link: String,
    detail: String,
    hash: Option<(String, String)>,
}

impl Row {
    fn of(line: AuditLine, t: &'static Texts) -> Self {
        let AuditLine { number, entry, hash } = line;
        let (actor, by) = match entry.by {
            Actor::Site(name) => (t.say("record.site"), Some(name)),
            Actor::Person(email) => (t.say("record.person"), Some(email)),
            Actor::Console => (t.say("record.console"), None),
        };
        let key = format!("audit.{}", entry.action);
        let by_link = link("/audit", &[("by", by.as_deref().unwrap_or_default())]);
        Self {
            number,
            at: entry.at,
            moment: moment(entry.at),
            by: by.as_deref().map(revealed),
            by_link,
            actor,
            action: if t.knows(&key) { t.say(&key).to_owned() } else { revealed(&entry.action) },
            action_link: link("/audit", &[("action", &entry.action)]),
            raw: revealed(&entry.action),
            subject: revealed(&entry.subject),
            subject_link: link("/audit", &[("subject", &entry.subject)]),
            detail: revealed(&entry.detail),
            hash: hash.map(|hash| (hash.chars().take(DIGITS).collect(), hash)),
        }
    }
}

/// Date and time in UTC, to the second.
fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    text.get(..19).map_or_else(|| text.clone(), |cut| cut.replace('T', " "))
}

/// A moment as a browser's field sends it gets the zone that its label names.
fn with_zone(given: Option<String>) -> Option<String> {
    given.map(|text| match text.len() {
        10 => format!("{text}T00:00:00Z"),
        16 => format!("{text}:00Z"),
        19 => format!("{text}Z"),
        _ => text,
    })
}

#[derive(Template)]
#[template(path = "audit.html")]
struct RecordPage {
    frame: Frame,
    asked: Asked,
    rows: Vec<Row>,
    more: Option<String>,
    is_first: bool,
    csv: String,
    ndjson: String,
    check_link: String,
    /// The last line of all: its number and hash.
    head: Option<(i64, String)>,
    /// What looking at the whole record found: whether it is whole, and that in words.
    check: Option<(bool, String)>,
}

/// Who did what.
///
/// # Errors
/// 401, 403, 422, 503.
pub async fn record(
    state: web::Data<State>,
    request: HttpRequest,
    query: web::Query<RecordQuery>,
) -> Result<HttpResponse, Problem> {
    let frame = Frame::open(&state, &request, "audit", Duty::Oversee).await?;
    auth::of_everything(&frame.person)?;
    let RecordQuery { action, by, subject, since, until, q, cursor, check } = query.into_inner();
    let (since, until) = (with_zone(since), with_zone(until));
    let filter = AuditQuery { action, by, subject, since, until, q, limit: None, cursor: None }.filter()?;
    let cursor = cursor.filter(|cursor| !cursor.is_empty());
    let is_first = cursor.is_none();
    let t = frame.t;
    let check = match check.as_deref() {
        Some("1") => Some(in_words(state.oversight.check().await?, t)),
        _ => None,
    };
    let latest = PageRequest { limit: 1, cursor: None };
    let latest = state.oversight.audit(&AuditFilter::default(), &latest).await?.items.into_iter().next();
    let head = latest.and_then(|line| Some((line.number, line.hash?)));
    let found = state.oversight.audit(&filter, &PageRequest { limit: LINES, cursor }).await?;
    let asked = Asked::of(&filter);
    let rows = found.items.into_iter().map(|line| Row::of(line, t)).collect();
    let more = found.next_cursor.map(|cursor| asked.link("/audit", &[("cursor", &cursor)]));
    let export = |format| asked.link("/v1/audit/export", &[("format", format)]);
    let (csv, ndjson, check_link) = (export("csv"), export("ndjson"), asked.link("/audit", &[("check", "1")]));
    page(&RecordPage { frame, asked, rows, more, is_first, csv, ndjson, check_link, head, check })
}

fn in_words(check: AuditCheck, t: &Texts) -> (bool, String) {
    match check {
        AuditCheck::Whole { lines, .. } | AuditCheck::Another { lines, .. } => (true, t.count("record.whole", lines)),
        AuditCheck::Broken { line, problem } => {
            (false, t.with2("record.broken", ("line", &line), ("problem", &problem)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_without_a_zone_are_utc() {
        for (given, read) in [
            ("2026-11-24", "2026-11-24T00:00:00Z"),
            ("2026-11-24T10:30", "2026-11-24T10:30:00Z"),
            ("2026-11-24T10:30:05", "2026-11-24T10:30:05Z"),
            ("2026-11-24T10:30:05+01:00", "2026-11-24T10:30:05+01:00"),
            ("", ""),
        ] {
            assert_eq!(with_zone(Some(given.to_owned())).as_deref(), Some(read));
        }
    }

    #[test]
    fn what_was_asked_for_stays_what_it_is_in_links() {
        let filter = AuditFilter {
            q: Some("a&format=xml#\"".to_owned()),
            since: Some(Timestamp::from_millis(1_795_514_400_000)),
            ..AuditFilter::default()
        };
        let link = Asked::of(&filter).link("/v1/audit/export", &[("format", "csv")]);
        assert_eq!(link, "/v1/audit/export?since=2026-11-24T10%3A00%3A00Z&q=a%26format%3Dxml%23%22&format=csv");
    }
}
