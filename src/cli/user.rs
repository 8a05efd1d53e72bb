//! `doorward user`: people who work here.

use clap::Subcommand;
use serde_json::json;

use super::{Desk, say, say_json};
use crate::app::admin::NewPassword;
use crate::config::Config;
use crate::domain::people::{Reach, Role};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create an account; shows its password once
    Create {
        /// The e-mail address that names the account
        email: String,
        /// admin, operator, moderator or auditor
        #[arg(long, value_parser = role)]
        role: Role,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// Give an account a new password
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

fn role(name: &str) -> Result<Role, String> {
    Role::from_name(name).ok_or_else(|| "must be admin, operator, moderator or auditor".to_owned())
}

pub(super) async fn run(command: Command, config: &Config) -> anyhow::Result<()> {
    let desk = Desk::open(config)?;
    match command {
        Command::Create { email, role, json } => {
            let made = desk.admin.user_create(&email, role, &Reach::ALL, desk.now).await;
            show(&desk.close(made).await?, json)
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

fn show(made: &NewPassword, json: bool) -> anyhow::Result<()> {
    if json {
        return say_json(made);
    }
    say(format_args!("email    {}", made.email))?;
    say(format_args!("password {}", made.password))?;
    say("Write it down: it is not shown again.")
}
