//! `doorward completions`: what a shell completes commands by, made from what the command line says of itself.

use anyhow::Context as _;
use clap_complete::Shell;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// For which shell
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::command(), "doorward", &mut script);
    super::say(String::from_utf8(script).context("the script is no text")?.trim_end())
}
