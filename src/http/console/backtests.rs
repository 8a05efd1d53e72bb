//! Backtests: where one writes a candidate and starts, and the page of each, with how far it is and what it found.
//!
//! Starting and ending go through `/v1/backtests`. What comments say is looked up when the page is made: a backtest keeps none of it, and what was
//! erased since is gone here, too.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use uuid::Uuid;

use super::super::State;
use super::super::api::backtests::{found, link as link_of_run};
use super::super::auth;
use super::super::problem::Problem;
use super::comment::revealed;
use super::comment_page::Line;
use super::health_page::ShareView;
use super::links::link;
use super::queue::signal_title;
use super::rules_page::title_of;
use super::texts::Texts;
use super::{Frame, page};
use crate::app::backtest::{Fate, Flip, Measures, Report, Term, Why};
use crate::app::backtests::{Run, State as RunState};
use crate::domain::category::Category;
use crate::domain::decision::Action;
use crate::domain::people::Duty;
use crate::domain::reads::{Glimpse, Share};
use crate::domain::time::Timestamp;

/// Verdicts that differ on a page.
const FLIPS: usize = 50;
/// Digits of a version's hash that are shown.
const DIGITS: usize = 8;
/// How far back, and what that is called.
const SPANS: [(&str, &str, bool); 5] = [
    ("24h", "backtest.day", false),
    ("7d", "backtest.week", false),
    ("30d", "backtest.month", true),
    ("90d", "backtest.quarter", false),
    ("365d", "backtest.year", false),
];

/// What to begin with.
#[derive(Debug, Deserialize)]
pub struct NewQuery {
    /// A version, by its hash.
    version: Option<String>,
    /// The candidate of a backtest.
    run: Option<String>,
}

/// A backtest in a list.
struct Row {
    id: Uuid,
    state: &'static str,
    tone: &'static str,
    by: String,
    at: Timestamp,
    window: String,
    found: String,
}

impl Row {
    fn of(run: &Run, t: &'static Texts) -> Self {
        let found = match &run.state {
            RunState::Done(report) => t.count("backtest.flips", report.flips.all.n),
            RunState::Failed(problem) | RunState::TimedOut(problem) => revealed(problem),
            RunState::Running | RunState::Stopped | RunState::Interrupted => String::new(),
        };
        let (state, tone) = word_of(&run.state, t);
        Self { id: run.id, state, tone, by: revealed(&run.by), at: run.at, window: window(run, t), found }
    }
}

/// How it stands, in words and as a class.
fn word_of(state: &RunState, t: &'static Texts) -> (&'static str, &'static str) {
    match state {
        RunState::Running => (t.say("backtest.running"), "held"),
        RunState::Done(_) => (t.say("backtest.done"), "approved"),
        RunState::Failed(_) => (t.say("backtest.failed"), "rejected"),
        RunState::TimedOut(_) => (t.say("backtest.timed-out"), "rejected"),
        RunState::Stopped => (t.say("backtest.stopped"), ""),
        RunState::Interrupted => (t.say("backtest.interrupted"), "rejected"),
    }
}

fn window(run: &Run, t: &Texts) -> String {
    let day = |at: Timestamp| at.to_string().get(..16).unwrap_or_default().replace('T', " ");
    let site = run.window.site.as_deref().map_or_else(|| t.say("comment.all-sites").to_owned(), revealed);
    format!("{} – {} UTC, {site}", day(run.window.since), day(run.window.until))
}

#[derive(Template)]
#[template(path = "backtests.html")]
struct ListPage {
    frame: Frame,
    rows: Vec<Row>,
    /// Whether one runs.
    is_busy: bool,
    text: String,
    /// Lists that come along.
    files: Vec<(String, String)>,
    versions: Vec<(String, String, bool)>,
    /// Whether there is a file, and so settings to begin with.
    has_file: bool,
    spans: [(&'static str, &'static str, bool); 5],
    sites: Vec<String>,
}

/// Where one starts a backtest, and those that are kept.
pub async fn list(
    state: web::Data<State>,
    request: HttpRequest,
    query: web::Query<NewQuery>,
) -> Result<HttpResponse, Problem> {
    let frame = Frame::open(&state, &request, "backtests", Duty::Oversee).await?;
    auth::of_everything(&frame.person)?;
    let t = frame.t;
    let runs = state.backtests.list().await?;
    let rows = runs.iter().map(|run| Row::of(run, t)).collect();
    let is_busy = runs.iter().any(|run| matches!(run.state, RunState::Running));
    let (in_force, mut candidate) = state.backtests.in_force().await?;
    let has_file = !in_force.is_empty();
    let NewQuery { version, run } = query.into_inner();
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let mut chosen = in_force.clone();
    if let Some(run) = given(run) {
        candidate = (*found(&state, &run)?.candidate).clone();
        chosen = String::new();
    } else if let Some(version) = given(version) {
        let kept = state.backtests.version(&version).await?;
        candidate = kept.ok_or_else(|| Problem::not_found(format!("no version {version} was ever in force")))?;
        chosen = version;
    }
    let offered = state.backtests.offered().await?;
    let versions = offered.into_iter().map(|one| {
        let at = one.at.to_string().get(..16).unwrap_or_default().replace('T', " ");
        let digits: String = one.version.chars().take(DIGITS).collect();
        let now = if one.version == in_force { format!(", {}", t.say("backtest.in-force")) } else { String::new() };
        let is_chosen = one.version == chosen;
        (one.version, format!("{digits} ({at} UTC{now})"), is_chosen)
    });
    let versions = versions.collect();
    let sites = state.store.sites().await?.into_iter().map(|site| site.name.to_string()).collect();
    let (text, files) = (candidate.text, candidate.files);
    page(&ListPage { frame, rows, is_busy, text, files, versions, has_file, spans: SPANS, sites })
}

/// What to show of what it found.
#[derive(Debug, Default, Deserialize)]
pub struct RunQuery {
    /// From what to what, as in `approve-hold`.
    kind: Option<String>,
    /// `better` or `worse` by what people decided.
    people: Option<String>,
    /// From 0.
    page: Option<String>,
}

/// A measure before and after.
struct MeasureRow {
    name: &'static str,
    hint: &'static str,
    before: ShareView,
    after: ShareView,
    change: String,
}

/// One of several ways to see flips.
struct Pick {
    href: String,
    text: String,
    is_current: bool,
}

/// A verdict that differs.
struct FlipRow {
    before: (&'static str, &'static str),
    after: (&'static str, &'static str),
    person: Option<&'static str>,
    better: Option<bool>,
    site: String,
    id: String,
    revision: u32,
    uid: Uuid,
    at: Timestamp,
    why: Vec<String>,
    line: Option<Line>,
}

#[derive(Template)]
#[template(path = "backtest.html")]
struct RunPage {
    frame: Frame,
    run: Run,
    state: &'static str,
    tone: &'static str,
    window: String,
    link: String,
    problem: String,
    is_running: bool,
    /// Whether it is known what was tried.
    is_known: bool,
    /// How far it is, in words.
    far: String,
    found: Option<FoundView>,
    /// Lines of the diff, each with a class.
    diff: Vec<(&'static str, String)>,
}

/// What it found.
struct FoundView {
    judged: String,
    measures: Vec<MeasureRow>,
    flips: String,
    choices: Vec<Pick>,
    people: Vec<Pick>,
    rows: Vec<FlipRow>,
    shown: String,
    newer: Option<String>,
    older: Option<String>,
    notes: Vec<String>,
    policy: String,
    model: String,
}

/// A fate as a class and in words.
fn fate(fate: Fate, t: &'static Texts) -> (&'static str, &'static str) {
    match fate {
        Fate::Approve => ("approved", t.say("status.approved")),
        Fate::Hold => ("held", t.say("status.held")),
        Fate::Reject => ("rejected", t.say("status.rejected")),
        Fate::Refuse => ("rejected", t.say("backtest.refused")),
    }
}

/// Whether a flip does what people decided, or no longer; `None` where nobody decided, or readers see no difference.
fn better(flip: &Flip) -> Option<bool> {
    if flip.before.is_stopped() == flip.after.is_stopped() {
        return None;
    }
    match flip.person? {
        Action::Approve => Some(!flip.after.is_stopped()),
        Action::Reject => Some(flip.after.is_stopped()),
        Action::Hold => None,
    }
}

fn measures(report: &Report, t: &'static Texts) -> Vec<MeasureRow> {
    let rows: [(&str, &str, fn(&Measures) -> Share); 7] = [
        ("backtest.approved", "", |of| of.approved),
        ("backtest.held", "backtest.held-hint", |of| of.held),
        ("backtest.rejected", "", |of| of.rejected),
        ("backtest.refused", "", |of| of.refused),
        ("backtest.precision", "backtest.precision-hint", |of| of.precision),
        ("backtest.recall", "backtest.recall-hint", |of| of.recall),
        ("backtest.false-positives", "backtest.false-positives-hint", |of| of.false_positives),
    ];
    let row = |(name, hint, of): (&'static str, &'static str, fn(&Measures) -> Share)| {
        let (before, after) = (of(&report.before), of(&report.after));
        let change = match (before.rate, after.rate) {
            (Some(before), Some(after)) => {
                let points = (after - before) * 100.0;
                let sign = if points >= 0.05 {
                    "+"
                } else if points <= -0.05 {
                    "\u{2212}"
                } else {
                    "±"
                };
                format!("{sign}{}", t.decimal(points.abs(), 1))
            }
            _ => "–".to_owned(),
        };
        let (before, after) = (ShareView::of(&before, t), ShareView::of(&after, t));
        let hint = if hint.is_empty() { "" } else { t.say(hint) };
        MeasureRow { name: t.say(name), hint, before, after, change }
    };
    rows.map(row).into()
}

/// From what to what, as the address names it.
fn kind_of(flip: &Flip) -> String {
    format!("{}-{}", flip.before.name(), flip.after.name())
}

/// Which flips are shown, and the way to others.
struct Chosen<'a> {
    path: String,
    kind: &'a str,
    people: &'a str,
}

impl Chosen<'_> {
    fn fits(&self, flip: &Flip) -> bool {
        let by_people = match self.people {
            "better" => better(flip) == Some(true),
            "worse" => better(flip) == Some(false),
            _ => true,
        };
        by_people && (self.kind.is_empty() || kind_of(flip) == self.kind)
    }

    fn kinds(&self, report: &Report, t: &'static Texts) -> Vec<Pick> {
        let all = link(&self.path, &[("people", self.people)]);
        let mut picks =
            vec![Pick { href: all, text: t.say("backtest.all-kinds").to_owned(), is_current: self.kind.is_empty() }];
        let each = Fate::ALL.into_iter().flat_map(|before| Fate::ALL.into_iter().map(move |after| (before, after)));
        for (before, after) in each {
            let Some(count) = report.flips.kinds.get(&format!("{} to {}", before.name(), after.name())) else {
                continue;
            };
            let kind = format!("{}-{}", before.name(), after.name());
            let text = format!("{} → {} ({})", fate(before, t).1, fate(after, t).1, t.number(*count));
            let href = link(&self.path, &[("kind", &kind), ("people", self.people)]);
            picks.push(Pick { href, text, is_current: self.kind == kind });
        }
        picks
    }

    fn people(&self, report: &Report, t: &'static Texts) -> Vec<Pick> {
        let (better, worse) = (t.number(report.flips.better), t.number(report.flips.worse));
        let all = [
            ("", t.say("backtest.whoever").to_owned()),
            ("better", t.with("backtest.better", "n", better)),
            ("worse", t.with("backtest.worse", "n", worse)),
        ];
        let pick = |(people, text): (&str, String)| Pick {
            href: link(&self.path, &[("kind", self.kind), ("people", people)]),
            text,
            is_current: self.people == people,
        };
        all.map(pick).into()
    }
}

/// What was not replayed, and how many there are that are not listed.
fn notes(report: &Report, t: &'static Texts) -> Vec<String> {
    let mut notes = Vec::new();
    let unlisted = usize::try_from(report.flips.all.n).unwrap_or(usize::MAX).saturating_sub(report.flips.listed.len());
    if unlisted > 0 {
        notes.push(t.count("backtest.unlisted", unlisted));
    }
    if report.left_out.reports > 0 {
        notes.push(t.count("backtest.reports", report.left_out.reports));
    }
    if report.left_out.aimless > 0 {
        notes.push(t.count("backtest.aimless", report.left_out.aimless));
    }
    notes
}

async fn flip_row(flip: &Flip, state: &State, t: &'static Texts) -> Result<FlipRow, Problem> {
    let record = state.backtests.comment(flip.uid).await?;
    Ok(FlipRow {
        before: fate(flip.before, t),
        after: fate(flip.after, t),
        person: flip.person.map(|action| fate(action.into(), t).1),
        better: better(flip),
        site: revealed(&flip.site),
        id: revealed(&flip.id),
        revision: flip.revision,
        uid: flip.uid,
        at: flip.at,
        why: flip.why.iter().map(|why| revealed(&reason(why, t))).collect(),
        line: record.map(|record| Line::of(&Glimpse::of(&record), t)),
    })
}

/// Why a verdict differs, in the page's language.
fn reason(why: &Why, t: &'static Texts) -> String {
    let category = |category: &Category| t.say(&format!("category.{}", category.name())).to_owned();
    let change = |name: String, [from, to]: [String; 2]| {
        t.with2("backtest.why-change", ("name", &name), ("from", &from)).replace("{to}", &to)
    };
    match why {
        Why::Score(of, both) => change(category(of), both.map(|score| t.decimal(score, 3))),
        Why::Term(term, both) => {
            let name = match term {
                Term::Model(of) => t.with("backtest.why-model", "category", category(of)),
                Term::Prior(of) => t.with("backtest.why-prior", "category", category(of)),
                Term::Id(id) => signal_title(id, t),
            };
            change(name, both.map(|value| t.signed(value)))
        }
        Why::Gone(cause) => t.with("backtest.why-gone", "cause", title_of(cause, t)),
        Why::New(cause) => t.with("backtest.why-new", "cause", title_of(cause, t)),
        Why::Refused(limit) => t.with("backtest.why-refused", "limit", limit),
        Why::Thresholds => t.say("backtest.why-thresholds").to_owned(),
        Why::Said(text) => text.clone(),
    }
}

async fn found_view(
    report: &Report,
    run: &Run,
    query: &RunQuery,
    state: &State,
    t: &'static Texts,
) -> Result<FoundView, Problem> {
    let chosen = Chosen {
        path: format!("/backtests/{}", run.id),
        kind: query.kind.as_deref().unwrap_or_default(),
        people: query.people.as_deref().unwrap_or_default(),
    };
    let at = match query.page.as_deref() {
        None | Some("") => 0,
        Some(page) => page.parse::<usize>().map_err(|_| Problem::invalid("page", "must be a number"))?,
    };
    let fitting: Vec<&Flip> = report.flips.listed.iter().filter(|flip| chosen.fits(flip)).collect();
    let from = at.saturating_mul(FLIPS).min(fitting.len());
    let to = (from + FLIPS).min(fitting.len());
    let mut rows = Vec::with_capacity(to - from);
    for flip in &fitting[from..to] {
        rows.push(flip_row(flip, state, t).await?);
    }
    let to_page = |page: usize| {
        let page = page.to_string();
        link(&chosen.path, &[("kind", chosen.kind), ("people", chosen.people), ("page", &page)])
    };
    let first = if fitting.is_empty() { 0 } else { from + 1 };
    let shown = t.with2("backtest.shown", ("from", &t.number(first)), ("to", &t.number(to)));
    let judged =
        t.with2("backtest.judged", ("judged", &t.number(report.judged)), ("decided", &t.number(report.decided)));
    Ok(FoundView {
        judged: judged.replace("{recalled}", &t.number(report.recalled)),
        measures: measures(report, t),
        flips: t.count("backtest.flips", report.flips.all.n),
        choices: chosen.kinds(report, t),
        people: chosen.people(report, t),
        rows,
        shown: shown.replace("{of}", &t.number(fitting.len())),
        newer: at.checked_sub(1).map(to_page),
        older: (to < fitting.len()).then(|| to_page(at + 1)),
        notes: notes(report, t),
        policy: report.policy.clone().unwrap_or_default(),
        model: report.model.clone().unwrap_or_default(),
    })
}

/// A backtest.
pub async fn one(
    state: web::Data<State>,
    request: HttpRequest,
    id: web::Path<String>,
    query: web::Query<RunQuery>,
) -> Result<HttpResponse, Problem> {
    let frame = Frame::open(&state, &request, "backtests", Duty::Oversee).await?;
    auth::of_everything(&frame.person)?;
    let t = frame.t;
    let run = found(&state, &id)?;
    let (word, tone) = word_of(&run.state, t);
    let found = match &run.state {
        RunState::Done(report) => Some(found_view(report, &run, &query, &state, t).await?),
        _ => None,
    };
    let problem = match &run.state {
        RunState::Failed(problem) | RunState::TimedOut(problem) => revealed(problem),
        RunState::Interrupted => t.say("backtest.interrupted-what").to_owned(),
        RunState::Running | RunState::Done(_) | RunState::Stopped => String::new(),
    };
    let is_known = !matches!(run.state, RunState::Interrupted);
    let class = |line: &str| match line.as_bytes().first() {
        _ if line.starts_with("--- ") || line.starts_with("+++ ") => "at",
        Some(b'+') => "in",
        Some(b'-') => "out",
        Some(b'@') => "at",
        _ => "",
    };
    let diff = run.diff.lines().map(|line| (class(line), revealed(line))).collect();
    let link = link_of_run(run.id, &state.config.public_url).unwrap_or_default();
    let (window, is_running) = (window(&run, t), matches!(run.state, RunState::Running));
    let far = match run.progress.total {
        0 => t.say("backtest.reading").to_owned(),
        total => t.with2("backtest.far", ("done", &t.number(run.progress.done)), ("total", &t.number(total))),
    };
    page(&RunPage { frame, state: word, tone, window, link, problem, is_running, is_known, far, found, diff, run })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flip(before: Fate, after: Fate, person: Option<Action>) -> Flip {
        Flip {
            uid: Uuid::nil(),
            link: None,
            site: "news".to_owned(),
            id: "c-1".to_owned(),
            revision: 1,
            at: Timestamp::EPOCH,
            before,
            after,
            person,
            why: Vec::new(),
        }
    }

    #[test]
    fn a_flip_is_better_or_worse_only_where_a_person_decided_and_readers_see_it() {
        use Fate::{Approve, Hold, Refuse, Reject};
        for (before, after, person, expected) in [
            (Approve, Hold, Some(Action::Reject), Some(true)),
            (Approve, Refuse, Some(Action::Approve), Some(false)),
            (Hold, Approve, Some(Action::Approve), Some(true)),
            (Reject, Approve, Some(Action::Reject), Some(false)),
            (Hold, Reject, Some(Action::Reject), None),
            (Approve, Hold, None, None),
        ] {
            assert_eq!(better(&flip(before, after, person)), expected, "{before:?} to {after:?}, {person:?}");
        }
    }

    #[test]
    fn flips_are_chosen_by_direction_and_by_people() {
        let to_hold = flip(Fate::Approve, Fate::Hold, Some(Action::Reject));
        let fits = |kind, people| Chosen { path: String::new(), kind, people }.fits(&to_hold);
        assert!(fits("", "") && fits("approve-hold", "") && fits("approve-hold", "better"));
        assert!(!fits("hold-approve", "") && !fits("", "worse"));
    }

    #[test]
    fn why_a_verdict_differs_is_said_in_the_language_of_the_page() {
        let read = |text: &str| Why::from(text.to_owned());
        let [en, de] = Texts::all() else { panic!("two languages") };
        for (told, english, german) in [
            ("spam 0.131 to 0.442", "spam 0.131 to 0.442", "Spam 0,131 → 0,442"),
            ("link-count +1.11 to +3.00", "Too many links +1.11 to +3.00", "Zu viele Links +1,11 → +3,00"),
            ("model (abuse) +0.50 to +0.00", "model (abuse) +0.50 to +0.00", "Modell (beleidigend) +0,50 → +0,00"),
            ("no longer mode:pre", "no longer: mode:pre", "nicht mehr: mode:pre"),
            ("now limit:per-ip", "now: Limit per-ip", "jetzt: Grenze per-ip"),
            ("refused by the limit per-ip", "refused by the limit per-ip", "von der Grenze per-ip abgewiesen"),
            ("other thresholds", "other thresholds", "andere Schwellen"),
        ] {
            assert_eq!((reason(&read(told), en).as_str(), reason(&read(told), de).as_str()), (english, german));
        }
    }
}
