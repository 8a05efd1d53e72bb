//! `doorward token`: personal API tokens.

use clap::Subcommand;
use serde_json::json;

use super::{Desk, say, say_json};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create a personal API token; shows it once
    Create {
        /// Whose
        email: String,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// List tokens: whose, their id (the beginning of their hash), and when they were made
    List {
        /// Whose [default: everybody's]
        email: Option<String>,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// End a token; a running service notices within seconds
    Revoke {
        /// Whose
        email: String,
        /// The token's id, or its beginning
        id: String,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(command: Command, config: &Config) -> anyhow::Result<()> {
    let desk = Desk::open(config).await?;
    match command {
        Command::Create { email, json } => {
            let made = desk.admin.token_create(&email, desk.now).await;
            let made = desk.close(made).await?;
            if json {
                return say_json(&made);
            }
            say(format_args!("token {}", made.token))?;
            say("Write it down: it is not shown again.")
        }
        Command::List { email, json } => {
            let tokens = desk.admin.tokens(email.as_deref()).await;
            for token in desk.close(tokens).await? {
                if json {
                    say_json(&token)?;
                } else {
                    say(format_args!("{} {} {}", token.id, token.created_at, token.email))?;
                }
            }
            Ok(())
        }
        Command::Revoke { email, id, json } => {
            let revoked = desk.admin.token_revoke(&email, &id, desk.now).await;
            desk.close(revoked).await?;
            if json {
                say_json(&json!({"email": email, "id": id, "revoked": true}))
            } else {
                say(format_args!("revoked {id} of {email}"))
            }
        }
    }
}
