//! `cargo xtask peers systems`: images per second of each stage-1 system, beside cross-entropy.

use std::fmt::Write as _;
use std::process::Command;

use anyhow::Result;

use super::backbone::rate;
use super::run_command;
use crate::docs;

const ROUNDS: usize = 5;
const IMAGES: usize = 2560;

/// Recipes with their batch sizes, and the cost of training by the number of passes they take.
const RECIPES: [(&str, usize, &str); 6] = [
    ("cross-entropy", 128, "1"),
    ("tde", 256, "1.07"),
    ("area", 64, "1 (1.13 with its looks at the training set from epoch 160 on)"),
    ("rbl", 256, "1"),
    ("bbn", 128, "2"),
    ("balms", 512, "1"),
];

pub(crate) fn run() -> Result<()> {
    let example = ["--package", "tailfit-backbone", "--example", "throughput"];
    run_command(Command::new("cargo").args(["build", "--release"]).args(example))?;
    let mut rates = vec![Vec::new(); RECIPES.len()];
    for _ in 0..ROUNDS {
        for ((recipe, batch, _), rates) in RECIPES.iter().zip(&mut rates) {
            let recipe = format!("configs/stage-1/{recipe}.toml");
            let words = [recipe.as_str(), "bf16", "train", &(IMAGES / batch).to_string()];
            rates.push(rate(Command::new("target/release/examples/throughput").args(words))?);
        }
    }
    let mut text = format!(
        "\n{} threads, bf16. Images per second of training, data loading included, in {ROUNDS} rounds of all in turns: medians, \
         and how many times as long as cross-entropy an image takes within each round, as median (lowest to highest). \
         Expected: from the passes that a system takes.\n\n\
         | recipe | images per second | times as long | expected |\n|:--|--:|--:|:--|\n",
        std::thread::available_parallelism().map_or(0, usize::from)
    );
    for ((recipe, _, expected), own) in RECIPES.iter().zip(&rates) {
        let sorted = |mut values: Vec<f64>| {
            values.sort_by(f64::total_cmp);
            values
        };
        let ratios = sorted(rates[0].iter().zip(own).map(|(plain, own)| plain / own).collect());
        let row = format!(
            "| {recipe} | {:.0} | {:.2} ({:.2} to {:.2}) | {expected} |",
            sorted(own.clone())[ROUNDS / 2],
            ratios[ROUNDS / 2],
            ratios[0],
            ratios[ROUNDS - 1],
        );
        writeln!(text, "{row}")?;
    }
    docs::put("docs/performance.md", "systems", &text)
}
