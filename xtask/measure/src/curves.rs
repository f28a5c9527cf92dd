//! `cargo xtask curves`: accuracy over the epochs of every run in `results/stage-1`, whole or begun.

use anyhow::{Context, Result};
use serde_json::Value;
use tailfit::figures::{Axis, COLOURS, Chart, Marks, Point, Series};
use tailfit::files::write_atomically;

const RUNS: &str = "results/stage-1";
const BEGUN: &str = "results/stage-1/begun";
const FIGURE: &str = "results/stage-1/curves.svg";
const PAGE: &str = "results/stage-1/README.md";

pub(crate) fn run() -> Result<()> {
    let mut series = Vec::new();
    let mut rows = Vec::new();
    for (folder, marks) in [(RUNS, Marks::LineAndDots), (BEGUN, Marks::Dashed)] {
        for (name, run) in runs(folder)? {
            let colour = series.len() % COLOURS;
            let curve = curve(&run);
            if marks == Marks::Dashed {
                rows.push(row(&name, &run, &curve)?);
            }
            let points = curve.into_iter().map(|(epoch, percent)| Point::new(epoch, percent));
            let points = points.collect();
            series.push(Series { name, marks, colour, points });
        }
    }
    let chart = Chart {
        title: "Accuracy of stage-1 runs, mirror-averaged, in percent".to_owned(),
        x: Axis { label: "epoch".to_owned(), ..Axis::default() },
        y: Axis { label: "accuracy, %".to_owned(), ..Axis::default() },
        series,
    };
    write_atomically(FIGURE.as_ref(), chart.svg().as_bytes())?;
    let head = "| run | epochs | mirrored | at epoch |\n|:--|--:|--:|--:|\n";
    crate::docs::put(PAGE, "begun", &format!("\n{head}{}", rows.concat()))
}

/// The runs of a folder by name.
fn runs(folder: &str) -> Result<Vec<(String, Value)>> {
    let mut all = Vec::new();
    let Ok(entries) = fs_err::read_dir(folder) else { return Ok(all) };
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            all.push((name, serde_json::from_str(&fs_err::read_to_string(&path)?)?));
        }
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(all)
}

/// Epochs done and accuracy, where it was scored.
fn curve(run: &Value) -> Vec<(f64, f64)> {
    let epochs = run["log"].as_array().into_iter().flatten();
    let point = |epoch: &Value| {
        let percent = epoch["mirrored_accuracy"]["overall_percent"].as_f64()?;
        Some((epoch["epoch"].as_f64()? + 1.0, percent))
    };
    epochs.filter_map(point).collect()
}

fn row(name: &str, run: &Value, curve: &[(f64, f64)]) -> Result<String> {
    let (of, done) = (&run["recipe"]["epochs"], &run["epoch"]);
    let (epoch, percent) = curve.last().with_context(|| format!("{name} was never scored"))?;
    let (recipe, ratio) = name.rsplit_once("-ir").unwrap_or((name, "100"));
    let run = format!("[{recipe}](begun/{name}.json), imbalance ratio {ratio}");
    Ok(format!("| {run} | {done} of {of} | {percent:.2} | {epoch} |\n"))
}
