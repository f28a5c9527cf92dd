//! The table of the live protocol beside cached features, from the logs and records in
//! `results/paper/live`.

use anyhow::{Context, Result};
use serde_json::Value;
use tailfit::report::Spread;

const FROM: &str = "results/paper/live";

/// Seeds of the heads trained on cached features.
const SEEDS: usize = 5;

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
        let live = read(&format!("{name}.json"))?;
        let epochs = live["epochs"].as_array().context("epochs")?;
        let curve = epochs.iter().map(|epoch| epoch["mirrored_accuracy"].clone()).collect();
        out += &row(label, "live, seed 0", &[curve]);
        if name == "rate-0" {
            continue;
        }
        let cached = |seed| -> Result<Curve> {
            let record = read(&format!("{name}-cached-{seed}.json"))?;
            Ok(record["epochs"].as_array().context("epochs")?.clone())
        };
        let curves: Vec<Curve> = (0..SEEDS).map(cached).collect::<Result<_>>()?;
        out += &row("", &format!("cached, {SEEDS} seeds"), &curves);
    }
    Ok(out)
}

fn read(name: &str) -> Result<Value> {
    Ok(serde_json::from_str(&fs_err::read_to_string(format!("{FROM}/{name}"))?)?)
}

fn row(label: &str, protocol: &str, curves: &[Curve]) -> String {
    let all = |accuracy: &Value| accuracy["overall_percent"].as_f64().unwrap_or(f64::NAN);
    let over = |of: &dyn Fn(&Curve) -> f64| spread(&curves.iter().map(of).collect::<Vec<_>>());
    let last = |key: &'static str| {
        over(&move |curve| curve.last().and_then(|last| last[key].as_f64()).unwrap_or(f64::NAN))
    };
    let cells = [
        label.to_owned(),
        protocol.to_owned(),
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
