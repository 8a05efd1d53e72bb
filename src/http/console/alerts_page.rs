//! Alerts on one page: queues that are late and waves that stand, those that are over and still kept, and what operators were told of them, with why
//! something could not be sent. The same as `/v1/alerts`.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde_json::Value;

use super::super::problem::Problem;
use super::super::{State, auth};
use super::comment::revealed;
use super::links::link;
use super::queue::{segment, signal_title};
use super::texts::Texts;
use super::{Frame, page};
use crate::app::notify::board::{Fate, Notice, Shown};
use crate::domain::notices::{Alert, AlertKind, Channel};
use crate::domain::people::Duty;
use crate::domain::time::Timestamp;

/// Messages on the page.
const MESSAGES: usize = 100;

/// An alert as the page shows it.
struct Row {
    kind: &'static str,
    name: String,
    href: String,
    facts: Vec<String>,
    /// What leads on from here.
    links: Vec<(String, String)>,
    raised_at: Timestamp,
    raised: String,
    cleared: Option<(Timestamp, String)>,
    was_told: bool,
}

impl Row {
    fn of(alert: &Alert, t: &'static Texts) -> Self {
        let facts: Value = serde_json::from_str(&alert.facts).unwrap_or_default();
        let number = |name: &str| facts[name].as_u64();
        let mut said = Vec::new();
        let mut links = Vec::new();
        let (kind, href) = match alert.kind {
            AlertKind::QueueLate => {
                said.extend(number("waiting").map(|waiting| t.count("alerts.waiting", waiting)));
                said.extend(number("overdue_s").map(|late| t.with("alerts.overdue", "span", t.span_worked(late))));
                (t.say("alerts.queue-late"), link("/queue", &[("queue", &alert.about), ("sort", "oldest")]))
            }
            AlertKind::Wave => {
                if let (Some(count), Some(minutes)) = (number("count"), number("window_min")) {
                    said.push(t.with2("alerts.in-window", ("n", &t.number(count)), ("minutes", &minutes)));
                }
                if let (Some(rate), Some(usual)) = (number("per_hour"), facts["usual_per_hour"].as_f64()) {
                    said.push(t.with2("alerts.rate", ("n", &t.number(rate)), ("usual", &t.decimal(usual, 1))));
                }
                let hit = facts["signal"].as_str().map(|signal| signal_title(signal, t));
                said.extend(hit.map(|signal| t.with("alerts.signal", "signal", signal)));
                let lead = |name: &str, path: &str, key: &str| {
                    let uid = facts[name].as_str()?;
                    Some((format!("{path}{}", segment(uid)), t.say(key).to_owned()))
                };
                links.extend(lead("example", "/comments/", "alerts.example"));
                links.extend(lead("campaign", "/campaigns/", "alerts.campaign"));
                (t.say("alerts.wave"), link("/queue", &[("site", &alert.about), ("sort", "newest")]))
            }
        };
        Self {
            kind,
            name: revealed(&alert.about),
            href,
            facts: said,
            links,
            raised_at: alert.raised_at,
            raised: moment(alert.raised_at),
            cleared: alert.cleared_at.map(|at| (at, moment(at))),
            was_told: alert.was_told(),
        }
    }
}

/// A message as the page shows it.
struct Sent {
    made_at: Timestamp,
    made: String,
    subject: String,
    way: &'static str,
    to: Option<String>,
    class: &'static str,
    fate: String,
    problem: Option<String>,
}

impl Sent {
    fn of(notice: &Notice, t: &'static Texts) -> Self {
        let (class, fate) = match notice.fate {
            Some(Fate::Sent(at)) => ("approved", t.with("alerts.sent", "at", moment(at))),
            Some(Fate::GivenUp(at)) => ("rejected", t.with("alerts.given-up", "at", moment(at))),
            Some(Fate::Waiting(at)) if notice.attempts == 0 => ("held", t.with("alerts.to-be-sent", "at", moment(at))),
            Some(Fate::Waiting(at)) => {
                ("held", t.with2("alerts.again", ("at", &moment(at)), ("n", &t.number(notice.attempts))))
            }
            None => ("", String::new()),
        };
        Self {
            made_at: notice.made_at,
            made: moment(notice.made_at),
            subject: revealed(&notice.subject),
            way: match notice.channel {
                Channel::Mail => t.say("alerts.mail"),
                Channel::Webhook => t.say("alerts.webhook"),
            },
            to: notice.recipient.as_deref().map(revealed),
            class,
            fate,
            problem: notice.problem.as_deref().map(revealed),
        }
    }
}

/// Date and time in UTC, to the minute.
fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    text.get(..16).map_or_else(|| text.clone(), |cut| cut.replace('T', " "))
}

#[derive(Template)]
#[template(path = "alerts.html")]
struct AlertsPage {
    frame: Frame,
    standing: Vec<Row>,
    over: Vec<Row>,
    messages: Vec<Sent>,
}

/// Alerts, and what operators were told.
///
/// # Errors
/// 401, 403, 503.
pub async fn alerts(state: web::Data<State>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let frame = Frame::open(&state, &request, "alerts", Duty::Oversee).await?;
    auth::of_whole_sites(&frame.person)?;
    let t = frame.t;
    let Shown { alerts, notices } = state.board.shown(&frame.person, MESSAGES).await?;
    let (standing, over): (Vec<&Alert>, Vec<&Alert>) = alerts.iter().partition(|alert| alert.stands());
    let rows = |alerts: Vec<&Alert>| alerts.into_iter().map(|alert| Row::of(alert, t)).collect();
    let messages = notices.into_iter().map(|notice| Sent::of(&notice, t)).collect();
    page(&AlertsPage { standing: rows(standing), over: rows(over), messages, frame })
}
