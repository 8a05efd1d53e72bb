//! `doorward explain FILE.json`: what would be decided about a comment, and why, by the settings and the model alone. With `--source NAME`, FILE is a
//! message of that source: first what it becomes, whoever signed it.
//!
//! No database is opened: the past is empty, and nothing is counted against a limit.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Usage, say, say_json};
use crate::app::clock::Clock as _;
use crate::app::house::{House, Scene};
use crate::app::webhooks_in::Meaning;
use crate::app::webhooks_in::message::Message;
use crate::app::webhooks_in::source::Source;
use crate::config::Config;
use crate::domain::category::Category;
use crate::domain::comment::{Draft, NewComment};
use crate::domain::decision::Verdict;
use crate::domain::history::PastOf;
use crate::domain::known::Known;
use crate::domain::model::ModelOutput;
use crate::domain::normalise;
use crate::domain::signal::{Allowance, Mode, Outcome};
use crate::domain::site::SiteId;
use crate::domain::time::Timestamp;
use crate::http::api::dto::{AssessmentOut, VerdictOut};
use crate::startup::{self, SystemClock};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A comment as `POST /v1/comments` takes it, or a message of the source; `-` for standard input
    #[arg(value_name = "FILE.json")]
    file: PathBuf,
    /// The site whose moderation mode applies
    #[arg(long, default_value = "example")]
    site: String,
    /// One of the `[[sources]]`: show what its message FILE becomes, without looking at its signature
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// A header of that message, where the source looks at headers; may be given several times
    #[arg(long, value_name = "NAME: VALUE", requires = "source")]
    header: Vec<String>,
    /// Answer in JSON, as `POST /v1/assess` does
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, config: &Config) -> anyhow::Result<()> {
    let house = startup::house(config)?;
    let text = read(&arguments.file)?;
    if let Some(source) = &arguments.source {
        return explain_message(arguments, config, &house, source, text);
    }
    let draft: Draft = serde_json::from_slice(&text)
        .map_err(|error| Usage(format!("{}: not a comment: {error}", arguments.file.display())))?;
    let verdict = judge(&house, &arguments.site, draft, SystemClock.now())
        .map_err(|error| Usage(format!("{}: {error}", arguments.file.display())))?;
    if arguments.json {
        return say_json(&AssessmentOut { verdict: (&verdict).into() });
    }
    lines(&verdict).into_iter().try_for_each(say)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    if path != Path::new("-") {
        return std::fs::read(path).map_err(|error| Usage(format!("{}: {error}", path.display())).into());
    }
    let mut text = Vec::new();
    std::io::stdin().lock().read_to_end(&mut text).context("standard input")?;
    Ok(text)
}

/// What a source's message becomes, and the verdict on it when it is a comment.
fn explain_message(
    arguments: &Arguments,
    config: &Config,
    house: &House,
    source: &str,
    body: Vec<u8>,
) -> anyhow::Result<()> {
    let wrong = |error: &dyn std::fmt::Display| Usage(format!("{}: {error}", arguments.file.display()));
    let sources = Source::all(&config.sources).map_err(|error| Usage(error.to_string()))?;
    let names = || sources.keys().cloned().collect::<Vec<_>>().join(", ");
    let found = sources.get(source).ok_or_else(|| Usage(format!("no source `{source}`; there are: {}", names())))?;
    let headers = arguments.header.iter().map(|header| {
        let (name, value) = header.split_once(':').ok_or_else(|| Usage(format!("--header `{header}`: no colon")))?;
        Ok::<_, Usage>((name.trim(), value.trim()))
    });
    let message = Message { headers: headers.collect::<Result<_, _>>()?, body };
    let meaning = found.read(&message, &house.bounds).map_err(|error| wrong(&error))?;
    let (means, record) = match &meaning {
        Meaning::Create(new) => ("a new comment", shown(new)?),
        Meaning::Update(new) => ("a comment's new text", shown(new)?),
        Meaning::Delete(id) => ("a comment to erase", json!({"id": id})),
        Meaning::Article(article) => ("an article", shown(article)?),
        Meaning::Nothing => ("nothing: the event is ignored", Value::Null),
    };
    let verdict = match meaning {
        Meaning::Create(new) | Meaning::Update(new) => Some(judge_new(house, found.site(), *new, SystemClock.now())),
        Meaning::Delete(_) | Meaning::Article(_) | Meaning::Nothing => None,
    };
    if arguments.json {
        let verdict = verdict.as_ref().map(VerdictOut::from);
        return say_json(&json!({"means": means, "record": record, "verdict": verdict}));
    }
    say(means)?;
    if !record.is_null() {
        say(serde_json::to_string_pretty(&record)?)?;
    }
    verdict.map_or_else(Vec::new, |verdict| lines(&verdict)).into_iter().try_for_each(say)
}

/// As JSON, without the fields that are not there.
fn shown(record: &impl Serialize) -> anyhow::Result<Value> {
    let mut value = serde_json::to_value(record)?;
    strip(&mut value);
    Ok(value)
}

fn strip(value: &mut Value) {
    if let Value::Object(fields) = value {
        fields.values_mut().for_each(strip);
        fields.retain(|_, field| !field.is_null() && *field != json!([]) && *field != json!({}));
    }
}

/// Judges a comment that has no past.
fn judge(house: &House, site: &str, draft: Draft, now: Timestamp) -> Result<Verdict, crate::domain::comment::Invalid> {
    Ok(judge_new(house, site, draft.parse(&house.bounds)?, now))
}

fn judge_new(house: &House, site: &str, new: NewComment, now: Timestamp) -> Verdict {
    let staff = house.trust.is_staff(new.author.role.as_deref());
    let comment = normalise::normalise(SiteId(0), new, staff);
    let article = &comment.sent.article;
    let page = match article.has_details() {
        true => Known::Known(Arc::new(house.page(article.clone()))),
        false => Known::NotApplicable,
    };
    let past = PastOf::empty(&comment.trace);
    let scene = Scene {
        site: site.into(),
        page,
        parent: Known::NotApplicable,
        siblings: Known::NotApplicable,
        past,
        allowance: Allowance::Off,
    };
    house.judge(&comment, &scene, now)
}

/// The verdict term by term: what is written under each category adds up to its score.
fn lines(verdict: &Verdict) -> Vec<String> {
    let mut lines = vec![match verdict.category {
        Some(category) => format!("{} for {}", name(verdict.action), category.name()),
        None => name(verdict.action).to_owned(),
    }];
    lines.extend(verdict.causes.iter().map(|cause| format!("  because: {} ({})", cause.text, cause.id)));
    for category in Category::ALL {
        lines.push(format!("\n{}: score {:.4}", category.name(), verdict.scores[category].get()));
        lines.push(term(verdict.prior[category].get(), "prior", ""));
        for signal in verdict.signals.iter().filter(|signal| signal.category == category) {
            if let Outcome::Hit { weight, evidence, .. } = &signal.outcome {
                let note = if signal.mode == Mode::Shadow { " (shadow, not counted)" } else { "" };
                lines.push(term(weight.get(), &format!("{}{note}", signal.id), evidence));
            }
        }
        let model = verdict.model.log_odds(category);
        if let (ModelOutput::Scored { version, terms, .. }, true) = (&verdict.model, category != Category::OffTopic) {
            let terms = terms.iter().filter(|term| term.category == category);
            let terms: Vec<String> = terms.map(|term| format!("{} {:+.2}", term.text, term.log_odds.get())).collect();
            lines.push(term(model.get(), &format!("model {version}"), &terms.join(", ")));
        }
        for adjustment in verdict.adjustments.iter().filter(|adjustment| adjustment.category == category) {
            lines.push(term(adjustment.log_odds.get(), &adjustment.id, &adjustment.text));
        }
    }
    lines.push(String::new());
    for signal in &verdict.signals {
        match &signal.outcome {
            Outcome::NotApplicable => lines.push(format!("not applicable: {}", signal.id)),
            Outcome::Unavailable { why } => lines.push(format!("unavailable: {}: {why}", signal.id)),
            Outcome::Hit { .. } | Outcome::Clear => {}
        }
    }
    lines.push(format!("policy {}", verdict.policy));
    lines
}

fn term(log_odds: f64, what: &str, more: &str) -> String {
    let separator = if more.is_empty() { "" } else { ": " };
    format!("  {log_odds:+8.4}  {what}{separator}{more}")
}

fn name(action: crate::domain::decision::Action) -> &'static str {
    use crate::domain::decision::Action;
    match action {
        Action::Approve => "approve",
        Action::Hold => "hold",
        Action::Reject => "reject",
    }
}
