//! `doorward demo`: the whole service on loopback, with a sample site to look around in.
//!
//! The site ([`crate::sample`]) has a port of its own and knows Doorward from outside only: its key, and the webhooks that come to it.
//! The sample comments take the way that every comment takes, at moments in the past; nothing is written to the database
//! by hand. Running it again in the same folder goes on where it stopped, with new keys.

mod sample;

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;

use super::say;
use crate::app::admin::{Admin, AdminError, FIRST_SCOPES};
use crate::app::clock::Clock;
use crate::app::keys;
use crate::app::secrets::Sealer;
use crate::config::Config;
use crate::domain::people::{Person, Reach, Role};
use crate::domain::site::Site;
use crate::domain::time::Timestamp;
use crate::sample as courier;
use crate::startup::{self, App, SystemClock};
use crate::telemetry;

/// The sample site.
const SITE: &str = "courier";
/// Its moderator.
const MODERATOR: &str = "moderator@courier.example";
/// Seconds until the sample site is told of a decision: nobody waits long to see it.
const GRACE_S: u32 = 2;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Where the database and the key file go; made if missing
    #[arg(long, value_name = "FOLDER", default_value = "doorward-demo")]
    folder: PathBuf,
    /// The port on loopback [default: 8080 if it is free, else any]
    #[arg(long)]
    port: Option<u16>,
    /// The port of the sample site on loopback [default: 8081 if it is free, else any]
    #[arg(long)]
    sample_port: Option<u16>,
}

/// Milliseconds between two comments of a morning that the sample site replays.
const PACE_MS: u64 = 350;
/// Milliseconds until the sample site sends a comment again that was not answered.
const AGAIN_MS: u64 = 500;

pub(super) fn run(arguments: Arguments) -> anyhow::Result<()> {
    std::fs::create_dir_all(&arguments.folder).with_context(|| format!("{}", arguments.folder.display()))?;
    let listener = listen(arguments.port, 8080)?;
    let site_listener = listen(arguments.sample_port, 8081)?;
    let site_address = format!("http://{}", site_listener.local_addr()?);
    let hooks_url = format!("{site_address}/doorward");
    let address = format!("http://{}", listener.local_addr()?);
    let config = settings(&arguments.folder, &address);
    telemetry::start_log(&config.log)?;
    startup::run_to_end(async move {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let app = startup::assemble(&config, Arc::clone(&clock)).await?;
        let demo = Demo::prepare(&app, &config, clock.as_ref(), &hooks_url).await?;
        demo.greet(&address, &site_address, &arguments.folder)?;
        let site = courier::open(demo.site_settings(&address, clock.now())?, site_listener)?;
        let served = app.serve(listener, startup::stop_signal()).await;
        site.stop().await;
        served
    })
}

fn listen(port: Option<u16>, usual: u16) -> anyhow::Result<TcpListener> {
    let bind = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    match port {
        Some(port) => bind(port).with_context(|| format!("port {port} on loopback cannot be opened")),
        None => bind(usual).or_else(|_| bind(0)).context("no port on loopback can be opened"),
    }
}

/// The defaults, with everything that is written inside `folder`.
fn settings(folder: &Path, address: &str) -> Config {
    let mut config = Config::default();
    config.server.public_url = address.to_owned();
    config.database.url = format!("sqlite:{}", folder.join("doorward.db").display());
    config.secrets.key_file = folder.join("doorward.key");
    config.log.level = "warn".to_owned();
    // The sample site is on loopback: an exception that nothing but the demo makes by itself.
    config.webhooks.allow_hosts = vec![Ipv4Addr::LOCALHOST.to_string()];
    config.webhooks.undo_grace_s = GRACE_S;
    config
}

/// The sample site, ready to be commented on.
struct Demo {
    site: Arc<Site>,
    key: String,
    person: Person,
    token: String,
    password: String,
    webhook_secret: String,
}

impl Demo {
    /// Makes site, moderator and keys, and fills in the sample where it is missing.
    async fn prepare(app: &App, config: &Config, clock: &dyn Clock, hooks_url: &str) -> anyhow::Result<Self> {
        let now = clock.now();
        let sealer = Sealer::open(&config.secrets.key_file)?;
        let admin = Admin::new(Arc::clone(app.store()), sealer.clone());
        let key = match admin.site_create(SITE, Some("https://courier.example/"), None, now).await {
            Ok(made) => made.key,
            Err(AdminError::Exists(_)) => {
                admin.site_webhook(SITE, None, now).await?; // the last run's receiver is gone
                admin.site_rotate(SITE, &FIRST_SCOPES, now).await?.key
            }
            Err(error) => return Err(error.into()),
        };
        // An operator: so that every page of the console is there to look at.
        let password = match admin.user_create(MODERATOR, Role::Operator, &Reach::ALL, now).await {
            Ok(made) => made.password,
            Err(AdminError::Exists(_)) => admin.user_reset(MODERATOR, now).await?.password,
            Err(error) => return Err(error.into()),
        };
        let token = admin.token_create(MODERATOR, now).await?.token;
        let site = app.store().site_key_find(&keys::hash(&key)).await?.context("the new key opens no site")?.site;
        let person = app.store().token_find(&keys::hash(&token)).await?.context("the new token opens no account")?;
        let secrets = app.store().site_secrets(SITE).await?.context("the site has no secrets")?;
        let webhook_secret = sealer.unseal(SITE, "webhook", &secrets.webhook)?;
        let demo = Self { site, key, person, token, password, webhook_secret };
        sample::fill(app, &demo.site, &demo.person, now).await?;
        // Only now: what the sample's moderator decided days ago is no news.
        admin.site_webhook(SITE, Some(hooks_url), now).await?;
        Ok(demo)
    }

    /// What the sample site is told: where Doorward is, and its own key and secret. Nothing else.
    fn site_settings(&self, address: &str, now: Timestamp) -> anyhow::Result<courier::Settings> {
        Ok(courier::Settings {
            doorward: address.to_owned(),
            console: address.to_owned(),
            key: self.key.clone(),
            webhook_secret: self.webhook_secret.clone(),
            pace_ms: PACE_MS,
            again_ms: AGAIN_MS,
            earlier: sample::earlier(now)?,
            now: || SystemClock.now().as_millis(),
            heard: |line| {
                let _ = say(format_args!("webhook {line}")); // nobody may be there to read it
            },
        })
    }

    fn greet(&self, address: &str, site_address: &str, folder: &Path) -> anyhow::Result<()> {
        say(format_args!("Doorward runs at {address} (this machine only). Its database is in {}.", folder.display()))?;
        say(format_args!("The sample site, a newspaper to comment on: {site_address}"))?;
        let (email, password) = (&self.person.email, &self.password);
        say(format_args!("The moderators' console: {address}/queue (sign in as {email}, password: {password} )"))?;
        say(format_args!("Site `{SITE}`: 6 articles, {} comments. Key: {}", sample::count(), self.key))?;
        say(format_args!("Moderator {}. Token: {}", self.person.email, self.token))?;
        say("\nSend three comments, look at the queue, and decide:")?;
        for (what, line) in self.lines(address) {
            say(format_args!("\n# {what}\n{line}"))?;
        }
        say(format_args!("\nSettings, API and formats: {address}/docs. Stop with Ctrl-C."))
    }

    /// What to try, as shell commands of one line each. The ids are fixed: a line that is sent twice is answered from the record.
    fn lines(&self, address: &str) -> Vec<(String, String)> {
        let post = |body: &serde_json::Value| {
            format!(
                "curl -sS -X POST {address}/v1/comments -H 'Authorization: Bearer {}' -H 'Content-Type: application/json' -d {}",
                self.key,
                quoted(&body.to_string())
            )
        };
        let mut lines: Vec<_> =
            sample::tries().into_iter().map(|(what, body)| (what.to_owned(), post(&body))).collect();
        let queue = format!("curl -sS '{address}/v1/queue?site={SITE}' -H 'Authorization: Bearer {}'", self.token);
        lines.push(("the queue: what waits for a person".to_owned(), queue));
        let what = "approve what was held; some seconds later the site is told, as a line here shows".to_owned();
        lines.push((what, self.approval(address)));
        lines
    }

    /// Looks the held comment up and approves it in the version that it has.
    fn approval(&self, address: &str) -> String {
        let decision = r#"{"items":[{"uid":"\1","seen_version":\2}],"action":"approve"}"#;
        let to_decision = format!(r#"s/.*"uid":"\([^"]*\)".*"version":\([0-9]*\),"status".*/{decision}/"#);
        format!(
            "curl -sS {address}/v1/comments/try-hold -H 'Authorization: Bearer {}' | sed {} | \
             curl -sS -X POST {address}/v1/decisions -H 'Authorization: Bearer {}' -H 'Content-Type: application/json' -d @-",
            self.key,
            quoted(&to_decision),
            self.token,
        )
    }
}

/// `text` as one word of a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_what_was_quoted() {
        let text = r#"it's "quoted" $HOME `x` \ end"#;
        let output = std::process::Command::new("sh").arg("-c").arg(format!("printf %s {}", quoted(text))).output();
        assert_eq!(String::from_utf8(output.unwrap().stdout).unwrap(), text);
    }
}
