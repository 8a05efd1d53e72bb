//! `doorward rules`: what rules, checks and limits did, whether people agree, and what to look at.

use std::sync::Arc;

use clap::Args;

use super::backtest::moment;
use super::{Usage, say, say_json};
use crate::app::clock::Clock as _;
use crate::app::truth::{Ask, account};
use crate::config::Config;
use crate::domain::reads::Share;
use crate::domain::signal::Mode;
use crate::domain::truth::{Account, Counts, Kind, Lens, Measure, Now, Truth, Wording};
use crate::startup::{self, SystemClock};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Of comments that came since then: days, hours or minutes ago (28d, 12h, 90m), or a time (2026-11-24T10:00:00Z)
    #[arg(long, value_name = "TIME", default_value = "28d")]
    since: String,
    /// Leave out comments that came later, written alike; now when not said
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// On one site only
    #[arg(long, value_name = "NAME")]
    site: Option<String>,
    /// Also checks, limits, campaigns and sanctions, not rules alone
    #[arg(long)]
    all: bool,
    /// Also by site and week
    #[arg(long)]
    weeks: bool,
    /// Answer in JSON: everything, as GET /v1/rules does
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: Arguments, config: &Config) -> anyhow::Result<()> {
    let now = SystemClock.now();
    let since = moment("--since", &arguments.since, now)?;
    let until = match &arguments.until {
        Some(until) => moment("--until", until, now)?,
        None => now.plus_millis(1),
    };
    anyhow::ensure!(
        since < until,
        Usage("--since: must be earlier than --until, which is now when not said".to_owned())
    );
    let lens = lens(config)?;
    let store = startup::open_store(config).await?;
    let told = async {
        if let Some(name) = &arguments.site
            && !store.sites().await?.iter().any(|site| *site.name == **name)
        {
            return Err(Usage(format!("--site: there is no site `{name}`")).into());
        }
        let sites = arguments.site.clone().map(|name| vec![name]);
        // Nobody waits for it: everything is counted, however much it is.
        let ask = Ask { sites, since, until, counted_max: usize::MAX, decided_max: usize::MAX, patience: None };
        Ok::<_, anyhow::Error>(account(&*store, lens, &ask, now).await?)
    };
    let told = told.await;
    store.close().await;
    let told = told?;
    if arguments.json {
        return say_json(&told);
    }
    lines(&told, &arguments).into_iter().try_for_each(say)
}

/// The settings, as verdicts are read by them; no model is read for it.
fn lens(config: &Config) -> anyhow::Result<Lens> {
    let mut lens = Lens {
        general: Measure::of(&config.policy),
        sites: std::collections::BTreeMap::new(),
        rules: config.rules.iter().map(|rule| (rule.id(), rule.told())).collect(),
        under: std::collections::HashMap::new(),
    };
    for (name, site) in &config.sites {
        let (_, policy) = site.over(&config.signals, &config.policy).map_err(Usage)?;
        lens.sites.insert(Arc::from(name.as_str()), Measure::of(&policy));
    }
    Ok(lens)
}

fn lines(told: &Account, arguments: &Arguments) -> Vec<String> {
    let mut lines =
        vec![format!("{} comments since {}; people decided about {}.", told.comments, told.since, told.decided)];
    if arguments.weeks && told.weeks_since > told.since {
        lines.push(format!("There are too many weeks to keep apart: they are told of since {}.", told.weeks_since));
    }
    let shown: Vec<&Truth> = told.items.iter().filter(|one| arguments.all || one.kind == Kind::Rule).collect();
    if shown.is_empty() {
        lines.push("There are no rules in the settings, and none hit.".to_owned());
    }
    for truth in shown {
        lines.push(String::new());
        lines.push(format!("{}{}", truth.id, state(truth)));
        // What moderators read today is of today's text.
        let reason = truth.reason.iter().filter(|_| truth.wording == Some(Wording::Current));
        lines.extend(reason.map(|reason| format!("  {reason}")));
        lines.extend(truth.asked.map(|asked| {
            format!("  asked of {} comments, from {} to {}", asked.comments, asked.first_at, asked.last_at)
        }));
        lines.push(format!("  {}", counts(&truth.counts)));
        if arguments.weeks {
            lines.extend(
                truth.weeks.iter().map(|week| format!("  {} {}: {}", week.week, week.site, counts(&week.counts))),
            );
        }
    }
    if !told.hints.is_empty() {
        lines.push(String::new());
        lines.push("To look at:".to_owned());
        lines.extend(told.hints.iter().map(|hint| format!("- {}", hint.text)));
    }
    lines
}

/// How it stands, in words, with a blank before them.
fn state(truth: &Truth) -> String {
    let now = match truth.now {
        None => "",
        Some(Now::Live) => "live",
        Some(Now::Shadow) => "in shadow",
        Some(Now::Off) => "off",
        Some(Now::Expired) => "ended",
        Some(Now::Gone) => "no longer in the settings",
    };
    let then = match (truth.mode, truth.now) {
        (Mode::Shadow, Some(Now::Shadow)) => "",
        (Mode::Shadow, _) => "what it did in shadow",
        (_, Some(Now::Shadow)) => "what it did when it was live",
        _ => "",
    };
    let wording = match truth.wording {
        Some(Wording::Earlier) => "an earlier text of it",
        Some(Wording::Unknown) => "in a text that is not known: the settings of then are not kept",
        Some(Wording::Current) | None => "",
    };
    let ends = truth.expires.filter(|_| truth.now != Some(Now::Expired)).map(|at| format!("until {at}"));
    let parts: Vec<&str> =
        [now, ends.as_deref().unwrap_or_default(), then, wording].into_iter().filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { String::new() } else { format!(" ({})", parts.join("; ")) }
}

fn counts(counts: &Counts) -> String {
    let mut text = format!("hit {}, decisive on {}", counts.fired, counts.decisive);
    let of = |share: &Share| format!("{} of {}", share.n, share.of);
    if counts.overturned.of > 0 {
        text.push_str(&format!("; people decided against it on {}", of(&counts.overturned)));
    }
    let precision = counts.precision;
    match precision.rate {
        Some(rate) => {
            let [from, to] = precision.interval.map(|end| end * 100.0);
            text.push_str(&format!("; precision {:.1} % ({from:.1} to {to:.1}), {}", rate * 100.0, of(&precision)));
        }
        None => text.push_str("; nothing that people decided says whether it is right"),
    }
    if let Some(at) = counts.last_at {
        text.push_str(&format!("; last {at}"));
    }
    text
}
