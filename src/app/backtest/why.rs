//! Why a verdict differs: scores, terms and causes that are others. Told as a short line in English, and read from one again: so it travels from
//! the process of a backtest, and so programs get it. Pages say it in their own language.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::category::Category;
use crate::domain::decision::Verdict;
use crate::domain::signal::{Mode, Outcome};

/// Terms named of a flip at most.
const TERMS: usize = 4;
/// Log-odds by which a term must differ to be named.
const DIFFERS: f64 = 0.005;

/// One thing that makes the difference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub enum Why {
    /// A category's score.
    Score(Category, [f64; 2]),
    /// What a signal, the model or policy adds, in log-odds.
    Term(Term, [f64; 2]),
    /// A cause that is not there any more.
    Gone(String),
    /// A cause that was not there before.
    New(String),
    /// The limit that refused it.
    Refused(String),
    /// Nothing but the thresholds.
    Thresholds,
    /// Anything else, in words.
    Said(String),
}

/// What adds something to a category.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Term {
    /// The model.
    Model(Category),
    /// What is known before anything is.
    Prior(Category),
    /// A signal or an adjustment, by its id.
    Id(String),
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model(category) => write!(f, "model ({})", category.name()),
            Self::Prior(category) => write!(f, "prior ({})", category.name()),
            Self::Id(id) => f.write_str(id),
        }
    }
}

impl Term {
    fn read(text: &str) -> Self {
        let of = |prefix: &str| text.strip_prefix(prefix)?.strip_suffix(')').and_then(Category::from_name);
        let model = of("model (").map(Self::Model);
        model.or_else(|| of("prior (").map(Self::Prior)).unwrap_or_else(|| Self::Id(text.to_owned()))
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Score(category, [from, to]) => write!(f, "{} {from:.3} to {to:.3}", category.name()),
            Self::Term(term, [from, to]) => write!(f, "{term} {from:+.2} to {to:+.2}"),
            Self::Gone(cause) => write!(f, "{GONE}{cause}"),
            Self::New(cause) => write!(f, "{NEW}{cause}"),
            Self::Refused(limit) => write!(f, "{REFUSED}{limit}"),
            Self::Thresholds => f.write_str(THRESHOLDS),
            Self::Said(text) => f.write_str(text),
        }
    }
}

const GONE: &str = "no longer ";
const NEW: &str = "now ";
const REFUSED: &str = "refused by the limit ";
const THRESHOLDS: &str = "other thresholds";

impl From<Why> for String {
    fn from(why: Why) -> Self {
        why.to_string()
    }
}

impl From<String> for Why {
    fn from(text: String) -> Self {
        let after = |prefix: &str| text.strip_prefix(prefix).map(str::to_owned);
        let cause = after(GONE).map(Self::Gone).or_else(|| after(NEW).map(Self::New));
        let cause = cause.or_else(|| after(REFUSED).map(Self::Refused));
        let cause = cause.or_else(|| (text == THRESHOLDS).then_some(Self::Thresholds));
        cause.or_else(|| changed(&text)).unwrap_or(Self::Said(text))
    }
}

/// `spam 0.131 to 0.442`, or with signs `link-count +1.11 to +3.00`.
fn changed(text: &str) -> Option<Why> {
    let (left, to) = text.rsplit_once(" to ")?;
    let (name, from) = left.rsplit_once(' ')?;
    let both = [from.parse().ok()?, to.parse().ok()?];
    if from.starts_with(['+', '-']) {
        return Some(Why::Term(Term::read(name), both));
    }
    Some(Why::Score(Category::from_name(name)?, both))
}

impl Why {
    /// By what two verdicts on the same text differ, most important first.
    pub(super) fn of(before: &Verdict, after: &Verdict) -> Vec<Self> {
        let mut why = Vec::new();
        for category in Category::ALL {
            let (from, to) = (before.scores[category].get(), after.scores[category].get());
            if (from - to).abs() >= 0.000_5 {
                why.push(Self::Score(category, [from, to]));
            }
        }
        let (mut from, to) = (terms(before), terms(after));
        let mut changed: Vec<(Term, f64, f64)> = Vec::new();
        for (term, new) in to {
            let old = from.remove(&term).unwrap_or_default();
            changed.push((term, old, new));
        }
        changed.extend(from.into_iter().map(|(term, old)| (term, old, 0.0)));
        changed.retain(|(_, old, new)| (old - new).abs() >= DIFFERS);
        changed.sort_by(|(_, a, b), (_, c, d)| (c - d).abs().total_cmp(&(a - b).abs()));
        why.extend(changed.into_iter().take(TERMS).map(|(term, old, new)| Self::Term(term, [old, new])));
        let has = |verdict: &Verdict, id: &str| verdict.causes.iter().any(|cause| cause.id == id);
        let gone = before.causes.iter().filter(|cause| !has(after, &cause.id));
        let new = after.causes.iter().filter(|cause| !has(before, &cause.id));
        why.extend(gone.map(|cause| Self::Gone(cause.id.clone())));
        why.extend(new.map(|cause| Self::New(cause.id.clone())));
        if why.is_empty() {
            why.push(Self::Thresholds);
        }
        why
    }
}

/// What a verdict adds up.
fn terms(verdict: &Verdict) -> BTreeMap<Term, f64> {
    let mut terms = BTreeMap::new();
    for signal in verdict.signals.iter().filter(|signal| signal.mode == Mode::Live) {
        if let Outcome::Hit { weight, .. } = &signal.outcome {
            terms.insert(Term::Id(signal.id.to_string()), weight.get());
        }
    }
    for category in Category::ALL {
        terms.insert(Term::Model(category), verdict.model.log_odds(category).get());
        terms.insert(Term::Prior(category), verdict.prior[category].get());
    }
    for adjustment in &verdict.adjustments {
        *terms.entry(Term::Id(adjustment.id.clone())).or_default() += adjustment.log_odds.get();
    }
    terms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_read_again_as_what_it_was() {
        let all = [
            Why::Score(Category::OffTopic, [0.131, 0.442]),
            Why::Term(Term::Id("link-count".to_owned()), [1.11, 3.0]),
            Why::Term(Term::Id("cap:signals".to_owned()), [-0.5, 0.0]),
            Why::Term(Term::Id("rule:from here to there".to_owned()), [0.0, -2.25]),
            Why::Term(Term::Model(Category::Spam), [0.5, -0.5]),
            Why::Term(Term::Prior(Category::OffTopic), [-2.2, -3.0]),
            Why::Gone("mode:pre".to_owned()),
            Why::New("limit:per-ip".to_owned()),
            Why::Refused("per-ip".to_owned()),
            Why::Thresholds,
            Why::Said("because".to_owned()),
        ];
        for why in all {
            assert_eq!(Why::from(why.to_string()), why, "{why}");
        }
        assert_eq!(Why::Score(Category::Spam, [0.131, 0.442]).to_string(), "spam 0.131 to 0.442");
        assert_eq!(Why::Term(Term::Model(Category::Spam), [0.5, -0.5]).to_string(), "model (spam) +0.50 to -0.50");
    }
}
