//! Solves the softmax family to a certified optimum, along decreasing weight decays, with many
//! heads per pass.
//!
//! With Cₖ the weighted sum of the features of class k, the targets of a loss enter its objective
//! only through the linear term ⟨W, T⟩, T = (1 − s) C + (s / K) Σ C, so one pass of plain
//! cross-entropy serves every smoothing s. If the bias is not decayed, an offset added to the
//! logits only shifts the bias: every τ of balanced softmax has the same W.

use super::Solved;
use super::chain::Chain;
use super::curvature::Curvature;
use super::newton;
use super::pass::Passes;
use super::shared::Shared;
use super::sums::{Sums, mean, span};
use super::walk::Walk;
use crate::error::Result;
use crate::numbers::Real;
use crate::train::seen::Seen;
use crate::train::{Options, Trial};

/// Samples per feature that an estimate of the covariance takes.
const PER_FEATURE: usize = 8;

pub(super) fn solve<R: Real>(
    seen: &Seen<'_, R>,
    trials: &[&Trial],
    options: &Options<'_>,
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
    let shift = mean(seen)?;
    let span = span(seen, &shift)?;
    let exact: Vec<f64> = shift.iter().map(|value| value.to_f64()).collect();
    let mut all_sums: Vec<(Vec<f64>, Sums, Curvature)> = Vec::new();
    for chain in &mut chains {
        chain.add_rungs();
        if !all_sums.iter().any(|(weights, ..)| *weights == chain.class_weights) {
            // An estimate of the covariance is all that the curvature needs.
            options.go_on()?;
            let every = seen.problem.labels.len() / (PER_FEATURE * shift.len());
            let sums = Sums::new(seen, &chain.class_weights, &shift, every.max(1))?;
            let curvature = Curvature::new(&sums, &exact, span.as_ref())?;
            all_sums.push((chain.class_weights.clone(), sums, curvature));
        }
    }
    options.go_on()?;
    let shared = Shared::new(seen, &shift)?;
    let mut passes = Passes::new(&shared, (shift.len(), seen.problem.counts.n_classes()));
    let mut solved: Vec<Option<Solved>> = trials.iter().map(|_| None).collect();
    for chain in &chains {
        let found = all_sums.iter().find(|(weights, ..)| *weights == chain.class_weights);
        let (sums, curvature) =
            found.map(|(_, sums, curvature)| (sums, curvature)).expect("made for every chain");
        let mut walk = Walk::new(chain, (sums, curvature), seen);
        while !walk.is_done() {
            options.go_on()?;
            let candidate = walk.candidate();
            let weight = curvature.back(&candidate);
            let evaluated = passes.evaluate(&walk.head_point(&candidate, &weight))?;
            walk.take(candidate, evaluated, seen, trials, &mut |i, one| {
                solved[i] = Some(one);
                (options.progress)(1);
            });
        }
        for &i in chain.stages.iter().flat_map(|stage| &stage.asked_by) {
            if let Some(solved) = &mut solved[i] {
                newton::finish(seen, chain, &trials[i].recipe, solved)?;
            }
        }
    }
    Ok(solved.into_iter().map(|one| one.expect("every trial has a stage")).collect())
}
