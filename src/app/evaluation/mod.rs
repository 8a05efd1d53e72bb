//! Measuring: the model alone and the whole decision, on labelled comments, by protocols that anybody can repeat.
//!
//! A protocol is one entry of [`LIST`]: what it measures, what others reached, what should be reached, and a function. It asks the
//! [`workshop::Workshop`] for a model that has not seen what is measured on, lets the [`court::Court`] judge, and fills a
//! [`report::Report`]. Nothing is chosen by what is found here: settings are chosen on other sets (docs/measuring.md).

pub mod court;
pub mod markdown;
pub mod plots;
pub mod protocols;
pub mod report;
pub mod rows;
pub mod workshop;

use std::path::PathBuf;

use async_trait::async_trait;

use court::Court;
use report::{Chance, Report};
use workshop::Workshop;

pub use protocols::LIST;

/// One way of measuring.
#[async_trait(?Send)]
pub trait Protocol: Sync {
    /// Its name on the command line.
    fn name(&self) -> &'static str;
    /// What it measures, in one line.
    fn title(&self) -> &'static str;
    /// What others reached.
    fn reference(&self) -> &'static str {
        "-"
    }
    /// What should be reached.
    fn target(&self) -> &'static str {
        "reported"
    }
    /// Measures.
    ///
    /// # Errors
    /// A file cannot be read, or a model cannot be made.
    async fn run(&self, shop: &Workshop<'_>, chance: Chance, report: &mut Report) -> anyhow::Result<()>;
}

/// Runs one protocol.
///
/// # Errors
/// A file cannot be read, or a model cannot be made.
pub async fn run(protocol: &dyn Protocol, shop: &Workshop<'_>, chance: Chance) -> anyhow::Result<Report> {
    (shop.tools.progress)(&format!("{}: {}", protocol.name(), protocol.title()));
    let mut report = Report {
        protocol: protocol.name().to_owned(),
        title: protocol.title().to_owned(),
        reference: protocol.reference().to_owned(),
        target: protocol.target().to_owned(),
        ..Report::default()
    };
    protocol.run(shop, chance, &mut report).await?;
    Ok(report)
}

/// Measures `court` on labelled files, each as a site of its own, one after the other in the same past.
///
/// # Errors
/// A file cannot be read.
pub async fn files(court: &mut Court, files: &[PathBuf], chance: Chance) -> anyhow::Result<Report> {
    let mut report = Report {
        protocol: "data".to_owned(),
        title: "labelled files".to_owned(),
        reference: "-".to_owned(),
        target: "reported".to_owned(),
        ..Report::default()
    };
    for path in files {
        let cases = rows::read(path)?;
        let all = cases.len();
        let cases: Vec<rows::Case> =
            rows::distinct(cases).into_iter().filter(|case| case.spam.is_some() || case.abuse.is_some()).collect();
        let set = crate::classifier::data::source(path);
        report.notes.push(format!("{set}: {} labelled comments with a text of their own, of {all} lines", cases.len()));
        let heard = court.hear(rows::in_order(cases)).await?;
        if heard.iter().any(|heard| heard.case.spam.is_some()) {
            report.spam(&set, &heard, chance);
        }
        if heard.iter().any(|heard| heard.case.abuse.is_some()) {
            report.abuse(&set, &heard, chance);
        }
    }
    Ok(report)
}
