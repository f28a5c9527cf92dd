//! Solvers that reach the optimum.

mod lbfgs;
mod pass;
mod ridge;
mod smooth;
mod walk;

use super::problem::Seen;
use super::score::score_heads;
use super::{Outcome, Run, Trial, folds, start};
use crate::error::Result;
use crate::head::Head;
use crate::real::Real;
use crate::solver::Solver;

/// A solved head, before it is finished.
struct Solved {
    head: Head,
    /// The objective without weight decay.
    loss: f64,
    /// Certified bound on (F − min F) / (F − F₀), where there is one.
    gap: Option<f64>,
    /// Passes over the features that this point took.
    passes: usize,
}

/// Solves all trials; the score before is that of their start, of which the solution does not
/// depend.
pub(super) fn solve<R: Real>(
    seen: &Seen<'_, R>,
    trials: &[&Trial],
    run: &Run<'_>,
) -> Result<Vec<Outcome>> {
    let problem = seen.problem;
    let (k, dim) = (problem.counts.n_classes(), problem.dim);
    let starts: Vec<Head> = trials
        .iter()
        .map(|trial| {
            let mut head = start::head(&trial.recipe, problem.stage_1, trial.seed, k, dim);
            trial.recipe.finish(&mut head, problem.counts);
            head
        })
        .collect();
    let with = |solver: Solver| -> Vec<usize> {
        let is = |&i: &usize| trials[i].recipe.solver == solver && trials[i].epochs() > 0;
        (0..trials.len()).filter(is).collect()
    };
    let mut solved: Vec<Option<Solved>> = trials.iter().map(|_| None).collect();
    for (solver, indices) in
        [(Solver::Ridge, with(Solver::Ridge)), (Solver::Lbfgs, with(Solver::Lbfgs))]
    {
        let chosen: Vec<&Trial> = indices.iter().map(|&i| trials[i]).collect();
        let done = if solver == Solver::Ridge {
            ridge::solve(seen, &chosen)?
        } else {
            smooth::solve(seen, &chosen, run.progress)?
        };
        for (i, one) in indices.into_iter().zip(done) {
            solved[i] = Some(one);
        }
    }
    let finished: Vec<Head> = solved
        .iter()
        .zip(trials)
        .zip(&starts)
        .map(|((solved, trial), start)| {
            let Some(solved) = solved else { return start.clone() };
            let mut head = solved.head.clone();
            trial.recipe.finish(&mut head, problem.counts);
            if R::SINGLE { head.rounded() } else { head }
        })
        .collect();
    let folds: Vec<Vec<Vec<u8>>> = trials
        .iter()
        .map(|trial| problem.scored.iter().map(|set| folds(set.labels, trial.seed)).collect())
        .collect();
    let before = score_heads(seen, &starts, &folds);
    let after = score_heads(seen, &finished, &folds);
    let outcomes = finished.into_iter().zip(solved).zip(before.into_iter().zip(after));
    Ok(outcomes
        .map(|((head, solved), (before, after))| match solved {
            None => Outcome { train_loss: vec![], hits: vec![before], head, solution: None },
            Some(solved) => Outcome {
                train_loss: vec![solved.loss],
                hits: if run.score_every_epoch { vec![before, after] } else { vec![after] },
                head,
                solution: Some(super::Solution { gap: solved.gap, passes: solved.passes }),
            },
        })
        .collect())
}
