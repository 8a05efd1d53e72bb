//! `doorward user`: people who work here.

use clap::{Args, Subcommand};
use serde_json::json;

use super::{Desk, say, say_json};
use crate::app::admin::NewPassword;
use crate::config::Config;
use crate::domain::people::{Person, Reach, Role};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create an account; shows its password once
    Create {
        /// The e-mail address that names the account
        email: String,
        /// admin, operator, moderator or auditor
        #[arg(long, value_parser = role)]
        role: Role,
        #[command(flatten)]
        reach: ReachArguments,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// Change an account's role, and what it works on; what is not given stays
    Change {
        /// The account
        email: String,
        /// admin, operator, moderator or auditor
        #[arg(long, value_parser = role)]
        role: Option<Role>,
        #[command(flatten)]
        reach: ReachArguments,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// List open accounts
    List {
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// Give an account a new password; its sessions, its second factor and its tokens end
    Reset {
        /// The account
        email: String,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// Close an account and its tokens
    Disable {
        /// The account
        email: String,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
}

/// On what somebody works: on everything within all given lists.
#[derive(Debug, Clone, Args)]
pub(super) struct ReachArguments {
    /// Sites, separated by commas; `all` for no bound
    #[arg(long, value_name = "SITES")]
    sites: Option<String>,
    /// Sections of articles; `all` for no bound
    #[arg(long, value_name = "SECTIONS")]
    sections: Option<String>,
    /// Languages, as in en,de; `all` for no bound
    #[arg(long, value_name = "LANGS")]
    langs: Option<String>,
}

impl ReachArguments {
    /// `before`, with what is given in its place.
    fn over(&self, before: Reach) -> Reach {
        let list = |given: &Option<String>, before: Option<Vec<String>>| match given.as_deref() {
            None => before,
            Some("all") => None,
            Some(names) => Some(names.split(',').map(|name| name.trim().to_owned()).collect()),
        };
        Reach {
            sites: list(&self.sites, before.sites),
            sections: list(&self.sections, before.sections),
            langs: list(&self.langs, before.langs),
        }
    }
}

fn role(name: &str) -> Result<Role, String> {
    Role::from_name(name).ok_or_else(|| "must be admin, operator, moderator or auditor".to_owned())
}

pub(super) async fn run(command: Command, config: &Config) -> anyhow::Result<()> {
    let desk = Desk::open(config).await?;
    match command {
        Command::Create { email, role, reach, json } => {
            let made = desk.admin.user_create(&email, role, &reach.over(Reach::ALL), desk.now).await;
            show(&desk.close(made).await?, json)
        }
        Command::Change { email, role, reach, json } => {
            let changed = desk.admin.user_change(&email, role, |before| reach.over(before), desk.now).await;
            list_one(&desk.close(changed).await?, json)
        }
        Command::List { json } => {
            let people = desk.admin.users().await;
            for person in desk.close(people).await? {
                list_one(&person, json)?;
            }
            Ok(())
        }
        Command::Reset { email, json } => {
            let made = desk.admin.user_reset(&email, desk.now).await;
            show(&desk.close(made).await?, json)
        }
        Command::Disable { email, json } => {
            let closed = desk.admin.user_disable(&email, desk.now).await;
            desk.close(closed).await?;
            if json {
                say_json(&json!({"email": email, "disabled": true}))
            } else {
                say(format_args!("closed {email}"))
            }
        }
    }
}

fn list_one(person: &Person, json: bool) -> anyhow::Result<()> {
    let Person { email, role, reach, .. } = person;
    if json {
        return say_json(&json!({"email": email, "role": role.name(), "reach": reach}));
    }
    let bound = |name: &str, list: &Option<Vec<String>>| {
        list.as_ref().map(|list| format!(" {name} {}", list.join(","))).unwrap_or_default()
    };
    let bounds = bound("sites", &reach.sites) + &bound("sections", &reach.sections) + &bound("langs", &reach.langs);
    say(format_args!("{:<10}{email}{bounds}", role.name()))
}

fn show(made: &NewPassword, json: bool) -> anyhow::Result<()> {
    if json {
        return say_json(made);
    }
    say(format_args!("email    {}", made.email))?;
    say(format_args!("password {}", made.password))?;
    say("Write it down: it is not shown again.")
}
