//! Counts how often each check hits, by file and label: what its weight has to be justified by.
//!
//! `cargo run --example signal_hits -- FILE…`, each file one JSON object a line with `text`, and `label`, `title` and `article` where they are known.
//! Prints a table of hits of 10,000 comments with the evidence's first words, which tell the conditions of a check apart, and with `--show CHECK`
//! the comments that it hits. Comments have no past here: checks that ask for one are silent.

use std::collections::BTreeMap;
use std::io::{BufRead as _, Write as _};

use anyhow::Context as _;
use doorward::domain::comment::{ArticleDraft, AuthorDraft, Bounds, Draft};
use doorward::domain::history::PastOf;
use doorward::domain::known::Known;
use doorward::domain::normalise::normalise;
use doorward::domain::relevance::{Background, Page};
use doorward::domain::signal::{Allowance, Config, Context, Outcome, Resources, Signals};
use doorward::domain::site::SiteId;
use doorward::domain::time::Timestamp;
use doorward::domain::view::View;
use serde::Deserialize;

#[derive(Deserialize)]
struct Row {
    text: String,
    #[serde(default)]
    label: Option<String>,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    article: Option<serde_json::Value>,
    #[serde(default)]
    author: Option<String>,
}

#[expect(clippy::disallowed_methods, reason = "how long the checks take is a part of what is measured")]
fn main() -> anyhow::Result<()> {
    let mut files: Vec<String> = std::env::args().skip(1).collect();
    let show = files.iter().position(|file| file == "--show").map(|at| {
        files.remove(at);
        files.remove(at)
    });
    let background = Background::from_bytes(include_bytes!("../models/background.bin"))?;
    let resources = Resources { background: std::sync::Arc::new(background) };
    let signals = Signals::new(&Config::default(), &resources)?;
    let mut out = std::io::stdout().lock();
    for file in files {
        let reader = std::io::BufReader::new(std::fs::File::open(&file).with_context(|| file.clone())?);
        let mut rows: BTreeMap<String, u32> = BTreeMap::new();
        let mut hits: BTreeMap<(String, String), BTreeMap<String, u32>> = BTreeMap::new();
        let mut pages: BTreeMap<String, Page> = BTreeMap::new();
        let (mut spent, mut judged) = (std::time::Duration::ZERO, 0_u32);
        for (number, line) in reader.lines().enumerate() {
            let row: Row = serde_json::from_str(&line?)?;
            let label = row.label.unwrap_or_else(|| "-".to_owned());
            let article = ArticleDraft {
                id: "a".to_owned(),
                title: row.title.clone(),
                text: row.article.as_ref().and_then(|text| text.as_str()).map(str::to_owned),
                ..ArticleDraft::default()
            };
            let author =
                AuthorDraft { id: Some(row.author.unwrap_or_else(|| number.to_string())), ..AuthorDraft::default() };
            let key = format!("{:?}{:?}", article.title, article.text);
            let Ok(parsed) = article.clone().parse(&Bounds::default()) else { continue };
            let known = parsed.has_details();
            pages.entry(key.clone()).or_insert_with(|| Page::new(parsed, &resources.background));
            let draft =
                Draft { id: number.to_string(), article, author: Some(author), body: row.text, ..Draft::default() };
            let Ok(new) = draft.parse(&Bounds::default()) else { continue };
            let comment = normalise(SiteId(1), new, false);
            let past = PastOf::empty(&comment.trace);
            let page = pages.get(&key).filter(|_| known);
            let context = Context {
                comment: &comment,
                page: page.map_or(Known::NotApplicable, Known::Known),
                parent: Known::NotApplicable,
                past: &past,
                allowance: &Allowance::Within,
                now: Timestamp::EPOCH,
                view: View::default(),
            };
            let before = std::time::Instant::now();
            let outcomes = signals.evaluate(&context);
            spent += before.elapsed();
            judged += 1;
            *rows.entry(label.clone()).or_default() += 1;
            for one in outcomes {
                if let Outcome::Hit { weight, evidence, .. } = one.outcome {
                    if show.as_deref() == Some(one.id.as_str()) {
                        writeln!(out, "{label}\t{evidence}\t{}", comment.sent.body.replace('\n', " / "))?;
                    }
                    let kind = format!("{:+.2}", weight.get());
                    *hits.entry((one.id, kind)).or_default().entry(label.clone()).or_default() += 1;
                }
            }
        }
        if show.is_some() {
            continue;
        }
        writeln!(out, "== {file}: {:?}, {:.1} us each", rows, spent.as_secs_f64() * 1e6 / f64::from(judged.max(1)))?;
        for ((id, kind), by_label) in hits {
            let cells: Vec<String> = rows
                .iter()
                .map(|(label, of)| {
                    let count = by_label.get(label).copied().unwrap_or(0);
                    format!("{label} {count} ({:.2} %)", 100.0 * f64::from(count) / f64::from(*of))
                })
                .collect();
            writeln!(out, "{id} {kind}: {}", cells.join(", "))?;
        }
    }
    Ok(())
}
