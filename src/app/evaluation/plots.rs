//! Plots of a report as SVG: precision over recall, reliability, and score histograms by source.

use anyhow::anyhow;
use plotters::prelude::*;

use super::report::{Line, Report};
use crate::classifier::evaluate::calibration::{Bins, at_base_rate};
use crate::classifier::evaluate::{Ranked, Sample};

/// Width and height, in pixels.
const SIZE: (u32, u32) = (760, 520);
/// Points of a curve.
const POINTS: usize = 400;
/// Bars of a histogram.
const BARS: u32 = 20;

/// All plots of a report: file name and SVG.
///
/// # Errors
/// A plot could not be drawn.
pub fn all(report: &Report) -> anyhow::Result<Vec<(String, String)>> {
    let mut plots = Vec::new();
    let drawable: Vec<&Line> = report.lines.iter().filter(|line| line.measures.auc.is_finite()).collect();
    for (at, lines) in drawable.chunks(8).enumerate() {
        plots.push((format!("{}-precision-recall-{}.svg", report.protocol, at + 1), precision_recall(report, lines)?));
    }
    let probable: Vec<&Line> = report.lines.iter().filter(|line| line.prior.is_some()).collect();
    for (at, lines) in probable.chunks(8).enumerate() {
        plots.push((format!("{}-reliability-{}.svg", report.protocol, at + 1), reliability(report, lines)?));
    }
    for (at, line) in report.lines.iter().enumerate() {
        plots.push((format!("{}-scores-{}.svg", report.protocol, at + 1), histogram(report, line)?));
    }
    Ok(plots)
}

/// A curve with its name.
struct Curve {
    name: String,
    points: Vec<(f64, f64)>,
}

fn precision_recall(report: &Report, lines: &[&Line]) -> anyhow::Result<String> {
    let curve = |line: &&Line| Curve {
        name: format!("{}, {}: AP {:.3}", line.set, line.view, line.measures.average_precision),
        points: Ranked::new(&line.samples, line.prior).precision_recall(POINTS),
    };
    let curves: Vec<Curve> = lines.iter().map(curve).collect();
    curves_in_square(&format!("{}: precision over recall", report.protocol), ("recall", "precision"), &curves, false)
}

fn reliability(report: &Report, lines: &[&Line]) -> anyhow::Result<String> {
    let curves: Vec<Curve> = lines.iter().map(|line| reliability_curve(line)).collect();
    let title = format!("{}: share of positives over probability, at each set's base rate", report.protocol);
    curves_in_square(&title, ("said", "came true"), &curves, true)
}

#[expect(clippy::cast_precision_loss, reason = "counts of examples")]
fn reliability_curve(line: &Line) -> Curve {
    let positives = line.samples.iter().filter(|sample| sample.label).count() as f64;
    let base = (positives / (line.samples.len() as f64 - positives)).ln();
    let mut bins = Bins::default();
    for sample in &line.samples {
        bins.add(at_base_rate(sample.score, line.prior.unwrap_or(base), base), sample.label, 1.0);
    }
    let points =
        bins.bins().iter().filter(|bin| bin.all >= 5.0).map(|bin| (bin.said / bin.all, bin.true_ones / bin.all));
    let error = line.measures.calibration_error_at_base_rate;
    Curve { name: format!("{}, {}: error {error:.3}", line.set, line.view), points: points.collect() }
}

fn curves_in_square(title: &str, axes: (&str, &str), curves: &[Curve], diagonal: bool) -> anyhow::Result<String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        let failed = |error| anyhow!("a plot could not be drawn: {error}");
        area.fill(&WHITE).map_err(failed)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(title, ("sans-serif", 16))
            .margin(12)
            .x_label_area_size(36)
            .y_label_area_size(44)
            .build_cartesian_2d(0.0..1.0, 0.0..1.0)
            .map_err(failed)?;
        chart.configure_mesh().x_desc(axes.0).y_desc(axes.1).draw().map_err(failed)?;
        if diagonal {
            let line = PathElement::new(vec![(0.0, 0.0), (1.0, 1.0)], BLACK.mix(0.3));
            chart.draw_series(std::iter::once(line)).map_err(failed)?;
        }
        for (at, curve) in curves.iter().enumerate() {
            let color = Palette99::pick(at).to_rgba();
            let line = PathElement::new(curve.points.clone(), color.stroke_width(2));
            chart
                .draw_series(std::iter::once(line))
                .map_err(failed)?
                .label(curve.name.as_str())
                .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 18, y)], color.stroke_width(2)));
        }
        let legend = SeriesLabelPosition::LowerLeft;
        let mut labels = chart.configure_series_labels();
        labels.position(legend).background_style(WHITE.mix(0.8)).border_style(BLACK.mix(0.2)).draw().map_err(failed)?;
        area.present().map_err(failed)?;
    }
    Ok(svg)
}

fn histogram(report: &Report, line: &Line) -> anyhow::Result<String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        let failed = |error| anyhow!("a plot could not be drawn: {error}");
        area.fill(&WHITE).map_err(failed)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(format!("{}: scores of {}, {}", report.protocol, line.set, line.view), ("sans-serif", 16))
            .margin(12)
            .x_label_area_size(36)
            .y_label_area_size(44)
            .build_cartesian_2d(0.0..1.0, 0.0..1.0)
            .map_err(failed)?;
        chart.configure_mesh().x_desc("score").y_desc("share of the class").draw().map_err(failed)?;
        for (label, name, color) in [(false, "others", BLUE), (true, "positives", RED)] {
            let bars = bars(&line.samples, label);
            let width = 1.0 / f64::from(BARS);
            let bar = |(at, share): (u32, &f64)| {
                let left = f64::from(at) * width;
                Rectangle::new([(left, 0.0), (left + width, *share)], color.mix(0.4).filled())
            };
            chart
                .draw_series((0..BARS).zip(&bars).map(bar))
                .map_err(failed)?
                .label(name)
                .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 14, y + 5)], color.mix(0.4).filled()));
        }
        let mut labels = chart.configure_series_labels();
        labels.background_style(WHITE.mix(0.8)).border_style(BLACK.mix(0.2)).draw().map_err(failed)?;
        area.present().map_err(failed)?;
    }
    Ok(svg)
}

/// The share of a class in each bar.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a bar's number")]
fn bars(samples: &[Sample], label: bool) -> Vec<f64> {
    let mut bars = vec![0.0; BARS as usize];
    for sample in samples.iter().filter(|sample| sample.label == label) {
        let at = (sample.score.clamp(0.0, 1.0) * f64::from(BARS)) as usize;
        bars[at.min(BARS as usize - 1)] += 1.0;
    }
    let all = bars.iter().sum::<f64>().max(1.0);
    bars.into_iter().map(|count| count / all).collect()
}

#[cfg(test)]
mod tests {
    use super::super::report::Chance;
    use super::*;

    #[test]
    fn every_line_is_drawn_with_names_that_are_only_text() {
        let mut report = Report { protocol: "test".to_owned(), ..Report::default() };
        let sample = |score, label| Sample { score, label, called: false, group: 0 };
        let samples = vec![sample(0.9, true), sample(0.2, false), sample(0.6, true), sample(0.5, false)];
        report.line("<script>alert(1)</script>", "model & co", samples, Some(0.0), Chance { resamples: 0, seed: 1 });
        let plots = all(&report).expect("drawn");
        let names: Vec<&str> = plots.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["test-precision-recall-1.svg", "test-reliability-1.svg", "test-scores-1.svg"]);
        for (name, svg) in &plots {
            assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{name}");
            assert!(!svg.contains("<script>"), "{name}: a set's name is text, not markup");
        }
    }

    #[test]
    fn bars_are_shares_of_their_class() {
        let sample = |score, label| Sample { score, label, called: false, group: 0 };
        let found = bars(&[sample(0.0, true), sample(1.0, true), sample(0.5, false)], true);
        assert!((found[0] - 0.5).abs() < 1e-12 && (found[19] - 0.5).abs() < 1e-12);
    }
}
