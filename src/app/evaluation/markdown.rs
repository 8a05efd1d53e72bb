//! A report for people, as Markdown.

use super::report::{Figure, Line, Report, Target, Verdicts};
use crate::classifier::evaluate::bootstrap::Interval;

/// One report, whole.
#[must_use]
pub fn report(report: &Report) -> String {
    let mut text = format!("## {}\n\n{}.\n\n", report.protocol, capital(&report.title));
    text += &format!("Reference: {}. Target: {}.\n\n", report.reference, report.target);
    if report.protocol != "data" {
        let name = &report.protocol;
        text +=
            &format!("```sh\ndoorward evaluate --protocol {name} --train DIR/train --cache CACHE --out OUT\n```\n\n");
    }
    if !report.figures.is_empty() {
        text += "| figure | value | target | |\n| --- | ---: | --- | --- |\n";
        text += &report.figures.iter().map(figure_row).collect::<String>();
        text += "\n";
    }
    if !report.lines.is_empty() {
        text += "| set | view | examples | positives | AUC | AP | precision | recall | F1 | false positives | at recall .5 | .8 | .95 | recall at 1 % false positives | calibration error | at the set's base rate |\n";
        text += "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n";
        text += &report.lines.iter().map(line_row).collect::<String>();
        text += "\n";
    }
    let decided: Vec<(&Line, Verdicts)> = report.lines.iter().filter_map(|line| Some((line, line.verdicts?))).collect();
    if !decided.is_empty() {
        text += "| set | class | approved | held | rejected |\n| --- | --- | ---: | ---: | ---: |\n";
        for (line, verdicts) in decided {
            for (class, [approved, held, rejected]) in
                [("positives", verdicts.positives), ("others", verdicts.negatives)]
            {
                text += &format!("| {} | {class} | {approved} | {held} | {rejected} |\n", cell(&line.set));
            }
        }
        text += "\n";
    }
    for note in &report.notes {
        text += &format!("- {}\n", cell(note));
    }
    for (name, listed) in &report.lists {
        text += &format!("- {} comments in `{name}.jsonl`, to be read\n", listed.len());
    }
    text + "\n"
}

/// A report as rows of the table in docs/measuring.md: its targets, and whether they are met.
#[must_use]
pub fn summary(report: &Report) -> String {
    let with_target: Vec<&Figure> = report.figures.iter().filter(|figure| figure.target.is_some()).collect();
    let shown = if with_target.is_empty() { report.figures.iter().collect() } else { with_target };
    let row = |figure: &&Figure| format!("| `{}` {}", report.protocol, figure_row(figure));
    shown.iter().map(row).collect()
}

/// What somebody has to know who reads a report for the first time.
pub const HOW_TO_READ: &str = "In brackets: where a figure lies in nineteen of twenty resamples of whole groups (pages, videos, threads). \
*Model alone* is the model's answer with policy's prior, *whole decision* everything that becomes of a comment with the default settings; \
precision, recall, F1 and false positives are those of what is held or rejected, unless a note says otherwise. *Positives* are spam, abuse or what is out \
of place, as the protocol says; AP is average precision; *calibration error* is told as it is, and after policy's prior is replaced by the share of \
positives in the set. A dash: nothing to tell.\n";

/// The head of the table that [`summary`] fills.
pub const SUMMARY_HEAD: &str = "| protocol | figure | value | target | |\n| --- | --- | ---: | --- | --- |\n";

fn figure_row(figure: &Figure) -> String {
    let target = match figure.target {
        Some(Target::AtLeast(bound)) => format!(">= {bound}"),
        Some(Target::AtMost(bound)) => format!("<= {bound}"),
        None => String::new(),
    };
    let met = match figure.target.map(|target| target.is_met(figure.value)) {
        Some(true) => "met",
        Some(false) => "missed",
        None => "",
    };
    format!("| {} | {:.4}{} | {target} | {met} |\n", cell(&figure.name), figure.value, interval(figure.interval))
}

fn line_row(line: &Line) -> String {
    let with = |name: &str, value: f64| format!("{}{}", shown(value), interval(line.intervals.get(name).copied()));
    let m = &line.measures;
    let cells = [
        cell(&line.set),
        cell(&line.view),
        m.examples.to_string(),
        m.positives.to_string(),
        with("auc", m.auc),
        with("average_precision", m.average_precision),
        with("precision", m.precision),
        with("recall", m.recall),
        with("f1", m.f1),
        with("false_positive_rate", m.false_positive_rate),
        shown(m.false_positive_rate_at_recall_50),
        shown(m.false_positive_rate_at_recall_80),
        shown(m.false_positive_rate_at_recall_95),
        with("recall_at_false_positive_rate_1", m.recall_at_false_positive_rate_1),
        shown(m.calibration_error),
        with("calibration_error_at_base_rate", m.calibration_error_at_base_rate),
    ];
    format!("| {} |\n", cells.join(" | "))
}

fn shown(value: f64) -> String {
    if value.is_finite() { format!("{value:.4}") } else { "-".to_owned() }
}

fn interval(interval: Option<Interval>) -> String {
    interval.map_or_else(String::new, |found| format!(" ({:.4} to {:.4})", found.low, found.high))
}

/// A text that stays in its cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ").replace('<', "&lt;")
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::super::report::Chance;
    use super::*;
    use crate::classifier::evaluate::Sample;

    #[test]
    fn a_report_says_what_was_met_and_what_was_missed() {
        let mut found = Report { protocol: "test".to_owned(), title: "words | more".to_owned(), ..Report::default() };
        found.figure("AUC", 0.9, None, Some(Target::AtLeast(0.95)));
        found.figure("held", 0.01, Some(Interval { low: 0.0, high: 0.02 }), Some(Target::AtMost(0.02)));
        found.figure("other", 0.5, None, None);
        let samples = vec![Sample { score: 0.9, label: true, called: true, group: 1 }];
        found.line("a|b", "model alone", samples, None, Chance { resamples: 0, seed: 1 });
        let text = report(&found);
        assert!(text.contains("| AUC | 0.9000 | >= 0.95 | missed |"), "{text}");
        assert!(text.contains("| held | 0.0100 (0.0000 to 0.0200) | <= 0.02 | met |"), "{text}");
        assert!(text.contains("| a\\|b | model alone | 1 | 1 | - |"), "one class has no AUC: {text}");
        let rows = summary(&found);
        assert_eq!(rows.lines().count(), 2, "figures with targets only: {rows}");
        assert!(rows.starts_with("| `test` | AUC |"));
    }
}
