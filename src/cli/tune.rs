//! `doorward tune`: thresholds for a stated aim, from what people decided, as a diff of the settings to look at.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;

use super::backtest::{moment, share, told};
use super::{Usage, say, say_json};
use crate::app::clock::Clock as _;
use crate::app::tune::{Aim, Outcome, Proposal, Sample, Thresholds, propose, written};
use crate::config::Config;
use crate::domain::category::{Category, PerCategory};
use crate::domain::decision::{Action, Status};
use crate::domain::store::Store;
use crate::domain::time::Timestamp;
use crate::startup::{self, SystemClock};

/// Comments read at once.
const PAGE: usize = 1_000;
/// Lines of a diff around what changed.
const CONTEXT: usize = 3;

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
    let samples = samples(&store, since, arguments.site.as_deref()).await;
    store.close().await;
    let policy = &config.policy;
    let before = PerCategory::from_fn(|category| {
        let of = policy.category(category);
        Thresholds { hold: of.hold.get(), reject: of.reject.get() }
    });
    let aim = Aim { max_hold_rate: arguments.max_hold_rate, max_miss_rate: arguments.max_miss_rate };
    let proposal = propose(samples?, before, aim, arguments.keep_out);
    let path = path.unwrap_or(Path::new(crate::config::USUAL));
    let settings = if path.is_file() {
        std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?
    } else {
        String::new()
    };
    let diff = diff(&path.display().to_string(), &settings, &written(&settings, &proposal.before, &proposal.after));
    if arguments.json {
        return say_json(&Output { proposal: &proposal, diff: &diff });
    }
    // What is to be read is a comment of the diff: all of it may be given to `patch`.
    for line in lines(&proposal, &arguments) {
        say(if line.is_empty() { "#".to_owned() } else { format!("# {line}") })?;
    }
    if diff.is_empty() { Ok(()) } else { say(diff.trim_end()) }
}

async fn samples(store: &Arc<dyn Store>, since: Timestamp, site: Option<&str>) -> anyhow::Result<Vec<Sample>> {
    let sites = store.sites().await?;
    let wanted = match site {
        Some(name) => {
            let found = sites.iter().find(|site| &*site.name == name);
            Some(found.ok_or_else(|| Usage(format!("--site: there is no site `{name}`")))?.id)
        }
        None => None,
    };
    let (mut samples, mut place) = (Vec::new(), 0);
    loop {
        let page = store.recorded(since, place, PAGE).await?;
        let Some(last) = page.last() else { return Ok(samples) };
        place = last.place;
        for recorded in page.iter().filter(|recorded| wanted.is_none_or(|wanted| wanted == recorded.site)) {
            let person = match (recorded.standing.by_person, recorded.standing.status) {
                (true, Status::Approved) => Some(Action::Approve),
                (true, Status::Rejected) => Some(Action::Reject),
                _ => None,
            };
            if let Some(latest) = recorded.revisions.last().filter(|latest| !latest.verdict.is_imported()) {
                samples.push(Sample::new(latest.at, &latest.verdict, person));
            }
        }
    }
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
    lines.push(match (proposal.reaches, proposal.holds_up) {
        (true, true) => "The proposal does what is wanted, also on what it was not made from.".to_owned(),
        (true, false) => {
            "The proposal does what is wanted on what it is made from, and not on what was kept out.".to_owned()
        }
        (false, _) => "No thresholds were found that do what is wanted: these come nearest.".to_owned(),
    });
    let changed = Category::ALL.into_iter().any(|category| proposal.before[category] != proposal.after[category]);
    if !changed {
        lines.push("Nothing is to be changed.".to_owned());
    }
    lines
}

/// A unified diff; empty when nothing differs.
fn diff(name: &str, old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let steps = steps(&old, &new);
    let mut text = String::new();
    let mut at = 0;
    while let Some(first) = (at..steps.len()).find(|index| steps[*index].0 != ' ') {
        // A hunk goes on as long as the next change is near.
        let mut last = first;
        while let Some(next) = (last + 1..steps.len().min(last + 2 * CONTEXT + 2)).rfind(|index| steps[*index].0 != ' ')
        {
            last = next;
        }
        let (from, to) = (first.saturating_sub(CONTEXT).max(at), (last + 1 + CONTEXT).min(steps.len()));
        let count = |range: &[(char, &str)], but: char| range.iter().filter(|(sign, _)| *sign != but).count();
        let (old_before, new_before) = (count(&steps[..from], '+'), count(&steps[..from], '-'));
        let (old_in, new_in) = (count(&steps[from..to], '+'), count(&steps[from..to], '-'));
        // An empty side is said to begin before its first line.
        let start = |before: usize, within: usize| if within == 0 { before } else { before + 1 };
        text += &format!("@@ -{},{old_in} +{},{new_in} @@\n", start(old_before, old_in), start(new_before, new_in));
        for (sign, line) in &steps[from..to] {
            text += &format!("{sign}{line}\n");
        }
        at = to;
    }
    if text.is_empty() { text } else { format!("--- {name}\n+++ {name}\n{text}") }
}

/// Lines that stay, go and come, by the longest common subsequence.
fn steps<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<(char, &'a str)> {
    let mut common = vec![vec![0_u32; new.len() + 1]; old.len() + 1];
    for (at, line) in old.iter().enumerate().rev() {
        for (to, other) in new.iter().enumerate().rev() {
            let next =
                if line == other { common[at + 1][to + 1] + 1 } else { common[at + 1][to].max(common[at][to + 1]) };
            common[at][to] = next;
        }
    }
    let (mut at, mut to, mut steps) = (0, 0, Vec::new());
    while at < old.len() || to < new.len() {
        if at < old.len() && to < new.len() && old[at] == new[to] {
            steps.push((' ', old[at]));
            (at, to) = (at + 1, to + 1);
        } else if at < old.len() && (to == new.len() || common[at + 1][to] >= common[at][to + 1]) {
            steps.push(('-', old[at]));
            at += 1;
        } else {
            steps.push(('+', new[to]));
            to += 1;
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_says_what_changed_and_where() {
        let old: String = (1..=20).map(|line| format!("line {line}\n")).collect();
        let new = old.replace("line 4\n", "line four\n").replace("line 18\n", "line 18\nmore\n");
        let expected = "--- config.toml\n+++ config.toml\n\
            @@ -1,7 +1,7 @@\n line 1\n line 2\n line 3\n-line 4\n+line four\n line 5\n line 6\n line 7\n\
            @@ -16,5 +16,6 @@\n line 16\n line 17\n line 18\n+more\n line 19\n line 20\n";
        assert_eq!(diff("config.toml", &old, &new), expected);
        assert_eq!(diff("config.toml", &old, &old), "");
        assert_eq!(diff("c", "", "a\n"), "--- c\n+++ c\n@@ -0,0 +1,1 @@\n+a\n");
    }
}
