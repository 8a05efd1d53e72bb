//! The replay itself.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::try_join_all;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::due::{Due, Ruled, Sent, What};
use super::report::{Tally, Twice};
use super::{Ask, BacktestError, LeftOut, Progress, Report, Service};
use crate::app::campaigns;
use crate::app::intake::{Given, IntakeError, Taken, Turn};
use crate::app::limits::Route;
use crate::app::review;
use crate::app::sanctions::SanctionError;
use crate::domain::campaign::CampaignError;
use crate::domain::category::PerCategory;
use crate::domain::comment::{Article, Author, ExternalId, Format, NewComment};
use crate::domain::decision::{Action, Actor, DecidedBy, Status, Verdict};
use crate::domain::history::Standing;
use crate::domain::model::ModelOutput;
use crate::domain::people::{Person, Reach, Role};
use crate::domain::recordings::{Recorded, Revision};
use crate::domain::sanction::{Effect, NewSanction, Sanction, SanctionFilter};
use crate::domain::site::{Scope, Site, SiteId};
use crate::domain::store::{
    self, ContentHash, ListError, NewRecord, PageRequest, Remembered, SealedSecrets, Seen, Store, StoreError, UndoError,
};
use crate::domain::time::Timestamp;
use crate::domain::trace::{self, Trace};

/// Comments read at once.
const PAGE: usize = 256;
/// Comments are stored in the order in which they came, but for those that were on their way together: by so many milliseconds at most.
const SLACK_MS: i64 = 10_000;
/// Old comments of authors that are written at once.
const WRITTEN_AT_ONCE: usize = 256;
/// The article that old comments of authors stand under: nobody asks what else stands there.
const NOWHERE: &str = "\u{fffd}";

/// Posts what `source` recorded once more to `service`, and tells what became of it.
///
/// # Errors
/// [`BacktestError`]; nothing was changed but `service`.
pub async fn replay(
    source: &Arc<dyn Store>,
    service: &Service,
    ask: Ask,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, BacktestError> {
    let sites = sites(source, service, &ask).await?;
    let known = Arc::new(Mutex::new(Known::default()));
    let noting = Arc::clone(&known);
    let until = ask.until;
    let each = Box::new(move |earlier: Remembered| locked(&noting).note(&earlier, until));
    source.remembered(ask.recalled_since, usize::MAX, each).await?;
    let total = locked(&known).total;
    progress(Progress { done: 0, total }); // before anything is written: whoever listens may find it too much
    recall_authors(source, service, &sites, &ask, &known).await?;
    drop(known);
    let mut due = Due::default();
    for sanction in sanctions(&**source, ask.until).await? {
        due.impose(sanction);
    }
    let mut reading = Reading::new(source, ask.recalled_since);
    let mut replay = Replay {
        source,
        service,
        sites,
        articles: HashSet::new(),
        decisions: HashMap::new(),
        imposed: HashMap::new(),
        sanctions_changed: false,
        given_back_at: None,
        tally: Tally::default(),
        recalled: 0,
        left_out: LeftOut::default(),
        ask,
    };
    let mut done = 0;
    loop {
        while let Some(page) = reading.more(due.next_at(), replay.ask.until).await? {
            for recorded in page {
                due.add(recorded);
            }
        }
        let Some((at, what)) = due.next().filter(|(at, _)| *at <= replay.ask.until) else { break };
        done += u64::from(matches!(&what, What::Sent(sent) if sent.number == 1));
        replay.play(at, what, &mut due).await?;
        progress(Progress { done, total: total.max(done) });
    }
    replay.left_out.reports = due.reports;
    Ok(replay.tally.report(&replay.ask, replay.recalled, replay.left_out))
}

/// Makes the sites again, under the numbers that they have: fingerprints are made with them.
async fn sites(
    source: &Arc<dyn Store>,
    service: &Service,
    ask: &Ask,
) -> Result<HashMap<SiteId, Arc<Site>>, BacktestError> {
    let mut all = source.sites().await?;
    if let Some(wanted) = ask.site.as_ref().filter(|wanted| !all.iter().any(|site| *site.name == ***wanted)) {
        return Err(BacktestError::NoSite(wanted.clone()));
    }
    all.sort_by_key(|site| site.id);
    let (mut made, mut next) = (HashMap::new(), 1);
    for site in all {
        while next < site.id.0 {
            let gone = make(service, "0.gone", next).await?;
            service.store.site_delete(&gone.name, Actor::Console, ask.recalled_since).await?;
            next += 1;
        }
        let new = make(service, &site.name, next).await?;
        if new.id != site.id {
            return Err(StoreError::Corrupt(format!("site {} became number {}", site.name, new.id.0)).into());
        }
        made.insert(site.id, Arc::new(new));
        next += 1;
    }
    Ok(made)
}

async fn make(service: &Service, name: &str, number: u32) -> Result<Site, BacktestError> {
    let mut key = [0; 32];
    key[..4].copy_from_slice(&number.to_le_bytes());
    let secrets = SealedSecrets { akismet_hash: key, inbound: Vec::new(), webhook: Vec::new(), akismet: Vec::new() };
    Ok(service.store.site_create(name, None, None, key, &[Scope::Post], secrets, Timestamp::EPOCH).await?)
}

/// Who wrote in the time that is replayed, and what they wrote before it.
#[derive(Default)]
struct Known {
    total: u64,
    authors: HashSet<u64>,
    before: HashMap<u64, VecDeque<Earlier>>,
}

/// What counts of an author's comment from before, and no more: there may be as many as authors times `history.author_depth`.
struct Earlier {
    site: SiteId,
    comment: u64,
    comment_id: Box<str>,
    article: u64,
    author: u64,
    staff: bool,
    received_at: Timestamp,
    standing: Standing,
}

impl Known {
    fn note(&mut self, earlier: &Remembered, until: Timestamp) {
        if earlier.received_at <= until {
            self.total += 1;
            if earlier.trace.author_known {
                self.authors.insert(earlier.trace.author);
            }
        }
    }

    fn note_before(&mut self, earlier: Remembered, depth: usize) {
        let Remembered { trace, received_at, standing } = earlier;
        if depth > 0 && trace.author_known && self.authors.contains(&trace.author) {
            let kept = self.before.entry(trace.author).or_default();
            if kept.len() >= depth {
                kept.pop_front();
            }
            let Trace { site, comment, comment_id, article, author, staff, .. } = trace;
            kept.push_back(Earlier { site, comment, comment_id, article, author, staff, received_at, standing });
        }
    }
}

fn locked(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes down what authors wrote before the comments that are recalled: no more than who, when, and what became of it.
async fn recall_authors(
    source: &Arc<dyn Store>,
    service: &Service,
    sites: &HashMap<SiteId, Arc<Site>>,
    ask: &Ask,
    known: &Arc<Mutex<Known>>,
) -> Result<(), BacktestError> {
    if ask.authors_since >= ask.recalled_since {
        return Ok(());
    }
    let (noting, until, depth) = (Arc::clone(known), ask.recalled_since, ask.author_depth);
    let each = Box::new(move |earlier: Remembered| {
        if earlier.received_at < until {
            locked(&noting).note_before(earlier, depth);
        }
    });
    source.remembered(ask.authors_since, usize::MAX, each).await?;
    let mut earlier: Vec<Earlier> = std::mem::take(&mut locked(known).before).into_values().flatten().collect();
    earlier.sort_by_key(|earlier| earlier.received_at);
    for part in earlier.chunks(WRITTEN_AT_ONCE) {
        let records = part.iter().filter_map(|earlier| Some(bare(sites.get(&earlier.site)?, earlier)));
        try_join_all(records.map(|record| service.store.comment_record(record))).await?;
    }
    Ok(())
}

/// A comment of which nothing but its author, its time and its standing counts.
fn bare(site: &Arc<Site>, earlier: &Earlier) -> NewRecord {
    let id = |text: &str| ExternalId::parse("id", text.to_owned());
    let nowhere = id(NOWHERE).expect("one printable character is an id");
    let comment = NewComment {
        id: id(&earlier.comment_id).unwrap_or_else(|_| nowhere.clone()),
        article: Article::named(nowhere),
        parent_id: None,
        author: Author::default(),
        body: String::new(),
        format: Format::Text,
        created_at: None,
        honeypot: None,
        typing_ms: None,
        referrer: None,
    };
    let verdict = Verdict {
        action: Action::Approve,
        category: None,
        scores: PerCategory::default(),
        prior: PerCategory::default(),
        signals: Vec::new(),
        model: ModelOutput::Off,
        adjustments: Vec::new(),
        causes: Vec::new(),
        policy: String::new(),
    };
    NewRecord {
        site: Arc::clone(site),
        content: ContentHash(u128::from(earlier.comment)),
        trace: Trace {
            site: earlier.site,
            comment: earlier.comment,
            comment_id: earlier.comment_id.clone(),
            article: earlier.article,
            author: earlier.author,
            author_known: true,
            staff: earlier.staff,
            links: Vec::new(),
            text: None,
            headlines: Vec::new(),
            short: None,
        },
        comment,
        article: None,
        verdict,
        status: earlier.standing.status,
        decided_by: if earlier.standing.by_person { DecidedBy::Person } else { DecidedBy::Policy },
        priority: 0.0,
        lang: None,
        received_at: earlier.received_at,
        effect: None,
        membership: None,
        tell: false,
        lot: None,
        callback: None,
    }
}

/// All sanctions that began by then.
async fn sanctions(source: &dyn Store, until: Timestamp) -> store::Result<Vec<Sanction>> {
    let mut all = Vec::new();
    let mut page = PageRequest { limit: 500, cursor: None };
    loop {
        let listed = source.sanction_list(&SanctionFilter::default(), &page).await.map_err(|error| match error {
            ListError::Store(error) => error,
            ListError::BadCursor => StoreError::Corrupt("the list of sanctions cannot be gone through".to_owned()),
        })?;
        all.extend(listed.items.into_iter().filter(|sanction| sanction.at <= until));
        page.cursor = listed.next_cursor;
        if page.cursor.is_none() {
            all.reverse(); // oldest first, so that those of one moment keep their order
            return Ok(all);
        }
    }
}

/// Comments, page by page; the next page is read while this one is replayed.
struct Reading<'a> {
    source: &'a Arc<dyn Store>,
    since: Timestamp,
    next: Option<JoinHandle<store::Result<Vec<Recorded>>>>,
    read_to: Timestamp,
    is_over: bool,
}

impl<'a> Reading<'a> {
    fn new(source: &'a Arc<dyn Store>, since: Timestamp) -> Self {
        let mut reading = Self { source, since, next: None, read_to: since, is_over: false };
        reading.begin(0);
        reading
    }

    fn begin(&mut self, after: u128) {
        let (source, since) = (Arc::clone(self.source), self.since);
        self.next = Some(tokio::spawn(async move { source.recorded(since, after, PAGE).await }));
    }

    /// The next page, if what is due next may have to wait for something in it.
    async fn more(&mut self, due: Option<Timestamp>, until: Timestamp) -> store::Result<Option<Vec<Recorded>>> {
        let is_certain = due.is_some_and(|due| due.plus_millis(SLACK_MS) < self.read_to);
        if self.is_over || is_certain {
            return Ok(None);
        }
        let Some(next) = self.next.take() else { return Ok(None) };
        let page = next.await.map_err(|_| StoreError::Unavailable("the reading was stopped".into()))??;
        match page.last() {
            Some(last) => {
                let received = page.iter().filter_map(|one| one.revisions.first()).map(|first| first.at).max();
                self.read_to = self.read_to.max(received.unwrap_or(self.read_to));
                self.is_over = self.read_to > until.plus_millis(SLACK_MS);
                if !self.is_over {
                    self.begin(last.place);
                }
            }
            None => self.is_over = true,
        }
        Ok(Some(page))
    }
}

struct Replay<'a> {
    source: &'a Arc<dyn Store>,
    service: &'a Service,
    sites: HashMap<SiteId, Arc<Site>>,
    /// Articles that the service has been told of.
    articles: HashSet<u64>,
    /// Recorded decisions, and what they are in the replay.
    decisions: HashMap<Uuid, Uuid>,
    /// Recorded sanctions, and what they are in the replay.
    imposed: HashMap<Uuid, (Uuid, i64)>,
    /// Whether the service has to look at its sanctions anew.
    sanctions_changed: bool,
    /// When a lifted sanction last gave comments back.
    given_back_at: Option<Timestamp>,
    tally: Tally,
    recalled: u32,
    left_out: LeftOut,
    ask: Ask,
}

impl Replay<'_> {
    async fn play(&mut self, at: Timestamp, what: What, due: &mut Due) -> Result<(), BacktestError> {
        match what {
            What::Sent(sent) => self.send(*sent, at).await?,
            What::Ruled(ruled) => {
                let mut items = vec![*ruled];
                items.extend(due.rest_of(items[0].decision, at));
                self.rule(&items, at).await?;
            }
            What::Undone { decision, by } => {
                // A decision is taken back whole: what else says so of the same one finds it gone.
                if let Some(decision) = self.decisions.remove(&decision) {
                    match self.service.review.undo(decision, &person(&by), at).await {
                        Ok(_) => {}
                        Err(UndoError::Store(error)) => return Err(error.into()),
                        Err(UndoError::NotFound | UndoError::AlreadyUndone) => self.left_out.aimless += 1,
                    }
                }
            }
            What::Imposed(sanction) => {
                let uid = sanction.uid;
                let (new, _) = self.service.store.sanction_add(again(*sanction)).await?;
                self.imposed.insert(uid, (new.uid, new.number));
                self.sanctions_changed = true;
            }
            What::GivenBack => self.given_back_at = Some(at),
            What::Lifted { sanction, by } => {
                let undo = self.given_back_at == Some(at);
                let Some((sanction, _)) = self.imposed.remove(&sanction) else { return Ok(()) };
                match self.service.sanctions.lift(sanction, undo, &person(&Actor::Person(by)), at).await {
                    Ok(_) => {}
                    Err(SanctionError::Store(error)) => return Err(error.into()),
                    Err(_) => self.left_out.aimless += 1,
                }
            }
        }
        Ok(())
    }

    async fn send(&mut self, sent: Sent, at: Timestamp) -> Result<(), BacktestError> {
        let Some(site) = self.sites.get(&sent.site).map(Arc::clone) else { return Ok(()) };
        let new = sent.revision.comment.clone();
        if std::mem::take(&mut self.sanctions_changed) {
            self.service.sanctions.renew(at).await;
        }
        self.know_article(&site, &new, at).await?;
        let intake = &self.service.intake;
        let failed = |source| BacktestError::Intake { id: new.id.to_string(), source };
        // What another system decided says nothing of these settings or of others.
        if at < self.ask.since || sent.revision.verdict.is_imported() {
            self.recalled += u32::from(sent.number == 1);
            let effect = self.effect(&sent);
            let Revision { comment, verdict, status, decided_by, .. } = sent.revision;
            let given = Given { verdict, status, decided_by, effect };
            return intake.recall(&site, comment, given, at).await.map_err(failed);
        }
        let taken = if sent.number == 1 {
            intake.submit(&site, sent.revision.comment, Route::Comment, Turn::any(), at).await
        } else {
            intake.edit(&site, sent.revision.comment, Route::Comment, at).await
        };
        let after = match &taken {
            Ok(Taken { record, .. }) => Ok(&record.verdict),
            Err(IntakeError::RateLimited(over)) => Err(over.policy.as_str()),
            Err(IntakeError::CommentExists | IntakeError::NotFound) => {
                self.left_out.aimless += 1;
                return Ok(());
            }
            Err(IntakeError::Store(_)) => return taken.map(drop).map_err(failed),
        };
        if self.ask.site.as_deref().is_none_or(|wanted| wanted == &*site.name) {
            let twice = Twice {
                uid: sent.uid,
                site: &site.name,
                id: new.id.as_str(),
                revision: sent.number,
                at,
                before: &sent.revision.verdict,
                after,
                person: sent.person,
            };
            self.tally.add(&twice, &self.ask);
        }
        Ok(())
    }

    /// What a sanction made of a comment that is recalled; what would have become of it otherwise is known where that came true.
    fn effect(&self, sent: &Sent) -> Option<Effect> {
        let verdict = &sent.revision.verdict;
        if sent.revision.decided_by != DecidedBy::Rule {
            return None;
        }
        let mut sanction = verdict.causes.iter().filter_map(|cause| cause.id.split_once(':')?.1.parse::<Uuid>().ok());
        let (_, sanction) = sanction.find_map(|uid| self.imposed.get(&uid))?;
        Some(Effect { sanction: *sanction, without: sent.given_back.unwrap_or(Status::Held) })
    }

    /// What is known of the article now: how it was at the time is not recorded.
    async fn know_article(&mut self, site: &Arc<Site>, new: &NewComment, at: Timestamp) -> Result<(), BacktestError> {
        let article = &new.article.id;
        if self.articles.insert(trace::scoped(site.id, "article", article.as_str()))
            && let Some(article) = self.source.article_find(site.id, article).await?
        {
            let told = self.service.intake.article(site.id, article, at).await;
            told.map_err(|source| BacktestError::Intake { id: new.id.to_string(), source })?;
        }
        Ok(())
    }

    async fn rule(&mut self, items: &[Ruled], at: Timestamp) -> Result<(), BacktestError> {
        let Some(first) = items.first() else { return Ok(()) };
        let mut seen = Vec::with_capacity(items.len());
        for item in items {
            match self.service.store.comment_find(item.site, &item.id).await? {
                Some((record, _)) => seen.push(Seen { uid: record.uid, seen_version: record.version }),
                None => self.left_out.aimless += 1,
            }
        }
        let Some(one) = seen.first().map(|seen| seen.uid) else { return Ok(()) };
        let by = person(&first.by);
        if let Some(decision) = self.rule_campaign(first, one, &by, at).await? {
            self.decisions.insert(first.decision, decision);
            return Ok(());
        }
        let ask = review::Ask { items: seen, action: first.action, category: first.category, reason: None, note: None };
        match self.service.review.decide(ask, &by, at).await {
            Ok(ruled) => drop(self.decisions.insert(first.decision, ruled.decision)),
            Err(review::ReviewError::Store(error)) => return Err(error.into()),
            Err(review::ReviewError::Conflict(_) | review::ReviewError::NotFound | review::ReviewError::NoRuling) => {
                self.left_out.aimless += 1;
            }
        }
        Ok(())
    }

    /// Decides about all of the campaign that the comment belongs to in the replay, where the recorded decision was about a campaign.
    async fn rule_campaign(
        &self,
        ruled: &Ruled,
        comment: Uuid,
        by: &Person,
        at: Timestamp,
    ) -> Result<Option<Uuid>, BacktestError> {
        let Some(turn) = self.source.campaign_of_ruling(ruled.decision).await? else { return Ok(None) };
        let store = &self.service.store;
        let campaign = store.behind(comment, &Reach::ALL).await?.and_then(|behind| behind.campaign);
        let Some(campaign) = campaign else { return Ok(None) };
        let Some(found) = store.campaign_find(campaign, &Reach::ALL).await? else { return Ok(None) };
        let rule_until = turn.rule_until.filter(|until| *until > at);
        let ask = campaigns::Ask {
            seen_size: found.size,
            future: rule_until.is_some(),
            future_until: rule_until,
            except: Vec::new(),
            action: ruled.action,
            category: ruled.category,
            reason: None,
            note: None,
        };
        match self.service.campaigns.decide(campaign, ask, by, at).await {
            Ok(decided) => Ok(Some(decided.ruled.decision)),
            Err(CampaignError::Store(error)) => Err(error.into()),
            Err(_) => Ok(None), // such as one that is over by then: its comments are decided about all the same
        }
    }
}

/// Whoever did it then: what they were allowed to do they have done.
fn person(by: &Actor) -> Person {
    let email = match by {
        Actor::Person(email) => email.clone(),
        Actor::Site(name) => name.clone(),
        Actor::Console => "console".to_owned(),
    };
    Person { id: 0, email, role: Role::Admin, reach: Reach::ALL }
}

fn again(sanction: Sanction) -> NewSanction {
    NewSanction {
        site: sanction.site,
        measure: sanction.measure,
        kind: sanction.kind,
        hash: sanction.hash,
        hint: sanction.hint,
        cause: sanction.cause,
        shadow: sanction.shadow,
        by: Actor::Person(sanction.by),
        at: sanction.at,
        expires_at: sanction.expires_at,
        also: None, // what it rejected at once was a decision, and is replayed as one
    }
}
