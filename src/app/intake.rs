//! Taking comments in: submit, edit, assess, erase, list.

use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard};
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

use crate::app::campaigns;
use crate::app::events::Events;
use crate::app::house::{House, Meaning, Scene, Settings};
use crate::app::in_flight::{InFlight, to_its_end};
use crate::app::limits::{RateLimited, Route, Subject};
use crate::app::live::Live;
use crate::app::outbox;
use crate::app::pages::{News, Pages};
use crate::app::sampling::Sampler;
use crate::app::sanctions::Sanctions;
use crate::app::standing::Listeners;
use crate::app::threads::{self, Threads};
use crate::app::way::{self, step};
use crate::domain::campaign::{Membership, Stances};
use crate::domain::comment::{Article, Comment, ExternalId, NewComment};
use crate::domain::decision::{Action, Actor, DecidedBy, Record, Status, Verdict};
use crate::domain::history::{History, PastOf, Standing};
use crate::domain::known::Known;
use crate::domain::normalise;
use crate::domain::people::Reach;
use crate::domain::readers::ReaderView;
use crate::domain::relevance::Page;
use crate::domain::sanction::{Effect, Judged, pronounce};
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

/// What was concluded from a comment before.
#[derive(Debug, Clone)]
pub struct Given {
    /// The verdict.
    pub verdict: Verdict,
    /// What it became.
    pub status: Status,
    /// Who decided.
    pub decided_by: DecidedBy,
    /// What a sanction made of it.
    pub effect: Option<Effect>,
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

/// How a comment comes in.
enum Coming {
    /// For the first time, in its turn; `callback` is the address that came with it and wants to be called when its status changes.
    New { callback: Option<String>, turn: Turn },
    /// As another text of a comment that is recorded.
    Edit,
}

/// The way in.
pub struct Intake {
    settings: Arc<Settings>,
    store: Arc<dyn Store>,
    history: Arc<dyn History>,
    sanctions: Arc<Sanctions>,
    pages: Pages,
    threads: Arc<Threads>,
    in_flight: InFlight,
    events: Arc<Events>,
    webhooks: Live<outbox::Config>,
    sampler: Sampler,
}

impl Intake {
    /// Joins the ports. Prepared articles of about `page_bytes` are kept.
    #[must_use]
    pub fn new(
        settings: Arc<Settings>,
        store: Arc<dyn Store>,
        listeners: Listeners,
        sanctions: Arc<Sanctions>,
        page_bytes: usize,
    ) -> Self {
        let Listeners { history, events, threads } = listeners;
        let pages = Pages::new(Arc::clone(&store), page_bytes);
        let in_flight = InFlight::default();
        Self {
            settings,
            store,
            history,
            sanctions,
            pages,
            threads,
            in_flight,
            events,
            webhooks: outbox::Config::default().into(),
            sampler: Sampler::default(),
        }
    }

    /// Whose `first_verdict` says whether sites are told by webhook what they read in the answer, too.
    #[must_use]
    pub fn telling(self, webhooks: impl Into<Live<outbox::Config>>) -> Self {
        Self { webhooks: webhooks.into(), ..self }
    }

    /// What draws automatic verdicts for people to look at; without it nothing is drawn.
    #[must_use]
    pub fn sampling(self, sampler: Sampler) -> Self {
        Self { sampler, ..self }
    }

    /// Takes one comment from arrival to recorded decision. The same id with the same content returns the first decision. What was begun is
    /// done to its end, although the caller goes away.
    ///
    /// # Errors
    /// `RateLimited`, `CommentExists`: nothing recorded. `Store(Unavailable)`: perhaps recorded; send the same again.
    pub async fn submit(
        self: &Arc<Self>,
        site: &Arc<Site>,
        new: NewComment,
        route: Route,
        turn: Turn,
        now: Timestamp,
    ) -> Result<Taken, IntakeError> {
        self.take(site, new, Coming::New { callback: None, turn }, route, now).await
    }

    /// The same of a comment with which came an address that wants to be called back when its status changes.
    ///
    /// # Errors
    /// As [`Self::submit`].
    pub async fn submit_calling(
        self: &Arc<Self>,
        site: &Arc<Site>,
        new: NewComment,
        callback: Option<String>,
        route: Route,
        turn: Turn,
        now: Timestamp,
    ) -> Result<Taken, IntakeError> {
        self.take(site, new, Coming::New { callback, turn }, route, now).await
    }

    /// Replaces a comment's text and judges it anew. A person's verdict stays in force unless the text changed. What was begun is done to its
    /// end, although the caller goes away.
    ///
    /// # Errors
    /// `NotFound`, `RateLimited`: nothing changed. `Store(Unavailable)`: perhaps changed; send the same again.
    pub async fn edit(
        self: &Arc<Self>,
        site: &Arc<Site>,
        new: NewComment,
        route: Route,
        now: Timestamp,
    ) -> Result<Taken, IntakeError> {
        self.take(site, new, Coming::Edit, route, now).await
    }

    /// One comment's way, to its end: from arrival to recorded decision, whether it is new or another text of one that is there. No future of its
    /// own, which would carry the comment once more.
    fn take(
        self: &Arc<Self>,
        site: &Arc<Site>,
        new: NewComment,
        coming: Coming,
        route: Route,
        now: Timestamp,
    ) -> impl Future<Output = Result<Taken, IntakeError>> {
        let (this, site) = (Arc::clone(self), Arc::clone(site));
        let (is_edit, callback, turn) = match coming {
            Coming::New { callback, turn } => (false, callback, turn),
            Coming::Edit => (true, None, Turn::any()),
        };
        let way = way_of(&site, if is_edit { "edit" } else { "submit" });
        to_its_end(async move {
            let house = this.settings.current(); // one configuration and one model for the whole way
            let comment = step!("normalise").in_scope(|| read(&site, new, &house));
            let _alone = this.in_flight.alone(site.id, &comment.sent.id).await; // the second of an id finds the first recorded
            let earlier = match this.recorded(site.id, &comment).instrument(step!("repeat")).await? {
                Some((record, true)) => {
                    let taken = Taken { record, replayed: true };
                    came_to(&taken);
                    return Ok(taken); // before limits: a retry is no flood
                }
                Some(_) if !is_edit => return Err(IntakeError::CommentExists),
                None if is_edit => return Err(IntakeError::NotFound),
                other => other.map(|(record, _)| record.uid),
            };
            let allowance = this.allowance(site.id, &comment, route, &house, now).instrument(step!("limits")).await?;
            let (mut scene, news) = this.scene(&site, &comment, allowance, &house).instrument(step!("scene")).await;
            let sentence = this.sanctions.sentence(site.id, &comment, now).instrument(step!("sanctions")).await;
            let (past, membership) = this.sighted(&comment, &scene.page, now).instrument(step!("history")).await;
            scene.past = past;
            if let Some(uid) = earlier {
                scene.past.readers = this.readers(uid).await;
            }
            let meaning = house.meaning(&comment.body);
            let verdict = house.judge_meaning(&comment, &meaning, &scene, now);
            let judged = pronounce(verdict, &sentence, house.policy_of(&site.name).config().hold_unavailable);
            turn.end();
            let new = record(&site, &comment, judged, news.as_ref(), now);
            let new = NewRecord {
                tell: this.tells(route),
                membership: membership.clone(),
                lot: this.sampler.lot(&site, now),
                callback,
                ..new
            };
            way::remember(std::iter::once_with(|| of_comment(&site, &comment))); // before anybody can be told of it
            let recording = if is_edit {
                let revised = this.store.comment_revise(new).instrument(step!("record")).await;
                let Some(revised) = revised.transpose() else {
                    this.put_right(&site, &comment, &house).await; // deleted with its site meanwhile
                    return Err(IntakeError::NotFound);
                };
                revised.map(Recording::New)
            } else {
                this.store.comment_record(new).instrument(step!("record")).await
            };
            let taken = this.conclude(&site, &comment, &meaning, news, recording, &house).await?;
            this.announce(&taken, membership.as_ref(), now).await;
            came_to(&taken);
            Ok(taken)
        })
        .instrument(way)
    }

    /// Takes a comment, or an edit of one, with what was concluded from it before: it leaves its marks as any other, counts against limits
    /// without being stopped by them, and is not judged.
    ///
    /// # Errors
    /// `Store(Unavailable)`: perhaps recorded; the same again is safe.
    pub async fn recall(
        &self,
        site: &Arc<Site>,
        new: NewComment,
        given: Given,
        now: Timestamp,
    ) -> Result<(), IntakeError> {
        let house = self.settings.current();
        let comment = read(site, new, &house);
        let _alone = self.in_flight.alone(site.id, &comment.sent.id).await;
        let earlier = self.recorded(site.id, &comment).await?;
        if matches!(earlier, Some((_, true))) {
            return Ok(());
        }
        drop(self.allowance(site.id, &comment, Route::Comment, &house, now).await); // it came, whatever these limits say of it
        let known = self.pages.with(site.id, &comment.sent.article, &house).await;
        let (_, membership) = self.sighted(&comment, &known.page, now).await;
        let meaning = house.meaning(&comment.body);
        let Given { verdict, status, decided_by, effect } = given;
        let judged = Judged { verdict, decided_by, effect };
        let new = record(site, &comment, judged, known.news.as_ref(), now);
        let new = NewRecord { status, membership, ..new };
        let recording = if earlier.is_some() {
            let revised = self.store.comment_revise(new).await.transpose();
            revised.unwrap_or_else(|| Err(StoreError::Unavailable("the site is deleted".into()))).map(Recording::New)
        } else {
            self.store.comment_record(new).await
        };
        self.conclude(site, &comment, &meaning, known.news, recording, &house).await.map(drop)
    }

    /// What the verdict would be. Stores nothing, teaches nothing, counts against its own limit only.
    ///
    /// # Errors
    /// `RateLimited`.
    pub async fn assess(&self, site: &Arc<Site>, new: NewComment, now: Timestamp) -> Result<Verdict, IntakeError> {
        let house = self.settings.current();
        let comment = read(site, new, &house);
        let allowance = self.allowance(site.id, &comment, Route::Assess, &house, now).await?;
        let (scene, _) = self.scene(site, &comment, allowance, &house).await;
        let sentence = self.sanctions.sentence(site.id, &comment, now).await;
        let past = self.history.about(&comment.trace, now).await;
        let verdict = house.judge(&comment, &Scene { past, ..scene }, now);
        Ok(pronounce(verdict, &sentence, house.policy_of(&site.name).config().hold_unavailable).verdict)
    }

    /// A site's own comment, as far as it lies within `reach`.
    ///
    /// # Errors
    /// `NotFound`, `Store`.
    pub async fn comment(&self, site: SiteId, id: &ExternalId, reach: &Reach) -> Result<Record, IntakeError> {
        let (record, _) = self.store.comment_find(site, id).await?.ok_or(IntakeError::NotFound)?;
        if !reach.is_all() {
            let place = self.store.comment_place(record.uid).await?;
            place.filter(|place| place.lies_within(reach)).ok_or(IntakeError::NotFound)?;
        }
        Ok(record)
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

    /// Erases a comment within `reach`, and what the history knows by it.
    ///
    /// # Errors
    /// `NotFound`, `Store`.
    pub async fn erase(
        self: &Arc<Self>,
        site: SiteId,
        id: ExternalId,
        by: Actor,
        reach: &Reach,
        now: Timestamp,
    ) -> Result<(), IntakeError> {
        let (this, reach) = (Arc::clone(self), reach.clone());
        to_its_end(async move {
            let _alone = this.in_flight.alone(site, &id).await;
            let record = this.comment(site, &id, &reach).await?;
            let place = this.store.comment_place(record.uid).await?;
            let trace = this.store.comment_erase(site, &id, by, now).await?.ok_or(IntakeError::NotFound)?;
            this.threads.changed(&trace);
            this.history.forget(&trace).await;
            if let Some(place) = place {
                this.events.erased(record.uid, &place, now);
            }
            Ok(())
        })
        .await
    }

    /// Sets what is known of an article; fields not sent keep what was known. Answers what is known now, and whether it is new.
    ///
    /// # Errors
    /// `Store`.
    pub async fn article(
        self: &Arc<Self>,
        site: SiteId,
        article: Article,
        now: Timestamp,
    ) -> Result<(Article, bool), IntakeError> {
        let this = Arc::clone(self);
        to_its_end(async move {
            let id = article.id.clone();
            let put = this.store.article_put(site, article, now).await;
            this.pages.forget(site, &id); // whether or not it was put: that is not always known
            Ok(put?)
        })
        .await
    }

    /// Forgets an article that another process changed.
    pub fn forget_article(&self, site: SiteId, id: &ExternalId) {
        self.pages.forget(site, id);
    }

    /// Forgets all articles: nobody knows which of them changed.
    pub fn forget_articles(&self) {
        self.pages.forget_all();
    }

    /// Whether the site has to be told what it perhaps does not read.
    fn tells(&self, route: Route) -> bool {
        route.tells() || self.webhooks.get().first_verdict
    }

    /// What is recorded under the comment's id, and whether that is the same content.
    async fn recorded(&self, site: SiteId, comment: &Comment) -> store::Result<Option<(Record, bool)>> {
        let found = self.store.comment_find(site, &comment.sent.id).await?;
        Ok(found.map(|(record, content)| (record, content == normalise::content_hash(&comment.sent))))
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
        house.limits.take(&subject, now).await
    }

    /// How readers see a comment that is judged again.
    async fn readers(&self, comment: uuid::Uuid) -> Known<ReaderView> {
        match self.store.reader_view(comment).await {
            Ok(view) => Known::Known(view),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "readers' reports could not be read");
                Known::Unavailable("what readers said of the comment could not be read from the store".to_owned())
            }
        }
    }

    /// Fetches the page and the parent; the past is asked last, by the caller, who knows whether to leave a mark.
    async fn scene(
        &self,
        site: &Arc<Site>,
        comment: &Comment,
        allowance: Allowance,
        house: &House,
    ) -> (Scene, Option<News>) {
        let known = self.pages.with(site.id, &comment.sent.article, house).await;
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
        let siblings = self.threads.around(comment, house).await;
        let past = PastOf::unavailable(""); // nobody sees it: the caller puts in what the past says
        (Scene { site: Arc::clone(&site.name), page: known.page, parent, siblings, past, allowance }, known.news)
    }

    /// Asks the past and leaves a mark in one step: of two at once, one sees the other. And the campaign that the comment belongs to from there on.
    async fn sighted(
        &self,
        comment: &Comment,
        page: &Known<Arc<Page>>,
        now: Timestamp,
    ) -> (PastOf, Option<Membership>) {
        let stances = || Stances::of(comment, page.get().map(AsRef::as_ref));
        let past = self.history.sight_in(&comment.trace, &stances, now).await;
        (past, self.history.membership(&comment.trace, now).await)
    }

    /// Tells page cache and history what became of the comment.
    async fn conclude(
        &self,
        site: &Site,
        comment: &Comment,
        meaning: &Meaning,
        news: Option<News>,
        recording: store::Result<Recording>,
        house: &House,
    ) -> Result<Taken, IntakeError> {
        match recording {
            Ok(Recording::New(record)) => {
                metrics::counter!("doorward_comments_total", "status" => record.status.name()).increment(1);
                if let Some(news) = &news {
                    self.pages.stored(site.id, news);
                }
                self.threads.judged(&comment.trace, &record, || threads::sibling(comment, meaning));
                self.history.settle(&comment.trace, record.received_at, standing(&record)).await;
                self.events.judged(&record).await;
                Ok(Taken { record, replayed: false })
            }
            // Another process with this id was faster. Its sighting replaced ours or ours its; they are the same comment.
            Ok(Recording::Repeat(record)) => Ok(Taken { record, replayed: true }),
            Ok(Recording::Conflict) => {
                self.put_right(site, comment, house).await;
                Err(IntakeError::CommentExists)
            }
            Err(error) => {
                self.put_right(site, comment, house).await;
                self.pages.forget(site.id, &comment.sent.article.id); // it may be stored all the same
                self.threads.changed(&comment.trace);
                Err(error.into())
            }
        }
    }

    /// Whoever watches hears of the comment's campaign.
    async fn announce(&self, taken: &Taken, membership: Option<&Membership>, now: Timestamp) {
        if let Some(membership) = membership.filter(|_| !taken.replayed) {
            campaigns::announce(&*self.store, &self.events, &taken.record, membership, now).await;
        }
    }

    /// What was sighted is not what was recorded: lets history know what is recorded under the id, or nothing. Where the store cannot say,
    /// nothing: a sighting too few lets one more through, one too many condemns.
    async fn put_right(&self, site: &Site, comment: &Comment, house: &House) {
        match self.store.comment_find(site.id, &comment.sent.id).await {
            Ok(Some((record, _))) => {
                let recorded = read(site, record.comment.clone(), house);
                self.history.sight(&recorded.trace, record.received_at).await;
                self.history.settle(&recorded.trace, record.received_at, standing(&record)).await;
            }
            Ok(None) | Err(_) => self.history.forget(&comment.trace).await,
        }
    }
}

fn standing(record: &Record) -> Standing {
    Standing { status: record.status, by_person: record.decided_by == DecidedBy::Person }
}

/// Reduces a comment to text, links and fingerprints.
fn read(site: &Site, new: NewComment, house: &House) -> Comment {
    let staff = house.trust.is_staff(new.author.role.as_deref());
    normalise::normalise(site.id, new, staff)
}

fn record(
    site: &Arc<Site>,
    comment: &Comment,
    judged: Judged,
    news: Option<&News>,
    received_at: Timestamp,
) -> NewRecord {
    let Judged { verdict, decided_by, effect } = judged;
    let may_wait = verdict.action == Action::Hold || effect.is_some_and(|effect| effect.without == Status::Held);
    NewRecord {
        site: Arc::clone(site),
        comment: comment.sent.clone(),
        content: normalise::content_hash(&comment.sent),
        trace: comment.trace.clone(),
        article: news.map(|news| news.sent.clone()),
        status: verdict.action.status(),
        decided_by,
        priority: if may_wait { priority(&verdict) } else { 0.0 },
        lang: normalise::language(&comment.sent, &comment.body),
        received_at,
        verdict,
        effect,
        membership: None,
        tell: false,
        lot: None,
        callback: None,
    }
}

/// Place in the queue: the worst of the category scores.
fn priority(verdict: &Verdict) -> f64 {
    let scores = &verdict.scores;
    scores.spam.max(scores.off_topic).max(scores.abuse).get()
}

/// The span that a comment's whole way here is under.
fn way_of(site: &Site, what: &'static str) -> Span {
    step!(
        "comment",
        doorward.operation = what,
        doorward.site = &*site.name,
        doorward.uid = Empty,
        doorward.status = Empty,
        doorward.replayed = Empty
    )
}

/// What its way came to.
fn came_to(taken: &Taken) {
    if !way::is_within() {
        return;
    }
    let span = Span::current();
    span.record("doorward.uid", tracing::field::display(taken.record.uid));
    span.record("doorward.status", taken.record.status.name());
    span.record("doorward.replayed", taken.replayed);
}

/// What its way is remembered by.
fn of_comment(site: &Site, comment: &Comment) -> way::Name {
    way::Name::of_comment(&site.name, comment.sent.id.as_str())
}
