//! From summaries to tables and CSV.

use std::fmt::Write as _;

use super::{Spread, Summary, Table};
use crate::data_set::DataRecord;
use crate::select::Selection;

const STAR_NOTE: &str = "* chosen on the test set itself: too good by construction.";

/// The comparison as one table.
pub fn summary_table(rows: &[Summary], data: &DataRecord) -> Table {
    let balanced = data.test_is_balanced;
    let [many, medium, few] = data.shot_sizes;
    let mut columns = vec!["method".to_owned(), "all".to_owned()];
    if !balanced {
        columns.push("class mean".to_owned());
    }
    columns.extend([
        format!("many ({many})"),
        format!("medium ({medium})"),
        format!("few ({few})"),
    ]);
    let honest = rows.iter().any(|row| row.rule != Selection::BestOnTest);
    columns.extend(["epoch", "last epoch"].map(str::to_owned));
    columns.push(if honest { "best on test*".to_owned() } else { "best seed*".to_owned() });
    columns.extend(["ECE", "LoMa CV"].map(str::to_owned));
    let cells = |row: &Summary| {
        let star = if row.optimistic { "*" } else { "" };
        let mut cells = vec![row.method.clone(), format!("{}{star}", with_sd(&row.overall))];
        if !balanced {
            cells.push(format!("{}{star}", with_sd(&row.macro_mean)));
        }
        cells.extend(row.shots.iter().map(|shot| optional(shot.as_ref(), 2)));
        let trained = row.epoch.1 > 0;
        cells.push(if trained {
            format!("{:.1}/{}", row.epoch.0.mean, row.epoch.1)
        } else {
            "–".to_owned()
        });
        cells.push(if trained { format!("{:.2}", row.last_epoch.mean) } else { "–".to_owned() });
        cells.push(if honest {
            // Adding 0 makes -0 a 0.
            let optimism = (100.0 * row.optimism()).round() / 100.0 + 0.0;
            format!("{:.2} ({optimism:+.2})", row.best_on_test.mean)
        } else {
            format!("{:.2}", row.overall.max)
        });
        cells.push(format!("{:.1}", row.ece.mean));
        cells.push(optional(row.loma_cv.as_ref(), 3));
        cells
    };
    Table {
        caption: caption(rows, data),
        columns,
        rows: rows.iter().map(cells).collect(),
        notes: notes(rows),
    }
}

fn caption(rows: &[Summary], data: &DataRecord) -> String {
    let rule = rows.first().map_or(Selection::Last, |row| row.rule);
    let rule = match rule {
        Selection::Last => "default hyper-parameters, last epoch",
        Selection::Validation => "epoch and hyper-parameters chosen on the validation set",
        Selection::CrossFitted => {
            "epoch and hyper-parameters cross-fitted (chosen on one half of the test set, scored on the other)"
        }
        Selection::BestOnTest => "epoch and hyper-parameters chosen on the test set*",
    };
    let n_seeds = rows.iter().map(|row| row.n_seeds).max().unwrap_or(0);
    let trials = rows.iter().map(|row| row.n_trials).max().unwrap_or(0);
    let views =
        if data.n_views > 0 { format!(", {} training views", data.n_views) } else { String::new() };
    let mirror = if data.mirror { ", mirror-averaged" } else { "" };
    let short = |hash: &str| hash.chars().take(12).collect::<String>();
    format!(
        "{}: top-1 accuracy in percent on {} test samples{mirror}{views}; {rule}; up to {trials} trials per method; \
         mean ± standard deviation over {n_seeds} seeds. Train sha256 {}, test sha256 {}.",
        data.name,
        data.n_test,
        short(&data.train_sha256),
        short(&data.test_sha256),
    )
}

fn notes(rows: &[Summary]) -> Vec<String> {
    let falls = |row: &&Summary| row.epoch.1 > 0 && row.macro_mean.mean - row.last_epoch.mean > 2.0;
    let mut notes = vec![STAR_NOTE.to_owned()];
    notes.extend(rows.iter().filter(falls).map(|row| {
        format!(
            "{}: {:.2} at the chosen epochs (mean {:.1}), {:.2} after epoch {}: training on makes it worse, so its \
             epoch has to be chosen on held-out data.",
            row.method, row.macro_mean.mean, row.epoch.0.mean, row.last_epoch.mean, row.epoch.1,
        )
    }));
    notes
}

/// Macro accuracy of each method's default recipe after some epochs: `paths` has the
/// method's name and its mean over seeds after epochs 0, 1, 2, …
pub fn paths_table(paths: &[(String, Vec<f64>)]) -> Table {
    let last = paths.iter().map(|(_, path)| path.len().saturating_sub(1)).max().unwrap_or(0);
    let shown: Vec<usize> = [0, 1, 2, 3, 5, 10, 15, 20, 50, 100]
        .into_iter()
        .filter(|&e| e < last)
        .chain([last])
        .collect();
    let cells = |(method, path): &(String, Vec<f64>)| {
        let at = |e: &usize| path.get(*e).map_or("–".to_owned(), |value| format!("{value:.2}"));
        std::iter::once(method.clone()).chain(shown.iter().map(at)).collect()
    };
    Table {
        caption: "Default recipes: class-mean accuracy in percent on the whole test set after each epoch (nothing \
                  chosen; epoch 0 is the start), mean over seeds."
            .to_owned(),
        columns: std::iter::once("method".to_owned())
            .chain(shown.iter().map(|e| format!("epoch {e}")))
            .collect(),
        rows: paths.iter().map(cells).collect(),
        notes: vec![],
    }
}

fn with_sd(spread: &Spread) -> String {
    match spread.sd {
        Some(sd) => format!("{:.2} ± {sd:.2}", spread.mean),
        None => format!("{:.2}", spread.mean),
    }
}

fn optional(spread: Option<&Spread>, digits: usize) -> String {
    spread.map_or("–".to_owned(), |s| format!("{:.digits$}", s.mean))
}

/// The rows as CSV, every number with its full digits; what is missing stays empty.
pub fn csv(rows: &[Summary]) -> String {
    let mut out = "method,selection,optimistic,seeds,trials,overall_percent,overall_sd,macro_percent,macro_sd,\
                   many_percent,medium_percent,few_percent,nll,ece_percent,loma_cv,epoch,epochs,\
                   last_epoch_percent,best_on_test_percent,best_seed_percent\n"
        .to_owned();
    for row in rows {
        let rule = serde_json::to_value(row.rule).unwrap_or_default();
        let sd = |spread: &Spread| spread.sd.map_or(String::new(), |sd| sd.to_string());
        let mean = |spread: &Option<Spread>| spread.map_or(String::new(), |s| s.mean.to_string());
        let [many, medium, few] = row.shots.each_ref().map(mean);
        let _ = writeln!(
            out,
            "{},{},{},{},{},{},{},{},{},{many},{medium},{few},{},{},{},{},{},{},{},{}",
            row.method,
            rule.as_str().unwrap_or_default(),
            row.optimistic,
            row.n_seeds,
            row.n_trials,
            row.overall.mean,
            sd(&row.overall),
            row.macro_mean.mean,
            sd(&row.macro_mean),
            row.nll.mean,
            row.ece.mean,
            mean(&row.loma_cv),
            row.epoch.0.mean,
            row.epoch.1,
            row.last_epoch.mean,
            row.best_on_test.mean,
            row.overall.max,
        );
    }
    out
}
