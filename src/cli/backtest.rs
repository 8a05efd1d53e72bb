//! `doorward backtest`: what other settings would have made of the comments that were recorded.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::{Usage, say, say_json};
use crate::app::backtest::{Ask, Bounds, Flip, Measures, Progress, Report};
use crate::app::clock::Clock as _;
use crate::config::Config;
use crate::domain::reads::Share;
use crate::domain::time::Timestamp;
use crate::startup::{self, SystemClock};

const DAY_MS: i64 = 86_400_000;
/// Between two lines in a log, in milliseconds.
const LOG_EVERY_MS: u64 = 10_000;
/// Between two changes of the line on a terminal, in milliseconds.
const TERMINAL_EVERY_MS: u64 = 250;
/// Characters of the bar.
const BAR: usize = 30;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The settings to try: a whole file, as --config names one; or a pipe, or - for standard input
    #[arg(long, value_name = "FILE")]
    candidate: PathBuf,
    /// Judge comments that came since then: days, hours or minutes ago (30d, 12h, 90m), or a time (2026-11-24T10:00:00Z)
    #[arg(long, value_name = "TIME", default_value = "30d")]
    since: String,
    /// Leave out comments that came later, written alike; now when not said
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Tell about one site only
    #[arg(long, value_name = "NAME")]
    site: Option<String>,
    /// Judge with what sites taught, as it is in force now: it knows the decisions that the result is measured by
    #[arg(long)]
    learned: bool,
    /// Comments that are recalled before the first that is judged, in days; as far as the candidate's `history.window_days` when not said
    #[arg(long, value_name = "DAYS")]
    recall_days: Option<u32>,
    /// Verdicts that differ listed at most
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    list: usize,
    /// Where the replay keeps its database meanwhile: some 2 kB for each comment; the system's folder for such files when not said
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
    /// End with 3 if more is held: a share of all, as 3% or 0.03
    #[arg(long, value_name = "SHARE", value_parser = share)]
    max_hold_rate: Option<f64>,
    /// End with 3 if more is rejected, of all
    #[arg(long, value_name = "SHARE", value_parser = share)]
    max_reject_rate: Option<f64>,
    /// End with 3 if more of what people approved is not approved
    #[arg(long, value_name = "SHARE", value_parser = share)]
    max_false_positive_rate: Option<f64>,
    /// End with 3 if less of what is not approved is what people rejected
    #[arg(long, value_name = "SHARE", value_parser = share)]
    min_precision: Option<f64>,
    /// End with 3 if less of what people rejected is not approved
    #[arg(long, value_name = "SHARE", value_parser = share)]
    min_recall: Option<f64>,
    /// End with 3 if more verdicts differ
    #[arg(long, value_name = "COUNT")]
    max_flips: Option<u32>,
}

/// A bound that the candidate does not keep to: the command ends with 3.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub(super) struct Broken(Vec<String>);

/// What `--json` prints.
#[derive(Serialize)]
struct Output<'a> {
    #[serde(flatten)]
    report: &'a Report,
    /// Whether what sites taught took part.
    learned: bool,
    /// A sentence for each bound that is broken.
    broken: &'a [String],
    seconds: f64,
}

pub(super) async fn run(arguments: Arguments, config: &Config, path: Option<&Path>) -> anyhow::Result<()> {
    let candidate = Config::load_once(&arguments.candidate, path)?;
    let begun = SystemClock.now();
    let ask = ask(&arguments, &candidate, &config.server.public_url, begun)?;
    let store = startup::open_store(config).await?;
    let folder = startup::scratch::Folder::make(arguments.scratch.as_deref())?;
    let mut bar = Bar::new(begun);
    let mut tell = |progress: Progress| bar.tell(progress, SystemClock.now());
    let replayed = startup::backtest(&store, &candidate, folder.path(), arguments.learned, ask, &mut tell);
    let outcome = tokio::select! {
        outcome = replayed => outcome,
        () = startup::stop_signal() => Err(anyhow::anyhow!("stopped before the end")), // what was written down meanwhile goes
    };
    bar.end();
    store.close().await;
    drop(folder);
    let report = outcome?;
    let broken = bounds(&arguments).broken(&report);
    #[expect(clippy::cast_precision_loss, reason = "it takes less than a hundred thousand years")]
    let seconds = SystemClock.now().millis_since(begun) as f64 / 1_000.0;
    if arguments.json {
        say_json(&Output { report: &report, learned: arguments.learned, broken: &broken, seconds })?;
    } else {
        for line in lines(&report) {
            say(line)?;
        }
    }
    if broken.is_empty() { Ok(()) } else { Err(Broken(broken).into()) }
}

fn ask(arguments: &Arguments, candidate: &Config, public_url: &str, now: Timestamp) -> anyhow::Result<Ask> {
    let since = moment("--since", &arguments.since, now)?;
    let until = arguments.until.as_ref().map_or(Ok(now), |until| moment("--until", until, now))?;
    anyhow::ensure!(
        since < until,
        Usage("--since: must be earlier than --until, which is now when not said".to_owned())
    );
    let ask = startup::ask(candidate, since, until, public_url);
    let recalled_since = match arguments.recall_days {
        Some(days) => since.plus_millis(-i64::from(days) * DAY_MS),
        None => ask.recalled_since,
    };
    let authors_since = recalled_since.min(ask.authors_since);
    Ok(Ask { site: arguments.site.clone(), recalled_since, authors_since, listed: arguments.list, ..ask })
}

const fn bounds(arguments: &Arguments) -> Bounds {
    Bounds {
        max_hold_rate: arguments.max_hold_rate,
        max_reject_rate: arguments.max_reject_rate,
        max_false_positive_rate: arguments.max_false_positive_rate,
        min_precision: arguments.min_precision,
        min_recall: arguments.min_recall,
        max_flips: arguments.max_flips,
    }
}

/// `30d`, `12h`, `90m` before `now`, or RFC 3339.
pub(super) fn moment(name: &str, text: &str, now: Timestamp) -> anyhow::Result<Timestamp> {
    let wrong = || Usage(format!("{name}: write 30d, 12h, 90m, or a time such as 2026-11-24T10:00:00Z"));
    Ok(crate::app::backtest::moment(text, now).ok_or_else(wrong)?)
}

/// `3%`, `0.03` or `3/100`.
pub(super) fn share(text: &str) -> Result<f64, String> {
    let read = |number: &str| number.trim().parse::<f64>().map_err(|error| error.to_string());
    let share = match (text.strip_suffix('%'), text.split_once('/')) {
        (Some(percent), _) => read(percent)? / 100.0,
        (None, Some((part, whole))) => read(part)? / read(whole)?,
        (None, None) => read(text)?,
    };
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("must be 0% to 100%, or 0.0 to 1.0".to_owned()) }
}

/// How far it is, on standard error.
struct Bar {
    is_terminal: bool,
    begun: Timestamp,
    said: Timestamp,
}

impl Bar {
    fn new(now: Timestamp) -> Self {
        Self { is_terminal: std::io::stderr().is_terminal(), begun: now, said: now }
    }

    /// Nobody may be there to read it, which stops no replay.
    fn tell(&mut self, progress: Progress, now: Timestamp) {
        let every = if self.is_terminal { TERMINAL_EVERY_MS } else { LOG_EVERY_MS };
        if now.millis_since(self.said) < every {
            return;
        }
        self.said = now;
        let line = bar(progress, now.millis_since(self.begun));
        let mut out = std::io::stderr().lock();
        let _ = if self.is_terminal { write!(out, "\r\x1b[K{line}") } else { writeln!(out, "{line}") };
        let _ = out.flush();
    }

    /// Leaves the terminal's line to what comes next.
    fn end(&self) {
        if self.is_terminal {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

fn bar(Progress { done, total }: Progress, passed_ms: u64) -> String {
    let (done, total) = (u128::from(done), u128::from(total.max(1)));
    let full = usize::try_from(done * BAR as u128 / total).unwrap_or(BAR).min(BAR);
    let rate = done * 1_000 / u128::from(passed_ms.max(1));
    let left = (total.saturating_sub(done) * u128::from(passed_ms)).checked_div(done * 1_000);
    let left = left.map_or_else(|| "?".to_owned(), |seconds| seconds.to_string());
    let (full, empty) = ("#".repeat(full), "-".repeat(BAR - full));
    format!("[{full}{empty}] {done} of {total} comments, {rate}/s, {left} s left")
}

fn lines(report: &Report) -> Vec<String> {
    let Report { judged, decided, before, after, flips, recalled, left_out, .. } = report;
    let mut lines = vec![
        format!(
            "{judged} comments judged from {} to {}, {decided} of them decided by people; {recalled} recalled before",
            report.since, report.until
        ),
        format!(
            "policy {}, model {}",
            report.policy.as_deref().unwrap_or("none"),
            report.model.as_deref().unwrap_or("none")
        ),
        String::new(),
        format!("{:20} {:>30} {:>30}", "", "as recorded", "under the candidate"),
    ];
    let rows: [(&str, fn(&Measures) -> Share); 7] = [
        ("approved", |of| of.approved),
        ("held", |of| of.held),
        ("rejected", |of| of.rejected),
        ("refused", |of| of.refused),
        ("precision", |of| of.precision),
        ("recall", |of| of.recall),
        ("false-positive rate", |of| of.false_positives),
    ];
    for (name, of) in rows {
        lines.push(format!("{name:20} {:>30} {:>30}", told(of(before)), told(of(after))));
    }
    lines.push(String::new());
    lines.push(format!("verdicts that differ: {}", told(flips.all)));
    lines.extend(flips.kinds.iter().map(|(kind, count)| format!("  {kind}: {count}")));
    if decided > &0 {
        lines.push(format!("  as people decided: {} now, {} no longer", flips.better, flips.worse));
    }
    lines.extend(flips.listed.iter().map(flip));
    let unlisted = flips.all.n as usize - flips.listed.len().min(flips.all.n as usize);
    if unlisted > 0 {
        lines.push(format!("  and {unlisted} more (--list)"));
    }
    if left_out.reports > 0 {
        lines.push(format!("not replayed: {} comments that readers' reports held", left_out.reports));
    }
    if left_out.aimless > 0 {
        lines.push(format!("not replayed: {} edits and decisions that found nothing to apply to", left_out.aimless));
    }
    lines
}

pub(super) fn told(share: Share) -> String {
    let Some(rate) = share.rate else { return "nothing to tell it by".to_owned() };
    let [from, to] = share.interval.map(|end| end * 100.0);
    format!("{} = {:.2} % ({from:.2}–{to:.2})", share.n, rate * 100.0)
}

fn flip(flip: &Flip) -> String {
    let Flip { uid, link, site, id, revision, at, before, after, person, why } = flip;
    let edit = if *revision > 1 { format!(", revision {revision}") } else { String::new() };
    let person =
        person.map_or("nobody decided", |action| match crate::app::backtest::Fate::from(action).is_stopped() {
            true => "a person rejected",
            false => "a person approved",
        });
    let (before, after) = (before.name(), after.name());
    let place = link.clone().unwrap_or_else(|| uid.to_string());
    let why: Vec<String> = why.iter().map(ToString::to_string).collect();
    format!("{at} {site} {id}{edit}: {before} to {after}, {person}; {}\n  {place}", why.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_said_as_an_age_or_a_time() {
        let now = Timestamp::parse("2026-11-24T10:00:00Z").unwrap();
        let read = |text: &str| moment("--since", text, now).map(|at| at.to_string()).ok();
        assert_eq!(read("30d").as_deref(), Some("2026-10-25T10:00:00Z"));
        assert_eq!(read("12h").as_deref(), Some("2026-11-23T22:00:00Z"));
        assert_eq!(read("90m").as_deref(), Some("2026-11-24T08:30:00Z"));
        assert_eq!(read("2026-11-01T00:00:00Z").as_deref(), Some("2026-11-01T00:00:00Z"));
        for wrong in ["", "d", "30", "-3d", "yesterday"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn shares_are_said_in_percent_or_as_a_part_of_one() {
        assert_eq!(
            (share("3%"), share("0.03"), share("100 %"), share("1/200")),
            (Ok(0.03), Ok(0.03), Ok(1.0), Ok(0.005))
        );
        for wrong in ["3", "-1%", "101%", "NaN", "much", "1/0", "3/2"] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_bar_says_how_far_it_is_and_how_long_it_takes_still() {
        let line = bar(Progress { done: 25_000, total: 100_000 }, 10_000);
        assert_eq!(line, "[#######-----------------------] 25000 of 100000 comments, 2500/s, 30 s left");
        assert!(bar(Progress { done: 0, total: 0 }, 0).ends_with("0/s, ? s left"));
        assert!(bar(Progress { done: 9, total: 8 }, 1).starts_with(&format!("[{}]", "#".repeat(BAR))));
    }
}
