//! `doorward import FORMAT FILE --site NAME`: comments that another system exported (docs/import.md).

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::ValueEnum;
use serde::Serialize;

use super::import_progress::Progress;
use super::{Usage, say, say_json};
use crate::app::clock::Clock as _;
use crate::app::house::Settings;
use crate::app::imports::{FileFormat, ImportFile, Importer, Report, Sieve};
use crate::app::learning::Learning;
use crate::config::Config;
use crate::domain::imports::{Import, ImportCounts, Labelled};
use crate::domain::learning::ModelChange;
use crate::domain::site::Site;
use crate::domain::store::Store;
use crate::domain::time::Timestamp;
use crate::startup::{self, SystemClock};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// What the file is written in
    #[arg(value_enum)]
    format: Format,
    /// The file; one that is packed with gzip is unpacked as it is read
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The site that the comments belong to
    #[arg(long, value_name = "NAME")]
    site: String,
    /// Only say what is in the file, what would be left out and why
    #[arg(long)]
    dry_run: bool,
    /// Let the site learn from what the other system said of the comments; what is learned is measured before it answers
    #[arg(long)]
    train: bool,
    /// What becomes of comments that wait for a moderator there
    #[arg(long, value_enum, default_value_t = Pending::Hold)]
    pending: Pending,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
    /// Entries in one commit at most
    #[arg(long, hide = true, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    batch: u32,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// What `doorward export` writes: a line of JSON for each article and comment
    Ndjson,
    /// WordPress eXtended RSS (Tools, Export)
    Wordpress,
    /// Disqus' XML
    Disqus,
    /// A backup of Remark42
    Remark42,
    /// The database of Isso
    Isso,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Pending {
    /// They wait for a moderator here
    Hold,
    /// They are left out
    Skip,
}

impl From<Format> for FileFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Ndjson => Self::Ndjson,
            Format::Wordpress => Self::Wordpress,
            Format::Disqus => Self::Disqus,
            Format::Remark42 => Self::Remark42,
            Format::Isso => Self::Isso,
        }
    }
}

/// What is said at the end.
#[derive(Debug, Serialize)]
struct Outcome {
    /// What is in the file.
    report: Report,
    /// What became of it; none where it was only looked at.
    import: Option<ImportCounts>,
    /// Whether an earlier import of the same file was gone on with.
    resumed: bool,
    /// Whether the same file was brought in before: then nothing was changed.
    before: bool,
    /// Labels that were made, where the site is to learn.
    labelled: Option<Labelled>,
    /// What came of them.
    learned: Option<Learned>,
    /// That this run took.
    seconds: f64,
}

/// What came of learning.
#[derive(Debug, Serialize)]
struct Learned {
    /// As in `replaced`, `refused`.
    kind: &'static str,
    reason: String,
    figures: serde_json::Value,
}

impl From<ModelChange> for Learned {
    fn from(change: ModelChange) -> Self {
        Self { kind: change.kind.name(), reason: change.reason, figures: change.figures }
    }
}

pub(super) async fn run(arguments: Arguments, config: &Config) -> anyhow::Result<()> {
    let learns = config.learning.learns(&arguments.site) && config.model.enabled;
    anyhow::ensure!(
        learns || !arguments.train,
        Usage("--train: this site does not learn (`learning` and `model.enabled` in the settings)".to_owned())
    );
    let store = match arguments.dry_run {
        true => startup::open_store(config).await?,
        false => startup::open_store_to_fill(config).await?,
    };
    let outcome = import(&arguments, config, &store).await;
    store.close().await;
    let outcome = outcome?;
    if arguments.json {
        return say_json(&outcome);
    }
    outcome.tell()
}

async fn import(arguments: &Arguments, config: &Config, store: &Arc<dyn Store>) -> anyhow::Result<Outcome> {
    let begun = SystemClock.now();
    let sites = store.sites().await?;
    let site = sites.into_iter().find(|site| *site.name == *arguments.site);
    let site = site.ok_or_else(|| Usage(format!("--site: there is no site `{}`", arguments.site)))?;
    let file = ImportFile::new(&arguments.file, arguments.format.into());
    let sieve = sieve(arguments, config, begun);
    let mut progress = Progress::new("looked at", None, 0, begun);
    let report = file.look(&sieve, &mut |entries| {
        if entries % 1_000 == 0 {
            progress.tell(entries, SystemClock.now());
        }
    });
    progress.end();
    let report = report.with_context(|| format!("{}: nothing was brought in", arguments.file.display()))?;
    if !arguments.json {
        tell_report(&report)?;
    }
    let mut outcome = Outcome {
        report,
        import: None,
        resumed: false,
        before: false,
        labelled: None,
        learned: None,
        seconds: seconds_since(begun),
    };
    if arguments.dry_run {
        return Ok(outcome);
    }
    let house = Arc::new(startup::house(config)?);
    let importer = Importer {
        store: Arc::clone(store),
        house,
        site: Arc::new(site.clone()),
        sieve,
        batch: arguments.batch as usize,
    };
    let mut progress: Option<Progress> = None;
    let total = outcome.report.entries;
    let import = importer
        .run(&file, &mut |import: &Import| {
            let now = SystemClock.now();
            if progress.is_none() {
                (outcome.resumed, outcome.before) =
                    (import.position > 0 && import.done_at.is_none(), import.done_at.is_some());
            }
            let progress =
                progress.get_or_insert_with(|| Progress::new("brought in", Some(total), import.position, now));
            progress.tell(import.position, now);
        })
        .await;
    if let Some(progress) = progress {
        progress.end();
    }
    let import = import?;
    outcome.import = Some(import.counts);
    if arguments.train {
        (outcome.labelled, outcome.learned) = train(store, &site, config, import.id).await?;
    }
    outcome.seconds = seconds_since(begun);
    Ok(outcome)
}

fn sieve(arguments: &Arguments, config: &Config, now: Timestamp) -> Sieve {
    let days_ago = |days: u32| (days > 0).then(|| now.plus_millis(-i64::from(days) * 86_400_000));
    let is_kept_for_days = config.database.is_postgres();
    Sieve {
        bounds: config.intake.clone(),
        with_pending: arguments.pending == Pending::Hold,
        addresses_from: days_ago(config.privacy.hash_addresses_after_days),
        kept_from: is_kept_for_days.then(|| days_ago(config.database.retain_days)).flatten(),
        now,
    }
}

/// Labels what the other system said, and lets the site learn. What it learns answers only when it says better what people say.
async fn train(
    store: &Arc<dyn Store>,
    site: &Site,
    config: &Config,
    import: i64,
) -> anyhow::Result<(Option<Labelled>, Option<Learned>)> {
    let most = u32::try_from(config.learning.max_labels / 2).unwrap_or(u32::MAX);
    let labelled = store.import_label(import, most, SystemClock.now()).await?;
    if labelled == Labelled::default() {
        return Ok((Some(labelled), None));
    }
    let settings = Arc::new(Settings::new(startup::house(config)?));
    let learning = Learning::start(Arc::clone(store), settings, config.learning.clone()).await?;
    learning.look(SystemClock.now()).await?;
    let change = store.model_changes(site.id, 1).await?.pop();
    Ok((Some(labelled), change.map(Learned::from)))
}

#[expect(clippy::cast_precision_loss, reason = "an import takes less than a hundred thousand years")]
fn seconds_since(begun: Timestamp) -> f64 {
    SystemClock.now().millis_since(begun) as f64 / 1_000.0
}

fn tell_report(report: &Report) -> anyhow::Result<()> {
    let Report { entries, articles, comments, labels, skipped, examples, .. } = report;
    say(format_args!("In the file: {entries} entries, {articles} of them articles."))?;
    if let (Some(first), Some(last)) = (report.first, report.last) {
        say(format_args!("Comments from {first} to {last}:"))?;
    }
    for (status, count) in comments {
        say(format_args!("  {count} {status}"))?;
    }
    for (label, count) in labels {
        say(format_args!("  {count} labelled {label} by what they were"))?;
    }
    for (why, count) in skipped {
        say(format_args!("  {count} left out: {why}"))?;
    }
    for example in examples {
        say(format_args!("    {example}"))?;
    }
    for (count, what) in [
        (report.repeated_ids, "left out whose id came before in this file"),
        (report.answers_to_missing, "that answer a comment which is not in this file"),
        (
            report.without_addresses,
            "whose addresses are left out, being older than `privacy.hash_addresses_after_days`",
        ),
        (report.fields_left_out, "fields left out that are not valid"),
    ] {
        if count > 0 {
            say(format_args!("  {count} {what}"))?;
        }
    }
    Ok(())
}

impl Outcome {
    fn tell(&self) -> anyhow::Result<()> {
        let Some(counts) = self.import else {
            return say("Nothing was brought in: this was a dry run.");
        };
        if self.before {
            say("This file was brought into this site before; nothing was changed. What came of it then:")?;
        }
        let ImportCounts { stored, known, differing, articles, skipped } = counts;
        say(format_args!(
            "Brought in: {stored} comments, {articles} articles. Left alone: {known} that were there, {differing} whose id was there with other \
             content. Left out: {skipped}. In {:.1} s.",
            self.seconds
        ))?;
        match &self.labelled {
            Some(Labelled { spam: 0, ham: 0 }) => say("Nothing new to learn from.")?,
            Some(Labelled { spam, ham }) => say(format_args!("Labelled: {spam} as spam or abuse, {ham} as ham."))?,
            None => {}
        }
        if let Some(Learned { kind, reason, .. }) = &self.learned {
            say(format_args!("Learned: {kind}: {reason}."))?;
        }
        Ok(())
    }
}
