//! The columns of a comparison, one entry each, for all renderings.

#![allow(clippy::unnecessary_wraps, reason = "a record may lack a number")]

use super::shown::Shown;
use super::{Difference, Spread, Standing, Summary};
use crate::compare::{HeadRecord, RunRecord};

/// A column: its header, its cells, and its numbers in CSV.
pub(super) struct Column {
    /// Header in tables; `None` if tables omit the column.
    pub(super) header: fn(&Shown<'_>) -> Option<String>,
    /// What it is, for readers who have not seen it before.
    pub(super) meaning: &'static str,
    /// Cell of a row in tables.
    pub(super) cell: fn(&Summary<'_>) -> String,
    /// Names and values in CSV: numbers at full precision, missing values empty.
    pub(super) csv: &'static [Field],
}

/// A CSV field: its name, and its value for a row.
type Field = (&'static str, fn(&Summary<'_>) -> String);

/// Every column, in table order.
pub(super) const COLUMNS: &[Column] = &[
    Column {
        header: |_| Some("method".to_owned()),
        meaning: "what was trained, or done to the head that was given",
        cell: |row| row.method.to_owned(),
        csv: &[
            ("method", |row| row.method.to_owned()),
            ("selection", |row| row.selection().rule().name.to_owned()),
            ("optimistic", |row| row.optimistic().to_string()),
            ("seeds", |row| row.n_seeds().to_string()),
            ("trials", |row| row.n_trials().to_string()),
            ("head_epochs", |row| row.head_epochs().map_or(String::new(), |n| n.to_string())),
        ],
    },
    Column {
        header: |_| Some("all".to_owned()),
        meaning: "samples classified correctly, in percent: mean over seeds ± standard deviation",
        cell: |row| score(row, overall),
        csv: &[
            ("overall_percent", |row| mean(row, overall)),
            ("overall_sd", |row| deviation(row, overall)),
        ],
    },
    Column {
        header: |shown| (!shown.data.test_is_balanced).then(|| "macro".to_owned()),
        meaning: "the mean over classes of the accuracy of each, in percent: every class counts the same",
        cell: |row| score(row, macro_percent),
        csv: &[
            ("macro_percent", |row| mean(row, macro_percent)),
            ("macro_sd", |row| deviation(row, macro_percent)),
            ("macro_low", |row| standing(row, |s| s.class_mean.0.to_string())),
            ("macro_high", |row| standing(row, |s| s.class_mean.1.to_string())),
        ],
    },
    Column {
        header: |shown| shown.measured().then(|| "95 %".to_owned()),
        meaning: "half of the 95 % interval of the class mean, over test samples and seeds: how far off it may be",
        cell: |row| {
            row.standing.map_or(MISSING.to_owned(), |standing| {
                let (low, high) = standing.class_mean;
                format!("± {:.2}", 0.5 * (high - low))
            })
        },
        csv: &[],
    },
    Column {
        header: |shown| shown.compared().then(|| "to the best".to_owned()),
        meaning: "class mean minus that of the best row, with a 95 % interval over bootstrap resamples of test samples and seeds; where it contains 0, the test set cannot tell the two apart",
        cell: |row| {
            row.difference.map_or("best".to_owned(), |d| {
                format!("{:+.2} [{:+.2}, {:+.2}]", d.points, d.low, d.high)
            })
        },
        csv: &[
            ("to_best_points", |row| difference(row, |d| d.points)),
            ("to_best_low", |row| difference(row, |d| d.low)),
            ("to_best_high", |row| difference(row, |d| d.high)),
        ],
    },
    Column {
        header: |shown| shown.compared().then(|| "rank".to_owned()),
        meaning: "the best and the worst rank: one more than the rows that are measurably better, to all but those that are measurably worse, with 95 % confidence in all of these at once",
        cell: |row| {
            let (best, worst) = row.standing.map_or((0, 0), |standing| standing.ranks);
            match worst {
                0 => MISSING.to_owned(),
                _ if best == worst => best.to_string(),
                _ => format!("{best}–{worst}"),
            }
        },
        csv: &[
            ("rank_best", |row| standing(row, |s| s.ranks.0.to_string())),
            ("rank_worst", |row| standing(row, |s| s.ranks.1.to_string())),
        ],
    },
    Column {
        header: |shown| Some(shown.data.shot_headers()[0].clone()),
        meaning: "class mean of the classes with many training samples",
        cell: |row| digits(row, many, 2),
        csv: &[("many_percent", |row| mean(row, many))],
    },
    Column {
        header: |shown| Some(shown.data.shot_headers()[1].clone()),
        meaning: "class mean of the classes in between",
        cell: |row| digits(row, medium, 2),
        csv: &[("medium_percent", |row| mean(row, medium))],
    },
    Column {
        header: |shown| Some(shown.data.shot_headers()[2].clone()),
        meaning: "class mean of the classes with few training samples",
        cell: |row| digits(row, few, 2),
        csv: &[("few_percent", |row| mean(row, few))],
    },
    Column {
        header: |shown| shown.validated().then(|| "validation".to_owned()),
        meaning: "class mean on the validation set, or on the folds of a cross-validation; what chose epoch and \
                  hyper-parameters where the selection says so",
        cell: |row| digits(row, validation, 2),
        csv: &[("validation_percent", |row| mean(row, validation))],
    },
    Column {
        header: |_| Some("epoch".to_owned()),
        meaning: "the epoch chosen, and how many there were; – where there are none",
        cell: |row| trained(row, &|| format!("{:.1}/{}", row.mean(epoch), row.epochs())),
        csv: &[("epoch", |row| mean(row, epoch)), ("epochs", |row| row.epochs().to_string())],
    },
    Column {
        header: |_| Some("last epoch".to_owned()),
        meaning: "class mean if it is trained to its last epoch instead: if far below, the epoch has to be chosen",
        cell: |row| trained(row, &|| digits(row, last_epoch, 2)),
        csv: &[("last_epoch_percent", |row| mean(row, last_epoch))],
    },
    Column {
        header: |shown| {
            Some(if shown.honest() { "best on test*" } else { "best seed*" }.to_owned())
        },
        meaning: "best on test: what choosing on the test set itself would have claimed, and by how much that is too good; best seed: the highest of the seeds' overall accuracies",
        cell: |row| {
            if row.selection().rule().is_optimistic() {
                return row.spread(overall).map_or(MISSING.to_owned(), |s| format!("{:.2}", s.max));
            }
            if row.spread(best_on_test).is_none() {
                return MISSING.to_owned();
            }
            let optimism = row.mean(best_on_test) - row.mean(macro_percent);
            // Adding 0 turns -0 into 0.
            let optimism = (100.0 * optimism).round() / 100.0 + 0.0;
            format!("{} ({optimism:+.2})", digits(row, best_on_test, 2))
        },
        csv: &[
            ("best_on_test_percent", |row| mean(row, best_on_test)),
            ("best_seed_percent", |row| {
                row.spread(overall).map_or(String::new(), |s| s.max.to_string())
            }),
        ],
    },
    Column {
        header: |_| None,
        meaning: "negative log-likelihood of the test samples",
        cell: |row| digits(row, nll, 3),
        csv: &[("nll", |row| mean(row, nll))],
    },
    Column {
        header: |_| Some("ECE".to_owned()),
        meaning: "expected calibration error in percent: how far confidence is from accuracy; `calibrated` mends it",
        cell: |row| digits(row, ece, 1),
        csv: &[("ece_percent", |row| mean(row, ece))],
    },
    Column {
        header: |_| Some("LoMa CV".to_owned()),
        meaning: "coefficient of variation of the Logits Magnitude over classes: how unevenly the head treats them",
        cell: |row| digits(row, loma_cv, 3),
        csv: &[("loma_cv", |row| mean(row, loma_cv))],
    },
];

/// Placeholder for a missing number.
const MISSING: &str = "–";

/// The mean over seeds, with this many decimals.
fn digits(row: &Summary<'_>, value: Value, digits: usize) -> String {
    row.spread(value).map_or(MISSING.to_owned(), |s| format!("{:.digits$}", s.mean))
}

/// A number of a row's difference to the best; empty where there is none.
fn difference(row: &Summary<'_>, value: fn(Difference) -> f64) -> String {
    row.difference.map_or(String::new(), |difference| value(difference).to_string())
}

/// What a row's standing says; empty where there is none.
fn standing(row: &Summary<'_>, value: fn(Standing) -> String) -> String {
    row.standing.map_or(String::new(), value)
}

/// Mean ± standard deviation, starred if the score is optimistic.
fn score(row: &Summary<'_>, value: Value) -> String {
    let star = if row.optimistic() { "*" } else { "" };
    match row.spread(value) {
        Some(Spread { mean, sd: Some(sd), .. }) => format!("{mean:.2} ± {sd:.2}{star}"),
        Some(Spread { mean, .. }) => format!("{mean:.2}{star}"),
        None => MISSING.to_owned(),
    }
}

/// A cell that is meaningful only if epochs are trained.
fn trained(row: &Summary<'_>, cell: &dyn Fn() -> String) -> String {
    if row.epochs() > 0 { cell() } else { MISSING.to_owned() }
}

fn mean(row: &Summary<'_>, value: Value) -> String {
    row.spread(value).map_or(String::new(), |s| s.mean.to_string())
}

fn deviation(row: &Summary<'_>, value: Value) -> String {
    row.spread(value).and_then(|s| s.sd).map_or(String::new(), |sd| sd.to_string())
}

type Value = fn(&RunRecord) -> Option<f64>;

fn overall(record: &RunRecord) -> Option<f64> {
    Some(record.evaluation.accuracy.overall_percent)
}

pub(super) fn macro_percent(record: &RunRecord) -> Option<f64> {
    Some(record.evaluation.accuracy.macro_percent)
}

fn many(record: &RunRecord) -> Option<f64> {
    record.evaluation.accuracy.many_percent
}

fn medium(record: &RunRecord) -> Option<f64> {
    record.evaluation.accuracy.medium_percent
}

fn few(record: &RunRecord) -> Option<f64> {
    record.evaluation.accuracy.few_percent
}

/// Number of epochs trained at the selected point.
pub(super) fn epoch(record: &RunRecord) -> Option<f64> {
    let epochs = record.heads.iter().map(|head| head.epoch as f64);
    Some(epochs.sum::<f64>() / record.heads.len() as f64)
}

/// Macro accuracy of the same hyper-parameters after the last epoch.
pub(super) fn last_epoch(record: &RunRecord) -> Option<f64> {
    record.epochs.last().map(|accuracy| accuracy.macro_percent)
}

/// Macro accuracy that choosing on the test set would have claimed.
fn best_on_test(record: &RunRecord) -> Option<f64> {
    Some(record.best_on_test.as_ref()?.accuracy.macro_percent)
}

/// Macro accuracy on the validation set, of the heads that score.
fn validation(record: &RunRecord) -> Option<f64> {
    let heads = record.heads.iter().map(|head| head.validation_percent);
    let all: Option<Vec<f64>> = heads.collect();
    all.map(|all| all.iter().sum::<f64>() / all.len() as f64)
}

fn nll(record: &RunRecord) -> Option<f64> {
    Some(record.evaluation.calibration.nll)
}

fn ece(record: &RunRecord) -> Option<f64> {
    Some(record.evaluation.calibration.ece_percent)
}

fn loma_cv(record: &RunRecord) -> Option<f64> {
    record.evaluation.loma_cv
}

/// Gap at which a solver stopped, where it is larger than asked.
pub(super) fn missed_gap(record: &RunRecord) -> Option<f64> {
    let gaps = record.heads.iter().filter_map(HeadRecord::missed_gap);
    gaps.reduce(f64::max)
}
