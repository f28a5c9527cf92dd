//! Training on batches that a sampler draws and learns to draw: BALMS's meta sampler.
//!
//! The sampler has a logit φ of each class; a sample of class y is drawn with probability ∝ σ(φ_y), as
//! the largest of Gumbel noise plus log σ. Before each step, a virtual step of the head on the drawn
//! batch shows which samples should have been drawn: those that make it better on a class-balanced
//! batch. The original differentiates through the virtual step; of a linear head that is a product of
//! first-order gradients, written out here.

mod sampler;
mod step;
#[cfg(test)]
mod tests;

use self::sampler::Learned;
use self::step::{Batch, Step};
use super::seen::Seen;
use super::solve::score;
use super::{Options, Outcome, Trial};
use crate::error::Result;
use crate::losses::{AnyLoss, CrossEntropy, Objective};
use crate::numbers::Real;
use crate::recipe::{Recipe, Sampler};

/// Trains one head; its batches are its own.
pub(super) fn train<R: Real>(
    seen: &Seen<'_, R>,
    trial: &Trial,
    options: &Options<'_>,
) -> Result<Outcome> {
    let (problem, recipe) = (seen.problem, &trial.recipe);
    let Recipe { sgd, .. } = recipe;
    let rows = problem.rows_of_class();
    let (n, k) = (problem.labels.len(), problem.counts.n_classes());
    let plain = Objective::plain(AnyLoss::CrossEntropy(CrossEntropy {}), problem.counts);
    let balanced = Sampler::ClassAware { per_visit: 1 };
    let mut sampler = Learned::new(k);
    let mut step = Step::new(seen.start(trial), recipe);
    let mut outcome =
        Outcome { train_loss: vec![], hits: vec![], head: step.head.clone(), solution: None };
    for epoch in 0..=trial.epochs() {
        if epoch > 0 {
            problem.check_unchanged()?;
            let objective = recipe.cost.objective(epoch - 1, problem.counts);
            // The noise of its order is not that of any other sampler: the seed is another.
            let meta = balanced.order(&rows, !trial.seed, epoch - 1, sgd.epochs);
            let view = (epoch - 1) % problem.views.len();
            let lr = sgd.lr_of(epoch - 1);
            let mut loss = 0.0;
            for (number, meta) in meta.chunks(sgd.batch_size).enumerate() {
                options.go_on()?;
                let first = ((epoch as u64) << 40) + (number * sgd.batch_size) as u64;
                let drawn = sampler.draw(&rows, meta.len(), (trial.seed, first));
                let chosen: Vec<u32> = drawn.iter().map(|drawn| drawn.row).collect();
                let batch = Batch::read(seen, view, &chosen)?;
                let meta = Batch::read(seen, view, meta)?;
                let (value, gradient) = batch.gradient(&objective, &step.head);
                let better = step.shares(&batch, &gradient, (&meta, &plain), lr);
                sampler.learn(&drawn, &better);
                step.take(&batch, &gradient, lr);
                loss += value * chosen.len() as f64;
            }
            outcome.train_loss.push(loss / n as f64);
        }
        outcome.head = step.head.clone();
        seen.finish(recipe, &mut outcome.head);
        if options.score_every_epoch || epoch == trial.epochs() {
            outcome.hits.extend(score(seen, &outcome.head, trial.seed));
        }
        if epoch > 0 || trial.epochs() == 0 {
            (options.progress)(1);
        }
    }
    problem.check_unchanged()?;
    if R::SINGLE {
        outcome.head = outcome.head.rounded();
    }
    Ok(outcome)
}
