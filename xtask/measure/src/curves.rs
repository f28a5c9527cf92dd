//! `cargo xtask curves`: accuracy over the epochs of every run in `results/stage-1`.

use anyhow::Result;
use serde_json::Value;
use tailfit::figures::{Axis, COLOURS, Chart, Marks, Point, Series};
use tailfit::files::write_atomically;

const RUNS: &str = "results/stage-1";
const FIGURE: &str = "results/stage-1/curves.svg";

pub(crate) fn run() -> Result<()> {
    let series = |(number, (name, run)): (usize, (String, Value))| {
        // Colours come a second time, on dashed lines.
        let marks = if number < COLOURS { Marks::LineAndDots } else { Marks::Dashed };
        Series { name, marks, colour: number % COLOURS, points: curve(&run) }
    };
    let chart = Chart {
        title: "Accuracy of stage-1 runs, mirror-averaged, in percent".to_owned(),
        x: Axis::new("share of the run's epochs, %"),
        y: Axis::new("accuracy, %"),
        series: runs()?.into_iter().enumerate().map(series).collect(),
    };
    Ok(write_atomically(FIGURE.as_ref(), chart.svg().as_bytes())?)
}

/// The runs by name.
fn runs() -> Result<Vec<(String, Value)>> {
    let mut all = Vec::new();
    for entry in fs_err::read_dir(RUNS)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            all.push((name, serde_json::from_str(&fs_err::read_to_string(&path)?)?));
        }
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(all)
}

/// Accuracy over the share of epochs done, where it was scored.
fn curve(run: &Value) -> Vec<Point> {
    let epochs = run["log"].as_array().map_or(&[][..], Vec::as_slice);
    let point = |epoch: &Value| {
        let percent = epoch["mirrored_accuracy"]["overall_percent"].as_f64()?;
        let done = epoch["epoch"].as_f64()? + 1.0;
        Some(Point::new(100.0 * done / epochs.len() as f64, percent))
    };
    epochs.iter().filter_map(point).collect()
}
