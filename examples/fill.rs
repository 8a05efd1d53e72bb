//! Fills a database with comments, for measuring on a store that is not empty: the way of a batch, without HTTP.
//!
//! `bench/comments.py --articles; bench/comments.py --count 1000000` piped into
//! `cargo run --release --example fill -- --config FILE --site news --rows 1000000`. Each line is a comment as a website posts it, or an article (an object
//! without `body`). Comments are judged and stored as any other, spread over the days before now, and their words are entered into the search's index. The
//! site must exist, and no service may run on the database. Nothing is limited: the settings should say so (`limits.enabled = false`).

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Parser;
use doorward::app::clock::Clock as _;
use doorward::app::intake::{Intake, Turn};
use doorward::app::limits::Route;
use doorward::config::Config;
use doorward::domain::comment::{ArticleDraft, Bounds, Draft};
use doorward::domain::site::Site;
use doorward::domain::time::Timestamp;
use doorward::startup::{self, SystemClock};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

/// Comments that are worked on at once: as many as one commit takes.
const AT_ONCE: usize = 256;
/// Comments whose words are entered into the index in one commit.
const INDEXED_AT_ONCE: usize = 2_000;

/// Reads comments from standard input and stores them.
#[derive(Debug, Parser)]
struct Arguments {
    /// Settings file
    #[arg(long)]
    config: PathBuf,
    /// The site that they belong to
    #[arg(long)]
    site: String,
    /// How many will come: they are spread evenly over the days
    #[arg(long)]
    rows: u32,
    /// Over how many days before now they arrived
    #[arg(long, default_value_t = 30)]
    days: u32,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let config = Config::load(Some(&arguments.config))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(fill(&arguments, &config))
}

async fn fill(arguments: &Arguments, config: &Config) -> anyhow::Result<()> {
    let app = startup::assemble(config, Arc::new(SystemClock)).await?;
    let sites = app.store().sites().await?;
    let site = sites.into_iter().find(|site| site.name.as_ref() == arguments.site);
    let site = Arc::new(site.with_context(|| format!("there is no site {}", arguments.site))?);
    let began = SystemClock.now();
    let span_ms = i64::from(arguments.days) * 86_400_000;
    let arrives = |number: u32| {
        began.plus_millis(span_ms * i64::from(number) / i64::from(arguments.rows.max(1)) - span_ms - 60_000) // none in the future
    };
    let (mut working, mut stored, mut came) = (FuturesUnordered::new(), 0_u32, 0_u32);
    for line in std::io::stdin().lines() {
        let line = line.context("standard input")?;
        let Some(draft) = comment(&line, app.intake(), site.id, &config.intake, arrives(0)).await? else { continue };
        working.push(submit(app.intake(), &site, draft, &config.intake, arrives(came)));
        came += 1;
        while working.len() >= AT_ONCE {
            if let Some(done) = working.next().await {
                done?;
                stored += 1;
            }
        }
    }
    while let Some(done) = working.next().await {
        done?;
        stored += 1;
    }
    drop(working);
    say(&format!("{{\"stored\":{stored}}}"))?; // two lines, so that whoever started this can tell what each part took
    while app.store().search_index(INDEXED_AT_ONCE).await?.more {}
    app.store().close().await;
    say("{\"indexed\":true}")
}

fn say(line: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{line}").context("standard output")
}

/// The comment on a line; `None` when it is an article, which is put.
async fn comment(
    line: &str,
    intake: &Arc<Intake>,
    site: doorward::domain::site::SiteId,
    bounds: &Bounds,
    at: Timestamp,
) -> anyhow::Result<Option<Draft>> {
    let value: serde_json::Value = serde_json::from_str(line).context("a line is not JSON")?;
    if value.get("body").is_some() {
        return Ok(Some(serde_json::from_value(value).context("a line is no comment")?));
    }
    let article: ArticleDraft = serde_json::from_value(value).context("a line is neither comment nor article")?;
    intake.article(site, article.parse(bounds)?, at).await?;
    Ok(None)
}

/// Stores one comment, which must be new.
async fn submit(
    intake: &Arc<Intake>,
    site: &Arc<Site>,
    draft: Draft,
    bounds: &Bounds,
    at: Timestamp,
) -> anyhow::Result<()> {
    let new = draft.parse(bounds)?;
    let taken = intake.submit(site, new, Route::Batch, Turn::any(), at).await?;
    anyhow::ensure!(!taken.replayed, "{} was stored before", taken.record.comment.id.as_str());
    Ok(())
}
