//! How a walk goes from stage to stage.

use super::Walk;
use crate::numbers::Real;
use crate::train::Trial;
use crate::train::seen::Seen;
use crate::train::solve::Solved;
use crate::train::solve::chain::Stage;
use crate::train::solve::state::{Rung, State};

impl<R: Real> Walk<'_, R> {
    /// Goes to where the chain starts, if that is not from nothing.
    pub(in crate::train::solve) fn start(
        &mut self,
        seen: &Seen<'_, R>,
        trials: &[&Trial],
        done: &mut dyn FnMut(usize, Solved),
    ) {
        let Some(rung) = &self.chain.start else { return };
        let is_there = |s: &Stage| s.is_rung && s.weight_decay == rung.weight_decay;
        if let Some(there) = self.chain.stages.iter().position(is_there) {
            (self.stage, self.state, self.passes) = (there, rung.state.clone(), rung.passes);
            self.go_on(true, seen, trials, done);
        }
    }

    /// The last rung, once all stages are solved, if it is to be kept.
    pub(in crate::train::solve) fn into_last_rung(self) -> Option<Rung> {
        self.keeps_last.then_some(self.rung)
    }

    /// Leaves a stage that is `close` enough for the next, through as many as the outputs at this point
    /// certify, and aims.
    pub(super) fn go_on(
        &mut self,
        mut close: bool,
        seen: &Seen<'_, R>,
        trials: &[&Trial],
        done: &mut dyn FnMut(usize, Solved),
    ) {
        while close {
            self.solved(seen, trials, done);
            if !self.next_stage() || self.state.descent.value.is_infinite() {
                return;
            }
            close = self.is_close(false);
        }
        let strength = self.strength();
        self.state.descent.aim(self.curvature, &strength);
    }

    /// Hands this stage's solution to the trials that asked for it.
    fn solved(&self, seen: &Seen<'_, R>, trials: &[&Trial], done: &mut dyn FnMut(usize, Solved)) {
        let Stage { asked_by, .. } = &self.chain.stages[self.stage];
        if asked_by.is_empty() {
            return;
        }
        let x = &self.state.descent.x;
        let (own_bias, penalty) = self.own_bias_and_penalty(x, &self.state.bias);
        let loss = self.state.descent.value - penalty;
        let weight = self.curvature.back(x);
        for &i in asked_by {
            let family = trials[i].recipe.cost.loss.family(seen.problem.counts);
            let head = self.chain.head(&weight, &own_bias, family.map(|family| family.offset));
            let passes = self.rung.passes + self.passes;
            done(i, Solved { head, loss, gap: self.gap(), passes });
        }
    }

    /// Moves to the next stage, starting from the last rung; `false` if there is none.
    fn next_stage(&mut self) -> bool {
        let Stage { is_rung, weight_decay, .. } = self.chain.stages[self.stage];
        self.stage += 1;
        if self.is_done() {
            return false;
        }
        if is_rung {
            self.rung.weight_decay = weight_decay;
            self.rung.passes += std::mem::take(&mut self.passes);
            // The next stage goes on from here; those after it start here, unless it is a rung too.
            let later = &self.chain.stages[self.stage..];
            let is_last = !later.iter().any(|stage| stage.is_rung);
            if (later.len() > 1 && !later[0].is_rung) || (is_last && self.keeps_last) {
                self.rung.state = self.state.clone();
            }
        } else if self.rung.weight_decay.is_nan() {
            let x = &self.state.descent.x;
            self.state = State::zero(x.nrows(), x.ncols());
        } else {
            self.state = self.rung.state.clone();
        }
        (self.passes, self.lower, self.best) = (0, f64::NEG_INFINITY, (f64::INFINITY, 0));
        if self.rung.weight_decay.is_nan() {
            return true;
        }
        let [old, new] = [self.chain.decay(self.rung.weight_decay), self.decay()];
        if new == old {
            self.certify();
            return true;
        }
        self.state.descent.change_decay(new[0] - old[0]);
        if new[1] == old[1] {
            self.certify();
        } else {
            // Another bias is best now.
            self.state.descent.look_again();
        }
        true
    }
}
