//! Comments that come by Akismet's protocol: `[akismet]`.
//!
//! A check is a comment as any other, and goes the way of all of them ([`Intake::submit_calling`]): what is doubtful waits for a person, and the
//! client is called back with what they say. A report is a ruling on that comment by the site itself: it teaches, and a person who decided here has
//! the last word. What clients send once more finds what is recorded ([`ids`]).

mod ids;
pub mod lookup;
pub mod months;
pub mod submission;

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use self::submission::Submission;
use crate::app::house::Settings;
use crate::app::intake::{Intake, IntakeError, Turn};
use crate::app::limits::{RateLimited, Route, Subject, Tier};
use crate::app::live::Live;
use crate::app::review::{Ask, Review, ReviewError};
use crate::domain::akismet::CheckCounts;
use crate::domain::category::Category;
use crate::domain::comment::{ExternalId, Invalid, NewComment};
use crate::domain::decision::{Action, Actor, DecidedBy, Record, Status, Verdict};
use crate::domain::site::{Site, SiteId};
use crate::domain::store::{AuditEntry, HappeningKind, RulingCategory, Seen, Store, StoreError};
use crate::domain::time::Timestamp;

/// What clients hear of a doubtful comment of which it is not known that they hold it in another way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubtful {
    /// `false` and `X-akismet-recheck-after`, as the protocol says: one that does not read that publishes.
    #[default]
    Recheck,
    /// `true`, never with `discard`: one that shows its spam to nobody loses it from sight.
    Spam,
}

/// `[akismet]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Hosts below which the first label is a key, as in `KEY.rest.akismet.com`.
    pub host_suffixes: Vec<String>,
    /// Seconds that clients are told to wait for a person, with what is doubtful. WordPress publishes after twice as long.
    pub recheck_after_s: u32,
    /// What other clients hear of what is doubtful.
    pub doubtful: Doubtful,
    /// Score for spam from which a client may throw a comment away unseen; above 1.0 for never.
    pub discard_score: f64,
    /// Seconds within which the same comment is the same request once more.
    pub retry_window_s: u32,
    /// Sites that are believed who is an administrator, an editor and so on.
    pub trust_roles_of: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            host_suffixes: vec!["rest.akismet.com".to_owned()],
            recheck_after_s: 604_800,
            doubtful: Doubtful::Recheck,
            discard_score: 0.999,
            retry_window_s: 120,
            trust_roles_of: Vec::new(),
        }
    }
}

/// A setting that cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("akismet.{key}: {problem}")]
pub struct BadAkismet {
    key: &'static str,
    problem: String,
}

impl Config {
    /// Whether it can be worked with.
    ///
    /// # Errors
    /// [`BadAkismet`], naming the key.
    pub fn check(&self) -> Result<(), BadAkismet> {
        let bad = |key, problem: &str| Err(BadAkismet { key, problem: problem.to_owned() });
        let is_host = |host: &String| host.contains('.') && matches!(url::Host::parse(host), Ok(url::Host::Domain(_)));
        if let Some(host) = self.host_suffixes.iter().find(|host| !is_host(host)) {
            return bad("host_suffixes", &format!("`{host}` is no host name such as rest.akismet.com"));
        }
        if !(60..=31_536_000).contains(&self.recheck_after_s) {
            return bad("recheck_after_s", "must lie within 60 and 31536000");
        }
        if !(1..=86_400).contains(&self.retry_window_s) {
            return bad("retry_window_s", "must lie within 1 and 86400");
        }
        if !(0.5..=2.0).contains(&self.discard_score) {
            return bad("discard_score", "must lie within 0.5 and 2.0");
        }
        Ok(())
    }

    fn trusts(&self, site: &str) -> bool {
        self.trust_roles_of.iter().any(|trusted| trusted == site)
    }
}

/// What a check came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// No spam.
    Ham,
    /// A person looks at it.
    Doubtful {
        /// Seconds for which the client may wait for that.
        recheck_after_s: u32,
    },
    /// Spam.
    Spam {
        /// Whether nobody needs to see it.
        discard: bool,
    },
}

/// A check's answer, and our name for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked {
    /// What it came to.
    pub answer: Answer,
    /// The comment's uid; one of nothing, where nothing was kept.
    pub guid: Uuid,
}

/// What a site says of a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// It is spam.
    Spam,
    /// It is not.
    Ham,
}

impl Label {
    const fn action(self) -> Action {
        match self {
            Self::Spam => Action::Reject,
            Self::Ham => Action::Approve,
        }
    }
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reported {
    /// It is a decision now.
    Decided,
    /// The comment was not known: it is stored, judged, and decided.
    Stored,
    /// The site had said so before, or a person here.
    Known,
    /// A person here says otherwise: that stands.
    Outranked,
    /// A test: nothing was kept.
    Test,
}

impl Reported {
    /// Its name in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Decided => "decided",
            Self::Stored => "stored",
            Self::Known => "known",
            Self::Outranked => "outranked",
            Self::Test => "test",
        }
    }
}

/// Why there is no answer. Nothing was decided; the same again is safe.
#[derive(Debug, thiserror::Error)]
pub enum AkismetError {
    /// There is nothing to judge, or too much.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// Over a limit that refuses.
    #[error(transparent)]
    RateLimited(#[from] RateLimited),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

impl From<IntakeError> for AkismetError {
    fn from(error: IntakeError) -> Self {
        match error {
            IntakeError::RateLimited(limited) => Self::RateLimited(limited),
            IntakeError::Store(error) => Self::Store(error),
            // Asked for again and again under one name that is erased meanwhile.
            IntakeError::CommentExists | IntakeError::NotFound => {
                Self::Store(StoreError::Unavailable("the comment is erased meanwhile".into()))
            }
        }
    }
}

/// How often a report is made anew when somebody else changes the comment meanwhile.
const ATTEMPTS: usize = 5;

/// See the module.
pub struct Akismet {
    intake: Arc<Intake>,
    review: Arc<Review>,
    settings: Arc<Settings>,
    store: Arc<dyn Store>,
    config: Live<Config>,
}

impl Akismet {
    /// Over `intake` and `review`.
    #[must_use]
    pub fn new(
        intake: Arc<Intake>,
        review: Arc<Review>,
        settings: Arc<Settings>,
        store: Arc<dyn Store>,
        config: impl Into<Live<Config>>,
    ) -> Self {
        Self { intake, review, settings, store, config: config.into() }
    }

    /// `[akismet]` as it is in force.
    #[must_use]
    pub fn config(&self) -> Arc<Config> {
        self.config.get()
    }

    /// Counts a key that opened nothing lately from that address, before it is looked up: a key has twelve digits, and could be guessed.
    ///
    /// # Errors
    /// [`RateLimited`].
    pub async fn count_key(&self, from: Option<IpAddr>, now: Timestamp) -> Result<(), RateLimited> {
        self.count(SiteId(0), Route::AkismetKey, from, now).await
    }

    /// Counts a question about the account of a site.
    ///
    /// # Errors
    /// [`RateLimited`].
    pub async fn count_question(&self, site: &Site, now: Timestamp) -> Result<(), RateLimited> {
        self.count(site.id, Route::AkismetAccount, None, now).await
    }

    async fn count(&self, site: SiteId, route: Route, ip: Option<IpAddr>, now: Timestamp) -> Result<(), RateLimited> {
        let subject = Subject { site, route, tier: Tier::New, ip, author: None, email: None };
        let house = self.settings.current();
        house.limits.take(&subject, now).await.map(drop)
    }

    /// Whether a comment is spam. The same comment again is answered with what is recorded of it, or what a person said since.
    ///
    /// # Errors
    /// [`AkismetError`].
    pub async fn check(&self, site: &Arc<Site>, sent: &Submission, now: Timestamp) -> Result<Checked, AkismetError> {
        let config = self.config.get();
        let kept_nothing = |answer| Checked { answer, guid: Uuid::new_v4() };
        if sent.is_test_spam() {
            return Ok(kept_nothing(Answer::Spam { discard: sent.test_discard }));
        }
        let trusted = config.trusts(&site.name);
        if sent.is_administrators() && (trusted || sent.is_test) {
            return Ok(kept_nothing(Answer::Ham)); // not looked at, and so not kept as if it had been
        }
        let role = Some(sent.role.as_str()).filter(|_| trusted);
        if sent.is_pre_check && sent.text().is_empty() {
            return Ok(kept_nothing(Answer::Ham)); // the comment itself is yet to come
        }
        if sent.is_test || sent.is_pre_check {
            let new = self.comment(sent, "akismet-test".to_owned(), role)?;
            let verdict = self.intake.assess(site, new, now).await?;
            return Ok(kept_nothing(answer(&config, verdict.action.status(), &verdict)));
        }
        let record = match self.name(site, sent, &config, now).await? {
            Name::Recorded(record) => record,
            Name::New(id) => {
                let new = self.comment(sent, id, role)?;
                let callback = sent.callback_for(site.url.as_deref());
                if callback.is_none() && !sent.callback.is_empty() {
                    metrics::counter!("doorward_akismet_callbacks_refused_total").increment(1);
                    tracing::warn!(site = %site.name, "a callback to another host than the blog's is not taken");
                }
                Box::new(self.submit(site, new, callback, Route::Akismet, now).await?)
            }
        };
        Ok(Checked { answer: answer(&config, record.status, &record.verdict), guid: record.uid })
    }

    /// Takes what a site says of a comment.
    ///
    /// # Errors
    /// [`AkismetError`]; `Invalid` for one that is not known and has no text.
    pub async fn report(
        &self,
        site: &Arc<Site>,
        sent: &Submission,
        label: Label,
        now: Timestamp,
    ) -> Result<Reported, AkismetError> {
        self.count(site.id, Route::AkismetReport, None, now).await?;
        if sent.is_test {
            return Ok(Reported::Test);
        }
        let mut stored = false;
        for _ in 0..ATTEMPTS {
            let record = if let Some(record) = self.find(site, sent).await? {
                record
            } else {
                stored = true;
                let new = self.comment(sent, ids::of(sent), None)?;
                self.submit(site, new, None, Route::Feedback, now).await?
            };
            if record.decided_by == DecidedBy::Person {
                let same = record.status == label.action().status();
                if same {
                    return Ok(Reported::Known);
                }
                if self.is_persons(&record).await? {
                    return self.note_outranked(site, &record, label, now).await;
                }
            }
            let ask = Ask {
                items: vec![Seen { uid: record.uid, seen_version: record.version }],
                action: label.action(),
                category: (label == Label::Spam).then_some(RulingCategory::Spam),
                reason: None,
                note: Some(note(sent, label, stored)),
            };
            match self.review.decide_for_site(ask, site, now).await {
                Ok(_) if stored => return Ok(Reported::Stored),
                Ok(_) => return Ok(Reported::Decided),
                // Somebody else was faster: what they said is looked at first. Or it was erased.
                Err(ReviewError::Conflict(_) | ReviewError::NotFound | ReviewError::NoRuling) => {}
                Err(ReviewError::Store(error)) => return Err(error.into()),
            }
        }
        Err(StoreError::Unavailable("the comment is changed all the time".into()).into())
    }

    /// What came of a site's comments in each of these months, as in `2026-11`.
    ///
    /// # Errors
    /// The store failed.
    pub async fn counts(&self, site: &Site, months: &[String]) -> Result<Vec<(String, CheckCounts)>, StoreError> {
        let mut counts = Vec::with_capacity(months.len());
        for month in months {
            let Some((from, until)) = months::bounds(month) else { continue };
            counts.push((month.clone(), self.store.check_counts(site.id, from, until).await?));
        }
        Ok(counts)
    }

    fn comment(&self, sent: &Submission, id: String, role: Option<&str>) -> Result<NewComment, Invalid> {
        sent.comment(id, role, &self.settings.current().bounds)
    }

    /// Under which name a comment is to be stored; or what is recorded of it, where it is the same once more.
    async fn name(
        &self,
        site: &Site,
        sent: &Submission,
        config: &Config,
        now: Timestamp,
    ) -> Result<Name, AkismetError> {
        if sent.is_again
            && let Some(record) = self.find(site, sent).await?
        {
            return Ok(Name::Recorded(Box::new(record)));
        }
        let first = ids::of(sent);
        let Some(record) = self.recorded(site, &first).await? else { return Ok(Name::New(first)) };
        let window_ms = i64::from(config.retry_window_s) * 1_000;
        let is_recent = |record: &Record| now.as_millis() - record.received_at.as_millis() <= window_ms;
        // What was let through by no person is looked at again: else whoever got a text past once could send it for ever.
        if is_recent(&record) || record.status != Status::Approved || record.decided_by == DecidedBy::Person {
            return Ok(Name::Recorded(Box::new(record)));
        }
        let window = now.as_millis().div_euclid(window_ms);
        for name in [window, window - 1].map(|window| ids::again(&first, window)) {
            if let Some(record) = self.recorded(site, &name).await?
                && is_recent(&record)
            {
                return Ok(Name::Recorded(Box::new(record)));
            }
        }
        Ok(Name::New(ids::again(&first, window)))
    }

    async fn submit(
        &self,
        site: &Arc<Site>,
        new: NewComment,
        callback: Option<String>,
        route: Route,
        now: Timestamp,
    ) -> Result<Record, AkismetError> {
        let id = new.id.clone();
        match self.intake.submit_calling(site, new, callback, route, Turn::any(), now).await {
            Ok(taken) => Ok(taken.record),
            // The same words by the same person in another place of the page: what is recorded of them stands.
            Err(IntakeError::CommentExists) => {
                let found = self.store.comment_find(site.id, &id).await?;
                found.map(|(record, _)| record).ok_or_else(|| IntakeError::NotFound.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The comment that a client means: by our name for it, by the blog's number, or by what it says.
    async fn find(&self, site: &Site, sent: &Submission) -> Result<Option<Record>, AkismetError> {
        for guid in &sent.guids {
            let found = self.store.comment_by_uid(*guid).await?;
            if let Some(record) = found.filter(|record| record.site == site.name) {
                return Ok(Some(record));
            }
        }
        if !sent.comment_id.is_empty()
            && let Some(record) = self.recorded(site, &sent.comment_id).await?
            && record.comment.article.id.as_str() == sent.page()
        {
            return Ok(Some(record));
        }
        if sent.text().trim().is_empty() {
            return Ok(None);
        }
        for name in ids::all(sent) {
            if let Some(record) = self.recorded(site, &name).await? {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    async fn recorded(&self, site: &Site, id: &str) -> Result<Option<Record>, StoreError> {
        let Ok(id) = ExternalId::parse("id", id.to_owned()) else { return Ok(None) };
        Ok(self.store.comment_find(site.id, &id).await?.map(|(record, _)| record))
    }

    /// Whether a person here decided, and not the site by a report.
    async fn is_persons(&self, record: &Record) -> Result<bool, StoreError> {
        let history = self.store.comment_history(record.uid).await?;
        let undone: Vec<Option<Uuid>> =
            history.iter().filter(|one| one.kind == HappeningKind::Undone).map(|one| one.decision).collect();
        let last = history.iter().rfind(|one| one.kind == HappeningKind::Decided && !undone.contains(&one.decision));
        Ok(!matches!(last.map(|one| &one.by), Some(Actor::Site(_))))
    }

    async fn note_outranked(
        &self,
        site: &Site,
        record: &Record,
        label: Label,
        now: Timestamp,
    ) -> Result<Reported, AkismetError> {
        let said = if label == Label::Spam { "spam" } else { "not spam" };
        let entry = AuditEntry {
            by: Actor::Site(site.name.to_string()),
            action: "akismet.report".to_owned(),
            subject: record.uid.to_string(),
            detail: format!("said to be {said}; a person's decision stands"),
            at: now,
        };
        self.store.audit_note(entry).await?;
        Ok(Reported::Outranked)
    }
}

/// Where a comment belongs.
enum Name {
    Recorded(Box<Record>),
    New(String),
}

fn answer(config: &Config, status: Status, verdict: &Verdict) -> Answer {
    match status {
        Status::Approved => Answer::Ham,
        Status::Held => Answer::Doubtful { recheck_after_s: config.recheck_after_s },
        Status::Rejected => {
            let for_spam = verdict.action == Action::Reject && verdict.category == Some(Category::Spam);
            Answer::Spam { discard: for_spam && verdict.scores.spam.get() >= config.discard_score }
        }
    }
}

/// Who said so, for colleagues.
fn note(sent: &Submission, label: Label, stored: bool) -> String {
    let short = |text: &str| text.chars().filter(|c| !c.is_control()).take(100).collect::<String>();
    let mut note = format!("Reported as {}", if label == Label::Spam { "spam" } else { "not spam" });
    if !sent.reporter.is_empty() {
        note.push_str(&format!(" by {}", short(&sent.reporter)));
    }
    if !sent.role.is_empty() {
        note.push_str(&format!(" (author's role: {})", short(&sent.role)));
    }
    let on = if sent.reported_on.is_empty() { &sent.blog } else { &sent.reported_on };
    if !on.is_empty() {
        note.push_str(&format!(" on {}", short(on)));
    }
    match sent.answered {
        Some(true) => note.push_str("; the answer there had been spam"),
        Some(false) => note.push_str("; the answer there had been no spam"),
        None => {}
    }
    if stored {
        note.push_str("; the comment was not known here before");
    }
    note.push('.');
    note
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_have_bounds() {
        assert_eq!(Config::default().check(), Ok(()));
        for (bad, key) in [
            (Config { host_suffixes: vec!["com".to_owned()], ..Config::default() }, "host_suffixes"),
            (Config { recheck_after_s: 2, ..Config::default() }, "recheck_after_s"),
            (Config { retry_window_s: 0, ..Config::default() }, "retry_window_s"),
            (Config { discard_score: f64::NAN, ..Config::default() }, "discard_score"),
        ] {
            let problem = bad.check().map_err(|error| error.to_string());
            assert!(
                problem.as_ref().is_err_and(|problem| problem.starts_with(&format!("akismet.{key}"))),
                "{problem:?}"
            );
        }
    }

    #[test]
    fn a_note_says_who_and_what_was_answered_before() {
        let sent = Submission {
            reporter: "ann\n".to_owned(),
            role: "administrator".to_owned(),
            reported_on: "blog.example".to_owned(),
            answered: Some(true),
            ..Submission::default()
        };
        assert_eq!(
            note(&sent, Label::Ham, true),
            "Reported as not spam by ann (author's role: administrator) on blog.example; the answer there had been spam; \
             the comment was not known here before."
        );
        assert_eq!(note(&Submission::default(), Label::Spam, false), "Reported as spam.");
    }
}
