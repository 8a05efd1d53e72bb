//! `doorward notify`: what operators were told, and whether messages arrive.

use anyhow::Context as _;
use clap::Subcommand;
use serde::Serialize;

use super::{say, say_json};
use crate::app::clock::Clock as _;
use crate::app::notify::{send, words};
use crate::config::Config;
use crate::domain::notices::{Alert, Channel, SeenMessage};
use crate::domain::store::Store;
use crate::domain::time::Timestamp;
use crate::net::mail::SmtpMail;
use crate::net::post::HttpPost;
use crate::startup::{self, SystemClock};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Send a test message at once, every way that [notify] sets up; no service and no database are needed
    Test {
        /// Answer in JSON, one way a line
        #[arg(long)]
        json: bool,
    },
    /// List alerts, and the latest messages
    List {
        /// Messages at most
        #[arg(long, default_value_t = 20)]
        most: usize,
        /// Answer in JSON, one alert or message a line
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(command: Command, config: &Config) -> anyhow::Result<()> {
    match command {
        Command::Test { json } => test(config, json).await,
        Command::List { most, json } => {
            let store = startup::open_store(config).await?;
            let done = list(&*store, most, json).await;
            store.close().await;
            done
        }
    }
}

#[derive(Serialize)]
struct Tested {
    channel: Channel,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    sent: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

async fn test(config: &Config, json: bool) -> anyhow::Result<()> {
    anyhow::ensure!(
        !config.notify.channels().is_empty(),
        "neither notify.mail.server nor notify.webhook.url is set: nobody can be told"
    );
    let (mail, post) = (SmtpMail::new(&config.notify.mail)?, HttpPost::new(&config.webhooks)?);
    let now = SystemClock.now();
    let mut failed = Vec::new();
    for message in words::test(now).by(&config.notify, now) {
        let (channel, to) = (message.channel, message.recipient.clone());
        let way = way(channel, to.as_deref());
        let problem = send::send(&message, &config.notify, (&mail, &post), now).await.err().map(|error| error.problem);
        failed.extend(problem.is_some().then(|| way.clone()));
        if json {
            say_json(&Tested { channel, to, sent: problem.is_none(), problem })?;
        } else if let Some(problem) = problem {
            say(format_args!("{way}: {problem}"))?;
        } else {
            say(format_args!("{way}: a test message was accepted; look whether it arrives"))?;
        }
    }
    anyhow::ensure!(failed.is_empty(), "no message could be sent by {}", failed.join(" and by "));
    Ok(())
}

/// Which way, and to whom.
fn way(channel: Channel, to: Option<&str>) -> String {
    to.map_or_else(|| channel.name().to_owned(), |to| format!("{} to {}", channel.name(), words::name(to)))
}

#[derive(Serialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
enum Line<'a> {
    Alert {
        kind: &'static str,
        about: &'a str,
        raised_at: Timestamp,
        told_at: Option<Timestamp>,
        cleared_at: Option<Timestamp>,
        facts: serde_json::Value,
    },
    Message {
        name: &'a str,
        channel: &'static str,
        recipient: Option<&'a str>,
        event: &'a str,
        subject: &'a str,
        made_at: Timestamp,
        attempts: u32,
        next_at: Option<Timestamp>,
        sent_at: Option<Timestamp>,
        given_up_at: Option<Timestamp>,
        problem: Option<&'a str>,
    },
}

async fn list(store: &dyn Store, most: usize, json: bool) -> anyhow::Result<()> {
    let (alerts, messages) = (store.alerts().await?, store.messages_lately(most).await?);
    for Alert { kind, about, facts, raised_at, told_at, cleared_at } in &alerts {
        if json {
            let facts = serde_json::from_str(facts).context("what is kept of an alert is no JSON")?;
            let (kind, raised_at, told_at, cleared_at) = (kind.name(), *raised_at, *told_at, *cleared_at);
            say_json(&Line::Alert { kind, about, raised_at, told_at, cleared_at, facts })?;
            continue;
        }
        let over = cleared_at.map_or_else(|| "it stands".to_owned(), |over| format!("over at {over}"));
        say(format_args!("{raised_at} {} {}: {over}", kind.name(), words::name(about)))?;
    }
    for seen in &messages {
        let SeenMessage { message, attempts, next_at, sent_at, given_up_at, problem } = seen;
        if json {
            say_json(&Line::Message {
                name: &message.key,
                channel: message.channel.name(),
                recipient: message.recipient.as_deref(),
                event: &message.event,
                subject: &message.subject,
                made_at: message.made_at,
                attempts: *attempts,
                next_at: *next_at,
                sent_at: *sent_at,
                given_up_at: *given_up_at,
                problem: problem.as_deref(),
            })?;
            continue;
        }
        let became = match (sent_at, given_up_at, next_at) {
            (Some(at), ..) => format!("sent at {at}"),
            (_, Some(at), _) => format!("given up at {at}"),
            (.., Some(at)) => format!("to be tried at {at}, {attempts} tries so far"),
            (None, None, None) => "unknown".to_owned(),
        };
        let why = problem.as_ref().filter(|_| sent_at.is_none()).map(|why| format!(": {why}")).unwrap_or_default();
        let subject = words::name(&message.subject);
        let way = way(message.channel, message.recipient.as_deref());
        say(format_args!("{} {way} {subject}: {became}{why}", message.made_at))?;
    }
    Ok(())
}
