//! Beyond the paper: where label over-smoothing goes, epoch by epoch, from the given head to its optimum.

use anyhow::Result;
use serde::Deserialize;
use serde_json::json;
use tailfit::compare::Selection;
use tailfit::figures::{Axis, Chart, Marks, Point, Series};
use tailfit::methods;
use tailfit::report::Table;

use super::course::Course;
use super::figure_4::los;
use super::paper::Paper;

#[derive(Deserialize)]
struct Config {
    path: Path,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Path {
    features: String,
    deltas: Vec<f64>,
    lr: f64,
    epochs: usize,
    seeds: u64,
}

/// Weight decay of the paths and of the optima, of the weights alone.
const DECAY: f64 = 1e-4;

pub(super) fn run(paper: &Paper<'_>) -> Result<()> {
    let text = include_str!("../../../../configs/paper/figures.toml");
    let Config { path: config } = Paper::config("figures.toml", text)?;
    let data = paper.needed(&config.features)?;
    let bar = paper.progress("path", config.deltas.len() + 1);
    let mut optima = Vec::new();
    let mut optimum = |name: &str, changes: &[(&str, serde_json::Value)]| -> Result<f64> {
        let mut method = methods::find(name)?;
        for (path, value) in changes {
            method.recipe = method.recipe.with(path, value)?;
        }
        let record = paper.records(&data, Selection::Last, &method, 1)?.swap_remove(0);
        let percent = record.evaluation.accuracy.macro_percent;
        optima.push(record);
        Ok(percent)
    };
    let (mut rows, mut series) = (Vec::new(), Vec::new());
    for (colour, &delta) in config.deltas.iter().enumerate() {
        let mut method = los(delta, &[config.lr])?;
        let changes = [
            ("epochs", json!(config.epochs)),
            ("lr", json!(config.lr)),
            ("weight_decay", json!(DECAY)),
            ("decay_bias", json!(false)),
        ];
        for (path, value) in &changes {
            method.recipe = method.recipe.with(path, value)?;
        }
        let file = format!("los-{delta}.jsonl");
        let path = mean(&paper.courses(("path", &file), &data, config.seeds, &method)?);
        let top = (0..path.len()).max_by(|&a, &b| path[a].total_cmp(&path[b])).unwrap_or(0);
        let end = optimum(
            "los-converged",
            &[
                ("loss.delta", json!(delta)),
                ("weight_decay", json!(DECAY)),
                ("decay_bias", json!(false)),
            ],
        )?;
        let mut cells = vec![format!("smooth factor {delta}")];
        cells.extend(
            [0, 1, top, path.len().saturating_sub(1)]
                .map(|e| path.get(e).map_or("–".to_owned(), |v| format!("{v:.2}"))),
        );
        cells[3].push_str(&[" (epoch ", &top.to_string(), ")"].concat());
        cells.push(format!("{end:.2}"));
        rows.push(cells);
        let points = path.iter().enumerate().map(|(e, &v)| Point::new(e as f64, v)).collect();
        series.push(Series {
            name: format!("smooth factor {delta}"),
            marks: Marks::Line,
            colour,
            points,
        });
        let points = vec![Point {
            text: format!("smooth factor {delta}: the optimum, {end:.2} %"),
            ..Point::new(config.epochs as f64 + 2.0, end)
        }];
        series.push(Series { name: String::new(), marks: Marks::Dots, colour, points });
        bar.inc(1);
    }
    // The limit of a smooth factor of 1, whose weight decay counts once for each class.
    let limit = DECAY * data.counts.n_classes() as f64;
    let ridge =
        optimum("ridge", &[("weight_decay", json!(limit)), ("ridge_bias", json!("fitted"))])?;
    paper.keep("path", "optima.jsonl", &optima)?;
    bar.finish_and_clear();
    let dash = "–".to_owned();
    rows.push(vec![
        "ridge".to_owned(),
        dash.clone(),
        dash.clone(),
        dash.clone(),
        dash,
        format!("{ridge:.2}"),
    ]);
    let chart = Chart {
        title: "LOS from the given head towards its optimum (dots)".to_owned(),
        x: Axis::new("epoch"),
        y: Axis::new("class mean (%)"),
        series,
    };
    paper.figure("path", "path", &chart.svg())?;
    let columns = ["", "start", "epoch 1", "best epoch*", "last epoch", "optimum"];
    let table = Table {
        caption: format!(
            "LOS epoch by epoch: class mean in percent, learning rate {}, {} epochs, mean over {} seeds ({}).",
            config.lr, config.epochs, config.seeds, data.name
        ),
        columns: columns.map(str::to_owned).to_vec(),
        rows,
        notes: vec![format!(
            "Weight decay {DECAY} on the weights, on the path as at the optimum, which the solver finds. Ridge: the limit \
             of a smooth factor of 1, at {limit}. *: chosen on the test set: too good by construction."
        )],
    };
    paper.table("path", "path", &table)
}

/// The mean over seeds after each epoch.
fn mean(courses: &[Course]) -> Vec<f64> {
    let epochs = courses.iter().map(|course| course.macro_percent.len()).min().unwrap_or(0);
    let at = |epoch: usize| courses.iter().map(|course| course.macro_percent[epoch]).sum::<f64>();
    (0..epochs).map(|epoch| at(epoch) / courses.len() as f64).collect()
}
