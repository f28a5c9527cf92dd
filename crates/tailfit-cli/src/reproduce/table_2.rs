//! Table 2, the part on CIFAR-100-LT: whole systems, and LOS on the features of each.

use anyhow::Result;
use serde::Deserialize;
use tailfit::compare::{RunRecord, Selection};
use tailfit::methods;
use tailfit::report::{Spread, Table};

use super::missing::has_weights;
use super::paper::{HEAD, Paper};
use super::table_1::{spread, with_rates};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Imbalance ratios, in the order of the paper's figures.
    ratios: Vec<u32>,
    /// Learning rates of every second stage that searches them.
    lr: Vec<f64>,
    row: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    label: String,
    /// The first stage: a recipe, whose features have its name, followed by the imbalance ratio if that
    /// is not 100.
    recipe: String,
    /// The second stage; the head as it is if not given.
    #[serde(default = "given")]
    method: String,
    network: String,
    paper: Vec<String>,
    authors: String,
    others: String,
}

fn given() -> String {
    "stage-1".to_owned()
}

impl Row {
    /// The recipe of the first stage, and the method of the second if there is one.
    fn stages(&self) -> String {
        if self.method == given() {
            return self.recipe.clone();
        }
        format!("{}, then {}", self.recipe, self.method)
    }
}

const NOT_RUN: &str = "not run";

pub(super) fn run(paper: &Paper<'_>) -> Result<()> {
    let text = include_str!("../../../../configs/paper/table2.toml");
    let config: Config = Paper::config("table2.toml", text)?;
    let bar = paper.progress("table2", config.row.len() * config.ratios.len());
    let (mut rows, mut kept) = (Vec::new(), Vec::<RunRecord>::new());
    for (place, row) in config.row.iter().enumerate() {
        // LOS on top once for each first stage.
        let first = !config.row[..place].iter().any(|earlier| earlier.recipe == row.recipe);
        let (mut ours, mut with_los) = (Vec::new(), Vec::new());
        for &ratio in &config.ratios {
            let of = |method: &str| measured(paper, row, ratio, (method, &config.lr));
            let given = of(&row.method)?;
            ours.push(mean(&given));
            kept.extend(given);
            if first && row.method != "los" {
                let los = of("los")?;
                with_los.push(mean(&los));
                kept.extend(los);
            }
            bar.inc(1);
        }
        let cells = [row.label.clone(), row.stages(), row.network.clone(), row.paper.join(" / ")];
        let rest = [row.authors.clone(), row.others.clone(), joined(&ours), joined(&with_los)];
        rows.push(cells.into_iter().chain(rest).collect());
    }
    bar.finish_and_clear();
    let ratios: Vec<String> = config.ratios.iter().map(u32::to_string).collect();
    let ratios = ratios.join(" / ");
    let columns = [
        "system",
        "stages",
        "network",
        "paper",
        "its authors",
        "others",
        "ours",
        "LOS on our features",
    ];
    let table = Table {
        caption: format!(
            "Table 2, CIFAR-100-LT: accuracy in percent; paper and ours at imbalance ratios {ratios}, its authors and others at 100."
        ),
        columns: columns.map(str::to_owned).to_vec(),
        rows,
        notes: vec![format!(
            "Stages: recipes in configs/stage-1, methods of `tailfit list methods`. Ours: one first stage with seed 0, its last \
             epoch, on the first images of each class; logits averaged over each image and its mirror; LOS starts from the head \
             as trained, TDE's without its projection and RBL's without its prior; second stages cross-fitted, mean ± standard \
             deviation over {} seeds. \"{NOT_RUN}\": no features of that first stage; its recipe stands in configs/stage-1.",
            paper.seeds
        )],
    };
    paper.keep("table2", "records.jsonl", &kept)?;
    paper.table("table2", "table2", &table)
}

/// The records of a second stage on a row's features; none if there are no features.
fn measured(
    paper: &Paper<'_>,
    row: &Row,
    ratio: u32,
    (method, lr): (&str, &[f64]),
) -> Result<Vec<RunRecord>> {
    let name = if ratio == 100 { row.recipe.clone() } else { format!("{}-ir{ratio}", row.recipe) };
    let first_stage = method == "stage-1";
    let data =
        if first_stage { paper.predicting(&name)? } else { paper.data_if_there(&name, HEAD)? };
    let Some(data) = data else {
        if has_weights(&name) {
            paper.remember_missing(&name);
        }
        return Ok(Vec::new());
    };
    let method = with_rates(methods::find(method)?, lr);
    paper.records(&data, Selection::CrossFitted, &method, paper.seeds)
}

/// What was measured at each ratio, in one cell.
fn joined(cells: &[String]) -> String {
    match cells {
        [] => "–".to_owned(),
        _ if cells.iter().all(|cell| cell == NOT_RUN) => NOT_RUN.to_owned(),
        _ => cells.join(" / "),
    }
}

fn mean(records: &[RunRecord]) -> String {
    let all: Vec<f64> = records.iter().map(|r| r.evaluation.accuracy.macro_percent).collect();
    Spread::of(&all).map_or(NOT_RUN.to_owned(), spread)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A system is its first stage, and its second where it has one of its own.
    #[test]
    fn systems_are_made_in_stages() {
        let text = include_str!("../../../../configs/paper/table2.toml");
        let config: Config = toml::from_str(text).unwrap();
        let stages =
            |label: &str| config.row.iter().find(|row| row.label == label).unwrap().stages();
        assert_eq!(stages("Focal"), "focal");
        assert_eq!(stages("BALMS"), "balms, then balanced-meta-softmax");
    }
}
