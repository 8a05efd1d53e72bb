//! Judges labelled comments the way intake judges those of a site, without HTTP and without a store.
//!
//! The one place here that makes a [`Scene`]: what intake fetches before a verdict is made of the case instead. The past is a real history,
//! fed in the order of the cases, so that what comes again is seen to come again.

use std::collections::HashMap;
use std::sync::Arc;

use super::rows::{Case, START, key};
use crate::app::house::{House, Scene};
use crate::app::threads::sibling;
use crate::domain::campaign::Stances;
use crate::domain::category::{Category, PerCategory};
use crate::domain::comment::{ArticleDraft, AuthorDraft, Comment, Draft, Format};
use crate::domain::decision::{Action, Status, Verdict};
use crate::domain::history::{History, Standing};
use crate::domain::known::Known;
use crate::domain::normalise::{fold_body, normalise};
use crate::domain::policy;
use crate::domain::relevance::Page;
use crate::domain::siblings::{Sibling, Thread};
use crate::domain::signal::Allowance;
use crate::domain::site::SiteId;
use crate::domain::time::Timestamp;

/// The site that everything is judged for.
pub const SITE: SiteId = SiteId(1);

/// How far apart comments come that tell no time.
const PACE_MS: i64 = 300_000;

/// What became of one case.
#[derive(Debug, Clone)]
pub struct Heard {
    /// The case.
    pub case: Case,
    /// The model's log-odds for spam and abuse, relative to the prior.
    pub model: [f64; 2],
    /// The whole decision's scores.
    pub scores: PerCategory<f64>,
    /// The policy's log-odds before anything is known.
    pub prior: PerCategory<f64>,
    /// The scores from which a comment is held.
    pub hold: PerCategory<f64>,
    /// What the whole decision was.
    pub action: Action,
    /// What it would be for spam and off-topic alone.
    pub as_spam: Action,
    /// What it would be for abuse alone.
    pub as_abuse: Action,
    /// Signals that counted against it.
    pub signals: Vec<String>,
}

impl Heard {
    /// The whole decision's score for what readers call spam: the higher of spam and off-topic.
    #[must_use]
    pub fn spam_or_off_topic(&self) -> f64 {
        self.scores.spam.max(self.scores.off_topic)
    }
}

/// What a case meets when it comes.
pub struct Sight {
    /// The case as a comment.
    pub comment: Comment,
    /// What is fetched before it is judged.
    scene: Scene,
    /// The moment.
    now: Timestamp,
}

/// A house with a past of its own.
pub struct Court {
    house: Arc<House>,
    history: Arc<dyn History>,
    pages: HashMap<String, Arc<Page>>,
    threads: HashMap<u64, Thread>,
    site: Arc<str>,
}

impl Court {
    /// Opens with an empty past.
    #[must_use]
    pub fn new(house: Arc<House>, history: Arc<dyn History>) -> Self {
        Self { house, history, pages: HashMap::new(), threads: HashMap::new(), site: "measured".into() }
    }

    /// The house.
    #[must_use]
    pub const fn house(&self) -> &Arc<House> {
        &self.house
    }

    /// Judges cases one after the other; each leaves its mark on the past. Cases that no site could post are left out.
    ///
    /// # Errors
    /// Something that was due failed: a comment that is held for that says nothing about the house.
    pub async fn hear(&mut self, cases: Vec<Case>) -> anyhow::Result<Vec<Heard>> {
        let mut all = Vec::with_capacity(cases.len());
        for (number, case) in cases.into_iter().enumerate() {
            let Some(sight) = self.sight(&case, number).await else { continue };
            let heard = self.judge(&self.house, case, &sight)?;
            self.settle(&sight, Standing { status: heard.action.status(), by_person: false }).await;
            all.push(heard);
        }
        Ok(all)
    }

    /// What a case meets when it comes, as the `number`th; `None` when no site could post it.
    pub async fn sight(&mut self, case: &Case, number: usize) -> Option<Sight> {
        // Where a set tells no time, comments come one by one: all at one instant would be a burst.
        let now = case.at.unwrap_or_else(|| START.plus_millis(i64::try_from(number).unwrap_or(0) * PACE_MS));
        let comment = self.comment(case, number)?;
        let page = self.page(case.article.as_ref());
        let stances = || Stances::of(&comment, page.as_deref());
        let past = self.history.sight_in(&comment.trace, &stances, now).await;
        let thread = self.threads.entry(comment.trace.article).or_default();
        let siblings = case.thread.as_deref().unwrap_or(thread).around(comment.trace.comment, comment.trace.author);
        let parent = case.parent.as_deref().map(|text| fold_body(text, Format::Text));
        let scene = Scene {
            site: Arc::clone(&self.site),
            page: page.map_or(Known::NotApplicable, Known::Known),
            parent: parent.map_or(Known::NotApplicable, Known::Known),
            siblings: siblings.map_or(Known::NotApplicable, Known::Known),
            past,
            allowance: Allowance::Off, // everything arrives at once here: limits would say nothing about real traffic
        };
        Some(Sight { comment, scene, now })
    }

    /// Judges a case by `house`: the court's own, or one that learned meanwhile.
    ///
    /// # Errors
    /// Something that was due failed.
    pub fn judge(&self, house: &House, case: Case, sight: &Sight) -> anyhow::Result<Heard> {
        let verdict = house.judge(&sight.comment, &sight.scene, sight.now);
        if let Some(cause) = verdict.causes.iter().find(|cause| cause.id.starts_with("unavailable")) {
            anyhow::bail!("{}: {}", case.id, cause.text);
        }
        Ok(self.heard(case, &verdict))
    }

    /// Leaves a case's mark on the past: what became of it, and by whom.
    pub async fn settle(&mut self, sight: &Sight, standing: Standing) {
        if standing.status == Status::Approved {
            let thread = self.threads.entry(sight.comment.trace.article).or_default();
            thread.add(sibling(&sight.comment, &self.house.meaning(&sight.comment.body)));
        }
        self.history.settle(&sight.comment.trace, sight.now, standing).await;
    }

    /// The case as the comment that a site would post.
    #[must_use]
    pub fn comment(&self, case: &Case, number: usize) -> Option<Comment> {
        let article = case
            .article
            .clone()
            .unwrap_or_else(|| ArticleDraft { id: format!("page-{:016x}", case.group), ..ArticleDraft::default() });
        let author = AuthorDraft {
            id: case.author.as_deref().map(key),
            name: case.author_name.clone(),
            url: case.author_url.clone(),
            ..AuthorDraft::default()
        };
        let draft = Draft {
            id: format!("{}-{number}-{}", case.source, key(&case.id)),
            article,
            author: Some(author),
            body: case.body.clone(),
            ..Draft::default()
        };
        Some(normalise(SITE, draft.parse(&self.house.bounds).ok()?, false))
    }

    /// The case as those that follow it meet it.
    #[must_use]
    pub fn sibling(&self, case: &Case) -> Option<Sibling> {
        let comment = self.comment(case, 0)?;
        Some(sibling(&comment, &self.house.meaning(&comment.body)))
    }

    /// The page, prepared once.
    pub fn page(&mut self, article: Option<&ArticleDraft>) -> Option<Arc<Page>> {
        let article = article?;
        if let Some(page) = self.pages.get(&article.id) {
            return Some(Arc::clone(page));
        }
        let parsed = article.clone().parse(&self.house.bounds).ok()?;
        let page = Arc::new(self.house.page(parsed));
        self.pages.insert(article.id.clone(), Arc::clone(&page));
        Some(page)
    }

    fn heard(&self, case: Case, verdict: &Verdict) -> Heard {
        let policy = self.house.policy.config();
        let of = |category: Category, config: &policy::CategoryConfig| {
            let score = verdict.scores[category];
            if score >= config.reject && config.reject.get() < 1.0 {
                Action::Reject
            } else if score >= config.hold {
                Action::Hold
            } else {
                Action::Approve
            }
        };
        let counted = verdict.signals.iter().filter(|signal| signal.counted().get() > 0.0);
        Heard {
            model: [Category::Spam, Category::Abuse].map(|category| verdict.model.log_odds(category).get()),
            scores: PerCategory::from_fn(|category| verdict.scores[category].get()),
            prior: PerCategory::from_fn(|category| verdict.prior[category].get()),
            hold: PerCategory {
                spam: policy.spam.hold.get(),
                off_topic: policy.off_topic.hold.get(),
                abuse: policy.abuse.hold.get(),
            },
            action: verdict.action,
            as_spam: of(Category::Spam, &policy.spam).max(of(Category::OffTopic, &policy.off_topic)),
            as_abuse: of(Category::Abuse, &policy.abuse),
            signals: counted.map(|signal| signal.id.to_string()).collect(),
            case,
        }
    }
}
