//! What an operator should look at, told from what rules did. Pure: the same counts give the same hints.
//!
//! Bounds are chosen so that chance alone seldom speaks: shares are judged by the end of Wilson's interval that speaks against the hint. Routing rules
//! are never called wrong, for they accuse nobody.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::{Asked, Kind, Now, Truth, Wording};
use crate::domain::decision::Action;
use crate::domain::reads::Share;
use crate::domain::rules::Told;
use crate::domain::signal::Mode;
use crate::domain::time::Timestamp;

const DAY_MS: i64 = 86_400_000;
/// A rule that people overrule more often than not, even at the lower end of what the share may be, is mostly wrong.
const MOSTLY: f64 = 0.5;
/// Decisions from which a rule in shadow may be called ready.
const ENOUGH: u32 = 20;
/// What its precision must be at least, at the lower end of what it may be: where people still look at what it does,
const GOOD_ENOUGH: f64 = 0.8;
/// and where nobody does.
const GOOD_ENOUGH_UNSEEN: f64 = 0.95;
/// Hits from which two rules that always hit together are no coincidence.
const COINCIDES: u32 = 20;
/// So long a live rule is asked without a hit before it is worth a look: two weeks.
const SILENT_MS: u64 = 14 * DAY_MS.unsigned_abs();
/// Days before its end from which that is told.
const ENDS_SOON_DAYS: i64 = 3;

/// Kinds of hints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = RuleHintKind)]
pub enum HintKind {
    /// People decide against most of what it was decisive for.
    MostlyOverturned,
    /// In shadow, and people decide against most of what it would do.
    WouldBeOverturned,
    /// Its time ends within days.
    ExpiresSoon,
    /// Its time is over, and it is still in the settings.
    Expired,
    /// In shadow, and people agree with it often enough.
    ReadyToGoLive,
    /// Asked live for weeks, and never hit.
    NeverFired,
    /// Neither of two rules hits without the other.
    AlwaysTogether,
}

impl HintKind {
    /// Its name in JSON, and in the console's texts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MostlyOverturned => "mostly-overturned",
            Self::WouldBeOverturned => "would-be-overturned",
            Self::ExpiresSoon => "expires-soon",
            Self::Expired => "expired",
            Self::ReadyToGoLive => "ready-to-go-live",
            Self::NeverFired => "never-fired",
            Self::AlwaysTogether => "always-together",
        }
    }
}

/// Something to look at.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = RuleHint)]
pub struct Hint {
    /// What kind.
    pub kind: HintKind,
    /// Which rules, checks or limits it is about; two for `always-together`.
    pub about: Vec<String>,
    /// One or two sentences: what there is, and what to do.
    pub text: String,
    /// The share that it is told from.
    pub share: Option<Share>,
    /// How many hits.
    pub hits: Option<u32>,
    /// Of how many comments it was asked.
    pub comments: Option<u32>,
    /// The moment that it is about: when a rule ends or ended, when the first comment came that it was asked of and did not hit.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub at: Option<Timestamp>,
}

/// Two rules of which neither hit without the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Together {
    /// Their ids.
    pub rules: [String; 2],
    /// How often.
    pub hits: u32,
}

/// How long a rule was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tried {
    /// Milliseconds, as far as every comment was looked at.
    pub millis: u64,
    /// Of which comments.
    pub asked: Asked,
}

/// What hints are told from.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// What was counted.
    pub truths: &'a [Truth],
    /// The rules that are in the settings, by id.
    pub rules: &'a BTreeMap<String, Told>,
    /// How long rules were asked live, just as they are now; what is not known to have been is not in it.
    pub tried: &'a BTreeMap<String, Tried>,
    /// Pairs of rules that always hit together.
    pub together: &'a [Together],
    /// Whether all sites were looked at: what never hit on one may be for another.
    pub all_sites: bool,
    /// Now.
    pub now: Timestamp,
}

/// What to look at, the most pressing kind first.
#[must_use]
pub fn hints(seen: &Seen<'_>) -> Vec<Hint> {
    let mut hints: Vec<Hint> = seen.truths.iter().filter_map(|truth| of_decisions(truth, seen.rules)).collect();
    for (id, told) in seen.rules {
        hints.extend(of_time(id, told, seen.now));
        hints.extend(of_silence(id, told, seen));
    }
    let is_asked = |id: &String| {
        let asked = |told: &Told| told.mode != Mode::Off && told.expires.is_none_or(|expires| expires > seen.now);
        seen.rules.get(id).is_some_and(asked)
    };
    for Together { rules, hits } in seen.together {
        if *hits >= COINCIDES && rules.iter().all(is_asked) {
            let [first, second] = rules;
            let text = format!("`{first}` and `{second}` hit {hits} times, always together: one of them may do.");
            hints.push(Hint { hits: Some(*hits), ..hint(HintKind::AlwaysTogether, rules, text) });
        }
    }
    hints.sort_by(|a, b| a.kind.cmp(&b.kind).then_with(|| a.about.cmp(&b.about)));
    hints
}

fn hint(kind: HintKind, about: &[String], text: String) -> Hint {
    Hint { kind, about: about.to_vec(), text, share: None, hits: None, comments: None, at: None }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// How people decided, of what is in the settings in that mode.
fn of_decisions(truth: &Truth, rules: &BTreeMap<String, Told>) -> Option<Hint> {
    let id = &truth.id;
    let of = |kind, share: Share, text| Some(Hint { share: Some(share), ..hint(kind, std::slice::from_ref(id), text) });
    let overturned = truth.counts.overturned;
    if matches!(truth.wording, Some(Wording::Earlier | Wording::Unknown)) {
        return None; // what people said of another text
    }
    let in_force = match truth.now {
        None => true,
        Some(Now::Live) => truth.mode == Mode::Live,
        Some(Now::Shadow) => truth.mode == Mode::Shadow,
        Some(Now::Off | Now::Expired | Now::Gone) => false,
    };
    if !in_force || matches!(truth.kind, Kind::Sanction | Kind::Campaign) {
        return None; // a person's word is taken back by a person, one by one
    }
    let mostly = overturned.of > 0 && overturned.interval[0] > MOSTLY;
    let told = format!("{} of {}", overturned.n, overturned.of);
    if mostly && truth.mode == Mode::Live {
        let what = match truth.kind {
            Kind::Rule => "Take it back, or let it run in shadow",
            Kind::Signal => "Lower its weight, or let it run in shadow",
            Kind::Limit | Kind::Campaign | Kind::Sanction => "Widen it",
        };
        let text = format!("People decided against {told} comments that hung on `{id}`. {what}.");
        return of(HintKind::MostlyOverturned, overturned, text);
    }
    if truth.mode != Mode::Shadow {
        return None;
    }
    let precision = truth.counts.precision;
    // Few of the comments that only a rule in shadow would hold come before a person: what it hit anyway speaks, too.
    let wrong = precision.of > 0 && precision.interval[1] < 1.0 - MOSTLY;
    if mostly || wrong {
        let against = if mostly { overturned } else { Share::new(precision.of - precision.n, precision.of) };
        let what = if mostly { "would have changed" } else { "hit" };
        let text = format!(
            "In shadow, and people disagree with `{id}` on {} of {} comments that it {what}: it is not ready to go live.",
            against.n, against.of
        );
        return of(HintKind::WouldBeOverturned, against, text);
    }
    let is_unseen = |told: &Told| told.action == Some(Action::Reject) || told.action == Some(Action::Approve);
    let wanted = if rules.get(id).is_some_and(is_unseen) { GOOD_ENOUGH_UNSEEN } else { GOOD_ENOUGH };
    if truth.kind == Kind::Rule && precision.of >= ENOUGH && precision.interval[0] >= wanted {
        let [from, to] = precision.interval;
        let text = format!(
            "People agree with `{id}` on {} of {} comments that it hit ({} to {} likely): it can go live.",
            precision.n,
            precision.of,
            percent(from),
            percent(to)
        );
        return of(HintKind::ReadyToGoLive, precision, text);
    }
    None
}

/// When a rule ends.
fn of_time(id: &str, told: &Told, now: Timestamp) -> Option<Hint> {
    let expires = told.expires.filter(|_| told.mode != Mode::Off)?;
    let about = [id.to_owned()];
    let (kind, text) = if expires <= now {
        (
            HintKind::Expired,
            format!("`{id}` ended at {expires} and is not asked any more: take it out of the settings."),
        )
    } else if expires <= now.plus_millis(ENDS_SOON_DAYS * DAY_MS) {
        (HintKind::ExpiresSoon, format!("`{id}` ends at {expires}: give it more time, or let it end."))
    } else {
        return None;
    };
    Some(Hint { at: Some(expires), ..hint(kind, &about, text) })
}

/// Whether a live rule never hit, though it was asked all the while.
fn of_silence(id: &str, told: &Told, seen: &Seen<'_>) -> Option<Hint> {
    let is_asked = told.mode == Mode::Live && told.expires.is_none_or(|expires| expires > seen.now);
    let Tried { millis, asked } = *seen.tried.get(id).filter(|_| is_asked && seen.all_sites)?;
    // What hit in a text that is not known may have hit in this one.
    let may_have_hit = |truth: &&Truth| truth.id == id && truth.wording != Some(Wording::Earlier);
    let has_hit = seen.truths.iter().filter(may_have_hit).any(|truth| truth.counts.last_at.is_some());
    if has_hit || asked.comments == 0 || millis < SILENT_MS {
        return None;
    }
    let (days, comments) = (millis / DAY_MS.unsigned_abs(), asked.comments);
    let text = format!(
        "`{id}` was asked for {days} days, of {comments} comments, and never hit: is it still needed, and does it say what it should?"
    );
    let at = Some(asked.first_at);
    Some(Hint { at, comments: Some(comments), ..hint(HintKind::NeverFired, &[id.to_owned()], text) })
}
