//! One configuration and one model, together, for the whole way of one comment.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};

use crate::app::limits::{Limiter, Tier};
use crate::app::way::step;
use crate::classifier::Classifier;
use crate::classifier::delta::Learned;
use crate::domain::campaign;
use crate::domain::comment::{Article, Bounds, Comment};
use crate::domain::decision::Verdict;
use crate::domain::embedding::{Embedding, Gist};
use crate::domain::fit::Weights;
use crate::domain::history::{AuthorPast, PastOf};
use crate::domain::known::Known;
use crate::domain::normalise::{Body, words};
use crate::domain::policy::{Circumstances, Moderation, Policy};
use crate::domain::relevance::{Background, Page};
use crate::domain::rules::{Marks, Rules, Subject};
use crate::domain::siblings::{Sibling, Siblings};
use crate::domain::signal::{Allowance, Context, Signals};
use crate::domain::site::SiteId;
use crate::domain::terms::Terms;
use crate::domain::time::Timestamp;

/// `[moderation]`: who sees comments before a person did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModerationConfig {
    /// For all sites that say nothing else.
    pub mode: Moderation,
    /// `[moderation.sites.NAME]`.
    pub sites: BTreeMap<String, SiteModeration>,
}

/// `[moderation.sites.NAME]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SiteModeration {
    /// For the site's sections that say nothing else; unset for the general one.
    pub mode: Option<Moderation>,
    /// Section name to mode.
    pub sections: BTreeMap<String, Moderation>,
}

impl ModerationConfig {
    /// The mode in force for a section of a site.
    #[must_use]
    pub fn of(&self, site: &str, section: Option<&str>) -> Moderation {
        let Some(site) = self.sites.get(site) else { return self.mode };
        section.and_then(|section| site.sections.get(section).copied()).or(site.mode).unwrap_or(self.mode)
    }

    /// The mode in force where the section is known to nobody just now: a person looks, if it makes a difference.
    #[must_use]
    pub fn of_unknown_section(&self, site: &str) -> Moderation {
        let general = self.of(site, None);
        let sections = self.sites.get(site).map(|site| &site.sections);
        let differs = sections.is_some_and(|sections| sections.values().any(|mode| *mode != general));
        if differs { Moderation::Pre } else { general }
    }
}

/// `[trust]`: whom limits and modes treat as known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrustConfig {
    /// Roles, as sites send them, of a site's own people.
    pub staff_roles: Vec<String>,
    /// Approved comments from which an author counts as known.
    pub known_approved: u32,
    /// Days since the first comment from which an author counts as known.
    pub known_days: u32,
}

impl Default for TrustConfig {
    fn default() -> Self {
        let staff = ["administrator", "editor", "moderator", "staff"];
        Self { staff_roles: staff.map(str::to_owned).to_vec(), known_approved: 10, known_days: 30 }
    }
}

impl TrustConfig {
    /// Whether `role` names one of a site's own people.
    #[must_use]
    pub fn is_staff(&self, role: Option<&str>) -> bool {
        role.is_some_and(|role| self.staff_roles.iter().any(|staff| staff.eq_ignore_ascii_case(role)))
    }

    /// How far an author is trusted. What could not be looked up counts as new.
    #[must_use]
    pub fn tier(&self, role: Option<&str>, past: &Known<AuthorPast>, now: Timestamp) -> Tier {
        if self.is_staff(role) {
            return Tier::Staff;
        }
        let Some(past) = past.get() else { return Tier::New };
        let age_ms = past.first_at.map_or(0, |first| now.millis_since(first));
        // Whoever wrote more than is looked back over was here before the first of those, however busy the last days were.
        let old_enough = past.goes_further_back || age_ms >= u64::from(self.known_days) * 86_400_000;
        let mostly_good = past.rejected * 10 <= past.approved;
        if past.approved >= self.known_approved && old_enough && mostly_good { Tier::Known } else { Tier::New }
    }
}

/// Everything that a verdict depends on besides the comment and its past. Immutable; a new configuration is a new house.
#[derive(Clone)]
pub struct House {
    /// Field lengths.
    pub bounds: Bounds,
    /// All checks.
    pub signals: Arc<Signals>,
    /// The model; `None` when the operator runs without one.
    pub classifier: Option<Arc<Classifier>>,
    /// What sites taught over it.
    pub learned: Arc<BTreeMap<SiteId, Arc<Learned>>>,
    /// What decides, where a site says nothing else.
    pub policy: Policy,
    /// What operators wrote besides.
    pub rules: Arc<Rules>,
    /// What sites have of their own, by name.
    pub sites: Arc<BTreeMap<String, SiteHouse>>,
    /// What becomes of later members of a campaign that people rejected.
    pub rejected_campaigns: campaign::Later,
    /// Who sees comments before a person did.
    pub moderation: ModerationConfig,
    /// Whom limits and modes trust.
    pub trust: TrustConfig,
    /// Who counts what is sent. Asked before a comment is judged, never by whoever judges.
    pub limits: Arc<dyn Limiter>,
    /// Word statistics for relevance.
    pub background: Arc<Background>,
    /// Word vectors.
    pub embedding: Arc<Embedding>,
    /// What likenesses to the surroundings are worth.
    pub weights: Arc<Weights>,
    /// Hash of the configuration that made this house.
    pub hash: String,
}

/// What a site has of its own: made of the general settings with the site's over them.
#[derive(Clone)]
pub struct SiteHouse {
    /// All checks.
    pub signals: Arc<Signals>,
    /// What decides.
    pub policy: Policy,
}

/// What a comment's words say, summed up: made once, for the checks, the model, and the comments that follow.
#[derive(Debug)]
pub struct Meaning {
    /// Its content words.
    pub terms: Terms,
    /// What they are about.
    pub gist: Gist,
}

/// Where a comment stands: what was fetched before it is judged.
#[derive(Debug)]
pub struct Scene {
    /// The site's name.
    pub site: Arc<str>,
    /// The page, if more than its id is known.
    pub page: Known<Arc<Page>>,
    /// The comment that it answers, folded.
    pub parent: Known<String>,
    /// What stands approved around it.
    pub siblings: Known<Arc<Siblings>>,
    /// What the past says.
    pub past: PastOf,
    /// What the limits said.
    pub allowance: Allowance,
}

impl House {
    /// What decides on a site.
    #[must_use]
    pub fn policy_of(&self, site: &str) -> &Policy {
        self.sites.get(site).map_or(&self.policy, |of| &of.policy)
    }

    /// The checks of a site.
    #[must_use]
    pub fn signals_of(&self, site: &str) -> &Signals {
        self.sites.get(site).map_or(&self.signals, |of| &of.signals)
    }

    /// Prepares an article for being compared with comments.
    #[must_use]
    pub fn page(&self, article: Article) -> Page {
        Page::prepare(article, &self.background, &self.embedding)
    }

    /// What a folded text says, summed up.
    fn summary(&self, text: &str) -> Option<Siblings> {
        let ranges = words(text);
        let words = || ranges.iter().map(|word| &text[word.start as usize..word.end as usize]);
        let (terms, gist) = (Terms::of(words(), &self.background), self.embedding.gist(words()));
        Siblings::of([Sibling::new(0, 0, &terms, &gist)].iter())
    }

    /// What a comment's words say.
    #[must_use]
    pub fn meaning(&self, body: &Body) -> Box<Meaning> {
        Box::new(Meaning { terms: Terms::of(body.words(), &self.background), gist: self.embedding.gist(body.words()) })
    }

    /// Judges one comment. Pure: the same house, comment, scene and moment give the same verdict.
    #[must_use]
    pub fn judge(&self, comment: &Comment, scene: &Scene, now: Timestamp) -> Verdict {
        self.judge_meaning(comment, &self.meaning(&comment.body), scene, now)
    }

    /// The same, where it is known already what the comment's words say.
    #[must_use]
    pub fn judge_meaning(&self, comment: &Comment, meaning: &Meaning, scene: &Scene, now: Timestamp) -> Verdict {
        let page = scene.page.as_ref();
        let Meaning { terms, gist } = meaning;
        let siblings = scene.siblings.as_ref();
        let answered = scene.parent.get().and_then(|parent| self.summary(parent));
        let context = Context {
            comment,
            gist,
            terms,
            siblings: match &siblings {
                Known::Known(siblings) => Known::Known(siblings.as_ref()),
                Known::NotApplicable => Known::NotApplicable,
                Known::Unavailable(why) => Known::Unavailable(why.clone()),
            },
            answered: answered.as_ref(),
            page: match &page {
                Known::Known(page) => Known::Known(page.as_ref()),
                Known::NotApplicable => Known::NotApplicable,
                Known::Unavailable(why) => Known::Unavailable(why.clone()),
            },
            parent: match &scene.parent {
                Known::Known(text) => Known::Known(text.as_str()),
                Known::NotApplicable => Known::NotApplicable,
                Known::Unavailable(why) => Known::Unavailable(why.clone()),
            },
            past: &scene.past,
            allowance: &scene.allowance,
            now,
            view: crate::domain::view::View::default(),
        };
        let mut outcomes = step!("signals").in_scope(|| self.signals_of(&scene.site).evaluate(&context));
        let has_link = context.links_out().next().is_some();
        let model = self.classifier.as_ref().map_or(crate::domain::model::ModelOutput::Off, |classifier| {
            let _step = step!("model").entered();
            let page = page.get().map(AsRef::as_ref);
            classifier.assess(comment, page, gist, self.learned.get(&comment.trace.site).map(AsRef::as_ref))
        });
        let section = comment.sent.article.section.as_deref();
        let moderation = match (&scene.page, section) {
            (Known::Unavailable(_), None) => self.moderation.of_unknown_section(&scene.site),
            (Known::Known(page), None) => self.moderation.of(&scene.site, page.article.section.as_deref()),
            (_, section) => self.moderation.of(&scene.site, section),
        };
        let policy = self.policy_of(&scene.site);
        let about = Circumstances {
            moderation,
            role: comment.sent.author.role.as_deref(),
            author: &scene.past.author,
            allowance: &scene.allowance,
            has_link,
            rules: Marks::NONE,
            hash: &self.hash,
        };
        let _step = step!("policy").entered();
        let verdict = if self.rules.is_empty() {
            policy.decide(outcomes, model, &about)
        } else {
            // After every check and the model, so that they may be named; before policy, which weighs what rules say with the rest.
            let subject = Subject::new(&context, &scene.site, &outcomes, &model, policy, &about);
            let said = step!("rules").in_scope(|| self.rules.evaluate(&subject));
            outcomes.extend(said.outcomes);
            policy.decide(outcomes, model, &Circumstances { rules: &said.marks, ..about })
        };
        campaign::pronounce(verdict, &scene.past.campaign, self.rejected_campaigns, now)
    }
}

/// The house in force. Swapped whole: whoever took one keeps it for the whole way.
pub struct Settings(ArcSwap<House>);

impl Settings {
    /// Starts with `house`.
    #[must_use]
    pub fn new(house: House) -> Self {
        Self(ArcSwap::from_pointee(house))
    }

    /// The house in force now.
    #[must_use]
    pub fn current(&self) -> Arc<House> {
        self.0.load_full()
    }

    /// Puts what a site taught in force for whatever comes next, or takes it out of force.
    pub fn teach(&self, site: SiteId, learned: Option<&Arc<Learned>>) {
        self.0.rcu(|house| {
            let mut all = (*house.learned).clone();
            match learned {
                Some(learned) => drop(all.insert(site, Arc::clone(learned))),
                None => drop(all.remove(&site)),
            }
            House { learned: Arc::new(all), ..House::clone(house) }
        });
    }

    /// Puts `house` in force for whatever comes next. What sites taught stays in force.
    pub fn replace(&self, house: &House) {
        self.0.rcu(|now| House { learned: Arc::clone(&now.learned), ..House::clone(house) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_are_those_who_were_welcome_for_long() {
        let day = 86_400_000;
        let now = Timestamp::from_millis(100 * day);
        let past = |approved, rejected, days_ago: i64| AuthorPast {
            approved,
            rejected,
            first_at: Some(now.plus_millis(-days_ago * day)),
            ..AuthorPast::default()
        };
        let busy = AuthorPast { goes_further_back: true, ..past(50, 0, 17) };
        let cases: &[(&str, AuthorPast, Tier)] = &[
            ("nothing known", AuthorPast::default(), Tier::New),
            ("long welcome", past(10, 0, 30), Tier::Known),
            ("too few", past(9, 0, 30), Tier::New),
            ("too new", past(50, 0, 17), Tier::New),
            ("the last fifty of many within days", busy.clone(), Tier::Known),
            ("often rejected", AuthorPast { rejected: 6, ..busy }, Tier::New),
        ];
        let trust = TrustConfig::default();
        for (name, past, tier) in cases {
            assert_eq!(trust.tier(None, &Known::Known(past.clone()), now), *tier, "{name}");
        }
        assert_eq!(trust.tier(Some("Editor"), &Known::NotApplicable, now), Tier::Staff);
        assert_eq!(trust.tier(None, &Known::Unavailable("away".to_owned()), now), Tier::New);
    }
}
