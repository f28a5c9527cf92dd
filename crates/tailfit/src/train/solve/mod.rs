//! Solvers that reach the optimum.

mod bias;
mod chain;
mod curvature;
mod dual;
mod head_point;
mod known;
mod lbfgs;
mod newton;
mod outputs;
mod pass;
mod products;
mod ridge;
mod room;
mod shared;
mod smooth;
mod space;
mod state;
mod sums;
mod targets;
mod walk;
mod zero_shot;

use rayon::prelude::*;

pub(crate) use self::known::{Known, NOTHING};
pub(super) use self::sums::Sums;
pub(super) use self::zero_shot::Priors;

use super::seen::Seen;
use super::{Options, Outcome, Solution, Trial};
use crate::error::{Error, Result};
use crate::head::Head;
use crate::metrics::{ClassTally, PerSet, ScoredHeads, Views, hits};
use crate::numbers::Real;
use crate::recipe::Solver;

/// Most features of which a solver or a whitening decomposes the covariance.
const MOST_FEATURES: usize = 16_384;

/// Checks the number of features of what decomposes a matrix of them.
pub(super) fn check_dim(what: &str, dim: usize) -> Result<()> {
    if dim <= MOST_FEATURES {
        return Ok(());
    }
    let expected =
        format!("at most {MOST_FEATURES} features, of which it decomposes a matrix [D, D]");
    let remedy = "train by sgd on features as they are or standardised, or reduce the features first, such as by PCA";
    Err(Error::usage(what, expected, dim, remedy))
}

/// A solved head, before normalisation and adjustment.
struct Solved {
    head: Head,
    /// The objective without weight decay.
    loss: f64,
    /// Certified bound on (F − min F) / (F − F₀), if there is one.
    gap: Option<f64>,
    /// Passes over the features that it took to reach this point.
    passes: usize,
}

/// Solves the trials of one solver. The score at epoch 0 is that of the recipe's start, on which
/// the solution does not depend.
pub(super) fn solve<R: Real>(
    seen: &Seen<'_, R>,
    solver: Solver,
    trials: &[&Trial],
    options: &Options<'_>,
) -> Result<Vec<Outcome>> {
    let problem = seen.problem;
    check_dim("solver", problem.dim)?;
    options.go_on()?;
    // A trial that stops after 0 epochs stays at its start.
    let solvable: Vec<&Trial> = trials.iter().copied().filter(|t| t.epochs() > 0).collect();
    let solved = match solver {
        Solver::Ridge => ridge::solve(seen, &solvable)?,
        Solver::Lbfgs | Solver::Sgd => smooth::solve(seen, &solvable, options)?,
    };
    problem.check_unchanged()?;
    let mut solved = solved.into_iter();
    let solved: Vec<Option<Solved>> =
        trials.iter().map(|t| if t.epochs() > 0 { solved.next() } else { None }).collect();
    let outcome = |(trial, solved): (&&Trial, Option<Solved>)| {
        let recipe = &trial.recipe;
        let mut start = seen.start(trial);
        seen.finish(recipe, &mut start);
        let score = |head: &Head| score(seen, head, trial.seed);
        let Some(Solved { mut head, loss, gap, passes }) = solved else {
            let hits = score(&start).into_iter().collect();
            return Outcome { train_loss: vec![], hits, head: start, solution: None };
        };
        seen.finish(recipe, &mut head);
        let head = if R::SINGLE { head.rounded() } else { head };
        let before = if options.score_every_epoch { score(&start) } else { None };
        Outcome {
            train_loss: vec![loss],
            hits: before.into_iter().chain(score(&head)).collect(),
            head,
            solution: Some(Solution { gap, passes }),
        }
    };
    Ok(trials.par_iter().zip(solved).map(outcome).collect())
}

/// Hits of a finished head on the scored sets.
pub(super) fn score<R: Real>(
    seen: &Seen<'_, R>,
    head: &Head,
    seed: u64,
) -> Option<PerSet<ClassTally>> {
    let (sets, rows) = (seen.problem.scored.as_ref()?, seen.scored.as_deref()?);
    let halves = seen.problem.halves(seed)?;
    let heads = ScoredHeads::of(head);
    let all = sets.as_ref().zip(rows.as_ref()).zip(halves.as_ref());
    let of = |((set, rows), halves): ((&super::ScoredSet<'_, R>, &Views<R>), &Vec<u8>)| {
        hits(rows, (set.labels, halves), &heads).pop()
    };
    let PerSet { test, validation } = all.map(of);
    Some(PerSet { test: test?, validation: validation.flatten() })
}
