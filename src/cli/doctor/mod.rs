//! `doorward doctor`: looks at everything that an operator would otherwise look at one by one, changes nothing, and says of each thing that is not
//! as it should be what to do.

mod around;
mod aside;
mod database;
mod files;

use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use super::{say, say_json};
use crate::app::clock::Clock as _;
use crate::config::Config;
use crate::startup::{self, SystemClock};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Read all of the database, however big it is
    #[arg(long)]
    deep: bool,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// How a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Level {
    /// As it should be.
    Good,
    /// Worth knowing; nothing is wrong.
    Note,
    /// It works, and will not for long, or not for everybody.
    Warning,
    /// It does not work.
    Problem,
}

impl Level {
    const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    level: Level,
    /// What was looked at, in a word: the same in every version.
    check: &'static str,
    /// What was found.
    found: String,
    /// What to do; everything that is not good or a note has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    todo: Option<String>,
}

/// Everything that was found so far.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn good(&mut self, check: &'static str, found: impl Into<String>) {
        self.0.push(Finding { level: Level::Good, check, found: found.into(), todo: None });
    }

    fn note(&mut self, check: &'static str, found: impl Into<String>) {
        self.0.push(Finding { level: Level::Note, check, found: found.into(), todo: None });
    }

    fn warning(&mut self, check: &'static str, found: impl Into<String>, todo: impl Into<String>) {
        self.0.push(Finding { level: Level::Warning, check, found: found.into(), todo: Some(todo.into()) });
    }

    fn problem(&mut self, check: &'static str, found: impl Into<String>, todo: impl Into<String>) {
        self.0.push(Finding { level: Level::Problem, check, found: found.into(), todo: Some(todo.into()) });
    }

    /// The error with everything behind it, as a problem.
    fn failed(&mut self, check: &'static str, error: &anyhow::Error, todo: impl Into<String>) {
        self.problem(check, format!("{error:#}"), todo);
    }

    fn worst(&self) -> Level {
        self.0.iter().map(|finding| finding.level).max().unwrap_or(Level::Good)
    }
}

/// What is said in JSON.
#[derive(Serialize)]
struct Report<'a> {
    /// The worst of all.
    level: Level,
    findings: &'a [Finding],
}

/// Looks, and answers with the exit code: 0 when nothing is wrong, 1 for warnings, 2 for problems.
pub(super) async fn run(arguments: &Arguments, settings: Option<&Path>) -> anyhow::Result<ExitCode> {
    let findings = look(arguments, settings).await;
    let level = findings.worst();
    if arguments.json {
        say_json(&Report { level, findings: &findings.0 })?;
    } else {
        for finding in &findings.0 {
            say(format_args!("{:<8} {:<14} {}", finding.level.name(), finding.check, finding.found))?;
            if let Some(todo) = &finding.todo {
                say(format_args!("{:<23} do: {todo}", ""))?;
            }
        }
    }
    Ok(match level {
        Level::Good | Level::Note => ExitCode::SUCCESS,
        Level::Warning => ExitCode::from(1),
        Level::Problem => ExitCode::from(2),
    })
}

async fn look(arguments: &Arguments, settings: Option<&Path>) -> Findings {
    let mut findings = Findings::default();
    let file = Config::file(settings);
    let config = match Config::load(settings) {
        Ok(config) => config,
        Err(error) => {
            let todo = "mend that, and look with `doorward check-config`; nothing else was looked at";
            findings.failed("configuration", &error.into(), todo);
            return findings;
        }
    };
    let named =
        file.map_or("no settings file: defaults and the environment".to_owned(), |file| file.display().to_string());
    findings.good("configuration", format!("{named}, hash {}", config.hash()));
    match startup::house(&config) {
        Ok(house) => match &house.classifier {
            Some(classifier) => findings.good("model", format!("{} is loaded", classifier.version())),
            None => findings.note("model", "model.enabled is false: only signals judge"),
        },
        Err(error) => findings.failed(
            "model",
            &error,
            "put the file back that model.file names, with what lies beside it, or empty model.file for the shipped one",
        ),
    }
    let now = SystemClock.now();
    files::look(&config, file, &mut findings);
    if config.database.is_postgres() {
        database::postgres(&config, now, &mut findings).await;
    } else {
        database::sqlite(&config, arguments.deep, now, &mut findings);
    }
    around::clock(now, &mut findings);
    around::shared(&config, now, &mut findings).await;
    around::proxy(&config, &mut findings);
    around::service(&config, &mut findings).await;
    around::backups(&config, now, &mut findings);
    aside::look(&config, now, &mut findings);
    findings
}

/// Milliseconds, for people.
fn lasting(ms: u64) -> String {
    match ms / 1_000 {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_finding_decides() {
        let mut findings = Findings::default();
        assert_eq!(findings.worst(), Level::Good);
        findings.note("a", "b");
        assert_eq!(findings.worst(), Level::Note);
        findings.problem("a", "b", "c");
        findings.warning("a", "b", "c");
        findings.good("a", "b");
        assert_eq!(findings.worst(), Level::Problem);
    }

    #[test]
    fn times_are_said_so_that_people_read_them() {
        let said = [119_999, 120_000, 7_199_000, 7_200_000, 172_799_000, 172_800_000].map(lasting);
        assert_eq!(said, ["119 s", "2 min", "119 min", "2 h", "47 h", "2 days"]);
    }
}
