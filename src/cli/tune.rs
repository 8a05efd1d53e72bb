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
    Aim, Answer, Apart, Change, Checked, Ground, Judged, LeftAlone, Outcome, Proposal, Reweighed, Samples, Wanted,
    Weights, is_weight, propose, written,
};
use crate::config::{Config, Source};
use crate::domain::category::{Category, PerCategory};
use crate::domain::signal::LIST;
use crate::domain::store::Store;
use crate::domain::time::Timestamp;
use crate::startup::{self, SystemClock};

/// Comments read at once.
const PAGE: usize = 1_000;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Learn from comments that came since then: days, hours or minutes ago (60d, 12h, 90m), or a time (2026-11-24T10:00:00Z)
    #[arg(long, value_name = "TIME", default_value = "60d")]
    since: String,
    /// From one site only, by the settings in force there, and for its own section
    #[arg(long, value_name = "NAME")]
    site: Option<String>,
    /// Hold at most that share of all comments: 3%, 0.03 or 3/100
    #[arg(long, value_name = "SHARE", value_parser = share, default_value = "3%")]
    max_hold_rate: f64,
    /// Approve at most that share of what people reject, and of each category of it: 0.5%, 0.005 or 1/200
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
    /// Settings that the diff changes to no effect, because they stand in the environment.
    not_in_force: &'a [String],
    /// The settings as they would be, as a unified diff; empty when nothing changes.
    diff: &'a str,
}

pub(super) async fn run(arguments: Arguments, config: &Config, path: Option<&Path>) -> anyhow::Result<()> {
    let now = SystemClock.now();
    let since = moment("--since", &arguments.since, now)?;
    let place = Place::of(config, arguments.site.as_deref())?;
    let store = startup::open_store(config).await?;
    let samples = samples(&store, config, since, &place).await;
    store.close().await;
    let aim = Aim { max_hold_rate: arguments.max_hold_rate, max_miss_rate: arguments.max_miss_rate };
    let may_change = |id: &str| !weights_of(&place.signals, id).is_empty();
    let may_change: Option<&dyn Fn(&str) -> bool> = if arguments.thresholds_only { None } else { Some(&may_change) };
    let wanted = Wanted { aim, kept_out: arguments.keep_out, grounds: &place.grounds, may_change };
    let proposal = propose(samples?, &wanted);
    let file = path.unwrap_or(Path::new(crate::config::USUAL));
    let settings = if file.is_file() {
        std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?
    } else {
        String::new()
    };
    let name = file.display().to_string();
    let changes = place.changes(&proposal);
    let new = written(&settings, &changes).map_err(|problem| Usage(format!("{name}: {problem}")))?;
    let read = Source::of(path)?
        .read_text(&new)
        .context("what would be proposed does not work together; propose thresholds alone (--thresholds-only)")?;
    let elsewhere = not_in_force(&changes, &read.config)?;
    let diff = if settings == new {
        String::new()
    } else {
        TextDiff::from_lines(&settings, &new).unified_diff().header(&name, &name).to_string()
    };
    if arguments.json {
        return say_json(&Output { proposal: &proposal, not_in_force: &elsewhere, diff: &diff });
    }
    // What is to be read is a comment of the diff: all of it may be given to `patch`.
    for line in lines(&proposal, &arguments, &place, &elsewhere, diff.is_empty()) {
        say(if line.is_empty() { "#".to_owned() } else { format!("# {line}") })?;
    }
    // To the last blank, which is a line of the diff.
    if diff.is_empty() { Ok(()) } else { say(diff.strip_suffix('\n').unwrap_or(&diff)) }
}

/// What the proposal is about: the general settings, or those of a site.
struct Place {
    /// The site, when it is about one.
    site: Option<String>,
    /// The signals' settings in force there.
    signals: toml::Table,
    /// What it is about first, and then sites with a policy of their own.
    grounds: Vec<Ground>,
}

impl Place {
    fn of(config: &Config, site: Option<&str>) -> anyhow::Result<Self> {
        let effective = |name: &str| -> anyhow::Result<_> {
            let Some(of) = config.sites.get(name) else { return Ok((config.signals.clone(), config.policy.clone())) };
            of.over(&config.signals, &config.policy).map_err(|problem| Usage(format!("sites.{name}.{problem}")).into())
        };
        let signals_of = |signals| toml::Table::try_from(signals).context("the signals' settings");
        if let Some(name) = site {
            let (signals, policy) = effective(name)?;
            let ground = Ground { site: Some(name.to_owned()), policy, own: PerCategory::default() };
            return Ok(Self { site: Some(name.to_owned()), signals: signals_of(&signals)?, grounds: vec![ground] });
        }
        let general = Ground { site: None, policy: config.policy.clone(), own: PerCategory::default() };
        let mut grounds = vec![general];
        for (name, of) in config.sites.iter().filter(|(_, of)| !of.policy.is_empty()) {
            let is_own = |category: Category| of.policy.get(category.name()).is_some_and(|of| of.get("hold").is_some());
            let (_, policy) = effective(name)?;
            grounds.push(Ground { site: Some(name.clone()), policy, own: PerCategory::from_fn(is_own) });
        }
        Ok(Self { site: None, signals: signals_of(&config.signals)?, grounds })
    }

    /// What comments of a site are weighed by.
    fn ground(&self, site: &str) -> u16 {
        let at = self.grounds.iter().position(|ground| ground.site.as_deref() == Some(site)).unwrap_or_default();
        u16::try_from(at).unwrap_or_default()
    }

    /// The numbers that are to be others, where they stand.
    fn changes(&self, proposal: &Proposal) -> Vec<Change> {
        let under = |path: &[&str]| {
            let site = self.site.iter().flat_map(|site| ["sites", site.as_str()]);
            site.chain(path.iter().copied()).map(str::to_owned).collect()
        };
        let thresholds = Category::ALL.into_iter().filter(|of| proposal.before[*of] != proposal.after[*of]);
        let thresholds = thresholds.map(|category| Change {
            path: under(&["policy", category.name(), "hold"]),
            number: proposal.after[category].hold,
        });
        let reweighed = proposal.weights.iter().flat_map(|weights| &weights.signals);
        let weights = reweighed.flat_map(|one| {
            let section = one.signal.replace('-', "_");
            weights_of(&self.signals, &one.signal).into_iter().map(move |(key, number)| Change {
                path: under(&["signals", &section, &key]),
                number: (number * one.factor * 100.0).round() / 100.0,
            })
        });
        thresholds.chain(weights).collect()
    }
}

/// Changes that would change nothing, because the environment says something else.
fn not_in_force(changes: &[Change], config: &Config) -> anyhow::Result<Vec<String>> {
    let settings = toml::Table::try_from(config).context("the settings")?;
    let is_elsewhere =
        |change: &&Change| change.found_in(&settings).is_none_or(|found| (found - change.number).abs() > 1e-9);
    Ok(changes.iter().filter(is_elsewhere).map(|change| change.path.join(".")).collect())
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

async fn samples(store: &Arc<dyn Store>, config: &Config, since: Timestamp, about: &Place) -> anyhow::Result<Samples> {
    let sites = store.sites().await?;
    if let Some(name) = about.site.as_ref().filter(|name| !sites.iter().any(|site| *site.name == ***name)) {
        return Err(Usage(format!("--site: there is no site `{name}`")).into());
    }
    let (mut samples, mut place) = (Samples::default(), 0);
    loop {
        let page = store.recorded(since, place, PAGE).await?;
        let Some(last) = page.last() else { return Ok(samples) };
        place = last.place;
        for recorded in &page {
            let site = sites.iter().find(|site| site.id == recorded.site).map_or("", |site| &*site.name);
            if about.site.as_ref().is_none_or(|wanted| wanted == site) {
                // Of a site that the proposal is about nothing stays because it is its own.
                let own = config.sites.get(site).filter(|_| about.site.is_none()).map(|of| &of.signals);
                samples.add(recorded, about.ground(site), &|id| own.is_some_and(|own| has_weight(own, id)));
            }
        }
    }
}

/// Whether a site's own settings say what a signal weighs: what else they say of it goes with weights that it inherits.
fn has_weight(own: &toml::Table, id: &str) -> bool {
    let section = own.get(&id.replace('-', "_")).and_then(toml::Value::as_table);
    section.is_some_and(|section| section.keys().any(|key| is_weight(key)))
}

fn lines(
    proposal: &Proposal,
    arguments: &Arguments,
    about: &Place,
    elsewhere: &[String],
    is_nothing: bool,
) -> Vec<String> {
    let (hold, miss) = (percent(arguments.max_hold_rate), percent(arguments.max_miss_rate));
    let of = about.site.as_ref().map_or(String::new(), |site| format!(" on {site}, by the settings in force there"));
    let mut lines = vec![
        format!(
            "wanted{of}: at most {hold} held; at most {miss} of what people reject approved, of each category, too"
        ),
        String::new(),
    ];
    let since = proposal.kept_out_since.map(|at| format!(", from {at} on")).unwrap_or_default();
    lines.extend(table("what the proposal is made from", &proposal.searched));
    lines.extend(table(&format!("what was kept out{since}"), &proposal.kept_out));
    if proposal.decided_later > 0 {
        lines.push(format!("decisions since then about earlier comments, left out: {}", proposal.decided_later));
        lines.push(String::new());
    }
    lines.extend(proposal.weights.iter().flat_map(weights));
    let left_alone = |one: &LeftAlone| format!("{} is left as it is: {}", one.category.name(), one.why);
    lines.extend(proposal.left_alone.iter().map(left_alone));
    lines.extend(proposal.apart.iter().flat_map(apart));
    lines.push("What is wanted, on what was kept out:".to_owned());
    lines.extend(proposal.judged.iter().map(judged));
    lines.push(String::new());
    let is_sure = proposal.judged.iter().all(|one| one.answer == Answer::Met);
    let told = match (proposal.reaches, proposal.holds_up, is_sure) {
        (true, true, true) => "The proposal does what is wanted, also on what it was not made from.",
        (true, true, false) => {
            "The proposal does what is wanted, also on what it was not made from, as counted: these are too few to be sure."
        }
        (true, false, _) => {
            "The proposal does what is wanted on what it is made from. On what was kept out it does not, or nothing tells whether it does."
        }
        (false, ..) => "Nothing was found that does what is wanted: this comes nearest.",
    };
    lines.push(told.to_owned());
    if is_nothing {
        lines.push("Nothing is to be changed.".to_owned());
    }
    let said =
        |setting: &String| format!("{setting} stands in the environment, too, and counts from there: change it there.");
    lines.extend(elsewhere.iter().map(said));
    lines
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

/// Shares as they are and as they would be.
fn table(what: &str, [before, after]: &[Outcome; 2]) -> Vec<String> {
    let row = |name: &str, before, after| format!("{name:22} {:>30} {:>30}", told(before), told(after));
    let mut lines = vec![format!("on {what}:"), format!("{:22} {:>30} {:>30}", "", "as in force", "as proposed")];
    lines.push(row("held", before.held, after.held));
    lines.push(row("missed", before.missed, after.missed));
    for category in Category::ALL.into_iter().filter(|of| before.missed_of[*of].of > 0) {
        let name = format!("  for {}", category.name());
        lines.push(row(&name, before.missed_of[category], after.missed_of[category]));
    }
    lines.push(row("false positives", before.false_positives, after.false_positives));
    lines.push(String::new());
    lines
}

/// What is said of a site with thresholds of its own.
fn apart(Apart { site, own, outcome }: &Apart) -> Vec<String> {
    let own: Vec<&str> = own.iter().map(|category| category.name()).collect();
    let mut lines = vec![format!(
        "{site} has thresholds of its own ({}): they stay, and what is wanted is not asked of it (--site {site})",
        own.join(", ")
    )];
    lines.extend(table(&format!("{site}, where what it inherits changes with the proposal"), outcome));
    lines
}

fn judged(Judged { what, category, most, share, answer }: &Judged) -> String {
    let what = category.map_or_else(|| (*what).to_owned(), |category| format!("{what} for {}", category.name()));
    let answer = match answer {
        Answer::Met => "met",
        Answer::Unsure => "met as counted, and too few to be sure",
        Answer::Missed => "NOT met",
        Answer::Unknown => "cannot be told",
    };
    format!("{what}, at most {}: {answer}: {}", percent(*most), told(*share))
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
