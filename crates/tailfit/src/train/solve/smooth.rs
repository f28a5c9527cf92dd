//! Solves the softmax family to a certified optimum, along decreasing weight decays, with many
//! heads per pass.
//!
//! With Cₖ the weighted sum of the features of class k, the targets of a loss enter its objective
//! only through the linear term ⟨W, T⟩, T = (1 − s) C + (s / K) Σ C, so one pass of plain
//! cross-entropy serves every smoothing s. If the bias is not decayed, an offset added to the
//! logits only shifts the bias: every τ of balanced softmax has the same W.

use super::Solved;
use super::chain::Chain;
use super::lbfgs::Curvature;
use super::pass::{HeadPoint, Point, Sums, evaluate};
use super::walk::Walk;
use crate::error::{Error, Result};
use crate::numbers::Real;
use crate::train::Trial;
use crate::train::problem::Seen;

pub(super) fn solve<R: Real>(
    seen: &Seen<'_, R>,
    trials: &[&Trial],
    progress: &(dyn Fn(usize) + Sync),
) -> Result<Vec<Solved>> {
    let mut chains: Vec<Chain<R>> = Vec::new();
    for (index, trial) in trials.iter().enumerate() {
        let chain = Chain::new(seen, trial)?;
        let known = chains.iter().position(|other| other.is_same(&chain));
        let at = known.unwrap_or_else(|| {
            chains.push(chain);
            chains.len() - 1
        });
        chains[at].ask(trial.recipe.sgd.weight_decay, index);
    }
    let mut all_sums: Vec<(Vec<f64>, Sums, Curvature)> = Vec::new();
    for chain in &mut chains {
        chain.add_rungs();
        if !all_sums.iter().any(|(weights, ..)| *weights == chain.class_weights) {
            let sums = Sums::new(seen, &chain.class_weights)?;
            let curvature = Curvature::new(&sums).ok_or_else(not_finite)?;
            all_sums.push((chain.class_weights.clone(), sums, curvature));
        }
    }
    let sums = |chain: &Chain<R>| {
        let found = all_sums.iter().find(|(weights, ..)| *weights == chain.class_weights);
        found.map(|(_, sums, curvature)| (sums, curvature)).expect("made for every chain")
    };
    let mut walks: Vec<Walk<'_, R>> =
        chains.iter().map(|chain| Walk::new(chain, sums(chain), seen)).collect();
    let mut solved: Vec<Option<Solved>> = trials.iter().map(|_| None).collect();
    loop {
        let mut active: Vec<&mut Walk<'_, R>> =
            walks.iter_mut().filter(|walk| walk.stage < walk.chain.stages.len()).collect();
        if active.is_empty() {
            break;
        }
        let points: Vec<Point> = active.iter().map(|walk| walk.descent.candidate()).collect();
        let heads: Vec<HeadPoint<'_, R>> = active
            .iter()
            .zip(&points)
            .map(|(Walk { chain, .. }, point)| HeadPoint {
                objective: &chain.objective,
                point,
                divisor: chain.divisor,
            })
            .collect();
        let evaluations = evaluate(seen, &heads)?;
        for ((walk, point), found) in active.iter_mut().zip(points).zip(evaluations) {
            walk.take(point, found, seen, trials, &mut |i, one| {
                solved[i] = Some(one);
                progress(1);
            });
        }
    }
    Ok(solved.into_iter().map(|one| one.expect("every trial has a stage")).collect())
}

fn not_finite() -> Error {
    Error::data(
        "training features",
        "a covariance with an eigendecomposition",
        "numbers that are infinite, NaN or far too large",
        "scale the features, for example to unit variance",
    )
}
