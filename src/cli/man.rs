//! `doorward man`: the manual, made from what the command line says of itself.

use std::path::PathBuf;

use anyhow::Context as _;

use super::Usage;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The folder for the pages; it must be there
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let folder = &arguments.folder;
    anyhow::ensure!(folder.is_dir(), Usage(format!("{} is no folder; make it first", folder.display())));
    clap_mangen::generate_to(super::command(), folder)
        .with_context(|| format!("the pages cannot be written to {}", folder.display()))
}
