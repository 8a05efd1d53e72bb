//! `doorward export --site NAME`: everything of a site, as `doorward import ndjson` reads it (docs/import.md).

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::ValueEnum;

use super::Usage;
use crate::app::imports::{article_line, comment_line, first_line};
use crate::config::Config;
use crate::domain::site::SiteId;
use crate::domain::store::Store;
use crate::startup;

/// Articles and comments read at once: articles are long.
const AT_ONCE: [usize; 2] = [50, 500];

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The site
    #[arg(long, value_name = "NAME")]
    site: String,
    /// What it is written in
    #[arg(long, value_enum, default_value_t = Format::Ndjson)]
    format: Format,
    /// Where to, readable by its owner alone; standard output when it is not said
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// A line of JSON for each article and comment
    Ndjson,
}

pub(super) async fn run(arguments: Arguments, config: &Config) -> anyhow::Result<()> {
    let Format::Ndjson = arguments.format;
    let store = startup::open_store(config).await?;
    let outcome = export(&arguments, &store).await;
    store.close().await;
    outcome
}

async fn export(arguments: &Arguments, store: &Arc<dyn Store>) -> anyhow::Result<()> {
    let sites = store.sites().await?;
    let site = sites.into_iter().find(|site| *site.name == *arguments.site);
    let site = site.ok_or_else(|| Usage(format!("--site: there is no site `{}`", arguments.site)))?;
    let Some(out) = &arguments.out else {
        return match write(&**store, site.id, &mut BufWriter::new(io::stdout().lock())).await {
            // A reader that went away, as in `| head`, is no error.
            Err(error) if is_broken_pipe(&error) => Ok(()),
            outcome => outcome,
        };
    };
    // What stands there in the end is whole.
    let mut part = out.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let file = made(&part).with_context(|| format!("{}", part.display()))?;
    let mut writer = BufWriter::new(file);
    write(&**store, site.id, &mut writer).await?;
    let file =
        writer.into_inner().map_err(io::IntoInnerError::into_error).context("the export could not be written")?;
    file.sync_all().with_context(|| format!("{}", part.display()))?;
    std::fs::rename(&part, out).with_context(|| format!("{}", out.display()))
}

/// A new file: what lay there, with rights of its own or as a link to somewhere else, is not written into.
fn made(path: &Path) -> io::Result<File> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

async fn write(store: &dyn Store, site: SiteId, out: &mut impl Write) -> anyhow::Result<()> {
    writeln!(out, "{}", first_line())?;
    let mut after = None;
    loop {
        let articles = store.export_articles(site, after, AT_ONCE[0]).await?;
        let Some(last) = articles.last() else { break };
        after = Some(last.id.to_string());
        for article in &articles {
            writeln!(out, "{}", article_line(article)?)?;
        }
    }
    let mut after = None;
    loop {
        let (comments, last) = store.export_comments(site, after, AT_ONCE[1]).await?;
        for comment in &comments {
            writeln!(out, "{}", comment_line(comment)?)?;
        }
        after = last;
        if after.is_none() {
            break;
        }
    }
    Ok(out.flush()?)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>()).any(|io| io.kind() == io::ErrorKind::BrokenPipe)
}
