//! One site's labels, turned into lessons and contested: pure, and run where it keeps nobody waiting.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::Config;
use crate::app::house::House;
use crate::classifier::Classifier;
use crate::classifier::contest::{Contest, Figures, Outcome, Refusal, Rules, contest, falls_behind_on};
use crate::classifier::delta::Delta;
use crate::classifier::features::features;
use crate::classifier::online::{Learner, Lesson, teaching};
use crate::domain::category::Category;
use crate::domain::comment::{Article, ExternalId};
use crate::domain::learning::{ChangeKind, Fate, Force, Label, SiteModel, Taught};
use crate::domain::normalise::normalise;
use crate::domain::policy::CategoryConfig;
use crate::domain::relevance::Page;
use crate::domain::site::SiteId;
use crate::domain::trace;

/// Everything that a conclusion depends on.
pub(super) struct Task {
    pub house: Arc<House>,
    pub classifier: Arc<Classifier>,
    pub config: Config,
    pub site: SiteId,
    /// Whose policy says what is usual there.
    pub site_name: Arc<str>,
    /// Oldest first.
    pub labels: Vec<Label>,
    /// Labels that are too old to be learned from, ascending. What is in force may have learned some: they are there to learn again what is left
    /// of it, and nothing else.
    pub old: Vec<i64>,
    /// What is in force, over this classifier.
    pub champion: Option<Arc<SiteModel>>,
    /// Whether something is in force that lies over another model: it answers no more, whatever is concluded.
    pub is_stale: bool,
}

/// What was concluded.
pub(super) struct Concluded {
    pub fates: BTreeMap<i64, Fate>,
    pub force: Force,
    pub change: Option<(ChangeKind, String, Value)>,
}

/// Names of the outputs, in their order.
const OUTPUTS: [&str; 2] = ["spam", "abuse"];

/// What was concluded of one output.
struct Half {
    weights: Vec<(u32, f32)>,
    labels: Vec<i64>,
    kind: ChangeKind,
    reason: String,
    figures: Figures,
    /// Labels that say something to it, and whether they teach.
    taught: Vec<(i64, bool)>,
}

impl Task {
    /// Learns and contests.
    pub(super) fn conclude(&self) -> Concluded {
        let lessons = self.lessons();
        let policy = self.house.policy_of(&self.site_name).config();
        let halves = [0, 1].map(|output| self.half(output, &lessons[output], [&policy.spam, &policy.abuse][output]));
        let mut fates = BTreeMap::new();
        for (id, teaches) in halves.iter().flat_map(|half| &half.taught) {
            let fate = fates.entry(*id).or_insert(Fate::Copy);
            if *teaches && *fate == Fate::Copy {
                *fate = Fate::Waiting;
            }
        }
        for id in halves.iter().flat_map(|half| &half.labels) {
            fates.insert(*id, Fate::Learned);
        }
        let change = self.change(&halves);
        let [spam, abuse] = halves;
        let is_new = [&spam, &abuse].iter().any(|half| half.kind != ChangeKind::Refused);
        let is_nothing = spam.weights.is_empty() && abuse.weights.is_empty();
        let force = match (is_new, is_nothing) {
            (true, false) => {
                let taught = Taught { weights: [spam.weights, abuse.weights], labels: [spam.labels, abuse.labels] };
                Force::New(self.classifier.version().to_owned(), taught)
            }
            (true, true) => Force::Base,
            (false, _) if self.is_stale => Force::Base,
            (false, _) => Force::Same,
        };
        Concluded { fates, force, change }
    }

    /// The change that is most worth telling, with the figures of both outputs.
    fn change(&self, halves: &[Half; 2]) -> Option<(ChangeKind, String, Value)> {
        let rank = |kind: ChangeKind| match kind {
            ChangeKind::RolledBack => 3,
            ChangeKind::Replaced => 2,
            ChangeKind::Relearned => 1,
            ChangeKind::Refused | ChangeKind::RolledBackByPerson | ChangeKind::Reset => 0,
        };
        let kind = halves.iter().map(|half| half.kind).max_by_key(|kind| rank(*kind))?;
        let told = halves.iter().zip(OUTPUTS).filter(|(half, _)| half.kind == kind);
        let mut reason = told.map(|(half, name)| format!("{name}: {}", half.reason)).collect::<Vec<_>>().join("; ");
        let kind = if kind == ChangeKind::Refused && self.is_stale {
            reason.insert_str(0, "what was learned lies over another model; ");
            ChangeKind::RolledBack
        } else {
            kind
        };
        let figures = halves
            .iter()
            .zip(OUTPUTS)
            .map(|(half, name)| (name.to_owned(), serde_json::to_value(half.figures).unwrap_or_default()));
        Some((kind, reason, Value::Object(figures.collect::<Map<_, _>>())))
    }

    /// For each output, the labels that say something to it, as lessons.
    fn lessons(&self) -> [Vec<(i64, Lesson)>; 2] {
        let policy = self.house.policy_of(&self.site_name).config();
        let priors = [policy.spam.prior.get(), policy.abuse.prior.get()];
        let mut pages: HashMap<ExternalId, Arc<Page>> = HashMap::new();
        let mut lessons = [Vec::new(), Vec::new()];
        for label in &self.labels {
            let comment = normalise(self.site, label.comment.clone(), false);
            let page = self.page(label, &mut pages);
            let features = features(&comment, Some(&page));
            // As intake says it: of a language that it hardly saw it says little, and learning has to start from there.
            let gist = self.house.embedding.gist(comment.body.words());
            let said_by_base = self.classifier.assess(&comment, Some(&page), &gist, None);
            let base = [Category::Spam, Category::Abuse].map(|category| said_by_base.log_odds(category).get());
            for (output, said) in [label.said.spam, label.said.abuse].into_iter().enumerate() {
                let Some(said) = said else { continue };
                let lesson = Lesson {
                    features: features.clone(),
                    base: priors[output] + base[output],
                    prior: priors[output],
                    label: said,
                    exact: trace::exact(comment.body.words()),
                    sketch: comment.trace.text,
                };
                lessons[output].push((label.id, lesson));
            }
        }
        lessons
    }

    fn page(&self, label: &Label, pages: &mut HashMap<ExternalId, Arc<Page>>) -> Arc<Page> {
        let sent = &label.comment.article;
        let page = pages.entry(sent.id.clone()).or_insert_with(|| {
            let known = label.article.clone().unwrap_or_else(|| Article::named(sent.id.clone()));
            Arc::new(Page::new(known.updated_with(sent), &self.house.background))
        });
        Arc::clone(page)
    }

    fn half(&self, output: usize, lessons: &[(i64, Lesson)], policy: &CategoryConfig) -> Half {
        let rules = self.config.rules(policy.hold.get(), policy.reject.get());
        let (ids, lessons): (Vec<i64>, Vec<Lesson>) = lessons.iter().cloned().unzip();
        let (mut weights, mut learned) = self.champion.as_ref().map_or_else(Default::default, |model| {
            (model.taught.weights[output].clone(), model.taught.labels[output].clone())
        });
        let is_whole = learned.iter().all(|id| ids.binary_search(id).is_ok());
        if !is_whole {
            (weights, learned) = self.relearned(&ids, &lessons, &learned);
        }
        let latest = ids.into_iter().zip(lessons).filter(|(id, _)| self.old.binary_search(id).is_err());
        let (ids, lessons): (Vec<i64>, Vec<Lesson>) = latest.unzip();
        let delta = Delta::new([&weights, &[]], self.config.sum_max);
        let added = |(id, lesson): (&i64, &Lesson)| {
            learned.binary_search(id).is_err().then(|| delta.margins(&lesson.features)[0])
        };
        let champion: Vec<Option<f64>> = ids.iter().zip(&lessons).map(added).collect();
        let is_behind = !delta.is_empty() && falls_behind_on(&lessons, &champion, &rules);
        let Contest { figures, outcome, taught } = contest(&lessons, &champion, self.config.pace(), &rules);
        let taught: Vec<(i64, bool)> = ids.into_iter().zip(taught).collect();
        let half = |kind, reason: &str, weights, labels| Half {
            weights,
            labels,
            kind,
            reason: reason.to_owned(),
            figures,
            taught: taught.clone(),
        };
        match outcome {
            Outcome::Wins(weights) => {
                let labels = taught.iter().filter(|(_, teaches)| *teaches).map(|(id, _)| *id).collect();
                half(ChangeKind::Replaced, "it says better what people say", weights, labels)
            }
            Outcome::Refused(_) if is_behind => {
                let reason = "what was learned decides otherwise than people more often than the shipped model would";
                half(ChangeKind::RolledBack, reason, Vec::new(), Vec::new())
            }
            Outcome::Refused(_) if !is_whole => {
                half(ChangeKind::Relearned, "decisions that it had learned were taken back or erased", weights, learned)
            }
            Outcome::Refused(refusal) => {
                half(ChangeKind::Refused, &refused(refusal, &figures, &rules), weights, learned)
            }
        }
    }

    /// What is left of what was learned, learned anew: as if what is gone had never been there.
    fn relearned(&self, ids: &[i64], lessons: &[Lesson], learned: &[i64]) -> (Vec<(u32, f32)>, Vec<i64>) {
        let left = ids.iter().zip(lessons).filter(|(id, _)| learned.binary_search(id).is_ok());
        let (ids, lessons): (Vec<i64>, Vec<Lesson>) = left.map(|(id, lesson)| (*id, lesson.clone())).unzip();
        let taught = teaching(&lessons);
        let mut learner = Learner::new(self.config.pace());
        let (mut labels, mut counts) = (Vec::new(), [0; 2]);
        for ((id, lesson), _) in ids.iter().zip(&lessons).zip(&taught).filter(|(_, teaches)| **teaches) {
            learner.learn(lesson);
            labels.push(*id);
            counts[usize::from(lesson.label)] += 1;
        }
        if counts.iter().any(|count| *count < self.config.min_per_class) {
            return (Vec::new(), Vec::new());
        }
        (learner.weights(), labels)
    }
}

/// Why a challenger did not win, for people.
fn refused(refusal: Refusal, figures: &Figures, rules: &Rules) -> String {
    let [others, positives] = figures.teaching;
    match refusal {
        Refusal::TooFew => {
            format!("too few labels: {positives} for and {others} against, {} of each are needed", rules.min_per_class)
        }
        Refusal::TooFewNew => format!(
            "too few labels that what is in force did not learn: {}, {} are needed",
            figures.champion.labels, rules.min_new
        ),
        Refusal::NotBetter => "it is not clearly better than what is in force".to_owned(),
        Refusal::HarderOnHam => "it would reject more ham, or hold more than its finds are worth".to_owned(),
        Refusal::WorseThanBase => "it is worse than the shipped model".to_owned(),
    }
}
