//! What rules, checks and limits do and whether people agree, on one page; and a page for each with its weeks and the comments it was decisive on. The
//! figures are those of `/v1/rules`.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use super::super::api::rules::{HitsQuery, RulesQuery, cursor_of};
use super::super::problem::Problem;
use super::super::{State, auth};
use super::campaigns::sites_of;
use super::comment::revealed;
use super::comment_page::Line;
use super::links::{Choice, link};
use super::queue::{segment, signal_title};
use super::texts::Texts;
use super::{Frame, page};
use crate::app::reads::rules::RulesAsked;
use crate::app::truth::{DAYS, Hit, Which};
use crate::domain::people::Duty;
use crate::domain::reads::Share;
use crate::domain::rules::{RULE, Told};
use crate::domain::signal::Mode;
use crate::domain::time::Timestamp;
use crate::domain::truth::hints::{Hint, HintKind};
use crate::domain::truth::{Account, Counts, Kind, Now, Truth, Wording};

const DAY_MS: i64 = 86_400_000;
/// Days that the page offers.
const SPANS: [(i64, &str); 3] = [(7, "rules.week"), (DAYS, "rules.four-weeks"), (84, "rules.twelve-weeks")];

/// Over which time, and where.
#[derive(Debug, Default, Deserialize)]
pub struct PageQuery {
    /// Days back: 7, 28 or 84.
    days: Option<String>,
    site: Option<String>,
    which: Option<String>,
    cursor: Option<String>,
}

impl PageQuery {
    /// What it says, with the days that were chosen.
    fn asked(&self, now: Timestamp) -> Result<(RulesAsked, i64), Problem> {
        let days = match self.days.as_deref().filter(|days| !days.is_empty()) {
            None => DAYS,
            Some(text) => SPANS
                .into_iter()
                .map(|(days, _)| days)
                .find(|days| days.to_string() == text)
                .ok_or_else(|| Problem::invalid("days", "must be 7, 28 or 84"))?,
        };
        let query = RulesQuery {
            site: self.site.clone(),
            since: Some(now.plus_millis(-days * DAY_MS).to_string()),
            until: None,
        };
        Ok((query.asked(now)?, days))
    }
}

/// What counts say, as they are read.
struct Row {
    fired: String,
    decisive: String,
    overturned: String,
    precision: String,
    interval: String,
    last_at: Option<Timestamp>,
}

impl Row {
    fn of(counts: &Counts, t: &Texts) -> Self {
        let n_of = |share: &Share| match share.of {
            0 => "–".to_owned(),
            _ => t.with2("rules.n-of", ("n", &t.number(share.n)), ("of", &t.number(share.of))),
        };
        let precision = counts.precision;
        let [from, to] = precision.interval;
        Self {
            fired: t.number(counts.fired),
            decisive: t.number(counts.decisive),
            overturned: n_of(&counts.overturned),
            precision: match precision.rate {
                Some(rate) => format!("{} ({})", t.percent(rate), n_of(&precision)),
                None => "–".to_owned(),
            },
            interval: if precision.of == 0 {
                "–".to_owned()
            } else {
                format!("{} – {}", t.percent(from), t.percent(to))
            },
            last_at: counts.last_at,
        }
    }
}

/// One of them, on the list.
struct Entry {
    href: String,
    id: String,
    title: String,
    /// How it stands, as a class and in words, where that is to be said.
    state: Option<(&'static str, &'static str)>,
    /// Whether there is more to tell of it, in other texts.
    has_others: bool,
    row: Row,
}

/// A group of them.
struct Group {
    id: &'static str,
    title: &'static str,
    what: &'static str,
    none: &'static str,
    entries: Vec<Entry>,
}

/// Something to look at.
struct HintRow {
    text: String,
    about: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "rules.html")]
struct RulesPage {
    frame: Frame,
    choices: Vec<Choice>,
    days: i64,
    site: String,
    sites: Vec<String>,
    counted: String,
    /// What is not of the whole time, in words.
    cut: Option<String>,
    hints: Vec<HintRow>,
    groups: Vec<Group>,
}

/// What a page keeps when it leads to another.
struct Kept {
    days: String,
    site: String,
}

impl Kept {
    fn link(&self, path: &str, more: &[(&str, &str)]) -> String {
        let days = if self.days == DAYS.to_string() { "" } else { &self.days };
        let mut parameters = vec![("days", days), ("site", &*self.site)];
        parameters.extend_from_slice(more);
        link(path, &parameters)
    }

    fn of(&self, id: &str) -> String {
        self.link(&format!("/rules/{}", segment(id)), &[])
    }

    fn choices(&self, path: &str, days: i64, t: &'static Texts) -> Vec<Choice> {
        let choice = |(back, key): (i64, &'static str)| {
            let kept = Self { days: back.to_string(), site: self.site.clone() };
            Choice { href: kept.link(path, &[]), text: t.say(key), is_current: back == days }
        };
        SPANS.into_iter().map(choice).collect()
    }
}

/// What rules, checks and limits do.
///
/// # Errors
/// 401, 403, 404, 422, 503.
pub async fn all(
    state: web::Data<State>,
    request: HttpRequest,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse, Problem> {
    let frame = Frame::open(&state, &request, "rules", Duty::Oversee).await?;
    auth::of_whole_sites(&frame.person)?;
    let t = frame.t;
    let (asked, days) = query.asked(frame.now)?;
    let account = state.desk.rules(&asked, &frame.person, frame.now).await?;
    let site = asked.site.unwrap_or_default();
    let kept = Kept { days: days.to_string(), site: site.clone() };
    let sites = sites_of(&state, &frame.person).await?;
    let choices = kept.choices("/rules", days, t);
    page(&RulesPage {
        choices,
        days,
        site,
        sites,
        counted: t.with2(
            "rules.counted",
            ("comments", &t.number(account.comments)),
            ("decided", &t.number(account.decided)),
        ),
        cut: cut(&account, t),
        hints: account.hints.iter().map(|hint| hint_row(hint, &kept, t)).collect(),
        groups: groups(&account, &kept, t),
        frame,
    })
}

/// What is not of the whole time that was asked for.
fn cut(account: &Account, t: &Texts) -> Option<String> {
    let day = |at: Timestamp| at.to_string().get(..16).map(|text| text.replace('T', " ")).unwrap_or_default();
    let counted =
        (account.counted_since > account.since).then(|| t.with("rules.cut", "since", day(account.counted_since)));
    let decided = (account.decided_since > account.since)
        .then(|| t.with("rules.cut-decided", "since", day(account.decided_since)));
    let weeks = (account.weeks_since > account.decided_since)
        .then(|| t.with("rules.cut-weeks", "since", day(account.weeks_since)));
    let both: Vec<String> = counted.into_iter().chain(decided).chain(weeks).collect();
    (!both.is_empty()).then(|| both.join(" "))
}

fn hint_row(hint: &Hint, kept: &Kept, t: &'static Texts) -> HintRow {
    let key = match hint.kind {
        HintKind::MostlyOverturned => "rules.hint-mostly-overturned",
        HintKind::WouldBeOverturned => "rules.hint-would-be-overturned",
        HintKind::ExpiresSoon => "rules.hint-expires-soon",
        HintKind::Expired => "rules.hint-expired",
        HintKind::ReadyToGoLive => "rules.hint-ready",
        HintKind::NeverFired => "rules.hint-never",
        HintKind::AlwaysTogether => "rules.hint-together",
    };
    let share = hint.share.unwrap_or(Share::new(0, 0));
    let at = hint.at.map(|at| at.to_string()).unwrap_or_default();
    let text = t.with2(key, ("n", &t.number(share.n)), ("of", &t.number(share.of)));
    let text = text.replace("{hits}", &t.number(hint.hits.unwrap_or_default())).replace("{at}", &at);
    let text = text.replace("{comments}", &t.number(hint.comments.unwrap_or_default()));
    HintRow { text, about: hint.about.iter().map(|id| (kept.of(id), title_of(id, t))).collect() }
}

fn groups(account: &Account, kept: &Kept, t: &'static Texts) -> Vec<Group> {
    let of = |kinds: &[Kind]| {
        let wanted = account.items.iter().filter(|truth| kinds.contains(&truth.kind));
        let todays = wanted.filter(|truth| !is_of_another_text(truth));
        todays.map(|truth| entry(truth, account, kept, t)).collect::<Vec<_>>()
    };
    let group = |id, title, what, none, kinds: &[Kind]| Group {
        id,
        title: t.say(title),
        what: t.say(what),
        none: t.say(none),
        entries: of(kinds),
    };
    vec![
        group("own", "rules.own", "rules.own-what", "rules.own-none", &[Kind::Rule]),
        group("checks", "rules.checks", "rules.checks-what", "rules.none", &[Kind::Signal]),
        group(
            "others",
            "rules.others",
            "rules.others-what",
            "rules.none",
            &[Kind::Limit, Kind::Campaign, Kind::Sanction],
        ),
    ]
}

/// Whether it is told of an earlier text, or of one that is not known: that stands on the rule's own page.
const fn is_of_another_text(truth: &Truth) -> bool {
    matches!(truth.wording, Some(Wording::Earlier | Wording::Unknown))
}

fn entry(truth: &Truth, account: &Account, kept: &Kept, t: &'static Texts) -> Entry {
    Entry {
        has_others: account.items.iter().any(|other| other.id == truth.id && is_of_another_text(other)),
        href: kept.of(&truth.id),
        id: truth.id.clone(),
        title: title_of(&truth.id, t),
        state: state_of(truth.now, truth.mode, t),
        row: Row::of(&truth.counts, t),
    }
}

/// What something is called.
pub(super) fn title_of(id: &str, t: &'static Texts) -> String {
    match id.split_once(':') {
        Some(("rule", name)) => revealed(name),
        Some(("limit", name)) => t.with("rules.limit", "name", revealed(name)),
        Some(("campaign", "rule")) => t.say("rules.campaign-rule").to_owned(),
        Some(("campaign", _)) => t.say("rules.campaign").to_owned(),
        _ if id == crate::domain::truth::part::SANCTION => t.say("rules.sanction").to_owned(),
        _ => signal_title(id, t),
    }
}

/// How it stands, where that is not as for everything else: a mark of what was recorded in shadow, and of rules in the settings.
fn state_of(now: Option<Now>, mode: Mode, t: &'static Texts) -> Option<(&'static str, &'static str)> {
    Some(match (now, mode) {
        (Some(Now::Gone), _) => ("gone", t.say("rules.gone")),
        (Some(Now::Off), _) => ("off", t.say("rules.off")),
        (Some(Now::Expired), _) => ("expired", t.say("rules.expired")),
        (_, Mode::Shadow) => ("shadow", t.say("rules.shadow")),
        (Some(Now::Shadow), _) => ("was-live", t.say("rules.was-live")),
        (Some(Now::Live), _) => ("in-force", t.say("rules.live")),
        (None, _) => return None,
    })
}

/// What was counted of one of them in one mode.
struct ModeView {
    state: Option<(&'static str, &'static str)>,
    /// In which text, where there are several.
    wording: Option<&'static str>,
    /// Of how many comments it was asked, and of which time they are.
    asked: Option<String>,
    row: Row,
    weeks: Vec<(String, String, Row)>,
}

/// A comment that it hit.
struct HitRow {
    line: Line,
    site: String,
    decisive: bool,
    overturned: bool,
    shadow: bool,
    wording: Option<&'static str>,
}

impl HitRow {
    fn of(hit: &Hit, t: &'static Texts) -> Self {
        Self {
            line: Line::of(&hit.comment, t),
            site: hit.site.to_string(),
            decisive: hit.decisive,
            overturned: hit.overturned == Some(true),
            shadow: hit.shadow,
            wording: hit.wording.filter(|wording| *wording != Wording::Current).map(|wording| wording_of(wording, t)),
        }
    }
}

fn wording_of(wording: Wording, t: &'static Texts) -> &'static str {
    t.say(match wording {
        Wording::Current => "rules.text-now",
        Wording::Earlier => "rules.text-earlier",
        Wording::Unknown => "rules.text-unknown",
    })
}

#[derive(Template)]
#[template(path = "rule.html")]
struct RulePage {
    frame: Frame,
    id: String,
    title: String,
    back: String,
    told: Option<Told>,
    choices: Vec<Choice>,
    days: i64,
    site: String,
    sites: Vec<String>,
    cut: Option<String>,
    modes: Vec<ModeView>,
    which: Which,
    kinds: Vec<Choice>,
    hits: Vec<HitRow>,
    more: Option<String>,
}

/// One of them.
///
/// # Errors
/// 401, 403, 404, 422, 503.
pub async fn one(
    state: web::Data<State>,
    request: HttpRequest,
    id: web::Path<String>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse, Problem> {
    let frame = Frame::open(&state, &request, "rules", Duty::Oversee).await?;
    auth::of_whole_sites(&frame.person)?;
    let t = frame.t;
    let id = id.into_inner();
    let (asked, days) = query.asked(frame.now)?;
    let hits = HitsQuery { which: query.which.clone(), limit: None, cursor: query.cursor.clone() };
    let (which, before, most) = hits.asked()?;
    let account = state.desk.rules(&asked, &frame.person, frame.now).await?;
    let told = state.desk.rule(&id, &frame.person);
    let of_it: Vec<&Truth> = account.items.iter().filter(|truth| truth.id == id).collect();
    let found = state.desk.rule_hits(&asked, (&id, which), before, most, &frame.person).await?;
    let kept = Kept { days: days.to_string(), site: asked.site.clone().unwrap_or_default() };
    let path = format!("/rules/{}", segment(&id));
    let has_others = of_it.iter().any(|truth| is_of_another_text(truth));
    let mode = |truth: &&Truth| ModeView {
        state: state_of(truth.now, truth.mode, t),
        wording: truth.wording.filter(|_| has_others).map(|wording| wording_of(wording, t)),
        asked: truth.asked.map(|asked| {
            let day = |at: Timestamp| at.to_string().get(..10).unwrap_or_default().to_owned();
            let of = t.with2("rules.asked", ("n", &t.number(asked.comments)), ("from", &day(asked.first_at)));
            of.replace("{to}", &day(asked.last_at))
        }),
        row: Row::of(&truth.counts, t),
        weeks: truth
            .weeks
            .iter()
            .map(|week| (week.week.clone(), week.site.clone(), Row::of(&week.counts, t)))
            .collect(),
    };
    let kinds = Which::ALL.map(|kind| Choice {
        href: kept.link(&path, &[("which", kind.name())]),
        text: t.say(match kind {
            Which::Decisive => "rules.which-decisive",
            Which::Overturned => "rules.which-overturned",
            Which::Hit => "rules.which-hit",
        }),
        is_current: kind == which,
    });
    let more = found.next.map(|place| kept.link(&path, &[("which", which.name()), ("cursor", &cursor_of(place))]));
    let modes = of_it.iter().map(mode).collect();
    let sites = sites_of(&state, &frame.person).await?;
    page(&RulePage {
        title: title_of(&id, t),
        back: kept.link("/rules", &[]),
        told: told.filter(|_| id.starts_with(RULE)),
        choices: kept.choices(&path, days, t),
        days,
        cut: cut(&account, t),
        site: kept.site,
        sites,
        modes,
        which,
        kinds: kinds.into(),
        hits: found.items.iter().map(|hit| HitRow::of(hit, t)).collect(),
        more,
        id,
        frame,
    })
}
