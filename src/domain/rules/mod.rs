//! Rules that operators write in their settings, beside the checks: read and checked once, asked of every comment.
//!
//! A rule hits, is clear, does not apply because the site did not send what it looks at, or is unavailable because that could not be had: as a
//! check does, and it stands among the checks in the verdict. What it does besides adding a weight are [`Marks`], which
//! [`super::policy`] reads: nothing here decides. A rule in shadow mode is recorded and leaves no mark.

mod compile;
mod config;
mod eval;
mod facts;
pub mod lists;
mod never;
mod patterns;
mod places;
#[cfg(test)]
mod tests;
mod types;
pub mod was;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

pub use self::compile::functions::FUNCTIONS;
use self::compile::{Checked, ListNames, Named};
pub use self::compile::{SOURCE_BYTES_MAX, STEPS_MAX};
pub use self::config::{ListConfig, RuleConfig, Then};
use self::eval::Run;
pub use self::facts::Subject;
pub use self::facts::links::{LINK_FACTS, LinkFact};
pub use self::facts::table::{FACTS, Fact};
use self::facts::{Facts, Key};
use self::lists::Lists;
use self::types::Missing;
use self::was::TextId;
use super::category::Category;
use super::decision::{Action, Cause};
use super::scores::LogOdds;
use super::signal::{Evaluated, Mode, Outcome, Span};
use super::time::Timestamp;

/// Rules that there may be.
pub const RULES_MAX: usize = 5_000;
/// Steps that all rules together may take on the longest comment that there is.
pub const ALL_STEPS_MAX: u64 = 5_000_000;
/// Spans of entries of lists that a rule shows.
const SPANS_MAX: usize = 20;
/// Entries of lists that a rule names.
const NAMED_MAX: usize = 10;

/// A rule that was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {}{problem}", self.told(), self.place())]
pub struct BadRule {
    /// Which one, from 0.
    pub number: usize,
    /// Its name.
    pub name: String,
    /// Its setting, as in `when` or `then.queue`.
    pub key: &'static str,
    /// Where in `when`: line and column, from 1, and how many bytes from its beginning.
    pub at: Option<(usize, usize, usize)>,
    /// One clause for the operator.
    pub problem: String,
}

impl BadRule {
    /// Which rule, and which setting of it.
    #[must_use]
    pub fn told(&self) -> String {
        format!("rules: `{}`: {}", self.name, self.key)
    }

    fn place(&self) -> String {
        self.at.map_or_else(String::new, |(line, column, _)| format!("line {line}, column {column}: "))
    }
}

/// What rules do to a verdict besides adding weights.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Marks {
    /// What set the action, with the mildest action that it allows and the category that it is for.
    pub floors: Vec<(Cause, Action, Option<Category>)>,
    /// What approves, whatever checks and model say.
    pub approvals: Vec<Cause>,
    /// Tags and queues.
    pub labels: Vec<Cause>,
}

impl Marks {
    /// Of rules that said nothing.
    pub const NONE: &'static Self = &Self { floors: Vec::new(), approvals: Vec::new(), labels: Vec::new() };
}

/// What all rules say of one comment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Said {
    /// Those that hit, do not apply, or could not be asked.
    pub outcomes: Vec<Evaluated>,
    /// What those in force do besides.
    pub marks: Marks,
}

#[derive(Debug)]
struct Rule {
    id: String,
    checked: Checked,
    then: Then,
    reason: String,
    sites: BTreeSet<String>,
    expires: Option<Timestamp>,
    mode: Mode,
    told: Told,
}

/// What a rule is, for whoever tells how it fares.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// Of what it is true.
    pub when: String,
    /// What becomes of a comment, besides what the weight makes of it.
    pub action: Option<Action>,
    /// Whether it says no more than where a comment belongs: people have to see what it holds, and nobody is accused.
    pub routes: bool,
    /// What it adds.
    pub weight: Option<LogOdds>,
    /// What moderators read.
    pub reason: String,
    /// On which sites; on all of them where none is named.
    pub sites: BTreeSet<String>,
    /// Until when it is asked.
    pub expires: Option<Timestamp>,
    /// Whether it counts.
    pub mode: Mode,
    /// What it says, by name.
    pub text: TextId,
}

impl RuleConfig {
    /// The id under which it stands in verdicts.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{RULE}{}", self.name)
    }

    /// What it is.
    #[must_use]
    pub fn told(&self) -> Told {
        let routes = self.then.queue.is_some();
        Told {
            when: self.when.clone(),
            action: if routes { Some(Action::Hold) } else { self.then.action },
            routes,
            weight: self.then.weight,
            reason: self.reason.clone(),
            sites: self.sites.iter().cloned().collect(),
            expires: self.expires,
            mode: self.mode,
            text: TextId::of(self),
        }
    }
}

/// All rules, checked, with the lists that they name.
#[derive(Debug, Default)]
pub struct Rules {
    all: Vec<Rule>,
    keys: Vec<Key>,
    lists: Lists,
}

impl Rules {
    /// Checks the rules against the lists that there are.
    ///
    /// # Errors
    /// [`BadRule`]: a name that is no name or is there twice, an expression that names what there is not, can never be true or costs too much,
    /// something to do that cannot be done.
    pub fn new(rules: &[RuleConfig], lists: Lists) -> Result<Self, BadRule> {
        let names = lists.all().iter().zip(0..).map(|(list, number)| (list.name().to_owned(), (number, list.kind())));
        let (rules, keys) = read(rules, &names.collect())?;
        Ok(Self { all: rules, keys, lists })
    }

    /// The same without reading any list: whether the settings can work.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn check(rules: &[RuleConfig], lists: &BTreeMap<String, ListConfig>) -> Result<(), BadRule> {
        let names = lists.iter().zip(0..).map(|((name, list), number)| (name.clone(), (number, list.kind)));
        read(rules, &names.collect()).map(|_| ())
    }

    /// The ids under which rules stand in verdicts: `rule:NAME`.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|rule| rule.id.as_str())
    }

    /// What each of them is, by its id.
    pub fn told(&self) -> impl Iterator<Item = (&str, &Told)> {
        self.all.iter().map(|rule| (rule.id.as_str(), &rule.told))
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The lists.
    #[must_use]
    pub const fn lists(&self) -> &Lists {
        &self.lists
    }

    /// Asks every rule that is looked at on this site, at this moment. Pure.
    #[must_use]
    pub fn evaluate(&self, subject: &Subject<'_>) -> Said {
        let now = subject.context.now;
        let facts = Facts::new(subject, &self.lists, &self.keys);
        let mut said = Said::default();
        for rule in self.all.iter().filter(|rule| rule.is_asked(subject.site, now)) {
            let outcome = match Run::new(&facts).truth(&rule.checked.node) {
                Ok(false) => continue,
                Ok(true) => rule.hit(&facts),
                Err(Missing::NotApplicable) => Outcome::NotApplicable,
                Err(Missing::Unavailable(why)) => Outcome::Unavailable { why: why.to_string() },
            };
            if rule.mode == Mode::Live && matches!(outcome, Outcome::Hit { .. }) {
                rule.mark(&mut said.marks);
            }
            said.outcomes.push(Evaluated {
                id: rule.id.clone().into(),
                category: rule.category(),
                mode: rule.mode,
                outcome,
            });
        }
        said
    }
}

impl Rule {
    fn is_asked(&self, site: &str, now: Timestamp) -> bool {
        self.mode != Mode::Off
            && (self.sites.is_empty() || self.sites.contains(site))
            && self.expires.is_none_or(|expires| now < expires)
    }

    /// The category that it stands under: whoever adds nothing stands where it does not matter.
    fn category(&self) -> Category {
        self.then.category.unwrap_or(Category::Spam)
    }

    fn hit(&self, facts: &Facts<'_>) -> Outcome {
        let mut evidence = self.reason.clone();
        let mut spans = Vec::new();
        for list in &self.checked.lists {
            let hits = facts.hits(*list);
            let entries: Vec<&str> = hits.entries.iter().copied().take(NAMED_MAX).collect();
            if let (Some(list), false) = (facts.lists.all().get(*list as usize), entries.is_empty()) {
                let entries: Vec<String> = entries.iter().map(|entry| format!("`{entry}`")).collect();
                let _ = write!(evidence, " On the list `{}`: {}.", list.name(), entries.join(", ")); // writing to a text cannot fail
            }
            spans.extend(hits.places.iter().map(|hit| Span { field: hit.field, ..Span::body(hit.range.clone()) }));
        }
        spans.truncate(SPANS_MAX);
        if let (Mode::Shadow, Some(would)) = (self.mode, self.would()) {
            let _ = write!(evidence, " Live, it would {would}."); // neither can this
        }
        Outcome::Hit { weight: self.then.weight.unwrap_or_default(), evidence, spans }
    }

    /// What it does besides adding a weight, in words.
    fn would(&self) -> Option<String> {
        let mut parts: Vec<String> = Vec::new();
        parts.extend(self.then.action.map(|action| {
            match action {
                Action::Approve => "approve the comment",
                Action::Hold => "hold the comment",
                Action::Reject => "reject the comment",
            }
            .to_owned()
        }));
        parts.extend(self.then.queue.as_ref().map(|queue| format!("hold it for the queue `{queue}`")));
        parts.extend(self.then.tags.iter().map(|tag| format!("tag it `{tag}`")));
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    fn mark(&self, marks: &mut Marks) {
        let cause = |id: String| Cause { id, text: self.reason.clone() };
        let action = if self.then.queue.is_some() { Some(Action::Hold) } else { self.then.action };
        match action {
            Some(Action::Approve) => marks.approvals.push(cause(self.id.clone())),
            Some(floor) => marks.floors.push((cause(self.id.clone()), floor, self.then.category)),
            None => {}
        }
        let labels = self.then.tags.iter().map(|tag| format!("{TAG}{tag}"));
        let labels = labels.chain(self.then.queue.iter().map(|queue| format!("{QUEUE}{queue}")));
        for id in labels {
            if marks.labels.iter().all(|label| label.id != id) {
                marks.labels.push(cause(id));
            }
        }
    }
}

/// What the id of a rule begins with.
pub const RULE: &str = "rule:";
/// What the mark of a tag begins with.
pub const TAG: &str = "tag:";
/// What the mark of a queue begins with.
pub const QUEUE: &str = "queue:";

/// Whether a cause says nothing but where a comment belongs: it sets no action.
#[must_use]
pub fn is_label(cause: &Cause) -> bool {
    cause.id.starts_with(TAG) || cause.id.starts_with(QUEUE)
}

fn read(configs: &[RuleConfig], lists: &ListNames) -> Result<(Vec<Rule>, Vec<Key>), BadRule> {
    let mut named = Named::default();
    let mut rules = Vec::with_capacity(configs.len());
    let mut names: BTreeSet<&str> = BTreeSet::new();
    let mut steps = 0_u64;
    for (number, config) in configs.iter().enumerate() {
        let bad =
            |key: &'static str, problem: String| BadRule { number, name: config.name.clone(), key, at: None, problem };
        if number == RULES_MAX {
            return Err(bad("name", format!("there are more than {RULES_MAX} rules")));
        }
        if !is_name(&config.name) {
            return Err(bad("name", "must be 1 to 64 small letters, digits and dashes".to_owned()));
        }
        if !names.insert(&config.name) {
            return Err(bad("name", "there are two rules of this name".to_owned()));
        }
        if config.reason.trim().is_empty() || config.reason.len() > 500 {
            return Err(bad("reason", "must be a sentence of at most 500 bytes".to_owned()));
        }
        check_then(&config.then).map_err(|(key, problem)| bad(key, problem))?;
        if let Some(site) = config.sites.iter().find(|site| !super::site::Site::is_valid_name(site)) {
            return Err(bad("sites", format!("`{site}` cannot be a site's name")));
        }
        let checked = compile::compile(&config.when, lists, &mut named).map_err(|wrong| {
            let before = config.when.get(..wrong.at).unwrap_or_default();
            let line_start = before.rfind('\n').map_or(0, |end| end + 1);
            let place = (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1, wrong.at);
            BadRule { at: Some(place), ..bad("when", wrong.problem) }
        })?;
        steps = steps.saturating_add(checked.steps);
        if steps > ALL_STEPS_MAX {
            let problem = format!(
                "the rules up to this one cost too much together: up to {steps} steps, {ALL_STEPS_MAX} are allowed"
            );
            return Err(bad("when", problem));
        }
        if named.patterns.bytes() > patterns::ALL_BYTES_MAX {
            let problem = format!(
                "the regular expressions up to this one are too large together: compiled, they may have {} MiB; {}",
                patterns::ALL_BYTES_MAX >> 20,
                patterns::SMALLER
            );
            return Err(bad("when", problem));
        }
        rules.push(Rule {
            id: config.id(),
            checked,
            then: config.then.clone(),
            reason: config.reason.clone(),
            sites: config.sites.iter().cloned().collect(),
            expires: config.expires,
            mode: config.mode,
            told: config.told(),
        });
    }
    Ok((rules, named.keys))
}

fn check_then(then: &Then) -> Result<(), (&'static str, String)> {
    let Then { category, weight, action, tags, queue } = then;
    if weight.is_none() && action.is_none() && tags.is_empty() && queue.is_none() {
        return Err(("then", "does nothing: give it `weight` and `category`, `action`, `tags` or `queue`".to_owned()));
    }
    if weight.is_some() && category.is_none() {
        return Err(("then.category", "must say what `weight` counts for: spam, off-topic or abuse".to_owned()));
    }
    if weight.is_some_and(|weight| weight == LogOdds::ZERO) {
        return Err(("then.weight", "adds nothing".to_owned()));
    }
    if queue.is_some() && !matches!(action, None | Some(Action::Hold)) {
        return Err(("then.queue", "holds the comment for people: `action` cannot be anything but hold".to_owned()));
    }
    if tags.len() > 10 {
        return Err(("then.tags", "are at most ten".to_owned()));
    }
    if let Some(tag) = tags.iter().find(|tag| !is_name(tag)) {
        return Err(("then.tags", format!("`{tag}` must be 1 to 64 small letters, digits and dashes")));
    }
    match queue {
        Some(queue) if !is_name(queue) => {
            Err(("then.queue", "must be 1 to 64 small letters, digits and dashes".to_owned()))
        }
        _ => Ok(()),
    }
}

/// Whether `name` may name a rule, a tag or a queue: small letters, digits and dashes.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=64).contains(&name.len()) && name.chars().all(allowed)
}

/// Whether `name` may name a list: small letters, digits and underscores, so that rules can write `lists.NAME`.
///
/// # Errors
/// One clause for the operator.
pub fn check_list_name(name: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let fits =
        (1..=64).contains(&name.len()) && name.chars().all(allowed) && !name.starts_with(|c: char| c.is_ascii_digit());
    if fits { Ok(()) } else { Err("must have a name of small letters, digits and underscores".to_owned()) }
}
