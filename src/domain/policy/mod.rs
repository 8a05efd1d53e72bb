//! Outcomes and model output in, a verdict with reasons out. The only place that decides.

mod adjust;
mod check;
mod config;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::category::{Category, PerCategory};
use super::decision::{Action, Adjustment, Cause, Verdict};
use super::history::AuthorPast;
use super::known::Known;
use super::model::ModelOutput;
use super::rules::Marks;
use super::scores::{LogOdds, Score};
use super::signal::{Allowance, Evaluated, Mode, Outcome};

pub use config::{BadPolicy, CategoryConfig, Composite, Config, Exemption, Fact, Group};

/// Who sees a comment before a person did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Moderation {
    /// Everyone, unless the comment is doubtful: people look afterwards.
    #[default]
    Post,
    /// Nobody: every comment that is not rejected waits for a person.
    Pre,
    /// Nobody, until a person or the policy has approved a comment of this author before.
    FirstComment,
    /// Comments are closed: what still arrives is rejected.
    Closed,
}

/// What policy needs to know besides the evidence.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// Who sees comments before a person did, on this site and in this section.
    pub moderation: Moderation,
    /// The author's role as the site sent it.
    pub role: Option<&'a str>,
    /// The author's past.
    pub author: &'a Known<AuthorPast>,
    /// What the limits said.
    pub allowance: &'a Allowance,
    /// Whether the comment carries a link.
    pub has_link: bool,
    /// What rules in force do besides adding weights.
    pub rules: &'a Marks,
    /// Hash of the configuration in force.
    pub hash: &'a str,
}

/// `[policy]`, checked.
#[derive(Debug, Clone)]
pub struct Policy {
    config: Config,
}

impl Policy {
    /// Checks the settings; `signals` are the ids that exemptions, groups and composite rules may name.
    ///
    /// # Errors
    /// [`BadPolicy`]: a threshold to hold above the one to reject, a negative cap, an unknown signal, a signal under two caps, a composite
    /// rule that does nothing.
    pub fn new(config: Config, signals: &[&str]) -> Result<Self, BadPolicy> {
        check::check(&config, signals)?;
        Ok(Self { config })
    }

    /// Checks that exemptions and composite rules name none of these, which add no weight.
    ///
    /// # Errors
    /// [`BadPolicy`]: one of them is named.
    pub fn check_weightless(&self, weightless: &[String]) -> Result<(), BadPolicy> {
        check::weightless(&self.config, weightless)
    }

    /// The settings.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Turns evidence into a verdict. Pure.
    #[must_use]
    pub fn decide(&self, signals: Vec<Evaluated>, model: ModelOutput, about: &Circumstances<'_>) -> Verdict {
        let adjustments = self.adjustments(&signals, &model, about);
        let prior = PerCategory::from_fn(|category| self.of(category).prior);
        let scores = PerCategory::from_fn(|category| {
            total(category, prior[category], &signals, &model, &adjustments).probability()
        });
        let (by_score, category) = self.by_score(&scores);
        let by_score = if about.rules.approvals.is_empty() { by_score } else { Action::Approve };
        let (causes, floor) = self.causes(&signals, &model, about);
        let action = by_score.max(floor);
        // The category that led to the action: a comment held by its mode alone is not accused of anything.
        let by_rule = || about.rules.floors.iter().filter(|(_, floor, _)| *floor == action).find_map(|(.., of)| *of);
        let category = if by_score == action { category } else { by_rule() };
        Verdict {
            action,
            category: category.filter(|_| action != Action::Approve),
            scores,
            prior,
            signals,
            model,
            adjustments,
            causes,
            policy: about.hash.to_owned(),
        }
    }

    /// The scores by what checks and model say.
    #[must_use]
    pub fn scores(&self, signals: &[Evaluated], model: &ModelOutput, about: &Circumstances<'_>) -> PerCategory<Score> {
        let adjustments = self.adjustments(signals, model, about);
        let of = |category| total(category, self.of(category).prior, signals, model, &adjustments).probability();
        PerCategory::from_fn(of)
    }

    fn of(&self, category: Category) -> &CategoryConfig {
        self.config.category(category)
    }

    /// The harshest action that a score asks for, and the category furthest over that action's threshold.
    fn by_score(&self, scores: &PerCategory<Score>) -> (Action, Option<Category>) {
        let asked = Category::ALL.into_iter().map(|category| {
            let (score, config) = (scores[category], self.of(category));
            if score >= config.reject && config.reject.get() < 1.0 {
                (Action::Reject, score.get() - config.reject.get(), category)
            } else if score >= config.hold {
                (Action::Hold, score.get() - config.hold.get(), category)
            } else {
                (Action::Approve, 0.0, category)
            }
        });
        let harshest = asked.max_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        match harshest {
            Some((Action::Approve, ..)) | None => (Action::Approve, None),
            Some((action, _, category)) => (action, Some(category)),
        }
    }

    /// What sets the action besides the scores, and the mildest action that it allows.
    fn causes(&self, signals: &[Evaluated], model: &ModelOutput, about: &Circumstances<'_>) -> (Vec<Cause>, Action) {
        let mut causes: Vec<(Cause, Action)> = Vec::new();
        let mut because = |id: String, text: String, action: Action| causes.push((Cause { id, text }, action));
        let approved = !about.rules.approvals.is_empty();
        match about.moderation {
            Moderation::Post => {}
            // What a rule approves is known better than what the mode was set for.
            Moderation::Pre | Moderation::FirstComment if approved => {}
            Moderation::Pre => {
                because("mode:pre".into(), "Every comment here waits for a person.".into(), Action::Hold);
            }
            Moderation::Closed => {
                because("mode:closed".into(), "Comments are closed here.".into(), Action::Reject);
            }
            Moderation::FirstComment => {
                let text = match about.author {
                    Known::Known(past) if past.approved > 0 => None,
                    Known::Known(_) => Some("Nothing by this author was approved before."),
                    Known::NotApplicable => {
                        Some("The site did not say who wrote this, so it counts as a first comment.")
                    }
                    Known::Unavailable(_) => Some("Whether this is a first comment could not be looked up."),
                };
                if let Some(text) = text {
                    because("mode:first-comment".into(), text.into(), Action::Hold);
                }
            }
        }
        match about.allowance {
            Allowance::Hold { policy, .. } => {
                because(format!("limit:{policy}"), format!("Over the limit `{policy}`."), Action::Hold);
            }
            Allowance::Unavailable(why) if self.config.hold_unavailable => {
                because("unavailable:limits".into(), format!("The limits could not be asked: {why}."), Action::Hold);
            }
            Allowance::Within | Allowance::Off | Allowance::Unavailable(_) => {}
        }
        if self.config.hold_unavailable {
            for signal in signals.iter().filter(|signal| signal.mode == Mode::Live) {
                if let Outcome::Unavailable { why } = &signal.outcome {
                    let text = format!("The check `{}` could not run: {why}.", signal.id);
                    because(format!("unavailable:{}", signal.id), text, Action::Hold);
                }
            }
            if let ModelOutput::Unavailable { why } = model {
                because("unavailable:model".into(), format!("The model could not answer: {why}."), Action::Hold);
            }
        }
        causes.extend(about.rules.floors.iter().map(|(cause, floor, _)| (cause.clone(), *floor)));
        let floor = causes.iter().map(|(_, action)| *action).max().unwrap_or(Action::Approve);
        let said = about.rules.approvals.iter().chain(&about.rules.labels).cloned();
        (causes.into_iter().map(|(cause, _)| cause).chain(said).collect(), floor)
    }
}

/// A category's log-odds: the sum that the verdict shows, term by term.
fn total(
    category: Category,
    prior: LogOdds,
    signals: &[Evaluated],
    model: &ModelOutput,
    adjustments: &[Adjustment],
) -> LogOdds {
    let counted = signals.iter().filter(|signal| signal.category == category).map(Evaluated::counted);
    let adjusted = adjustments.iter().filter(|adjustment| adjustment.category == category);
    let terms = std::iter::once(prior).chain(counted).chain([model.log_odds(category)]);
    terms.chain(adjusted.map(|adjustment| adjustment.log_odds)).sum()
}
