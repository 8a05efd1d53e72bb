//! `doorward site`: who posts comments here.

use clap::{Args, Subcommand};
use serde_json::json;

use super::{Desk, Usage, say, say_json};
use crate::app::admin::{FIRST_SCOPES, NewKey};
use crate::config::Config;
use crate::domain::site::Scope;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create a site; shows its key and secrets once
    Create {
        /// 1 to 64 of a-z, 0-9, -, _ and .
        name: String,
        /// The site's address
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
    /// What the key may do: post, read, erase [default: post,read]
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
    Scope::from_name(name).ok_or_else(|| "must be post, read or erase".to_owned())
}

pub(super) async fn run(command: Command, config: &Config) -> anyhow::Result<()> {
    if let Command::Delete { name, yes: false, .. } = &command {
        let text = format!("this deletes `{name}` with all its comments; add --yes to do it");
        return Err(Usage(text).into());
    }
    let desk = Desk::open(config)?;
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
        Command::Delete { name, json, .. } => {
            let deleted = desk.admin.site_delete(&name, desk.now).await;
            desk.close(deleted).await?;
            if json { say_json(&json!({"site": name, "deleted": true})) } else { say(format_args!("deleted {name}")) }
        }
    }
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
