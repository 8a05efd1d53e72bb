//! How a category's score came about, term by term: the rows of a table, each with its step of a waterfall between the thresholds.

use super::comment::{revealed, word_of_category};
use super::queue::signal_title;
use super::texts::Texts;
use crate::domain::category::Category;
use crate::domain::decision::Verdict;
use crate::domain::explain::total;
use crate::domain::model::ModelOutput;
use crate::domain::policy::Config as PolicyConfig;
use crate::domain::rules::RULE;
use crate::domain::scores::LogOdds;
use crate::domain::signal::{Mode, Outcome};

/// Width of a picture, in its own units.
const WIDTH: f64 = 240.0;
/// Width of a step that is next to nothing.
const THIN: f64 = 1.5;

/// One term of a sum.
pub(super) struct TermRow {
    /// What it is called.
    pub name: String,
    /// Its stable name, where there is one.
    pub id: String,
    /// One sentence.
    pub text: String,
    /// Its words, with what each adds.
    pub words: Vec<(String, String)>,
    /// What it adds, as people read it.
    pub amount: String,
    /// Where its step begins.
    pub x: String,
    /// How wide it is.
    pub width: String,
    /// `up` or `down`, or `all` for the whole.
    pub tone: &'static str,
    value: f64,
}

/// A category's sum.
pub(super) struct SumView {
    /// The category, as a class.
    pub class: &'static str,
    /// In words.
    pub name: &'static str,
    /// The score, in per cent.
    pub score: String,
    /// From which scores policy holds and rejects, in words.
    pub thresholds: String,
    /// Where these lie in the pictures, and where nothing does.
    pub hold_x: String,
    pub reject_x: String,
    pub zero_x: String,
    /// The terms, and last their sum.
    pub terms: Vec<TermRow>,
    /// Whether it led to the verdict.
    pub is_first: bool,
}

/// All categories, the one that decided first.
pub(super) fn sums(verdict: &Verdict, policy: &PolicyConfig, t: &'static Texts) -> Vec<SumView> {
    let highest = Category::ALL.into_iter().max_by_key(|category| verdict.scores[*category]);
    let first = verdict.category.or(highest);
    let mut all = Category::ALL;
    all.sort_by_key(|category| Some(*category) != first);
    all.into_iter().map(|category| sum(verdict, category, policy, Some(category) == first, t)).collect()
}

fn sum(verdict: &Verdict, category: Category, policy: &PolicyConfig, is_first: bool, t: &'static Texts) -> SumView {
    let mut terms = terms(verdict, category, t);
    let thresholds = policy.category(category);
    let whole = total(verdict, category, None).get();
    let (hold, reject) = (log_odds(thresholds.hold.get()), log_odds(thresholds.reject.get()));
    let (mut lowest, mut most, mut running) = (0.0_f64.min(hold), 0.0_f64.max(hold).max(reject), 0.0_f64);
    let mut steps = Vec::new();
    for term in &terms {
        steps.push((running, running + term.value));
        running += term.value;
        lowest = lowest.min(running);
        most = most.max(running);
    }
    lowest = lowest.min(whole);
    most = most.max(whole);
    let place = |value: f64| (value - lowest) / (most - lowest).max(f64::EPSILON) * (WIDTH - 4.0) + 2.0;
    let written = |value: f64| format!("{value:.1}");
    terms.push(TermRow { tone: "all", ..row(t.say("file.sum"), "", t.say("file.sum-text").to_owned(), whole, t) });
    steps.push((0.0, whole));
    for (term, (from, to)) in terms.iter_mut().zip(steps) {
        let (left, right) = (place(from.min(to)), place(from.max(to)));
        term.x = written(left);
        term.width = written((right - left).max(THIN));
    }
    SumView {
        class: category.name(),
        name: word_of_category(t, category),
        score: t.percent(verdict.scores[category].get()),
        thresholds: {
            let (hold, reject) = (t.percent(thresholds.hold.get()), t.percent(thresholds.reject.get()));
            t.with2("file.thresholds", ("hold", &hold), ("reject", &reject))
        },
        hold_x: written(place(hold)),
        reject_x: written(place(reject)),
        zero_x: written(place(0.0)),
        terms,
        is_first,
    }
}

/// Log-odds of a probability, within what a picture can show.
fn log_odds(probability: f64) -> f64 {
    let within = probability.clamp(0.000_1, 0.999_9);
    (within / (1.0 - within)).ln()
}

fn row(name: &str, id: &str, text: String, value: f64, t: &Texts) -> TermRow {
    let (x, width) = (String::new(), String::new());
    let tone = if value < 0.0 { "down" } else { "up" };
    TermRow {
        name: name.to_owned(),
        id: id.to_owned(),
        text,
        words: Vec::new(),
        amount: t.signed(value),
        x,
        width,
        tone,
        value,
    }
}

fn terms(verdict: &Verdict, category: Category, t: &'static Texts) -> Vec<TermRow> {
    let mut rows =
        vec![row(t.say("file.prior"), "", t.say("file.prior-text").to_owned(), verdict.prior[category].get(), t)];
    let mut hits: Vec<TermRow> = Vec::new();
    for signal in verdict.signals.iter().filter(|signal| signal.category == category && signal.mode == Mode::Live) {
        // A rule that adds nothing is no term: what it does stands among the causes.
        let adds_nothing = signal.id.starts_with(RULE) && signal.counted() == LogOdds::ZERO;
        if let (Outcome::Hit { evidence, .. }, false) = (&signal.outcome, adds_nothing) {
            let name = signal_title(&signal.id, t);
            hits.push(row(&name, &signal.id, revealed(evidence), signal.counted().get(), t));
        }
    }
    hits.sort_by(|one, other| other.value.abs().total_cmp(&one.value.abs()));
    rows.extend(hits);
    let said = match &verdict.model {
        ModelOutput::Scored { version, .. } => t.with("file.model-text", "version", version),
        ModelOutput::Off => t.say("file.model-off").to_owned(),
        ModelOutput::Unavailable { why } => t.with("file.model-failed", "why", revealed(why)),
    };
    let mut model = row(t.say("file.model"), "", said, verdict.model.log_odds(category).get(), t);
    if let ModelOutput::Scored { terms, .. } = &verdict.model {
        let own = terms.iter().filter(|term| term.category == category);
        model.words = own.map(|term| (revealed(&term.text), t.signed(term.log_odds.get()))).collect();
    }
    rows.push(model);
    for adjustment in verdict.adjustments.iter().filter(|adjustment| adjustment.category == category) {
        let text = revealed(&adjustment.text);
        rows.push(row(t.say("file.adjustment"), &adjustment.id, text, adjustment.log_odds.get(), t));
    }
    rows
}
