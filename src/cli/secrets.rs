//! `doorward secrets`: the key that secrets in the database are encrypted with.

use clap::Subcommand;

use super::{Desk, say, say_json};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Put a new key into secrets.key_file and encrypt everything anew; stopped, it goes on when run again
    Rotate {
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(command: Command, config: &Config) -> anyhow::Result<()> {
    let Command::Rotate { json } = command;
    let desk = Desk::open(config).await?;
    let rotated = desk.admin.rotate_key(desk.now).await;
    let rotated = desk.close(rotated).await?;
    if json {
        return say_json(&rotated);
    }
    if rotated.resumed {
        say("a rotation that was begun before is done now")?;
    }
    say(format_args!("sites encrypted anew {}", rotated.sites))?;
    say(format_args!(
        "Back up {}: the key before opens older backups of the database only.",
        config.secrets.key_file.display()
    ))
}
