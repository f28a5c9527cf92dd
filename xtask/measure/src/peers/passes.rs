//! `cargo xtask peers passes`: what the solver takes on features like a practitioner's.

use std::fmt::Write as _;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tailfit::features::DataSet;
use tailfit::methods;
use tailfit::recipe::{Recipe, Sgd};
use tailfit::train::{Options, PassTimes, Trial, train};

use super::ours::{self, Ours};
use super::{FOLDER, environment_of, make_data};
use crate::docs;

const SHAPE: (&str, usize) = ("wide", 1280);
const DECAYS: [f64; 3] = [1e-1, 1e-2, 1e-3];
const GAPS: [f64; 2] = [1e-2, 1e-3];
const ROUNDS: usize = 3;
/// The gap at which the solver leaves its rungs: what is solved to it has taken the passes down to there
/// alone.
const ON_THE_WAY: f64 = 0.3;

pub(crate) fn run() -> Result<()> {
    let python = environment_of("solver-venv", "requirements-solver.txt")?;
    make_data(&python, SHAPE.0)?;
    let data = Ours::load(&format!("{FOLDER}/data"), SHAPE.0, SHAPE.1)?.data;
    let mut text = format!(
        "\n{} threads, {}. Passes with the bias decayed as the weights, and, in brackets, with the bias free; seconds with \
         the bias free, medians of {ROUNDS}.\n\n\
         | weight decay | passes to 1 % | seconds | passes to 0.1 % | seconds |\n|--:|--:|--:|--:|--:|\n",
        std::thread::available_parallelism().map_or(0, usize::from),
        tailfit::instruction_set(),
    );
    for decay in DECAYS {
        write!(text, "| {decay:e} |")?;
        for gap in GAPS {
            let decayed = solve(&data, &[decay], gap, true)?.0[0];
            let mut free = solve(&data, &[decay], gap, false)?;
            let mut seconds = vec![free.1];
            while seconds.len() < ROUNDS {
                free = solve(&data, &[decay], gap, false)?;
                seconds.push(free.1);
            }
            seconds.sort_by(f64::total_cmp);
            write!(text, " {decayed} ({}) | {:.2} |", free.0[0], seconds[ROUNDS / 2])?;
        }
        text += "\n";
    }
    let (passes, seconds) = path(&data)?;
    writeln!(
        text,
        "\nA path of seven weight decays from 1e-1 to 1e-4 in half decades, to 1 % each with the bias free, takes {passes} \
         passes in all and {seconds:.1} s (one run), with those to the rungs on the way, which all share."
    )?;
    text += &parts(&data)?;
    docs::put("docs/performance.md", "passes", &text)
}

/// What the parts of a pass take, on average over all of them to a gap of 1 % at 1e-3.
fn parts(data: &DataSet) -> Result<String> {
    let recipe = at_decay(1e-3, 1e-2, false)?;
    let (n, dim, k) = (data.train.len(), data.train.dim(), data.counts.n_classes());
    let spent = Mutex::new((0, PassTimes::default()));
    let on_pass = |times: PassTimes| {
        let (passes, sum) = &mut *spent.lock().expect("no pass panics");
        *passes += 1;
        sum.logits += times.logits;
        sum.bias += times.bias;
        sum.gradient += times.gradient;
    };
    let options = Options { score_every_epoch: false, on_pass: &on_pass, ..Options::default() };
    let before = ours::peak();
    let start = Instant::now();
    train(data, &[recipe], &options)?;
    let all = start.elapsed();
    let peak = f64::midpoint(before, ours::peak());
    let (passes, sum) = spent.into_inner().expect("no pass panics");
    let each = |time: Duration| time.as_secs_f64() / f64::from(passes);
    let rate = |time: Duration| 2e-9 * (n * dim * k) as f64 / each(time);
    let row = |name: &str, time: Duration| {
        let (rate, milliseconds) = (rate(time), 1e3 * each(time));
        format!("| {name} | {milliseconds:.0} | {rate:.0} | {:.0} % |\n", 100.0 * rate / peak)
    };
    let others = all.saturating_sub(sum.logits + sum.bias + sum.gradient);
    Ok(format!(
        "\nWhat the parts of a pass take on average, of {passes} at 1e-3 to 1 % (one run), and how near the products come to \
         the f32 peak of {peak:.0} GFLOP/s: multiply-adds in registers, the mean of one measurement just before and one just \
         after.\n\n\
         | part | ms | GFLOP/s | share of f32 peak |\n|:--|--:|--:|--:|\n\
         {}{}| sweeps for the bias | {:.0} | – | – |\n\
         | all else, from the covariance to the steps | {:.0} | – | – |\n",
        row("logits", sum.logits),
        row("loss and gradient", sum.gradient),
        1e3 * each(sum.bias),
        1e3 * each(others),
    ))
}

/// Passes in all, and seconds, from 1e-1 to 1e-4 in half decades.
fn path(data: &DataSet) -> Result<(usize, f64)> {
    let decays: Vec<f64> = (2..=8).map(|n| 10_f64.powf(-0.5 * f64::from(n))).collect();
    let (each, seconds) = solve(data, &decays, 1e-2, false)?;
    let (rungs, _) = solve(data, &decays, ON_THE_WAY, false)?;
    // Rungs follow each other, and from each its own point goes on.
    let beyond: usize = each.iter().zip(&rungs).map(|(passes, rung)| passes - rung).sum();
    Ok((beyond + rungs.last().context("a path has points")?, seconds))
}

/// Passes of each weight decay, and seconds in all, for balanced softmax from nothing.
fn solve(data: &DataSet, decays: &[f64], gap: f64, decay_bias: bool) -> Result<(Vec<usize>, f64)> {
    let trials: Result<Vec<Trial>> =
        decays.iter().map(|&decay| at_decay(decay, gap, decay_bias)).collect();
    let options = Options { score_every_epoch: false, ..Options::default() };
    let start = Instant::now();
    let outcomes = train(data, &trials?, &options)?;
    let seconds = start.elapsed().as_secs_f64();
    let passes = outcomes.iter().map(|outcome| outcome.solution.map(|found| found.passes));
    Ok((passes.collect::<Option<_>>().context("not all was solved")?, seconds))
}

/// Balanced softmax at its minimum.
fn at_decay(weight_decay: f64, gap: f64, decay_bias: bool) -> Result<Trial> {
    let recipe = methods::find("balanced-softmax-converged")?.recipe;
    let sgd = Sgd { weight_decay, ..recipe.sgd.clone() };
    let recipe = Recipe { gap, decay_bias, sgd, ..recipe };
    Ok(Trial { recipe, seed: 0, stop_after: None })
}
