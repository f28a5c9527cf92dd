//! Reports of classes as CSV.

use std::fmt::Write as _;

use crate::class_counts::ClassCounts;
use crate::files::quoted;
use crate::metrics::ClassReport;
use crate::shots::{Shot, ShotThresholds};

/// CSV with a line for each class: its number and name, training samples, shot, scored and predicted
/// samples, precision, recall and F1 in percent (empty where not defined), and the up to three classes
/// that its samples are most often taken for.
pub fn per_class_csv(
    reports: &[ClassReport],
    counts: &ClassCounts,
    thresholds: ShotThresholds,
    names: Option<&[String]>,
) -> String {
    let mut out = "class,name,train_samples,shot,samples,predicted,precision_percent,\
                   recall_percent,f1_percent,taken_for,taken_for_samples\n"
        .to_owned();
    let name = |class: usize| names.and_then(|names| names.get(class)).map_or("", String::as_str);
    for report in reports {
        let n = counts.as_slice()[report.class];
        let shot = match thresholds.shot(n) {
            Shot::Many => "many",
            Shot::Medium => "medium",
            Shot::Few => "few",
        };
        let number = |value: Option<f64>| value.map_or(String::new(), |v| format!("{v:.2}"));
        let taken = |(class, _): &(usize, u32)| match name(*class) {
            "" => class.to_string(),
            name => name.to_owned(),
        };
        let taken_for: Vec<String> = report.confused_with.iter().map(taken).collect();
        let samples: Vec<String> =
            report.confused_with.iter().map(|(_, samples)| samples.to_string()).collect();
        let _ = writeln!(
            out,
            "{},{},{n},{shot},{},{},{},{},{},{},{}",
            report.class,
            quoted(name(report.class)),
            report.samples,
            report.predicted,
            number(report.precision_percent),
            number(report.recall_percent),
            number(report.f1_percent),
            quoted(&taken_for.join("; ")),
            samples.join("; "),
        );
    }
    out
}
