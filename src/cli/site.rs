//! `doorward site`: who posts comments here.

use std::io::Read as _;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::json;

use super::{Desk, Usage, say, say_json};
use crate::app::admin::{AdminError, FIRST_SCOPES, NewKey};
use crate::config::Config;
use crate::domain::site::{Scope, Site};
use crate::domain::store::SecretKind;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create a site; shows its key and secrets once
    Create {
        /// 1 to 64 of a-z, 0-9, -, _ and .
        name: String,
        /// The site's address: its Akismet key is then for that blog alone
        #[arg(long, value_name = "BLOG")]
        url: Option<String>,
        /// Where the site wants to be told of decisions
        #[arg(long, value_name = "URL")]
        webhook: Option<String>,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// List all sites
    List {
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// Make one more key; the others stay valid
    Key(KeyArguments),
    /// Make a new key and end all others at once
    Rotate(KeyArguments),
    /// Replace a site's Akismet key: the one before opens nothing any more; shows the new one once
    AkismetKey {
        /// The site
        name: String,
        /// Really replace it
        #[arg(long, required = true)]
        rotate: bool,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// Set where a site's webhooks go; without an address, show it
    Webhook {
        /// The site
        name: String,
        /// https://… or http://…
        #[arg(conflicts_with = "none")]
        url: Option<String>,
        /// Send it no webhooks any more
        #[arg(long)]
        none: bool,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// Set the one blog that a site's Akismet key is for; without an address, show it
    Pin {
        /// The site
        name: String,
        /// https://… or http://…
        #[arg(conflicts_with = "none")]
        url: Option<String>,
        /// Any blog
        #[arg(long)]
        none: bool,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// Replace a secret that webhooks are signed with; shows the new one once
    Secret {
        /// The site
        name: String,
        /// Which: webhook (what the site receives) or inbound (what it sends)
        #[arg(long, value_name = "WHICH", value_parser = secret_kind)]
        rotate: SecretKind,
        /// For how long the secret before stays valid, too, as in 90s, 30m, 24h or 7d
        #[arg(long, value_name = "TIME", default_value = "24h", value_parser = duration_ms)]
        valid_for: i64,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// Set what Coral signs its requests with; reads it from standard input, or from a file
    CoralSecret {
        /// The site
        name: String,
        /// A file that holds it, instead of standard input
        #[arg(long, value_name = "FILE")]
        file: Option<std::path::PathBuf>,
        /// For how long the secret before stays valid, too, as in 90s, 30m, 24h or 7d
        #[arg(long, value_name = "TIME", default_value = "24h", value_parser = duration_ms)]
        valid_for: i64,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// Delete a site with all its comments
    Delete {
        /// The site
        name: String,
        /// Really delete; nothing can bring it back
        #[arg(long)]
        yes: bool,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct KeyArguments {
    /// The site
    name: String,
    /// What the key may do: post, read, erase, feedback [default: post,read]
    #[arg(long, value_delimiter = ',', value_parser = scope)]
    scopes: Vec<Scope>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

impl KeyArguments {
    fn scopes(&self) -> Vec<Scope> {
        let mut scopes = if self.scopes.is_empty() { FIRST_SCOPES.to_vec() } else { self.scopes.clone() };
        scopes.sort();
        scopes.dedup();
        scopes
    }
}

fn scope(name: &str) -> Result<Scope, String> {
    Scope::from_name(name).ok_or_else(|| "must be post, read, erase or feedback".to_owned())
}

fn secret_kind(name: &str) -> Result<SecretKind, String> {
    match name {
        "webhook" => Ok(SecretKind::Webhook),
        "inbound" => Ok(SecretKind::Inbound),
        _ => Err("must be webhook or inbound".to_owned()),
    }
}

/// Milliseconds: a whole number and `s`, `m`, `h` or `d`; a year at most.
fn duration_ms(text: &str) -> Result<i64, String> {
    const YEAR_MS: i64 = 366 * 86_400_000;
    let wrong = || "must be a number and s, m, h or d, as in 24h; a year at most".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let unit_ms = match unit {
        's' => 1_000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => 86_400_000,
        _ => return Err(wrong()),
    };
    let number: u32 = text[..text.len() - unit.len_utf8()].parse().map_err(|_| wrong())?;
    Some(i64::from(number) * unit_ms).filter(|ms| *ms <= YEAR_MS).ok_or_else(wrong)
}

pub(super) async fn run(command: Command, config: &Config) -> anyhow::Result<()> {
    if let Command::Delete { name, yes: false, .. } = &command {
        let text = format!("this deletes `{name}` with all its comments; add --yes to do it");
        return Err(Usage(text).into());
    }
    let coral_secret = match &command {
        Command::CoralSecret { file, .. } => read_secret(file.as_deref())?,
        _ => String::new(),
    };
    let desk = Desk::open(config).await?;
    match command {
        Command::Create { name, url, webhook, json } => {
            let made = desk.admin.site_create(&name, url.as_deref(), webhook.as_deref(), desk.now).await;
            let made = desk.close(made).await?;
            if json {
                return say_json(&made);
            }
            say(format_args!("site           {}", made.site))?;
            say(format_args!("key            {}", made.key))?;
            say(format_args!("akismet key    {}", made.akismet_key))?;
            say(format_args!("inbound secret {}", made.inbound_secret))?;
            say(format_args!("webhook secret {}", made.webhook_secret))?;
            say("Write these down: the key is not shown again.")
        }
        Command::List { json } => {
            let sites = desk.admin.sites().await;
            for site in desk.close(sites).await? {
                if json {
                    let (url, webhook) = (site.url.as_deref(), site.webhook.as_deref());
                    say_json(
                        &json!({"site": &*site.name, "url": url, "webhook": webhook, "created_at": site.created_at}),
                    )?;
                } else {
                    say(format_args!("{:<24} {} {}", site.name, site.created_at, site.url.as_deref().unwrap_or("-")))?;
                }
            }
            Ok(())
        }
        Command::Key(arguments) => {
            let made = desk.admin.site_key(&arguments.name, &arguments.scopes(), desk.now).await;
            show_key(&desk.close(made).await?, arguments.json)
        }
        Command::Rotate(arguments) => {
            let made = desk.admin.site_rotate(&arguments.name, &arguments.scopes(), desk.now).await;
            show_key(&desk.close(made).await?, arguments.json)
        }
        Command::AkismetKey { name, json, .. } => {
            let made = desk.admin.site_akismet_key(&name, desk.now).await;
            let made = desk.close(made).await?;
            if json {
                return say_json(&made);
            }
            say(format_args!("site        {}", made.site))?;
            say(format_args!("akismet key {}", made.akismet_key))?;
            say("Give it to the client now: the key before opens nothing any more, and this one is not shown again.")
        }
        Command::Webhook { name, url, none, json } => webhook(desk, &name, url.as_deref(), none, json).await,
        Command::Pin { name, url, none, json } => pin(desk, &name, url.as_deref(), none, json).await,
        Command::Secret { name, rotate, valid_for, json } => {
            let made = desk.admin.site_secret(&name, rotate, valid_for, desk.now).await;
            let made = desk.close(made).await?;
            if json {
                return say_json(&made);
            }
            say(format_args!("site   {}", made.site))?;
            say(format_args!("secret {}", made.secret))?;
            say(format_args!(
                "The one before is valid until {}. Write this down: it is not shown again.",
                made.before_valid_until
            ))
        }
        Command::CoralSecret { name, valid_for, json, .. } => {
            let set = desk.admin.site_coral_secret(&name, &coral_secret, valid_for, desk.now).await;
            let before_valid_until = desk.close(set).await?;
            if json {
                return say_json(&json!({"site": name, "before_valid_until": before_valid_until}));
            }
            say(format_args!("set; one before, if there was one, is valid until {before_valid_until}"))
        }
        Command::Delete { name, json, .. } => {
            let deleted = desk.admin.site_delete(&name, desk.now).await;
            desk.close(deleted).await?;
            if json { say_json(&json!({"site": name, "deleted": true})) } else { say(format_args!("deleted {name}")) }
        }
    }
}

async fn webhook(desk: Desk, name: &str, url: Option<&str>, none: bool, json: bool) -> anyhow::Result<()> {
    let now = desk.now;
    let set = async || {
        if url.is_some() || none {
            desk.admin.site_webhook(name, url, now).await?;
        }
        named(&desk, name).await
    };
    let site = set().await;
    let site = desk.close(site).await?;
    if json {
        return say_json(&json!({"site": name, "webhook": site.webhook.as_deref()}));
    }
    say(site.webhook.as_deref().unwrap_or("none"))
}

async fn named(desk: &Desk, name: &str) -> Result<Site, AdminError> {
    let site = desk.admin.sites().await?.into_iter().find(|site| *site.name == *name);
    site.ok_or_else(|| AdminError::NoSite(name.to_owned()))
}

async fn pin(desk: Desk, name: &str, url: Option<&str>, none: bool, json: bool) -> anyhow::Result<()> {
    let now = desk.now;
    let set = async || {
        if url.is_some() || none {
            desk.admin.site_pin(name, url, now).await?;
        }
        named(&desk, name).await
    };
    let site = set().await;
    let site = desk.close(site).await?;
    if json {
        return say_json(&json!({"site": name, "url": site.url.as_deref()}));
    }
    say(site.url.as_deref().unwrap_or("any"))
}

/// Neither the list of processes nor the history of a shell is to know it: no argument.
fn read_secret(file: Option<&std::path::Path>) -> anyhow::Result<String> {
    const MOST: u64 = 4_096; // more is no secret
    let mut text = String::new();
    match file {
        Some(path) => {
            let read = std::fs::File::open(path).and_then(|file| file.take(MOST).read_to_string(&mut text));
            read.with_context(|| format!("{} cannot be read", path.display()))?;
        }
        None => {
            std::io::stdin().take(MOST).read_to_string(&mut text).context("standard input cannot be read")?;
        }
    }
    Ok(text.trim().to_owned())
}

fn show_key(made: &NewKey, json: bool) -> anyhow::Result<()> {
    if json {
        return say_json(made);
    }
    let scopes: Vec<&str> = made.scopes.iter().map(|scope| scope.name()).collect();
    say(format_args!("site   {}", made.site))?;
    say(format_args!("key    {}", made.key))?;
    say(format_args!("scopes {}", scopes.join(",")))?;
    say("Write it down: it is not shown again.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        for (text, ms) in [("90s", 90_000), ("30m", 1_800_000), ("24h", 86_400_000), ("7d", 604_800_000), ("0s", 0)] {
            assert_eq!(duration_ms(text), Ok(ms), "{text}");
        }
        for text in ["", "h", "24", "-1h", "1.5h", "24 h", "24h ", "400d", "99999999999d", "1é"] {
            assert!(duration_ms(text).is_err(), "{text:?}");
        }
    }
}
