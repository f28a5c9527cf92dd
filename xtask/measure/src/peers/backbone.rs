//! `cargo xtask peers backbone`: images per second of stage 1, PyTorch and tailfit in turns.

use std::fmt::Write as _;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::{environment, python_of, run_command};
use crate::docs;

const ROUNDS: usize = 5;

pub(crate) fn run() -> Result<()> {
    let python = environment()?;
    let example = ["--package", "tailfit-backbone", "--example", "throughput"];
    run_command(Command::new("cargo").args(["build", "--release"]).args(example))?;
    let mut text = format!(
        "\n{} threads. Images per second, data loading included, in {ROUNDS} rounds of alternating runs: medians, and \
         the ratio of tailfit to PyTorch within each round as median (lowest to highest).\n\n\
         | network | work | precision | PyTorch | tailfit | ratio |\n|:--|:--|:--|--:|--:|--:|\n",
        std::thread::available_parallelism().map_or(0, usize::from)
    );
    for (network, batches) in [("resnet32", "20"), ("resnet34-cifar", "6")] {
        for work in ["train", "extract"] {
            for precision in ["f32", "bf16"] {
                let words = [network, precision, work, batches];
                let (mut theirs, mut ours, mut ratios) = (vec![], vec![], vec![]);
                for _ in 0..ROUNDS {
                    let peer = rate(python_of(&python).arg("xtask/peers/backbone.py").args(words))?;
                    let own = rate(Command::new("target/release/examples/throughput").args(words))?;
                    theirs.push(peer);
                    ours.push(own);
                    ratios.push(own / peer);
                }
                for values in [&mut theirs, &mut ours, &mut ratios] {
                    values.sort_by(f64::total_cmp);
                }
                let row = format!(
                    "| {network} | {work} | {precision} | {:.1} | {:.1} | {:.2} ({:.2} to {:.2}) |",
                    theirs[ROUNDS / 2],
                    ours[ROUNDS / 2],
                    ratios[ROUNDS / 2],
                    ratios[0],
                    ratios[ROUNDS - 1],
                );
                eprintln!("{row}");
                writeln!(text, "{row}")?;
            }
        }
    }
    docs::put("docs/performance.md", "backbone", &text)
}

/// The number a program prints.
pub(super) fn rate(command: &mut Command) -> Result<f64> {
    let output = command.output().with_context(|| format!("cannot start {command:?}"))?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} failed: {error}");
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}
