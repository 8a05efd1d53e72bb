//! Appeals, the oldest first, with the frozen reasons; and what readers reported. Answering goes through `/v1/appeals`, deciding through
//! `/v1/decisions`.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

use super::super::State;
use super::super::problem::Problem;
use super::campaigns::sites_of;
use super::comment::{CommentView, revealed};
use super::links::{Choice, link};
use super::texts::Texts;
use super::{Frame, page};
use crate::app::appeals::rejected_by;
use crate::domain::appeal::{Appeal, AppealState};
use crate::domain::decision::{Actor, Status};
use crate::domain::people::{Duty, Reach};
use crate::domain::readers::ReportSeen;
use crate::domain::store::{Happening, HappeningKind, PageRequest, QueueFilter, QueueItem, QueueSort, RulingCategory};
use crate::domain::time::Timestamp;

/// Items on a page.
const ITEMS: usize = 20;

/// Something that happened, in words.
struct Line {
    what: &'static str,
    /// The status that followed: a class, and in words.
    status: &'static str,
    status_text: &'static str,
    /// Who; none for the service itself.
    by: Option<String>,
    at: Timestamp,
    category: Option<&'static str>,
    reason: Option<String>,
    note: Option<String>,
}

impl Line {
    fn new(one: &Happening, t: &'static Texts) -> Self {
        let what = match one.kind {
            HappeningKind::Received => t.say("appeals.received"),
            HappeningKind::Edited => t.say("appeals.edited"),
            HappeningKind::Decided => t.say("appeals.decided"),
            HappeningKind::Undone => t.say("appeals.undone"),
            HappeningKind::Reported => t.say("appeals.reported"),
            HappeningKind::Lifted => t.say("appeals.lifted"),
        };
        Self {
            what,
            status: one.status.name(),
            status_text: t.say(match one.status {
                Status::Approved => "status.approved",
                Status::Held => "status.held",
                Status::Rejected => "status.rejected",
            }),
            by: match &one.by {
                Actor::Person(email) => Some(email.clone()),
                Actor::Site(_) => None,
                Actor::Console => Some("console".to_owned()),
            },
            at: one.at,
            category: one.category.map(|category| word_of(t, category)),
            reason: one.reason.clone(),
            note: one.note.clone(),
        }
    }
}

pub(super) fn word_of(t: &'static Texts, category: RulingCategory) -> &'static str {
    t.say(match category {
        RulingCategory::Spam => "category.spam",
        RulingCategory::OffTopic => "category.off-topic",
        RulingCategory::Abuse => "category.abuse",
        RulingCategory::Other => "category.other",
    })
}

fn word_of_state(t: &'static Texts, state: AppealState) -> &'static str {
    t.say(match state {
        AppealState::Open => "appeals.open",
        AppealState::Upheld => "appeals.upheld",
        AppealState::Overturned => "appeals.overturned",
        AppealState::Closed => "appeals.closed",
    })
}

/// An appeal before this one on the same comment.
struct Earlier {
    state: &'static str,
    text: Option<String>,
    answer: Option<String>,
    at: Timestamp,
}

/// An appeal as a card shows it.
struct AppealView {
    uid: Uuid,
    is_open: bool,
    state: &'static str,
    text: Option<String>,
    at: Timestamp,
    /// With the reasons as they were frozen when it was opened.
    comment: CommentView,
    history: Vec<Line>,
    earlier: Vec<Earlier>,
    answer: Option<String>,
    answered_by: Option<String>,
    answered_at: Option<Timestamp>,
    is_own: bool,
}

impl AppealView {
    fn new(appeal: &Appeal, email: &str, t: &'static Texts) -> Self {
        let earlier = appeal.earlier.iter().map(|one| Earlier {
            state: word_of_state(t, one.state),
            text: one.text.as_deref().map(revealed),
            answer: one.answer.clone(),
            at: one.at,
        });
        Self {
            uid: appeal.uid,
            is_open: appeal.state == AppealState::Open,
            state: word_of_state(t, appeal.state),
            text: appeal.text.as_deref().map(revealed),
            at: appeal.at,
            comment: CommentView::of(&appeal.record, Some(&appeal.article), &appeal.verdict, t),
            history: appeal.history.iter().map(|one| Line::new(one, t)).collect(),
            earlier: earlier.collect(),
            answer: appeal.answer.clone(),
            answered_by: appeal.answered_by.clone(),
            answered_at: appeal.answered_at,
            is_own: rejected_by(appeal, email),
        }
    }
}

/// A reader's report.
struct ReportView {
    category: Option<&'static str>,
    text: Option<String>,
    weight: String,
    at: Timestamp,
}

/// What readers reported, and waits for a person.
struct ReportedView {
    comment: CommentView,
    held_at: Timestamp,
    count: u32,
    weight: String,
    reports: Vec<ReportView>,
}

impl ReportedView {
    fn new(item: &QueueItem, t: &'static Texts) -> Self {
        let report = |one: &ReportSeen| ReportView {
            category: one.category.map(|category| word_of(t, category)),
            text: one.text.as_deref().map(revealed),
            weight: t.decimal(one.weight, 1),
            at: one.at,
        };
        Self {
            comment: CommentView::of(&item.record, Some(&item.article), &item.record.as_people_see().verdict, t),
            held_at: item.held_at,
            count: item.readers.reports,
            weight: t.decimal(item.readers.weight, 1),
            reports: item.reports.iter().map(report).collect(),
        }
    }
}

/// Which appeals to show.
#[derive(Debug, Deserialize)]
pub struct Query {
    /// `reports` for what readers reported.
    tab: Option<String>,
    /// `open`, `upheld`, `overturned` or `closed`.
    state: Option<String>,
    site: Option<String>,
    cursor: Option<String>,
}

#[derive(Template)]
#[template(path = "appeals.html")]
struct AppealsPage {
    frame: Frame,
    choices: Vec<Choice>,
    tab: &'static str,
    state: String,
    site: String,
    sites: Vec<String>,
    appeals: Vec<AppealView>,
    reported: Vec<ReportedView>,
    more: Option<String>,
}

/// Appeals within reach, oldest first; or what readers reported and waits.
///
/// # Errors
/// 401, 403, 422, 503.
pub async fn list(
    state: web::Data<State>,
    request: HttpRequest,
    query: web::Query<Query>,
) -> Result<HttpResponse, Problem> {
    let frame = Frame::open(&state, &request, "appeals", Duty::Read).await?;
    let Query { tab, state: wanted, site, cursor } = query.into_inner();
    let tab = match tab.as_deref() {
        None | Some("" | "appeals") => "",
        Some("reports") => "reports",
        Some(_) => return Err(Problem::invalid("tab", "must be appeals or reports")),
    };
    let wanted = wanted.filter(|wanted| !wanted.is_empty()).unwrap_or_else(|| "open".to_owned());
    let in_state = AppealState::from_name(&wanted)
        .ok_or_else(|| Problem::invalid("state", "must be open, upheld, overturned or closed"))?;
    let site = site.filter(|site| !site.is_empty());
    let asked = PageRequest { limit: ITEMS, cursor: cursor.filter(|cursor| !cursor.is_empty()) };
    let (mut appeals, mut reported) = (Vec::new(), Vec::new());
    let next = if tab == "reports" {
        let sites = site.iter().cloned().collect();
        let filter = QueueFilter { sites, reported: true, reach: Reach::ALL, ..QueueFilter::default() };
        let found = state.review.queue(filter, QueueSort::Oldest, &asked, &frame.person, frame.now).await?;
        reported.extend(found.items.iter().map(|item| ReportedView::new(item, frame.t)));
        found.next_cursor
    } else {
        let found = state.appeals.list(Some(in_state), site.as_deref(), &asked, &frame.person).await?;
        appeals.extend(found.items.iter().map(|appeal| AppealView::new(appeal, &frame.person.email, frame.t)));
        found.next_cursor
    };
    let (t, site) = (frame.t, site.unwrap_or_default());
    let mut choices: Vec<Choice> = AppealState::ALL
        .into_iter()
        .map(|one| Choice {
            href: link("/appeals", &[("state", one.name()), ("site", &site)]),
            text: word_of_state(t, one),
            is_current: tab.is_empty() && wanted == one.name(),
        })
        .collect();
    let href = link("/appeals", &[("tab", "reports"), ("site", &site)]);
    choices.push(Choice { href, text: t.say("appeals.reports"), is_current: tab == "reports" });
    let more =
        next.map(|cursor| link("/appeals", &[("tab", tab), ("state", &wanted), ("site", &site), ("cursor", &cursor)]));
    let sites = sites_of(&state, &frame.person).await?;
    page(&AppealsPage { frame, choices, tab, state: wanted, site, sites, appeals, reported, more })
}
