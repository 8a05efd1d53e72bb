//! `doorward tune`: weights and thresholds for a stated aim, from what people decided, as a diff of the settings to look at.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;
use similar::TextDiff;

use super::backtest::{moment, share, told};
use super::{Usage, say, say_json};
use crate::app::clock::Clock as _;
use crate::app::tune::{
    Aim, Change, Checked, Outcome, Proposal, Reweighed, Ruled, Samples, Wanted, Weights, is_weight, propose, written,
};
use crate::config::{Config, Source};
use crate::domain::category::Category;
use crate::domain::decision::{Action, Status};
use crate::domain::recordings::Recorded;
use crate::domain::signal::LIST;
use crate::domain::site::{Site, SiteId};
use crate::domain::store::{HappeningKind, Store};
use crate::domain::time::Timestamp;
use crate::startup::{self, SystemClock};

/// Comments read at once.
const PAGE: usize = 1_000;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Learn from comments that came since then: days, hours or minutes ago (60d, 12h, 90m), or a time (2026-11-24T10:00:00Z)
    #[arg(long, value_name = "TIME", default_value = "60d")]
    since: String,
    /// From one site only
    #[arg(long, value_name = "NAME")]
    site: Option<String>,
    /// Hold at most that share of all comments: 3%, 0.03 or 3/100
    #[arg(long, value_name = "SHARE", value_parser = share, default_value = "3%")]
    max_hold_rate: f64,
    /// Approve at most that share of what people reject: 0.5%, 0.005 or 1/200
    #[arg(long, value_name = "SHARE", value_parser = share, default_value = "1/200")]
    max_miss_rate: f64,
    /// The part of the comments, the latest, that the proposal is measured on and not made from
    #[arg(long, value_name = "SHARE", value_parser = share, default_value = "30%")]
    keep_out: f64,
    /// Leave signals' weights as they are, and propose thresholds alone
    #[arg(long)]
    thresholds_only: bool,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Output<'a> {
    #[serde(flatten)]
    proposal: &'a Proposal,
    /// The settings as they would be, as a unified diff; empty when nothing changes.
    diff: &'a str,
}

pub(super) async fn run(arguments: Arguments, config: &Config, path: Option<&Path>) -> anyhow::Result<()> {
    let now = SystemClock.now();
    let since = moment("--since", &arguments.since, now)?;
    let store = startup::open_store(config).await?;
    let samples = samples(&store, config, since, arguments.site.as_deref()).await;
    store.close().await;
    let aim = Aim { max_hold_rate: arguments.max_hold_rate, max_miss_rate: arguments.max_miss_rate };
    let signals = toml::Table::try_from(&config.signals).context("the signals' settings")?;
    let may_change = |id: &str| !weights_of(&signals, id).is_empty();
    let may_change: Option<&dyn Fn(&str) -> bool> = if arguments.thresholds_only { None } else { Some(&may_change) };
    let wanted = Wanted { aim, kept_out: arguments.keep_out, policy: &config.policy, may_change };
    let proposal = propose(samples?, &wanted);
    let file = path.unwrap_or(Path::new(crate::config::USUAL));
    let settings = if file.is_file() {
        std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?
    } else {
        String::new()
    };
    let name = file.display().to_string();
    let new =
        written(&settings, &changes(&proposal, &signals)).map_err(|problem| Usage(format!("{name}: {problem}")))?;
    Source::of(path)?
        .read_text(&new)
        .context("what would be proposed does not work together; propose thresholds alone (--thresholds-only)")?;
    let diff = if settings == new {
        String::new()
    } else {
        TextDiff::from_lines(&settings, &new).unified_diff().header(&name, &name).to_string()
    };
    if arguments.json {
        return say_json(&Output { proposal: &proposal, diff: &diff });
    }
    // What is to be read is a comment of the diff: all of it may be given to `patch`.
    for line in lines(&proposal, &arguments) {
        say(if line.is_empty() { "#".to_owned() } else { format!("# {line}") })?;
    }
    if diff.is_empty() { Ok(()) } else { say(diff.trim_end()) }
}

/// The settings of a signal that are amounts of evidence.
fn weights_of(signals: &toml::Table, id: &str) -> Vec<(String, f64)> {
    let Some(meta) = LIST.iter().find(|meta| meta.id == id) else { return Vec::new() }; // a rule's weight is its author's
    let section = signals.get(meta.section).and_then(toml::Value::as_table);
    let weight = |(key, value): (&String, &toml::Value)| {
        let number = value.as_float().filter(|number| is_weight(key) && *number != 0.0)?;
        Some((key.clone(), number))
    };
    section.into_iter().flatten().filter_map(weight).collect()
}

/// The numbers that are to be others.
fn changes(proposal: &Proposal, signals: &toml::Table) -> Vec<Change> {
    let owned = |path: &[&str]| path.iter().map(|part| (*part).to_owned()).collect();
    let thresholds = Category::ALL.into_iter().filter(|of| proposal.before[*of] != proposal.after[*of]);
    let thresholds = thresholds.map(|category| Change {
        path: owned(&["policy", category.name(), "hold"]),
        number: proposal.after[category].hold,
    });
    let reweighed = proposal.weights.iter().flat_map(|weights| &weights.signals);
    let weights = reweighed.flat_map(|one| {
        let section = one.signal.replace('-', "_");
        weights_of(signals, &one.signal).into_iter().map(move |(key, number)| Change {
            path: owned(&["signals", &section, &key]),
            number: (number * one.factor * 100.0).round() / 100.0,
        })
    });
    thresholds.chain(weights).collect()
}

async fn samples(
    store: &Arc<dyn Store>,
    config: &Config,
    since: Timestamp,
    site: Option<&str>,
) -> anyhow::Result<Samples> {
    let sites = store.sites().await?;
    let wanted = match site {
        Some(name) => {
            let found = sites.iter().find(|site| &*site.name == name);
            Some(found.ok_or_else(|| Usage(format!("--site: there is no site `{name}`")))?.id)
        }
        None => None,
    };
    let (mut samples, mut place) = (Samples::default(), 0);
    loop {
        let page = store.recorded(since, place, PAGE).await?;
        let Some(last) = page.last() else { return Ok(samples) };
        place = last.place;
        for recorded in page.iter().filter(|recorded| wanted.is_none_or(|wanted| wanted == recorded.site)) {
            if let Some(latest) = recorded.revisions.last().filter(|latest| !latest.verdict.is_imported()) {
                let own = own(config, &sites, recorded.site);
                let is_own = |id: &str| own.is_some_and(|own| own.contains_key(&id.replace('-', "_")));
                samples.push(latest.at, &latest.verdict, ruled(recorded), &is_own);
            }
        }
    }
}

/// What a person decided about a comment, if that stands.
fn ruled(recorded: &Recorded) -> Option<Ruled> {
    let action = match (recorded.standing.by_person, recorded.standing.status) {
        (true, Status::Approved) => Action::Approve,
        (true, Status::Rejected) => Action::Reject,
        _ => return None,
    };
    let last = recorded.happenings.iter().rfind(|happening| happening.kind == HappeningKind::Decided);
    Some(Ruled { action, category: last.and_then(|last| last.category) })
}

/// What a site has of its own for signals.
fn own<'a>(config: &'a Config, sites: &[Site], id: SiteId) -> Option<&'a toml::Table> {
    let site = sites.iter().find(|site| site.id == id)?;
    Some(&config.sites.get(&*site.name)?.signals)
}

fn lines(proposal: &Proposal, arguments: &Arguments) -> Vec<String> {
    let percent = |share: f64| format!("{:.2} %", share * 100.0);
    let (hold, miss) = (percent(arguments.max_hold_rate), percent(arguments.max_miss_rate));
    let mut lines =
        vec![format!("wanted: at most {hold} held, at most {miss} of what people reject approved"), String::new()];
    let since = proposal.kept_out_since.map(|at| format!(", from {at} on")).unwrap_or_default();
    for (what, [before, after]) in [
        ("what the proposal is made from".to_owned(), proposal.searched),
        (format!("what was kept out{since}"), proposal.kept_out),
    ] {
        lines.push(format!("on {what}:"));
        lines.push(format!("{:20} {:>30} {:>30}", "", "as in force", "as proposed"));
        let rows: [(&str, fn(&Outcome) -> _); 3] =
            [("held", |of| of.held), ("missed", |of| of.missed), ("false positives", |of| of.false_positives)];
        lines.extend(rows.map(|(name, of)| format!("{name:20} {:>30} {:>30}", told(of(&before)), told(of(&after)))));
        lines.push(String::new());
    }
    lines.extend(proposal.weights.iter().flat_map(weights));
    lines.push(match (proposal.reaches, proposal.holds_up) {
        (true, true) => "The proposal does what is wanted, also on what it was not made from.".to_owned(),
        (true, false) => {
            "The proposal does what is wanted on what it is made from, and not on what was kept out.".to_owned()
        }
        (false, _) => "Nothing was found that does what is wanted: this comes nearest.".to_owned(),
    });
    let reweighed = proposal.weights.as_ref().is_some_and(|weights| !weights.signals.is_empty());
    let moved = Category::ALL.into_iter().any(|category| proposal.before[category] != proposal.after[category]);
    let changed = reweighed || moved;
    if !changed {
        lines.push("Nothing is to be changed.".to_owned());
    }
    lines
}

/// What is proposed about weights, and how far it is to be believed.
fn weights(weights: &Weights) -> Vec<String> {
    let Weights { decided, problem, signals, checked } = weights;
    if let Some(problem) = problem {
        return vec![format!("weights stay as they are: {problem}"), String::new()];
    }
    let mut lines = vec![
        format!(
            "weights, from {decided} comments that people decided about: a logistic regression around those in force,"
        ),
        "drawn to them as strongly as predicts later decisions best (Steyerberg et al., Stat. Med. 23, 2004)"
            .to_owned(),
        format!("{:22} {:>10} {:>18} {:>22}", "", "times", "at 95 %", "rejected, approved"),
    ];
    for Reweighed { signal, hits: [bad, good], factor, interval: [from, to], .. } in signals {
        let (interval, hits) = (format!("{from:.2}–{to:.2}"), format!("{bad}, {good}"));
        lines.push(format!("{signal:22} {factor:>10.2} {interval:>18} {hits:>22}"));
    }
    for Checked { category, decided, before, after, interval: [from, to] } in checked {
        let worth = match (*to < 0.0, *from > 0.0) {
            (true, _) => "they predict what was kept out better",
            (_, true) => "they predict what was kept out WORSE: leave weights as they are (--thresholds-only)",
            _ => "what was kept out does not show whether they predict it better",
        };
        lines.push(format!(
            "{}: {worth}: loss {before:.4} to {after:.4} on {decided} decisions, a change of {from:+.4} to {to:+.4}",
            category.name()
        ));
    }
    lines.push(String::new());
    lines
}
