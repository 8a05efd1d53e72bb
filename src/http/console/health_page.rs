//! How moderation goes, on one page: what came, what waits, how long people take, whom they overrule, and what sites have yet to be told.
//!
//! The figures are those of `/v1/figures`, `/v1/quality` and `/v1/outbox`, of whole sites within reach. Sending again goes through `/v1`.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use super::super::problem::Problem;
use super::super::{State, auth};
use super::comment::revealed;
use super::hours::{HoursChart, all, chart};
use super::links::{Choice, link};
use super::queue::signal_title;
use super::texts::Texts;
use super::{Frame, page};
use crate::app::limits::LimitState;
use crate::app::reads::figures::{HOURS_MAX, ServiceFigures};
use crate::domain::decision::Action;
use crate::domain::figures::{Figures, PeopleAgree};
use crate::domain::learning::Agreement;
use crate::domain::outbox::Letter;
use crate::domain::people::Duty;
use crate::domain::reads::Share;
use crate::domain::store::PageRequest;
use crate::domain::time::Timestamp;

/// Dead letters on the page.
const LETTERS: usize = 20;
/// From here on a signal is wrong more often than right, even at the lower end of what its share may be.
const MOSTLY: f64 = 0.5;

/// Over which time.
#[derive(Debug, Deserialize)]
pub struct HealthQuery {
    /// Hours back, 1 to 336; 48 when not said.
    hours: Option<String>,
}

/// A share as it is read.
pub(super) struct ShareView {
    pub rate: String,
    pub interval: String,
    pub n_of: String,
}

impl ShareView {
    pub(super) fn of(share: &Share, t: &Texts) -> Self {
        let [from, to] = share.interval;
        Self {
            rate: share.rate.map_or_else(|| "–".to_owned(), |rate| t.percent(rate)),
            interval: format!("{} – {}", t.percent(from), t.percent(to)),
            n_of: t.with2("health.n-of", ("n", &t.number(share.n)), ("of", &t.number(share.of))),
        }
    }
}

/// A signal that people were asked about.
struct SignalRow {
    id: String,
    title: String,
    share: ShareView,
    mostly: bool,
}

/// A kind of automatic verdict of which some were drawn.
struct SampleRow {
    site: String,
    verdict: String,
    model: String,
    waiting: u32,
    share: ShareView,
}

impl SampleRow {
    fn of(agreement: &Agreement, t: &'static Texts) -> Self {
        let verdict = match agreement.action {
            Action::Approve => t.say("status.approved").to_owned(),
            Action::Hold => t.say("status.held").to_owned(), // never drawn: a person looks at it anyway
            Action::Reject => {
                let key = format!("category.{}", agreement.category.as_deref().unwrap_or("none"));
                format!("{} ({})", t.say("status.rejected"), t.say(&key))
            }
        };
        Self {
            site: revealed(&agreement.site),
            verdict,
            model: revealed(&agreement.model),
            waiting: agreement.waiting,
            share: ShareView::of(&Share::new(agreement.overturned, agreement.decided), t),
        }
    }
}

/// A limit, and whom it limits.
struct LimitRow {
    policy: String,
    per: String,
    counted: String,
    limited: String,
    is_limiting: bool,
}

impl LimitRow {
    fn of(limit: &LimitState, t: &Texts) -> Self {
        let span = t.span(u64::from(limit.window_s));
        Self {
            policy: revealed(&limit.policy),
            per: t.with2("health.per", ("n", &t.number(limit.quota)), ("span", &span)),
            counted: t.number(limit.counted),
            limited: t.number(limit.limited),
            is_limiting: limit.limited > 0,
        }
    }
}

/// A message that could not be delivered.
struct LetterRow {
    letter: Letter,
    dead_at: Timestamp,
    problem: String,
}

#[derive(Template)]
#[template(path = "health.html")]
struct HealthPage {
    frame: Frame,
    choices: Vec<Choice>,
    hours: u32,
    chart: HoursChart,
    figures: Figures,
    signals: Vec<SignalRow>,
    samples: Vec<SampleRow>,
    service: Option<ServiceFigures>,
    limits: Vec<LimitRow>,
    dead: Vec<LetterRow>,
    more_dead: bool,
}

impl HealthPage {
    /// What the picture shows, for whoever does not see it.
    fn chart_text(&self) -> String {
        let t = self.frame.t;
        let total = &self.chart.total;
        let number = |n: u32| t.number(n);
        t.with2("health.chart-text", ("approved", &number(total.approved)), ("held", &number(total.held)))
            .replace("{rejected}", &number(total.rejected))
            .replace("{hours}", &t.number(self.hours))
    }

    /// How long that is, or nothing to be told.
    #[expect(clippy::ref_option, reason = "templates hand fields over by reference")]
    fn age(&self, seconds: &Option<u64>) -> String {
        seconds.map_or_else(|| "–".to_owned(), |seconds| self.frame.t.span(seconds))
    }

    /// Whether any signal is wrong more often than right.
    fn any_mostly(&self) -> bool {
        self.signals.iter().any(|row| row.mostly)
    }

    /// What the middle of the picture stands for.
    fn half(&self) -> String {
        self.frame.t.number(self.chart.top / 2)
    }

    /// Where the middle of the picture is.
    fn middle(&self) -> u64 {
        self.chart.height / 2
    }

    /// However they stand.
    fn of_all(&self) -> String {
        self.frame.t.number(all(&self.chart.total))
    }

    /// Whether and how often people agree.
    fn agreement(&self) -> String {
        let t = self.frame.t;
        let PeopleAgree { pairs, rate, kappa, .. } = self.figures.agreement;
        let of = t.count("health.pairs", pairs);
        match (rate, kappa) {
            (None, _) => t.with2("health.too-few", ("pairs", &of), ("enough", &PeopleAgree::ENOUGH)),
            (Some(rate), None) => t.with2("health.agree", ("rate", &t.percent(rate)), ("pairs", &of)),
            (Some(rate), Some(kappa)) => t
                .with2("health.agree-kappa", ("rate", &t.percent(rate)), ("pairs", &of))
                .replace("{kappa}", &t.decimal(kappa, 2)),
        }
    }
}

/// How moderation goes.
///
/// # Errors
/// 401, 403, 422, 503.
pub async fn health(
    state: web::Data<State>,
    request: HttpRequest,
    query: web::Query<HealthQuery>,
) -> Result<HttpResponse, Problem> {
    let frame = Frame::open(&state, &request, "health", Duty::Oversee).await?;
    auth::of_whole_sites(&frame.person)?;
    let t = frame.t;
    let hours = match query.hours.as_deref() {
        None | Some("") => 48,
        Some(hours) => hours
            .parse()
            .ok()
            .filter(|hours| (1..=HOURS_MAX).contains(hours))
            .ok_or_else(|| Problem::invalid("hours", &format!("must be a number from 1 to {HOURS_MAX}")))?,
    };
    let (figures, service) = state.desk.figures(hours, &frame.person, frame.now).await?;
    let agreements = state.learning.agreements(&frame.person.reach).await?;
    let asked = PageRequest { limit: LETTERS, cursor: None };
    let dead = state.letters.list(None, true, &frame.person.reach, &asked).await?;
    let more_dead = dead.next_cursor.is_some();
    let letters = dead.items.into_iter().map(|letter| LetterRow {
        dead_at: letter.dead_at.unwrap_or(frame.now),
        problem: revealed(letter.problem.as_deref().unwrap_or_default()),
        letter,
    });
    let dead = letters.collect();
    let signals = figures.signals.iter().map(|one| SignalRow {
        title: signal_title(&one.signal, t),
        id: one.signal.clone(),
        share: ShareView::of(&one.approved, t),
        mostly: one.approved.of > 0 && one.approved.interval[0] > MOSTLY,
    });
    let signals = signals.collect();
    let limits = service.iter().flat_map(|service| &service.limits).map(|limit| LimitRow::of(limit, t)).collect();
    let samples = agreements.iter().map(|agreement| SampleRow::of(agreement, t)).collect();
    let choices = [(24, "health.day"), (48, "health.two-days"), (168, "health.week")].map(|(back, key)| Choice {
        href: link("/health", &[("hours", &back.to_string())]),
        text: t.say(key),
        is_current: hours == back,
    });
    let chart = chart(&figures.hours, hours, frame.now);
    page(&HealthPage {
        frame,
        choices: choices.into(),
        hours,
        chart,
        figures,
        signals,
        samples,
        service,
        limits,
        dead,
        more_dead,
    })
}
