//! Taking comments in: submit, edit, assess, erase, list.

use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::app::house::{House, Scene, Settings};
use crate::app::limits::{Limiter, RateLimited, Route, Subject};
use crate::app::pages::Pages;
use crate::domain::comment::{Article, Comment, ExternalId, NewComment};
use crate::domain::decision::{Action, Actor, DecidedBy, Record, Verdict};
use crate::domain::history::{History, PastOf, Standing};
use crate::domain::known::Known;
use crate::domain::normalise;
use crate::domain::relevance::Page;
use crate::domain::signal::Allowance;
use crate::domain::site::{Site, SiteId};
use crate::domain::store::{self, CommentFilter, ListError, NewRecord, PageRequest, Recording, Store, StoreError};
use crate::domain::time::Timestamp;

/// Why a comment was not taken.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// Over a limit that refuses. Nothing was recorded.
    #[error(transparent)]
    RateLimited(#[from] RateLimited),
    /// The id is taken by a comment with other content. Nothing was changed.
    #[error("a comment with this id and other content exists; edit it with PUT")]
    CommentExists,
    /// There is no such comment (any more).
    #[error("there is no comment with this id")]
    NotFound,
    /// The store failed. Perhaps recorded: the same request again is safe.
    #[error("the comment could not be stored")]
    Store(#[from] StoreError),
}

/// A comment that was taken.
#[derive(Debug, Clone)]
pub struct Taken {
    /// What is recorded.
    pub record: Record,
    /// Whether it was recorded before.
    pub replayed: bool,
}

/// Whose turn it is, where comments have an order: one that comes later sees every one that came before. Given up as soon as the comment is
/// judged, so that the next is judged while this one is made durable.
#[derive(Debug, Default)]
pub struct Turn(Option<OwnedMutexGuard<()>>);

impl Turn {
    /// For a comment by itself.
    #[must_use]
    pub const fn any() -> Self {
        Self(None)
    }

    /// For the next comment of an ordered stream, which shares `queue`.
    pub async fn next(queue: Arc<Mutex<()>>) -> Self {
        Self(Some(queue.lock_owned().await))
    }

    fn end(self) {
        drop(self.0);
    }
}

/// The way in.
pub struct Intake {
    settings: Arc<Settings>,
    store: Arc<dyn Store>,
    history: Arc<dyn History>,
    limits: Arc<dyn Limiter>,
    pages: Pages,
}

impl Intake {
    /// Joins the ports. `pages` is how many prepared articles are kept.
    #[must_use]
    pub fn new(
        settings: Arc<Settings>,
        store: Arc<dyn Store>,
        history: Arc<dyn History>,
        limits: Arc<dyn Limiter>,
        pages: usize,
    ) -> Self {
        let pages = Pages::new(Arc::clone(&store), pages);
        Self { settings, store, history, limits, pages }
    }

    /// Takes one comment from arrival to recorded decision. The same id with the same content returns the first decision.
    ///
    /// # Errors
    /// `RateLimited`, `CommentExists`: nothing recorded. `Store(Unavailable)`: perhaps recorded; send the same again.
    pub async fn submit(
        &self,
        site: &Arc<Site>,
        new: NewComment,
        route: Route,
        turn: Turn,
        now: Timestamp,
    ) -> Result<Taken, IntakeError> {
        let house = self.settings.current(); // one configuration and one model for the whole way
        let comment = read(site, new, &house);
        if let Some(earlier) = self.recorded(site.id, &comment).await? {
            return Ok(earlier); // before limits: a retry is no flood
        }
        let allowance = self.allowance(site.id, &comment, route, &house, now).await?;
        let (scene, article) = self.scene(site, &comment, allowance, &house, now).await;
        let past = self.history.sight(&comment.trace, now).await; // two at once: one sees the other
        let scene = Scene { past, ..scene };
        let verdict = house.judge(&comment, &scene, now);
        turn.end();
        let new = NewRecord { tell: route.tells(), ..record(site, &comment, verdict, article, now) };
        let recording = self.store.comment_record(new).await;
        self.conclude(site.id, &comment, &scene, recording).await
    }

    /// Replaces a comment's text and judges it anew. A person's verdict stays in force unless the text changed.
    ///
    /// # Errors
    /// `NotFound`, `RateLimited`: nothing changed. `Store(Unavailable)`: perhaps changed; send the same again.
    pub async fn edit(
        &self,
        site: &Arc<Site>,
        new: NewComment,
        route: Route,
        now: Timestamp,
    ) -> Result<Taken, IntakeError> {
        let house = self.settings.current();
        let comment = read(site, new, &house);
        let Some((record_before, content)) = self.store.comment_find(site.id, &comment.sent.id).await? else {
            return Err(IntakeError::NotFound);
        };
        if content == normalise::content_hash(&comment.sent) {
            return Ok(Taken { record: record_before, replayed: true });
        }
        let allowance = self.allowance(site.id, &comment, route, &house, now).await?;
        let (scene, article) = self.scene(site, &comment, allowance, &house, now).await;
        let past = self.history.sight(&comment.trace, now).await;
        let scene = Scene { past, ..scene };
        let verdict = house.judge(&comment, &scene, now);
        let new = NewRecord { tell: route.tells(), ..record(site, &comment, verdict, article, now) };
        let revised = self.store.comment_revise(new).await?;
        let revised = revised.ok_or(IntakeError::NotFound)?;
        self.conclude(site.id, &comment, &scene, Ok(Recording::New(revised))).await
    }

    /// What the verdict would be. Stores nothing, teaches nothing, counts against its own limit only.
    ///
    /// # Errors
    /// `RateLimited`.
    pub async fn assess(&self, site: &Arc<Site>, new: NewComment, now: Timestamp) -> Result<Verdict, IntakeError> {
        let house = self.settings.current();
        let comment = read(site, new, &house);
        let allowance = self.allowance(site.id, &comment, Route::Assess, &house, now).await?;
        let (scene, _) = self.scene(site, &comment, allowance, &house, now).await;
        let past = self.history.about(&comment.trace, now).await;
        Ok(house.judge(&comment, &Scene { past, ..scene }, now))
    }

    /// A site's own comment.
    ///
    /// # Errors
    /// `NotFound`, `Store`.
    pub async fn comment(&self, site: SiteId, id: &ExternalId) -> Result<Record, IntakeError> {
        self.store.comment_find(site, id).await?.map(|(record, _)| record).ok_or(IntakeError::NotFound)
    }

    /// A site's own comments, newest first.
    ///
    /// # Errors
    /// [`ListError`]: a cursor that is not ours, or the store failed.
    pub async fn comments(
        &self,
        site: SiteId,
        filter: &CommentFilter,
        page: &PageRequest,
    ) -> Result<store::Page<Record>, ListError> {
        self.store.comment_list(site, filter, page).await
    }

    /// Erases a comment, and what the history knows by it.
    ///
    /// # Errors
    /// `NotFound`, `Store`.
    pub async fn erase(&self, site: SiteId, id: &ExternalId, by: Actor, now: Timestamp) -> Result<(), IntakeError> {
        let trace = self.store.comment_erase(site, id, by, now).await?.ok_or(IntakeError::NotFound)?;
        self.history.forget(&trace).await;
        Ok(())
    }

    /// Sets what is known of an article; fields not sent keep what was known. Answers what is known now, and whether it is new.
    ///
    /// # Errors
    /// `Store`.
    pub async fn article(
        &self,
        site: SiteId,
        article: Article,
        now: Timestamp,
    ) -> Result<(Article, bool), IntakeError> {
        let (article, new) = self.store.article_put(site, article, now).await?;
        let background = &self.settings.current().background;
        self.pages.keep(site, Arc::new(Page::new(article.clone(), background)));
        Ok((article, new))
    }

    /// What is recorded under the comment's id.
    async fn recorded(&self, site: SiteId, comment: &Comment) -> Result<Option<Taken>, IntakeError> {
        match self.store.comment_find(site, &comment.sent.id).await? {
            None => Ok(None),
            Some((record, content)) if content == normalise::content_hash(&comment.sent) => {
                Ok(Some(Taken { record, replayed: true }))
            }
            Some(_) => Err(IntakeError::CommentExists),
        }
    }

    async fn allowance(
        &self,
        site: SiteId,
        comment: &Comment,
        route: Route,
        house: &House,
        now: Timestamp,
    ) -> Result<Allowance, RateLimited> {
        let author = &comment.sent.author;
        let past = self.history.author(&comment.trace, now).await;
        let subject = Subject {
            site,
            route,
            tier: house.trust.tier(author.role.as_deref(), &past, now),
            ip: author.ip,
            author: author.id.as_ref().map(ExternalId::as_str),
            email: author.email.as_deref(),
        };
        self.limits.take(&subject, now).await
    }

    /// Fetches the page and the parent; the past is asked last, by the caller, who knows whether to leave a mark.
    async fn scene(
        &self,
        site: &Arc<Site>,
        comment: &Comment,
        allowance: Allowance,
        house: &House,
        _now: Timestamp,
    ) -> (Scene, Option<Article>) {
        let known = self.pages.with(site.id, &comment.sent.article, &house.background).await;
        let parent = match &comment.sent.parent_id {
            None => Known::NotApplicable,
            Some(id) => match self.store.comment_find(site.id, id).await {
                Ok(Some((parent, _))) => {
                    Known::Known(normalise::fold_body(&parent.comment.body, parent.comment.format))
                }
                Ok(None) => Known::NotApplicable, // the site never sent it
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "parent comment could not be read");
                    Known::Unavailable("the parent comment could not be read from the store".to_owned())
                }
            },
        };
        let past = PastOf::unavailable("the past was not asked");
        (Scene { site: Arc::clone(&site.name), page: known.page, parent, past, allowance }, known.update)
    }

    /// Tells history and page cache what became of the comment.
    async fn conclude(
        &self,
        site: SiteId,
        comment: &Comment,
        scene: &Scene,
        recording: store::Result<Recording>,
    ) -> Result<Taken, IntakeError> {
        match recording {
            Ok(Recording::New(record)) => {
                if let Known::Known(page) = &scene.page {
                    self.pages.keep(site, Arc::clone(page));
                }
                let standing = Standing { status: record.status, by_person: record.decided_by == DecidedBy::Person };
                self.history.settle(&comment.trace, record.received_at, standing).await;
                Ok(Taken { record, replayed: false })
            }
            // Another request with this id was faster. Its sighting replaced ours or ours its; they are the same comment.
            Ok(Recording::Repeat(record)) => Ok(Taken { record, replayed: true }),
            Ok(Recording::Conflict) => Err(IntakeError::CommentExists),
            Err(error) => {
                // It may be stored all the same. A sighting too few is healed by the retry, one too many would condemn.
                self.history.forget(&comment.trace).await;
                Err(error.into())
            }
        }
    }
}

/// Reduces a comment to text, links and fingerprints.
fn read(site: &Site, new: NewComment, house: &House) -> Comment {
    let staff = house.trust.is_staff(new.author.role.as_deref());
    normalise::normalise(site.id, new, staff)
}

fn record(
    site: &Arc<Site>,
    comment: &Comment,
    verdict: Verdict,
    article: Option<Article>,
    received_at: Timestamp,
) -> NewRecord {
    NewRecord {
        site: Arc::clone(site),
        comment: comment.sent.clone(),
        content: normalise::content_hash(&comment.sent),
        trace: comment.trace.clone(),
        article,
        status: verdict.action.status(),
        decided_by: DecidedBy::Policy,
        priority: priority(&verdict),
        lang: normalise::language(&comment.sent, &comment.body),
        received_at,
        verdict,
        effect: None,
        tell: false,
    }
}

/// Place in the queue: the worst of the category scores; nothing but held comments is queued.
fn priority(verdict: &Verdict) -> f64 {
    let scores = &verdict.scores;
    let worst = scores.spam.max(scores.off_topic).max(scores.abuse);
    if verdict.action == Action::Hold { worst.get() } else { 0.0 }
}
