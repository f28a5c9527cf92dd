//! The training loop: one work item from its start to its last epoch.

use super::area::area_weights;
use super::batches::Batches;
use super::learned;
use super::seen::Seen;
use super::stack::{Buffers, Stack};
use super::{Options, Outcome, Trial};
use crate::error::Result;
use crate::losses::Draw;
use crate::metrics::{ClassTally, PerSet, hits};
use crate::numbers::Real;
use crate::recipe::{Every, Sampler};

/// How much of a core's L2 cache a stack may take, in bytes.
const CACHE: usize = 1 << 20;

/// Batches packed at a time; each stack of a work item then takes them in turn.
const BATCHES: usize = 8;

/// A head's results so far.
#[derive(Clone, Default)]
struct Course {
    train_loss: Vec<f64>,
    hits: Vec<PerSet<ClassTally>>,
}

/// Trains heads that see the same batches.
pub(super) fn train_item<R: Real>(
    seen: &Seen<'_, R>,
    trials: &[&Trial],
    options: &Options<'_>,
    split: bool,
) -> Result<Vec<Outcome>> {
    let first = trials[0];
    if first.recipe.sampler == Sampler::Learned {
        return trials.iter().map(|trial| learned::train(seen, trial, options)).collect();
    }
    let rows = seen.problem.rows_of_class();
    let (sampler, epochs) = (first.recipe.sampler, first.recipe.sgd.epochs);
    let order = |epoch| sampler.order(&rows, first.seed, epoch, epochs);
    train_in_order(seen, trials, options, split, order)
}

/// As [`train_item`], with the samples of each epoch (from 0) in the given order.
pub(super) fn train_in_order<R: Real>(
    seen: &Seen<'_, R>,
    trials: &[&Trial],
    options: &Options<'_>,
    split: bool,
    order: impl Fn(usize) -> Vec<u32>,
) -> Result<Vec<Outcome>> {
    let problem = seen.problem;
    let epochs = trials[0].epochs();
    let unit = if R::SINGLE { options.precision.unit() } else { None };
    let halves = problem.halves(trials[0].seed);
    let size = stack_size::<R>(seen, trials, split);
    let areas = area_weights(seen, trials)?;
    let stack = |trials| Stack::new(seen, trials, (unit, split), areas.as_deref());
    let mut stacks: Vec<Stack<'_, R>> = trials.chunks(size).map(stack).collect();
    let at_once = if stacks.len() > 1 || split { BATCHES } else { 1 };
    let mut batches = Batches::new(problem.dim, unit, at_once);
    let mut buffers = Buffers::new();
    let mut courses = vec![Course::default(); trials.len()];
    for epoch in 0..=epochs {
        if epoch > 0 {
            problem.check_unchanged()?;
            let view = (epoch - 1) % problem.views.len();
            let mut loss_sums = vec![0.0; trials.len()];
            for stack in &mut stacks {
                stack.begin_epoch(epoch - 1);
            }
            let order = order(epoch - 1);
            let draw = Draw { seed: trials[0].seed, index: (epoch as u64) << 40 };
            let b = trials[0].recipe.sgd.batch_size;
            for (number, rows) in order.chunks(b * batches.len()).enumerate() {
                options.go_on()?;
                let draw = draw.after(number * b * batches.len());
                batches.pack(seen, view, (rows, draw), b, split)?;
                for (stack, sums) in stacks.iter_mut().zip(loss_sums.chunks_mut(size)) {
                    for (batch, samples) in batches.iter() {
                        stack.step(batch, samples, &mut buffers, sums);
                    }
                }
            }
            for (course, sum) in courses.iter_mut().zip(loss_sums) {
                course.train_loss.push(sum / problem.labels.len() as f64);
            }
            for stack in &mut stacks {
                stack.project(Every::Epoch);
            }
        }
        if options.score_every_epoch || epoch == epochs {
            for (stack, courses) in stacks.iter_mut().zip(courses.chunks_mut(size)) {
                score(seen, stack, halves.as_ref(), courses);
            }
        }
        if epoch > 0 || epochs == 0 {
            (options.progress)(trials.len());
        }
    }
    problem.check_unchanged()?;
    let heads = stacks.iter().flat_map(|stack| (0..stack.trials.len()).map(|h| stack.finished(h)));
    let outcomes = courses.into_iter().zip(heads).map(|(Course { train_loss, hits }, head)| {
        let head = if R::SINGLE { head.rounded() } else { head };
        Outcome { train_loss, hits, head, solution: None }
    });
    Ok(outcomes.collect())
}

/// Number of heads per stack: as many as fit in the cache with their share of a batch's logits,
/// or all of them if steps are split.
fn stack_size<R: Real>(seen: &Seen<'_, R>, trials: &[&Trial], split: bool) -> usize {
    if split {
        return trials.len();
    }
    let (n_classes, dim) = seen.problem.shape();
    let column = size_of::<R>() * (2 * dim + trials[0].recipe.sgd.batch_size);
    (CACHE / (column * n_classes)).clamp(1, trials.len())
}

/// Scores the heads of a stack in their current state.
fn score<R: Real>(
    seen: &Seen<'_, R>,
    stack: &mut Stack<'_, R>,
    halves: Option<&PerSet<Vec<u8>>>,
    courses: &mut [Course],
) {
    let (Some(sets), Some(rows), Some(halves)) =
        (&seen.problem.scored, seen.scored.as_deref(), halves)
    else {
        return;
    };
    let heads = stack.finished_heads();
    let all = sets.as_ref().zip(rows.as_ref()).zip(halves.as_ref());
    let PerSet { test, validation } =
        all.map(|((set, rows), halves)| hits(rows, (set.labels, halves), heads));
    let mut validation = validation.map(Vec::into_iter);
    for (course, test) in courses.iter_mut().zip(test) {
        let validation = validation.as_mut().and_then(Iterator::next);
        course.hits.push(PerSet { test, validation });
    }
}
