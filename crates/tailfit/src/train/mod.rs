//! Re-training heads: many at once, one pass over the features, one visible loop.

mod columns;
mod finish;
mod problem;
mod score;
mod stack;
mod start;

use rayon::prelude::*;

pub use self::problem::{Problem, ScoredSet, folds};
pub use self::score::Hits;
use self::stack::Stack;
use crate::constraint::Every;
use crate::error::{Error, Result};
use crate::head::{Head, HeadKind};
use crate::real::Real;
use crate::recipe::{Recipe, Start};

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
        self.stop_after.unwrap_or(self.recipe.epochs).min(self.recipe.epochs)
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
}

/// How much is done at once, and who is told.
pub struct Run<'a> {
    /// Called after every epoch of a stack with the number of head-epochs done.
    pub progress: &'a (dyn Fn(usize) + Sync),
    /// Whether to score every epoch, or only the last.
    pub score_every_epoch: bool,
}

/// Most columns of a stack: more would not fit a core's cache, fewer would not fill it.
const COLUMNS: usize = 2048;

/// Trains all trials and scores every epoch. Trials that share their batches stand
/// side by side, up to 16 heads or about 2,000 columns; stacks are spread over the threads of the
/// current rayon pool. The result has the same bits for any number of threads, and for
/// any company a trial is in.
///
/// # Errors
///
/// If a recipe is invalid, or starts from stage 1 without a stage-1 head.
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
        trials.iter().any(|trial| cosine(trial) == kind).then(|| problem.as_seen(kind))
    });
    let mut by_key: Vec<usize> = (0..trials.len()).collect();
    by_key.sort_by_cached_key(|&i| trials[i].key());
    let most = (COLUMNS / problem.counts.n_classes()).clamp(1, 16);
    let stacks: Vec<&[usize]> = by_key
        .chunk_by(|&a, &b| trials[a].key() == trials[b].key())
        .flat_map(|group| group.chunks(group.len().div_ceil(group.len().div_ceil(most))))
        .collect();
    let outcomes: Vec<Vec<Outcome>> = stacks
        .par_iter()
        .map(|stack| {
            let stacked: Vec<&Trial> = stack.iter().map(|&i| &trials[i]).collect();
            let kind = usize::from(cosine(stacked[0]));
            let problem = seen[kind].as_ref().unwrap_or(problem);
            let sampler = stacked[0].recipe.sampler;
            let rows = problem.rows_of_class();
            let (seed, epochs) = (stacked[0].seed, stacked[0].recipe.epochs);
            train_stack(problem, &stacked, run, |epoch| sampler.order(&rows, seed, epoch, epochs))
        })
        .collect();
    let mut placed: Vec<(usize, Outcome)> =
        stacks.into_iter().flatten().copied().zip(outcomes.into_iter().flatten()).collect();
    placed.sort_by_key(|(index, _)| *index);
    Ok(placed.into_iter().map(|(_, outcome)| outcome).collect())
}

/// The loop.
fn train_stack<R: Real>(
    problem: &Problem<'_, R>,
    trials: &[&Trial],
    run: &Run<'_>,
    order: impl Fn(usize) -> Vec<u32>,
) -> Vec<Outcome> {
    let epochs = trials[0].epochs();
    let folds: Vec<Vec<u8>> =
        problem.scored.iter().map(|set| folds(set.labels, trials[0].seed)).collect();
    let mut stack = Stack::new(problem, trials);
    let mut outcomes: Vec<(Vec<f64>, Vec<Vec<Hits>>)> = vec![Default::default(); trials.len()];
    for epoch in 0..=epochs {
        if epoch > 0 {
            let view = &problem.views[(epoch - 1) % problem.views.len()];
            let mut loss_sums = vec![0.0; trials.len()];
            stack.begin_epoch(epoch - 1);
            for batch in order(epoch - 1).chunks(trials[0].recipe.batch_size) {
                stack.step(view, batch, &mut loss_sums);
            }
            stack.project(Every::Epoch);
            for (outcome, sum) in outcomes.iter_mut().zip(loss_sums) {
                outcome.0.push(sum / problem.labels.len() as f64);
            }
        }
        if run.score_every_epoch || epoch == epochs {
            score_epoch(problem, &mut stack, &folds, &mut outcomes);
        }
        if epoch > 0 || epochs == 0 {
            (run.progress)(trials.len());
        }
    }
    let rounded = size_of::<R>() == size_of::<f32>();
    let finish = |(h, (train_loss, hits)): (usize, (Vec<f64>, Vec<Vec<Hits>>))| {
        let head = stack.finished(h);
        Outcome { train_loss, hits, head: if rounded { head.rounded() } else { head } }
    };
    outcomes.into_iter().enumerate().map(finish).collect()
}

fn score_epoch<R: Real>(
    problem: &Problem<'_, R>,
    stack: &mut Stack<'_, R>,
    folds: &[Vec<u8>],
    outcomes: &mut [(Vec<f64>, Vec<Vec<Hits>>)],
) {
    for outcome in outcomes.iter_mut() {
        outcome.1.push(Vec::with_capacity(problem.scored.len()));
    }
    let panel = stack.panel();
    for (set, folds) in problem.scored.iter().zip(folds) {
        let hits = score::hits(set, folds, panel, outcomes.len(), problem.dim);
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
