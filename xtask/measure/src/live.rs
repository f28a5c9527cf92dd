//! The table of the live protocol beside cached features, from the logs and records in
//! `results/paper/live`.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tailfit::report::Spread;

const FROM: &str = "results/paper/live";

/// What is trained, by the names of its files.
const EACH: [(&str, &str); 4] = [
    ("rate-0", "nothing (learning rate 0)"),
    ("cross-entropy", "cross-entropy"),
    ("balanced-softmax", "balanced softmax"),
    ("los", "label over-smoothing"),
];

/// Accuracies after each epoch, beginning with the start.
type Curve = Vec<Value>;

pub(crate) fn table() -> Result<String> {
    let mut out = "| trained | protocol | start | last epoch | lowest | best epoch\\* | many | medium | few |\n\
                   |:--|:--|--:|--:|--:|--:|--:|--:|--:|\n"
        .to_owned();
    for (name, label) in EACH {
        out += &row(label, "live", &curves(&format!("{name}-live"), "mirrored_accuracy")?);
        if name != "rate-0" {
            out += &row("", "cached", &curves(&format!("{name}-cached"), "")?);
        }
    }
    Ok(out)
}

/// A curve for each seed that there is, from 0; the accuracies of an epoch stand under `key`, or are the
/// epoch itself.
fn curves(name: &str, key: &str) -> Result<Vec<Curve>> {
    let paths = (0..).map(|seed| format!("{FROM}/{name}-{seed}.json"));
    let there = paths.take_while(|path| Path::new(path).exists());
    let curve = |path: String| -> Result<Curve> {
        let run: Value = serde_json::from_str(&fs_err::read_to_string(path)?)?;
        let epochs = run["epochs"].as_array().context("epochs")?;
        Ok(epochs.iter().map(|epoch| epoch.get(key).unwrap_or(epoch).clone()).collect())
    };
    let curves: Vec<Curve> = there.map(curve).collect::<Result<_>>()?;
    ensure!(!curves.is_empty(), "{FROM}/{name}-0.json is not there");
    Ok(curves)
}

fn row(label: &str, protocol: &str, curves: &[Curve]) -> String {
    let all = |accuracy: &Value| accuracy["overall_percent"].as_f64().unwrap_or(f64::NAN);
    let over = |of: &dyn Fn(&Curve) -> f64| spread(&curves.iter().map(of).collect::<Vec<_>>());
    let last = |key: &'static str| {
        over(&move |curve| curve.last().and_then(|last| last[key].as_f64()).unwrap_or(f64::NAN))
    };
    let cells = [
        label.to_owned(),
        match curves.len() {
            1 => format!("{protocol}, seed 0"),
            seeds => format!("{protocol}, {seeds} seeds"),
        },
        over(&|curve| curve.first().map_or(f64::NAN, all)),
        last("overall_percent"),
        over(&|curve| curve.iter().map(all).fold(f64::INFINITY, f64::min)),
        over(&|curve| curve.iter().map(all).fold(f64::NEG_INFINITY, f64::max)),
        last("many_percent"),
        last("medium_percent"),
        last("few_percent"),
    ];
    format!("| {} |\n", cells.join(" | "))
}

/// Mean, and standard deviation where there are several.
fn spread(values: &[f64]) -> String {
    let Some(Spread { mean, sd, .. }) = Spread::of(values) else { return String::new() };
    sd.map_or(format!("{mean:.2}"), |sd| format!("{mean:.2} ± {sd:.2}"))
}
