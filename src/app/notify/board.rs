//! Alerts and what operators were told of them, for whoever oversees sites: what stands, what is over and still kept, and what became of each message.
//!
//! A wave is about one site. A late queue is about the sites that it takes from: it is shown to whoever oversees all of these, and where it names none,
//! or is not set up any more, to whoever oversees every site; so are digests. A message shows what its alert shows, and where it went.

use std::sync::Arc;

use serde_json::Value;

use crate::app::live::Live;
use crate::domain::notices::{Alert, AlertKind, Channel, SeenMessage};
use crate::domain::people::{Person, Reach};
use crate::domain::service::Levels;
use crate::domain::store::{Result, Store};
use crate::domain::time::Timestamp;

/// Messages that are looked through at most, the latest.
pub const MESSAGES_MAX: usize = 500;

/// What a message is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// The alert's kind.
    pub kind: AlertKind,
    /// The queue's, or the site's, name.
    pub name: String,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It will be tried at that moment, for the first time or again; or it is on its way.
    Waiting(Timestamp),
    /// It was accepted.
    Sent(Timestamp),
    /// It was given up.
    GivenUp(Timestamp),
}

/// A message, without its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Its type, as receivers of webhooks see it.
    pub event: String,
    /// One line.
    pub subject: String,
    /// What it is about; none for a digest.
    pub about: Option<About>,
    /// Which way it goes.
    pub channel: Channel,
    /// Whom an e-mail goes to.
    pub recipient: Option<String>,
    /// When it was put.
    pub made_at: Timestamp,
    /// Tries so far.
    pub attempts: u32,
    /// What became of it; none where that cannot be told.
    pub fate: Option<Fate>,
    /// Why the last try failed.
    pub problem: Option<String>,
}

/// Everything on the board.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shown {
    /// Those that stand first, then those raised last.
    pub alerts: Vec<Alert>,
    /// Latest first.
    pub notices: Vec<Notice>,
}

/// See the module.
pub struct Board {
    store: Arc<dyn Store>,
    levels: Live<Levels>,
}

impl Board {
    /// Over `store`, with the queues in force.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, levels: Live<Levels>) -> Self {
        Self { store, levels }
    }

    /// What somebody may see, and of the latest [`MESSAGES_MAX`] messages `most`.
    ///
    /// # Errors
    /// The store failed.
    pub async fn shown(&self, by: &Person, most: usize) -> Result<Shown> {
        let levels = self.levels.get();
        let mut alerts = self.store.alerts().await?;
        alerts.retain(|alert| is_within(&by.reach, alert.kind, &alert.about, &levels));
        // Of whoever sees some sites alone, those of others take the places.
        let looked_at = if by.reach.is_all() { MESSAGES_MAX } else { 10 * MESSAGES_MAX };
        let messages = self.store.messages_lately(looked_at).await?.into_iter().map(notice);
        let is_shown = |notice: &Notice| match &notice.about {
            Some(About { kind, name }) => is_within(&by.reach, *kind, name, &levels),
            None => by.reach.is_all(),
        };
        Ok(Shown { alerts, notices: messages.filter(is_shown).take(most).collect() })
    }
}

/// Whether nothing of what an alert is about lies outside.
fn is_within(reach: &Reach, kind: AlertKind, about: &str, levels: &Levels) -> bool {
    if reach.is_all() {
        return true;
    }
    if !reach.has_whole_sites() {
        return false;
    }
    match kind {
        AlertKind::Wave => reach.covers_site(about),
        AlertKind::QueueLate => {
            let queue = levels.queues().iter().find(|queue| queue.name == about);
            queue.is_some_and(|queue| !queue.sites.is_empty() && queue.sites.iter().all(|site| reach.covers_site(site)))
        }
    }
}

fn notice(seen: SeenMessage) -> Notice {
    let SeenMessage { message, attempts, next_at, sent_at, given_up_at, problem } = seen;
    let data: Value = serde_json::from_str(&message.data).unwrap_or_default();
    let about = data["kind"].as_str().and_then(AlertKind::named).zip(data["about"].as_str());
    let fate = match (sent_at, given_up_at, next_at) {
        (Some(at), ..) => Some(Fate::Sent(at)),
        (_, Some(at), _) => Some(Fate::GivenUp(at)),
        (.., Some(at)) => Some(Fate::Waiting(at)),
        (None, None, None) => None,
    };
    Notice {
        event: message.event,
        subject: message.subject,
        about: about.map(|(kind, name)| About { kind, name: name.to_owned() }),
        channel: message.channel,
        recipient: message.recipient,
        made_at: message.made_at,
        attempts,
        fate,
        problem: problem.filter(|_| sent_at.is_none()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::service::hours;
    use crate::domain::service::queues::QueueConfig;

    #[test]
    fn nobody_sees_what_reaches_beyond_their_sites() {
        let queue = |name: &str, sites: &[&str]| QueueConfig {
            name: name.to_owned(),
            sites: sites.iter().map(|site| (*site).to_owned()).collect(),
            ..QueueConfig::default()
        };
        let queues = [queue("news", &["news"]), queue("both", &["news", "blog"]), queue("all", &[])];
        let levels = Levels::new(&queues, &hours::Config::default()).unwrap();
        let reach = Reach { sites: Some(vec!["news".to_owned()]), ..Reach::ALL };
        let part = Reach { sections: Some(vec!["sport".to_owned()]), ..reach.clone() };
        for (kind, about, within) in [
            (AlertKind::Wave, "news", true),
            (AlertKind::Wave, "blog", false),
            (AlertKind::QueueLate, "news", true),
            (AlertKind::QueueLate, "both", false),
            (AlertKind::QueueLate, "all", false),
            (AlertKind::QueueLate, "gone", false),
        ] {
            assert_eq!(is_within(&reach, kind, about, &levels), within, "{about}");
            assert!(is_within(&Reach::ALL, kind, about, &levels), "{about}");
            assert!(!is_within(&part, kind, about, &levels), "{about}");
        }
    }
}
