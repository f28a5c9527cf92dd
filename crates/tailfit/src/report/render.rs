//! A table in the terminal, in Markdown, LaTeX and CSV.

use std::fmt::Write as _;

use super::{Spread, Summary};
use crate::data_set::DataRecord;
use crate::select::Selection;

/// A table of text; the first column is left-aligned, the others right.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// What it shows: data, protocol.
    pub caption: String,
    /// Column heads.
    pub columns: Vec<String>,
    /// Rows, each with as many cells as there are columns.
    pub rows: Vec<Vec<String>>,
    /// Notes below.
    pub notes: Vec<String>,
}

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
            format!("{:.2} ({:+.2})", row.best_on_test.mean, row.optimism())
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

impl Table {
    /// For the terminal, columns padded.
    pub fn text(&self) -> String {
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|c| self.lines().map(|row| row[c].chars().count()).max().unwrap_or(0))
            .collect();
        let mut out = String::new();
        for row in self.lines() {
            let mut line = String::new();
            for (c, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                let pad = " ".repeat(width - cell.chars().count());
                let (left, right) = if c == 0 { ("", pad.as_str()) } else { (pad.as_str(), "") };
                let gap = if c == 0 { "" } else { "  " };
                let _ = write!(line, "{gap}{left}{cell}{right}");
            }
            let _ = writeln!(out, "{}", line.trim_end());
        }
        for note in &self.notes {
            let _ = writeln!(out, "{note}");
        }
        out
    }

    /// GitHub-flavoured Markdown.
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        if !self.caption.is_empty() {
            let _ = writeln!(out, "{}\n", escape(&self.caption));
        }
        for (index, row) in self.lines().enumerate() {
            let cells: Vec<String> = row.iter().map(|cell| escape(cell)).collect();
            let _ = writeln!(out, "| {} |", cells.join(" | "));
            if index == 0 {
                let rule = "---:|".repeat(row.len() - 1);
                let _ = writeln!(out, "|:---|{rule}");
            }
        }
        for note in &self.notes {
            let _ = writeln!(out, "\n{}", escape(note));
        }
        out
    }

    /// A LaTeX table for the booktabs package.
    pub fn latex(&self) -> String {
        let cell = |text: &str| {
            text.replace('\\', "\\textbackslash{}")
                .replace('%', "\\%")
                .replace('_', "\\_")
                .replace('&', "\\&")
                .replace('±', "$\\pm$")
                .replace('–', "--")
        };
        let row = |cells: &[String]| {
            cells.iter().map(|text| cell(text)).collect::<Vec<_>>().join(" & ") + " \\\\\n"
        };
        let mut out = format!(
            "\\begin{{table}}\n\\centering\n\\caption{{{}}}\n\\begin{{tabular}}{{l{}}}\n\\toprule\n",
            cell(&self.caption),
            "r".repeat(self.columns.len() - 1),
        );
        out += &row(&self.columns);
        out += "\\midrule\n";
        for cells in &self.rows {
            out += &row(cells);
        }
        out += "\\bottomrule\n\\end{tabular}\n";
        for note in &self.notes {
            let _ = writeln!(out, "\\par\\footnotesize {}", cell(note));
        }
        out + "\\end{table}\n"
    }

    fn lines(&self) -> impl Iterator<Item = &Vec<String>> {
        std::iter::once(&self.columns).chain(&self.rows)
    }
}

/// Stars are text, not emphasis.
fn escape(text: &str) -> String {
    text.replace('*', "\\*").replace('|', "\\|")
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

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table {
            caption: "50 % done*".to_owned(),
            columns: ["method", "all"].map(str::to_owned).to_vec(),
            rows: vec![vec!["los".to_owned(), "45.1 ± 0.2*".to_owned()]],
            notes: vec![STAR_NOTE.to_owned()],
        }
    }

    #[test]
    fn one_table_in_three_forms() {
        expect_test::expect![[r"
            method          all
            los     45.1 ± 0.2*
            * chosen on the test set itself: too good by construction.
        "]]
        .assert_eq(&table().text());
        expect_test::expect![[r"
            50 % done\*

            | method | all |
            |:---|---:|
            | los | 45.1 ± 0.2\* |

            \* chosen on the test set itself: too good by construction.
        "]]
        .assert_eq(&table().markdown());
        expect_test::expect![[r"
            \begin{table}
            \centering
            \caption{50 \% done*}
            \begin{tabular}{lr}
            \toprule
            method & all \\
            \midrule
            los & 45.1 $\pm$ 0.2* \\
            \bottomrule
            \end{tabular}
            \par\footnotesize * chosen on the test set itself: too good by construction.
            \end{table}
        "]]
        .assert_eq(&table().latex());
    }
}
