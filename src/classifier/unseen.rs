//! What models say of rows whose source they had not seen: the only measure of what a model says on a site that it does not know.

use super::data::{Row, Target};
use super::evaluate::Scored;
use super::model::Output;
use super::train::SOURCES;

/// A row that was learned from, and what models say of it that had not seen its source.
pub struct Unseen {
    /// Its file.
    pub source: &'static str,
    /// The row.
    pub row: Row,
    /// Whether it is spam and abuse, each with calibrated log-odds relative to the base rate; `None` where its label says nothing, and for
    /// what we wrote ourselves.
    pub said: [Option<(bool, f64)>; 2],
    pub(super) target: Target,
}

/// Notes what models said of sources that they had not seen, on the shipped output's scale.
pub(super) fn note(
    unseen: &mut [Unseen],
    at: usize,
    label: impl Fn(&Target) -> Option<bool>,
    abroad: &[(usize, Vec<Scored>)],
    output: &Output,
) {
    for (source, margins) in abroad {
        let rows = unseen.iter_mut().filter(|one| one.source == SOURCES[*source].name && label(&one.target).is_some());
        for (one, (margin, label)) in rows.zip(margins) {
            one.said[at] = Some((*label, -(output.platt.0 * margin + output.platt.1) - output.base));
        }
    }
}
