//! Comments that come by signed webhook: `[webhooks_in]` and `[[sources]]`.
//!
//! A message is believed, read, noted, acted on, and noted as done, in this order. It is noted under its sender's id together with the digest
//! of its body before anything is done with it, and acted on until it is noted as done: so a message that was cut short (the store was full, the machine
//! stopped) is acted on when it comes again, and one that was done is not, whatever happened to its comment since. A sender that hangs up cuts
//! nothing short. Only a machine that stops between the two leaves a message that was acted on and is not noted as done: when that comes again, its
//! comment is found recorded, but an edit or a deletion is made once more.

pub mod coral;
pub mod mapping;
pub mod message;
pub mod preset;
pub mod scheme;
pub mod source;

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::mapping::Unmapped;
use self::message::Message;
use self::scheme::{Refused, Signing};
use self::source::Source;
use crate::app::clock::Clock;
use crate::app::house::Settings;
use crate::app::in_flight::{InFlight, to_its_end};
use crate::app::intake::{Intake, IntakeError, Taken, Turn};
use crate::app::limits::Route;
use crate::app::live::Live;
use crate::app::secrets::{Sealer, SecretError};
use crate::app::signature::BadSignature;
use crate::domain::comment::{Article, Bounds, Draft, ExternalId, Invalid, NewComment};
use crate::domain::decision::Actor;
use crate::domain::people::Reach;
use crate::domain::site::{Site, SiteId};
use crate::domain::store::{Delivery, Store, StoreError};
use crate::domain::time::Timestamp;

/// `[webhooks_in]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Hours for which a message is known by its id, so that it is not acted on again.
    pub remember_hours: u32,
    /// Milliseconds after which Coral, which waits for an opinion on a comment, is told to hold it.
    pub coral_deadline_ms: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { remember_hours: 72, coral_deadline_ms: 200 }
    }
}

/// A setting that cannot work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("webhooks_in.{0}")]
pub struct BadConfig(&'static str);

impl Config {
    /// Whether messages are known for as long as they are believed, and Coral is answered while it waits.
    ///
    /// # Errors
    /// [`BadConfig`].
    pub fn check(&self) -> Result<(), BadConfig> {
        if self.remember_hours == 0 {
            return Err(BadConfig(
                "remember_hours: must be at least 1: a message's time may be off by five minutes either way",
            ));
        }
        if !(10..=60_000).contains(&self.coral_deadline_ms) {
            return Err(BadConfig(
                "coral_deadline_ms: must be from 10 to 60000, and less than the timeout of the phase in Coral",
            ));
        }
        Ok(())
    }
}

/// What a message means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// A new comment.
    Create(Box<NewComment>),
    /// A comment's new text; it is new when it never came before.
    Update(Box<NewComment>),
    /// A comment is to be erased.
    Delete(ExternalId),
    /// What is to be known of an article.
    Article(Box<Article>),
    /// None of our business.
    Nothing,
}

/// Why a message has no meaning.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRead {
    /// It is not JSON.
    #[error("not JSON: {0}")]
    Malformed(String),
    /// A field is missing or wrong.
    #[error(transparent)]
    Field(#[from] Unmapped),
}

impl From<Invalid> for NotRead {
    fn from(error: Invalid) -> Self {
        Self::Field(Unmapped { field: error.field.to_owned(), problem: error.problem })
    }
}

/// Why a message was not acted on.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// Nobody whom we know signed it, or not now. Nothing of it was parsed, nothing stored.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// Its id came before, with another body. Nothing was changed.
    #[error("a message with this id and another body came before")]
    Conflict,
    /// It has no meaning. Nothing was stored.
    #[error(transparent)]
    NotRead(#[from] NotRead),
    /// Its comment was not taken. The same message again is safe.
    #[error(transparent)]
    Intake(#[from] IntakeError),
    /// The site's secrets cannot be opened.
    #[error("the site's secrets cannot be opened")]
    Secret(#[from] SecretError),
    /// The store failed. The same message again is safe.
    #[error("the message could not be noted")]
    Store(#[from] StoreError),
}

/// What became of a message.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Its comment, as it is recorded.
    Comment(Box<Taken>),
    /// There is nothing to show: erased, an article, or none of our business.
    Nothing {
        /// Whether it was done before.
        replayed: bool,
    },
}

/// How long a site's opened secrets are remembered, in milliseconds: as long as keys are.
const REMEMBERED_MS: i64 = 3_000;
/// Sites remembered at most, those that do not exist included.
const MOST: usize = 10_000;
/// How often messages are forgotten.
const PRUNED_EVERY: Duration = Duration::from_mins(10);
/// What messages to sites that do not exist are compared with, so that they are answered (and take as long) as with a wrong signature.
const NOBODY: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

struct Known {
    site: Option<Arc<Site>>,
    /// Each with its end.
    inbound: Vec<(String, Option<Timestamp>)>,
    /// The same of what Coral signs with.
    coral: Vec<(String, Option<Timestamp>)>,
    until: Timestamp,
}

/// The way in for signed messages.
pub struct WebhooksIn {
    config: Live<Config>,
    sources: Live<BTreeMap<String, Source>>,
    intake: Arc<Intake>,
    settings: Arc<Settings>,
    store: Arc<dyn Store>,
    sealer: Sealer,
    known: Mutex<HashMap<String, Arc<Known>>>,
    in_flight: InFlight<String>,
}

impl WebhooksIn {
    /// Over `intake`, for the site's own messages and those of `sources`.
    #[must_use]
    pub fn new(
        config: impl Into<Live<Config>>,
        sources: impl Into<Live<BTreeMap<String, Source>>>,
        intake: Arc<Intake>,
        settings: Arc<Settings>,
        store: Arc<dyn Store>,
        sealer: Sealer,
    ) -> Self {
        Self {
            config: config.into(),
            sources: sources.into(),
            intake,
            settings,
            store,
            sealer,
            known: Mutex::default(),
            in_flight: InFlight::default(),
        }
    }

    /// Takes one message from arrival to what it asks for. The same id with the same body is answered, and not acted on again.
    ///
    /// # Errors
    /// [`WebhookError`]; after `Intake(RateLimited)`, `Intake(Store)` and `Store` the same message may be sent again.
    pub async fn receive(
        self: &Arc<Self>,
        site: &str,
        source: Option<&str>,
        message: &Message,
        now: Timestamp,
    ) -> Result<Answer, WebhookError> {
        let sources = self.sources.get(); // the same for believing and for reading
        let of_source = match source {
            Some(name) => Some((name, sources.get(name).filter(|source| source.site == site).ok_or(Refused::Source)?)),
            None => None,
        };
        let (site, id) = self.believe(site, of_source, message, now).await?;
        let meaning = self.read(of_source.map(|(_, source)| source), message);
        if matches!(meaning, Ok(Meaning::Nothing)) {
            return Ok(Answer::Nothing { replayed: false });
        }
        // One after the other, and to its end although the sender goes away: what was acted on and not noted as done would be acted on again,
        // when it may undo what happened since.
        let (this, digest) = (Arc::clone(self), message.digest());
        to_its_end(async move {
            let _alone = this.in_flight.alone(site.id, &id).await;
            match this.store.delivery_note(site.id, &id, digest, now).await? {
                Delivery::Conflict => Err(WebhookError::Conflict), // even when this body means nothing: the id is taken
                Delivery::Again { done: true } => this.answer_again(site.id, meaning?).await,
                Delivery::New | Delivery::Again { done: false } => {
                    let answer = this.act(&site, meaning?, now).await?;
                    this.store.delivery_done(site.id, &id).await?;
                    Ok(answer)
                }
            }
        })
        .await
    }

    /// Forgets messages that are old enough; says how many.
    ///
    /// # Errors
    /// The store failed.
    pub async fn prune(&self, now: Timestamp) -> Result<u64, StoreError> {
        let kept_ms = i64::from(self.config.get().remember_hours) * 3_600_000;
        self.store.delivery_prune(now.plus_millis(-kept_ms)).await
    }

    /// Forgets old messages now and then; never ends.
    pub async fn keep_pruning(&self, clock: &dyn Clock) -> Infallible {
        loop {
            match self.prune(clock.now()).await {
                Ok(0) => {}
                Ok(messages) => tracing::debug!(messages, "old webhooks forgotten"),
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "old webhooks could not be forgotten; tried again later"
                    );
                }
            }
            tokio::time::sleep(PRUNED_EVERY).await;
        }
    }

    /// The site that a message is for, and the message's id, once it is believed.
    async fn believe(
        &self,
        site: &str,
        source: Option<(&str, &Source)>,
        message: &Message,
        now: Timestamp,
    ) -> Result<(Arc<Site>, String), WebhookError> {
        let known = self.known(site, now).await?;
        let valid = known.inbound.iter().filter(|(_, end)| end.is_none_or(|end| now < end));
        let own: Vec<String> = valid.map(|(secret, _)| secret.clone()).collect();
        let id = match source {
            None if known.site.is_none() => return Err(nobody(message, now).into()),
            None => Signing::Standard.verify(&own, message, now)?,
            Some((name, source)) => {
                let secrets = if source.secrets.is_empty() { &own } else { &source.secrets };
                let id = source.signing.verify(secrets, message, now)?;
                format!("{name}\n{id}") // each sender has ids of its own; none holds a line end
            }
        };
        let site = known.site.clone().ok_or(Refused::Source)?; // a source whose site was deleted
        Ok((site, id))
    }

    fn read(&self, source: Option<&Source>, message: &Message) -> Result<Meaning, NotRead> {
        let bounds = &self.settings.current().bounds;
        match source {
            Some(source) => source.read(message, bounds),
            None => native(&message.body, bounds),
        }
    }

    async fn act(&self, site: &Arc<Site>, meaning: Meaning, now: Timestamp) -> Result<Answer, WebhookError> {
        match meaning {
            Meaning::Create(new) => self.submit(site, *new, now).await,
            Meaning::Update(new) => match self.intake.edit(site, (*new).clone(), Route::Webhook, now).await {
                Err(IntakeError::NotFound) => self.submit(site, *new, now).await,
                edited => Ok(Answer::Comment(Box::new(edited?))),
            },
            Meaning::Delete(id) => {
                match self.intake.erase(site.id, id, Actor::Site(site.name.to_string()), &Reach::ALL, now).await {
                    Ok(()) | Err(IntakeError::NotFound) => Ok(Answer::Nothing { replayed: false }),
                    Err(error) => Err(error.into()),
                }
            }
            Meaning::Article(article) => {
                self.intake.article(site.id, *article, now).await?;
                Ok(Answer::Nothing { replayed: false })
            }
            Meaning::Nothing => Ok(Answer::Nothing { replayed: false }),
        }
    }

    async fn submit(&self, site: &Arc<Site>, new: NewComment, now: Timestamp) -> Result<Answer, WebhookError> {
        let taken = self.intake.submit(site, new, Route::Webhook, Turn::any(), now).await?;
        Ok(Answer::Comment(Box::new(taken)))
    }

    /// What is recorded of a message that was done: it may have been decided about, or erased, since.
    async fn answer_again(&self, site: SiteId, meaning: Meaning) -> Result<Answer, WebhookError> {
        let (Meaning::Create(new) | Meaning::Update(new)) = meaning else {
            return Ok(Answer::Nothing { replayed: true });
        };
        match self.intake.comment(site, &new.id, &Reach::ALL).await {
            Ok(record) => Ok(Answer::Comment(Box::new(Taken { record, replayed: true }))),
            Err(IntakeError::NotFound) => Ok(Answer::Nothing { replayed: true }),
            Err(error) => Err(error.into()),
        }
    }

    /// Forgets secrets that were opened: another process may have replaced one.
    pub fn forget(&self) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    async fn known(&self, site: &str, now: Timestamp) -> Result<Arc<Known>, WebhookError> {
        let remembered = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(site).cloned();
        if let Some(known) =
            remembered.filter(|known| now < known.until && now >= known.until.plus_millis(-REMEMBERED_MS))
        {
            return Ok(known);
        }
        let until = now.plus_millis(REMEMBERED_MS);
        let mut found = Known { site: None, inbound: Vec::new(), coral: Vec::new(), until };
        if !Site::is_valid_name(site) {
            return Ok(Arc::new(found)); // not remembered: names may be as long as a request
        }
        if let Some(stored) = self.store.site_secrets(site).await? {
            found.site = self.store.sites().await?.into_iter().find(|one| *one.name == *site).map(Arc::new);
            found.inbound = vec![(self.sealer.unseal(site, "inbound", &stored.inbound)?, None)];
            if let Some((before, end)) = stored.inbound_before {
                found.inbound.push((self.sealer.unseal(site, "inbound", &before)?, Some(end)));
            }
            if let Some(secret) = stored.coral {
                found.coral.push((self.sealer.unseal(site, "coral", &secret)?, None));
            }
            if let Some((before, end)) = stored.coral_before {
                found.coral.push((self.sealer.unseal(site, "coral", &before)?, Some(end)));
            }
        }
        let found = Arc::new(found);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(site.to_owned(), Arc::clone(&found));
        Ok(found)
    }
}

/// Refuses a message to a site that does not exist as one with a wrong signature, whatever signed it.
fn nobody(message: &Message, now: Timestamp) -> Refused {
    let wrong = Refused::Standard(BadSignature::Wrong);
    match Signing::Standard.verify(&[NOBODY.to_owned()], message, now) {
        Ok(_) | Err(Refused::Standard(BadSignature::Stale)) => wrong, // this secret is no secret
        Err(refused) => refused,
    }
}

/// What a message of a site's own means: a comment as `POST /v1/comments` takes it, or one in an envelope
/// `{"type":"comment.created|comment.updated|comment.deleted","data":{…}}`.
///
/// # Errors
/// [`NotRead`].
pub fn native(body: &[u8], bounds: &Bounds) -> Result<Meaning, NotRead> {
    let value: Value = serde_json::from_slice(body).map_err(|error| NotRead::Malformed(error.to_string()))?;
    let field =
        |field: &str, problem: &str| NotRead::Field(Unmapped { field: field.to_owned(), problem: problem.to_owned() });
    if !value.is_object() {
        return Err(field("body", "must be an object"));
    }
    let (kind, comment) = match (value.get("type").and_then(Value::as_str), value.get("data")) {
        (Some(kind), Some(data)) if data.is_object() => (kind.to_owned(), data.clone()),
        _ => ("comment.created".to_owned(), value),
    };
    match kind.as_str() {
        "comment.created" => Ok(Meaning::Create(Box::new(fields::<Draft>(comment)?.parse(bounds)?))),
        "comment.updated" => Ok(Meaning::Update(Box::new(fields::<Draft>(comment)?.parse(bounds)?))),
        "comment.deleted" => Ok(Meaning::Delete(ExternalId::parse("id", fields::<Named>(comment)?.id)?)),
        _ => Err(field("type", "must be comment.created, comment.updated or comment.deleted")),
    }
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

fn fields<T: DeserializeOwned>(value: Value) -> Result<T, NotRead> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let problem = error.into_inner().to_string();
        // `missing field `body`` names the field itself; the path names what it is missing from.
        let missing = problem.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
        let (field, problem) = match (missing, path.as_str()) {
            (Some(field), ".") => (field.to_owned(), "is missing".to_owned()),
            (Some(field), path) => (format!("{path}.{field}"), "is missing".to_owned()),
            (None, ".") => ("body".to_owned(), problem),
            (None, path) => (path.to_owned(), problem),
        };
        NotRead::Field(Unmapped { field, problem })
    })
}

#[cfg(test)]
mod tests;
