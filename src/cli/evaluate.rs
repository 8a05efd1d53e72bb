//! `doorward evaluate`: measures a model alone, and the whole decision, on labelled files or by the standard protocols.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

use super::{Usage, block_on, say, say_json, train};
use crate::app::evaluation::court::Court;
use crate::app::evaluation::report::{Chance, Line, Report};
use crate::app::evaluation::workshop::{Tools, Workshop};
use crate::app::evaluation::{self, LIST, Protocol, markdown, plots};
use crate::app::house::House;
use crate::classifier::evaluate::bootstrap::SEED;
use crate::classifier::train::Without;
use crate::classifier::weights;
use crate::config::Config;
use crate::domain::history::History;
use crate::startup;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The model file for --data; the shipped one when not said
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Labelled files
    #[arg(long, num_args = 1.., value_name = "FILE")]
    data: Vec<PathBuf>,
    /// Standard protocols by name, or `all`; `list` says which there are
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    protocol: Vec<String>,
    /// The folder with the training sets, for protocols; those that only measure are expected in ../eval beside it
    #[arg(long, value_name = "DIR")]
    train: Option<PathBuf>,
    /// Where the models that protocols train are kept for the next time
    #[arg(long, value_name = "DIR", default_value = "evaluate-models")]
    cache: PathBuf,
    /// Use kept models of other builds of this program, too: only where features and training are the same
    #[arg(long)]
    reuse: bool,
    /// Where report.json, report.md, plots and lists go
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Resamples for intervals; 0 for none
    #[arg(long, default_value_t = 500, value_name = "COUNT")]
    resamples: usize,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// What `report.json` holds, and `--json` prints.
#[derive(Serialize)]
struct Output<'a> {
    program: &'static str,
    resamples: usize,
    seed: u64,
    reports: &'a [Report],
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if arguments.protocol.iter().any(|name| name == "list") {
        return LIST.iter().try_for_each(|protocol| say(format_args!("{:20} {}", protocol.name(), protocol.title())));
    }
    let protocols = protocols(&arguments.protocol)?;
    if protocols.is_empty() && arguments.data.is_empty() {
        return Err(Usage("name labelled files with --data, or protocols with --protocol".to_owned()).into());
    }
    let past = Past::new()?;
    let chance = Chance { resamples: arguments.resamples, seed: SEED };
    let mut reports = Vec::new();
    if !arguments.data.is_empty() {
        let mut court = Court::new(Arc::new(house(arguments.model.as_deref())?), past.open()?);
        reports.push(block_on(evaluation::files(&mut court, &arguments.data, chance))??);
    }
    if !protocols.is_empty() {
        let Some(folder) = &arguments.train else {
            return Err(Usage("--protocol needs the folder of the training sets: --train DIR".to_owned()).into());
        };
        let history = || past.open();
        let tools = Tools { train: &make, house: &house, history: &history, progress: &progress };
        let maker = if arguments.reuse { String::new() } else { maker()? };
        let shop = Workshop::new(tools, folder.clone(), arguments.cache.clone(), maker);
        for protocol in protocols {
            reports.push(block_on(evaluation::run(protocol, &shop, chance))??);
            if let Some(out) = &arguments.out {
                write(out, &reports, chance)?; // as far as it goes: a run of all takes long
            }
        }
    }
    if let Some(out) = &arguments.out {
        write(out, &reports, chance)?;
    }
    if arguments.json {
        return say_json(&output(&reports, chance));
    }
    reports.iter().try_for_each(print)
}

fn protocols(names: &[String]) -> anyhow::Result<Vec<&'static dyn Protocol>> {
    if names.iter().any(|name| name == "all") {
        return Ok(LIST.to_vec());
    }
    let find = |name: &String| {
        let found = LIST.iter().find(|protocol| protocol.name() == name);
        let names = || LIST.iter().map(|protocol| protocol.name()).collect::<Vec<_>>().join(", ");
        found.copied().ok_or_else(|| Usage(format!("no protocol `{name}`; there are: {}", names())).into())
    };
    names.iter().map(find).collect()
}

fn output(reports: &[Report], chance: Chance) -> Output<'_> {
    let Chance { resamples, seed } = chance;
    Output { program: concat!("doorward ", env!("CARGO_PKG_VERSION")), resamples, seed, reports }
}

/// A house with the default settings around a model file.
fn house(model: Option<&Path>) -> anyhow::Result<House> {
    let mut config = Config::default();
    if let Some(path) = model {
        config.model.file = path.to_owned();
        // Weights that were fitted without what the model had not seen either.
        let beside = path.with_file_name("weights.toml");
        if beside.is_file() {
            config.signals = weights::settings(&std::fs::read_to_string(&beside)?)?;
        }
    }
    startup::house(&config)
}

/// Trains without something, into a folder.
fn make(data: &Path, without: &Without, out: &Path) -> anyhow::Result<()> {
    train::make(data, without, out, &mut |_| {}).map(|_| ())
}

fn progress(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}"); // a reader that went away stops no measurement
}

/// Names this very program: a model that another one made may be another model.
fn maker() -> anyhow::Result<String> {
    let path = std::env::current_exe().context("this program cannot be found")?;
    let bytes = std::fs::read(&path).with_context(|| format!("{}", path.display()))?;
    Ok(format!("{:016x}", xxh3_64(&bytes)))
}

/// Databases that pasts look authors up in: empty, and gone with this.
struct Past(PathBuf, std::cell::Cell<u32>);

impl Past {
    fn new() -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("doorward-evaluate-{}", std::process::id()));
        std::fs::create_dir_all(&folder).with_context(|| format!("{}", folder.display()))?;
        Ok(Self(folder, std::cell::Cell::new(0)))
    }

    fn open(&self) -> anyhow::Result<Arc<dyn History>> {
        self.1.set(self.1.get() + 1);
        startup::empty_history(&self.0.join(format!("past-{}.db", self.1.get())))
    }
}

impl Drop for Past {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn write(out: &Path, reports: &[Report], chance: Chance) -> anyhow::Result<()> {
    let plotted = out.join("plots");
    std::fs::create_dir_all(&plotted).with_context(|| format!("{}", plotted.display()))?;
    let put = |path: PathBuf, text: &str| std::fs::write(&path, text).with_context(|| format!("{}", path.display()));
    put(out.join("report.json"), &serde_json::to_string_pretty(&output(reports, chance))?)?;
    let summary: String = reports.iter().map(markdown::summary).collect();
    put(out.join("summary.md"), &format!("{}{summary}", markdown::SUMMARY_HEAD))?;
    let whole: String = reports.iter().map(markdown::report).collect();
    put(
        out.join("report.md"),
        &format!("# Measured\n\n{}\n{}{summary}\n{whole}", markdown::HOW_TO_READ, markdown::SUMMARY_HEAD),
    )?;
    for report in reports {
        for (name, svg) in plots::all(report)? {
            put(plotted.join(name), &svg)?;
        }
        for (name, listed) in &report.lists {
            let lines: Vec<String> = listed.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
            put(out.join(format!("{name}.jsonl")), &(lines.join("\n") + "\n"))?;
        }
    }
    Ok(())
}

fn print(report: &Report) -> anyhow::Result<()> {
    say(format_args!(
        "{}: {}\n  reference {}; target {}",
        report.protocol, report.title, report.reference, report.target
    ))?;
    for figure in &report.figures {
        let met = match figure.target {
            Some(target) if target.is_met(figure.value) => "met",
            Some(_) => "missed",
            None => "",
        };
        say(format_args!("  {:9.4}  {:6} {}", figure.value, met, figure.name))?;
    }
    if !report.lines.is_empty() {
        say(format_args!(
            "  {:24} {:28} {:>6} {:>5} {:>6} {:>6} {:>6} {:>6} {:>6} {:>7} {:>6} {:>6}",
            "set", "view", "rows", "pos", "auc", "ap", "prec", "recall", "f1", "fpr", "ece", "ece@b"
        ))?;
    }
    report.lines.iter().try_for_each(print_line)?;
    report.notes.iter().try_for_each(|note| say(format_args!("  {note}")))?;
    say("")
}

fn print_line(line: &Line) -> anyhow::Result<()> {
    let m = &line.measures;
    say(format_args!(
        "  {:24} {:28} {:6} {:5} {:6.3} {:6.3} {:6.3} {:6.3} {:6.3} {:7.4} {:6.3} {:6.3}",
        line.set,
        line.view,
        m.examples,
        m.positives,
        m.auc,
        m.average_precision,
        m.precision,
        m.recall,
        m.f1,
        m.false_positive_rate,
        m.calibration_error,
        m.calibration_error_at_base_rate
    ))?;
    if let Some(verdicts) = line.verdicts {
        let [approved, held, rejected] = verdicts.positives;
        say(format_args!("    positives: {approved} approved, {held} held, {rejected} rejected"))?;
        let [approved, held, rejected] = verdicts.negatives;
        say(format_args!("    others: {approved} approved, {held} held, {rejected} rejected"))?;
    }
    Ok(())
}
