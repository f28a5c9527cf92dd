//! Solves the softmax family to a certified optimum, along decreasing weight decays, one objective after
//! the other.
//!
//! With Cₖ the weighted sum of the features of class k, the targets of a loss enter its objective
//! only through the linear term ⟨W, T⟩, T = (1 − s) C + (s / K) Σ C, so one pass of plain
//! cross-entropy serves every smoothing s. If the bias is not decayed, an offset added to the
//! logits only shifts the bias: every τ of balanced softmax has the same W.

use std::sync::Arc;

use super::Solved;
use super::chain::Chain;
use super::newton;
use super::pass::Passes;
use super::shared::Shared;
use super::space::Space;
use super::sums::mean;
use super::walk::Walk;
use crate::error::Result;
use crate::numbers::Real;
use crate::train::seen::Seen;
use crate::train::{Options, Trial};

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
    let (shift, known) = (mean(seen)?, seen.problem.known);
    options.go_on()?;
    let space = if let Some(space) = known.space(seen.how) {
        space
    } else {
        let space = Arc::new(Space::new(seen, &shift)?);
        known.keep_space(seen.how, &space);
        space
    };
    options.go_on()?;
    let shared = Shared::new(seen, &shift)?;
    let mut passes = Passes::new(&shared, (shift.len(), seen.problem.counts.n_classes()));
    let mut solved: Vec<Option<Solved>> = trials.iter().map(|_| None).collect();
    for chain in &mut chains {
        chain.add_rungs();
        let mut walk = Walk::new(chain, &space, seen);
        let mut done = |i: usize, one| {
            solved[i] = Some(one);
            (options.progress)(1);
        };
        walk.start(seen, trials, &mut done);
        while !walk.is_done() {
            options.go_on()?;
            let candidate = walk.candidate();
            let weight = walk.weight_of(&candidate);
            let evaluated = passes.evaluate(&walk.head_point(&candidate, &weight))?;
            drop(weight);
            (options.on_pass)(evaluated.times);
            walk.take(candidate, evaluated, seen, trials, &mut done);
        }
        if let Some(rung) = walk.into_last_rung() {
            known.keep_rung(seen.how, &chain.form, rung);
        }
        for &i in chain.stages.iter().flat_map(|stage| &stage.asked_by) {
            if let Some(solved) = &mut solved[i] {
                newton::finish(seen, chain, &trials[i].recipe, solved)?;
            }
        }
    }
    Ok(solved.into_iter().map(|one| one.expect("every trial has a stage")).collect())
}
