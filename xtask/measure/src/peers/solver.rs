//! `cargo xtask peers solver`: scikit-learn and tailfit to the same objective, in turns.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tailfit::features::DataSet;
use tailfit::head::Start;
use tailfit::losses::Objective;
use tailfit::recipe::{Recipe, Sgd, Solver};
use tailfit::train::{Options, Trial, train};

use super::gaps;
use super::ours::Ours;
use super::{FOLDER, environment_of, make_data, python_of};
use crate::docs;

const ROUNDS: usize = 3;
/// Before each run: threads of the one before spin for a while, and take the cores from it.
const REST: Duration = Duration::from_millis(500);
pub(super) const SHAPES: [(&str, usize); 3] = [("a", 512), ("embedded", 64), ("wide", 1280)];
pub(super) const DECAYS: [f64; 2] = [1e-2, 1e-3];

/// Gaps to ask for: until the objective is not above scikit-learn's, or one after the other.
pub(super) const GAPS: [f64; 7] = [1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4];

/// One fit: seconds, peak of memory in MB, objective, passes or iterations, and the certified gap.
pub(super) struct Fit {
    seconds: f64,
    megabytes: f64,
    pub(super) objective: f64,
    pub(super) passes: usize,
    pub(super) gap: f64,
}

pub(crate) fn run() -> Result<()> {
    let python = environment_of("solver-venv", "requirements-solver.txt")?;
    let mut text = format!(
        "\n{} threads, {}; {}. Cross-entropy with the bias free, from nothing to an objective not above scikit-learn's at its \
         default tolerance; everything but loading is timed, {ROUNDS} rounds of alternating runs, each after half a second of rest, medians.\n\n\
         | features | weight decay | scikit-learn s | MB | iterations | objective | tailfit s | MB | passes | objective | certified gap | ratio |\n\
         |:--|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
        std::thread::available_parallelism().map_or(0, usize::from),
        tailfit::instruction_set(),
        kernels(&python)?,
    );
    for (name, dim) in SHAPES {
        make_data(&python, name)?;
        // Without the test features, which the peer does not hold either.
        let data = Ours::load(&format!("{FOLDER}/data"), name, dim)?.data;
        for decay in DECAYS {
            let row = compare(&python, &data, (name, dim), decay)?;
            eprintln!("{row}");
            writeln!(text, "{row}")?;
        }
    }
    docs::put("docs/performance.md", "solver", &text)?;
    gaps::run()
}

/// The peer's version, and what its linear algebra runs.
fn kernels(python: &str) -> Result<String> {
    let output = python_of(python).args(["xtask/peers/solver.py", "--version"]).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn compare(python: &str, data: &DataSet, (name, dim): (&str, usize), decay: f64) -> Result<String> {
    let words = [&format!("{FOLDER}/data"), name, &dim.to_string(), &decay.to_string()];
    let mut child = python_of(python)
        .arg("xtask/peers/solver.py")
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut input = child.stdin.take().context("no input")?;
    let mut output = BufReader::new(child.stdout.take().context("no output")?);
    let mut theirs = || -> Result<Fit> {
        std::thread::sleep(REST);
        writeln!(input)?;
        let mut line = String::new();
        output.read_line(&mut line)?;
        let found: Value = serde_json::from_str(&line)?;
        let number = |key: &str| found[key].as_f64().context("a number is missing");
        let passes = number("iterations")? as usize;
        let (seconds, megabytes) = (number("seconds")?, number("megabytes")?);
        Ok(Fit { seconds, megabytes, objective: number("objective")?, passes, gap: 0.0 })
    };
    let (mut peer, mut own) = (vec![theirs()?], vec![]);
    let mut asked = GAPS[0];
    for gap in GAPS {
        asked = gap;
        if solve(data, decay, gap)?.objective <= peer[0].objective {
            break;
        }
    }
    for round in 0..ROUNDS {
        if round > 0 {
            peer.push(theirs()?);
        }
        std::thread::sleep(REST);
        own.push(solve(data, decay, asked)?);
    }
    drop(input);
    child.wait()?;
    for fits in [&mut peer, &mut own] {
        fits.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    }
    let (peer, own) = (&peer[ROUNDS / 2], &own[ROUNDS / 2]);
    let (n, k) = (data.train.len(), data.counts.n_classes());
    Ok(format!(
        "| {name}, {n} × {dim}, K = {k} | {decay} | {:.2} | {:.0} | {} | {:.6} | {:.2} | {:.0} | {} | {:.6} | {:.1e} | {:.1} |",
        peer.seconds,
        peer.megabytes,
        peer.passes,
        peer.objective,
        own.seconds,
        own.megabytes,
        own.passes,
        own.objective,
        own.gap,
        peer.seconds / own.seconds,
    ))
}

/// This process's peak of memory in MB.
fn peak() -> Result<f64> {
    let status = fs_err::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()).context("no VmHWM")?;
    Ok(kilobytes.parse::<f64>()? / 1024.0)
}

pub(super) fn solve(data: &DataSet, weight_decay: f64, gap: f64) -> Result<Fit> {
    let sgd = Sgd { weight_decay, ..Recipe::PLAIN.sgd };
    let (solver, start) = (Solver::Lbfgs, Start::Zero);
    let recipe = Recipe { solver, gap, start, sgd, decay_bias: false, ..Recipe::PLAIN };
    let trial = Trial { recipe, seed: 0, stop_after: None };
    let options = Options { score_every_epoch: false, ..Options::default() };
    // Its peak of memory starts anew.
    fs_err::write("/proc/self/clear_refs", "5")?;
    let before = Instant::now();
    let outcome = train(data, &[trial], &options)?.remove(0);
    let seconds = before.elapsed().as_secs_f64();
    let megabytes = peak()?;
    let solution = outcome.solution.context("a solver's outcome")?;
    let head = &outcome.head;
    let objective = Objective::plain(Recipe::PLAIN.cost.loss, &data.counts);
    let mut z = head.logits(data.train.plain.in_memory()?).into_raw_vec_and_offset().0;
    let square: f64 = head.weight.iter().map(|w| w * w).sum();
    let value = objective.value_and_grad_f64(&mut z, &data.train.labels);
    Ok(Fit {
        seconds,
        megabytes,
        objective: value + 0.5 * weight_decay * square,
        passes: solution.passes,
        gap: solution.gap.unwrap_or(f64::NAN),
    })
}
