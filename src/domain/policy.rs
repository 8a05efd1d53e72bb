//! Outcomes and model output in, a verdict with reasons out. The only place that decides.

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::category::{Category, PerCategory};
use super::decision::{Action, Adjustment, Cause, Verdict};
use super::history::AuthorPast;
use super::known::Known;
use super::model::ModelOutput;
use super::scores::{LogOdds, Score};
use super::signal::{Allowance, Evaluated, Mode, Outcome};

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

/// `[policy]`: how evidence becomes a verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `[policy.spam]`.
    #[serde(deserialize_with = "spam_over_defaults")]
    pub spam: CategoryConfig,
    /// `[policy.off-topic]`.
    #[serde(rename = "off-topic", deserialize_with = "off_topic_over_defaults")]
    pub off_topic: CategoryConfig,
    /// `[policy.abuse]`.
    #[serde(deserialize_with = "abuse_over_defaults")]
    pub abuse: CategoryConfig,
    /// Whether a comment is held when a live check, the model or the limits were due and failed.
    pub hold_unavailable: bool,
    /// `[[policy.exemptions]]`: for whom signals do not count.
    pub exemptions: Vec<Exemption>,
}

/// `[policy.CATEGORY]`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CategoryConfig {
    /// Log-odds before anything is known: about the share of such comments among all.
    pub prior: LogOdds,
    /// Score from which a comment is held.
    pub hold: Score,
    /// Score from which a comment is rejected; 1.0 for never.
    pub reject: Score,
    /// Most that all live signals of the category may add together: several weak hints do not condemn.
    pub signals_max: LogOdds,
    /// Most that the model may add or take away.
    pub model_max: LogOdds,
}

/// `[[policy.exemptions]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exemption {
    /// Authors with one of these roles, as the site sends them.
    pub roles: Vec<String>,
    /// Signals that do not count for them; `*` for all.
    pub signals: Vec<String>,
}

/// What policy needs to know besides the evidence.
#[derive(Debug)]
pub struct Circumstances<'a> {
    /// Who sees comments before a person did, on this site and in this section.
    pub moderation: Moderation,
    /// The author's role as the site sent it.
    pub role: Option<&'a str>,
    /// The author's past.
    pub author: &'a Known<AuthorPast>,
    /// What the limits said.
    pub allowance: &'a Allowance,
    /// Hash of the configuration in force.
    pub hash: &'a str,
}

/// `[policy]`, checked.
#[derive(Debug, Clone)]
pub struct Policy {
    config: Config,
}

impl Default for CategoryConfig {
    fn default() -> Self {
        Self {
            prior: LogOdds::of(-2.2),
            hold: Score::new(0.5).unwrap_or_default(),
            reject: Score::new(0.97).unwrap_or_default(),
            signals_max: LogOdds::of(5.5),
            model_max: LogOdds::of(5.0),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        let of = |prior: f64, hold: f64, reject: f64| CategoryConfig {
            prior: LogOdds::of(prior),
            hold: Score::new(hold).unwrap_or_default(),
            reject: Score::new(reject).unwrap_or_default(),
            ..CategoryConfig::default()
        };
        Self {
            // One chance in five is worth a person's look: a published advertisement costs more than a comment that waits.
            spam: of(-2.2, 0.2, 0.97),
            off_topic: of(-2.9, 0.5, 1.0),
            abuse: of(-3.1, 0.5, 0.98),
            hold_unavailable: true,
            exemptions: Vec::new(),
        }
    }
}

/// What a file says of a category: the rest keeps that category's own defaults.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Given {
    prior: Option<LogOdds>,
    hold: Option<Score>,
    reject: Option<Score>,
    signals_max: Option<LogOdds>,
    model_max: Option<LogOdds>,
}

fn over<'de, D: Deserializer<'de>>(from: D, default: &CategoryConfig) -> Result<CategoryConfig, D::Error> {
    let given = Given::deserialize(from)?;
    Ok(CategoryConfig {
        prior: given.prior.unwrap_or(default.prior),
        hold: given.hold.unwrap_or(default.hold),
        reject: given.reject.unwrap_or(default.reject),
        signals_max: given.signals_max.unwrap_or(default.signals_max),
        model_max: given.model_max.unwrap_or(default.model_max),
    })
}

fn spam_over_defaults<'de, D: Deserializer<'de>>(from: D) -> Result<CategoryConfig, D::Error> {
    over(from, &Config::default().spam)
}

fn off_topic_over_defaults<'de, D: Deserializer<'de>>(from: D) -> Result<CategoryConfig, D::Error> {
    over(from, &Config::default().off_topic)
}

fn abuse_over_defaults<'de, D: Deserializer<'de>>(from: D) -> Result<CategoryConfig, D::Error> {
    over(from, &Config::default().abuse)
}

/// A setting that policy cannot work with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("policy.{key}: {problem}")]
pub struct BadPolicy {
    /// The key under `[policy]`.
    pub key: String,
    /// One clause for the operator.
    pub problem: String,
}

impl Policy {
    /// Checks the settings; `signals` are the ids that exemptions may name.
    ///
    /// # Errors
    /// [`BadPolicy`]: a threshold to hold above the one to reject, a negative cap, an exemption for an unknown signal.
    pub fn new(config: Config, signals: &[&str]) -> Result<Self, BadPolicy> {
        let bad = |key: String, problem: String| Err(BadPolicy { key, problem });
        for (name, category) in [("spam", &config.spam), ("off-topic", &config.off_topic), ("abuse", &config.abuse)] {
            if category.hold > category.reject {
                return bad(format!("{name}.hold"), "must not be above `reject`".to_owned());
            }
            for (key, cap) in [("signals_max", category.signals_max), ("model_max", category.model_max)] {
                if cap < LogOdds::ZERO {
                    return bad(format!("{name}.{key}"), "must not be negative".to_owned());
                }
            }
        }
        for name in config.exemptions.iter().flat_map(|exemption| &exemption.signals) {
            if name != "*" && !signals.contains(&name.as_str()) {
                return bad("exemptions.signals".to_owned(), format!("there is no signal `{name}`"));
            }
        }
        Ok(Self { config })
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
        let (causes, floor) = self.causes(&signals, &model, about);
        let action = by_score.max(floor);
        Verdict {
            action,
            // The category that led to the action: a comment held by its mode alone is not accused of anything.
            category: category.filter(|_| by_score == action && action != Action::Approve),
            scores,
            prior,
            signals,
            model,
            adjustments,
            causes,
            policy: about.hash.to_owned(),
        }
    }

    fn of(&self, category: Category) -> &CategoryConfig {
        match category {
            Category::Spam => &self.config.spam,
            Category::OffTopic => &self.config.off_topic,
            Category::Abuse => &self.config.abuse,
        }
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

    /// Exemptions first, then the caps on what is left.
    fn adjustments(&self, signals: &[Evaluated], model: &ModelOutput, about: &Circumstances<'_>) -> Vec<Adjustment> {
        let mut adjustments: Vec<Adjustment> = Vec::new();
        for signal in signals {
            if signal.counted() > LogOdds::ZERO && self.is_exempt(about.role, &signal.id) {
                let id = format!("exempt:{}", signal.id);
                adjustments.push(Adjustment { id, category: signal.category, log_odds: -signal.counted() });
            }
        }
        for category in Category::ALL {
            let config = self.of(category);
            let counted = signals.iter().filter(|signal| signal.category == category).map(Evaluated::counted);
            let exempted = adjustments.iter().filter(|adjustment| adjustment.category == category);
            let sum: f64 = counted.chain(exempted.map(|adjustment| adjustment.log_odds)).map(LogOdds::get).sum();
            // In steps, because one amount of log-odds is bounded and what several signals add up to is not.
            let mut over = LogOdds::rounded(sum - config.signals_max.get());
            while over > 0.0 {
                let log_odds = LogOdds::of(-over);
                adjustments.push(Adjustment { id: "cap:signals".to_owned(), category, log_odds });
                over = LogOdds::rounded(over + log_odds.get());
            }
            let said = model.log_odds(category).get();
            let most = config.model_max.get();
            if said.abs() > most {
                let log_odds = LogOdds::of(said.clamp(-most, most) - said);
                adjustments.push(Adjustment { id: "cap:model".to_owned(), category, log_odds });
            }
        }
        adjustments
    }

    fn is_exempt(&self, role: Option<&str>, signal: &str) -> bool {
        let Some(role) = role else { return false };
        let mut exemptions = self.config.exemptions.iter();
        exemptions.any(|exemption| {
            exemption.roles.iter().any(|exempt| exempt.eq_ignore_ascii_case(role))
                && exemption.signals.iter().any(|name| name == "*" || name == signal)
        })
    }

    /// What sets the action besides the scores, and the mildest action that it allows.
    fn causes(&self, signals: &[Evaluated], model: &ModelOutput, about: &Circumstances<'_>) -> (Vec<Cause>, Action) {
        let mut causes: Vec<(Cause, Action)> = Vec::new();
        let mut because = |id: String, text: String, action: Action| causes.push((Cause { id, text }, action));
        match about.moderation {
            Moderation::Post => {}
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
        let floor = causes.iter().map(|(_, action)| *action).max().unwrap_or(Action::Approve);
        (causes.into_iter().map(|(cause, _)| cause).collect(), floor)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::model::Term;

    const WITHIN: Allowance = Allowance::Within;
    const NOBODY: Known<AuthorPast> = Known::NotApplicable;

    fn usual() -> Circumstances<'static> {
        Circumstances { moderation: Moderation::Post, role: None, author: &NOBODY, allowance: &WITHIN, hash: "h" }
    }

    fn policy() -> Policy {
        Policy::new(Config::default(), &["one", "two"]).expect("the defaults are valid")
    }

    fn hit(id: &str, category: Category, weight: f64) -> Evaluated {
        let outcome = Outcome::Hit { weight: LogOdds::of(weight), evidence: String::new(), spans: Vec::new() };
        Evaluated { id: id.to_owned(), category, mode: Mode::Live, outcome }
    }

    fn scored(spam: f64, abuse: f64) -> ModelOutput {
        let terms = vec![Term { category: Category::Spam, text: "subscribe".to_owned(), log_odds: LogOdds::of(spam) }];
        ModelOutput::Scored { version: "test".to_owned(), spam: LogOdds::of(spam), abuse: LogOdds::of(abuse), terms }
    }

    /// What a reader of the verdict adds up.
    fn shown_sum(verdict: &Verdict, category: Category) -> f64 {
        let signals = verdict.signals.iter().filter(|signal| signal.category == category);
        let adjustments = verdict.adjustments.iter().filter(|adjustment| adjustment.category == category);
        verdict.prior[category].get()
            + signals.map(|signal| signal.counted().get()).sum::<f64>()
            + verdict.model.log_odds(category).get()
            + adjustments.map(|adjustment| adjustment.log_odds.get()).sum::<f64>()
    }

    #[test]
    fn evidence_becomes_the_expected_action() {
        let cases: &[(&str, Vec<Evaluated>, ModelOutput, Action, Option<Category>)] = &[
            ("nothing found", vec![], ModelOutput::Off, Action::Approve, None),
            ("a hint", vec![hit("one", Category::Spam, 0.7)], ModelOutput::Off, Action::Approve, None),
            (
                "enough to ask",
                vec![hit("one", Category::Spam, 2.5)],
                ModelOutput::Off,
                Action::Hold,
                Some(Category::Spam),
            ),
            ("certain", vec![hit("one", Category::Spam, 6.0)], scored(3.0, 0.0), Action::Reject, Some(Category::Spam)),
            (
                "off-topic is never rejected",
                vec![hit("one", Category::OffTopic, 20.0)],
                ModelOutput::Off,
                Action::Hold,
                Some(Category::OffTopic),
            ),
            ("the model alone may ask", vec![], scored(0.0, 4.0), Action::Hold, Some(Category::Abuse)),
            (
                "the worse category is named",
                vec![hit("one", Category::OffTopic, 3.0)],
                scored(4.5, 0.0),
                Action::Hold,
                Some(Category::Spam),
            ),
            (
                "good history outweighs",
                vec![hit("one", Category::Spam, 2.5), hit("two", Category::Spam, -2.0)],
                ModelOutput::Off,
                Action::Approve,
                None,
            ),
        ];
        for (name, signals, model, action, category) in cases {
            let verdict = policy().decide(signals.clone(), model.clone(), &usual());
            assert_eq!((verdict.action, verdict.category), (*action, *category), "{name}: {:?}", verdict.scores);
        }
    }

    #[test]
    fn shadow_signals_are_recorded_and_do_not_count() {
        let mut signal = hit("one", Category::Spam, 9.0);
        signal.mode = Mode::Shadow;
        let verdict = policy().decide(vec![signal], ModelOutput::Off, &usual());
        assert_eq!(verdict.action, Action::Approve);
        assert_eq!(verdict.signals.len(), 1);
    }

    #[test]
    fn what_could_not_be_told_is_held_and_says_why() {
        let unavailable = |mode| Evaluated {
            id: "one".to_owned(),
            category: Category::Spam,
            mode,
            outcome: Outcome::Unavailable { why: "the history is away".to_owned() },
        };
        let verdict = policy().decide(vec![unavailable(Mode::Live)], ModelOutput::Off, &usual());
        assert_eq!((verdict.action, verdict.category), (Action::Hold, None));
        assert_eq!(verdict.causes[0].id, "unavailable:one");
        let verdict = policy().decide(vec![unavailable(Mode::Shadow)], ModelOutput::Off, &usual());
        assert_eq!(verdict.action, Action::Approve, "a check in shadow mode holds nothing");
        let down = ModelOutput::Unavailable { why: "damaged".to_owned() };
        assert_eq!(policy().decide(vec![], down, &usual()).causes[0].id, "unavailable:model");
        let limits = Allowance::Unavailable("away".to_owned());
        let about = Circumstances { allowance: &limits, ..usual() };
        assert_eq!(policy().decide(vec![], ModelOutput::Off, &about).causes[0].id, "unavailable:limits");
        let lenient = Policy::new(Config { hold_unavailable: false, ..Config::default() }, &[]).expect("valid");
        let verdict = lenient.decide(vec![unavailable(Mode::Live)], ModelOutput::Off, &about);
        assert_eq!(verdict.action, Action::Approve);
    }

    #[test]
    fn not_applicable_adds_nothing_and_never_holds() {
        let outcome = Outcome::NotApplicable;
        let signal = Evaluated { id: "one".to_owned(), category: Category::Spam, mode: Mode::Live, outcome };
        let verdict = policy().decide(vec![signal], ModelOutput::Off, &usual());
        assert_eq!((verdict.action, verdict.causes.len()), (Action::Approve, 0));
        assert_eq!(verdict.scores.spam, verdict.prior.spam.probability());
    }

    #[test]
    fn moderation_modes_set_the_mildest_action() {
        let known = |approved| Known::Known(AuthorPast { approved, ..AuthorPast::default() });
        let away = Known::Unavailable("away".to_owned());
        let cases: &[(&str, Moderation, Known<AuthorPast>, Action)] = &[
            ("post", Moderation::Post, Known::NotApplicable, Action::Approve),
            ("pre", Moderation::Pre, known(50), Action::Hold),
            ("closed", Moderation::Closed, known(50), Action::Reject),
            ("first comment of an author", Moderation::FirstComment, known(0), Action::Hold),
            ("second comment of an author", Moderation::FirstComment, known(1), Action::Approve),
            ("nobody named", Moderation::FirstComment, Known::NotApplicable, Action::Hold),
            ("author could not be looked up", Moderation::FirstComment, away, Action::Hold),
        ];
        for (name, moderation, author, action) in cases {
            let about = Circumstances { moderation: *moderation, author, ..usual() };
            let verdict = policy().decide(vec![], ModelOutput::Off, &about);
            assert_eq!((verdict.action, verdict.category), (*action, None), "{name}");
        }
        let about = Circumstances { moderation: Moderation::Pre, ..usual() };
        let verdict = policy().decide(vec![hit("one", Category::Spam, 6.0)], scored(5.0, 0.0), &about);
        assert_eq!(verdict.action, Action::Reject, "a mode never makes a verdict milder");
    }

    #[test]
    fn a_comment_over_a_limit_is_held_by_name() {
        let allowance = Allowance::Hold { policy: "per-author".to_owned(), retry_after_ms: 100 };
        let verdict = policy().decide(vec![], ModelOutput::Off, &Circumstances { allowance: &allowance, ..usual() });
        assert_eq!((verdict.action, verdict.causes[0].id.as_str()), (Action::Hold, "limit:per-author"));
    }

    #[test]
    fn exemptions_take_back_exactly_what_the_signal_added() {
        let exemption = Exemption { roles: vec!["staff".to_owned()], signals: vec!["one".to_owned()] };
        let config = Config { exemptions: vec![exemption], ..Config::default() };
        let policy = Policy::new(config, &["one", "two"]).expect("valid");
        let signals = vec![hit("one", Category::Spam, 3.0), hit("two", Category::Spam, 0.4)];
        let about = Circumstances { role: Some("Staff"), ..usual() };
        let verdict = policy.decide(signals.clone(), ModelOutput::Off, &about);
        assert_eq!(verdict.action, Action::Approve);
        assert_eq!(
            verdict.adjustments,
            [Adjustment { id: "exempt:one".to_owned(), category: Category::Spam, log_odds: LogOdds::of(-3.0) }]
        );
        let about = Circumstances { role: Some("member"), ..usual() };
        assert_eq!(policy.decide(signals, ModelOutput::Off, &about).action, Action::Hold);
    }

    #[test]
    fn the_cap_holds_however_much_is_over_it() {
        let signals =
            vec![hit("one", Category::Spam, 40.0), hit("two", Category::Spam, 40.0), hit("one", Category::Spam, 0.25)];
        let verdict = policy().decide(signals, ModelOutput::Off, &usual());
        let capped = LogOdds::of(-2.2 + 5.5).probability();
        assert_eq!((verdict.action, verdict.scores.spam), (Action::Hold, capped));
        assert!((shown_sum(&verdict, Category::Spam) - 3.3).abs() < 1e-9);
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        let spam = CategoryConfig { hold: Score::new(0.99).expect("valid"), ..CategoryConfig::default() };
        let error = Policy::new(Config { spam, ..Config::default() }, &[]).expect_err("hold is above reject");
        assert_eq!(error.to_string(), "policy.spam.hold: must not be above `reject`");
        let exemption = Exemption { roles: vec![], signals: vec!["three".to_owned()] };
        let config = Config { exemptions: vec![exemption], ..Config::default() };
        assert_eq!(Policy::new(config, &["one"]).expect_err("unknown").problem, "there is no signal `three`");
    }

    prop_compose! {
        fn any_signal()(category in 0_usize..3, weight in -5.0..8.0_f64, live in any::<bool>(), name in 0..2) -> Evaluated {
            let mut signal = hit(["one", "two"][usize::try_from(name).unwrap_or(0)], Category::ALL[category], weight);
            signal.mode = if live { Mode::Live } else { Mode::Shadow };
            signal
        }
    }

    proptest! {
        #[test]
        fn the_shown_terms_add_up_to_the_score(signals in prop::collection::vec(any_signal(), 0..12), spam in -9.0..9.0_f64, abuse in -9.0..9.0_f64) {
            let verdict = policy().decide(signals, scored(spam, abuse), &usual());
            for category in Category::ALL {
                let score = 1.0 / (1.0 + (-shown_sum(&verdict, category)).exp());
                prop_assert!((score - verdict.scores[category].get()).abs() < 1e-9);
            }
        }

        #[test]
        fn one_more_hit_never_makes_a_verdict_milder(signals in prop::collection::vec(any_signal(), 0..12), weight in 0.0..8.0_f64, category in 0_usize..3) {
            let before = policy().decide(signals.clone(), ModelOutput::Off, &usual());
            let mut more = signals;
            more.push(hit("one", Category::ALL[category], weight));
            let after = policy().decide(more, ModelOutput::Off, &usual());
            prop_assert!(after.action >= before.action);
        }
    }
}
