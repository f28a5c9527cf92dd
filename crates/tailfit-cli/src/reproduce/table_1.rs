//! Table 1: its eleven rows, LOS, and the controls that it lacks, by the paper's protocol and without its optimism.

use anyhow::Result;
use serde::Deserialize;
use serde_json::{Map, Value};
use tailfit::compare::{RunRecord, Selection};
use tailfit::features::DataSet;
use tailfit::methods::{self, Method};
use tailfit::report::{Spread, Table, edges_note, summarise};

use super::paper::{Paper, claim, origin, percent};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    /// Backbones, the first of which comes with the program.
    features: Vec<String>,
    /// Learning rates of every row that searches them.
    lr: Vec<f64>,
    row: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    pub(super) label: String,
    method: String,
    #[serde(default)]
    set: Map<String, Value>,
    /// All, many, medium and few; fewer where the paper gives fewer.
    #[serde(default)]
    pub(super) paper: Vec<f64>,
    note: Option<String>,
}

impl Row {
    fn method(&self, lr: &[f64]) -> Result<Method> {
        let mut method = with_rates(methods::find(&self.method)?, lr);
        for (key, value) in &self.set {
            method.recipe = method.recipe.with(key, value)?;
        }
        Ok(method)
    }
}

/// The configuration and its features, as far as they are there.
pub(super) fn config(paper: &Paper<'_>) -> Result<(Config, Vec<(String, DataSet)>)> {
    let text = include_str!("../../../../configs/paper/table1.toml");
    let config: Config = Paper::config("table1.toml", text)?;
    let mut there = Vec::new();
    for name in &config.features {
        there.extend(paper.data(name)?.map(|data| (name.clone(), data)));
    }
    Ok((config, there))
}

impl Config {
    /// The paper's rows and their methods.
    pub(super) fn of_the_paper(&self) -> Result<Vec<(&Row, Method)>> {
        let rows = self.row.iter().filter(|row| !row.paper.is_empty());
        rows.map(|row| Ok((row, row.method(&self.lr)?))).collect()
    }
}

pub(super) fn run(paper: &Paper<'_>) -> Result<()> {
    let (config, there) = config(paper)?;
    there.iter().try_for_each(|(name, data)| on(paper, &config, name, data))
}

fn on(paper: &Paper<'_>, config: &Config, name: &str, data: &DataSet) -> Result<()> {
    let bar = paper.progress("table1", config.row.len());
    let (mut honest, mut named) = (Vec::new(), Vec::new());
    for row in &config.row {
        let method = row.method(&config.lr)?;
        let records = paper.records(data, Selection::CrossFitted, &method, paper.seeds)?;
        named.push(Method { name: row.label.clone(), ..method });
        honest.extend(records.into_iter().map(|r| RunRecord { method: row.label.clone(), ..r }));
        bar.inc(1);
    }
    bar.finish_and_clear();
    paper.keep("table1", &format!("{name}.jsonl"), &honest)?;
    paper.table("table1", name, &table(&config.row, &named, &honest)?)
}

fn table(rows: &[Row], methods: &[Method], honest: &[RunRecord]) -> Result<Table> {
    let summaries = summarise(honest)?;
    let line = |at: usize| {
        let (row, summary) = (&rows[at], &summaries[at]);
        let claim = claim(honest.iter().filter(|record| record.method == row.label));
        let claim = |of: fn(&tailfit::metrics::Accuracy) -> Option<f64>| claim.and_then(of);
        let all = summary.spread(|r| Some(r.evaluation.accuracy.macro_percent));
        let claimed = claim(|a| Some(a.macro_percent));
        let optimism = claimed.zip(all).map(|(claimed, honest)| claimed - honest.mean);
        let mut cells = vec![row.label.clone()];
        cells.extend((0..4).map(|i| percent(row.paper.get(i).copied())));
        cells.push(percent(claimed));
        cells.push(percent(claim(|a| a.many_percent)));
        cells.push(percent(claim(|a| a.medium_percent)));
        cells.push(percent(claim(|a| a.few_percent)));
        cells.push(all.map_or("–".to_owned(), spread));
        cells.push(percent(mean(summary.spread(|r| r.evaluation.accuracy.many_percent))));
        cells.push(percent(mean(summary.spread(|r| r.evaluation.accuracy.medium_percent))));
        cells.push(percent(mean(summary.spread(|r| r.evaluation.accuracy.few_percent))));
        cells.push(optimism.map_or("–".to_owned(), |points| format!("{points:+.2}")));
        cells.push(summary.difference.map_or("best".to_owned(), |d| {
            format!("{:+.2} [{:+.2}, {:+.2}]", d.points, d.low, d.high)
        }));
        cells
    };
    let columns = [
        "row",
        "paper: all",
        "many",
        "medium",
        "few",
        "best of seeds*",
        "many*",
        "medium*",
        "few*",
        "cross-fitted",
        "many",
        "medium",
        "few",
        "optimism",
        "to the best",
    ];
    let n_seeds = summaries.first().map_or(0, tailfit::report::Summary::n_seeds);
    let first = honest.first();
    let mut notes = vec![
        format!(
            "*: the paper's protocol: epoch and hyper-parameters chosen on the test set, best of {n_seeds} seeds: too \
             good by construction. Cross-fitted: chosen on one half of the test set, scored on the other; mean ± standard \
             deviation over {n_seeds} seeds. Optimism: the first minus the second. Both search the same grid, on features as they are; the rows at an optimum also try standardised \
             ones."
        ),
        "To the best: cross-fitted class mean minus that of the best row, with a 95 % interval over bootstrap resamples of \
         test samples and seeds, paired."
            .to_owned(),
    ];
    notes.extend(edges_note(methods, honest));
    notes.extend(
        rows.iter().filter_map(|row| Some(format!("{}: {}.", row.label, row.note.as_ref()?))),
    );
    Ok(Table {
        caption: format!(
            "Table 1: accuracy in percent, the paper's on a ResNet-34 and ours on {}.",
            first.map_or(String::new(), origin)
        ),
        columns: columns.map(str::to_owned).to_vec(),
        rows: (0..rows.len()).map(line).collect(),
        notes,
    })
}

fn mean(spread: Option<Spread>) -> Option<f64> {
    spread.map(|spread| spread.mean)
}

/// The method with these learning rates in place of its own, if it searches them.
pub(super) fn with_rates(mut method: Method, lr: &[f64]) -> Method {
    for axis in method.search.iter_mut().filter(|axis| axis.path == "lr") {
        axis.values = lr.iter().map(|&lr| lr.into()).collect();
    }
    method
}

/// Mean ± standard deviation.
pub(super) fn spread(spread: Spread) -> String {
    match spread.sd {
        Some(sd) => format!("{:.2} ± {sd:.2}", spread.mean),
        None => format!("{:.2}", spread.mean),
    }
}
