//! Re-training heads: many at once, one pass over the features, one visible loop.

mod batches;
mod buffers;
mod columns;
mod finish;
mod problem;
mod score;
mod solve;
mod stack;
mod start;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use self::batches::Batches;
use self::buffers::Buffers;
use self::problem::Seen;
pub use self::problem::{Problem, ScoredSet, View, folds};
pub use self::score::Hits;
use self::stack::Stack;
use crate::constraint::Every;
use crate::error::{Error, Result};
use crate::head::{Head, HeadKind};
use crate::precision::Precision;
use crate::real::Real;
use crate::recipe::{Recipe, Start};
use crate::solver::Solver;

/// One recipe with one seed and concrete hyper-parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// What to do.
    pub recipe: Recipe,
    /// Decides batch order, random starts and halves of the test set.
    pub seed: u64,
    /// Stop after this many epochs of the recipe's schedule; all if `None`.
    pub stop_after: Option<usize>,
}

impl Trial {
    fn epochs(&self) -> usize {
        // A solver's whole run counts as one epoch.
        let all = if self.recipe.solver == Solver::Sgd { self.recipe.epochs } else { 1 };
        self.stop_after.unwrap_or(all).min(all)
    }

    /// Trials with the same key see the same batches through the same kind of head.
    fn key(&self) -> String {
        let r = &self.recipe;
        let kind = match r.head {
            HeadKind::Linear => 0,
            HeadKind::Cosine { .. } => 1,
            HeadKind::Scaled => 2,
        };
        let epochs = (self.epochs(), r.epochs);
        format!("{kind} {epochs:?} {} {} {:?} {}", self.seed, r.batch_size, r.sampler, r.nesterov)
    }
}

/// What a trial came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Mean training loss of each epoch, measured before each step.
    pub train_loss: Vec<f64>,
    /// `hits[e][s]`: hits on scored set s after e epochs; e = 0 is the start.
    pub hits: Vec<Vec<Hits>>,
    /// The head at the end: folded, normalised, adjusted, rounded to f32 if that is
    /// the number it was trained in.
    pub head: Head,
    /// How the optimum was reached, for a solver that reaches it.
    pub solution: Option<Solution>,
}

/// What a solver says of its solution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Solution {
    /// Certified bound on (F − min F) / (F − F₀), with F₀ the entropy of the targets, below which no
    /// loss can go; `None` without weight decay, where there is none.
    pub gap: Option<f64>,
    /// Passes over the training features, with those at the larger weight decays that it comes by.
    pub passes: usize,
}

/// How much is done, in what numbers, and who is told.
pub struct Run<'a> {
    /// Called after every epoch of a work item with the number of head-epochs done.
    pub progress: &'a (dyn Fn(usize) + Sync),
    /// Whether to score every epoch, or only the last.
    pub score_every_epoch: bool,
    /// What products are taken in; `f64` problems know no other than their own.
    pub precision: Precision,
}

/// Most heads of a work item, for which a batch is packed once.
const HEADS: usize = 16;

/// What weights and velocities of a work item may take, in bytes.
const MEMORY: usize = 256 << 20;

/// What a stack may take of a core's second cache, in bytes.
const CACHE: usize = 1 << 20;

/// Batches packed at once, which each stack of a work item takes in turn.
const BATCHES: usize = 8;

/// Trains all trials and scores every epoch. Trials that share their batches make work items,
/// spread over the threads of the current rayon pool; where there are fewer items than threads,
/// single steps are spread. The result has the same bits for any number of threads, and for
/// any company a trial is in.
///
/// # Errors
///
/// If a recipe is invalid, or starts from stage 1 without a stage-1 head, or features left in
/// their file cannot be read any more.
pub fn train<R: Real>(
    problem: &Problem<'_, R>,
    trials: &[Trial],
    run: &Run<'_>,
) -> Result<Vec<Outcome>> {
    for trial in trials {
        check(problem, &trial.recipe)?;
    }
    let cosine = |trial: &Trial| matches!(trial.recipe.head, HeadKind::Cosine { .. });
    let seen = [false, true].map(|kind| {
        trials.iter().any(|trial| cosine(trial) == kind).then(|| Seen::new(problem, kind))
    });
    let solved: Vec<usize> =
        (0..trials.len()).filter(|&i| trials[i].recipe.solver != Solver::Sgd).collect();
    let mut placed: Vec<(usize, Outcome)> = Vec::new();
    if let (Some(seen), false) = (&seen[0], solved.is_empty()) {
        let chosen: Vec<&Trial> = solved.iter().map(|&i| &trials[i]).collect();
        placed.extend(solved.into_iter().zip(solve::solve(seen, &chosen, run)?));
    }
    let mut by_key: Vec<usize> =
        (0..trials.len()).filter(|&i| trials[i].recipe.solver == Solver::Sgd).collect();
    by_key.sort_by_cached_key(|&i| trials[i].key());
    let head = 2 * size_of::<R>() * problem.dim * problem.counts.n_classes();
    let most = (MEMORY / head).clamp(1, HEADS);
    let groups: Vec<&[usize]> =
        by_key.chunk_by(|&a, &b| trials[a].key() == trials[b].key()).collect();
    // At least an item for each thread, as far as there are heads.
    let threads = rayon::current_num_threads().div_ceil(groups.len().max(1));
    let items: Vec<&[usize]> = groups
        .into_iter()
        .flat_map(|group| {
            let n = group.len().div_ceil(most).max(threads.min(group.len()));
            group.chunks(group.len().div_ceil(n))
        })
        .collect();
    let split = items.len() < rayon::current_num_threads();
    let outcomes: Vec<Vec<Outcome>> = items
        .par_iter()
        .map(|item| {
            let trials: Vec<&Trial> = item.iter().map(|&i| &trials[i]).collect();
            let Some(seen) = &seen[usize::from(cosine(trials[0]))] else { return Ok(vec![]) };
            let sampler = trials[0].recipe.sampler;
            let rows = problem.rows_of_class();
            let (seed, epochs) = (trials[0].seed, trials[0].recipe.epochs);
            let order = |epoch| sampler.order(&rows, seed, epoch, epochs);
            train_item(seen, &trials, run, split, order)
        })
        .collect::<Result<_>>()?;
    placed.extend(items.into_iter().flatten().copied().zip(outcomes.into_iter().flatten()));
    placed.sort_by_key(|(index, _)| *index);
    Ok(placed.into_iter().map(|(_, outcome)| outcome).collect())
}

/// Heads of a stack: as many as fit a cache with their share of a batch's logits, or all if a
/// step is split.
fn stack_size<R: Real>(problem: &Problem<'_, R>, trials: &[&Trial], split: bool) -> usize {
    if split {
        return trials.len();
    }
    let column = size_of::<R>() * (2 * problem.dim + trials[0].recipe.batch_size);
    (CACHE / (column * problem.counts.n_classes())).clamp(1, trials.len())
}

/// The loop.
fn train_item<R: Real>(
    seen: &Seen<'_, R>,
    trials: &[&Trial],
    run: &Run<'_>,
    split: bool,
    order: impl Fn(usize) -> Vec<u32>,
) -> Result<Vec<Outcome>> {
    let problem = seen.problem;
    let epochs = trials[0].epochs();
    let unit = if R::SINGLE { run.precision.unit() } else { None };
    let folds: Vec<Vec<u8>> =
        problem.scored.iter().map(|set| folds(set.labels, trials[0].seed)).collect();
    let size = stack_size(problem, trials, split);
    let mut stacks: Vec<Stack<'_, R>> =
        trials.chunks(size).map(|trials| Stack::new(problem, trials, unit, split)).collect();
    let at_once = if stacks.len() > 1 || split { BATCHES } else { 1 };
    let mut batches = Batches::new(problem.dim, unit, at_once);
    let mut buffers = Buffers::new();
    let mut outcomes: Vec<(Vec<f64>, Vec<Vec<Hits>>)> = vec![Default::default(); trials.len()];
    for epoch in 0..=epochs {
        if epoch > 0 {
            let view = (epoch - 1) % problem.views.len();
            let mut loss_sums = vec![0.0; trials.len()];
            for stack in &mut stacks {
                stack.begin_epoch(epoch - 1);
            }
            let order = order(epoch - 1);
            let b = trials[0].recipe.batch_size;
            for rows in order.chunks(b * batches.len()) {
                batches.pack(seen, view, rows, b, split)?;
                for (stack, sums) in stacks.iter_mut().zip(loss_sums.chunks_mut(size)) {
                    for (batch, labels) in batches.iter() {
                        stack.step(batch, labels, &mut buffers, sums);
                    }
                }
            }
            for (outcome, sum) in outcomes.iter_mut().zip(loss_sums) {
                outcome.0.push(sum / problem.labels.len() as f64);
            }
        }
        for (stack, outcomes) in stacks.iter_mut().zip(outcomes.chunks_mut(size)) {
            if epoch > 0 {
                stack.project(Every::Epoch, &mut buffers);
            }
            if run.score_every_epoch || epoch == epochs {
                score_epoch(seen, stack, &folds, outcomes);
            }
        }
        if epoch > 0 || epochs == 0 {
            (run.progress)(trials.len());
        }
    }
    let rounded = R::SINGLE;
    let finish = |(h, (train_loss, hits)): (usize, (Vec<f64>, Vec<Vec<Hits>>))| {
        let head = stacks[h / size].finished(h % size);
        Outcome {
            train_loss,
            hits,
            head: if rounded { head.rounded() } else { head },
            solution: None,
        }
    };
    Ok(outcomes.into_iter().enumerate().map(finish).collect())
}

fn score_epoch<R: Real>(
    seen: &Seen<'_, R>,
    stack: &mut Stack<'_, R>,
    folds: &[Vec<u8>],
    outcomes: &mut [(Vec<f64>, Vec<Vec<Hits>>)],
) {
    for outcome in outcomes.iter_mut() {
        outcome.1.push(Vec::with_capacity(seen.scored.len()));
    }
    stack.finish();
    let k = stack.n_classes();
    for ((set, samples), folds) in seen.problem.scored.iter().zip(&seen.scored).zip(folds) {
        let hits = score::hits(set, samples, folds, &stack.scored, outcomes.len(), k);
        for (outcome, hits) in outcomes.iter_mut().zip(hits) {
            if let Some(epoch) = outcome.1.last_mut() {
                epoch.push(hits);
            }
        }
    }
}

fn check<R: Real>(problem: &Problem<'_, R>, recipe: &Recipe) -> Result<()> {
    recipe.check()?;
    let needs_head = recipe.start == Start::Stage1
        || recipe.constraint.is_some_and(|constraint| constraint.radius.is_none());
    if needs_head && problem.stage_1.is_none() {
        return Err(Error::usage(
            "recipe",
            "a stage-1 head, from which it starts or takes the MaxNorm radius",
            "none",
            "give the head (--head), or set start = \"random\" and constraint.radius",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
