//! From margins to probabilities that hold on sites that no source came from.
//!
//! Platt scaling on margins of sources that the margin's model had not seen; what it says of a source by the others is told by the calibration error.
//!
//! What stands in the way of less error abroad is not its shape: each source by itself asks for another slope (spam: reddit_rules .14, sms_spam
//! 1.28; abuse: davidson_hate .40, wiki_toxic 1.15) and another intercept (spam: 0 to 3.2), and nothing tells beforehand which. Even the best line
//! for all, chosen with their labels in sight, leaves .031 for spam, by saying next to nothing (slope .05), and .022 for abuse. Error of each
//! source by the others, without datacamp_comments and youtube_spam, spam and abuse: this .096, .085; a common slope with each source's own base
//! rate known .128 to .146, .102 to .106; classes of sources counted evenly .099, .078; isotonic .086, .083; two slopes with a knee .081, .085; a
//! slope that grows with the number of words .095, .085; half the slope .130, .047; at most 3 either way .092, .079. What helps one output harms
//! the other, or has more genuine comments held (isotonic and the knee: .10 of other sources' ham instead of .08), or hardly finds abuse any more
//! (half the slope: .04 instead of .20 of it), on the word of one source.

use anyhow::anyhow;
use linfa::ParamGuard as _;
use linfa::composing::platt_scaling::{PlattParams, platt_newton_method};
use ndarray::Array1;

use super::evaluate::{Scored, measure};
use super::train::evenly;

/// Platt scaling, and the log-odds of the share of positives that it was made on.
pub(super) fn calibrate(margins: &[Scored]) -> anyhow::Result<((f64, f64), f64)> {
    let values = Array1::from_iter(margins.iter().map(|(margin, _)| *margin));
    let labels = Array1::from_iter(margins.iter().map(|(_, label)| *label));
    let params = PlattParams::<f64, ()>::default().check().map_err(|error| anyhow!("{error}"))?;
    let platt =
        platt_newton_method(values.view(), labels.view(), &params).map_err(|error| anyhow!("calibration: {error}"))?;
    #[expect(clippy::cast_precision_loss, reason = "counts of examples")]
    let share = labels.iter().filter(|label| **label).count() as f64 / labels.len() as f64;
    Ok((platt, (share / (1.0 - share)).ln()))
}

/// The calibration error over sources with both classes, each calibrated by the others and corrected by its own share of positives.
pub(super) fn calibration_error_abroad(abroad: &[(usize, Vec<Scored>)]) -> Option<f64> {
    let mut pooled = Vec::new();
    for (at, (_, margins)) in abroad.iter().enumerate() {
        let others = abroad.iter().enumerate().filter(|(other, _)| *other != at);
        let others: Vec<Scored> = others.flat_map(|(_, (_, margins))| evenly(margins)).collect();
        let own: Vec<Scored> = evenly(margins).collect();
        let Some(own_base) = log_odds_of_share(&own) else { continue };
        let Ok(((a, b), base)) = calibrate(&others) else { continue };
        pooled
            .extend(own.iter().map(|(margin, label)| (1.0 / (1.0 + (a * margin + b + base - own_base).exp()), *label)));
    }
    (!pooled.is_empty()).then(|| measure(&pooled, 0.5).calibration_error)
}

/// Log-odds of the share of positives; `None` when one class is missing.
#[expect(clippy::cast_precision_loss, reason = "counts of examples")]
fn log_odds_of_share(scored: &[Scored]) -> Option<f64> {
    let positives = scored.iter().filter(|(_, label)| *label).count();
    (positives > 0 && positives < scored.len()).then(|| (positives as f64 / (scored.len() - positives) as f64).ln())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A source of 400 with so many positives, whose margins tell as much as they say at `slope`, moved by `shift`.
    fn source(positives: u32, slope: f64, shift: f64) -> Vec<Scored> {
        let base = (f64::from(positives) / f64::from(400 - positives)).ln();
        let evidence = [-2.0, -1.0, 0.0, 1.0, 2.0];
        let mut rows = Vec::new();
        for said in evidence {
            let probability: f64 = 1.0 / (1.0 + f64::exp(-(said + base)));
            rows.extend((0..80).map(|at| (said / slope + shift, f64::from(at) + 0.5 < 80.0 * probability)));
        }
        rows
    }

    #[test]
    fn a_source_like_the_others_is_foretold_and_one_that_differs_is_not() {
        let alike = [(0, source(200, 1.0, 0.0)), (1, source(200, 1.0, 0.0)), (2, source(200, 1.0, 0.0))];
        let error = calibration_error_abroad(&alike).expect("both classes");
        assert!(error < 0.02, "{error}");
        let moved = [(0, source(200, 1.0, 0.0)), (1, source(200, 1.0, 3.0)), (2, source(200, 0.3, -3.0))];
        assert!(calibration_error_abroad(&moved).expect("both classes") > 0.1);
        let pure = [(0, vec![(1.0, true); 30]), (1, vec![(0.0, false); 30])];
        assert!(calibration_error_abroad(&pure).is_none(), "of one class alone nothing can be told");
    }

    #[test]
    fn calibration_gives_back_what_the_margins_say() {
        let ((a, b), base) = calibrate(&source(200, 2.0, 0.0)).expect("fits");
        assert!((a + 2.0).abs() < 0.1 && b.abs() < 0.1 && base.abs() < 0.1, "{a} {b} {base}");
    }
}
