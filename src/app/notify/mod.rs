//! Telling operators: alerts as they are raised and cleared, and a digest every day, by e-mail and webhook: `[notify]`.
//!
//! One node looks for all ([`super::turns`]). What is to be told is put into the store in the commit that raises or clears an alert, and sent from
//! there ([`send`]), so that nothing is lost when a mail server is away, and what was kept as sent is not told again. Each is told at least once: a process
//! that ends between a server's answer and the commit that keeps it sends that one message a second time, with the same id. Messages name queues, sites
//! and comments' uids, and repeat nothing that a commenter wrote.

pub mod board;
pub mod letter;
pub mod send;
pub mod words;

mod digest;
mod late;
mod step;
mod wave;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

use self::letter::Mail;
use super::clock::Clock;
use super::house::Settings;
use super::live::Live;
use super::outbox::post::Post;
use super::secrets::Secret;
use super::signature;
use crate::domain::notices::{AlertKind, Channel, Message, Sending};
use crate::domain::service::Levels;
use crate::domain::store::{ListError, PageRequest, QueueFilter, QueuePage, QueueSort, Result, Store, StoreError};
use crate::domain::time::Timestamp;
use crate::domain::waves;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(10);
/// Between two times at which what is old is forgotten, in milliseconds.
const PRUNED_EVERY_MS: u64 = 3_600_000;
/// How long a try may take before somebody else may try, in milliseconds: longer than any timeout that can be set.
const TRY_MS: i64 = 300_000;

/// `[notify]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Hours after which an alert that still stands is told again; 0 for never.
    pub repeat_h: u32,
    /// Whether there is a digest every day.
    pub digest: bool,
    /// The hour of the day, by `working_hours.time_zone`, from which the digest is sent.
    pub digest_hour: u8,
    /// Hours for which a message is tried.
    pub give_up_h: u32,
    /// Days for which messages and alerts that are over are kept.
    pub keep_days: u32,
    /// `[notify.waves]`.
    pub waves: waves::Config,
    /// `[notify.mail]`.
    pub mail: MailConfig,
    /// `[notify.webhook]`.
    pub webhook: WebhookConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            repeat_h: 4,
            digest: true,
            digest_hour: 8,
            give_up_h: 24,
            keep_days: 30,
            waves: waves::Config::default(),
            mail: MailConfig::default(),
            webhook: WebhookConfig::default(),
        }
    }
}

/// How a connection to a mail server is kept from others' eyes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// TLS that is asked for after connecting, and without which nothing is sent. Port 587.
    #[default]
    Starttls,
    /// TLS from the first byte on. Port 465.
    Tls,
    /// None; only for a server on this machine. Port 25.
    None,
}

impl Security {
    /// The usual port.
    #[must_use]
    pub const fn port(self) -> u16 {
        match self {
            Self::Starttls => 587,
            Self::Tls => 465,
            Self::None => 25,
        }
    }
}

/// `[notify.mail]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MailConfig {
    /// The mail server's name; empty for no e-mail.
    pub server: String,
    /// Its port; 0 for the usual one.
    pub port: u16,
    /// How the connection is secured.
    pub security: Security,
    /// Certificates of authorities that are trusted for this server besides those that the machine trusts, as PEM; empty for none.
    pub ca_file: PathBuf,
    /// The name to sign in with; empty for none.
    pub user: String,
    /// The password.
    pub password: Secret,
    /// Whom messages come from.
    pub from: String,
    /// Whom they go to.
    pub to: Vec<String>,
    /// Milliseconds for a connection, and for each answer.
    pub timeout_ms: u32,
}

impl Default for MailConfig {
    fn default() -> Self {
        Self {
            server: String::new(),
            port: 0,
            security: Security::default(),
            ca_file: PathBuf::new(),
            user: String::new(),
            password: Secret::default(),
            from: String::new(),
            to: Vec::new(),
            timeout_ms: 10_000,
        }
    }
}

/// `[notify.webhook]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookConfig {
    /// Where to; empty for nowhere.
    pub url: String,
    /// What messages are signed with: `whsec_` and base64.
    pub secret: Secret,
}

impl Config {
    /// Whether operators can be told so. Addresses of e-mail are checked by whoever sends.
    ///
    /// # Errors
    /// A sentence for the operator that names the setting.
    pub fn check(&self) -> std::result::Result<(), String> {
        let Self { repeat_h, digest: _, digest_hour, give_up_h, keep_days, waves, mail, webhook } = self;
        waves.check()?;
        for (key, value, least, most) in [
            ("repeat_h", *repeat_h, 0, 720),
            ("digest_hour", u32::from(*digest_hour), 0, 23),
            ("give_up_h", *give_up_h, 1, 168),
            ("keep_days", *keep_days, 1, 3_650),
            ("mail.timeout_ms", mail.timeout_ms, 100, 60_000),
        ] {
            if !(least..=most).contains(&value) {
                return Err(format!("notify.{key}: {value} does not lie within {least} and {most}"));
            }
        }
        if webhook.url.is_empty() {
            return Ok(());
        }
        match Url::parse(&webhook.url) {
            Ok(url)
                if ["https", "http"].contains(&url.scheme())
                    && url.username().is_empty()
                    && url.password().is_none() => {}
            _ => return Err("notify.webhook.url: must be an http or https address without a password in it".to_owned()),
        }
        let Some(secret) = webhook.secret.expose() else {
            return Err("notify.webhook.secret: is missing: `whsec_` and base64".to_owned());
        };
        let signed = signature::sign(&[secret.to_owned()], "check", Timestamp::EPOCH, "");
        signed.map(drop).map_err(|_| "notify.webhook.secret: is not `whsec_` and base64".to_owned())
    }

    /// The ways that are set up.
    #[must_use]
    pub fn channels(&self) -> Vec<Channel> {
        let is_set = |channel: &Channel| match channel {
            Channel::Mail => !self.mail.server.is_empty(),
            Channel::Webhook => !self.webhook.url.is_empty(),
        };
        Channel::ALL.into_iter().filter(is_set).collect()
    }
}

/// What is to be told, whichever way it goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// What it is about, and of which moment: of two with the same name one is sent.
    pub name: String,
    /// Its type, as receivers of webhooks see it.
    pub event: &'static str,
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// The same for programs.
    pub data: serde_json::Value,
}

/// Where a message goes, and what it is called then.
struct Addressed {
    key: String,
    channel: Channel,
    recipient: Option<String>,
}

/// What becomes of one of that name: a message for each recipient of e-mail, and one by webhook.
fn addressed(name: &str, settings: &Config) -> Vec<Addressed> {
    let mut all: Vec<Addressed> = Vec::new();
    for channel in settings.channels() {
        match channel {
            Channel::Mail => {
                for to in &settings.mail.to {
                    let key = format!("{name}:{}:{to}", channel.name());
                    if all.iter().all(|other| other.key != key) {
                        all.push(Addressed { key, channel, recipient: Some(to.clone()) });
                    }
                }
            }
            Channel::Webhook => {
                all.push(Addressed { key: format!("{name}:{}", channel.name()), channel, recipient: None });
            }
        }
    }
    all
}

impl Told {
    /// A message for each way, and by e-mail for each recipient.
    #[must_use]
    pub fn by(&self, settings: &Config, at: Timestamp) -> Vec<Message> {
        let message = |Addressed { key, channel, recipient }| Message {
            key,
            channel,
            recipient,
            event: self.event.to_owned(),
            subject: self.subject.clone(),
            text: self.text.clone(),
            data: self.data.to_string(),
            made_at: at,
        };
        addressed(&self.name, settings).into_iter().map(message).collect()
    }
}

/// What is remembered between looks.
#[derive(Default)]
struct Past {
    digests: digest::Past,
    /// When what is old was forgotten.
    pruned_at: Option<Timestamp>,
    waves: wave::Past,
}

/// Looks after what operators are to be told.
pub struct Notifier {
    store: Arc<dyn Store>,
    house: Arc<Settings>,
    levels: Live<Levels>,
    settings: Live<Config>,
    mail: Arc<dyn Mail>,
    post: Arc<dyn Post>,
    /// The console's address; empty where it is not known.
    console: String,
    /// Held while it looks: one look at a time.
    past: tokio::sync::Mutex<Past>,
    /// What became of messages, where the store could not keep that: it is told to it before anything else is sent.
    unkept: std::sync::Mutex<BTreeMap<String, Sending>>,
    /// Queues whose figures are shown.
    shown: std::sync::Mutex<BTreeSet<String>>,
}

impl Notifier {
    /// Joins the ports. `console` is the address under which people reach the service.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        house: Arc<Settings>,
        levels: Live<Levels>,
        settings: Live<Config>,
        (mail, post): (Arc<dyn Mail>, Arc<dyn Post>),
        console: &str,
    ) -> Self {
        let console = console.trim_end_matches('/').to_owned();
        Self {
            store,
            house,
            levels,
            settings,
            mail,
            post,
            console,
            past: tokio::sync::Mutex::default(),
            unkept: std::sync::Mutex::default(),
            shown: std::sync::Mutex::default(),
        }
    }

    /// Looks from time to time, for as long as it is awaited. What it shows in figures goes with it: another node shows them then.
    pub async fn keep_telling(&self, clock: &dyn Clock) -> Infallible {
        struct Shown<'a>(&'a Notifier);

        impl Drop for Shown<'_> {
            fn drop(&mut self) {
                self.0.show_nothing();
            }
        }

        let _shown = Shown(self);
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = self.look(clock.now()).await {
                tracing::error!(error = &error as &dyn std::error::Error, "operators could not be told what there is");
            }
        }
    }

    /// Raises and clears alerts, makes the day's digest when it is time, and sends what is due.
    ///
    /// # Errors
    /// The store failed. What was not done will be done by the next look.
    pub async fn look(&self, now: Timestamp) -> Result<()> {
        let mut past = self.past.lock().await;
        let (settings, levels) = (self.settings.get(), self.levels.get());
        let queues = match levels.queues().is_empty() {
            true => Ok(None), // nobody asks for it
            false => self.queues(&levels, now).await.map(Some),
        };
        // One that fails keeps no other from its work: what stands is told although the digest cannot be made.
        let (queues, late) = match queues {
            Ok(queues) => {
                let late = self.look_for_late(&settings, &levels, queues.as_ref(), now).await;
                (queues, late)
            }
            Err(error) => (None, Err(error)),
        };
        let mut done = vec![late];
        done.push(self.look_for_waves(&settings, &levels, now, &mut past.waves).await);
        done.push(self.make_digest(&settings, &levels, queues, now, &mut past.digests).await);
        done.push(self.show_alerts().await);
        done.push(self.send_due(&settings, now).await);
        done.into_iter().collect::<Result<()>>()?;
        if past.pruned_at.is_none_or(|at| now < at || now.millis_since(at) >= PRUNED_EVERY_MS) {
            self.store.notices_prune(now.plus_millis(-i64::from(settings.keep_days) * 86_400_000)).await?;
            past.pruned_at = Some(now);
        }
        Ok(())
    }

    /// What waits in all queues.
    async fn queues(&self, levels: &Levels, now: Timestamp) -> Result<QueuePage> {
        let filter = QueueFilter { queues: Arc::clone(levels.queues()), ..QueueFilter::default() };
        let first = PageRequest { limit: 1, cursor: None };
        self.store.queue(&filter, QueueSort::Oldest, &first, now).await.map_err(|error| match error {
            ListError::Store(error) => error,
            ListError::BadCursor => StoreError::Corrupt("a first page of the queue was refused".to_owned()),
        })
    }

    /// An address in the console, where that is known.
    fn link(&self, path: &str) -> Option<String> {
        (!self.console.is_empty()).then(|| format!("{}{path}", self.console))
    }

    /// How many alerts stand.
    async fn show_alerts(&self) -> Result<()> {
        let alerts = self.store.alerts().await?;
        for kind in AlertKind::ALL {
            let standing = alerts.iter().filter(|alert| alert.kind == kind && alert.stands()).count();
            show_standing(kind, u32::try_from(standing).unwrap_or(u32::MAX));
        }
        Ok(())
    }

    fn show_nothing(&self) {
        for kind in AlertKind::ALL {
            show_standing(kind, 0);
        }
        let shown = std::mem::take(&mut *self.shown.lock().unwrap_or_else(PoisonError::into_inner));
        for queue in shown {
            late::show(&queue, 0, 0, 0);
        }
        send::show(0, 0);
    }
}

fn show_standing(kind: AlertKind, standing: u32) {
    metrics::gauge!("doorward_alerts", "kind" => kind.name()).set(f64::from(standing));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_work_are_refused_by_name() {
        let of = |text: &str| toml::from_str::<Config>(text).unwrap().check();
        assert_eq!(of(""), Ok(()));
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        assert_eq!(of(&format!("[webhook]\nurl = \"https://ops.example/hook\"\nsecret = \"{secret}\"\n")), Ok(()));
        for (text, problem) in [
            ("digest_hour = 24\n", "notify.digest_hour: 24 does not lie within 0 and 23"),
            ("[mail]\ntimeout_ms = 0\n", "notify.mail.timeout_ms: 0 does not lie within 100 and 60000"),
            ("[webhook]\nurl = \"https://ops.example\"\n", "notify.webhook.secret: is missing: `whsec_` and base64"),
            (
                "[webhook]\nurl = \"ftp://ops.example\"\nsecret = \"x\"\n",
                "notify.webhook.url: must be an http or https address without a password in it",
            ),
            (
                "[webhook]\nurl = \"https://a:b@ops.example\"\n",
                "notify.webhook.url: must be an http or https address without a password in it",
            ),
            (
                "[webhook]\nurl = \"https://ops.example\"\nsecret = \"whsec_?\"\n",
                "notify.webhook.secret: is not `whsec_` and base64",
            ),
        ] {
            assert_eq!(of(text), Err(problem.to_owned()), "{text}");
        }
        let with_password: Config = toml::from_str("[mail]\npassword = \"hush-hush\"\n").unwrap();
        assert!(!format!("{with_password:?}").contains("hush"));
    }
}
